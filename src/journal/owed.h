/* SPDX-License-Identifier: MIT */
/*
 * STATE/owed: entries that the log has not taken, on disk until it does. Inside the journal writer.
 *
 *	owed/NUMBER-TAG            a file of entries; NUMBER orders them, TAG is the run's own
 *	owed/NUMBER-TAG.corrupt    could not be read, or not all of it: set aside
 *	owed/.lock                 held by the run that tells what former ones have left
 *
 * A file is a line "tocsin owed 1", then for each entry a line "entry TAG LENGTH CHECKSUM" and
 * LENGTH bytes in journald's export format, then "end TAG"; numbers are hexadecimal. TAG is random
 * and told to nobody, so that nothing inside an entry can pass for the next one's line; of a
 * damaged file each entry that is whole is read.
 *
 * Plain, blocking calls; one thread at a time, but for the functions of text and reader.
 */
#ifndef TOCSIN_JOURNAL_OWED_H
#define TOCSIN_JOURNAL_OWED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/text.h"
#include "journal/entry.h"

#define OWED_FOLDER "owed"
/* In the folder, all runs' together: owed_write adds none beyond. */
#define OWED_FILES_MAX 1024
/* A file that has as many bytes takes no more entries. */
#define OWED_FILE_FULL (1024u * 1024)
/* An entry of more is not kept (a record has less than 5 kB, its entry less than 100), nor is a
 * larger file read. */
#define OWED_ENTRY_MAX (2u * 1024 * 1024)
#define OWED_FILE_MAX (4u * 1024 * 1024)

struct owed;

struct owed_name {
	uint64_t number, tag;
};
#define OWED_NAME_SIZE 48
char *owed_name_text(const struct owed_name *n, char buf[static OWED_NAME_SIZE]);

/* Makes the folder in the state folder, which must outlive this. */
int owed_open(int state, struct owed **ret);
/* The state folder has another descriptor now. Any thread. */
void owed_moved(struct owed *o, int state);
void owed_free(struct owed *o);

/* The right to tell what former runs have left, for the calling thread, as lockfile_try: 0, 1,
 * -EBUSY. */
int owed_claim(struct owed *o);
/* By the thread that claimed it. */
void owed_release(struct owed *o);

/* Adds an entry to what is to be a file. -EFBIG, -ENOMEM: the text is as before then. */
int owed_text_add(const struct owed *o, struct text_buffer *text, const struct entry *e);
/* Writes it, durably, behind all others. -ENOSPC: there are too many; -ESTALE: the folder was
 * removed, and with it all that was there; it is made again. */
int owed_write(struct owed *o, struct text_buffer *text, uint64_t *ret_number);
/* A file of this run; 0 when it was not there. */
int owed_remove(struct owed *o, uint64_t number);

/* The next file of another run, in order: 1; 0: there is none behind the last one told. -errno. */
int owed_next(struct owed *o, struct owed_name *ret);
int owed_forget(struct owed *o, const struct owed_name *n);
int owed_set_aside(struct owed *o, const struct owed_name *n);

/* Reads a file entry by entry. */
struct owed_reader {
	char *bytes;
	size_t len, at;
	uint64_t tag;
	uint64_t budget; /* bytes that may yet be looked at, so that no crafted file takes long */
	bool ended, damaged;
};
/* -EPROTONOSUPPORT: a later version's; -EBADMSG: it cannot be one of ours. */
int owed_read(struct owed *o, const struct owed_name *n, struct owed_reader *ret);
/* 1: an entry of ENTRY_CLASS_FIRST, marked TOCSIN_RECOVERED; 0: no more, and `damaged` tells
 * whether that was all. -ENOMEM. */
int owed_reader_next(struct owed_reader *r, struct entry **ret);
void owed_reader_done(struct owed_reader *r);
/* Leaves of the file what stands from `at` on. */
int owed_shorten(struct owed *o, const struct owed_name *n, const struct owed_reader *r, size_t at);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * STATE/pages.json: the pages of a living engine that wait, are parked or dead, for operators to
 * read. It tells how things stood when it was written; what counts is in the outbox.
 *
 * {"format":1,"timestamp":TIME,"left_out":N,"pages":[{"page_id","priority":"P1","code","endpoint",
 *  "state","attempts","http_status","since":TIME}]}
 */
#ifndef TOCSIN_ENGINE_PAGES_FILE_H
#define TOCSIN_ENGINE_PAGES_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGES_FILE "pages.json"
/* Rows that are written; those past it are counted. */
#define PAGES_FILE_ROWS_MAX 4096
#define PAGES_FILE_BYTES_MAX (8u * 1024 * 1024)

#define PAGE_STATE_WAITING "waiting"                   /* for its turn, or for the next attempt */
#define PAGE_STATE_PARKED "parked"                     /* the endpoint is to be mended first */
#define PAGE_STATE_DEAD "dead"                         /* refused twice: nothing more is tried */
#define PAGE_STATE_ORPHANED "no endpoint of that name" /* in the settings: nobody posts it */

struct page_row {
	const char *id, *endpoint, *code;
	uint32_t priority;
	const char *state;    /* one of those above */
	uint32_t attempts;    /* of this run; 0: none, or not known */
	uint32_t http_status; /* the last answer's; 0: there was none, or it is not known */
	uint64_t due_wall_ns; /* since when it waits */
};

/* Replaces it, readable by the group unless that is (gid_t)-1. -errno. */
int pages_file_write(int state, gid_t group, const struct page_row *rows, size_t n,
		     uint64_t wall_ns);

struct pages_list {
	struct page_row *rows; /* the state's text is static; the other texts are the list's */
	size_t n;
	uint64_t left_out; /* that the file has no row for */
	uint64_t wall_ns;  /* of its writing */
};

/* -ENOENT, -EACCES, -EBADMSG: damaged; -EPROTONOSUPPORT: a later version's. */
int pages_file_read(const char *state_dir, struct pages_list *ret);
void pages_list_done(struct pages_list *l);
/* Adds a copy; the state must be static. -ENOMEM. */
int pages_list_add(struct pages_list *l, const struct page_row *row);

#endif

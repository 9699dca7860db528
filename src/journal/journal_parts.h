/* SPDX-License-Identifier: MIT */
/* Inside the journal writer: what its parts share. */
#ifndef TOCSIN_JOURNAL_JOURNAL_PARTS_H
#define TOCSIN_JOURNAL_JOURNAL_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "journal/journal.h"
#include "journal/journal_target.h"
#include "journal/owed.h"
#include "journal/syslog_target.h"

/* Files of one run; when half as many are there, all that is unwritten goes into new ones. */
#define JOURNAL_OWED_FILES 256

struct queue {
	struct entry *first, **end;
};

/* A file of entries of this run. */
struct owed_file {
	uint64_t number;
	uint64_t last; /* the sequence of its last entry */
	bool left;     /* for the next run, because an entry of it is no longer in memory */
};

struct journal {
	enum log_target target;
	const struct entry_context *context;
	struct journal_socket socket; /* the thread's */
	struct syslog_socket syslog;  /* likewise */
	pthread_t thread;
	bool joined;
	/* The thread's: */
	bool adopting; /* somebody else may be telling what former runs have left */
	bool claimed;  /* we are, or have */

	/* Never taken while `mutex` is held; held while the disk is waited for. */
	pthread_mutex_t owed_mutex;
	struct owed *owed; /* NULL: nothing can be owed */
	bool keep_failed;  /* and it was told */

	pthread_mutex_t mutex;
	pthread_cond_t wake;
	/* Under the mutex: */
	struct queue waiting[ENTRY_CLASSES]; /* each in order of sequence */
	/* The batch, but for what is settled. The thread alone changes it, so it may read it
	 * without the mutex. */
	struct entry *sending;
	size_t bytes; /* of what waits */
	uint64_t last_sequence;
	uint64_t shed[ENTRY_CLASSES], shed_since; /* not yet reported; wall time */
	bool idle, stopping, ended;
	void (*progress)(void *userdata);
	void *userdata;
	struct owed_file files[JOURNAL_OWED_FILES]; /* changed with the owed_mutex held too */
	size_t n_files;

	_Atomic uint64_t settled, written, lost;
	_Atomic uint64_t kept;       /* ENTRY_CLASS_FIRST up to here is written, lost or on disk */
	_Atomic uint64_t give_up_at; /* on the clock; what waits then is not written */
};

void queue_add(struct queue *q, struct entry *e);
struct entry *queue_take(struct queue *q);
/* Under the mutex: takes note of one that is lost. */
void journal_note_shed(struct journal *j, enum entry_class class);
/* What was lost and is not yet told; NULL: nothing, or there is no room for it (unless `anyway`).
 */
struct entry *journal_take_report(struct journal *j, bool anyway);

/* --- where entries go --- */

enum log_target journal_choose_target(struct journal *j, enum log_target asked);
/* -ETIMEDOUT: the stop gave it up; else it is counted as written or, with its error, as lost. */
int journal_send(struct journal *j, const struct entry *e);
/* Where the target takes it at once; nothing is counted. */
void journal_send_at_once(struct journal *j, const struct entry *e);

/* --- what is owed --- */

void journal_owed_init(struct journal *j, int state);
void journal_owed_done(struct journal *j);
/* An entry of ENTRY_CLASS_FIRST on what is wrong here. NULL without memory. */
struct entry *journal_trouble(struct journal *j, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* On the thread: tells what former runs have left, once nobody else does. */
void journal_adopt(struct journal *j);
/* On the thread: removes files all entries of which are settled, unless it had to wait for that. */
void journal_clear_files(struct journal *j);
/* Under the mutex: an entry of ENTRY_CLASS_FIRST goes from memory. Is it on disk, for the next run
 * to tell? */
bool journal_leave(struct journal *j, uint64_t sequence);
/* On the thread, after its time: keeps what it can of all that is left, the rest is lost. */
void journal_give_up(struct journal *j);
/* On another thread, while the thread hangs in a send: keeps what can be. */
void journal_keep_all(struct journal *j);

#endif

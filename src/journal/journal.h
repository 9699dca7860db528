/* SPDX-License-Identifier: MIT */
/*
 * The journal writer: a thread of its own that sends entries to journald, to the local syslog or to
 * stderr, because a send blocks for as long as journald is stopped. Nothing that calls
 * journal_submit waits for it.
 *
 * At most JOURNAL_QUEUE_BYTES wait. When more come, the oldest entry of the least class is dropped,
 * counted, and reported when the log takes entries again. Entries of ENTRY_CLASS_FIRST are dropped
 * only when they alone are more than JOURNAL_FIRST_BYTES; those that are on disk are not lost.
 *
 * When no journald listens, a successful send proves nothing. So the writer checks the socket
 * first: while it is absent or refuses, entries wait. It does the same for syslog's socket.
 *
 * With a state folder, no entry of ENTRY_CLASS_FIRST is lost in a crash or a stop: an owed entry,
 * which the log has not taken, is kept in STATE/owed (owed.h). The next run writes it before all
 * else, with TOCSIN_RECOVERED=1. Of several runs that share a state folder, one at a time does.
 *
 * AUTO is decided once, at the start: journald where something listens on its socket, else syslog
 * where something listens on /dev/log, else stderr. A journald that comes up later changes nothing
 * until the next start, so that one run's entries are all in one place.
 */
#ifndef TOCSIN_JOURNAL_JOURNAL_H
#define TOCSIN_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/failure.h"
#include "journal/entry.h"
#include "settings/settings.h"

#define JOURNAL_QUEUE_BYTES (16u * 1024 * 1024)
#define JOURNAL_FIRST_BYTES (64u * 1024 * 1024)

struct journal;

struct journal_options {
	enum log_target target;
	const char *socket; /* journald's; NULL: /run/systemd/journal/socket */
	const char *syslog; /* NULL: /dev/log */
	const char *cpus;
	int state; /* folder; -1: nothing can be owed. It must outlive the journal */
	const struct entry_context *context; /* for its own reports; must outlive the journal */
	struct failure *failure;             /* of journal_new: the call that failed; may be NULL */
};

int journal_new(const struct journal_options *o, struct journal **ret);
/* Writes an entry where there is no journal to give it to: at once, without waiting for room, to
 * where `o` says. Frees it. */
void journal_write_alone(const struct journal_options *o, struct entry *e);
/* What AUTO became. */
enum log_target journal_target(const struct journal *j);

/* Takes the entry (NULL is ignored and returns the last sequence). Any thread. */
uint64_t journal_submit(struct journal *j, struct entry *e);
/* Everything up to this sequence is written or counted as lost. Any thread. */
uint64_t journal_settled(const struct journal *j);
/*
 * Keeps on disk what of ENTRY_CLASS_FIRST is still unwritten up to `sequence`, durably, and removes
 * what was kept before and is written now. Blocks for the disk: for the disk thread.
 * -errno.
 */
int journal_owe(struct journal *j, uint64_t sequence);
/* Up to this sequence, what is of ENTRY_CLASS_FIRST is written, lost or on disk. Any thread. */
uint64_t journal_secured(const struct journal *j);
uint64_t journal_written(const struct journal *j);
uint64_t journal_lost(const struct journal *j);
/* Called on the journal's thread whenever journal_settled has moved; set it before submitting. */
void journal_on_progress(struct journal *j, void (*progress)(void *userdata), void *userdata);

/* The state folder has another descriptor now. Any thread. */
void journal_state_moved(struct journal *j, int state);
/* Writes what waits, at most for timeout_ns, keeps of the rest what is of ENTRY_CLASS_FIRST as
 * owed, counts the others as lost, ends the thread. -ETIMEDOUT: the thread still hangs in a send,
 * and what it holds is kept too; call again. Past its time it waits for the disk alone. */
int journal_stop(struct journal *j, uint64_t timeout_ns);
/* After a successful stop. Takes NULL. */
void journal_free(struct journal *j);

#endif

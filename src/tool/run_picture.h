/* SPDX-License-Identifier: MIT */
/*
 * One run of an engine, read from the journal: sessions with their last status, incidents, pages
 * and troubles. The entry of its start identifies a run. When the journal has lost that entry, a
 * sign of life does, or any other entry of its process.
 *
 * Open incidents outlive their run, as in the engine itself: those of former runs are among them.
 * Only incidents of a replay, or of a run with the events' clock, end with their run.
 */
#ifndef TOCSIN_TOOL_RUN_PICTURE_H
#define TOCSIN_TOOL_RUN_PICTURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "tool/history.h"
#include "tool/journal_query.h"
#include "tool/session_list.h"

/* More waiting pages are only counted; of notes the last ones are kept. */
#define RUN_PICTURE_WAITING_MAX 4096
#define RUN_PICTURE_NOTES_MAX 5

struct run_page {
	char *id, *endpoint;
	uint64_t attempts;
	bool dead; /* refused for good: it does not wait, somebody has to resend or discard it */
};

struct run_note {
	char *text;
	uint64_t time_ns;
};

enum run_state {
	RUN_RUNNING,
	RUN_STOPPED, /* it said so */
	RUN_ENDED,   /* its process is gone and it said nothing */
	RUN_UNKNOWN, /* another machine's journal, or nothing that its process has written */
};

/* What the journal has lost of a run: what its last sign of life counted and no entry tells of. */
struct run_missing {
	uint64_t open[4]; /* [1..3]: open incidents by priority */
	uint64_t sessions;
};

struct run_picture {
	char *engine;
	char *host;                 /* on which it ran; "" when not known */
	char machine[33], boot[33]; /* their ids; "" likewise */
	uint64_t pid;               /* 0: no run is known */
	bool replay, by_events;     /* by_events: its clock is the events' */
	enum run_state state;
	char *state_path; /* its state folder; "" when not known */
	bool removed;     /* it is dead, and that folder is there no more: nobody misses it */
	uint64_t started_ns, stopped_ns; /* wall; 0: not known */
	uint64_t last_event_ns;          /* of the newest event that the engine told */
	uint64_t last_sign_ns;           /* of the newest thing that its process told at all */
	uint64_t last_told_ns;           /* when it wrote last of a session or an alert */
	struct run_missing missing;
	struct session_list *sessions;
	struct history *history;
	struct run_page *waiting; /* tried and not taken: they wait, or are dead */
	size_t n_waiting, waiting_left_out;
	uint64_t delivered;
	struct run_note notes[RUN_PICTURE_NOTES_MAX]; /* oldest first */
	size_t n_notes;
	uint64_t notes_left_out; /* older ones */
	/* The living engine's own snapshot, from which sessions and incidents are then; else NULL.
	 */
	json_t *snapshot;
	uint64_t snapshot_ns;   /* when it was made */
	bool snapshot_is_stale; /* the engine does not write it any more; the journal was added */
	int journal_error; /* the snapshot is all there is, because the journal gave this; or 0 */
};

/* The newest run of `engine`, or of any when NULL, by the journal; of that machine, unless NULL; of
 * a recording that was played only where nothing else is known. -ENOENT: it tells of none. */
int run_picture_read(const struct journal_source *source, const char *engine, const char *machine,
		     struct run_picture **ret);
/* How many are open of that priority, and how many sessions run: with those that the journal no
 * longer tells of. */
uint64_t run_picture_open(const struct run_picture *p, unsigned priority);
uint64_t run_picture_sessions(const struct run_picture *p);
/* How many of the pages not taken are dead, or wait. */
size_t run_picture_pages(const struct run_picture *p, bool dead);
/* "live-1 on HOST"; heap, NULL without memory. */
char *run_picture_name(const struct run_picture *p);
/* Is it known to run, stopped, ...: a word. */
const char *run_state_name(enum run_state state);
/* An empty one of that engine; NULL without memory. */
struct run_picture *run_picture_new(const char *engine);
/* Takes NULL. */
void run_picture_free(struct run_picture *p);

#endif

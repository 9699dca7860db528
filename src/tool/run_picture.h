/* SPDX-License-Identifier: MIT */
/*
 * One run of an engine as the journal tells of it, folded from its start entry on: sessions with
 * their last status, incidents, pages, and what went wrong.
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
};

struct run_note {
	char *text;
	uint64_t time_ns;
};

enum run_state {
	RUN_RUNNING,
	RUN_STOPPED, /* it said so */
	RUN_ENDED,   /* its process is gone and it said nothing */
	RUN_UNKNOWN, /* another machine's or another boot's journal */
};

struct run_picture {
	char *engine;
	uint64_t pid;
	bool replay;
	enum run_state state;
	uint64_t started_ns, stopped_ns; /* wall */
	uint64_t last_event_ns;          /* of the newest event that the engine told */
	struct session_list *sessions;
	struct history *history;
	struct run_page *waiting; /* tried and not yet taken */
	size_t n_waiting, waiting_left_out;
	uint64_t delivered;
	struct run_note notes[RUN_PICTURE_NOTES_MAX]; /* oldest first */
	size_t n_notes;
	/* The living engine's own snapshot, from which sessions and incidents are then; else NULL.
	 */
	json_t *snapshot;
	uint64_t snapshot_ns; /* when it was made */
	int journal_error; /* the snapshot is all there is, because the journal gave this; or 0 */
};

/* The newest run of `engine`, or of any when NULL, by the journal: of a recording that was played
 * only where nothing else is known. -ENOENT: it tells of none. */
int run_picture_read(const char *directory, const char *engine, struct run_picture **ret);
/* Is it known to run, stopped, ...: a word. */
const char *run_state_name(enum run_state state);
/* An empty one of that engine; NULL without memory. */
struct run_picture *run_picture_new(const char *engine);
/* Takes NULL. */
void run_picture_free(struct run_picture *p);

#endif

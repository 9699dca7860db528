/* SPDX-License-Identifier: MIT */
/*
 * The runs of an engine that ended without a clean stop: recorders in its runtime folder whose lock
 * nobody alive holds. To claim one is to hold its lock, so that of several who come for it one gets
 * it; it stays claimed for as long as the claiming thread lives and does not let go.
 */
#ifndef TOCSIN_RECORD_DEAD_RUNS_H
#define TOCSIN_RECORD_DEAD_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/lockfile.h"
#include "record/recorder.h"

/* Runs claimed at a time, the oldest; more are counted, and wait for the next start. */
#define DEAD_RUNS_MAX 512

struct dead_run {
	char name[64];         /* ring-<epoch> */
	struct lockfile *lock; /* held; NULL: the file was gone */
	bool other_boot;       /* the monotonic clock has begun anew since */
	bool damaged;          /* not all of it could be read: set by whoever reads it */
	bool unread;           /* it could not be read at all, though it may be sound: likewise */
	uint64_t first_position, started_wall_ns;
};

struct dead_runs {
	struct dead_run runs[DEAD_RUNS_MAX]; /* in the order in which they began */
	size_t n;
	size_t busy; /* held by somebody alive, who may be at work on them */
	size_t left; /* past DEAD_RUNS_MAX: not looked at */
};

/*
 * Claims each but the run `own` (NULL: none is ours). One of a later version's format is left and
 * told through `bad`. -errno of reading the folder.
 */
int dead_runs_claim(int folder, const char *own,
		    void (*bad)(void *userdata, const char *name, int error), void *userdata,
		    struct dead_runs *ret);
/*
 * Removes what a death while starting or stopping has left: recorders that were never published and
 * locks without one. Only for the one engine of that name that lives: another that is just starting
 * would lose its own.
 */
void dead_runs_tidy(int folder, const char *own);
/* Removes the files of a run, sets a damaged one aside as NAME.corrupt, or leaves an unread one
 * where it is; and lets it go. */
void dead_run_finish(int folder, struct dead_run *run);
/* Lets all go that are left: they stay for somebody else. */
void dead_runs_release(struct dead_runs *runs);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Which run to show: what a living engine says of itself in its snapshot.json comes first, else the
 * newest run of which the journal tells.
 */
#ifndef TOCSIN_TOOL_RUN_FIND_H
#define TOCSIN_TOOL_RUN_FIND_H

#include "tool/engine_snapshots.h"
#include "tool/query.h"
#include "tool/run_picture.h"

/* Reads the snapshots of the query's engine or all; none where journal files are asked for. Free
 * *ret. -ENOMEM. */
int run_find_snapshots(const struct query *q, struct engine_snapshots **ret);

/* The run of `engine`, or when NULL of the living engine that spoke last, else the newest of any;
 * on that machine, unless NULL. -ENOENT: nothing tells of one; what journal_query_open gives. */
int run_find(const struct query *q, const struct engine_snapshots *s, const char *engine,
	     const char *machine, struct run_picture **ret);

/* All engines that live or that the journal knows; one that has run on several machines is there
 * once for each. */
struct run_engine {
	char *name;
	char *machine; /* its id; NULL: there is but one */
};

struct run_engines {
	struct run_engine *list;
	size_t n;
	int journal_error;                        /* why the journal could not be asked, or 0 */
	char journal_gap[JOURNAL_QUERY_GAP_SIZE]; /* what of it was not read; "": nothing */
};

/* Of the query's engine or all. -ENOMEM. */
int run_find_engines(const struct query *q, const struct engine_snapshots *s,
		     struct run_engines *ret);
void run_engines_done(struct run_engines *e);

/* Tells on stderr why run_find gave none, and returns TOOL_FAILED. */
int run_find_failed(const struct query *q, int error);

#endif

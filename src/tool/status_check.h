/* SPDX-License-Identifier: MIT */
/* The answer to a monitoring system: one line, and what it amounts to. */
#ifndef TOCSIN_TOOL_STATUS_CHECK_H
#define TOCSIN_TOOL_STATUS_CHECK_H

#include "base/text.h"
#include "tool/query.h"
#include "tool/run_picture.h"

/* A monitoring plugin's exit statuses. */
enum check_level { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN };

/* What the engines looked at so far come to. Zero-initialise; status_verdict_done frees it. */
struct status_verdict {
	bool hosts;      /* engines are told apart by their hosts too */
	uint64_t now_ns; /* wall */
	enum check_level level;
	struct text_buffer problems;                /* one after another */
	size_t engines, running, sessions, open[4]; /* open[1..3] by priority */
	size_t waiting, dead;                       /* pages */
};

/*
 * Critical: an open P1, or sessions that ran in an engine that died. Unknown, unless it is
 * critical: whether the engine runs, or what is stale or was left out. Warning: an open P2, an
 * engine that died, pages that wait or are dead.
 *
 * The ENGINE_DOWN of a dead engine counts as an open P1 for a day. Nobody is there to end it, so
 * from then on it is a warning, "down since", until the engine starts or its state folder is
 * removed. Time alone never makes it OK.
 */
void status_verdict_add(struct status_verdict *v, struct run_picture *p);
void status_verdict_done(struct status_verdict *v);

/* status --check, of the query's engine or of all that are no replays; prints the line and returns
 * the level. */
int status_check(const struct query *q);

#endif

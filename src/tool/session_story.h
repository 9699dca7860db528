/* SPDX-License-Identifier: MIT */
/* What happened in one session, in the order of the events' own times. */
#ifndef TOCSIN_TOOL_SESSION_STORY_H
#define TOCSIN_TOOL_SESSION_STORY_H

#include <stdio.h>
#include "tool/query.h"
#include "tool/session_list.h"

/* Happenings of one session that are kept at most; more are counted. */
#define SESSION_STORY_MAX 100000u
/* Alerts whose pages are looked for at most. */
#define SESSION_STORY_ALERTS_MAX 1000u

/* One thing that happened. Texts are heap, never NULL. */
struct happening {
	uint64_t time_ns;
	size_t order;      /* in the journal */
	char *event;       /* session, health, alert, page */
	char *message;     /* as logged */
	unsigned priority; /* of an alert or its page, else 0 */
	bool firing;
	bool engine_wide; /* an alert of the engine's, not of this session */
};

struct session_story {
	struct session_list *sessions;
	const struct session_row *row; /* of the session it is about */
	size_t others;                 /* sessions of the same id that it is not about */
	struct happening *list;
	size_t n, size, left_out;
	bool pages_left_out; /* there are more alerts, whose pages were not looked for */
};

/*
 * The newest session of query->session that had begun by query->until_ns, of query->engine if
 * given. TOOL_FINE, or TOOL_FAILED, told already.
 */
int session_story_read(const struct query *q, struct journal_query *j, struct session_story **ret);
/* Takes NULL. */
void session_story_free(struct session_story *s);

/* -ENOMEM. */
int session_story_print(FILE *f, const struct session_story *s, bool utc);
int session_story_json(FILE *f, const struct session_story *s);

#endif

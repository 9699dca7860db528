/* SPDX-License-Identifier: MIT */
/*
 * Sessions, read from the log: entries go in, the oldest first, and become one row for each
 * engine, session id and start. A replay's process counts too, so that a recording played twice is
 * two sessions.
 */
#ifndef TOCSIN_TOOL_SESSION_LIST_H
#define TOCSIN_TOOL_SESSION_LIST_H

#include <jansson.h>
#include <stdio.h>
#include "tool/history.h"
#include "tool/journal_query.h"

/* Kept at most; when there are more, the oldest go, those that are over first. They are counted. */
#define SESSION_LIST_MAX 100000u

/* Texts are as they were logged, never NULL. */
struct session_row {
	char *engine, *id, *status;
	char *process; /* of a replay: its id, else "" */
	uint64_t started_ns, updated_ns;
	bool started_known;       /* the entries told; else it is that of the first one seen */
	uint64_t next_started_ns; /* set by session_list_choose: of the next one of its id */
	json_t *metadata;         /* an object */
	size_t order;             /* in which they were first told of */
};

struct session_list;

struct session_list *session_list_new(void);
/* Takes NULL. */
void session_list_free(struct session_list *l);

/* time_ns: of the event. -ENOMEM. */
int session_list_add(struct session_list *l, history_field *field, void *entry, uint64_t time_ns);
/* The newest first. */
size_t session_list_sorted(struct session_list *l, struct session_row *const **ret);
/* How many run. */
size_t session_list_running(const struct session_list *l);
uint64_t session_list_left_out(const struct session_list *l);

/* Folds the session entries of the engine, the id or all; of `j` no matches were made yet. */
int session_list_read(struct session_list *l, struct journal_query *j, const char *engine,
		      const char *id);
/* Finds in the list the newest that had begun by until_ns; *ret_others are the rest of them. */
const struct session_row *session_list_choose(struct session_list *l, uint64_t until_ns,
					      size_t *ret_others);

/* Does an entry of the same engine and id, of that time, belong to this session and no other? */
bool session_row_has(const struct session_row *s, history_field *field, void *entry,
		     uint64_t time_ns);
/* Is its status `started` or `running`? */
bool session_row_runs(const struct session_row *s);

/* As a table for people, with a column of engines where they differ; -ENOMEM. */
int session_view_table(FILE *f, const struct session_row *const *rows, size_t n, bool utc);
/* One object a line. -ENOMEM. */
int session_view_json(FILE *f, const struct session_row *const *rows, size_t n);
/* NULL without memory; the caller owns it. */
json_t *session_view_object(const struct session_row *s);

#endif

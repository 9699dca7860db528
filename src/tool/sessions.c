/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/text.h"
#include "tool/query.h"
#include "tool/session_list.h"
#include "tool/session_story.h"
#include "tool/tool.h"

static const struct query_verb verb = {
	.name = "sessions",
	.usage = "sessions [OPTION]... [ID]",
	.about = "Lists the sessions in the journal, the newest first. With an ID, shows all that\n"
		 "happened in that session, in the order of the events' times: its changes, its\n"
		 "alerts, its engine's alerts while it ran, and their pages. --since shows "
		 "sessions,\n"
		 "or what happened in the one, at or after a time.\n",
	.options = QUERY_SINCE | QUERY_UNTIL | QUERY_STATUS | QUERY_ENGINE | QUERY_DIRECTORY |
		   QUERY_NAMESPACE | QUERY_JSON | QUERY_UTC,
	.arguments_max = 1,
};

DEFINE_CLEANUP(struct journal_query *, journal_query_free, cleanup_query)
DEFINE_CLEANUP(struct session_list *, session_list_free, cleanup_list)

static bool is_wanted(const struct query *q, const struct session_row *s)
{
	if (q->status && strcmp(s->status, q->status) != 0)
		return false;
	return (session_row_runs(s) || s->updated_ns >= q->since_ns) &&
	       s->started_ns <= q->until_ns;
}

static int show(const struct query *q, struct session_list *l)
{
	struct session_row *const *list;
	size_t n = session_list_sorted(l, &list), wanted = 0;
	const struct session_row **rows = calloc(n + 1, sizeof(*rows));
	int r = 0;

	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (is_wanted(q, list[i]))
			rows[wanted++] = list[i];
	if (q->json)
		r = session_view_json(stdout, rows, wanted);
	else if (wanted == 0)
		puts("no sessions");
	else
		r = session_view_table(stdout, rows, wanted, q->utc);
	free(rows);
	return r;
}

static int list_sessions(const struct query *q, struct journal_query *j)
{
	_cleanup_(cleanup_list) struct session_list *l = session_list_new();
	struct session_row *const *list;
	int status = TOOL_FINE, r = l ? session_list_read(l, j, q->engine, NULL) : -ENOMEM;

	if (r < 0)
		return tool_failed("sessions", "cannot read the journal: %s",
				   journal_query_error(r));
	if (session_list_sorted(l, &list) == 0)
		status = query_explain_nothing(q, j);
	if (status == TOOL_FINE && show(q, l) < 0)
		status = tool_failed("sessions", "no memory");
	if (session_list_left_out(l))
		fprintf(stderr,
			"tocsin sessions: %" PRIu64
			" more sessions are not shown, the oldest: narrow the "
			"query\n",
			session_list_left_out(l));
	return status;
}

static int tell_story(const struct query *q, struct journal_query *j)
{
	struct session_story *story;
	int status = session_story_read(q, j, &story);

	if (status != TOOL_FINE)
		return status;
	if ((q->json ? session_story_json(stdout, story)
		     : session_story_print(stdout, story, q->utc)) < 0)
		status = tool_failed("sessions", "no memory");
	if (story->left_out)
		fprintf(stderr, "tocsin sessions: %zu more are not shown: narrow the query\n",
			story->left_out);
	if (story->pages_left_out)
		fprintf(stderr,
			"tocsin sessions: the pages of more than %u alerts are not shown: narrow "
			"the "
			"query\n",
			SESSION_STORY_ALERTS_MAX);
	session_story_free(story);
	return status;
}

int sessions_main(int argc, char **argv)
{
	struct query query;
	_cleanup_(cleanup_query) struct journal_query *journal = NULL;
	int status = query_parse(&query, &verb, argc, argv);

	if (status >= 0)
		return status;
	if (query.n_arguments > 0)
		query.session = query.arguments[0];
	if (query.session && query.status)
		return tool_wrong_use("sessions", "--status is for the list, not for one session");
	status = query_open(&query, &journal);
	if (status != TOOL_FINE)
		return status;
	status = query.session ? tell_story(&query, journal) : list_sessions(&query, journal);
	query_tell_foreign(&query, journal);
	return status;
}

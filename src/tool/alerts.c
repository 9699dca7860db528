/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include "base/cleanup.h"
#include "tool/foreign_alerts.h"
#include "tool/history.h"
#include "tool/incident_view.h"
#include "tool/journal_query.h"
#include "tool/query.h"
#include "tool/tool.h"

static const struct query_verb verb = {
	.name = "alerts",
	.usage = "alerts [OPTION]...",
	.about = "Lists the incidents in the journal, the newest last. --since shows incidents "
		 "that\n"
		 "were open at or after a time, --until those raised at or before it.\n",
	.options = QUERY_SINCE | QUERY_UNTIL | QUERY_PRIORITY | QUERY_CODE | QUERY_SESSION |
		   QUERY_ENGINE | QUERY_DIRECTORY | QUERY_NAMESPACE | QUERY_JSON | QUERY_UTC,
};

DEFINE_CLEANUP(struct journal_query *, journal_query_free, cleanup_query)
DEFINE_CLEANUP(struct history *, history_free, cleanup_history)

static bool is_wanted(const void *query, const struct history_incident *i)
{
	const struct query *q = query;
	uint64_t raised = i->raised_ns ? i->raised_ns : i->changed_ns;

	/* What was a P1 is found as one, though it has fallen since; and by what it is now. */
	if (q->priority && i->priority != q->priority && i->worst != q->priority)
		return false;
	return (i->firing || i->changed_ns >= q->since_ns) && raised <= q->until_ns;
}

static int read_history(const struct query *q, struct journal_query *j, struct history *h)
{
	const char *const matches[][2] = { { "TOCSIN_EVENT", "alert" },
					   { "TOCSIN_CODE", q->code },
					   { "TOCSIN_SESSION", q->session },
					   { "TOCSIN_ENGINE", q->engine } };
	int r = 0;

	history_prefer(h, is_wanted, q);
	for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]) && r >= 0; i++)
		if (matches[i][1])
			r = journal_query_match(j, matches[i][0], matches[i][1]);
	/* All of them: one that was raised long ago may be open still. */
	while (r >= 0 && (r = journal_query_next(j)) > 0)
		r = history_add(h, journal_query_field, j, journal_query_time(j));
	return r;
}

static int show(const struct query *q, struct history *h)
{
	struct history_incident *const *list;
	size_t n = history_sorted(h, &list), wanted = 0;
	const struct history_incident **rows = calloc(n + 1, sizeof(*rows));
	int r = 0;

	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (is_wanted(q, list[i]))
			rows[wanted++] = list[i];
	if (q->json)
		r = incident_view_json(stdout, rows, wanted);
	else if (wanted == 0)
		puts("no alerts");
	else
		r = incident_view_table(stdout, rows, wanted, q->utc);
	free(rows);
	return r;
}

int alerts_main(int argc, char **argv)
{
	struct query query;
	_cleanup_(cleanup_history) struct history *history = NULL;
	_cleanup_(cleanup_query) struct journal_query *journal = NULL;
	struct history_incident *const *list;
	int status = query_parse(&query, &verb, argc, argv), r;

	if (status >= 0)
		return status;
	status = query_open(&query, &journal);
	if (status != TOOL_FINE)
		return status;
	history = history_new();
	r = history ? read_history(&query, journal, history) : -ENOMEM;
	query_tell_gap(&query, journal);
	if (r < 0)
		return tool_failed("alerts", "cannot read the journal: %s", journal_query_error(r));
	if (history_sorted(history, &list) == 0)
		status = query_explain_nothing(&query, journal);
	if (status == TOOL_FINE && show(&query, history) < 0)
		status = tool_failed("alerts", "no memory");
	if (foreign_alerts_show(&query, journal) < 0)
		status = tool_failed("alerts", "what others have written cannot be shown");
	if (history_left_out(history))
		fprintf(stderr,
			"tocsin alerts: %" PRIu64
			" more incidents are not shown, the oldest and least "
			"of them: narrow the query\n",
			history_left_out(history));
	return status;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/verbs.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "tool/evidence.h"
#include "tool/query.h"
#include "tool/run_find.h"
#include "tool/run_snapshot.h"
#include "tool/tool.h"

static const struct query_verb verb = {
	.name = "snapshot",
	.usage = "snapshot [OPTION]...",
	.about = "Prints the picture of an engine as JSON: sessions, status, alerts. For a living\n"
		 "engine this is its own snapshot, else it is made from the newest run in the "
		 "journal.\n"
		 "stderr and the member \"source\" say which.\n",
	.options = QUERY_ENGINE | QUERY_STATE_DIR | QUERY_DIRECTORY | QUERY_NAMESPACE |
		   QUERY_EVIDENCE | QUERY_UTC,
};

DEFINE_CLEANUP(struct engine_snapshots *, engine_snapshots_free, cleanup_snapshots)
DEFINE_CLEANUP(struct run_picture *, run_picture_free, cleanup_picture)
DEFINE_CLEANUP(json_t *, json_decref, cleanup_json)

static json_t *picture_json(struct run_picture *p, uint64_t now_ns)
{
	json_t *own = p->snapshot ? json_copy(p->snapshot) : NULL;

	if (!p->snapshot)
		return run_snapshot(p, now_ns);
	json_object_set_new(own, "source", json_string("snapshot"));
	json_object_set_new(own, "state", json_string(run_state_name(p->state)));
	return own;
}

static const char *source_text(const struct run_picture *p, char *buf, size_t size)
{
	char time[TIME_TEXT_SIZE];

	if (p->snapshot)
		snprintf(buf, size, "the living engine's own snapshot of %s",
			 time_to_rfc3339(p->snapshot_ns, time));
	else if (p->state == RUN_STOPPED)
		snprintf(buf, size, "the journal; the engine stopped at %s",
			 time_to_rfc3339(p->stopped_ns, time));
	else if (p->state == RUN_ENDED)
		snprintf(buf, size, "the journal; the engine is dead, its last event was at %s",
			 p->last_event_ns ? time_to_rfc3339(p->last_event_ns, time)
					  : "no known time");
	else
		snprintf(buf, size, "the journal; the engine is %s",
			 p->state == RUN_RUNNING ? "running, but has no snapshot here"
						 : "not known to run");
	return buf;
}

/* A living engine's own is whole without any journal. */
static void tell_gap(const struct query *q, const struct run_picture *p)
{
	struct journal_query *j;

	if (p->snapshot || q->evidence || journal_query_open(&q->journal, &j) < 0)
		return;
	query_tell_gap(q, j);
	journal_query_free(j);
}

int snapshot_main(int argc, char **argv)
{
	struct query q;
	_cleanup_(cleanup_snapshots) struct engine_snapshots *snapshots = NULL;
	_cleanup_(cleanup_picture) struct run_picture *p = NULL;
	_cleanup_(cleanup_json) json_t *json = NULL;
	char source[160];
	int status = query_parse(&q, &verb, argc, argv), r;

	if (status >= 0)
		return status;
	r = run_find_snapshots(&q, &snapshots);
	if (r == 0)
		r = run_find(&q, snapshots, q.engine, NULL, &p);
	if (r < 0)
		return run_find_failed(&q, r);
	assert(p);
	tell_gap(&q, p);
	json = picture_json(p, clock_realtime_ns());
	if (!json)
		return tool_failed("snapshot", "no memory");
	fputs("tocsin snapshot: engine ", stderr);
	tool_print_text(stderr, str(p->engine));
	fprintf(stderr, ", from %s\n", source_text(p, source, sizeof(source)));
	if (q.evidence)
		return evidence_write(&q, p->engine, json, source);
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	return TOOL_FINE;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/run_find.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/text.h"
#include "tool/run_snapshot.h"
#include "tool/tool.h"

DEFINE_CLEANUP(struct run_picture *, run_picture_free, cleanup_picture)
DEFINE_CLEANUP(struct journal_query *, journal_query_free, cleanup_query)

int run_find_snapshots(const struct query *q, struct engine_snapshots **ret)
{
	/* Other machines' journals say nothing of the engines here. */
	if (q->directory)
		return (*ret = calloc(1, sizeof(**ret))) ? 0 : -ENOMEM;
	return engine_snapshots_read(q->engine, q->state_dir, ret);
}

static int read_living(const struct engine_snapshot *s, struct run_picture **ret)
{
	const char *name = engine_snapshot_name(s);
	_cleanup_(cleanup_picture) struct run_picture *p = NULL;
	int error = run_picture_read(NULL, name, &p), r;

	if (error == -ENOMEM)
		return error;
	if (error < 0) {
		p = run_picture_new(name);
		if (!p)
			return -ENOMEM;
		p->journal_error = error;
	}
	r = run_picture_take(p, s->json);
	if (r < 0)
		return r;
	*ret = TAKE(p);
	return 0;
}

static const struct engine_snapshot *find_snapshot(const struct engine_snapshots *s,
						   const char *engine)
{
	for (size_t i = 0; i < s->n; i++)
		if (!engine || strcmp(engine_snapshot_name(&s->list[i]), engine) == 0)
			return &s->list[i];
	return NULL;
}

int run_find(const struct query *q, const struct engine_snapshots *s, const char *engine,
	     struct run_picture **ret)
{
	const struct engine_snapshot *snapshot = find_snapshot(s, engine);
	struct run_picture *p;
	int r;

	if (snapshot && snapshot->alive)
		return read_living(snapshot, ret);
	r = run_picture_read(q->directory, engine, &p);
	if (r < 0)
		return r;
	/* A process can outlive its plugin, or another has its number: the snapshot's lock knows.
	 */
	snapshot = find_snapshot(s, p->engine);
	if (p->state == RUN_RUNNING && snapshot && snapshot->time_ns >= p->started_ns)
		p->state = RUN_ENDED;
	*ret = p;
	return 0;
}

static int add_engine(void *userdata, tocsin_str name)
{
	struct run_engines *e = userdata;

	for (size_t i = 0; i < e->n; i++)
		if (str_is(name, e->names[i]))
			return 0;
	if (e->n == RUN_ENGINES_MAX)
		return 0;
	e->names[e->n] = str_dup(name);
	return e->names[e->n++] ? 0 : -ENOMEM;
}

int run_find_engines(const struct query *q, const struct engine_snapshots *s,
		     struct run_engines *ret)
{
	_cleanup_(cleanup_query) struct journal_query *j = NULL;
	int r = 0;

	*ret = (struct run_engines){ 0 };
	for (size_t i = 0; i < s->n && r >= 0; i++)
		if (s->list[i].alive)
			r = add_engine(ret, str(engine_snapshot_name(&s->list[i])));
	if (r < 0)
		return r;
	r = journal_query_open(q->directory, &j);
	if (r >= 0)
		r = journal_query_values(j, "TOCSIN_ENGINE", add_engine, ret);
	ret->journal_error = r < 0 ? r : 0;
	return r == -ENOMEM ? r : 0;
}

void run_engines_done(struct run_engines *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->names[i]);
	e->n = 0;
}

int run_find_failed(const struct query *q, int error)
{
	struct journal_query *j;
	int status;

	if (error != -ENOENT)
		return tool_failed(q->verb->name, "cannot read the journal: %s",
				   journal_query_error(error));
	status = query_open(q, &j);
	if (status == TOOL_FINE) {
		status = query_explain_nothing(q, j);
		journal_query_free(j);
	}
	return status != TOOL_FINE
		       ? status
		       : tool_failed(q->verb->name, "the journal tells of no run%s%s",
				     q->engine ? " of engine " : "", q->engine ? q->engine : "");
}

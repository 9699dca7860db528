/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/run_find.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "tool/run_snapshot.h"
#include "tool/tool.h"

/* An engine that lives writes its snapshot once a minute at least. */
#define SIGNED_MAX_NS (3 * 60 * NS_PER_S)

DEFINE_CLEANUP(struct run_picture *, run_picture_free, cleanup_picture)
DEFINE_CLEANUP(struct journal_query *, journal_query_free, cleanup_query)

int run_find_snapshots(const struct query *q, struct engine_snapshots **ret)
{
	/* Other machines' journals say nothing of the engines here. */
	if (q->journal.directory)
		return (*ret = calloc(1, sizeof(**ret))) ? 0 : -ENOMEM;
	return engine_snapshots_read(q->engine, q->state_dir, ret);
}

/* "": not known. */
static void own_machine(char machine[static SD_ID128_STRING_MAX])
{
	sd_id128_t id;

	machine[0] = 0;
	if (sd_id128_get_machine(&id) >= 0)
		sd_id128_to_string(id, machine);
}

static int read_living(const struct engine_snapshot *s, struct run_picture **ret)
{
	const char *name = engine_snapshot_name(s);
	_cleanup_(cleanup_picture) struct run_picture *p = NULL;
	/* Wherever it logs: that it lives is known here. */
	const struct journal_source all = { 0 };
	char machine[SD_ID128_STRING_MAX];
	int error, r;

	own_machine(machine);
	error = run_picture_read(&all, name, machine[0] ? machine : NULL, &p);
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
	if (s->signed_ns > 0 && clock_realtime_ns() > s->signed_ns + SIGNED_MAX_NS)
		p->snapshot_is_stale = true;
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
	     const char *machine, struct run_picture **ret)
{
	const struct engine_snapshot *snapshot = find_snapshot(s, engine);
	char own[SD_ID128_STRING_MAX];
	struct run_picture *p;
	int r;

	own_machine(own);
	if (machine && strcmp(machine, own) != 0)
		snapshot = NULL;
	if (snapshot && snapshot->alive)
		return read_living(snapshot, ret);
	r = run_picture_read(&q->journal, engine, machine, &p);
	if (r < 0)
		return r;
	/* A process can outlive its plugin, or another has its number: the snapshot's lock knows.
	 */
	snapshot = strcmp(p->machine, own) == 0 ? find_snapshot(s, p->engine) : NULL;
	if (p->state == RUN_RUNNING && snapshot && snapshot->time_ns >= p->started_ns)
		p->state = RUN_ENDED;
	if (p->state == RUN_ENDED && snapshot && snapshot->signed_ns > p->last_sign_ns)
		p->last_sign_ns = snapshot->signed_ns;
	*ret = p;
	return 0;
}

static int add_engine(struct run_engines *e, tocsin_str name, const char *machine)
{
	struct run_engine *list = reallocarray(e->list, e->n + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	e->list = list;
	list[e->n] = (struct run_engine){ str_dup(name), machine ? strdup(machine) : NULL };
	if (!list[e->n].name || (machine && !list[e->n].machine)) {
		free(list[e->n].name);
		free(list[e->n].machine);
		return -ENOMEM;
	}
	e->n++;
	return 0;
}

static bool knows(const struct run_engines *e, tocsin_str name)
{
	for (size_t i = 0; i < e->n; i++)
		if (str_is(name, e->list[i].name))
			return true;
	return false;
}

/* What is to be looked through for engines: their names, and the machines they may have run on. */
struct search {
	const struct query *query;
	struct run_engines *found;
	struct run_engines machines; /* their ids as names */
};

static int add_name(void *userdata, tocsin_str name)
{
	struct search *x = userdata;

	if ((x->query->engine && !str_is(name, x->query->engine)) || knows(x->found, name))
		return 0;
	return add_engine(x->found, name, NULL);
}

static int add_machine(void *userdata, tocsin_str id)
{
	struct search *x = userdata;

	return add_engine(&x->machines, id, NULL);
}

/* 1: the engine has written on that machine. */
static int was_there(struct journal_query *j, const char *engine, const char *machine)
{
	int r = journal_query_restart(j);

	if (r >= 0)
		r = journal_query_match(j, "TOCSIN_ENGINE", engine);
	if (r >= 0)
		r = journal_query_match(j, "_MACHINE_ID", machine);
	return r < 0 ? r : journal_query_next(j);
}

/* The names become pairs with machines. */
static int split_by_machine(struct search *x, struct journal_query *j)
{
	struct run_engines names = *x->found;
	int r = 0;

	*x->found = (struct run_engines){ 0 };
	for (size_t i = 0; i < names.n && r >= 0; i++) {
		size_t before = x->found->n;

		for (size_t m = 0; m < x->machines.n && r >= 0; m++) {
			r = was_there(j, names.list[i].name, x->machines.list[m].name);
			if (r > 0)
				r = add_engine(x->found, str(names.list[i].name),
					       x->machines.list[m].name);
		}
		/* One that lives and has not written anything yet. */
		if (r >= 0 && x->found->n == before)
			r = add_engine(x->found, str(names.list[i].name), NULL);
	}
	run_engines_done(&names);
	return r;
}

static int ask_journal(struct search *x)
{
	_cleanup_(cleanup_query) struct journal_query *j = NULL;
	int r = journal_query_open(&x->query->journal, &j);

	if (r >= 0)
		r = journal_query_values(j, "TOCSIN_ENGINE", add_name, x);
	if (r >= 0)
		r = journal_query_values(j, "_MACHINE_ID", add_machine, x);
	if (r >= 0 && x->machines.n > 1)
		r = split_by_machine(x, j);
	if (r >= 0)
		(void)journal_query_gap(j, x->found->journal_gap, sizeof(x->found->journal_gap));
	return r;
}

int run_find_engines(const struct query *q, const struct engine_snapshots *s,
		     struct run_engines *ret)
{
	struct search x = { .query = q, .found = ret };
	int r = 0;

	*ret = (struct run_engines){ 0 };
	for (size_t i = 0; i < s->n && r >= 0; i++)
		if (s->list[i].alive)
			r = add_name(&x, str(engine_snapshot_name(&s->list[i])));
	if (r >= 0)
		r = ask_journal(&x);
	run_engines_done(&x.machines);
	ret->journal_error = r < 0 ? r : 0;
	return r == -ENOMEM ? r : 0;
}

void run_engines_done(struct run_engines *e)
{
	for (size_t i = 0; i < e->n; i++) {
		free(e->list[i].name);
		free(e->list[i].machine);
	}
	free(e->list);
	*e = (struct run_engines){ 0 };
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
		       : tool_failed(q->verb->name, "the journal has no run%s%s",
				     q->engine ? " of engine " : "", q->engine ? q->engine : "");
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/run_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/text.h"
#include "tool/journal_files.h"

DEFINE_CLEANUP(struct engine_snapshots *, engine_snapshots_free, cleanup_snapshots)

/* The greater the worse. */
static int badness(const struct run_picture *p)
{
	if (p->replay)
		return -1;
	if (run_picture_open(p, 1) > 0 || (p->state == RUN_ENDED && run_picture_sessions(p) > 0))
		return 5;
	if (p->state == RUN_UNKNOWN || p->snapshot_is_stale)
		return 4;
	if (p->state == RUN_ENDED)
		return 3;
	if (run_picture_open(p, 2) > 0 || p->n_waiting + p->waiting_left_out > 0)
		return 2;
	return p->state == RUN_RUNNING;
}

static int compare_runs(const void *a, const void *b)
{
	const struct run_picture *x = *(struct run_picture *const *)a;
	const struct run_picture *y = *(struct run_picture *const *)b;
	int x_bad = badness(x), y_bad = badness(y), order;

	if (x_bad != y_bad)
		return y_bad - x_bad;
	order = strcmp(x->engine, y->engine);
	return order != 0 ? order : strcmp(x->host, y->host);
}

static int add_run(const struct query *q, const struct engine_snapshots *s,
		   const struct run_engine *e, bool replays, struct run_list *l)
{
	struct run_picture *p;
	int r = run_find(q, s, e->name, e->machine, &p);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (p->replay && !replays) {
		run_picture_free(p);
		return 0;
	}
	l->list[l->n++] = p;
	l->hosts = l->hosts || strcmp(p->host, l->list[0]->host) != 0;
	return 0;
}

int run_list_read(const struct query *q, bool replays, struct run_list *ret)
{
	_cleanup_(cleanup_snapshots) struct engine_snapshots *s = NULL;
	_cleanup_(run_engines_done) struct run_engines engines = { 0 };
	int r = run_find_snapshots(q, &s);

	*ret = (struct run_list){ 0 };
	if (r == 0)
		r = run_find_engines(q, s, &engines);
	if (r < 0)
		return r;
	ret->journal_error = engines.journal_error;
	memcpy(ret->journal_gap, engines.journal_gap, sizeof(ret->journal_gap));
	ret->unreadable = s->unreadable;
	ret->left_out = s->left_out;
	ret->list = calloc(engines.n + 1, sizeof(struct run_picture *));
	if (!ret->list)
		return -ENOMEM;
	for (size_t i = 0; i < engines.n && r == 0; i++)
		r = add_run(q, s, &engines.list[i], replays, ret);
	if (journal_files_were_cut() && !ret->journal_gap[0])
		snprintf(ret->journal_gap, sizeof(ret->journal_gap), JOURNAL_FILE_CUT);
	if (r == 0)
		qsort(ret->list, ret->n, sizeof(struct run_picture *), compare_runs);
	else
		run_list_done(ret);
	return r;
}

void run_list_done(struct run_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		run_picture_free(l->list[i]);
	free(l->list);
	*l = (struct run_list){ 0 };
}

void run_list_gaps(const struct run_list *l, void (*tell)(void *userdata, const char *text),
		   void *userdata)
{
	char text[256];

	if (l->journal_error) {
		snprintf(text, sizeof(text), "the journal was not read: %s",
			 journal_query_error(l->journal_error));
		tell(userdata, text);
	}
	if (l->journal_gap[0])
		tell(userdata, l->journal_gap);
	if (l->unreadable > 0) {
		snprintf(text, sizeof(text), "%zu state folder%s or snapshot%s cannot be read",
			 l->unreadable, l->unreadable > 1 ? "s" : "", l->unreadable > 1 ? "s" : "");
		tell(userdata, text);
	}
	if (l->left_out > 0) {
		snprintf(text, sizeof(text),
			 "%zu state folder%s past the first %d %s not looked at: name an engine",
			 l->left_out, l->left_out > 1 ? "s" : "", ENGINE_SNAPSHOTS_MAX,
			 l->left_out > 1 ? "were" : "was");
		tell(userdata, text);
	}
}

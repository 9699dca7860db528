/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/status_check.h"

#include <errno.h>
#include <stdio.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "tool/run_find.h"
#include "tool/session_list.h"
#include "tool/tool.h"

DEFINE_CLEANUP(struct engine_snapshots *, engine_snapshots_free, cleanup_snapshots)

static void worsen(struct status_verdict *v, enum check_level level)
{
	if (level > v->level)
		v->level = level;
}

_printf_(3, 4) static void add_problem(struct status_verdict *v, enum check_level level,
				       const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	text_buffer_printf(&v->problems, "%s%s", v->problems.len > 0 ? "; " : "", text);
	worsen(v, level);
}

static size_t count_running(struct session_list *l)
{
	struct session_row *const *rows;
	size_t n = session_list_sorted(l, &rows), running = 0;

	for (size_t i = 0; i < n; i++)
		running += session_row_runs(rows[i]);
	return running;
}

/* The codes that are open, the gravest first, as far as a line has room. */
static void judge_incidents(struct status_verdict *v, const struct run_picture *p)
{
	static const enum check_level levels[] = { CHECK_OK, CHECK_CRITICAL, CHECK_WARNING,
						   CHECK_OK };
	struct history_incident *const *list;
	size_t n = history_sorted(p->history, &list);

	for (unsigned priority = 1; priority <= 3; priority++) {
		size_t open = 0;
		const char *code = "";

		for (size_t i = 0; i < n; i++)
			if (list[i]->firing && list[i]->priority == priority) {
				code = list[i]->code;
				open++;
			}
		v->open[priority] += open;
		if (open == 0 || levels[priority] == CHECK_OK)
			continue;
		add_problem(v, levels[priority], "%s: %zu open P%u, %s%s", p->engine, open,
			    priority, code, open > 1 ? " and others" : "");
	}
}

void status_verdict_add(struct status_verdict *v, struct run_picture *p)
{
	size_t running = count_running(p->sessions);
	size_t waiting = p->n_waiting + p->waiting_left_out;
	char last[TIME_TEXT_SIZE];

	v->engines++;
	v->running += p->state == RUN_RUNNING;
	v->waiting += waiting;
	if (p->state == RUN_RUNNING)
		v->sessions += running;
	if (p->state == RUN_ENDED && running > 0)
		add_problem(v, CHECK_CRITICAL,
			    "%s is dead with %zu session%s running, last event %s", p->engine,
			    running, running > 1 ? "s" : "",
			    time_to_local(p->last_event_ns, false, last));
	judge_incidents(v, p);
	if (waiting > 0)
		add_problem(v, CHECK_WARNING, "%s: %zu page%s waiting", p->engine, waiting,
			    waiting > 1 ? "s" : "");
}

void status_verdict_done(struct status_verdict *v)
{
	text_buffer_done(&v->problems);
}

/* "TOCSIN CRITICAL - ... | p1=1 ...": what stands behind the bar is for graphs. */
static int print_verdict(const struct status_verdict *v)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

	printf("TOCSIN %s - ", words[v->level]);
	if (v->problems.len > 0)
		tool_print_text(stdout, (tocsin_str){ v->problems.ptr, v->problems.len });
	else
		printf("%zu of %zu engine%s running, %zu session%s, no P1 or P2 open", v->running,
		       v->engines, v->engines == 1 ? "" : "s", v->sessions,
		       v->sessions == 1 ? "" : "s");
	printf(" | p1=%zu p2=%zu p3=%zu pages_waiting=%zu sessions=%zu engines=%zu\n", v->open[1],
	       v->open[2], v->open[3], v->waiting, v->sessions, v->running);
	return (int)v->level;
}

static int unknown(const char *why)
{
	printf("TOCSIN UNKNOWN - %s\n", why);
	return CHECK_UNKNOWN;
}

/* -ENOMEM; any other failure is a problem of this one engine's. */
static int judge_engine(const struct query *q, const struct engine_snapshots *s, const char *name,
			struct status_verdict *v)
{
	struct run_picture *p;
	int r = run_find(q, s, name, &p);

	/* The start of an engine may have been vacuumed away with all else of that run. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (q->engine ||
	    (!p->replay && (p->state == RUN_RUNNING || p->last_event_ns >= q->since_ns)))
		status_verdict_add(v, p);
	/* Asked for by name, a recording may tell of trouble, but that nothing is wrong it cannot.
	 */
	if (q->engine && p->replay && v->level == CHECK_OK)
		add_problem(v, CHECK_UNKNOWN, "only a recording that was played tells of %s",
			    p->engine);
	run_picture_free(p);
	return 0;
}

int status_check(const struct query *q)
{
	_cleanup_(cleanup_snapshots) struct engine_snapshots *s = NULL;
	_cleanup_(status_verdict_done) struct status_verdict v = { 0 };
	_cleanup_(run_engines_done) struct run_engines engines = { 0 };
	int r = run_find_snapshots(q, &s);

	if (r == 0 && q->engine)
		r = judge_engine(q, s, q->engine, &v);
	else if (r == 0)
		r = run_find_engines(q, s, &engines);
	for (size_t i = 0; i < engines.n && r == 0; i++)
		r = judge_engine(q, s, engines.names[i], &v);
	if (r == 0 && v.engines == 0 && journal_query_is_forbidden(q->directory))
		r = -EACCES;
	if (r < 0)
		return unknown(journal_query_error(r));
	if (v.engines == 0)
		return unknown(engines.journal_error ? journal_query_error(engines.journal_error)
						     : "nothing tells of an engine");
	return print_verdict(&v);
}

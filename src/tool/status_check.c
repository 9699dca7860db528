/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/status_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "tool/run_list.h"
#include "tool/session_list.h"
#include "tool/tool.h"

static void worsen(struct status_verdict *v, enum check_level level)
{
	/* What is known to be critical is not made doubtful by what is not known. */
	static const int gravity[] = {
		[CHECK_OK] = 0, [CHECK_WARNING] = 1, [CHECK_UNKNOWN] = 2, [CHECK_CRITICAL] = 3
	};

	if (gravity[level] > gravity[v->level])
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

#define DEATH_IS_NEW_NS (24 * 3600 * NS_PER_S)

static bool is_old(const struct status_verdict *v, uint64_t ns)
{
	return v->now_ns > ns && v->now_ns - ns > DEATH_IS_NEW_NS;
}

/* judge_life speaks of it instead, or nobody has to any more. */
static bool is_past_death(const struct status_verdict *v, const struct run_picture *p,
			  const struct history_incident *i)
{
	return p->state == RUN_ENDED && strcmp(i->code, "ENGINE_DOWN") == 0 &&
	       (p->removed || is_old(v, i->changed_ns));
}

/* The codes that are open, the gravest first, as far as a line has room. */
static void judge_incidents(struct status_verdict *v, const struct run_picture *p, const char *name)
{
	static const enum check_level levels[] = { CHECK_OK, CHECK_CRITICAL, CHECK_WARNING,
						   CHECK_OK };
	struct history_incident *const *list;
	size_t n = history_sorted(p->history, &list);

	for (unsigned priority = 1; priority <= 3; priority++) {
		uint64_t open = run_picture_open(p, priority), past = 0;
		const char *code = "";

		for (size_t i = 0; i < n; i++)
			if (!list[i]->firing || list[i]->priority != priority)
				continue;
			else if (is_past_death(v, p, list[i]))
				past++;
			else
				code = list[i]->code;
		v->open[priority] += p->removed ? open - past : open;
		open -= past;
		if (open == 0 || levels[priority] == CHECK_OK)
			continue;
		add_problem(v, levels[priority], "%s: %" PRIu64 " open P%u, %s%s", name, open,
			    priority, code[0] ? code : "that the journal has lost",
			    open > 1 && code[0] ? " and others" : "");
	}
}

static void judge_life(struct status_verdict *v, const struct run_picture *p, const char *name)
{
	uint64_t running = run_picture_sessions(p);
	char last[TIME_TEXT_SIZE];

	v->running += p->state == RUN_RUNNING;
	if (p->state == RUN_RUNNING)
		v->sessions += running;
	if (p->state == RUN_ENDED && p->removed)
		return;
	if (p->state == RUN_ENDED && running > 0)
		add_problem(v, CHECK_CRITICAL,
			    "%s is dead with %" PRIu64 " session%s running, last %s %s", name,
			    running, running > 1 ? "s" : "",
			    p->last_event_ns > 0 ? "event" : "sign of life",
			    time_to_local(p->last_event_ns > 0 ? p->last_event_ns : p->last_sign_ns,
					  false, last));
	else if (p->state == RUN_ENDED)
		add_problem(v, CHECK_WARNING,
			    is_old(v, p->last_sign_ns) ? "%s is down since %s"
						       : "%s is dead, last sign of life %s",
			    name, time_to_local(p->last_sign_ns, false, last));
	if (p->state == RUN_UNKNOWN)
		add_problem(v, CHECK_UNKNOWN, "it is not known whether %s runs", name);
}

static void judge_gaps(struct status_verdict *v, const struct run_picture *p, const char *name)
{
	char made[TIME_TEXT_SIZE];

	if (p->snapshot_is_stale)
		add_problem(v, CHECK_UNKNOWN, "%s: its snapshot is stale, of %s", name,
			    time_to_local(p->snapshot_ns, false, made));
	if (p->journal_error)
		add_problem(v, CHECK_UNKNOWN, "%s: its pages are not known: %s", name,
			    p->journal_error == -ENOENT ? "the journal has no entry of it"
							: journal_query_error(p->journal_error));
	if (history_left_out(p->history) + session_list_left_out(p->sessions) > 0)
		add_problem(v, CHECK_UNKNOWN, "%s: not all alerts and sessions were looked at",
			    name);
}

void status_verdict_add(struct status_verdict *v, struct run_picture *p)
{
	size_t waiting = run_picture_pages(p, false), dead = run_picture_pages(p, true);
	_cleanup_free_ char *full_name = v->hosts ? run_picture_name(p) : NULL;
	const char *name = full_name ? full_name : p->engine;

	v->engines++;
	v->waiting += waiting;
	v->dead += dead;
	judge_life(v, p, name);
	judge_incidents(v, p, name);
	judge_gaps(v, p, name);
	if (waiting > 0)
		add_problem(v, CHECK_WARNING, "%s: %zu page%s waiting", name, waiting,
			    waiting > 1 ? "s" : "");
	if (dead > 0)
		add_problem(v, CHECK_WARNING, "%s: %zu page%s dead", name, dead,
			    dead > 1 ? "s" : "");
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
	printf(" | p1=%zu p2=%zu p3=%zu pages_waiting=%zu pages_dead=%zu sessions=%zu "
	       "engines=%zu\n",
	       v->open[1], v->open[2], v->open[3], v->waiting, v->dead, v->sessions, v->running);
	return (int)v->level;
}

static int unknown(const char *why)
{
	printf("TOCSIN UNKNOWN - %s\n", why);
	return CHECK_UNKNOWN;
}

static void add_gap(void *userdata, const char *text)
{
	add_problem(userdata, CHECK_UNKNOWN, "%s", text);
}

static bool counts(const struct query *q, const struct run_picture *p)
{
	/* One that is down is never left out. */
	return q->engine || p->state == RUN_RUNNING || (p->state == RUN_ENDED && !p->removed) ||
	       p->last_event_ns >= q->since_ns || p->last_sign_ns >= q->since_ns;
}

int status_check(const struct query *q)
{
	_cleanup_(run_list_done) struct run_list list = { 0 };
	_cleanup_(status_verdict_done) struct status_verdict v = { 0 };
	int r = run_list_read(q, q->engine != NULL, &list);

	if (r < 0)
		return unknown(journal_query_error(r));
	v.hosts = list.hosts;
	v.now_ns = clock_realtime_ns();
	for (size_t i = 0; i < list.n; i++) {
		struct run_picture *p = list.list[i];

		if (counts(q, p))
			status_verdict_add(&v, p);
		/* A recording may tell of trouble, but that nothing is wrong it cannot. */
		if (p->replay && v.level == CHECK_OK)
			add_problem(&v, CHECK_UNKNOWN, "only a played recording has entries of %s",
				    p->engine);
	}
	if (v.engines == 0 && list.journal_error)
		return unknown(journal_query_error(list.journal_error));
	run_list_gaps(&list, add_gap, &v);
	if (v.engines == 0 && v.problems.len == 0)
		return unknown("there is no trace of an engine");
	return print_verdict(&v);
}

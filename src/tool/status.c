/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "picture/alerts.h"
#include "tool/incident_view.h"
#include "tool/query.h"
#include "tool/run_list.h"
#include "tool/run_picture.h"
#include "tool/session_list.h"
#include "tool/status_check.h"
#include "tool/tool.h"

static const struct query_verb verb = {
	.name = "status",
	.usage = "status [OPTION]...",
	.about = "Shows the state of each engine, the worst first: sessions, open alerts, pages, "
		 "and\n"
		 "what to do next. For a living engine it reads snapshot.json, else the newest run "
		 "in\n"
		 "the journal. With --check, --since leaves out engines that died or stopped "
		 "before.\n",
	.options = QUERY_SINCE | QUERY_ENGINE | QUERY_STATE_DIR | QUERY_DIRECTORY |
		   QUERY_NAMESPACE | QUERY_CHECK | QUERY_JSON | QUERY_UTC,
};

#define WAITING_SHOWN 5 /* pages */

static const char *source_name(const struct run_picture *p)
{
	return p->snapshot ? "snapshot" : "journal";
}

static void print_time(const char *what, uint64_t wall_ns, bool utc)
{
	char text[TIME_TEXT_SIZE];

	if (wall_ns > 0)
		printf("%-9s %s\n", what, time_to_local(wall_ns, utc, text));
}

/* An event has the engine's own time, and a process may live on without one. */
static void print_death(const struct run_picture *p, bool utc)
{
	print_time("last sign", p->last_event_ns > 0 ? p->last_event_ns : p->last_sign_ns, utc);
	if (p->last_event_ns > 0)
		print_time("last seen", p->last_sign_ns, utc);
}

static void print_engine(const struct run_picture *p, const char *name, bool utc)
{
	fputs("engine    ", stdout);
	tool_print_text(stdout, str(name));
	printf("%s: %s", p->replay ? " (a replay)" : "", run_state_name(p->state));
	switch (p->state) {
	case RUN_STOPPED:
		puts(" in good order");
		break;
	case RUN_RUNNING:
		printf(" as process %" PRIu64 "\n", p->pid);
		break;
	case RUN_ENDED:
		printf(": process %" PRIu64 " ended without a clean stop;\n"
		       "          look for a core file and its last entries\n",
		       p->pid);
		break;
	case RUN_UNKNOWN:
		puts(p->pid > 0 ? " whether it runs: this journal is another machine's"
				: " whether it runs: the journal has no entry that the engine "
				  "wrote itself");
		break;
	}
	if (p->started_ns > 0)
		print_time("started", p->started_ns, utc);
	else
		puts("started   not known: the journal does not reach back so far");
	if (p->state == RUN_STOPPED)
		print_time("stopped", p->stopped_ns, utc);
	if (p->state == RUN_ENDED)
		print_death(p, utc);
}

static void print_uptime(const json_t *status, const char *member, const char *what)
{
	const json_t *seconds = json_object_get(status, member);
	char text[TIME_TEXT_SIZE];

	if (json_is_number(seconds) && json_number_value(seconds) >= 0)
		printf("%s %s", what,
		       duration_to_text((uint64_t)(json_number_value(seconds) * (double)NS_PER_S),
					text));
}

/* From where all this is known, and what only the living engine says. */
static void print_source(const struct run_picture *p, bool utc)
{
	const json_t *status = json_object_get(p->snapshot, "status");
	char at[TIME_TEXT_SIZE];

	if (!p->snapshot) {
		puts("told by   the journal");
		return;
	}
	printf("told by   the engine itself, in its snapshot of %s\n",
	       time_to_local(p->snapshot_ns, utc, at));
	if (p->snapshot_is_stale)
		puts("          which is stale: it is no longer written; what came since is from "
		     "the journal");
	print_uptime(status, "system_uptime_s", "uptime   ");
	print_uptime(status, "data_feed_uptime_s", ", of its feed");
	putchar('\n');
}

static int print_sessions(const struct run_picture *p, bool utc)
{
	struct session_row *const *rows;
	size_t n = session_list_sorted(p->sessions, &rows);
	int r;

	printf("sessions  %zu", n);
	if (p->missing.sessions > 0)
		printf(", and %" PRIu64 " that run and that the journal has lost",
		       p->missing.sessions);
	putchar('\n');
	if (n == 0)
		return 0;
	putchar('\n');
	r = session_view_table(stdout, (const struct session_row *const *)rows, n, utc);
	putchar('\n');
	return r;
}

/* Incidents by priority, [0] those that are open of all; index 1..3. */
static void count_incidents(const struct run_picture *p, size_t all[static 4],
			    size_t open[static 4])
{
	struct history_incident *const *list;
	size_t n = history_sorted(p->history, &list);

	memset(all, 0, 4 * sizeof(all[0]));
	memset(open, 0, 4 * sizeof(open[0]));
	for (size_t i = 0; i < n; i++) {
		all[list[i]->priority]++;
		all[0]++;
		if (list[i]->firing) {
			open[list[i]->priority]++;
			open[0]++;
		}
	}
}

/* What to do next, for each open P1. */
static void print_next(const struct history_incident *i, bool utc)
{
	char raised[TIME_TEXT_SIZE];

	printf("  do next for ");
	tool_print_text(stdout, str(i->code));
	if (i->session[0]) {
		fputs(", session ", stdout);
		tool_print_text(stdout, str(i->session));
	}
	printf(", open since %s:\n    ", time_to_local(i->raised_ns, utc, raised));
	tool_print_text(stdout, i->runbook[0] ? str(i->runbook) : STR("no runbook link is known"));
	putchar('\n');
}

static int print_alerts(const struct run_picture *p, bool utc)
{
	struct history_incident *const *list;
	size_t n = history_sorted(p->history, &list), all[4], open[4], shown = 0;
	const struct history_incident **rows;
	int r = 0;

	count_incidents(p, all, open);
	printf("alerts    %zu open: P1 %zu, P2 %zu, P3 %zu (of all %zu: P1 %zu, P2 %zu, P3 %zu)\n",
	       open[0], open[1], open[2], open[3], all[0], all[1], all[2], all[3]);
	for (unsigned priority = 1; priority <= 3; priority++)
		if (p->missing.open[priority] > 0)
			printf("  and %" PRIu64 " open P%u that the journal has lost\n",
			       p->missing.open[priority], priority);
	if (history_left_out(p->history) > 0)
		printf("  %" PRIu64 " more, the oldest and least, were not looked at\n",
		       history_left_out(p->history));
	if (open[0] == 0)
		return 0;
	rows = calloc(n, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (list[i]->firing)
			rows[shown++] = list[i];
	putchar('\n');
	r = incident_view_table(stdout, rows, shown, utc);
	putchar('\n');
	for (size_t i = 0; i < shown; i++)
		if (rows[i]->priority == 1)
			print_next(rows[i], utc);
	free(rows);
	return r;
}

static bool is_of_a_maximum(const struct history_incident *i)
{
	return i->firing && strcmp(i->code, ALERTS_CAPACITY) == 0;
}

/* Each maximum that was reached: what it was reached by is shown, watched or kept no more. */
static void print_capacity(const struct run_picture *p, bool utc)
{
	struct history_incident *const *list;
	size_t n = history_sorted(p->history, &list);
	const char *title = "reached";

	for (size_t i = 0; i < n; i++) {
		char last[TIME_TEXT_SIZE];

		if (!is_of_a_maximum(list[i]))
			continue;
		printf("%-9s ", title);
		tool_print_text(stdout, str(list[i]->instance));
		fputs(": ", stdout);
		tool_print_text(stdout, str(list[i]->message));
		printf(" (last at %s)\n", time_to_local(list[i]->changed_ns, utc, last));
		title = "";
	}
}

static void print_pages(const struct run_picture *p, bool utc)
{
	char time[TIME_TEXT_SIZE];

	if (p->journal_error)
		printf("pages     not known: %s\n",
		       p->journal_error == -ENOENT ? "the journal has no entry of this run"
						   : journal_query_error(p->journal_error));
	else
		printf("pages     %" PRIu64 " delivered, %zu tried and waiting, %zu dead\n",
		       p->delivered, run_picture_pages(p, false), run_picture_pages(p, true));
	for (size_t i = 0; i < p->n_waiting && i < WAITING_SHOWN; i++) {
		fputs(p->waiting[i].dead ? "  dead: " : "  waiting: ", stdout);
		tool_print_text(stdout, str(p->waiting[i].id));
		fputs(" for endpoint ", stdout);
		tool_print_text(stdout, str(p->waiting[i].endpoint));
		printf(", %" PRIu64 " attempts\n", p->waiting[i].attempts);
	}
	if (p->n_waiting + p->waiting_left_out > WAITING_SHOWN)
		printf("  and %zu more: tocsin pages lists them\n",
		       p->n_waiting + p->waiting_left_out - WAITING_SHOWN);
	if (p->notes_left_out > 0)
		printf("troubles  %" PRIu64 " before these; the journal has them\n",
		       p->notes_left_out);
	for (size_t i = 0; i < p->n_notes; i++) {
		printf("%s%s  ", i == 0 && p->notes_left_out == 0 ? "troubles\n  " : "  ",
		       time_to_local(p->notes[i].time_ns, utc, time));
		tool_print_text(stdout, str(p->notes[i].text));
		putchar('\n');
	}
}

static json_t *sessions_json(const struct run_picture *p)
{
	struct session_row *const *rows;
	size_t n = session_list_sorted(p->sessions, &rows);
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, session_view_object(rows[i]));
	return array;
}

static json_t *open_json(const struct run_picture *p)
{
	struct history_incident *const *list;
	size_t n = history_sorted(p->history, &list);
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		if (list[i]->firing)
			json_array_append_new(array, incident_view_object(list[i]));
	return array;
}

static json_t *capacity_json(const struct run_picture *p)
{
	struct history_incident *const *list;
	size_t n = history_sorted(p->history, &list);
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		if (is_of_a_maximum(list[i]))
			json_array_append_new(array, view_text(list[i]->instance));
	return array;
}

static json_t *notes_json(const struct run_picture *p)
{
	json_t *array = json_array();

	for (size_t i = 0; i < p->n_notes; i++)
		json_array_append_new(array, json_pack("{s:o, s:o}", "time",
						       view_time(p->notes[i].time_ns), "text",
						       view_text(p->notes[i].text)));
	return array;
}

static json_t *missing_json(const struct run_picture *p)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "P1", (json_int_t)p->missing.open[1], "P2",
			 (json_int_t)p->missing.open[2], "P3", (json_int_t)p->missing.open[3],
			 "sessions", (json_int_t)p->missing.sessions);
}

static int print_json(const struct run_picture *p)
{
	size_t all[4], open[4];
	json_t *o;

	count_incidents(p, all, open);
	o = json_pack(
		"{s:o, s:o, s:s, s:s, s:b, s:o, s:o, s:b, s:I, s:o, s:o, s:o, s:o, "
		"s:{s:{s:I,s:I,s:I}, s:{s:I,s:I,s:I}}, s:o, s:o, s:{s:I, s:I, s:I}, s:o, s:I}",
		"engine", view_text(p->engine), "host", view_text(p->host), "state",
		run_state_name(p->state), "source", source_name(p), "stale", p->snapshot_is_stale,
		"last_event_at", view_time(p->last_event_ns), "last_sign_at",
		view_time(p->last_sign_ns), "replay", p->replay, "pid", (json_int_t)p->pid,
		"started_at", view_time(p->started_ns), "stopped_at", view_time(p->stopped_ns),
		"sessions", sessions_json(p), "open", open_json(p), "alerts", "total", "P1",
		(json_int_t)all[1], "P2", (json_int_t)all[2], "P3", (json_int_t)all[3], "open",
		"P1", (json_int_t)open[1], "P2", (json_int_t)open[2], "P3", (json_int_t)open[3],
		"not_in_journal", missing_json(p), "capacity_reached", capacity_json(p), "pages",
		"delivered", (json_int_t)p->delivered, "waiting",
		(json_int_t)run_picture_pages(p, false), "dead",
		(json_int_t)run_picture_pages(p, true), "troubles", notes_json(p),
		"troubles_left_out", (json_int_t)p->notes_left_out);
	return view_json_line(stdout, o);
}

/* Nothing of it needs anybody: it stopped in good order, and nothing is open or waits. */
static bool is_quiet(const struct run_picture *p)
{
	return p->state == RUN_STOPPED && p->n_waiting == 0 && run_picture_open(p, 1) == 0 &&
	       run_picture_open(p, 2) == 0 && run_picture_open(p, 3) == 0;
}

static int print_picture(const struct run_picture *p, const char *name, bool utc)
{
	int r;

	print_engine(p, name, utc);
	print_source(p, utc);
	r = print_sessions(p, utc);
	if (r == 0)
		r = print_alerts(p, utc);
	if (r == 0) {
		print_capacity(p, utc);
		print_pages(p, utc);
	}
	return r;
}

static void tell_gap(void *userdata _unused_, const char *text)
{
	tool_failed("status", "%s", text);
}

static int print_all(const struct run_list *l, const struct query *q)
{
	int r = 0;

	for (size_t i = 0; i < l->n && r >= 0; i++) {
		const struct run_picture *p = l->list[i];
		_cleanup_free_ char *full_name = l->hosts ? run_picture_name(p) : NULL;
		const char *name = full_name ? full_name : p->engine;

		if (i > 0 && !q->json)
			putchar('\n');
		if (q->json)
			r = print_json(p);
		else if (l->n > 1 && is_quiet(p))
			print_engine(p, name, q->utc);
		else
			r = print_picture(p, name, q->utc);
	}
	return r;
}

int status_main(int argc, char **argv)
{
	struct query q;
	_cleanup_(run_list_done) struct run_list list = { 0 };
	int status = query_parse(&q, &verb, argc, argv), r;

	if (status >= 0)
		return status;
	if (q.check)
		return status_check(&q);
	if (q.since_text)
		return tool_wrong_use("status", "--since is for --check");
	r = run_list_read(&q, true, &list);
	if (r == 0 && (list.n > 0 || !list.journal_error))
		run_list_gaps(&list, tell_gap, NULL);
	if (r == 0 && list.n == 0)
		r = list.journal_error ? list.journal_error : -ENOENT;
	if (r < 0)
		return run_find_failed(&q, r);
	r = print_all(&list, &q);
	return r < 0 ? tool_failed("status", "cannot show it: %s", strerror(-r)) : TOOL_FINE;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/run_snapshot.h"

#include "test.h"
#include <errno.h>
#include "base/moment.h"
#include "log_entry.h"
#include "tool/status_check.h"

#define HOUR_NS (3600 * NS_PER_S)
#define NOW_NS UINT64_C(1772359200000000000) /* 2026-03-01T10:00:00Z */

static void add_alert(struct run_picture *p, const char *id, const char *state,
		      const char *priority, uint64_t time_ns)
{
	const char **entry =
		LOG_ENTRY("TOCSIN_ALERT_ID", id, "TOCSIN_STATE", state, "TOCSIN_PRIORITY", priority,
			  "TOCSIN_CODE", "DATA_FEED_DOWN", "TOCSIN_COUNT", "2", "TOCSIN_NUMBER",
			  "7", "TOCSIN_VALUE", "0.5", "TOCSIN_METADATA", "{\"a\":\"b\"}",
			  "TOCSIN_SOURCE", "okx", "MESSAGE", "[P1] DATA_FEED_DOWN: m");

	assert_int_equal(history_add(p->history, log_entry_field, entry, time_ns), 0);
	if (time_ns > p->last_event_ns)
		p->last_event_ns = time_ns;
}

static void add_session(struct run_picture *p, const char *id, const char *status)
{
	const char **entry = LOG_ENTRY("TOCSIN_SESSION", id, "TOCSIN_ENGINE", "e", "TOCSIN_STATUS",
				       status, "TOCSIN_STARTED", "2026-03-01T09:00:00.000000Z");

	assert_int_equal(session_list_add(p->sessions, log_entry_field, entry, NOW_NS - HOUR_NS),
			 0);
}

static struct run_picture *picture(enum run_state state)
{
	struct run_picture *p = run_picture_new("e");

	assert_non_null(p);
	p->state = state;
	p->started_ns = NOW_NS - HOUR_NS;
	add_session(p, "s1", "running");
	add_session(p, "s2", "odd word");
	add_alert(p, "a", "firing", "P1", NOW_NS - 48 * HOUR_NS);
	add_alert(p, "b", "firing", "P2", NOW_NS - 3 * HOUR_NS);
	add_alert(p, "b", "resolved", "P2", NOW_NS - 2 * HOUR_NS);
	add_alert(p, "c", "firing", "P3", NOW_NS - 50 * HOUR_NS);
	add_alert(p, "c", "resolved", "P3", NOW_NS - 49 * HOUR_NS);
	return p;
}

static json_t *at(json_t *o, const char *a, const char *b)
{
	return json_object_get(json_object_get(o, a), b);
}

static void a_snapshot_has_the_members_of_the_engines_own(void **state)
{
	struct run_picture *p = picture(RUN_STOPPED);
	json_t *o = run_snapshot(p, NOW_NS), *recent, *summary;

	(void)state;
	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "source")), "journal");
	assert_string_equal(json_string_value(json_object_get(o, "timestamp")),
			    "2026-03-01T10:00:00.000000Z");
	summary = at(o, "registry", "summary");
	assert_int_equal(json_integer_value(json_object_get(summary, "total_sessions")), 2);
	assert_int_equal(json_integer_value(at(summary, "by_status", "running")), 1);
	assert_int_equal(json_integer_value(at(summary, "by_status", "odd word")), 1);
	assert_int_equal(json_integer_value(at(summary, "by_status", "failed")), 0);
	/* Raises are counted; open ones and those resolved within a day are recent, newest first.
	 */
	assert_int_equal(json_integer_value(json_object_get(at(o, "alerts", "by_priority"), "P3")),
			 2);
	recent = at(o, "alerts", "recent");
	assert_int_equal(json_array_size(recent), 2);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(recent, 0), "alert_id")), "b");
	assert_string_equal(json_string_value(at(json_array_get(recent, 1), "metadata", "a")), "b");
	json_decref(o);
	run_picture_free(p);
}

static void only_an_engine_that_runs_has_an_uptime(void **state)
{
	static const enum run_state states[] = { RUN_RUNNING, RUN_STOPPED, RUN_ENDED, RUN_UNKNOWN };

	(void)state;
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		struct run_picture *p = picture(states[i]);
		json_t *o = run_snapshot(p, NOW_NS), *uptime = at(o, "status", "system_uptime_s");

		if (states[i] == RUN_RUNNING)
			assert_int_equal(json_integer_value(uptime), 3600);
		else
			assert_true(json_is_null(uptime));
		json_decref(o);
		run_picture_free(p);
	}
}

static void an_uptime_has_a_fraction(void **state)
{
	static const struct {
		uint64_t ns;
		double seconds;
	} rows[] = { { 150 * NS_PER_MS, 0.15 },
		     { 150 * NS_PER_MS + 999999, 0.15 },
		     { 2 * NS_PER_S, 2 },
		     { 3600 * NS_PER_S + 1 * NS_PER_MS, 3600.001 } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct run_picture *p = picture(RUN_RUNNING);
		json_t *o = run_snapshot(p, p->started_ns + rows[i].ns);

		assert_true(json_number_value(at(o, "status", "system_uptime_s")) ==
			    rows[i].seconds);
		json_decref(o);
		run_picture_free(p);
	}
}

/* Its snapshot tells of the last raise only. */
static void what_an_incident_was_at_its_worst_is_taken_from_a_snapshot(void **state)
{
	struct run_picture *p = run_picture_new("e");
	json_t *o = json_pack("{s:{s:[{s:s, s:s, s:s, s:s}]}}", "alerts", "recent", "alert_id", "a",
			      "state", "firing", "priority", "P3", "worst", "P1");
	struct history_incident *const *list;

	(void)state;
	assert_int_equal(run_picture_take(p, o), 0);
	assert_int_equal(history_sorted(p->history, &list), 1);
	assert_int_equal(list[0]->priority, 3);
	assert_int_equal(list[0]->worst, 1);
	json_decref(o);
	run_picture_free(p);
}

static void what_an_engine_says_of_itself_is_taken_whole(void **state)
{
	struct run_picture *p = picture(RUN_RUNNING), *taken = run_picture_new("e");
	json_t *o = run_snapshot(p, NOW_NS), *again;

	(void)state;
	assert_int_equal(run_picture_take(taken, o), 0);
	assert_int_equal(taken->state, RUN_RUNNING);
	assert_int_equal(taken->snapshot_ns, NOW_NS);
	taken->started_ns = p->started_ns;
	again = run_snapshot(taken, NOW_NS);
	assert_true(json_equal(json_object_get(o, "registry"), json_object_get(again, "registry")));
	assert_true(json_equal(at(o, "alerts", "recent"), at(again, "alerts", "recent")));
	json_decref(again);
	json_decref(o);
	run_picture_free(taken);
	run_picture_free(p);
}

static void nonsense_in_a_snapshot_is_taken_for_nothing(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"registry\":7,\"alerts\":[]}",
		"{\"registry\":{\"sessions\":[1,null,{\"session_id\":4},{\"session_id\":\"\"}]}}",
		"{\"alerts\":{\"recent\":[{\"alert_id\":[],\"state\":7,\"count\":\"many\"}]}}",
		"{\"engine_pid\":\"x\",\"timestamp\":12}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct run_picture *p = run_picture_new("e");
		json_t *o = json_loads(texts[i], 0, NULL);
		struct session_row *const *rows;
		struct history_incident *const *list;

		assert_int_equal(run_picture_take(p, o), 0);
		assert_int_equal(session_list_sorted(p->sessions, &rows), 0);
		assert_int_equal(history_sorted(p->history, &list), 0);
		json_decref(o);
		run_picture_free(p);
	}
}

/* Each by itself: what is not known is never fine, and never hides what is critical. */
static void what_is_not_known_is_unknown_at_least(void **state)
{
	enum what { WHETHER_IT_RUNS, WHAT_IS_NEW, PAGES, SESSIONS, P1, P2 };
	static const struct {
		enum what what;
		enum check_level level;
		const char *text;
	} rows[] = {
		{ WHETHER_IT_RUNS, CHECK_UNKNOWN, "it is not known whether e runs" },
		{ WHAT_IS_NEW, CHECK_UNKNOWN, "e: its snapshot is stale, of 2026-" },
		{ PAGES, CHECK_UNKNOWN, "e: its pages are not known: you may not read" },
		{ P1, CHECK_CRITICAL, "e: 2 open P1, that the journal has lost" },
		{ P2, CHECK_WARNING, "e: 1 open P2, that the journal has lost" },
		{ SESSIONS, CHECK_CRITICAL,
		  "e is dead with 3 sessions running, last sign of life 20" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct run_picture *p = run_picture_new("e");
		struct status_verdict v = { 0 };
		enum what what = rows[i].what;

		p->state = what == WHETHER_IT_RUNS ? RUN_UNKNOWN
			   : what == SESSIONS      ? RUN_ENDED
						   : RUN_RUNNING;
		p->snapshot_is_stale = what == WHAT_IS_NEW;
		p->snapshot_ns = NOW_NS;
		p->journal_error = what == PAGES ? -EACCES : 0;
		p->missing.open[1] = what == P1 ? 2 : 0;
		p->missing.open[2] = what == P2 ? 1 : 0;
		p->missing.sessions = what == SESSIONS ? 3 : 0;
		p->last_sign_ns = NOW_NS;
		status_verdict_add(&v, p);
		assert_int_equal(v.level, rows[i].level);
		assert_non_null(strstr(v.problems.ptr, rows[i].text));
		add_alert(p, "a", "firing", "P1", NOW_NS);
		status_verdict_add(&v, p);
		assert_int_equal(v.level, CHECK_CRITICAL);
		add_alert(p, "a", "resolved", "P1", NOW_NS);
		status_verdict_done(&v);
		run_picture_free(p);
	}
}

/* The journal knows what has happened since the engine could write its snapshot. */
static void a_stale_snapshot_does_not_hide_what_the_journal_knows(void **state)
{
	struct run_picture *p = picture(RUN_STOPPED);
	json_t *o = run_snapshot(p, NOW_NS);
	char time[TIME_TEXT_SIZE];
	struct session_row *const *rows;

	(void)state;
	json_object_set_new(o, "engine_signed_at", json_string(time_to_rfc3339(NOW_NS, time)));
	add_alert(p, "new", "firing", "P1", NOW_NS + 60 * NS_PER_S);
	add_alert(p, "a", "resolved", "P1", NOW_NS + 60 * NS_PER_S);
	add_session(p, "s1", "completed");
	p->last_told_ns = NOW_NS + 60 * NS_PER_S;
	assert_int_equal(run_picture_take(p, o), 0);
	assert_true(p->snapshot_is_stale);
	assert_int_equal(run_picture_open(p, 1), 1);
	assert_int_equal(run_picture_sessions(p), 0);
	assert_int_equal(session_list_sorted(p->sessions, &rows), 2);
	json_decref(o);
	run_picture_free(p);
}

static void the_worst_engine_is_the_verdict(void **state)
{
	struct status_verdict v = { 0 };
	struct run_picture *p = run_picture_new("quiet");

	(void)state;
	add_session(p, "s", "completed");
	add_alert(p, "c", "firing", "P3", NOW_NS);
	p->state = RUN_STOPPED;
	status_verdict_add(&v, p);
	assert_int_equal(v.level, CHECK_OK);
	p->state = RUN_ENDED;
	status_verdict_add(&v, p);
	assert_int_equal(v.level, CHECK_WARNING);
	run_picture_free(p);
	p = run_picture_new("odd");
	p->state = RUN_RUNNING;
	add_session(p, "s", "running");
	add_alert(p, "b", "firing", "P2", NOW_NS);
	status_verdict_add(&v, p);
	assert_int_equal(v.level, CHECK_WARNING);
	run_picture_free(p);
	p = run_picture_new("gone");
	p->state = RUN_ENDED;
	add_session(p, "s", "running");
	status_verdict_add(&v, p);
	assert_int_equal(v.level, CHECK_CRITICAL);
	run_picture_free(p);
	p = run_picture_new("waits");
	p->state = RUN_RUNNING;
	p->waiting_left_out = 3;
	status_verdict_add(&v, p);
	assert_int_equal(v.level, CHECK_CRITICAL);
	assert_int_equal(v.waiting, 3);
	assert_int_equal(v.engines, 5);
	assert_int_equal(v.running, 2);
	assert_non_null(strstr(v.problems.ptr, "odd: 1 open P2"));
	assert_non_null(strstr(v.problems.ptr, "gone is dead with 1 session running"));
	assert_non_null(strstr(v.problems.ptr, "waits: 3 pages waiting"));
	run_picture_free(p);
	status_verdict_done(&v);
}

static void add_down(struct run_picture *p, const char *priority, uint64_t age_ns)
{
	const char **entry =
		LOG_ENTRY("TOCSIN_ALERT_ID", "d", "TOCSIN_STATE", "firing", "TOCSIN_PRIORITY",
			  priority, "TOCSIN_CODE", "ENGINE_DOWN", "MESSAGE", "[P1] ENGINE_DOWN: m");

	assert_int_equal(history_add(p->history, log_entry_field, entry, NOW_NS - age_ns), 0);
}

/* Time makes a warning of ENGINE_DOWN; only its start or its folder's end makes it OK. */
static void an_engine_that_is_down_is_never_ok(void **state)
{
	static const struct {
		enum run_state state;
		bool removed;
		const char *down;  /* the priority of its ENGINE_DOWN, or NULL */
		unsigned hours;    /* since it died */
		const char *other; /* the priority of another open alert, or NULL */
		enum check_level level;
		const char *text, *not_text;
		unsigned p1;
	} rows[] = {
		{ RUN_ENDED, false, "P1", 1, NULL, CHECK_CRITICAL, "open P1, ENGINE_DOWN", "since",
		  1 },
		{ RUN_ENDED, false, "P1", 24, NULL, CHECK_CRITICAL, "open P1, ENGINE_DOWN", "since",
		  1 },
		{ RUN_ENDED, false, "P1", 25, NULL, CHECK_WARNING, "e is down since 20", "open",
		  1 },
		{ RUN_ENDED, false, "P1", 9999, NULL, CHECK_WARNING, "e is down since 20", "open",
		  1 },
		{ RUN_ENDED, false, "P2", 1, NULL, CHECK_WARNING, "open P2, ENGINE_DOWN", "since",
		  0 },
		{ RUN_ENDED, false, "P2", 9999, NULL, CHECK_WARNING, "e is down since 20", "open",
		  0 },
		{ RUN_ENDED, false, NULL, 1, NULL, CHECK_WARNING, "e is dead, last sign", "since",
		  0 },
		{ RUN_ENDED, false, NULL, 9999, NULL, CHECK_WARNING, "e is down since 20", "open",
		  0 },
		{ RUN_ENDED, false, "P1", 9999, "P1", CHECK_CRITICAL, "1 open P1, DATA_FEED_DOWN",
		  "ENGINE_DOWN", 2 },
		{ RUN_ENDED, false, "P1", 9999, "P2", CHECK_WARNING, "down since", "ENGINE_DOWN",
		  1 },
		{ RUN_ENDED, true, "P1", 1, NULL, CHECK_OK, NULL, NULL, 0 },
		{ RUN_ENDED, true, "P1", 9999, NULL, CHECK_OK, NULL, NULL, 0 },
		{ RUN_ENDED, true, NULL, 1, NULL, CHECK_OK, NULL, NULL, 0 },
		{ RUN_ENDED, true, "P1", 1, "P1", CHECK_CRITICAL, "1 open P1, DATA_FEED_DOWN",
		  "down", 1 },
		/* What an engine that started again has open is its own to end. */
		{ RUN_RUNNING, false, NULL, 9999, NULL, CHECK_OK, NULL, NULL, 0 },
		{ RUN_RUNNING, false, "P1", 9999, NULL, CHECK_CRITICAL, "open P1, ENGINE_DOWN",
		  "since", 1 },
		{ RUN_UNKNOWN, false, "P1", 9999, NULL, CHECK_CRITICAL, "open P1, ENGINE_DOWN",
		  "since", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct run_picture *p = run_picture_new("e");
		struct status_verdict v = { .now_ns = NOW_NS };
		uint64_t age_ns = rows[i].hours * HOUR_NS;

		assert_non_null(p);
		p->state = rows[i].state;
		p->removed = rows[i].removed;
		p->last_sign_ns = NOW_NS - age_ns;
		if (rows[i].down)
			add_down(p, rows[i].down, age_ns);
		if (rows[i].other)
			add_alert(p, "a", "firing", rows[i].other, NOW_NS - age_ns);
		status_verdict_add(&v, p);
		if (v.level != rows[i].level)
			fail_msg("row %zu: level %d: %s", i, (int)v.level,
				 v.problems.ptr ? v.problems.ptr : "");
		assert_int_equal(v.open[1], rows[i].p1);
		if (rows[i].text)
			assert_non_null(strstr(v.problems.ptr, rows[i].text));
		if (rows[i].not_text)
			assert_null(strstr(v.problems.ptr, rows[i].not_text));
		status_verdict_done(&v);
		run_picture_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_has_the_members_of_the_engines_own),
		cmocka_unit_test(only_an_engine_that_runs_has_an_uptime),
		cmocka_unit_test(an_uptime_has_a_fraction),
		cmocka_unit_test(what_an_incident_was_at_its_worst_is_taken_from_a_snapshot),
		cmocka_unit_test(what_an_engine_says_of_itself_is_taken_whole),
		cmocka_unit_test(nonsense_in_a_snapshot_is_taken_for_nothing),
		cmocka_unit_test(the_worst_engine_is_the_verdict),
		cmocka_unit_test(an_engine_that_is_down_is_never_ok),
		cmocka_unit_test(what_is_not_known_is_unknown_at_least),
		cmocka_unit_test(a_stale_snapshot_does_not_hide_what_the_journal_knows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

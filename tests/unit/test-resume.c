/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture_fixture.h"

#include <errno.h>

#include "picture/rules.h"

static const uint8_t next_epoch[RECORDER_EPOCH_SIZE] = { 0x12, 0x34 };

static int make(void **state)
{
	struct picture_settings settings = fixture_settings();
	struct fixture *f = calloc(1, sizeof *f);

	f->alerts_only = true;
	fixture_start(f, &settings);
	*state = f;
	return 0;
}

static int drop(void **state)
{
	fixture_done(*state);
	free(*state);
	return 0;
}

static void apply(struct fixture *f, double s, struct record r)
{
	apply_at(f, s, &r);
}

static void pulse(struct fixture *f, double s, const char *source)
{
	apply(f, s, health_of(TOCSIN_HEALTH_FEED_PULSE, source));
}

static void resume(struct fixture *f, double s)
{
	picture_resume(f->picture, next_epoch, at_s(s));
}

static void raise_down(struct fixture *f, double s, const char *instance)
{
	struct raise r = {
		.rule = "down",
		.by_rule = true,
		.code = STR("ENGINE_DOWN"),
		.priority = 1,
		.message = STR("the run ended"),
		.instance = str(instance),
		.cause = f->position,
	};

	assert_int_equal(picture_raise(f->picture, &r, at_s(s)), 0);
}

static void forget_told(struct fixture *f)
{
	text_buffer_done(&f->told);
	f->told = (struct text_buffer){ 0 };
}

static const struct incident *newest(struct fixture *f)
{
	return alerts_newest(picture_alerts(f->picture));
}

static void new_incidents_are_named_by_the_new_run(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, alert_of(TOCSIN_ALERT_RAISE, 1, "A", NULL, NULL, "m"));
	resume(f, 10);
	apply(f, 11, alert_of(TOCSIN_ALERT_RAISE, 1, "B", NULL, NULL, "m"));
	assert_string_equal(newest(f)->id, "12340000000000000000000000000000-2-call");
	apply(f, 12, alert_of(TOCSIN_ALERT_RAISE, 1, "A", NULL, NULL, "m"));
	assert_string_equal(newest(f)->id, "abcd0000000000000000000000000000-1-call");
	assert_told(f, "1.000 firing P1 A #1 x1 page: m\n"
		       "11.000 firing P1 B #2 x1 page: m\n"
		       "12.000 firing P1 A #3 x2: m\n");
}

static void an_incident_is_found_by_its_id(void **state)
{
	struct fixture *f = *state;
	struct alerts *a = picture_alerts(f->picture);

	apply(f, 1, alert_of(TOCSIN_ALERT_RAISE, 1, "A", NULL, NULL, "m"));
	apply(f, 2, alert_of(TOCSIN_ALERT_RAISE, 1, "B", NULL, NULL, "m"));
	apply(f, 3, alert_of(TOCSIN_ALERT_CLEAR, 1, "A", NULL, NULL, NULL));
	assert_string_equal(alerts_find_id(a, "abcd0000000000000000000000000000-1-call")->code,
			    "A");
	assert_string_equal(alerts_find_id(a, "abcd0000000000000000000000000000-2-call")->code,
			    "B");
	assert_null(alerts_find_id(a, "abcd0000000000000000000000000000-3-call"));
	assert_null(alerts_find_id(a, ""));
}

static void uptimes_count_anew(void **state)
{
	struct fixture *f = *state;
	const struct status *s = picture_status(f->picture);

	apply(f, 1, health_of(TOCSIN_HEALTH_START, NULL));
	apply(f, 2, health_of(TOCSIN_HEALTH_FEED_UP, "x"));
	assert_int_equal(status_system_uptime(s, at_s(50)), 49);
	assert_int_equal(status_feed_uptime(s, at_s(50)), 48);
	resume(f, 100);
	assert_false(s->started);
	assert_int_equal(status_system_uptime(s, at_s(107)), 7);
	assert_int_equal(status_feed_uptime(s, at_s(107)), 0);
	apply(f, 110, health_of(TOCSIN_HEALTH_FEED_UP, "x"));
	assert_int_equal(status_feed_uptime(s, at_s(115)), 5);
}

static void a_dead_runs_silence_is_nobodys_fault_but_its_own(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, session_of(TOCSIN_SESSION_CREATED, "s", "running"));
	pulse(f, 1, "x");
	apply(f, 1, health_of(TOCSIN_HEALTH_HEARTBEAT, NULL));
	resume(f, 100);
	assert_int_equal(picture_next_deadline(f->picture), UINT64_MAX);
	advance_to(f, 1000);
	assert_told(f, "");
	/* From the first sign of life of each on, it is awaited again. */
	apply(f, 1001, health_of(TOCSIN_HEALTH_FEED_UP, "x"));
	assert_int_equal(picture_next_deadline(f->picture), SECONDS(1006));
	apply(f, 1001, session_of(TOCSIN_SESSION_CREATED, "t", "running"));
	apply(f, 1001, health_of(TOCSIN_HEALTH_HEARTBEAT, NULL));
	advance_to(f, 1031);
	assert_told(f,
		    "1006.000 firing P1 DATA_FEED_DOWN source=x #4 x1: no data from x for 5.0 s\n"
		    "1011.000 firing P1 DATA_FEED_DOWN source=x #4 x1 page only: "
		    "no data from x for 5.0 s\n"
		    "1031.000 firing P1 ENGINE_STALLED engine #6 x1: "
		    "no heartbeat for 30.0 s while session t runs\n");
	assert_string_equal(newest(f)->id, "12340000000000000000000000000000-6-stall");
}

/* Four runs are killed, each with a session of its own; the fifth completes its own. */
static void no_rule_watches_a_session_of_a_run_that_is_over(void **state)
{
	struct fixture *f = *state;
	double s = 0;
	char id[] = "dead1";

	for (unsigned run = 1; run <= 4; run++, id[4]++) {
		apply(f, s + 1, session_of(TOCSIN_SESSION_CREATED, id, "running"));
		apply(f, s + 2, health_of(TOCSIN_HEALTH_HEARTBEAT, NULL));
		f->alerts_only = false;
		picture_lose_sessions(f->picture, at_s(s + 3));
		f->alerts_only = true;
		resume(f, s + 3);
		s += 3;
	}
	assert_told(f, "3.000 session dead1 lost\n6.000 session dead2 lost\n"
		       "9.000 session dead3 lost\n12.000 session dead4 lost\n");
	apply(f, 13, session_of(TOCSIN_SESSION_CREATED, "own", "running"));
	apply(f, 14, health_of(TOCSIN_HEALTH_HEARTBEAT, NULL));
	apply(f, 15, session_of(TOCSIN_SESSION_STATUS, "own", "completed"));
	advance_to(f, 1000);
	assert_told(f, "");
	for (const struct session *i = sessions_newest(picture_sessions(f->picture)); i;
	     i = i->older)
		assert_string_equal(i->status, strcmp(i->id, "own") == 0 ? "completed" : "lost");
}

static void a_stall_ends_with_the_run_whose_sessions_are_lost(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, session_of(TOCSIN_SESSION_CREATED, "s", "running"));
	apply(f, 1, health_of(TOCSIN_HEALTH_HEARTBEAT, NULL));
	advance_to(f, 40);
	forget_told(f);
	picture_lose_sessions(f->picture, at_s(50));
	assert_told(f, "50.000 resolved P1 ENGINE_STALLED engine #2 x1 resolved-page: "
		       "no session runs any more (no heartbeat for 30.0 s while session s runs)\n");
	assert_int_equal(picture_lose_session(f->picture, STR("elsewhere"), at_s(0), at_s(51)), 0);
	assert_int_equal(picture_lose_session(f->picture, STR("elsewhere"), at_s(0), at_s(51)), 0);
	assert_string_equal(sessions_get(picture_sessions(f->picture), STR("elsewhere"))->status,
			    "lost");
}

static void what_watches_the_engine_itself_ends_with_a_clean_stop(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, session_of(TOCSIN_SESSION_CREATED, "s", "running"));
	apply(f, 1, health_of(TOCSIN_HEALTH_HEARTBEAT, NULL));
	pulse(f, 1, "x");
	apply(f, 2, alert_of(TOCSIN_ALERT_RAISE, 1, "DATA_FEED_DOWN", "s", NULL, "by call"));
	apply(f, 3, figure_of(TOCSIN_HEALTH_DRIFT, "d", "s", 0.2, 0));
	advance_to(f, 40);
	forget_told(f);
	picture_stop(f->picture, at_s(50));
	picture_stop(f->picture, at_s(51));
	assert_told(f, "50.000 resolved P1 ENGINE_STALLED engine #2 x1 resolved-page: "
		       "the engine was stopped (no heartbeat for 30.0 s while session s runs)\n"
		       "50.000 resolved P1 DATA_FEED_DOWN source=x #3 x1 resolved-page: "
		       "the engine was stopped (no data from x for 5.0 s)\n");
	assert_int_equal(alerts_open(picture_alerts(f->picture)), 2);
	assert_int_equal(picture_next_deadline(f->picture), UINT64_MAX);
}

static void what_was_open_before_is_resolved_by_the_later_run(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, session_of(TOCSIN_SESSION_CREATED, "s", "running"));
	apply(f, 1, health_of(TOCSIN_HEALTH_HEARTBEAT, NULL));
	pulse(f, 1, "x");
	pulse(f, 1, "y");
	pulse(f, 1, "z");
	advance_to(f, 40);
	text_buffer_done(&f->told);
	f->told = (struct text_buffer){ 0 };
	resume(f, 41);
	pulse(f, 42, "x");
	apply(f, 43, health_of(TOCSIN_HEALTH_FEED_UP, "y"));
	apply(f, 44, health_of(TOCSIN_HEALTH_FEED_RECONNECT, "z"));
	apply(f, 45, health_of(TOCSIN_HEALTH_HEARTBEAT, NULL));
	assert_told(f, "42.000 resolved P1 DATA_FEED_DOWN source=x #3 x1 resolved-page: "
		       "no data from x for 5.0 s\n"
		       "43.000 resolved P1 DATA_FEED_DOWN source=y #4 x1 resolved-page: "
		       "no data from y for 5.0 s\n"
		       "44.000 resolved P1 DATA_FEED_DOWN source=z #5 x1 resolved-page: "
		       "no data from z for 5.0 s\n"
		       "45.000 resolved P1 ENGINE_STALLED engine #2 x1 resolved-page: "
		       "no heartbeat for 30.0 s while session s runs\n");
}

static void a_page_that_was_due_meanwhile_has_its_own_time(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, health_of(TOCSIN_HEALTH_FEED_DOWN, "x"));
	apply(f, 3, health_of(TOCSIN_HEALTH_FEED_DOWN, "y"));
	resume(f, 7);
	assert_int_equal(picture_next_deadline(f->picture), SECONDS(8));
	pulse(f, 7.5, "y");
	assert_told(f, "1.000 firing P1 DATA_FEED_DOWN source=x #1 x1: feed x reported down\n"
		       "3.000 firing P1 DATA_FEED_DOWN source=y #2 x1: feed y reported down\n"
		       "6.000 firing P1 DATA_FEED_DOWN source=x #1 x1 page only: "
		       "feed x reported down\n"
		       "7.500 resolved P1 DATA_FEED_DOWN source=y #2 x1: feed y reported down\n");
}

static void sessions_and_counts_stay(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, session_of(TOCSIN_SESSION_CREATED, "s", "running"));
	apply(f, 2, alert_of(TOCSIN_ALERT_RAISE, 1, "A", NULL, NULL, "m"));
	resume(f, 10);
	assert_string_equal(sessions_newest(picture_sessions(f->picture))->status, "running");
	assert_int_equal(alerts_raised(picture_alerts(f->picture), 1), 1);
	assert_int_equal(alerts_open(picture_alerts(f->picture)), 1);
	assert_int_equal(picture_now(f->picture).clock_ns, SECONDS(10));
}

static void the_first_sign_of_life_resolves_each_engine_down(void **state)
{
	static const struct {
		uint32_t kind;
		bool is_sign;
	} kinds[] = {
		{ TOCSIN_HEALTH_START, false },     { TOCSIN_HEALTH_FEED_DOWN, false },
		{ TOCSIN_HEALTH_DRIFT, false },     { TOCSIN_HEALTH_METADATA, false },
		{ TOCSIN_HEALTH_HEARTBEAT, true },  { TOCSIN_HEALTH_FEED_UP, true },
		{ TOCSIN_HEALTH_FEED_PULSE, true }, { TOCSIN_HEALTH_FEED_RECONNECT, true },
	};
	struct fixture *f = *state;
	double s = 1;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		raise_down(f, s, "0000aaaa");
		raise_down(f, s, "0000bbbb");
		resume(f, s);
		apply(f, s, health_of(kinds[i].kind, "x"));
		const struct incident *n =
			alerts_find(picture_alerts(f->picture), true, STR("ENGINE_DOWN"), str(NULL),
				    str(NULL), STR("0000aaaa"));
		assert_int_equal(n == NULL, kinds[i].is_sign);
		n = alerts_find(picture_alerts(f->picture), true, STR("ENGINE_DOWN"), str(NULL),
				str(NULL), STR("0000bbbb"));
		assert_int_equal(n == NULL, kinds[i].is_sign);
		s += 1;
	}
}

static void an_engine_down_by_call_is_the_engines_own_affair(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, alert_of(TOCSIN_ALERT_RAISE, 1, "ENGINE_DOWN", NULL, "i", "m"));
	raise_down(f, 2, "i");
	raise_down(f, 3, "i");
	apply(f, 4, health_of(TOCSIN_HEALTH_HEARTBEAT, NULL));
	apply(f, 5, health_of(TOCSIN_HEALTH_HEARTBEAT, NULL));
	assert_told(f, "1.000 firing P1 ENGINE_DOWN instance=i #1 x1 page: m\n"
		       "2.000 firing P1 ENGINE_DOWN instance=i #1 x1 page: the run ended\n"
		       "3.000 firing P1 ENGINE_DOWN instance=i #1 x2: the run ended\n"
		       "4.000 resolved P1 ENGINE_DOWN instance=i #1 x2 resolved-page: "
		       "the run ended\n");
}

static void an_incident_of_our_own_is_known_by_its_instance(void **state)
{
	struct fixture *f = *state;
	struct raise r = {
		.rule = "pager",
		.by_rule = true,
		.code = STR("PAGER_DEGRADED"),
		.priority = 2,
		.message = STR("m"),
		.instance = STR("b"),
	};

	assert_int_equal(picture_raise(f->picture, &r, at_s(1)), 0);
	r.instance = STR("a");
	assert_int_equal(picture_raise(f->picture, &r, at_s(2)), 0);
	assert_int_equal(picture_clear(f->picture, r.code, STR("c"), at_s(3)), -ENOENT);
	assert_int_equal(picture_clear(f->picture, r.code, STR("b"), at_s(4)), 0);
	assert_int_equal(picture_clear(f->picture, r.code, STR("b"), at_s(5)), -ENOENT);
	assert_told(f, "1.000 firing P2 PAGER_DEGRADED instance=b #0 x1 page: m\n"
		       "2.000 firing P2 PAGER_DEGRADED instance=a #0 x1 page: m\n"
		       "4.000 resolved P2 PAGER_DEGRADED instance=b #0 x1 resolved-page: m\n");
}

static void what_comes_from_beside_the_events_moves_no_deadline(void **state)
{
	struct fixture *f = *state;

	pulse(f, 1, "x");
	raise_down(f, 100, "i");
	assert_int_equal(picture_now(f->picture).clock_ns, SECONDS(1));
	assert_int_equal(picture_next_deadline(f->picture), SECONDS(6));
	pulse(f, 5, "x");
	assert_told(f, "100.000 firing P1 ENGINE_DOWN instance=i #1 x1 page: the run ended\n"
		       "5.000 resolved P1 ENGINE_DOWN instance=i #1 x1 resolved-page: "
		       "the run ended\n");
}

static void what_waits_for_its_page_is_paged_at_once_and_once(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, health_of(TOCSIN_HEALTH_FEED_DOWN, "x"));
	apply(f, 2, health_of(TOCSIN_HEALTH_FEED_DOWN, "a"));
	picture_page_waiting(f->picture, at_s(3));
	picture_page_waiting(f->picture, at_s(4));
	advance_to(f, 100);
	pulse(f, 101, "a");
	assert_told(f, "1.000 firing P1 DATA_FEED_DOWN source=x #1 x1: feed x reported down\n"
		       "2.000 firing P1 DATA_FEED_DOWN source=a #2 x1: feed a reported down\n"
		       "3.000 firing P1 DATA_FEED_DOWN source=x #1 x1 page only: "
		       "feed x reported down\n"
		       "3.000 firing P1 DATA_FEED_DOWN source=a #2 x1 page only: "
		       "feed a reported down\n"
		       "101.000 resolved P1 DATA_FEED_DOWN source=a #2 x1 resolved-page: "
		       "feed a reported down\n");
}

/* A recent incident may be pushed out by each one resolved. */
static void many_are_resolved_at_once_among_many_resolved(void **state)
{
	struct fixture *f = *state;
	char instance[16];

	for (unsigned i = 0; i < ALERTS_RECENT_MAX; i++) {
		apply(f, 1, alert_of(TOCSIN_ALERT_RAISE, 2, "A", NULL, NULL, "m"));
		if (i % 3 == 0 && i / 3 < 100) {
			snprintf(instance, sizeof instance, "%08x", i);
			raise_down(f, 1, instance);
		}
		apply(f, 1, alert_of(TOCSIN_ALERT_CLEAR, 2, "A", NULL, NULL, "m"));
	}
	assert_int_equal(alerts_open(picture_alerts(f->picture)), 100);
	apply(f, 2, health_of(TOCSIN_HEALTH_HEARTBEAT, NULL));
	assert_int_equal(alerts_open(picture_alerts(f->picture)), 0);
	assert_int_equal(alerts_clear_all(picture_alerts(f->picture), STR("ENGINE_DOWN"), str(NULL),
					  at_s(3)),
			 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define with(test) cmocka_unit_test_setup_teardown(test, make, drop)
		with(new_incidents_are_named_by_the_new_run),
		with(an_incident_is_found_by_its_id),
		with(uptimes_count_anew),
		with(a_dead_runs_silence_is_nobodys_fault_but_its_own),
		with(no_rule_watches_a_session_of_a_run_that_is_over),
		with(a_stall_ends_with_the_run_whose_sessions_are_lost),
		with(what_watches_the_engine_itself_ends_with_a_clean_stop),
		with(what_was_open_before_is_resolved_by_the_later_run),
		with(a_page_that_was_due_meanwhile_has_its_own_time),
		with(sessions_and_counts_stay),
		with(the_first_sign_of_life_resolves_each_engine_down),
		with(an_engine_down_by_call_is_the_engines_own_affair),
		with(an_incident_of_our_own_is_known_by_its_instance),
		with(what_comes_from_beside_the_events_moves_no_deadline),
		with(what_waits_for_its_page_is_paged_at_once_and_once),
		with(many_are_resolved_at_once_among_many_resolved),
#undef with
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

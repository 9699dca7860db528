/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "rules_fixture.h"

static void a_feed_silent_too_long_is_an_incident_at_that_moment(void **state)
{
	(void)state;
	assert_rules("9.000 firing P1 DATA_FEED_DOWN source=x #2 x1: no data from x for 5.0 s\n"
		     "14.000 firing P1 DATA_FEED_DOWN source=x #2 x1 page only: "
		     "no data from x for 5.0 s\n"
		     "20.000 resolved P1 DATA_FEED_DOWN source=x #2 x1 resolved-page: "
		     "no data from x for 5.0 s\n",
		     { 1, PULSE, "x" }, { 4, PULSE, "x" }, { 20, PULSE, "x" });
}

static void a_deadline_fires_before_the_record_of_its_own_time(void **state)
{
	(void)state;
	assert_rules("6.000 firing P1 DATA_FEED_DOWN source=x #1 x1: no data from x for 5.0 s\n"
		     "6.000 resolved P1 DATA_FEED_DOWN source=x #1 x1: no data from x for 5.0 s\n",
		     { 1, PULSE, "x" }, { 6, PULSE, "x" }, { 10.999, PULSE, "x" });
}

static void before_the_first_pulse_silence_is_no_incident(void **state)
{
	(void)state;
	assert_rules("", { 1, UP, "x" }, { 2, RECONNECT, "x" }, { 1000, ADVANCE });
}

static void a_feed_reported_down_is_an_incident_at_once(void **state)
{
	(void)state;
	assert_rules("3.000 firing P1 DATA_FEED_DOWN source=x #2 x1: feed x reported down\n"
		     "4.000 firing P1 DATA_FEED_DOWN source=x #3 x2: feed x reported down\n"
		     "8.000 firing P1 DATA_FEED_DOWN source=x #3 x2 page only: "
		     "feed x reported down\n"
		     "9.000 resolved P1 DATA_FEED_DOWN source=x #3 x2 resolved-page: "
		     "feed x reported down\n",
		     { 1, PULSE, "x" }, { 3, DOWN, "x" }, { 4, DOWN, "x" }, { 9, UP, "x" });
}

static void up_reconnect_and_pulse_each_end_it_and_await_the_next_pulse(void **state)
{
	static const enum what signs[] = { UP, RECONNECT, PULSE };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_rules("2.000 firing P1 DATA_FEED_DOWN source=x #2 x1: feed x reported down\n"
			     "3.000 resolved P1 DATA_FEED_DOWN source=x #2 x1: "
			     "feed x reported down\n"
			     "8.000 firing P1 DATA_FEED_DOWN source=x #3 x1: "
			     "no data from x for 5.0 s\n",
			     { 1, PULSE, "x" }, { 2, DOWN, "x" }, { 3, signs[i], "x" },
			     { 12.9, ADVANCE });
}

static void feeds_are_judged_apart_and_fire_in_order_of_time_and_key(void **state)
{
	(void)state;
	assert_rules("6.000 firing P1 DATA_FEED_DOWN source=a #3 x1: no data from a for 5.0 s\n"
		     "6.000 firing P1 DATA_FEED_DOWN source=b #1 x1: no data from b for 5.0 s\n"
		     "7.000 firing P1 DATA_FEED_DOWN source=c #4 x1: no data from c for 5.0 s\n",
		     { 1, PULSE, "b" }, { 1, PULSE, "c" }, { 1, PULSE, "a" }, { 2, PULSE, "c" },
		     { 8, ADVANCE });
}

static void a_feed_without_a_name_is_a_feed(void **state)
{
	(void)state;
	assert_rules(
		"1.000 firing P1 DATA_FEED_DOWN engine #1 x1: a feed without a name reported down\n"
		"2.000 resolved P1 DATA_FEED_DOWN engine #1 x1: a feed without a name reported "
		"down\n",
		{ 1, DOWN }, { 2, PULSE });
}

static void heartbeats_that_stop_while_a_session_runs_are_an_incident(void **state)
{
	(void)state;
	assert_rules("35.000 firing P1 ENGINE_STALLED engine #2 x1: "
		     "no heartbeat for 30.0 s while session s runs\n"
		     "40.000 firing P1 ENGINE_STALLED engine #2 x1 page only: "
		     "no heartbeat for 30.0 s while session s runs\n"
		     "50.000 resolved P1 ENGINE_STALLED engine #2 x1 resolved-page: "
		     "no heartbeat for 30.0 s while session s runs\n",
		     { 1, RUN, "s" }, { 5, BEAT }, { 50, BEAT }, { 79.9, ADVANCE });
}

static void without_a_running_session_no_heartbeat_is_awaited(void **state)
{
	(void)state;
	assert_rules("130.000 firing P1 ENGINE_STALLED engine #2 x1: "
		     "no heartbeat for 30.0 s while 2 sessions run\n",
		     { 1, RUN, "s" }, { 2, BEAT }, { 20, STATUS, "s", "completed" },
		     { 100, STATUS, "s", "running" }, { 120, RUN, "t" }, { 131, ADVANCE });
}

static void a_stall_ends_when_no_session_runs_any_more(void **state)
{
	static const char *const words[] = { "completed", "failed", "paused" };
	char want[1024];

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		/* The next session is watched again, and its stall is another incident. */
		snprintf(want, sizeof want,
			 "32.000 firing P1 ENGINE_STALLED engine #3 x1: "
			 "no heartbeat for 30.0 s while 2 sessions run\n"
			 "37.000 firing P1 ENGINE_STALLED engine #3 x1 page only: "
			 "no heartbeat for 30.0 s while 2 sessions run\n"
			 "%s"
			 "51.000 resolved P1 ENGINE_STALLED engine #3 x1 resolved-page: "
			 "no session runs any more (no heartbeat for 30.0 s while 2 sessions run)\n"
			 "90.000 firing P1 ENGINE_STALLED engine #5 x1: "
			 "no heartbeat for 30.0 s while session u runs\n"
			 "91.000 resolved P1 ENGINE_STALLED engine #5 x1: "
			 "no heartbeat for 30.0 s while session u runs\n",
			 i == 1 ? "50.000 firing P2 SESSION_FAILED session=s #4 x1 page: session s "
				  "failed\n"
				: "");
		assert_rules(want, { 1, RUN, "s" }, { 1, RUN, "t" }, { 2, BEAT },
			     { 50, STATUS, "s", words[i] }, { 51, STATUS, "t", "completed" },
			     { 60, RUN, "u" }, { 91, BEAT });
	}
}

static void what_a_rule_opened_in_a_session_ends_when_that_completes(void **state)
{
	(void)state;
	assert_rules("2.000 firing P1 DRIFT_CRITICAL session=s source=x #3 x1 page: "
		     "drift 0.3 of x in session s is not below 0.25\n"
		     "2.000 firing P2 DRIFT_HIGH session=s source=x #3 x1 page: "
		     "drift 0.3 of x in session s is not below 0.1\n"
		     "3.000 firing P1 RISK_LIMIT_BREACH session=s source=y #4 x1 page: "
		     "risk 2 of y in session s is not within its limit 1\n"
		     "3.000 firing P1 RISK_LIMIT_BREACH session=s source=z #5 x1 page: "
		     "risk 2 of z in session s is not within its limit 1\n"
		     "4.000 firing P2 DRIFT_HIGH session=t source=x #6 x1 page: "
		     "drift 0.2 of x in session t is not below 0.1\n"
		     "4.000 firing P2 DRIFT_HIGH source=x #7 x1 page: drift 0.2 of x is not below "
		     "0.1\n"
		     "5.000 firing P2 EXECUTION_ERROR session=s source=x #8 x1 page: "
		     "execution error of x in session s\n"
		     "9.000 resolved P1 DRIFT_CRITICAL session=s source=x #3 x1 resolved-page: "
		     "session s completed (drift 0.3 of x in session s is not below 0.25)\n"
		     "9.000 resolved P2 DRIFT_HIGH session=s source=x #3 x1 resolved-page: "
		     "session s completed (drift 0.3 of x in session s is not below 0.1)\n"
		     "9.000 resolved P1 RISK_LIMIT_BREACH session=s source=y #4 x1 resolved-page: "
		     "session s completed (risk 2 of y in session s is not within its limit 1)\n"
		     "9.000 resolved P1 RISK_LIMIT_BREACH session=s source=z #5 x1 resolved-page: "
		     "session s completed (risk 2 of z in session s is not within its limit 1)\n",
		     { 1, RUN, "s" }, { 1, RUN, "t" }, { 2, DRIFT, "x", "s", 0.3 },
		     { 3, RISK, "y", "s", 2, 1 }, { 3, RISK, "z", "s", 2, 1 },
		     { 4, DRIFT, "x", "t", 0.2 }, { 4, DRIFT, "x", NULL, 0.2 },
		     { 5, EXECUTION, "x", "s" }, { 6, STATUS, "s", "running" },
		     { 9, STATUS, "s", "completed" });
	/* What was raised by call stays until it is cleared, and a session that fails ends nothing.
	 */
	assert_rules("2.000 firing P1 DRIFT_CRITICAL #2 x1 page: m\n"
		     "3.000 firing P1 RISK_LIMIT_BREACH session=t source=y #4 x1 page: "
		     "risk 2 of y in session t is not within its limit 1\n"
		     "8.000 firing P2 SESSION_FAILED session=t #5 x1 page: session t failed\n",
		     { 1, RUN, "s" }, { 2, RAISE, "DRIFT_CRITICAL", NULL, 0 }, { 2, RUN, "t" },
		     { 3, RISK, "y", "t", 2, 1 }, { 8, STATUS, "t", "failed" },
		     { 9, STATUS, "s", "completed" });
}

static void before_the_first_heartbeat_none_is_awaited(void **state)
{
	(void)state;
	assert_rules("", { 1, RUN, "s" }, { 1000, ADVANCE });
}

static void silence_made_of_our_own_losses_is_told_as_such(void **state)
{
	(void)state;
	assert_rules("6.000 firing P2 EVENTS_DROPPED source=x #1 x1 page: "
		     "no data from x for 5.0 s; events were refused meanwhile\n"
		     "7.000 resolved P2 EVENTS_DROPPED source=x #1 x1 resolved-page: "
		     "no data from x for 5.0 s; events were refused meanwhile\n",
		     { 1, PULSE, "x" }, { 3, LOSS }, { 7, PULSE, "x" }, { 11, ADVANCE });
}

static void silence_that_goes_on_after_the_losses_is_the_feeds_own(void **state)
{
	(void)state;
	assert_rules("6.000 firing P2 EVENTS_DROPPED source=x #1 x1 page: "
		     "no data from x for 5.0 s; events were refused meanwhile\n"
		     "11.000 firing P1 DATA_FEED_DOWN source=x #1 x1: no data from x for 10.0 s\n"
		     "12.000 resolved P1 DATA_FEED_DOWN source=x #1 x1: no data from x for 10.0 s\n"
		     "12.000 resolved P2 EVENTS_DROPPED source=x #1 x1 resolved-page: "
		     "no data from x for 5.0 s; events were refused meanwhile\n",
		     { 1, PULSE, "x" }, { 3, LOSS }, { 12, UP, "x" });
}

static void heartbeats_lost_on_the_way_are_told_as_such(void **state)
{
	(void)state;
	assert_rules("32.000 firing P2 EVENTS_DROPPED engine #2 x1 page: no heartbeat for 30.0 s "
		     "while session s runs; events were refused meanwhile\n"
		     "62.000 firing P1 ENGINE_STALLED engine #2 x1: "
		     "no heartbeat for 30.0 s while session s runs\n"
		     "63.000 resolved P1 ENGINE_STALLED engine #2 x1: "
		     "no heartbeat for 30.0 s while session s runs\n"
		     "63.000 resolved P2 EVENTS_DROPPED engine #2 x1 resolved-page: no heartbeat "
		     "for 30.0 s while session s runs; events were refused meanwhile\n",
		     { 1, RUN, "s" }, { 2, BEAT }, { 31, LOSS }, { 63, BEAT });
}

static void losses_outside_the_interval_change_nothing(void **state)
{
	(void)state;
	assert_rules("6.000 firing P1 DATA_FEED_DOWN source=x #1 x1: no data from x for 5.0 s\n",
		     { 0.5, LOSS }, { 1, PULSE, "x" }, { 6.5, LOSS }, { 8, ADVANCE });
	/* The one in the interval still counts when a later one is known by then. */
	assert_rules("6.000 firing P2 EVENTS_DROPPED source=x #1 x1 page: "
		     "no data from x for 5.0 s; events were refused meanwhile\n",
		     { 1, PULSE, "x" }, { 5, LOSS }, { 9, LOSS }, { 8, ADVANCE });
}

static void drift_rises_and_falls_through_both_thresholds(void **state)
{
	(void)state;
	assert_rules("2.000 firing P2 DRIFT_HIGH session=s source=x #2 x1 page: "
		     "drift 0.1 of x in session s is not below 0.1\n"
		     "3.000 firing P1 DRIFT_CRITICAL session=s source=x #3 x1 page: "
		     "drift -0.3 of x in session s is not below 0.25\n"
		     "3.000 firing P2 DRIFT_HIGH session=s source=x #3 x2: "
		     "drift -0.3 of x in session s is not below 0.1\n"
		     "4.000 firing P2 DRIFT_HIGH session=s source=x #4 x3: "
		     "drift 0.24 of x in session s is not below 0.1\n"
		     "5.000 resolved P1 DRIFT_CRITICAL session=s source=x #3 x1 resolved-page: "
		     "drift -0.3 of x in session s is not below 0.25\n"
		     "5.000 firing P2 DRIFT_HIGH session=s source=x #5 x4: "
		     "drift 0.2 of x in session s is not below 0.1\n"
		     "7.000 resolved P2 DRIFT_HIGH session=s source=x #5 x4 resolved-page: "
		     "drift 0.2 of x in session s is not below 0.1\n",
		     { 1, DRIFT, "x", "s", 0.0999 }, { 2, DRIFT, "x", "s", 0.10 },
		     { 3, DRIFT, "x", "s", -0.3 }, { 4, DRIFT, "x", "s", 0.24 },
		     { 5, DRIFT, "x", "s", 0.2 }, { 6, DRIFT, "x", "s", 0.095 },
		     { 7, DRIFT, "x", "s", -0.08 });
}

static void a_drift_report_without_a_value_judges_nothing(void **state)
{
	(void)state;
	assert_rules("", { 1, NO_DRIFT, "x", "s", 0.9 }, { 2, NO_DRIFT, "x", "s", NAN });
}

static void risk_beyond_its_limit_breaches_until_well_within(void **state)
{
	(void)state;
	assert_rules("2.000 firing P1 RISK_LIMIT_BREACH session=s source=dd #2 x1 page: "
		     "risk 0.31 of dd in session s is not within its limit 0.25\n"
		     "4.000 resolved P1 RISK_LIMIT_BREACH session=s source=dd #2 x1 resolved-page: "
		     "risk 0.31 of dd in session s is not within its limit 0.25\n",
		     { 1, RISK, "dd", "s", 0.25, 0.25 }, { 2, RISK, "dd", "s", 0.31, 0.25 },
		     { 3, RISK, "dd", "s", 0.24, 0.25 }, { 4, RISK, "dd", "s", 0.22, 0.25 });
	/* Signed: -5 is better than -4, and a tenth of the limit below it clears. */
	assert_rules("1.000 firing P1 RISK_LIMIT_BREACH source=m #1 x1 page: "
		     "risk -3 of m is not within its limit -4\n"
		     "3.000 resolved P1 RISK_LIMIT_BREACH source=m #1 x1 resolved-page: "
		     "risk -3 of m is not within its limit -4\n",
		     { 1, RISK, "m", NULL, -3, -4 }, { 2, RISK, "m", NULL, -4.1, -4 },
		     { 3, RISK, "m", NULL, -4.5, -4 });
}

static void execution_errors_count_up_and_stay_open(void **state)
{
	(void)state;
	assert_rules("1.000 firing P2 EXECUTION_ERROR session=s source=okx #1 x1 page: "
		     "execution error of okx in session s\n"
		     "2.000 firing P2 EXECUTION_ERROR session=s source=okx #2 x2: "
		     "execution error of okx in session s\n",
		     { 1, EXECUTION, "okx", "s" }, { 2, EXECUTION, "okx", "s" },
		     { 86401.9, ADVANCE });
}

static void what_nothing_can_end_any_more_expires(void **state)
{
	struct picture_settings s = fixture_settings();

	(void)state;
	assert_rules(
		"1.000 firing P2 EXECUTION_ERROR source=okx #1 x1 page: execution error of okx\n"
		"50000.000 firing P2 EXECUTION_ERROR source=okx #2 x2 repeat: "
		"execution error of okx\n"
		"136400.000 resolved P2 EXECUTION_ERROR source=okx #2 x2 resolved-page: "
		"expired: not raised again for 1 d (execution error of okx)\n"
		"200000.000 firing P2 EXECUTION_ERROR source=okx #3 x1 page: "
		"execution error of okx\n",
		{ 1, EXECUTION, "okx" }, { 5e4, EXECUTION, "okx" }, { 2e5, EXECUTION, "okx" });
	s.alerts.event_expires_ns = SECONDS(100);
	/* A session that failed can clear its drift no more; what was raised by call stays. */
	assert_rules_with(
		&s,
		"2.000 firing P2 DRIFT_HIGH session=s source=x #2 x1 page: "
		"drift 0.2 of x in session s is not below 0.1\n"
		"2.000 firing P2 DRIFT_HIGH source=x #3 x1 page: drift 0.2 of x is not "
		"below 0.1\n"
		"3.000 firing P2 EXECUTION_ERROR #4 x1 page: m\n"
		"9.000 firing P2 SESSION_FAILED session=s #5 x1 page: session s failed\n"
		"109.000 resolved P2 DRIFT_HIGH session=s source=x #2 x1 resolved-page: "
		"expired: not raised again for 1 min 40 s (drift 0.2 of x in session s is not "
		"below 0.1)\n"
		"109.000 resolved P2 SESSION_FAILED session=s #5 x1 resolved-page: "
		"expired: not raised again for 1 min 40 s (session s failed)\n",
		{ 1, RUN, "s" }, { 2, DRIFT, "x", "s", 0.2 }, { 2, DRIFT, "x", NULL, 0.2 },
		{ 3, RAISE, "EXECUTION_ERROR", NULL, 0 }, { 9, STATUS, "s", "failed" },
		{ 1e6, ADVANCE });
	s.alerts.event_expires_ns = 0;
	assert_rules_with(&s,
			  "1.000 firing P2 EXECUTION_ERROR source=okx #1 x1 page: "
			  "execution error of okx\n",
			  { 1, EXECUTION, "okx" }, { 1e6, ADVANCE });
}

static void a_session_that_fails_is_an_incident(void **state)
{
	(void)state;
	assert_rules("2.000 firing P2 SESSION_FAILED session=s #2 x1 page: session s failed\n",
		     { 1, RUN, "s" }, { 2, STATUS, "s", "failed" }, { 3, STATUS, "s", "running" });
}

static void a_feed_forgotten_and_heard_again_ends_its_incident(void **state)
{
	struct picture_settings settings = fixture_settings();
	struct fixture f = { .alerts_only = true };
	char source[16];

	(void)state;
	fixture_start(&f, &settings);
	take_step(&f, &(struct step){ 1, DOWN, "x" });
	for (unsigned i = 0; i < STATUS_FEEDS_MAX; i++) {
		snprintf(source, sizeof source, "f%u", i);
		take_step(&f, &(struct step){ 2, UP, source });
	}
	take_step(&f, &(struct step){ 3, UP, "x" });
	assert_told(&f, "1.000 firing P1 DATA_FEED_DOWN source=x #1 x1: feed x reported down\n"
			"2.000 firing P1 CAPACITY_REACHED instance=feeds #257 x1 page: more than "
			"256 feeds report: for f255 another one is not watched any more, and its "
			"silence would raise no alert\n"
			"3.000 resolved P1 DATA_FEED_DOWN source=x #1 x1: feed x reported down\n");
	fixture_done(&f);
}

static void page_after_lets_a_short_incident_pass_unpaged(void **state)
{
	struct picture_settings s = fixture_settings();

	(void)state;
	s.alerts.has_page_after = true;
	s.alerts.page_after_ns = SECONDS(3);
	/* The setting is for every code, those whose runbook has none among them. */
	assert_rules_with(&s,
			  "1.000 firing P2 DRIFT_HIGH source=x #1 x1: "
			  "drift 0.1 of x is not below 0.1\n"
			  "3.999 resolved P2 DRIFT_HIGH source=x #1 x1: "
			  "drift 0.1 of x is not below 0.1\n"
			  "10.000 firing P2 DRIFT_HIGH source=x #3 x1: "
			  "drift 0.1 of x is not below 0.1\n"
			  "13.000 firing P2 DRIFT_HIGH source=x #3 x1 page only: "
			  "drift 0.1 of x is not below 0.1\n"
			  "13.000 resolved P2 DRIFT_HIGH source=x #3 x1 resolved-page: "
			  "drift 0.1 of x is not below 0.1\n",
			  { 1, DRIFT, "x", NULL, 0.1 }, { 3.999, DRIFT, "x", NULL, 0 },
			  { 10, DRIFT, "x", NULL, 0.1 }, { 13, DRIFT, "x", NULL, 0 });
	/* What is raised by call is paged at once. */
	assert_rules_with(&s, "1.000 firing P1 DATA_FEED_DOWN #1 x1 page: m\n",
			  { 1, RAISE, "DATA_FEED_DOWN", NULL, 0 }, { 100, ADVANCE });
	s.alerts.page_after_ns = 0;
	assert_rules_with(&s,
			  "1.000 firing P1 DATA_FEED_DOWN source=x #1 x1 page: "
			  "feed x reported down\n",
			  { 1, DOWN, "x" }, { 100, ADVANCE });
}

static void repeat_interval_tells_when_an_open_incident_is_paged_again(void **state)
{
	struct picture_settings s = fixture_settings();

	(void)state;
	s.alerts.repeat_interval_ns = SECONDS(100);
	assert_rules_with(&s,
			  "1.000 firing P2 EXECUTION_ERROR source=x #1 x1 page: "
			  "execution error of x\n"
			  "100.999 firing P2 EXECUTION_ERROR source=x #2 x2: execution error of x\n"
			  "101.000 firing P2 EXECUTION_ERROR source=x #3 x3 repeat: "
			  "execution error of x\n"
			  "200.000 firing P2 EXECUTION_ERROR source=x #4 x4: execution error of x\n"
			  "201.000 firing P2 EXECUTION_ERROR source=x #5 x5 repeat: "
			  "execution error of x\n",
			  { 1, EXECUTION, "x" }, { 100.999, EXECUTION, "x" },
			  { 101, EXECUTION, "x" }, { 200, EXECUTION, "x" }, { 201, EXECUTION, "x" },
			  { 1000, ADVANCE });
	s.alerts.repeat_interval_ns = 0;
	s.alerts.event_expires_ns = 0;
	assert_rules_with(&s,
			  "1.000 firing P2 EXECUTION_ERROR source=x #1 x1 page: "
			  "execution error of x\n"
			  "1000000.000 firing P2 EXECUTION_ERROR source=x #2 x2: "
			  "execution error of x\n",
			  { 1, EXECUTION, "x" }, { 1e6, EXECUTION, "x" });
}

static void a_priority_that_rises_above_the_last_page_is_paged_at_once(void **state)
{
	(void)state;
	assert_rules("1.000 firing P3 MY_CODE #1 x1 page: m\n"
		     "2.000 firing P3 MY_CODE #2 x2: m\n"
		     "3.000 firing P2 MY_CODE #3 x3 repeat: m\n"
		     "4.000 firing P3 MY_CODE #4 x4: m\n"
		     "5.000 firing P1 MY_CODE #5 x5 repeat: m\n"
		     "6.000 firing P1 MY_CODE #6 x6: m\n",
		     { 1, RAISE, "MY_CODE", NULL, 0 }, { 2, RAISE, "MY_CODE", NULL, 3 },
		     { 3, RAISE, "MY_CODE", NULL, 2 }, { 4, RAISE, "MY_CODE", NULL, 3 },
		     { 5, RAISE, "MY_CODE", NULL, 1 }, { 6, RAISE, "MY_CODE", NULL, 1 });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_feed_silent_too_long_is_an_incident_at_that_moment),
		cmocka_unit_test(a_deadline_fires_before_the_record_of_its_own_time),
		cmocka_unit_test(before_the_first_pulse_silence_is_no_incident),
		cmocka_unit_test(a_feed_reported_down_is_an_incident_at_once),
		cmocka_unit_test(up_reconnect_and_pulse_each_end_it_and_await_the_next_pulse),
		cmocka_unit_test(feeds_are_judged_apart_and_fire_in_order_of_time_and_key),
		cmocka_unit_test(a_feed_without_a_name_is_a_feed),
		cmocka_unit_test(heartbeats_that_stop_while_a_session_runs_are_an_incident),
		cmocka_unit_test(without_a_running_session_no_heartbeat_is_awaited),
		cmocka_unit_test(a_stall_ends_when_no_session_runs_any_more),
		cmocka_unit_test(what_a_rule_opened_in_a_session_ends_when_that_completes),
		cmocka_unit_test(before_the_first_heartbeat_none_is_awaited),
		cmocka_unit_test(silence_made_of_our_own_losses_is_told_as_such),
		cmocka_unit_test(silence_that_goes_on_after_the_losses_is_the_feeds_own),
		cmocka_unit_test(heartbeats_lost_on_the_way_are_told_as_such),
		cmocka_unit_test(losses_outside_the_interval_change_nothing),
		cmocka_unit_test(drift_rises_and_falls_through_both_thresholds),
		cmocka_unit_test(a_drift_report_without_a_value_judges_nothing),
		cmocka_unit_test(risk_beyond_its_limit_breaches_until_well_within),
		cmocka_unit_test(page_after_lets_a_short_incident_pass_unpaged),
		cmocka_unit_test(repeat_interval_tells_when_an_open_incident_is_paged_again),
		cmocka_unit_test(a_priority_that_rises_above_the_last_page_is_paged_at_once),
		cmocka_unit_test(execution_errors_count_up_and_stay_open),
		cmocka_unit_test(what_nothing_can_end_any_more_expires),
		cmocka_unit_test(a_session_that_fails_is_an_incident),
		cmocka_unit_test(a_feed_forgotten_and_heard_again_ends_its_incident),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

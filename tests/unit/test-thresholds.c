/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "rules_fixture.h"

/* Is the rule's incident open after `first` (unless END) and then `then`? Of source x. */
static bool open_after(const struct picture_settings *settings, const char *code,
		       const struct step *first, const struct step *then)
{
	struct fixture f = { .alerts_only = true };
	tocsin_str none = { 0 };

	fixture_start(&f, settings);
	if (first->what != END)
		take_step(&f, first);
	take_step(&f, then);
	bool open = alerts_find(picture_alerts(f.picture), true, str(code), none, STR("x"), none);
	fixture_done(&f);
	return open;
}

/* What a figure opens, and what it leaves open when it was. */
static void drift_is_judged_at_every_edge(void **state)
{
	static const struct {
		double value;
		bool opens_high, keeps_high, opens_critical, keeps_critical;
	} cases[] = {
		{ 0, false, false, false, false },
		{ 0.05, false, false, false, false },
		{ 0.09, false, false, false, false }, /* below by the hysteresis exactly */
		{ -0.09, false, false, false, false },
		{ 0.0900001, false, true, false, false },
		{ -0.0999999, false, true, false, false },
		{ 0.10, true, true, false, false }, /* at the threshold exactly */
		{ -0.10, true, true, false, false },
		{ 0.2, true, true, false, false },
		{ 0.225, true, true, false, false },
		{ -0.225, true, true, false, false },
		{ 0.2250001, true, true, false, true },
		{ -0.2499999, true, true, false, true },
		{ 0.25, true, true, true, true },
		{ -0.25, true, true, true, true },
		{ 1e300, true, true, true, true },
		{ NAN, true, true, true, true },
		{ -NAN, true, true, true, true },
		{ INFINITY, true, true, true, true },
		{ -INFINITY, true, true, true, true },
	};
	const struct picture_settings s = fixture_settings();
	const struct step nothing = { 0 }, breach = { 1, DRIFT, "x", NULL, 9 };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct step step = { 2, DRIFT, "x", NULL, cases[i].value };

		assert_int_equal(open_after(&s, "DRIFT_HIGH", &nothing, &step),
				 cases[i].opens_high);
		assert_int_equal(open_after(&s, "DRIFT_HIGH", &breach, &step), cases[i].keeps_high);
		assert_int_equal(open_after(&s, "DRIFT_CRITICAL", &nothing, &step),
				 cases[i].opens_critical);
		assert_int_equal(open_after(&s, "DRIFT_CRITICAL", &breach, &step),
				 cases[i].keeps_critical);
	}
}

static void risk_is_judged_at_every_edge(void **state)
{
	static const struct {
		double value, limit;
		bool opens, keeps;
	} cases[] = {
		{ 0, 10, false, false },
		{ -1e300, 10, false, false },
		{ 9, 10, false, false }, /* limit - hysteresis * abs(limit) exactly */
		{ 9.0000001, 10, false, true },
		{ 10, 10, false, true }, /* at the limit exactly */
		{ 10.0000001, 10, true, true },
		{ -11, -10, false, false },
		{ -10.9999999, -10, false, true },
		{ -10, -10, false, true },
		{ -9.9999999, -10, true, true },
		{ 0, 0, false, false },
		{ 5e-324, 0, true, true },
		{ NAN, 10, true, true },
		{ -NAN, 10, true, true },
		{ INFINITY, 10, true, true },
		{ -INFINITY, 10, true, true },
		{ 1, NAN, true, true },
		{ NAN, NAN, true, true },
		{ 1, INFINITY, false, false },
		{ INFINITY, INFINITY, true, true },
		{ 1, -INFINITY, true, true },
		{ -INFINITY, -INFINITY, true, true },
	};
	const struct picture_settings s = fixture_settings();
	const struct step nothing = { 0 }, breach = { 1, RISK, "x", NULL, 2, 1 };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct step step = { 2, RISK, "x", NULL, cases[i].value, cases[i].limit };

		assert_int_equal(open_after(&s, "RISK_LIMIT_BREACH", &nothing, &step),
				 cases[i].opens);
		assert_int_equal(open_after(&s, "RISK_LIMIT_BREACH", &breach, &step),
				 cases[i].keeps);
	}
}

static void without_hysteresis_it_clears_just_below(void **state)
{
	struct picture_settings s = fixture_settings();

	(void)state;
	s.thresholds.hysteresis = 0;
	assert_rules_with(&s,
			  "1.000 firing P2 DRIFT_HIGH source=x #1 x1 page: "
			  "drift 0.1 of x is not below 0.1\n"
			  "2.000 resolved P2 DRIFT_HIGH source=x #1 x1 resolved-page: "
			  "drift 0.1 of x is not below 0.1\n"
			  "3.000 firing P1 RISK_LIMIT_BREACH source=y #3 x1 page: "
			  "risk 2 of y is not within its limit 1\n"
			  "4.000 resolved P1 RISK_LIMIT_BREACH source=y #3 x1 resolved-page: "
			  "risk 2 of y is not within its limit 1\n",
			  { 1, DRIFT, "x", NULL, 0.1 }, { 2, DRIFT, "x", NULL, 0.0999999 },
			  { 3, RISK, "y", NULL, 2, 1 }, { 4, RISK, "y", NULL, 1, 1 });
}

static void drift_and_risk_are_judged_apart_by_session_and_source(void **state)
{
	(void)state;
	assert_rules("1.000 firing P2 DRIFT_HIGH session=s source=x #1 x1 page: "
		     "drift 0.2 of x in session s is not below 0.1\n"
		     "2.000 firing P2 DRIFT_HIGH session=t source=x #2 x1 page: "
		     "drift 0.2 of x in session t is not below 0.1\n"
		     "3.000 firing P2 DRIFT_HIGH session=s source=y #3 x1 page: "
		     "drift 0.2 of y in session s is not below 0.1\n"
		     "4.000 resolved P2 DRIFT_HIGH session=s source=x #1 x1 resolved-page: "
		     "drift 0.2 of x in session s is not below 0.1\n",
		     { 1, DRIFT, "x", "s", 0.2 }, { 2, DRIFT, "x", "t", 0.2 },
		     { 3, DRIFT, "y", "s", 0.2 }, { 4, DRIFT, "x", "s", 0 });
}

static void each_rule_is_turned_off_alone(void **state)
{
	struct picture_settings s = fixture_settings();

	(void)state;
	s.thresholds.drift_high = 0;
	assert_rules_with(&s,
			  "1.000 firing P1 DRIFT_CRITICAL source=x #1 x1 page: "
			  "drift 9 of x is not below 0.25\n",
			  { 1, DRIFT, "x", NULL, 9 });
	s = fixture_settings();
	s.thresholds.drift_critical = 0;
	assert_rules_with(&s,
			  "1.000 firing P2 DRIFT_HIGH source=x #1 x1 page: "
			  "drift nan of x is not below 0.1\n",
			  { 1, DRIFT, "x", NULL, NAN });
	s = fixture_settings();
	s.thresholds.feed_stale_after_ns = 0;
	assert_rules_with(&s, "", { 1, PULSE, "x" }, { 1e6, ADVANCE });
	s = fixture_settings();
	s.heartbeat_timeout_ns = 0;
	assert_rules_with(&s, "", { 1, RUN, "s" }, { 2, BEAT }, { 1e6, ADVANCE });
}

static void a_source_may_have_thresholds_of_its_own(void **state)
{
	static const struct source_thresholds own[] = {
		{ STR("fast"), { SECONDS(2), 0.01, 0.02, 0.5 } },
		{ STR("quiet"), { 0, 0, 0, 0.1 } },
		{ STR("calm"), { SECONDS(60), 0.5, 1, 0 } },
	};
	struct picture_settings s = fixture_settings();

	(void)state;
	s.sources = own;
	s.n_sources = 3;
	s.alerts.has_page_after = true;
	assert_rules_with(&s,
			  "3.000 firing P1 DATA_FEED_DOWN source=fast #1 x1 page: "
			  "no data from fast for 2.0 s\n"
			  "6.000 firing P1 DATA_FEED_DOWN source=other #4 x1 page: "
			  "no data from other for 5.0 s\n"
			  "61.000 firing P1 DATA_FEED_DOWN source=calm #3 x1 page: "
			  "no data from calm for 1 min\n",
			  { 1, PULSE, "fast" }, { 1, PULSE, "quiet" }, { 1, PULSE, "calm" },
			  { 1, PULSE, "other" }, { 1000, ADVANCE });
	assert_rules_with(&s,
			  "1.000 firing P2 DRIFT_HIGH source=fast #1 x1 page: "
			  "drift 0.01 of fast is not below 0.01\n"
			  "5.000 firing P2 DRIFT_HIGH source=other #5 x1 page: "
			  "drift 0.1 of other is not below 0.1\n"
			  "7.000 resolved P2 DRIFT_HIGH source=fast #1 x1 resolved-page: "
			  "drift 0.01 of fast is not below 0.01\n",
			  { 1, DRIFT, "fast", NULL, 0.01 }, { 2, DRIFT, "fast", NULL, 0.0051 },
			  { 3, DRIFT, "quiet", NULL, INFINITY }, { 4, DRIFT, "calm", NULL, 0.49 },
			  { 5, DRIFT, "other", NULL, 0.1 }, { 6, DRIFT, "other", NULL, 0.0901 },
			  { 7, DRIFT, "fast", NULL, 0.005 });
	/* Of risk the hysteresis alone; the limit is the event's. */
	assert_rules_with(&s,
			  "1.000 firing P1 RISK_LIMIT_BREACH source=fast #1 x1 page: "
			  "risk 11 of fast is not within its limit 10\n"
			  "3.000 resolved P1 RISK_LIMIT_BREACH source=fast #1 x1 resolved-page: "
			  "risk 11 of fast is not within its limit 10\n",
			  { 1, RISK, "fast", NULL, 11, 10 }, { 2, RISK, "fast", NULL, 5.1, 10 },
			  { 3, RISK, "fast", NULL, 5, 10 });
	/* A rule that is off for all may be on for one. */
	s.thresholds = (struct thresholds){ 0 };
	assert_rules_with(&s,
			  "3.000 firing P1 DATA_FEED_DOWN source=fast #2 x1 page: "
			  "no data from fast for 2.0 s\n",
			  { 1, PULSE, "other" }, { 1, PULSE, "fast" }, { 50, ADVANCE });
}

static void as_many_sources_as_there_may_be_each_have_their_own(void **state)
{
	static struct source_thresholds own[SOURCE_THRESHOLDS_MAX];
	static char names[SOURCE_THRESHOLDS_MAX][16];
	struct picture_settings s = fixture_settings();
	struct fixture f = { .alerts_only = true };
	tocsin_str none = { 0 };

	(void)state;
	for (unsigned i = 0; i < SOURCE_THRESHOLDS_MAX; i++) {
		snprintf(names[i], sizeof names[i], "source-%u", i);
		own[i] = (struct source_thresholds){ str(names[i]), { 0, 1 + i, 0, 0.1 } };
	}
	s.sources = own;
	s.n_sources = SOURCE_THRESHOLDS_MAX;
	fixture_start(&f, &s);
	for (unsigned i = 0; i < SOURCE_THRESHOLDS_MAX; i++) {
		take_step(&f, &(struct step){ 1, DRIFT, names[i], NULL, 0.999 + i });
		assert_null(alerts_find(picture_alerts(f.picture), true, STR("DRIFT_HIGH"), none,
					own[i].source, none));
		take_step(&f, &(struct step){ 1, DRIFT, names[i], NULL, 1.001 + i });
		assert_non_null(alerts_find(picture_alerts(f.picture), true, STR("DRIFT_HIGH"),
					    none, own[i].source, none));
	}
	fixture_done(&f);
}

static void drift_that_is_no_number_breaches(void **state)
{
	static const double values[] = { NAN, INFINITY, -INFINITY };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_true(drift_breaches(values[i], 0.1));
		assert_true(risk_breaches(values[i], 1));
	}
	assert_rules("1.000 firing P1 DRIFT_CRITICAL source=x #1 x1 page: "
		     "drift nan of x is not below 0.25\n"
		     "1.000 firing P2 DRIFT_HIGH source=x #1 x1 page: "
		     "drift nan of x is not below 0.1\n",
		     { 1, DRIFT, "x", NULL, -NAN });
}

static void risk_against_no_limit_or_an_infinite_one(void **state)
{
	(void)state;
	assert_rules("1.000 firing P1 RISK_LIMIT_BREACH source=m #1 x1 page: "
		     "risk 1 of m is not within its limit nan\n"
		     "2.000 resolved P1 RISK_LIMIT_BREACH source=m #1 x1 resolved-page: "
		     "risk 1 of m is not within its limit nan\n"
		     "3.000 firing P1 RISK_LIMIT_BREACH source=m #3 x1 page: "
		     "risk 1 of m is not within its limit -inf\n",
		     { 1, RISK, "m", NULL, 1, NAN }, { 2, RISK, "m", NULL, 1, INFINITY },
		     { 3, RISK, "m", NULL, 1, -INFINITY });
}

static void rules_turned_off_are_off(void **state)
{
	static const struct step steps[] = {
		{ 1, PULSE, "x" },
		{ 1, RUN, "s" },
		{ 1, BEAT },
		{ 2, DRIFT, "x", "s", 9 },
		{ 3, RISK, "x", "s", 9, 1 },
		{ 4, EXECUTION, "x" },
		{ 5, STATUS, "s", "failed" },
		{ 6, STATUS, "s", "running" },
		{ 1e6, ADVANCE },
	};
	struct picture_settings settings = { .alerts = fixture_settings().alerts };
	struct fixture f = { .alerts_only = true };

	(void)state;
	fixture_start(&f, &settings);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		take_step(&f, &steps[i]);
	assert_told(&f, "");
	assert_int_equal(picture_next_deadline(f.picture), UINT64_MAX);
	/* What the engine says of a feed itself is told all the same. */
	take_step(&f, &(struct step){ 2e6, DOWN, "x" });
	assert_told(&f, "2000000.000 firing P1 DATA_FEED_DOWN source=x #9 x1: "
			"feed x reported down\n");
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drift_is_judged_at_every_edge),
		cmocka_unit_test(risk_is_judged_at_every_edge),
		cmocka_unit_test(without_hysteresis_it_clears_just_below),
		cmocka_unit_test(drift_and_risk_are_judged_apart_by_session_and_source),
		cmocka_unit_test(each_rule_is_turned_off_alone),
		cmocka_unit_test(a_source_may_have_thresholds_of_its_own),
		cmocka_unit_test(as_many_sources_as_there_may_be_each_have_their_own),
		cmocka_unit_test(drift_that_is_no_number_breaches),
		cmocka_unit_test(risk_against_no_limit_or_an_infinite_one),
		cmocka_unit_test(rules_turned_off_are_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

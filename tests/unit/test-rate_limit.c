/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture_fixture.h"

#include <errno.h>

static struct picture_settings limited(uint64_t a_minute)
{
	struct picture_settings s = fixture_settings();

	s.alerts.max_pages_per_minute = a_minute;
	return s;
}

static void start(struct fixture *f, uint64_t a_minute)
{
	struct picture_settings s = limited(a_minute);

	*f = (struct fixture){ .alerts_only = true, .endpoints = 1 };
	fixture_start(f, &s);
}

static void raise_at(struct fixture *f, double s, uint32_t priority, const char *code,
		     const char *instance)
{
	struct record r = alert_of(TOCSIN_ALERT_RAISE, priority, code, NULL, instance, "m");

	apply_at(f, s, &r);
}

static void clear_at(struct fixture *f, double s, const char *code, const char *instance)
{
	struct record r = alert_of(TOCSIN_ALERT_CLEAR, 0, code, NULL, instance, NULL);

	apply_at(f, s, &r);
}

static const struct incident *incident_named(struct fixture *f, const char *key)
{
	const struct incident *i = alerts_newest(picture_alerts(f->picture));

	while (i && strcmp(i->key, key) != 0)
		i = i->next;
	assert_non_null(i);
	return i;
}

static void over_the_limit_one_summary_takes_the_rest(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, 2);
	raise_at(&f, 1, 1, "A", NULL);
	raise_at(&f, 2, 2, "B", NULL);
	raise_at(&f, 3, 2, "C", NULL);
	raise_at(&f, 4, 2, "D", NULL);
	assert_int_equal(picture_next_deadline(f.picture), SECONDS(61));
	assert_told(&f, "1.000 firing P1 A #1 x1 page: m\n"
			"2.000 firing P2 B #2 x1 page: m\n"
			"3.000 firing P2 C #3 x1: m\n"
			"4.000 firing P2 D #4 x1: m\n");
	advance_to(&f, 60.999);
	assert_told(&f, "");
	advance_to(&f, 61);
	assert_told(&f, "61.000 summary P2 C +2 -0 since 3.000: C D\n");
	assert_int_equal(picture_next_deadline(f.picture), UINT64_MAX);
	fixture_done(&f);
}

static void a_summary_is_one_of_the_pages_that_count(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, 1);
	raise_at(&f, 1, 1, "A", NULL);
	raise_at(&f, 2, 1, "B", NULL);
	raise_at(&f, 70, 1, "C", NULL);
	raise_at(&f, 121, 1, "D", NULL);
	advance_to(&f, 1000);
	assert_told(&f, "1.000 firing P1 A #1 x1 page: m\n"
			"2.000 firing P1 B #2 x1: m\n"
			"61.000 summary P1 B +1 -0 since 2.000: B\n"
			"70.000 firing P1 C #3 x1: m\n"
			"121.000 summary P1 C +1 -0 since 70.000: C\n"
			"121.000 firing P1 D #4 x1: m\n"
			"181.000 summary P1 D +1 -0 since 121.000: D\n");
	fixture_done(&f);
}

static void what_comes_while_a_summary_waits_does_not_overtake_it(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, 1);
	raise_at(&f, 1, 1, "A", NULL);
	raise_at(&f, 2, 1, "B", NULL);
	clear_at(&f, 3, "A", NULL);
	clear_at(&f, 4, "B", NULL);
	raise_at(&f, 5, 1, "B", NULL);
	advance_to(&f, 61);
	assert_told(&f, "1.000 firing P1 A #1 x1 page: m\n"
			"2.000 firing P1 B #2 x1: m\n"
			"3.000 resolved P1 A #1 x1: m\n"
			"4.000 resolved P1 B #2 x1: m\n"
			"5.000 firing P1 B #5 x1: m\n"
			"61.000 summary P1 B +2 -2 since 2.000: B B(ended) A(ended)\n");
	fixture_done(&f);
}

static void a_held_incident_counts_as_paged(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, 1);
	raise_at(&f, 1, 1, "A", NULL);
	raise_at(&f, 2, 2, "B", NULL);
	assert_true(incident_named(&f, "B")->held);
	assert_int_equal(incident_named(&f, "B")->endpoints, 0);
	raise_at(&f, 3, 2, "B", NULL);
	raise_at(&f, 4, 1, "B", NULL);
	advance_to(&f, 61);
	assert_false(incident_named(&f, "B")->held);
	assert_int_equal(incident_named(&f, "B")->endpoints, 1);
	clear_at(&f, 200, "B", NULL);
	assert_told(&f, "1.000 firing P1 A #1 x1 page: m\n"
			"2.000 firing P2 B #2 x1: m\n"
			"3.000 firing P2 B #3 x2: m\n"
			"4.000 firing P1 B #4 x3: m\n"
			"61.000 summary P1 B +2 -0 since 2.000: B\n"
			"200.000 resolved P1 B #4 x3 resolved-page: m\n");
	fixture_done(&f);
}

static void a_summary_goes_where_what_it_resolves_was_paged(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, 1);
	f.endpoints = 6;
	raise_at(&f, 1, 1, "A", NULL);
	f.endpoints = 1;
	f.with_ids = true;
	clear_at(&f, 2, "A", NULL);
	text_buffer_done(&f.told);
	advance_to(&f, 61);
	assert_told(&f, "61.000 summary P1 A +0 -1 since 2.000: A(ended)\n"
			" abcd0000000000000000000000000000-2-storm to 6 0 unlisted"
			" abcd0000000000000000000000000000-1-call\n");
	fixture_done(&f);
}

static void what_says_that_pages_are_missing_is_never_held(void **state)
{
	struct fixture f;
	struct raise r = {
		.rule = "down",
		.by_rule = true,
		.code = STR("ENGINE_DOWN"),
		.priority = 1,
		.message = STR("m"),
		.instance = STR("0123abcd"),
	};

	(void)state;
	start(&f, 1);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const ids[] = { "a", "b", "c" };

		r.instance = str(ids[i]);
		assert_int_equal(picture_raise(f.picture, &r, at_s(1)), 0);
	}
	raise_at(&f, 1, 1, "A", NULL);
	raise_at(&f, 2, 1, "ENGINE_DOWN", "by call");
	r.rule = "pager";
	r.code = STR("PAGER_DEGRADED");
	assert_int_equal(picture_raise(f.picture, &r, at_s(3)), 0);
	assert_int_equal(picture_clear(f.picture, r.code, r.instance, at_s(4)), 0);
	r.rule = "blocked";
	r.code = STR("EVENTS_BLOCKED");
	r.page_again = true;
	for (unsigned i = 5; i < 7; i++)
		assert_int_equal(picture_raise(f.picture, &r, at_s(i)), 0);
	assert_told(&f, "1.000 firing P1 ENGINE_DOWN instance=a #0 x1 page: m\n"
			"1.000 firing P1 ENGINE_DOWN instance=b #0 x1 page: m\n"
			"1.000 firing P1 ENGINE_DOWN instance=c #0 x1 page: m\n"
			"1.000 firing P1 A #1 x1 page: m\n"
			"2.000 firing P1 ENGINE_DOWN instance=by%20call #2 x1: m\n"
			"3.000 firing P1 PAGER_DEGRADED instance=c #0 x1 page: m\n"
			"4.000 resolved P1 PAGER_DEGRADED instance=c #0 x1 resolved-page: m\n"
			"5.000 firing P1 EVENTS_BLOCKED instance=c #0 x1 page: m\n"
			"6.000 firing P1 EVENTS_BLOCKED instance=c #0 x2 repeat: m\n");
	fixture_done(&f);
}

static void pages_that_nobody_gets_take_no_place(void **state)
{
	struct picture_settings s = limited(1);
	struct fixture f = { .alerts_only = true };

	(void)state;
	s.alerts.paged_priorities = 1;
	fixture_start(&f, &s);
	raise_at(&f, 1, 2, "A", NULL);
	raise_at(&f, 2, 3, "B", NULL);
	raise_at(&f, 3, 1, "C", NULL);
	raise_at(&f, 4, 2, "D", NULL);
	assert_told(&f, "1.000 firing P2 A #1 x1 page: m\n"
			"2.000 firing P3 B #2 x1 page: m\n"
			"3.000 firing P1 C #3 x1 page: m\n"
			"4.000 firing P2 D #4 x1 page: m\n");
	fixture_done(&f);
}

static void deadlines_of_one_time_come_before_the_summary(void **state)
{
	struct fixture f;
	struct record down = health_of(TOCSIN_HEALTH_FEED_DOWN, "x");
	struct record pulse = health_of(TOCSIN_HEALTH_FEED_PULSE, "y");

	(void)state;
	start(&f, 1);
	raise_at(&f, 1, 1, "A", NULL);
	raise_at(&f, 2, 1, "B", NULL);
	apply_at(&f, 56, &down);
	apply_at(&f, 56, &pulse);
	advance_to(&f, 100);
	assert_told(&f, "1.000 firing P1 A #1 x1 page: m\n"
			"2.000 firing P1 B #2 x1: m\n"
			"56.000 firing P1 DATA_FEED_DOWN source=x #3 x1: feed x reported down\n"
			"61.000 firing P1 DATA_FEED_DOWN source=y #4 x1: no data from y for 5.0 s\n"
			"61.000 summary P1 B +2 -0 since 2.000: B DATA_FEED_DOWN\n");
	/* The other's page, at 66, has to wait for the next. */
	advance_to(&f, 121);
	assert_told(&f, "121.000 summary P1 DATA_FEED_DOWN +1 -0 since 66.000: DATA_FEED_DOWN\n");
	assert_int_equal(f.out_of_order, 0);
	fixture_done(&f);
}

static void when_nobody_will_be_there_later_the_summary_is_told_at_once(void **state)
{
	struct fixture f;
	struct record down = health_of(TOCSIN_HEALTH_FEED_DOWN, "x");

	(void)state;
	start(&f, 1);
	raise_at(&f, 1, 1, "A", NULL);
	apply_at(&f, 2, &down);
	picture_page_waiting(f.picture, at_s(3));
	picture_page_waiting(f.picture, at_s(4));
	advance_to(&f, 1000);
	assert_told(&f, "1.000 firing P1 A #1 x1 page: m\n"
			"2.000 firing P1 DATA_FEED_DOWN source=x #2 x1: feed x reported down\n"
			"3.000 summary P1 DATA_FEED_DOWN +1 -0 since 3.000: DATA_FEED_DOWN\n");
	fixture_done(&f);
}

static void two_summaries_never_have_one_id(void **state)
{
	struct rate_limit *s = calloc(1, sizeof *s);
	struct incident i = { .id = "e-7-call", .code = (char[]){ "A" }, .priority = 1 };

	(void)state;
	rate_limit_init(s, 1);
	static const char *const ids[] = { "e-7-storm", "e-8-storm", "e-9-storm", "e-20-storm" };
	static const uint64_t positions[] = { 7, 7, 8, 20 };
	for (unsigned n = 0; n < 4; n++) {
		rate_limit_hold(s, &i, PAGE_RAISED, "e", positions[n], at_s(n));
		assert_string_equal(s->held.id, ids[n]);
		rate_limit_told(s, at_s(n));
	}
	free(s);
}

static void a_summary_that_fails_over_takes_its_incidents_along(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, 1);
	raise_at(&f, 1, 1, "A", NULL);
	raise_at(&f, 2, 1, "B", NULL);
	raise_at(&f, 3, 1, "C", NULL);
	advance_to(&f, 61);
	struct alerts *a = picture_alerts(f.picture);
	alerts_note_endpoints(a, "99990000000000000000000000000000-2-storm", 8);
	assert_int_equal(incident_named(&f, "A")->endpoints, 1);
	assert_int_equal(incident_named(&f, "B")->endpoints, 9);
	assert_int_equal(incident_named(&f, "C")->endpoints, 9);
	alerts_note_endpoints(a, "abcd0000000000000000000000000000-3-storm", 16);
	alerts_note_endpoints(a, "abcd0000000000000000000000000000-2-call", 16);
	assert_int_equal(incident_named(&f, "A")->endpoints, 1);
	assert_int_equal(incident_named(&f, "B")->endpoints, 25);
	assert_int_equal(incident_named(&f, "C")->endpoints, 9);
	fixture_done(&f);
}

static void a_summary_is_known_by_its_id(void **state)
{
	(void)state;
	assert_int_equal(rate_limit_number("abcd-42-storm"), 42);
	assert_int_equal(rate_limit_number("abcd-42-stall"), 0);
	assert_int_equal(rate_limit_number("abcd-42-storm-"), 0);
	assert_int_equal(rate_limit_number("abcd"), 0);
	assert_int_equal(rate_limit_number("-"), 0);
	assert_int_equal(rate_limit_number(""), 0);
}

/* 70 lesser pages, then P1s: as many of those as the limit go as if the others were not there. */
static void lesser_pages_never_hold_up_what_is_urgent(void **state)
{
	static const uint32_t lesser[] = { 2, 3 };

	(void)state;
	for (size_t l = 0; l < 2; l++) {
		struct fixture f;
		char text[128], instance[16];

		start(&f, 60);
		for (unsigned i = 0; i < 70; i++) {
			snprintf(instance, sizeof instance, "%u", i);
			raise_at(&f, 1, lesser[l], "NOISE", instance);
		}
		/* A held one that has become urgent goes too, and so does a flood of them. */
		raise_at(&f, 2, 1, "NOISE", "69");
		text_buffer_done(&f.told);
		for (unsigned i = 0; i < 59; i++) {
			snprintf(instance, sizeof instance, "%u", i);
			raise_at(&f, 3, 1, "P", instance);
			snprintf(text, sizeof text,
				 "3.000 firing P1 P instance=%u #%u x1 page: m\n", i, 72 + i);
			assert_told(&f, text);
		}
		raise_at(&f, 4, 1, "P", "more");
		assert_told(&f, "4.000 firing P1 P instance=more #131 x1: m\n");
		/* The summary that has it waits for the first of its own kind, and no longer than a
		 * minute. */
		assert_int_equal(picture_next_deadline(f.picture), SECONDS(61));
		fixture_done(&f);
	}
}

static void a_summary_waits_a_minute_at_most_however_many_urgent_ones_go(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, 2);
	raise_at(&f, 1, 3, "A", NULL);
	raise_at(&f, 1, 3, "B", NULL);
	raise_at(&f, 2, 3, "C", NULL);
	raise_at(&f, 30, 1, "P", NULL);
	raise_at(&f, 31, 1, "Q", NULL);
	assert_int_equal(picture_next_deadline(f.picture), SECONDS(62));
	text_buffer_done(&f.told);
	advance_to(&f, 62);
	assert_told(&f, "62.000 summary P3 C +1 -0 since 2.000: C\n");
	fixture_done(&f);
}

static void a_summary_lists_open_p1s_first_and_flaps_make_room_for_them(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, 1);
	raise_at(&f, 1, 1, "FIRST", NULL);
	for (unsigned i = 0; i < RATE_LIMIT_IDS_MAX + 6; i++) {
		char instance[16];

		snprintf(instance, sizeof instance, "%u", i);
		raise_at(&f, 2, i % 2 ? 2 : 3, "FLAP", instance);
		clear_at(&f, 3, "FLAP", instance);
	}
	raise_at(&f, 4, 3, "LOW", NULL);
	raise_at(&f, 5, 1, "OPEN", "a");
	raise_at(&f, 6, 2, "MIDDLE", NULL);
	raise_at(&f, 7, 1, "OPEN", "b");
	text_buffer_done(&f.told);
	f.with_ids = true;
	advance_to(&f, 61);
	assert_non_null(strstr(f.told.ptr, ": OPEN OPEN MIDDLE LOW FLAP(ended) "));
	/* Each flap that found no room, or made it, was two pages. */
	assert_non_null(strstr(f.told.ptr, " 20 unlisted "));
	fixture_done(&f);
}

static void past_its_room_a_summary_only_counts(void **state)
{
	struct fixture f;

	(void)state;
	start(&f, 1);
	f.with_ids = true;
	for (unsigned i = 0; i < RATE_LIMIT_IDS_MAX + 10; i++) {
		char instance[16];

		snprintf(instance, sizeof instance, "%u", i);
		raise_at(&f, 1, 1, "A", instance);
	}
	text_buffer_done(&f.told);
	advance_to(&f, 61);
	assert_non_null(strstr(f.told.ptr, " +73 -0 "));
	assert_non_null(strstr(f.told.ptr, " 9 unlisted "));
	assert_non_null(strstr(f.told.ptr, "61.000 firing P3 CAPACITY_REACHED instance=summary "));
	for (const struct incident *i = alerts_newest(picture_alerts(f.picture)); i; i = i->next)
		assert_int_equal(i->endpoints, strcmp(i->code, "CAPACITY_REACHED") != 0);
	fixture_done(&f);
}

/* Pages at random times, against a list of all that went. */
static void within_any_minute_no_more_than_the_limit_go(void **state)
{
	static const uint64_t limits[] = { 1, 2, 7, 1023, 1024, 1025, 3000 };
	struct rate_limit *s = calloc(1, sizeof *s);
	enum { PAGES = 20000 };
	uint64_t *went = calloc(PAGES, sizeof *went), dice = 3;

	(void)state;
	for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
		size_t n = 0, from = 0;
		uint64_t now = NS_PER_S;
		bool exact = limits[l] < RATE_LIMIT_GROUPS_MAX;

		rate_limit_init(s, limits[l]);
		for (unsigned i = 0; i < PAGES; i++) {
			now += random_next(&dice, 100) * NS_PER_S * 2 / limits[l];
			while (from < n && went[from] + RATE_LIMIT_MINUTE_NS <= now)
				from++;
			struct moment at = { now, now };
			bool held = rate_limit_holds(s, false, at);

			if (exact)
				assert_int_equal(held, n - from >= limits[l]);
			assert_true(held || n - from < limits[l]);
			if (held)
				continue;
			rate_limit_note(s, false, at);
			went[n++] = now;
			assert_true(s->all.n_groups < RATE_LIMIT_GROUPS_MAX || exact);
		}
		assert_true(n > PAGES / 4);
	}
	free(went);
	free(s);
}

static void a_limit_changed_meanwhile_is_kept_from_then_on(void **state)
{
	struct rate_limit *s = calloc(1, sizeof *s);
	struct incident i = { .id = "e-7-call", .code = (char[]){ "A" }, .priority = 2 };

	(void)state;
	rate_limit_init(s, 3);
	for (unsigned n = 1; n <= 3; n++)
		rate_limit_note(s, false, at_s(n));
	rate_limit_hold(s, &i, PAGE_RAISED, "e", 1, at_s(10));
	assert_int_equal(rate_limit_due(s), SECONDS(61));
	s->limit = 1;
	assert_int_equal(rate_limit_due(s), SECONDS(63));
	s->limit = 4;
	assert_int_equal(rate_limit_due(s), SECONDS(10));
	s->limit = 0;
	assert_int_equal(rate_limit_due(s), SECONDS(10));
	assert_true(rate_limit_holds(s, false, at_s(11)));
	rate_limit_told(s, at_s(11));
	assert_false(rate_limit_holds(s, false, at_s(11)));
	assert_int_equal(rate_limit_due(s), UINT64_MAX);
	free(s);
}

static void at_the_end_of_time_a_summary_is_not_due_and_does_no_harm(void **state)
{
	struct fixture f;
	struct moment end = { UINT64_MAX, UINT64_MAX };
	struct record r = alert_of(TOCSIN_ALERT_RAISE, 1, "A", NULL, NULL, "m");

	(void)state;
	start(&f, 1);
	for (unsigned i = 1; i < 4; i++) {
		r.instance = (tocsin_str){ "abcd", i };
		picture_apply(f.picture, &r, i, end);
	}
	picture_advance(f.picture, end);
	picture_page_waiting(f.picture, end);
	assert_int_equal(f.out_of_order, 0);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(over_the_limit_one_summary_takes_the_rest),
		cmocka_unit_test(a_summary_is_one_of_the_pages_that_count),
		cmocka_unit_test(what_comes_while_a_summary_waits_does_not_overtake_it),
		cmocka_unit_test(a_held_incident_counts_as_paged),
		cmocka_unit_test(a_summary_goes_where_what_it_resolves_was_paged),
		cmocka_unit_test(what_says_that_pages_are_missing_is_never_held),
		cmocka_unit_test(pages_that_nobody_gets_take_no_place),
		cmocka_unit_test(deadlines_of_one_time_come_before_the_summary),
		cmocka_unit_test(when_nobody_will_be_there_later_the_summary_is_told_at_once),
		cmocka_unit_test(two_summaries_never_have_one_id),
		cmocka_unit_test(a_summary_that_fails_over_takes_its_incidents_along),
		cmocka_unit_test(a_summary_is_known_by_its_id),
		cmocka_unit_test(lesser_pages_never_hold_up_what_is_urgent),
		cmocka_unit_test(a_summary_waits_a_minute_at_most_however_many_urgent_ones_go),
		cmocka_unit_test(a_summary_lists_open_p1s_first_and_flaps_make_room_for_them),
		cmocka_unit_test(past_its_room_a_summary_only_counts),
		cmocka_unit_test(within_any_minute_no_more_than_the_limit_go),
		cmocka_unit_test(a_limit_changed_meanwhile_is_kept_from_then_on),
		cmocka_unit_test(at_the_end_of_time_a_summary_is_not_due_and_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

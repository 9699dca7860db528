/* SPDX-License-Identifier: MIT */
/* Which incidents are paged, and which stay remembered when there are too many. */
#include "config.h"
#include "alerts_desk.h"

#include <errno.h>

static void raised_again_it_counts_up_and_is_not_paged_again(void **state)
{
	struct desk *d = *state;

	raise_call(d, 1, 1, "A", "x");
	raise_call(d, 2, 1, "A", "x");
	raise_call(d, 3, 1, "A", "y");
	assert_desk(d, "1 A instance=x firing x1 P1 page\n"
		       "2 A instance=x firing x2 P1\n"
		       "3 A instance=y firing x1 P1 page\n");
	assert_int_equal(newest(d, 3)->next->number, 2);
	assert_int_equal(newest(d, 3)->next->opened.clock_ns, SECONDS(1));
	assert_int_equal(newest(d, 3)->next->raised.clock_ns, SECONDS(2));
}

static void after_the_repeat_interval_a_raise_is_paged_again(void **state)
{
	struct desk *d = *state;

	raise_call(d, 0, 1, "A", NULL);
	raise_call(d, 14399, 1, "A", NULL);
	raise_call(d, 14400, 1, "A", NULL);
	raise_call(d, 28799, 1, "A", NULL);
	raise_call(d, 28800, 1, "A", NULL);
	assert_desk(d, "0 A firing x1 P1 page\n"
		       "14399 A firing x2 P1\n"
		       "14400 A firing x3 P1 repeat\n"
		       "28799 A firing x4 P1\n"
		       "28800 A firing x5 P1 repeat\n");
	assert_int_equal(newest(d, 28800)->repeats, 2);
}

static void a_repeat_interval_of_zero_never_repeats(void **state)
{
	struct alerts_settings s = settings_of_fixture();

	(void)state;
	s.repeat_interval_ns = 0;
	void *desk;
	assert_int_equal(make_with(&desk, &s), 0);
	struct desk *d = desk;
	raise_call(d, 0, 1, "A", NULL);
	raise_call(d, 1e6, 1, "A", NULL);
	assert_desk(d, "0 A firing x1 P1 page\n1000000 A firing x2 P1\n");
	drop(&desk);
}

/* YELLOW, RED, GREEN, RED of one key, and what is like it. */
static void a_severity_that_falls_and_rises_again_is_paged_when_it_had_been_lower(void **state)
{
	static const struct {
		double s[5];
		uint32_t priority[5];
		const char *pages; /* of each raise: p first, r repeat, - none */
		uint32_t worst;
	} rows[] = {
		{ { 0, 10, 20, 80 }, { 2, 1, 3, 1 }, "pr-r", 1 },
		{ { 0, 10, 20, 79.9 }, { 2, 1, 3, 1 }, "pr--", 1 },
		{ { 0, 10, 20, 80, 200 }, { 1, 2, 3, 2, 1 }, "p--rr", 1 },
		{ { 0, 10, 70, 130, 131 }, { 1, 3, 3, 2, 1 }, "p--rr", 1 },
		{ { 0, 10, 40, 60, 100 }, { 1, 3, 2, 2, 1 }, "p---r", 1 },
		{ { 0, 10, 14400, 14405 }, { 1, 3, 3, 1 }, "p-rr", 1 },
		{ { 0, 50, 60, 110, 130 }, { 1, 2, 1, 2, 1 }, "p----", 1 },
		{ { 0, 100, 200, 300 }, { 3, 3, 2, 2 }, "p-r-", 2 },
		{ { 0, 100, 200, 300 }, { 1, 1, 1, 1 }, "p---", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct text_buffer want = { 0 };
		void *desk;

		make(&desk);
		for (size_t j = 0; j < strlen(rows[i].pages); j++) {
			char page = rows[i].pages[j];

			raise_call(desk, rows[i].s[j], rows[i].priority[j], "A", NULL);
			text_buffer_printf(&want, "%.0f A firing x%zu P%" PRIu32 "%s\n",
					   rows[i].s[j], j + 1, rows[i].priority[j],
					   page == 'p'   ? " page"
					   : page == 'r' ? " repeat"
							 : "");
		}
		assert_int_equal(newest(desk, 20000)->worst, rows[i].worst);
		assert_desk(desk, want.ptr);
		text_buffer_done(&want);
		drop(&desk);
	}
}

static void a_rise_in_priority_is_paged_at_once_and_stays(void **state)
{
	struct desk *d = *state;

	raise_call(d, 1, 3, "A", NULL);
	raise_call(d, 2, 2, "A", NULL);
	raise_call(d, 3, 3, "A", NULL);
	raise_call(d, 4, 2, "A", NULL);
	raise_call(d, 5, 1, "A", NULL);
	clear_call(d, 6, "A", NULL);
	assert_desk(d, "1 A firing x1 P3 page\n"
		       "2 A firing x2 P2 repeat\n"
		       "3 A firing x3 P3\n"
		       "4 A firing x4 P2\n"
		       "5 A firing x5 P1 repeat\n"
		       "6 A resolved x5 P1 resolved-page\n");
}

static void a_rules_alert_is_paged_when_it_stays_open(void **state)
{
	struct desk *d = *state;
	const char *key;

	assert_int_equal(alerts_next_deadline(d->alerts, &key), UINT64_MAX);
	assert_null(key);
	raise_rule(d, 1, "DATA_FEED_DOWN", "b");
	raise_rule(d, 1, "DATA_FEED_DOWN", "a");
	raise_rule(d, 2, "DATA_FEED_DOWN", "b");
	assert_int_equal(alerts_next_deadline(d->alerts, &key), SECONDS(6));
	assert_string_equal(key, "DATA_FEED_DOWN source=a");
	alerts_fire(d->alerts, at_s(6));
	alerts_next_deadline(d->alerts, &key);
	assert_string_equal(key, "DATA_FEED_DOWN source=b");
	alerts_fire(d->alerts, at_s(6));
	assert_int_equal(alerts_next_deadline(d->alerts, &key), UINT64_MAX);
	alerts_fire(d->alerts, at_s(7));
	assert_desk(d, "1 DATA_FEED_DOWN source=b firing x1 P1\n"
		       "1 DATA_FEED_DOWN source=a firing x1 P1\n"
		       "2 DATA_FEED_DOWN source=b firing x2 P1\n"
		       "6 DATA_FEED_DOWN source=a firing x1 P1 page\n"
		       "6 DATA_FEED_DOWN source=b firing x2 P1 page\n");
}

static void resolved_before_its_time_it_is_never_paged(void **state)
{
	struct desk *d = *state;
	const char *key;

	raise_rule(d, 1, "DATA_FEED_DOWN", "a");
	raise_rule(d, 2, "DATA_FEED_DOWN", "b");
	assert_int_equal(clear_rule(d, 3, "DATA_FEED_DOWN", "a"), 0);
	assert_int_equal(alerts_next_deadline(d->alerts, &key), SECONDS(7));
	assert_int_equal(clear_rule(d, 4, "DATA_FEED_DOWN", "b"), 0);
	assert_int_equal(alerts_next_deadline(d->alerts, &key), UINT64_MAX);
	assert_desk(d, "1 DATA_FEED_DOWN source=a firing x1 P1\n"
		       "2 DATA_FEED_DOWN source=b firing x1 P1\n"
		       "3 DATA_FEED_DOWN source=a resolved x1 P1\n"
		       "4 DATA_FEED_DOWN source=b resolved x1 P1\n");
}

static void the_setting_overrides_every_page_after(void **state)
{
	struct alerts_settings s = settings_of_fixture();
	void *desk;

	(void)state;
	s.has_page_after = true;
	assert_int_equal(make_with(&desk, &s), 0);
	raise_rule(desk, 1, "DATA_FEED_DOWN", "a");
	assert_desk(desk, "1 DATA_FEED_DOWN source=a firing x1 P1 page\n");
	drop(&desk);
	s.page_after_ns = SECONDS(60);
	assert_int_equal(make_with(&desk, &s), 0);
	raise_rule(desk, 1, "DRIFT_HIGH", "a");
	raise_call(desk, 1, 0, "DRIFT_HIGH", "a");
	assert_desk(desk, "1 DRIFT_HIGH source=a firing x1 P2\n"
			  "1 DRIFT_HIGH instance=a firing x1 P2 page\n");
	drop(&desk);
}

static void fill(struct desk *d, uint32_t priority, unsigned n)
{
	char instance[16];

	for (unsigned i = 0; i < n; i++) {
		snprintf(instance, sizeof instance, "%" PRIu32 "-%u", priority, i);
		raise_call(d, 1, priority, "A", instance);
	}
	text_buffer_done(&d->told);
	d->told = (struct text_buffer){ 0 };
}

static void what_fell_from_p1_is_not_the_first_to_make_room(void **state)
{
	struct desk *d = *state;

	raise_call(d, 1, 1, "FELL", NULL);
	raise_call(d, 1, 3, "FELL", NULL);
	fill(d, 2, ALERTS_OPEN_MAX - 1);
	raise_call(d, 2, 1, "NEW", NULL);
	tocsin_str none = { NULL, 0 };
	assert_non_null(alerts_find(d->alerts, false, STR("FELL"), none, none, none));
}

static bool is_open(struct desk *d, const char *instance)
{
	tocsin_str none = { NULL, 0 };

	return alerts_find(d->alerts, false, STR("A"), none, none, str(instance)) != NULL;
}

static void of_too_many_open_the_least_goes_first(void **state)
{
	struct desk *d = *state;

	fill(d, 1, ALERTS_OPEN_MAX - 3);
	fill(d, 3, 2);
	fill(d, 2, 1);
	raise_call(d, 2, 1, "NEW", "1");
	assert_int_equal(alerts_open(d->alerts), ALERTS_OPEN_MAX);
	assert_false(is_open(d, "3-0"));
	assert_true(is_open(d, "3-1"));
	raise_call(d, 2, 2, "NEW", "2");
	assert_false(is_open(d, "3-1"));
	raise_call(d, 2, 2, "NEW", "3");
	assert_false(is_open(d, "2-0"));
	raise_call(d, 2, 3, "NEW", "4");
	assert_int_equal(alerts_open(d->alerts), ALERTS_OPEN_MAX);
	tocsin_str none = { NULL, 0 };
	assert_null(alerts_find(d->alerts, false, STR("NEW"), none, none, STR("4")));
	for (unsigned i = 0; i < ALERTS_OPEN_MAX - 3; i++) {
		char instance[16];

		snprintf(instance, sizeof instance, "1-%u", i);
		assert_true(is_open(d, instance));
	}
}

static void a_p1_without_room_is_told_and_paged_but_not_remembered(void **state)
{
	struct desk *d = *state;
	const char *key;

	fill(d, 1, ALERTS_OPEN_MAX);
	raise_call(d, 2, 1, "B", NULL);
	raise_rule(d, 3, "DATA_FEED_DOWN", "a");
	assert_desk(d, "2 B firing x1 P1 page\n"
		       "3 DATA_FEED_DOWN source=a firing x1 P1 page\n");
	assert_int_equal(alerts_open(d->alerts), ALERTS_OPEN_MAX);
	assert_int_equal(alerts_next_deadline(d->alerts, &key), UINT64_MAX);
	assert_int_equal(clear_call(d, 4, "B", NULL), -ENOENT);
	assert_int_equal(alerts_raised(d->alerts, 1), ALERTS_OPEN_MAX + 2);
	assert_int_equal(clear_call(d, 4, "A", "1-7"), 0);
	raise_call(d, 5, 1, "B", NULL);
	assert_int_equal(clear_call(d, 6, "B", NULL), 0);
}

static void one_that_waited_for_its_page_may_be_pushed_out(void **state)
{
	struct desk *d = *state;
	const char *key;

	struct alerts_settings s = settings_of_fixture();
	s.has_page_after = true;
	s.page_after_ns = SECONDS(60);
	void *desk;
	assert_int_equal(make_with(&desk, &s), 0);
	d = desk;
	raise_rule(d, 1, "DRIFT_HIGH", "a");
	fill(d, 1, ALERTS_OPEN_MAX - 1);
	assert_int_equal(alerts_next_deadline(d->alerts, &key), SECONDS(61));
	raise_call(d, 2, 1, "NEW", NULL);
	assert_int_equal(alerts_next_deadline(d->alerts, &key), UINT64_MAX);
	drop(&desk);
}

static void of_too_many_resolved_the_first_resolved_goes(void **state)
{
	struct desk *d = *state;
	unsigned n = 0;
	char instance[16];

	for (unsigned i = 0; i < ALERTS_RECENT_MAX + 10; i++) {
		snprintf(instance, sizeof instance, "%u", i);
		raise_call(d, 1, 1, "A", instance);
		assert_int_equal(clear_call(d, 1, "A", instance), 0);
	}
	for (const struct incident *i = newest(d, 2); i; i = i->next)
		n++;
	assert_int_equal(n, ALERTS_RECENT_MAX);
	assert_string_equal(newest(d, 2)->instance, "521");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define with(test) cmocka_unit_test_setup_teardown(test, make, drop)
		with(raised_again_it_counts_up_and_is_not_paged_again),
		with(after_the_repeat_interval_a_raise_is_paged_again),
		with(a_repeat_interval_of_zero_never_repeats),
		with(a_rise_in_priority_is_paged_at_once_and_stays),
		with(a_severity_that_falls_and_rises_again_is_paged_when_it_had_been_lower),
		with(what_fell_from_p1_is_not_the_first_to_make_room),
		with(a_rules_alert_is_paged_when_it_stays_open),
		with(resolved_before_its_time_it_is_never_paged),
		with(the_setting_overrides_every_page_after),
		with(of_too_many_open_the_least_goes_first),
		with(a_p1_without_room_is_told_and_paged_but_not_remembered),
		with(one_that_waited_for_its_page_may_be_pushed_out),
		with(of_too_many_resolved_the_first_resolved_goes),
#undef with
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

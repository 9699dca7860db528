/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/tool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "base/moment.h"
#include "base/text.h"

/* 2026-08-03T09:56:36Z */
#define NOW (UINT64_C(1785750996) * NS_PER_S)

static uint64_t parse(const char *text, bool utc)
{
	uint64_t ns = 0;

	assert_int_equal(tool_parse_time(text, NOW, utc, TIME_EARLIER, &ns), 0);
	return ns / NS_PER_S;
}

static int use_berlin(void **state)
{
	(void)state;
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	return 0;
}

static void times_are_read_as_people_write_them(void **state)
{
	(void)state;
	assert_int_equal(parse("now", false), 1785750996);
	assert_int_equal(parse("-24h", false), 1785750996 - 86400);
	assert_int_equal(parse("+5m", false), 1785750996 + 300);
	assert_int_equal(parse("2026-08-03T09:56:36Z", false), 1785750996);
	assert_int_equal(parse("2026-08-03 09:56:36", true), 1785750996);
	assert_int_equal(parse("2026-08-03 11:56:36", false), 1785750996);
	assert_int_equal(parse("2026-08-03 11:56", false), 1785750960);
	assert_int_equal(parse("2026-08-03", true), 1785715200);
	assert_int_equal(parse("today", true), 1785715200);
	assert_int_equal(parse("today", false), 1785715200 - 7200);
	assert_int_equal(parse("yesterday", true), 1785715200 - 86400);
}

static void a_local_time_that_comes_twice_or_never_is_taken_from_the_side_asked_for(void **state)
{
	static const struct {
		const char *zone, *text;
		uint64_t earlier, later;
	} rows[] = {
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25 01:59", 1792886340, 1792886340 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25 02:00", 1792886400, 1792890000 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25 02:30:10", 1792888210, 1792891810 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25 03:00", 1792893600, 1792893600 },
		/* It never comes. */
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29 02:30", 1774744200, 1774747800 },
		/* By half an hour only, in the other half of the year. */
		{ "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-04-05 01:45", 1775313900,
		  1775315700 },
		/* At midnight, so that the day begins twice. */
		{ "<-01>1<+00>,M3.5.0/0,M10.5.0/1", "2026-10-25", 1792886400, 1792890000 },
		{ "UTC", "2026-10-25 02:30", 1792895400, 1792895400 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t ns = 0;

		setenv("TZ", rows[i].zone, 1);
		tzset();
		assert_int_equal(tool_parse_time(rows[i].text, NOW, false, TIME_EARLIER, &ns), 0);
		assert_int_equal(ns / NS_PER_S, rows[i].earlier);
		assert_int_equal(tool_parse_time(rows[i].text, NOW, false, TIME_LATER, &ns), 0);
		assert_int_equal(ns / NS_PER_S, rows[i].later);
	}
}

static void what_is_no_time_is_refused_and_leaves_the_output_alone(void **state)
{
	static const char *const wrong[] = { "",         "noon",       "-",
					     "-5",       "2026-13-01", "2026",
					     "-24hours", "-24h ",      "2026-08-03 10" };
	uint64_t ns = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(tool_parse_time(wrong[i], NOW, true, TIME_EARLIER, &ns), -EINVAL);
		assert_int_equal(ns, 7);
	}
}

static void numbers_keep_to_their_bounds(void **state)
{
	static const char *const wrong[] = { "",  "-1",  "+1", " 1",
					     "0", "101", "1x", "99999999999999999999" };
	uint64_t n = 0;

	(void)state;
	assert_int_equal(tool_parse_number("100", 1, 100, &n), 0);
	assert_int_equal(n, 100);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(tool_parse_number(wrong[i], 1, 100, &n), -EINVAL);
}

static void options_are_split_at_the_first_equals_sign(void **state)
{
	struct tool_options o = { 0 };

	(void)state;
	assert_int_equal(tool_options_parse(&o, "webhook.url=http://h/?a=b"), 0);
	assert_true(str_is(o.kv[0].key, "webhook.url"));
	assert_true(str_is(o.kv[0].value, "http://h/?a=b"));
	assert_true(tool_options_has(&o, "webhook.url"));
	assert_false(tool_options_has(&o, "webhook"));
	assert_int_equal(tool_options_parse(&o, "webhook.url"), -EINVAL);
	assert_int_equal(tool_options_parse(&o, "=x"), -EINVAL);
	while (o.n < TOOL_OPTIONS_MAX)
		assert_int_equal(tool_options_add(&o, "a", "b"), 0);
	assert_int_equal(tool_options_parse(&o, "a=b"), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(times_are_read_as_people_write_them, use_berlin),
		cmocka_unit_test(
			a_local_time_that_comes_twice_or_never_is_taken_from_the_side_asked_for),
		cmocka_unit_test(what_is_no_time_is_refused_and_leaves_the_output_alone),
		cmocka_unit_test(numbers_keep_to_their_bounds),
		cmocka_unit_test(options_are_split_at_the_first_equals_sign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

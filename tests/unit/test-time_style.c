/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/time_style.h"

#include "test.h"
#include <time.h>
#include "base/text.h"

#define SUMMER (UINT64_C(1785750996) * NS_PER_S) /* 2026-08-03T09:56:36Z */
#define WINTER (UINT64_C(1795387451) * NS_PER_S) /* 2026-11-22T22:44:11Z */

static int use_berlin(void **state)
{
	(void)state;
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	return 0;
}

static void expect(struct time_style *s, const char *title, uint64_t wall_ns, const char *text)
{
	char buf[TIME_TEXT_SIZE];

	assert_string_equal(time_style_title(s, "RAISED", buf), title);
	assert_true(str_is(time_style_text(s, wall_ns, buf), text));
}

static void one_offset_stands_in_the_title(void **state)
{
	struct time_style s = { 0 };

	(void)state;
	time_style_add(&s, SUMMER);
	time_style_add(&s, SUMMER + NS_PER_S);
	expect(&s, "RAISED (+02:00)", SUMMER, "2026-08-03 11:56:36");
}

static void offsets_that_differ_stand_in_each_row(void **state)
{
	struct time_style s = { 0 };

	(void)state;
	time_style_add(&s, SUMMER);
	time_style_add(&s, WINTER);
	expect(&s, "RAISED (local)", SUMMER, "2026-08-03 11:56:36.000 +02:00");
	expect(&s, "RAISED (local)", WINTER, "2026-11-22 23:44:11.000 +01:00");
}

static void utc_has_no_offset(void **state)
{
	struct time_style s = { .utc = true };

	(void)state;
	time_style_add(&s, SUMMER);
	time_style_add(&s, WINTER);
	expect(&s, "RAISED (UTC)", WINTER, "2026-11-22 22:44:11");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_offset_stands_in_the_title, use_berlin),
		cmocka_unit_test_setup(offsets_that_differ_stand_in_each_row, use_berlin),
		cmocka_unit_test_setup(utc_has_no_offset, use_berlin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

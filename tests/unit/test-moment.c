/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/moment.h"
#include "base/text.h"

static void a_moment_moves_both_its_times(void **state)
{
	struct moment now = { 1000, 5000 };

	(void)state;
	assert_int_equal(moment_at(now, 1300).wall_ns, 5300);
	assert_int_equal(moment_at(now, 1300).clock_ns, 1300);
	assert_int_equal(moment_at(now, 400).wall_ns, 4400);
}

static void clocks_run_forward(void **state)
{
	uint64_t a = clock_monotonic_ns(), b = clock_monotonic_ns();

	(void)state;
	assert_true(b >= a && a > 0);
	assert_true(clock_realtime_ns() > UINT64_C(1600000000) * NS_PER_S);
}

static void rfc3339_has_microseconds_in_utc(void **state)
{
	char buf[TIME_TEXT_SIZE];

	(void)state;
	assert_string_equal(time_to_rfc3339(0, buf), "1970-01-01T00:00:00.000000Z");
	assert_string_equal(time_to_rfc3339(UINT64_C(1785750996584631999), buf),
			    "2026-08-03T09:56:36.584631Z");
	assert_string_equal(time_to_rfc3339(UINT64_MAX, buf), "2554-07-21T23:34:33.709551Z");
}

static void what_rfc3339_is_written_is_read_again(void **state)
{
	static const uint64_t times[] = {
		0,
		1,
		(UINT64_C(1) << 53) + 1,
		UINT64_C(1785750996584631000),
		INT64_MAX,
		INT64_MAX + UINT64_C(1),
		UINT64_MAX - 1,
		UINT64_MAX,
	};
	char buf[TIME_TEXT_SIZE];
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		assert_int_equal(time_from_rfc3339(str(time_to_rfc3339(times[i], buf)), &ns), 0);
		assert_true(ns == times[i] - times[i] % 1000);
	}
	/* The first text past what 64 bits hold. */
	assert_int_equal(time_from_rfc3339(STR("2554-07-21T23:34:33.709551616Z"), &ns), -EINVAL);
	assert_int_equal(time_from_rfc3339(STR("2554-07-21T23:34:34Z"), &ns), -EINVAL);
}

static void local_times_name_their_offset(void **state)
{
	char buf[TIME_TEXT_SIZE];
	uint64_t t = UINT64_C(1785750996584631999);

	(void)state;
	setenv("TZ", "XXX-2", 1);
	tzset();
	assert_string_equal(time_to_local(t, false, buf), "2026-08-03 11:56:36.584 +02:00");
	assert_string_equal(time_to_local(t, true, buf), "2026-08-03 09:56:36.584Z");
	setenv("TZ", "YYY3:30", 1);
	tzset();
	assert_string_equal(time_to_local(t, false, buf), "2026-08-03 06:26:36.584 -03:30");
	unsetenv("TZ");
	tzset();
}

static void rfc3339_is_read_with_any_offset_and_fraction(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-08-03T09:56:36.584631Z", UINT64_C(1785750996584631000) },
		{ "2026-08-03T11:56:36.584631+02:00", UINT64_C(1785750996584631000) },
		{ "2026-08-03 06:26:36.584631-03:30", UINT64_C(1785750996584631000) },
		{ "2026-08-03t09:56:36.5z", UINT64_C(1785750996500000000) },
		{ "2026-08-03T09:56:36.123456789123Z", UINT64_C(1785750996123456789) },
		{ "2024-02-29T00:00:00Z", UINT64_C(1709164800000000000) },
		{ "1969-12-31T23:00:00-01:00", 0 },
		{ "2016-12-31T23:59:60Z", UINT64_C(1483228800000000000) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t ns = 1;

		assert_int_equal(time_from_rfc3339(str(cases[i].text), &ns), 0);
		assert_int_equal(ns, cases[i].ns);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"2026",
		"2026-08-03",
		"2026-08-03T09:56:36",
		"2026-08-03T09:56:36.Z",
		"2026-02-29T00:00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-01-00T00:00:00Z",
		"2026-08-03T24:00:00Z",
		"2026-08-03T09:56:36+0200",
		"2026-08-03T09:56:36Z ",
		"1969-12-31T23:59:59Z",
		"9999-01-01T00:00:00Z",
		"-026-08-03T09:56:36Z",
		"2026-08-03T09:56:36\xff",
	};
	uint64_t ns = 7;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(time_from_rfc3339(str(cases[i]), &ns), -EINVAL);
	assert_int_equal(time_from_rfc3339((tocsin_str){ "2026\0-08-03T09:56:36Z", 21 }, &ns),
			 -EINVAL);
	assert_int_equal(ns, 7);
}

static void a_time_survives_being_written_and_read(void **state)
{
	char buf[TIME_TEXT_SIZE];

	(void)state;
	for (uint64_t t = 0; t < UINT64_C(18000000000) * NS_PER_S;
	     t += UINT64_C(77777777123456000)) {
		uint64_t back = 0;

		assert_int_equal(time_from_rfc3339(str(time_to_rfc3339(t, buf)), &back), 0);
		assert_int_equal(back, t);
	}
}

static void durations_read_well(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "0.0 s" },
		{ 500 * NS_PER_MS, "0.5 s" },
		{ 5 * NS_PER_S, "5.0 s" },
		{ 25 * NS_PER_S, "25.0 s" },
		{ 59949 * NS_PER_MS, "59.9 s" },
		{ 59950 * NS_PER_MS, "1 min" },
		{ 90 * NS_PER_S, "1 min 30 s" },
		{ 725 * NS_PER_S, "12 min" },
		{ 12000 * NS_PER_S, "3 h 20 min" },
		{ 3600 * NS_PER_S, "1 h" },
		{ 52 * 3600 * NS_PER_S, "2 d 4 h" },
		{ UINT64_MAX, "213503 d 23 h" },
	};
	char buf[TIME_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(duration_to_text(cases[i].ns, buf), cases[i].text);
}

static void durations_have_a_unit(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t ns;
	} cases[] = {
		{ "500ms", 0, 500 * NS_PER_MS },
		{ "5s", 0, 5 * NS_PER_S },
		{ "10m", 0, 600 * NS_PER_S },
		{ "1h", 0, 3600 * NS_PER_S },
		{ "2d", 0, 172800 * NS_PER_S },
		{ "0", 0, 0 },
		{ "0s", 0, 0 },
		{ "", -EINVAL, 7 },
		{ "5", -EINVAL, 7 },
		{ "s", -EINVAL, 7 },
		{ "-5s", -EINVAL, 7 },
		{ "5 s", -EINVAL, 7 },
		{ "5S", -EINVAL, 7 },
		{ "1.5s", -EINVAL, 7 },
		{ "5sx", -EINVAL, 7 },
		{ "99999999999999999999s", -ERANGE, 7 },
		{ "99999999999d", -ERANGE, 7 },
		{ "18446744073709551616ms", -ERANGE, 7 },
		{ "18446744073709551616", -EINVAL, 7 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t ns = 7;

		assert_int_equal(duration_from_text(str(cases[i].text), &ns), cases[i].r);
		assert_int_equal(ns, cases[i].ns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_moment_moves_both_its_times),
		cmocka_unit_test(clocks_run_forward),
		cmocka_unit_test(rfc3339_has_microseconds_in_utc),
		cmocka_unit_test(what_rfc3339_is_written_is_read_again),
		cmocka_unit_test(local_times_name_their_offset),
		cmocka_unit_test(rfc3339_is_read_with_any_offset_and_fraction),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(a_time_survives_being_written_and_read),
		cmocka_unit_test(durations_read_well),
		cmocka_unit_test(durations_have_a_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

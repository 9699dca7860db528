/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/event_line.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/text.h"

/* Reads a copy of exactly the line and its NUL, so that a sanitizer sees a read past it. */
static char *read_line(struct event_line *e, const char *text, size_t len, int expected)
{
	char *line = malloc(len + 1);

	assert_non_null(line);
	memcpy(line, text, len);
	line[len] = '\0';
	assert_int_equal(event_line_read(e, line, len), expected);
	return line;
}

static void refuse(const char *text, size_t column, const char *part)
{
	struct event_line e;

	free(read_line(&e, text, strlen(text), -EINVAL));
	if (!strstr(e.error, part))
		fail_msg("%s: \"%s\" does not tell \"%s\"", text, e.error, part);
	assert_int_equal(e.error_column, column);
}

static void time_of(const char *at, uint64_t ns)
{
	struct event_line e;
	char text[200];

	snprintf(text, sizeof(text), "{\"at\":%s,\"health\":\"heartbeat\"}", at);
	free(read_line(&e, text, strlen(text), 1));
	assert_int_equal(e.wall_ns, ns);
	assert_int_equal(e.health.head.wall_ns, ns);
}

static void a_session_is_read_with_its_metadata(void **state)
{
	static const char text[] =
		"{\"at\":1785750996.58,\"session\":\"created\",\"session_id\":\"shadow_001\","
		"\"meta\":{\"strategy\":\"ma_cross\",\"price\":1847.46,\"n\":1e3,\"live\":false,"
		"\"none\":null}}";
	static const char *const kv[][2] = { { "strategy", "ma_cross" },
					     { "price", "1847.46" },
					     { "n", "1e3" },
					     { "live", "false" },
					     { "none", "" } };
	struct event_line e;
	char *line = read_line(&e, text, strlen(text), 1);

	(void)state;
	assert_int_equal(e.family, EVENT_LINE_SESSION);
	assert_int_equal(e.session.head.kind, TOCSIN_SESSION_CREATED);
	assert_int_equal(e.session.head.size, sizeof(tocsin_session_event));
	assert_true(str_is(e.session.session_id, "shadow_001"));
	assert_int_equal(e.session.n_kv, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_true(str_is(e.session.kv[i].key, kv[i][0]));
		assert_true(str_is(e.session.kv[i].value, kv[i][1]));
	}
	free(line);
}

static void an_alert_is_read_whole(void **state)
{
	static const char text[] =
		" { \"at\" : \"2026-08-03T09:56:36.5Z\" , \"alert\":\"raise\",\"code\":\"X\","
		"\"priority\":\"P2\",\"message\":\"m\",\"session_id\":\"s\",\"instance\":\"i\"} \r";
	struct event_line e;
	char *line = read_line(&e, text, strlen(text), 1);

	(void)state;
	assert_int_equal(e.family, EVENT_LINE_ALERT);
	assert_int_equal(e.alert.head.kind, TOCSIN_ALERT_RAISE);
	assert_int_equal(e.alert.priority, 2);
	assert_int_equal(e.alert.reserved0, 0);
	assert_true(str_is(e.alert.code, "X"));
	assert_true(str_is(e.alert.message, "m"));
	assert_true(str_is(e.alert.session_id, "s"));
	assert_true(str_is(e.alert.instance, "i"));
	assert_int_equal(e.wall_ns, UINT64_C(1785750996500000000));
	free(line);
}

static void every_kind_of_health_is_known(void **state)
{
	static const char *const kinds[] = { "start",     "heartbeat",      "feed_up",
					     "feed_down", "feed_reconnect", "feed_pulse",
					     "drift",     "risk",           "execution_error",
					     "metadata" };
	struct event_line e;
	char text[200];

	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		snprintf(text, sizeof(text),
			 "{\"at\":1,\"health\":\"%s\",\"value\":-0.5,\"limit\":2}", kinds[i]);
		free(read_line(&e, text, strlen(text), 1));
		assert_int_equal(e.health.head.kind, i + 1);
		assert_true(e.health.value == -0.5 && e.health.limit == 2);
	}
}

static void times_keep_every_digit(void **state)
{
	(void)state;
	time_of("1785750996.584631", UINT64_C(1785750996584631000));
	time_of("1785750996", UINT64_C(1785750996000000000));
	time_of("1785750996.1234567891", UINT64_C(1785750996123456789));
	time_of("0.000001", 1000);
	time_of("\"2026-08-03T11:56:36.584631+02:00\"", UINT64_C(1785750996584631000));
}

static void a_drift_without_a_figure_has_a_limit_that_is_none(void **state)
{
	struct event_line e;
	static const char bare[] = "{\"at\":1,\"health\":\"drift\"}";
	static const char null[] = "{\"at\":1,\"health\":\"drift\",\"value\":null}";

	(void)state;
	free(read_line(&e, bare, strlen(bare), 1));
	assert_true(isnan(e.health.limit));
	free(read_line(&e, null, strlen(null), 1));
	assert_true(isnan(e.health.value) && !isnan(e.health.limit));
}

static void escapes_become_the_bytes_they_mean(void **state)
{
	static const char text[] = "{\"at\":1,\"alert\":\"raise\",\"message\":"
				   "\"a\\u0000b\\n\\\"\\\\\\/\\u00e9\\u20ac\\ud83d\\ude00\"}";
	static const char bytes[] = "a\0b\n\"\\/\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
	struct event_line e;
	char *line = read_line(&e, text, strlen(text), 1);

	(void)state;
	assert_int_equal(e.alert.message.len, sizeof(bytes) - 1);
	assert_memory_equal(e.alert.message.ptr, bytes, sizeof(bytes) - 1);
	free(line);
}

static void bytes_that_are_not_utf8_pass_as_they_are(void **state)
{
	static const char text[] = "{\"at\":1,\"alert\":\"raise\",\"message\":\"\xff\xfe\"}";
	struct event_line e;
	char *line = read_line(&e, text, strlen(text), 1);

	(void)state;
	assert_int_equal(e.alert.message.len, 2);
	assert_memory_equal(e.alert.message.ptr, "\xff\xfe", 2);
	free(line);
}

static void blank_lines_are_no_events(void **state)
{
	struct event_line e;

	(void)state;
	free(read_line(&e, "", 0, 0));
	free(read_line(&e, " \t\r", 3, 0));
}

static void what_is_malformed_is_told_with_its_column(void **state)
{
	(void)state;
	refuse("x", 1, "expected an object");
	refuse("[1]", 1, "expected an object");
	refuse("{\"at\":1,", 9, "expected a member's name");
	refuse("{\"at\":1,}", 9, "expected a member's name");
	refuse("{\"at\" 1}", 7, "expected : ");
	refuse("{\"at\":1 \"health\":\"start\"}", 9, "expected , or }");
	refuse("{\"at\":1,\"health\":\"start\"", 25, "expected , or }");
	refuse("{\"at\":1,\"health\":\"start\"} x", 27, "end of the line");
	refuse("{\"at\":01,\"health\":\"start\"}", 7, "leading zeroes");
	refuse("{\"at\":1.,\"health\":\"start\"}", 9, "digit after the point");
	refuse("{\"at\":1e,\"health\":\"start\"}", 9, "digit in the exponent");
	refuse("{\"at\":-,\"health\":\"start\"}", 8, "a digit");
	refuse("{\"at\":tru}", 7, "a value");
	refuse("{\"at\":", 7, "a value");
	refuse("{\"at\":1,\"health\":\"sta", 22, "to end the string");
	refuse("{\"at\":1,\"health\":\"\\x\"}", 19, "an escape");
	refuse("{\"at\":1,\"health\":\"\\u12g4\"}", 23, "four hexadecimal");
	refuse("{\"at\":1,\"health\":\"\\ud800x\"}", 25, "low half");
	refuse("{\"at\":1,\"health\":\"\\udc00\"}", 19, "high half first");
	refuse("{\"at\":1,\"health\":\"a\tb\"}", 20, "no raw control");
}

static void what_is_unknown_or_missing_is_told_by_name(void **state)
{
	(void)state;
	refuse("{\"at\":1,\"health\":\"start\",\"sorce\":\"x\"}", 26, "\"sorce\": expected source");
	refuse("{\"at\":1,\"health\":\"start\",\"\\u001b[2J\":1}", 26, "\\x1b[2J");
	refuse("{\"at\":1,\"health\":\"feed_puls\"}", 18, "expected feed_pulse");
	refuse("{\"at\":1,\"health\":7}", 18, "heartbeat");
	refuse("{\"at\":1,\"health\":\"start\",\"session\":\"status\"}", 26, "found two");
	refuse("{\"at\":1,\"at\":2,\"health\":\"start\"}", 9, "twice");
	refuse("{\"health\":\"start\"}", 19, "\"at\"");
	refuse("{\"at\":1}", 9, "one of \"session\"");
	refuse("{\"at\":-1,\"health\":\"start\"}", 7, "a time");
	refuse("{\"at\":0,\"health\":\"start\"}", 7, "a time");
	refuse("{\"at\":99999999999999999999,\"health\":\"start\"}", 7, "a time");
	refuse("{\"at\":\"noon\",\"health\":\"start\"}", 7, "a time");
	refuse("{\"at\":true,\"health\":\"start\"}", 7, "a time");
	refuse("{\"at\":1,\"health\":\"start\",\"code\":\"X\"}", 26, "no \"code\"");
	refuse("{\"at\":1,\"session\":\"status\"}", 28, "session_id");
	refuse("{\"at\":1,\"session\":\"status\",\"session_id\":\"\"}", 28, "not empty");
	refuse("{\"at\":1,\"health\":\"risk\",\"value\":1}", 35, "\"limit\"");
	refuse("{\"at\":1,\"health\":\"risk\",\"value\":\"1\"}", 33, "a number");
	refuse("{\"at\":1,\"health\":\"drift\",\"source\":5}", 35, "a string");
	refuse("{\"at\":1,\"alert\":\"raise\",\"priority\":\"P4\"}", 36, "P1");
}

static void metadata_does_not_nest(void **state)
{
	(void)state;
	refuse("{\"at\":1,\"health\":\"start\",\"meta\":{\"a\":{\"b\":1}}}", 38, "do not nest");
	refuse("{\"at\":1,\"health\":\"start\",\"meta\":{\"a\":[1]}}", 38, "do not nest");
	refuse("{\"at\":1,\"health\":\"start\",\"meta\":[]}", 33, "an object");
	refuse("{\"at\":1,\"health\":\"start\",\"meta\":\"x\"}", 33, "an object");
	refuse("{\"at\":1,\"health\":{},\"meta\":1}", 18, "heartbeat");
}

static void more_metadata_than_the_maximum_is_refused(void **state)
{
	struct text_buffer b = { 0 };
	struct event_line e;

	(void)state;
	text_buffer_printf(&b, "{\"at\":1,\"health\":\"start\",\"meta\":{\"k\":0");
	for (int i = 0; i < EVENT_LINE_KV_MAX; i++)
		text_buffer_printf(&b, ",\"k%d\":%d", i, i);
	text_buffer_printf(&b, "}}");
	assert_false(b.failed);
	assert_int_equal(event_line_read(&e, b.ptr, b.len), -EINVAL);
	assert_non_null(strstr(e.error, "at most 256"));
	text_buffer_done(&b);
}

static void no_cut_or_flip_of_a_line_is_read_past_its_end(void **state)
{
	static const char text[] = "{\"at\":1.5,\"alert\":\"raise\",\"message\":"
				   "\"\\ud83d\\ude00\\n\",\"meta\":{\"a\":-1e5}}";
	struct event_line e;

	(void)state;
	for (size_t len = 1; len < strlen(text); len++)
		free(read_line(&e, text, len, -EINVAL));
	for (size_t i = 0; i < strlen(text); i++) {
		char *line = strdup(text);

		line[i] = (char)(line[i] ^ 0x15);
		int r = event_line_read(&e, line, strlen(text));
		assert_true(r == 1 || r == -EINVAL);
		if (r < 0)
			assert_in_range(e.error_column, 1, strlen(text) + 1);
		free(line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_read_with_its_metadata),
		cmocka_unit_test(an_alert_is_read_whole),
		cmocka_unit_test(every_kind_of_health_is_known),
		cmocka_unit_test(times_keep_every_digit),
		cmocka_unit_test(a_drift_without_a_figure_has_a_limit_that_is_none),
		cmocka_unit_test(escapes_become_the_bytes_they_mean),
		cmocka_unit_test(bytes_that_are_not_utf8_pass_as_they_are),
		cmocka_unit_test(blank_lines_are_no_events),
		cmocka_unit_test(what_is_malformed_is_told_with_its_column),
		cmocka_unit_test(what_is_unknown_or_missing_is_told_by_name),
		cmocka_unit_test(metadata_does_not_nest),
		cmocka_unit_test(more_metadata_than_the_maximum_is_refused),
		cmocka_unit_test(no_cut_or_flip_of_a_line_is_read_past_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>
#include <math.h>

#include "base/text.h"
#include "record/record.h"
#include "../record_bytes.h"

static uint8_t bytes[RECORD_SIZE_MAX];

static tocsin_event head_of(uint32_t size, uint32_t kind)
{
	return (tocsin_event){ size, kind, UINT64_C(1785750996584631000) };
}

static void assert_str(tocsin_str got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	if (got.len > 0)
		assert_memory_equal(got.ptr, want, got.len);
}

static void a_session_event_comes_back_as_it_was(void **state)
{
	(void)state;
	const tocsin_kv kv[] = { { STR("strategy"), STR("ma_cross") }, { STR("empty"), { 0 } } };
	tocsin_session_event e = {
		.head = head_of(sizeof e, TOCSIN_SESSION_STATUS),
		.session_id = STR("shadow_001"),
		.status = STR("running"),
		.kv = kv,
		.n_kv = 2,
	};
	struct record r;
	size_t len = record_of_session(&e, 42, bytes);

	assert_int_equal(record_decode(bytes, len, &r), 0);
	assert_int_equal(r.type, RECORD_SESSION);
	assert_int_equal(r.kind, TOCSIN_SESSION_STATUS);
	assert_int_equal(r.mono_ns, 42);
	assert_int_equal(r.wall_ns, UINT64_C(1785750996584631000));
	assert_str(r.session_id, "shadow_001");
	assert_str(r.status, "running");
	assert_int_equal(r.n_kv, 2);
	assert_str(r.kv[0].key, "strategy");
	assert_str(r.kv[0].value, "ma_cross");
	assert_str(r.kv[1].value, "");
	assert_false(r.truncated);
}

/* An engine's -1 is no time: the call's own counts, as for 0. */
static void a_wall_time_that_no_clock_shows_is_none(void **state)
{
	static const struct {
		uint64_t given, kept;
	} rows[] = {
		{ 0, 0 },
		{ 1, 1 },
		{ INT64_MAX, INT64_MAX },
		{ INT64_MAX + UINT64_C(1), 0 },
		{ UINT64_MAX - 1, 0 },
		{ UINT64_MAX, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		tocsin_session_event session = {
			.head = head_of(sizeof session, TOCSIN_SESSION_STATUS),
			.session_id = STR("s"),
		};
		tocsin_health_event health = { .head = head_of(sizeof health,
							       TOCSIN_HEALTH_DRIFT) };
		tocsin_alert_event alert = {
			.head = head_of(sizeof alert, TOCSIN_ALERT_RAISE),
			.code = STR("X"),
		};
		struct record r;

		session.head.wall_ns = health.head.wall_ns = alert.head.wall_ns = rows[i].given;
		assert_int_equal(record_decode(bytes, record_of_session(&session, 1, bytes), &r),
				 0);
		assert_true(r.wall_ns == rows[i].kept);
		assert_int_equal(record_decode(bytes, record_of_health(&health, 1, bytes), &r), 0);
		assert_true(r.wall_ns == rows[i].kept);
		assert_int_equal(record_decode(bytes, record_of_alert(&alert, 1, bytes), &r), 0);
		assert_true(r.wall_ns == rows[i].kept);
	}
}

static void a_health_event_keeps_its_figures(void **state)
{
	(void)state;
	tocsin_health_event e = {
		.head = head_of(sizeof e, TOCSIN_HEALTH_RISK),
		.source = STR("drawdown"),
		.session_id = STR("s"),
		.value = 0.31,
		.limit = -INFINITY,
	};
	struct record r;
	size_t len = record_of_health(&e, 1, bytes);

	assert_int_equal(record_decode(bytes, len, &r), 0);
	assert_str(r.source, "drawdown");
	assert_true(r.value == 0.31 && r.limit == -INFINITY);
	assert_true(r.has_value);
}

static void a_drift_report_without_a_limit_of_nan_has_a_value(void **state)
{
	(void)state;
	tocsin_health_event e = { .head = head_of(sizeof e, TOCSIN_HEALTH_DRIFT), .value = NAN };
	struct record r;

	assert_int_equal(record_decode(bytes, record_of_health(&e, 1, bytes), &r), 0);
	assert_true(r.has_value);
	e.limit = NAN;
	assert_int_equal(record_decode(bytes, record_of_health(&e, 1, bytes), &r), 0);
	assert_false(r.has_value);
	e.head.kind = TOCSIN_HEALTH_FEED_PULSE;
	e.limit = 0;
	assert_int_equal(record_decode(bytes, record_of_health(&e, 1, bytes), &r), 0);
	assert_false(r.has_value);
}

static void an_alert_event_comes_back_as_it_was(void **state)
{
	(void)state;
	tocsin_alert_event e = {
		.head = head_of(sizeof e, TOCSIN_ALERT_RAISE),
		.priority = 7,
		.code = STR("DATA_FEED_DOWN"),
		.message = STR("a\0b\n"),
		.session_id = STR("s"),
		.instance = STR("kraken"),
	};
	struct record r;

	assert_int_equal(record_decode(bytes, record_of_alert(&e, 1, bytes), &r), 0);
	assert_int_equal(r.priority, 3);
	assert_str(r.code, "DATA_FEED_DOWN");
	assert_int_equal(r.message.len, 4);
	assert_memory_equal(r.message.ptr, "a\0b\n", 4);
	assert_str(r.instance, "kraken");
}

static void long_texts_are_cut_at_a_character_and_marked(void **state)
{
	(void)state;
	char long_text[70000];
	tocsin_alert_event e = {
		.head = head_of(sizeof e, TOCSIN_ALERT_RAISE),
		.code = STR("X"),
		.message = { long_text, sizeof long_text },
		.session_id = { long_text, 257 },
	};
	struct record r;

	for (size_t i = 0; i < sizeof long_text; i += 2)
		memcpy(long_text + i, "\xc3\xa9", 2);
	assert_int_equal(record_decode(bytes, record_of_alert(&e, 1, bytes), &r), 0);
	assert_true(r.truncated);
	assert_int_equal(r.session_id.len, TOCSIN_ID_MAX - 1);
	assert_int_equal(r.message.len, TOCSIN_TEXT_MAX);
}

static void the_largest_event_of_each_kind_fits(void **state)
{
	(void)state;
	static char text[TOCSIN_TEXT_MAX + 100];
	tocsin_kv kv[200];
	struct record r;

	memset(text, 'x', sizeof text);
	for (size_t i = 0; i < 200; i++)
		kv[i] = (tocsin_kv){ { text, 1 }, { text, i == 0 ? TOCSIN_TEXT_MAX - 70 : 1 } };
	tocsin_str id = { text, 300 };
	tocsin_alert_event a = { .head = head_of(sizeof a, TOCSIN_ALERT_RAISE),
				 .code = { text, 900 },
				 .session_id = id,
				 .instance = id,
				 .kv = kv,
				 .n_kv = 200 };
	size_t len = record_of_alert(&a, 1, bytes);
	assert_true(len <= RECORD_SIZE_MAX);
	assert_int_equal(record_decode(bytes, len, &r), 0);
	assert_true(r.truncated);
	assert_int_equal(r.code.len, 255);
	assert_true(r.n_kv > 30 && r.n_kv <= RECORD_KV_MAX);

	tocsin_session_event s = { .head = head_of(sizeof s, TOCSIN_SESSION_CREATED),
				   .session_id = id,
				   .status = id,
				   .kv = kv,
				   .n_kv = 200 };
	len = record_of_session(&s, 1, bytes);
	assert_true(len <= RECORD_SIZE_MAX);
	assert_int_equal(record_decode(bytes, len, &r), 0);
}

/* Whatever of an event lies where a slot ends, it comes back. */
static void an_event_is_spread_over_slots_wherever_they_end(void **state)
{
	(void)state;
	static char text[2 * LAYOUT_PAYLOAD];
	const tocsin_kv kv[] = { { STR("key"), STR("a value") }, { STR("n"), STR("1") } };
	tocsin_alert_event e = { .head = head_of(sizeof e, TOCSIN_ALERT_RAISE),
				 .code = STR("CODE"),
				 .kv = kv,
				 .n_kv = 2 };

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)('a' + i % 23);
	for (size_t len = 0; len <= sizeof text; len++) {
		struct record r;

		e.message = (tocsin_str){ text, len };
		assert_int_equal(record_decode(bytes, record_of_alert(&e, 1, bytes), &r), 0);
		assert_int_equal(r.message.len, len);
		if (len > 0)
			assert_memory_equal(r.message.ptr, text, len);
		assert_int_equal(r.n_kv, 2);
		assert_str(r.kv[0].key, "key");
		assert_str(r.kv[0].value, "a value");
		assert_str(r.kv[1].key, "n");
		assert_str(r.kv[1].value, "1");
	}
}

static void damaged_bytes_are_refused_and_never_overread(void **state)
{
	(void)state;
	const tocsin_kv kv[] = { { STR("k"), STR("value") } };
	tocsin_alert_event e = { .head = head_of(sizeof e, TOCSIN_ALERT_RAISE),
				 .code = STR("CODE"),
				 .message = STR("message"),
				 .kv = kv,
				 .n_kv = 1 };
	size_t len = record_of_alert(&e, 1, bytes);
	struct record r;

	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut > 0 ? cut : 1);

		assert_non_null(exact);
		memcpy(exact, bytes, cut);
		assert_int_equal(record_decode(exact, cut, &r), -EBADMSG);
		free(exact);
	}
	for (unsigned type = 0; type < 256; type++) {
		bytes[0] = (uint8_t)type;
		int got = record_decode(bytes, len, &r);
		assert_true(type == RECORD_ALERT ? got == 0 : got == -EBADMSG || got == 0);
	}
	bytes[0] = RECORD_ALERT;
	bytes[1] = 9;
	assert_int_equal(record_decode(bytes, len, &r), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_event_comes_back_as_it_was),
		cmocka_unit_test(a_wall_time_that_no_clock_shows_is_none),
		cmocka_unit_test(a_health_event_keeps_its_figures),
		cmocka_unit_test(a_drift_report_without_a_limit_of_nan_has_a_value),
		cmocka_unit_test(an_alert_event_comes_back_as_it_was),
		cmocka_unit_test(long_texts_are_cut_at_a_character_and_marked),
		cmocka_unit_test(the_largest_event_of_each_kind_fits),
		cmocka_unit_test(an_event_is_spread_over_slots_wherever_they_end),
		cmocka_unit_test(damaged_bytes_are_refused_and_never_overread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

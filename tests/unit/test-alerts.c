/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "alerts_desk.h"

#include <errno.h>

static void a_p1_is_told_and_paged(void **state)
{
	struct desk *d = *state;

	raise_call(d, 1, 1, "RISK_LIMIT_BREACH", NULL);
	assert_desk(d, "1 RISK_LIMIT_BREACH firing x1 P1 page\n");
	const struct incident *i = newest(d, 1);
	assert_true(i->open);
	assert_int_equal(i->number, 1);
	assert_int_equal(i->paged_priority, 1);
	assert_string_equal(i->message, "something is wrong");
	assert_string_equal(i->id, "abcd0000000000000000000000000000-1-call");
}

static void a_p2_is_told(void **state)
{
	struct desk *d = *state;

	raise_call(d, 1, 2, "EXECUTION_ERROR", NULL);
	assert_desk(d, "1 EXECUTION_ERROR firing x1 P2 page\n");
	assert_int_equal(newest(d, 1)->priority, 2);
}

static void a_code_has_its_runbooks_priority_and_delay(void **state)
{
	struct desk *d = *state;

	raise_call(d, 1, 0, "DRIFT_HIGH", NULL);
	assert_int_equal(newest(d, 1)->priority, 2);
	raise_rule(d, 2, "DATA_FEED_DOWN", "a");
	assert_int_equal(newest(d, 2)->priority, 1);
	assert_int_equal(newest(d, 2)->page_at_ns, SECONDS(7));
}

static void a_code_unknown_has_the_general_runbook(void **state)
{
	struct desk *d = *state;

	raise_call(d, 1, 0, "SOMETHING_NEW", NULL);
	const struct incident *i = newest(d, 1);
	assert_string_equal(i->code, "SOMETHING_NEW");
	assert_int_equal(i->priority, 3);
	assert_null(i->raw_code);
}

static void recent_alerts_are_those_of_a_day(void **state)
{
	struct desk *d = *state;

	raise_call(d, 1, 1, "A", NULL);
	raise_call(d, 2, 1, "STILL_OPEN", NULL);
	assert_int_equal(clear_call(d, 10, "A", NULL), 0);
	assert_string_equal(newest(d, 10 + 86400)->next->code, "A");
	assert_null(newest(d, 11 + 86400)->next);
	assert_string_equal(newest(d, 99 + 86400)->code, "STILL_OPEN");
}

static void recent_alerts_are_filtered_by_priority(void **state)
{
	struct desk *d = *state;
	char p1[64] = "";

	raise_call(d, 1, 1, "A", NULL);
	raise_call(d, 2, 2, "B", NULL);
	raise_call(d, 3, 1, "C", NULL);
	for (const struct incident *i = newest(d, 3); i; i = i->next)
		if (i->priority == 1)
			strncat(p1, i->code, sizeof p1 - strlen(p1) - 1);
	assert_string_equal(p1, "CA");
}

static void raises_are_counted_by_priority_with_zeroes(void **state)
{
	struct desk *d = *state;

	assert_int_equal(alerts_raised(d->alerts, 1), 0);
	raise_call(d, 1, 1, "A", NULL);
	raise_call(d, 2, 1, "A", NULL);
	raise_call(d, 3, 3, "B", NULL);
	assert_int_equal(alerts_raised(d->alerts, 1), 2);
	assert_int_equal(alerts_raised(d->alerts, 2), 0);
	assert_int_equal(alerts_raised(d->alerts, 3), 1);
	assert_int_equal(alerts_raised(d->alerts, 0), 0);
	assert_int_equal(alerts_raised(d->alerts, 4), 0);
	assert_int_equal(alerts_open(d->alerts), 2);
}

static void alerts_are_listed_newest_raise_first(void **state)
{
	struct desk *d = *state;

	raise_call(d, 1, 1, "A", NULL);
	raise_call(d, 2, 1, "B", NULL);
	raise_call(d, 3, 1, "C", NULL);
	raise_call(d, 4, 1, "A", NULL);
	clear_call(d, 5, "B", NULL);
	const struct incident *i = newest(d, 5);
	assert_string_equal(i->code, "A");
	assert_string_equal(i->next->code, "C");
	assert_string_equal(i->next->next->code, "B");
	assert_null(i->next->next->next);
}

static void codes_are_usable_or_become_general(void **state)
{
	static const struct {
		tocsin_str code;
		bool usable;
	} rows[] = {
		{ STR("A"), true },
		{ STR("DATA_FEED_DOWN"), true },
		{ STR("A1_"), true },
		{ STR(""), false },
		{ { NULL, 0 }, false },
		{ STR("a"), false },
		{ STR("_A"), false },
		{ STR("1A"), false },
		{ STR("A B"), false },
		{ STR("A\0B"), false },
		{ STR("A\n"), false },
		{ STR("\xc3\x84"), false },
		{ STR("../../ETC"), false },
		{ STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), true },
		{ STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), false },
	};
	struct desk *d = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(code_is_usable(rows[i].code), rows[i].usable);
	raise_call(d, 1, 2, "no such code!", NULL);
	const struct incident *i = newest(d, 1);
	assert_string_equal(i->code, "GENERAL");
	assert_string_equal(i->raw_code, "no such code!");
	assert_int_equal(i->priority, 2);
	assert_int_equal(clear_call(d, 2, "no such code!", NULL), 0);
}

static void a_priority_above_three_is_three(void **state)
{
	struct desk *d = *state;

	raise_call(d, 1, 4, "RISK_LIMIT_BREACH", NULL);
	raise_call(d, 1, UINT32_MAX, "A", NULL);
	assert_desk(d, "1 RISK_LIMIT_BREACH firing x1 P3 page\n1 A firing x1 P3 page\n");
}

static void one_by_call_and_one_by_rule_are_two(void **state)
{
	struct desk *d = *state;

	raise_call(d, 1, 0, "SESSION_FAILED", NULL);
	raise_rule(d, 2, "SESSION_FAILED", NULL);
	assert_int_equal(alerts_open(d->alerts), 2);
	assert_int_equal(clear_call(d, 3, "SESSION_FAILED", NULL), 0);
	assert_int_equal(clear_call(d, 3, "SESSION_FAILED", NULL), -ENOENT);
	assert_int_equal(alerts_open(d->alerts), 1);
	assert_int_equal(clear_rule(d, 4, "SESSION_FAILED", NULL), 0);
}

static void opened_anew_it_has_a_new_id(void **state)
{
	struct desk *d = *state;

	raise_call(d, 1, 1, "A", NULL);
	clear_call(d, 2, "A", NULL);
	raise_call(d, 3, 1, "A", NULL);
	const struct incident *i = newest(d, 3);
	assert_true(i->open);
	assert_false(i->next->open);
	assert_int_equal(i->next->resolved.clock_ns, SECONDS(2));
	assert_string_not_equal(i->id, i->next->id);
	assert_int_equal(i->count, 1);
}

static void codes_that_became_general_are_told_apart_by_what_they_were(void **state)
{
	static const struct {
		tocsin_str code;
		const char *key;
	} rows[] = {
		{ STR("risk.limit-breach"), "GENERAL raw=risk.limit-breach instance=i" },
		{ STR("risk.limit breach"), "GENERAL raw=risk.limit%20breach instance=i" },
		{ STR("feed.down"), "GENERAL raw=feed.down instance=i" },
		{ STR("general"), "GENERAL raw=general instance=i" },
		{ STR("GENERAL"), "GENERAL instance=i" },
		{ STR("x instance=i"), "GENERAL raw=x%20instance%3Di instance=i" },
	};
	static const size_t n = sizeof rows / sizeof *rows;
	struct desk *d = *state;
	tocsin_str none = { NULL, 0 };

	for (size_t i = 0; i < n; i++) {
		struct raise r = {
			.rule = "call",
			.code = rows[i].code,
			.message = STR("m"),
			.instance = STR("i"),
			.cause = i + 1,
		};

		assert_int_equal(alerts_raise(d->alerts, &r, at_s(1)), 0);
		assert_string_equal(newest(d, 1)->key, rows[i].key);
		assert_string_equal(newest(d, 1)->code, "GENERAL");
	}
	assert_int_equal(alerts_open(d->alerts), n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(
			alerts_clear(d->alerts, false, rows[i].code, none, none, STR("i"), at_s(2)),
			0);
		assert_int_equal(alerts_open(d->alerts), n - i - 1);
	}
}

static void a_clear_says_what_is_true_at_the_end(void **state)
{
	const tocsin_kv raised[] = { { STR("k"), STR("v") } };
	const tocsin_kv cleared[] = { { STR("after"), STR("3 s") }, { STR("by"), STR("retry") } };
	static const struct {
		const char *message;
		size_t n_kv;
		const char *resolution, *key;
		size_t n;
	} rows[] = {
		{ NULL, 0, NULL, "k", 1 },
		{ "", 0, NULL, "k", 1 },
		{ "it is back", 0, "it is back", "k", 1 },
		{ NULL, 2, NULL, "after", 2 },
		{ "it is back", 2, "it is back", "after", 2 },
	};
	struct desk *d = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct raise r = {
			.rule = "call",
			.code = STR("A"),
			.message = STR("gone"),
			.kv = raised,
			.n_kv = 1,
			.cause = i + 1,
		};

		assert_int_equal(alerts_raise(d->alerts, &r, at_s(1)), 0);
		r.message = str(rows[i].message);
		r.kv = cleared;
		r.n_kv = rows[i].n_kv;
		assert_int_equal(alerts_clear_saying(d->alerts, &r, at_s(2)), 0);
		const struct incident *n = newest(d, 2);
		assert_string_equal(n->message, "gone");
		if (rows[i].resolution)
			assert_string_equal(n->resolution, rows[i].resolution);
		else
			assert_null(n->resolution);
		assert_int_equal(n->metadata.n, rows[i].n);
		assert_true(str_is(n->metadata.kv[0].key, rows[i].key));
	}
}

static void texts_of_an_incident_are_those_of_its_last_raise(void **state)
{
	struct desk *d = *state;
	const tocsin_kv kv[] = { { STR("k"), STR("v") }, { STR("l"), STR("w") } };
	struct raise r = {
		.rule = "call",
		.code = STR("bad code"),
		.message = STR("first"),
		.kv = kv,
		.n_kv = 2,
		.value = 1,
		.has_value = true,
		.truncated = true,
	};

	assert_int_equal(alerts_raise(d->alerts, &r, at_s(1)), 0);
	r.message = STR("second");
	r.n_kv = 1;
	r.has_value = r.truncated = false;
	assert_int_equal(alerts_raise(d->alerts, &r, at_s(2)), 0);
	const struct incident *i = newest(d, 2);
	assert_int_equal(i->count, 2);
	assert_string_equal(i->message, "second");
	assert_int_equal(i->metadata.n, 1);
	assert_string_equal(i->raw_code, "bad code");
	assert_false(i->has_value);
	assert_false(i->truncated);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define with(test) cmocka_unit_test_setup_teardown(test, make, drop)
		with(a_p1_is_told_and_paged),
		with(a_p2_is_told),
		with(a_code_has_its_runbooks_priority_and_delay),
		with(a_code_unknown_has_the_general_runbook),
		with(recent_alerts_are_those_of_a_day),
		with(recent_alerts_are_filtered_by_priority),
		with(raises_are_counted_by_priority_with_zeroes),
		with(alerts_are_listed_newest_raise_first),
		with(codes_are_usable_or_become_general),
		with(a_priority_above_three_is_three),
		with(one_by_call_and_one_by_rule_are_two),
		with(opened_anew_it_has_a_new_id),
		with(codes_that_became_general_are_told_apart_by_what_they_were),
		with(a_clear_says_what_is_true_at_the_end),
		with(texts_of_an_incident_are_those_of_its_last_raise),
#undef with
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

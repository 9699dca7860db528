/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>

#include "base/text.h"
#include "picture/metadata.h"

static char big[TOCSIN_TEXT_MAX + 1];

static tocsin_str bytes_of(size_t n)
{
	memset(big, 'x', sizeof big);
	return (tocsin_str){ big, n };
}

static void assert_value(const struct metadata *m, size_t i, const char *key, const char *value)
{
	assert_true(i < m->n);
	assert_true(str_is(m->kv[i].key, key));
	assert_true(str_is(m->kv[i].value, value));
}

static void keys_stay_in_the_order_first_given_and_the_last_value_wins(void **state)
{
	struct metadata m = { 0 };
	const tocsin_kv first[] = { { STR("a"), STR("1") }, { STR("b"), STR("2") } };
	const tocsin_kv second[] = { { STR("c"), STR("3") }, { STR("a"), STR("four") } };

	(void)state;
	assert_int_equal(metadata_merge(&m, first, 2), 0);
	assert_int_equal(metadata_merge(&m, second, 2), 0);
	assert_int_equal(m.n, 3);
	assert_value(&m, 0, "a", "four");
	assert_value(&m, 1, "b", "2");
	assert_value(&m, 2, "c", "3");
	assert_int_equal(m.bytes, 3 + 4 + 1 + 1);
	metadata_done(&m);
	assert_int_equal(m.n, 0);
}

static void what_it_keeps_is_its_own(void **state)
{
	struct metadata m = { 0 };
	char key[] = "key", value[] = "value";
	const tocsin_kv kv = { { key, 3 }, { value, 5 } };

	(void)state;
	assert_int_equal(metadata_merge(&m, &kv, 1), 0);
	key[0] = value[0] = '!';
	assert_value(&m, 0, "key", "value");
	metadata_done(&m);
}

static void an_item_too_large_is_left_out_and_the_rest_is_in(void **state)
{
	struct metadata m = { 0 };
	const tocsin_kv kv[] = { { STR("a"), STR("1") },
				 { STR("big"), bytes_of(TOCSIN_TEXT_MAX - 2) },
				 { STR("c"), STR("3") } };

	(void)state;
	assert_int_equal(metadata_merge(&m, kv, 3), -E2BIG);
	assert_int_equal(m.n, 2);
	assert_value(&m, 1, "c", "3");
	metadata_done(&m);
}

static void exactly_the_maximum_of_bytes_fits(void **state)
{
	struct metadata m = { 0 };
	const tocsin_kv full = { STR("a"), bytes_of(TOCSIN_TEXT_MAX - 1) };
	const tocsin_kv more = { STR("b"), { NULL, 0 } };

	(void)state;
	assert_int_equal(metadata_merge(&m, &full, 1), 0);
	assert_int_equal(m.bytes, TOCSIN_TEXT_MAX);
	assert_int_equal(metadata_merge(&m, &more, 1), -E2BIG);
	assert_int_equal(m.n, 1);
	metadata_done(&m);
}

static void a_new_value_too_large_leaves_the_old_one(void **state)
{
	struct metadata m = { 0 };
	const tocsin_kv old = { STR("a"), STR("old") };
	const tocsin_kv new = { STR("a"), bytes_of(TOCSIN_TEXT_MAX) };

	(void)state;
	assert_int_equal(metadata_merge(&m, &old, 1), 0);
	assert_int_equal(metadata_merge(&m, &new, 1), -E2BIG);
	assert_value(&m, 0, "a", "old");
	metadata_done(&m);
}

static void there_is_a_maximum_of_items_but_known_keys_still_change(void **state)
{
	struct metadata m = { 0 };
	char key[8];

	(void)state;
	for (unsigned i = 0; i < METADATA_MAX + 3; i++) {
		snprintf(key, sizeof key, "k%u", i);
		const tocsin_kv kv = { str(key), STR("v") };

		assert_int_equal(metadata_merge(&m, &kv, 1), i < METADATA_MAX ? 0 : -E2BIG);
	}
	assert_int_equal(m.n, METADATA_MAX);
	const tocsin_kv again = { STR("k63"), STR("w") };
	assert_int_equal(metadata_merge(&m, &again, 1), 0);
	assert_value(&m, 63, "k63", "w");
	metadata_done(&m);
}

static void hostile_bytes_become_valid_json(void **state)
{
	struct metadata m = { 0 };
	const tocsin_kv kv[] = { { STR("nul\0key"), STR("a\0b") },
				 { STR("\xff\xfe"), STR("\xc3(\x1b[31m\n") },
				 { { NULL, 0 }, { NULL, 0 } } };

	(void)state;
	assert_int_equal(metadata_merge(&m, kv, 3), 0);
	json_t *json = metadata_to_json(&m);
	assert_non_null(json);
	char *text = json_dumps(json, JSON_COMPACT);
	assert_string_equal(text, "{\"nul\xef\xbf\xbdkey\":\"a\xef\xbf\xbd"
				  "b\",\"\xef\xbf\xbd\xef\xbf\xbd\":"
				  "\"\xef\xbf\xbd(\\u001B[31m\\n\",\"\":\"\"}");
	json_t *back = json_loads(text, 0, NULL);
	assert_true(json_equal(back, json));
	free(text);
	json_decref(back);
	json_decref(json);
	metadata_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_stay_in_the_order_first_given_and_the_last_value_wins),
		cmocka_unit_test(what_it_keeps_is_its_own),
		cmocka_unit_test(an_item_too_large_is_left_out_and_the_rest_is_in),
		cmocka_unit_test(exactly_the_maximum_of_bytes_fits),
		cmocka_unit_test(a_new_value_too_large_leaves_the_old_one),
		cmocka_unit_test(there_is_a_maximum_of_items_but_known_keys_still_change),
		cmocka_unit_test(hostile_bytes_become_valid_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

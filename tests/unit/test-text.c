/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"

static void absent_views_are_equal_and_copy_to_nothing(void **state)
{
	_cleanup_free_ char *copy = str_dup(str(NULL));

	(void)state;
	assert_true(str_equal(str(NULL), STR("")));
	assert_int_equal(str_compare(str(NULL), str(NULL)), 0);
	assert_string_equal(copy, "");
}

static void views_order_by_bytes_then_by_length(void **state)
{
	(void)state;
	assert_true(str_compare(STR("ab"), STR("abc")) < 0);
	assert_true(str_compare(STR("b"), STR("abc")) > 0);
	assert_true(str_compare(STR("a\xff"), STR("a\x01")) > 0);
	assert_int_equal(str_compare(STR("x"), STR("x")), 0);
	assert_false(str_equal(STR("x"), STR("y")));
	assert_true(str_is(STR("x"), "x"));
}

static void a_cut_splits_no_character(void **state)
{
	tocsin_str euros = STR("a\xe2\x82\xac\xe2\x82\xac");
	tocsin_str clef = STR("\xf0\x9d\x84\x9e!");

	(void)state;
	assert_int_equal(text_cut(euros, 100).len, 7);
	assert_int_equal(text_cut(euros, 6).len, 4);
	assert_int_equal(text_cut(euros, 5).len, 4);
	assert_int_equal(text_cut(euros, 4).len, 4);
	assert_int_equal(text_cut(euros, 3).len, 1);
	assert_int_equal(text_cut(euros, 0).len, 0);
	for (size_t max = 0; max < 4; max++)
		assert_int_equal(text_cut(clef, max).len, 0);
	assert_int_equal(text_cut(clef, 4).len, 4);
}

static void a_cut_of_broken_bytes_is_a_cut(void **state)
{
	(void)state;
	assert_int_equal(text_cut(STR("\x80\x80\x80\x80\x80\x80"), 3).len, 3);
	assert_int_equal(text_cut(STR("\xe2\x82xyz"), 2).len, 2);
}

static void only_real_characters_are_utf8(void **state)
{
	static const struct {
		tocsin_str s;
		bool valid;
	} cases[] = {
		{ STR(""), true },
		{ STR("plain\n"), true },
		{ { "a\0b", 3 }, true },
		{ STR("\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e"), true },
		{ STR("\xf4\x8f\xbf\xbf"), true },
		{ STR("\xf4\x90\x80\x80"), false }, /* past U+10FFFF */
		{ STR("\xed\xa0\x80"), false },     /* a surrogate */
		{ STR("\xc0\xaf"), false },         /* an overlong slash */
		{ STR("\xe0\x80\xaf"), false },
		{ STR("\x80"), false },
		{ STR("\xe2\x82"), false },
		{ STR("\xff\xfe"), false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(text_is_utf8(cases[i].s), cases[i].valid);
}

static void each_broken_byte_becomes_one_replacement(void **state)
{
	size_t len;
	_cleanup_free_ char *copy = text_to_utf8((tocsin_str){ "a\xff\xe2\x82\0z", 6 }, &len);

	(void)state;
	assert_int_equal(len, 12);
	assert_memory_equal(copy, "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\0z", 13);
	assert_true(text_is_utf8((tocsin_str){ copy, len }));
}

static void a_line_shows_what_would_act_on_a_terminal(void **state)
{
	static const struct {
		tocsin_str given;
		const char *line;
	} cases[] = {
		{ STR(""), "" },
		{ STR("no data from okx"), "no data from okx" },
		{ STR("a\nb\r\tc"), "a\\nb\\r\\tc" },
		{ STR("\x1b[31mred\x7f"), "\\x1b[31mred\\x7f" },
		{ { "nul\0in", 6 }, "nul\\x00in" },
		{ STR("\xc2\x9b"), "\\x9b" }, /* C1's own escape */
		{ STR("x\xe2\x80\xae"
		      "fdp"),
		  "x\\u202efdp" },                  /* turns the text round */
		{ STR("\xe2\x80\xa8"), "\\u2028" }, /* a line of its own */
		{ STR("\xe2\x81\xa6"), "\\u2066" },
		{ STR("back\\slash"), "back\\slash" },
		{ STR("\x9b?"), "\xef\xbf\xbd?" },
		{ STR("\xc3\xa9"), "\xc3\xa9" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		_cleanup_free_ char *line = text_to_line(cases[i].given);

		assert_string_equal(line, cases[i].line);
	}
}

static void a_long_hostile_text_comes_out_whole(void **state)
{
	size_t len = 65536;
	_cleanup_free_ char *bytes = malloc(len);
	_cleanup_free_ char *line = NULL;

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 0x1b, len);
	line = text_to_line((tocsin_str){ bytes, len });
	assert_non_null(line);
	assert_int_equal(strlen(line), len * 4);
}

static void a_file_name_leads_nowhere(void **state)
{
	static const struct {
		tocsin_str given;
		size_t max;
		const char *name;
	} cases[] = {
		{ STR("engine@1.service"), 255, "engine@1.service" },
		{ STR("../../etc/passwd"), 255, "_._.._etc_passwd" },
		{ STR("."), 255, "_" },
		{ STR(".."), 255, "_." },
		{ STR(""), 255, "_" },
		{ STR("abc"), 0, "_" },
		{ STR("abcdef"), 3, "abc" },
		{ { "a\0b", 3 }, 255, "a_b" },
		{ STR("\xe2\x82\xac\n "), 255, "_____" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		_cleanup_free_ char *name = text_to_filename(cases[i].given, cases[i].max);

		assert_string_equal(name, cases[i].name);
	}
}

static void distance_counts_edits_up_to_its_limit(void **state)
{
	char far[200];

	(void)state;
	memset(far, 'x', sizeof far - 1);
	far[sizeof far - 1] = 0;
	assert_int_equal(text_distance("webhook", "webhook", 5), 0);
	assert_int_equal(text_distance("webhok", "webhook", 5), 1);
	assert_int_equal(text_distance("", "abc", 5), 3);
	assert_int_equal(text_distance("kitten", "sitting", 9), 3);
	assert_int_equal(text_distance("abcdefgh", "zzzzzzzz", 4), 4);
	assert_int_equal(text_distance(far, "a", 7), 7);
}

static void a_buffer_grows_and_stays_terminated(void **state)
{
	struct text_buffer b = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++) {
		text_buffer_add(&b, STR("ab"));
		text_buffer_printf(&b, "%03d", i);
		assert_int_equal(strlen(b.ptr), b.len);
	}
	assert_int_equal(b.len, 5000);
	assert_false(b.failed);
	assert_memory_equal(b.ptr + 4995, "ab999", 6);
	text_buffer_done(&b);
	assert_null(b.ptr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_views_are_equal_and_copy_to_nothing),
		cmocka_unit_test(views_order_by_bytes_then_by_length),
		cmocka_unit_test(a_cut_splits_no_character),
		cmocka_unit_test(a_cut_of_broken_bytes_is_a_cut),
		cmocka_unit_test(only_real_characters_are_utf8),
		cmocka_unit_test(each_broken_byte_becomes_one_replacement),
		cmocka_unit_test(a_line_shows_what_would_act_on_a_terminal),
		cmocka_unit_test(a_long_hostile_text_comes_out_whole),
		cmocka_unit_test(a_file_name_leads_nowhere),
		cmocka_unit_test(distance_counts_edits_up_to_its_limit),
		cmocka_unit_test(a_buffer_grows_and_stays_terminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

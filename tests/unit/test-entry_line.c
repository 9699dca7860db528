/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <syslog.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "journal/entry_line.h"
#include "test.h"

static void a_line_cannot_be_broken_by_its_fields(void **state)
{
	struct entry *e = entry_new(ENTRY_CLASS_P2, 3);
	_cleanup_free_ char *line = NULL;
	size_t len = 0;

	(void)state;
	entry_add(e, "SYSLOG_IDENTIFIER", STR("tocsin"));
	entry_add(e, "PRIORITY", STR("3"));
	entry_add(e, "MESSAGE_ID", STR("00"));
	entry_add(e, "MESSAGE", STR("hello\n\x1b[31m"));
	entry_add(e, "TOCSIN_SESSION", STR("a\"b]\\c\nd"));
	entry_add(e, "TOCSIN_METADATA", STR("{}"));
	entry_add(e, "TOCSIN_META_K", STR(""));
	entry_add(e, "TOCSIN_RAW_MESSAGE", STR("hello\n"));
	entry_add(e, "DOCUMENTATION", STR("https://x"));
	line = entry_to_line(e, &len);
	assert_string_equal(line, "hello\\n\\x1b[31m [tocsin session=\"a\\\"b\\]\\\\c\\\\nd\" "
				  "meta_k=\"\" documentation=\"https://x\"]\n");
	assert_int_equal(len, strlen(line));
	entry_free(e);
}

static void syslog_gets_priority_name_and_process(void **state)
{
	static const struct {
		int priority;
		const char *begin;
	} cases[] = {
		{ LOG_CRIT, "<26>tocsin[7]: m [tocsin session=\"s\"]" },
		{ LOG_ERR, "<27>tocsin[7]: m [tocsin session=\"s\"]" },
		{ LOG_DEBUG, "<31>tocsin[7]: m [tocsin session=\"s\"]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct entry *e = entry_new(ENTRY_CLASS_P2, cases[i].priority);
		_cleanup_free_ char *line = NULL;
		size_t len = 0;

		entry_add(e, "MESSAGE", STR("m"));
		entry_add(e, "TOCSIN_SESSION", STR("s"));
		line = entry_to_syslog(e, 7, &len);
		assert_string_equal(line, cases[i].begin);
		assert_int_equal(len, strlen(line));
		entry_free(e);
	}
}

/* Bytes that take as much room as any when they are made visible. */
static char *worst_text(size_t n)
{
	char *text = malloc(n);

	assert_non_null(text);
	memset(text, 1, n);
	return text;
}

static void a_syslog_message_is_bounded_and_says_what_was_cut(void **state)
{
	struct entry *e = entry_new(ENTRY_CLASS_P2, LOG_CRIT);
	_cleanup_free_ char *text = worst_text(3000), *line = NULL;
	size_t len = 0;

	(void)state;
	entry_add(e, "MESSAGE", (tocsin_str){ text, 3000 });
	entry_add(e, "TOCSIN_CODE", STR("GENERAL"));
	entry_add(e, "TOCSIN_META_LONG", (tocsin_str){ text, 3000 });
	entry_add(e, "TOCSIN_TIME", STR("now"));
	line = entry_to_syslog(e, 7, &len);
	assert_int_equal(len, strlen(line));
	assert_in_range(len, 4096, ENTRY_SYSLOG_MAX);
	assert_non_null(strstr(line, "... [tocsin code=\"GENERAL\" time=\"now\" truncated=\"1\"]"));
	assert_null(strstr(line, "meta_long"));
	assert_string_equal(line + len - 15, " truncated=\"1\"]");
	entry_free(e);
}

static void many_fields_never_pass_the_bound(void **state)
{
	(void)state;
	for (size_t size = 1; size < 600; size++) {
		struct entry *e = entry_new(ENTRY_CLASS_P2, LOG_CRIT);
		_cleanup_free_ char *text = worst_text(size), *line = NULL;
		unsigned shown = 0;
		size_t len = 0;

		entry_add(e, "MESSAGE", (tocsin_str){ text, size });
		for (unsigned i = 1; i < ENTRY_FIELDS_MAX; i++)
			entry_add(e, "TOCSIN_META_X", (tocsin_str){ text, size });
		line = entry_to_syslog(e, 4194304, &len);
		assert_in_range(len, 1, ENTRY_SYSLOG_MAX);
		assert_int_equal(line[len - 1], ']');
		for (const char *at = line; (at = strstr(at, " meta_x=\"")); at++)
			shown++;
		assert_int_equal(strstr(line, "truncated=\"1\"") != NULL,
				 shown < ENTRY_FIELDS_MAX - 1);
		entry_free(e);
	}
}

static void a_cut_message_ends_between_two_characters(void **state)
{
	struct entry *e = entry_new(ENTRY_CLASS_P2, LOG_CRIT);
	_cleanup_free_ char *text = malloc(6000), *line = NULL;
	size_t len = 0;

	(void)state;
	assert_non_null(text);
	text[0] = 'x';
	for (size_t i = 1; i + 1 < 6000; i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	entry_add(e, "MESSAGE", (tocsin_str){ text, 5999 });
	line = entry_to_syslog(e, 7, &len);
	assert_true(text_is_utf8((tocsin_str){ line, len }));
	assert_non_null(strstr(line, "\xc3\xa9... [tocsin truncated=\"1\"]"));
	entry_free(e);
}

static void what_was_cut_before_is_said_once(void **state)
{
	struct entry *e = entry_new(ENTRY_CLASS_P2, LOG_CRIT);
	_cleanup_free_ char *line = NULL, *syslog = NULL;
	size_t len = 0;

	(void)state;
	entry_add(e, "TOCSIN_TRUNCATED", STR("1"));
	entry_add(e, "TOCSIN_CODE", STR("X"));
	line = entry_to_line(e, &len);
	assert_string_equal(line, "[tocsin code=\"X\" truncated=\"1\"]\n");
	syslog = entry_to_syslog(e, 1, &len);
	assert_string_equal(syslog, "<26>tocsin[1]: [tocsin code=\"X\" truncated=\"1\"]");
	entry_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_cannot_be_broken_by_its_fields),
		cmocka_unit_test(syslog_gets_priority_name_and_process),
		cmocka_unit_test(a_syslog_message_is_bounded_and_says_what_was_cut),
		cmocka_unit_test(many_fields_never_pass_the_bound),
		cmocka_unit_test(a_cut_message_ends_between_two_characters),
		cmocka_unit_test(what_was_cut_before_is_said_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

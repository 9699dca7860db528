/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/query.h"

#include <errno.h>
#include <getopt.h>
#include "test.h"
#include "base/moment.h"
#include "tool/tool.h"

static const struct query_verb verb = {
	.name = "test",
	.usage = "test",
	.about = "A test.\n",
	.options =
		QUERY_SINCE | QUERY_UNTIL | QUERY_PRIORITY | QUERY_SESSION | QUERY_JSON | QUERY_UTC,
	.arguments_max = 1,
};

#define PARSE(q, ...) parse(q, (const char *[]){ "tocsin test", __VA_ARGS__, NULL })

static int parse(struct query *q, const char **arguments)
{
	static char *argv[16];
	int argc = 0;

	for (; arguments[argc]; argc++)
		argv[argc] = (char *)(uintptr_t)arguments[argc];
	argv[argc] = NULL;
	optind = 0;
	opterr = 0;
	return query_parse(q, &verb, argc, argv);
}

static void what_is_asked_is_understood(void **state)
{
	struct query q;

	(void)state;
	assert_int_equal(PARSE(&q, "--since", "2026-03-01", "--until=2026-03-02T00:00:00Z", "--utc",
			       "--session", "s", "--json", "id"),
			 -1);
	assert_string_equal(q.session, "s");
	assert_true(q.json && q.utc && !q.check);
	assert_int_equal(q.n_arguments, 1);
	assert_string_equal(q.arguments[0], "id");
	assert_int_equal(q.until_ns - q.since_ns, UINT64_C(86400) * NS_PER_S);
	assert_true(query_covers(&q, q.since_ns) && query_covers(&q, q.until_ns));
	assert_false(query_covers(&q, q.since_ns - 1) || query_covers(&q, q.until_ns + 1));
}

static void nothing_asked_is_everything(void **state)
{
	struct query q;

	(void)state;
	assert_int_equal(parse(&q, (const char *[]){ "tocsin test", NULL }), -1);
	assert_int_equal(q.priority, 0);
	assert_null(q.session);
	assert_true(query_covers(&q, 0) && query_covers(&q, UINT64_MAX));
}

static void wrong_use_is_told(void **state)
{
	struct query q;

	(void)state;
	assert_int_equal(PARSE(&q, "--since", "noon"), TOOL_WRONG_USE);
	assert_int_equal(PARSE(&q, "--priority", "P4"), TOOL_WRONG_USE);
	assert_int_equal(PARSE(&q, "a", "b"), TOOL_WRONG_USE);
	assert_int_equal(PARSE(&q, "--session"), TOOL_WRONG_USE);
	/* An option of other verbs. */
	assert_int_equal(PARSE(&q, "--check"), TOOL_WRONG_USE);
	assert_int_equal(PARSE(&q, "--evidence", "x"), TOOL_WRONG_USE);
}

static void a_folder_without_a_journal_is_no_empty_journal(void **state)
{
	const struct test_folder *f = *state;
	struct query q = { .verb = &verb, .journal.directory = f->path };
	struct journal_query *j;

	assert_int_equal(journal_query_open(&q.journal, &j), -ENODATA);
	assert_int_equal(query_open(&q, &j), TOOL_FAILED);
	assert_false(journal_query_is_forbidden(&q.journal));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_is_understood),
		cmocka_unit_test(nothing_asked_is_everything),
		cmocka_unit_test(wrong_use_is_told),
		test_in_folder(a_folder_without_a_journal_is_no_empty_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include "tool/clean_output.h"

/* What comes out of a pipe when `print` prints behind the cleaner. */
static void printed(void (*print)(void), char *ret, size_t size)
{
	FILE *out = stdout, *err = stderr;
	int saved = dup(STDOUT_FILENO), ends[2];
	size_t len = 0;
	ssize_t n;

	fflush(stdout);
	assert_int_equal(pipe(ends), 0);
	assert_true(dup2(ends[1], STDOUT_FILENO) >= 0);
	close(ends[1]);
	clean_output_begin();
	print();
	fclose(stdout);
	fclose(stderr);
	stdout = out;
	stderr = err;
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
	while ((n = read(ends[0], ret + len, size - 1 - len)) > 0)
		len += (size_t)n;
	close(ends[0]);
	ret[len] = 0;
}

static const char *given;

static void print_at_once(void)
{
	fputs(given, stdout);
}

static void print_by_bytes(void)
{
	for (const char *c = given; *c; c++) {
		putchar(*c);
		fflush(stdout);
	}
}

static void what_acts_on_a_terminal_comes_out_as_text(void **state)
{
	static const char *const cases[][2] = {
		{ "plain\ttext\n", "plain\ttext\n" },
		{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\n",
		  "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\n" },
		{ "\033[31mred\033[0m\n", "\033[31mred\033[0m\n" },
		{ "\033[2Jx", "\\x1b[2Jx" },
		{ "\033]0;owned\007", "\\x1b]0;owned\\x07" },
		{ "\033[8mhidden", "\\x1b[8mhidden" },
		{ "\033[31;8m", "\\x1b[31;8m" },
		{ "\033\033[31mx", "\\x1b\033[31mx" },
		{ "over\rwrite", "over\\rwrite" },
		{ "\xc2\x9b"
		  "31m",
		  "\\x9b31m" },
		{ "\xe2\x80\xae"
		  "abc",
		  "\\u202eabc" },
		{ "a\bb\x7f", "a\\x08b\\x7f" },
		{ "caf\xe9!", "caf\xef\xbf\xbd!" },
	};
	char out[256];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		given = cases[i][0];
		printed(print_at_once, out, sizeof out);
		assert_string_equal(out, cases[i][1]);
		printed(print_by_bytes, out, sizeof out);
		assert_string_equal(out, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_acts_on_a_terminal_comes_out_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

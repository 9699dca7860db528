/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/line_reader.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* A file with these bytes, at its beginning. */
static FILE *file_with(const void *bytes, size_t len)
{
	FILE *f = tmpfile();

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	rewind(f);
	return f;
}

static void expect(struct line_reader *r, const char *text, uint64_t number)
{
	char *line;
	size_t len;

	assert_int_equal(line_reader_next(r, &line, &len), 1);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(line, text, len);
	assert_int_equal(r->line, number);
	assert_true(line[len] == '\n' || line[len] == '\0');
}

static void lines_are_read_one_by_one(void **state)
{
	static const char bytes[] = "one\n\nthree\nlast";
	FILE *f = file_with(bytes, strlen(bytes));
	struct line_reader r;
	char *line;
	size_t len;

	(void)state;
	assert_int_equal(line_reader_init(&r, fileno(f), -1, 100), 0);
	expect(&r, "one", 1);
	expect(&r, "", 2);
	expect(&r, "three", 3);
	expect(&r, "last", 4);
	assert_int_equal(line_reader_next(&r, &line, &len), 0);
	line_reader_done(&r);
	fclose(f);
}

static void lines_across_blocks_are_whole(void **state)
{
	size_t n = 200000, size = 0;
	char *bytes = malloc(n * 8), text[16];
	struct line_reader r;

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < n; i++)
		size += (size_t)snprintf(bytes + size, 9, "%zu\n", i);
	FILE *f = file_with(bytes, size);
	assert_int_equal(line_reader_init(&r, fileno(f), -1, 50), 0);
	for (size_t i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%zu", i);
		expect(&r, text, i + 1);
	}
	line_reader_done(&r);
	fclose(f);
	free(bytes);
}

static void a_line_of_the_maximum_is_read_and_a_longer_one_refused(void **state)
{
	char bytes[400], *line;
	struct line_reader r;
	size_t len;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	bytes[100] = '\n';
	FILE *f = file_with(bytes, sizeof(bytes));
	assert_int_equal(line_reader_init(&r, fileno(f), -1, 100), 0);
	assert_int_equal(line_reader_next(&r, &line, &len), 1);
	assert_int_equal(len, 100);
	assert_int_equal(line_reader_next(&r, &line, &len), -EFBIG);
	assert_int_equal(r.line, 2);
	line_reader_done(&r);
	fclose(f);
}

static void a_wait_for_a_pipe_can_be_interrupted(void **state)
{
	int input[2], interrupt[2];
	struct line_reader r;
	char *line;
	size_t len;

	(void)state;
	assert_int_equal(pipe(input), 0);
	assert_int_equal(pipe(interrupt), 0);
	assert_int_equal(line_reader_init(&r, input[0], interrupt[0], 100), 0);
	assert_int_equal(write(input[1], "a\nb", 3), 3);
	expect(&r, "a", 1);
	assert_int_equal(write(interrupt[1], "!", 1), 1);
	assert_int_equal(line_reader_next(&r, &line, &len), -EINTR);
	line_reader_done(&r);
	for (int i = 0; i < 2; i++) {
		close(input[i]);
		close(interrupt[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read_one_by_one),
		cmocka_unit_test(lines_across_blocks_are_whole),
		cmocka_unit_test(a_line_of_the_maximum_is_read_and_a_longer_one_refused),
		cmocka_unit_test(a_wait_for_a_pipe_can_be_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/text.h"

static const struct table_column columns[] = { { "ID", 0 }, { "NAME", 6 }, { "MESSAGE", 8 } };

/* The table of these rows, three texts each, as printed. */
static char *print(const char *const *cells, size_t rows, int colour, unsigned width, bool colours)
{
	struct table *t = table_new(columns, 3);
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(t);
	assert_non_null(f);
	for (size_t i = 0; i < rows; i++) {
		const tocsin_str row[] = { str(cells[i * 3]), str(cells[i * 3 + 1]),
					   str(cells[i * 3 + 2]) };

		assert_int_equal(table_add(t, row, colour), 0);
	}
	table_print(t, f, width, colours);
	fclose(f);
	table_free(t);
	return text;
}

static const char *const long_row[] = {
	"1", "a name of some length",
	"a message that is much longer than the terminal is wide, so that it has to be cut"
};

static void columns_are_as_wide_as_their_widest_text(void **state)
{
	static const char *const rows[] = { "1", "ab", "x", "1000", "abcdefgh", "y" };
	char *text = print(rows, 2, 0, 80, false);

	(void)state;
	assert_string_equal(text, "ID    NAME      MESSAGE\n"
				  "1     ab        x\n"
				  "1000  abcdefgh  y\n");
	free(text);
}

static void nothing_is_cut_where_there_is_no_terminal(void **state)
{
	char *text = print(long_row, 1, 0, 0, false);

	(void)state;
	assert_non_null(strstr(text, long_row[2]));
	assert_null(strstr(text, "\u2026"));
	free(text);
}

static void on_a_terminal_each_line_fits(void **state)
{
	(void)state;
	for (unsigned width = 40; width < 130; width += 9) {
		char *text = print(long_row, 1, 0, width, false), *rest = text, *line;

		while ((line = strsep(&rest, "\n")))
			assert_in_range(table_text_width(line), 0, width);
		free(text);
	}
}

static void a_cut_text_ends_in_an_ellipsis_and_the_widest_is_cut(void **state)
{
	char *text = print(long_row, 1, 0, 60, false);

	(void)state;
	assert_non_null(strstr(text, "a name of some length  a message"));
	assert_non_null(strstr(text, "\u2026\n"));
	free(text);
}

static void a_terminal_too_narrow_still_gets_every_column(void **state)
{
	char *text = print(long_row, 1, 0, 5, false);

	(void)state;
	assert_non_null(strstr(text, "1 "));
	assert_non_null(strstr(text, "a mess"));
	free(text);
}

static void hostile_texts_stay_in_their_cell(void **state)
{
	static const char *const rows[] = { "1", "a\nb\x1b[31m", "\xff\xfe\t" };
	char *text = print(rows, 1, 0, 80, false);

	(void)state;
	assert_null(strchr(text, '\x1b'));
	assert_null(strchr(text, '\t'));
	assert_non_null(strstr(text, "a\\nb\\x1b[31m"));
	assert_true(text_is_utf8(str(text)));
	/* The title and one row. */
	assert_ptr_equal(strchr(strchr(text, '\n') + 1, '\n') + 1, text + strlen(text));
	free(text);
}

static void characters_of_several_bytes_count_as_one_column(void **state)
{
	(void)state;
	assert_int_equal(table_text_width("\u00e9\u20acx"), 3);
	assert_int_equal(table_text_width(""), 0);
}

static void colour_is_used_only_when_asked_for(void **state)
{
	static const char *const rows[] = { "1", "a", "b" };
	char *plain = print(rows, 1, 31, 80, false), *coloured = print(rows, 1, 31, 80, true);

	(void)state;
	assert_null(strchr(plain, '\033'));
	assert_non_null(strstr(coloured, "\033[31m1 "));
	assert_non_null(strstr(coloured, "b\033[0m\n"));
	free(plain);
	free(coloured);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_widest_text),
		cmocka_unit_test(nothing_is_cut_where_there_is_no_terminal),
		cmocka_unit_test(on_a_terminal_each_line_fits),
		cmocka_unit_test(a_cut_text_ends_in_an_ellipsis_and_the_widest_is_cut),
		cmocka_unit_test(a_terminal_too_narrow_still_gets_every_column),
		cmocka_unit_test(hostile_texts_stay_in_their_cell),
		cmocka_unit_test(characters_of_several_bytes_count_as_one_column),
		cmocka_unit_test(colour_is_used_only_when_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

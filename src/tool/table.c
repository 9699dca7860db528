/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include "base/text.h"

#define GAP 2
#define WIDTH_LEAST 40

struct row {
	char *cells[TABLE_COLUMNS_MAX];
	int colour;
};

struct table {
	const struct table_column *columns;
	unsigned n_columns;
	struct row *rows;
	size_t n, size;
};

struct table *table_new(const struct table_column *columns, unsigned n)
{
	struct table *t = calloc(1, sizeof(*t));

	assert(n > 0 && n <= TABLE_COLUMNS_MAX);
	if (t) {
		t->columns = columns;
		t->n_columns = n;
	}
	return t;
}

static void row_done(struct row *row)
{
	for (unsigned i = 0; i < TABLE_COLUMNS_MAX; i++)
		free(row->cells[i]);
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		row_done(&t->rows[i]);
	free(t->rows);
	free(t);
}

int table_add(struct table *t, const tocsin_str *cells, int colour)
{
	struct row row = { .colour = colour };

	if (t->n == t->size) {
		size_t size = t->size ? t->size * 2 : 32;
		struct row *rows = reallocarray(t->rows, size, sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		t->rows = rows;
		t->size = size;
	}
	for (unsigned i = 0; i < t->n_columns; i++) {
		row.cells[i] = text_to_line(cells[i]);
		if (!row.cells[i]) {
			row_done(&row);
			return -ENOMEM;
		}
	}
	t->rows[t->n++] = row;
	return 0;
}

/* The bytes of the character at `s`, which is valid UTF-8, and the columns it takes. */
static size_t character(const char *s, unsigned *ret_width)
{
	unsigned char c = (unsigned char)s[0];
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	wchar_t code = len == 1 ? c : len == 2 ? c & 0x1f : len == 3 ? c & 0x0f : c & 0x07;
	int width;

	for (size_t i = 1; i < len; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80) {
			len = i;
			break;
		}
		code = code << 6 | ((unsigned char)s[i] & 0x3f);
	}
	width = wcwidth(code);
	*ret_width = width < 0 ? 1 : (unsigned)width;
	return len;
}

unsigned table_text_width(const char *text)
{
	unsigned width = 0, w;

	while (*text) {
		text += character(text, &w);
		width += w;
	}
	return width;
}

/* Prints the text in exactly `width` columns, or, where `cut` is not asked for, at least so many.
 */
static void print_cell(FILE *f, const char *text, unsigned width, bool cut, bool pad)
{
	unsigned full = table_text_width(text), used = 0, w;

	if (!cut || full <= width) {
		fputs(text, f);
		used = full;
	} else {
		while (*text) {
			size_t len = character(text, &w);

			if (used + w + 1 > width)
				break;
			fwrite(text, 1, len, f);
			text += len;
			used += w;
		}
		fputs("\u2026", f);
		used++;
	}
	for (; pad && used < width; used++)
		fputc(' ', f);
}

static unsigned total_width(const unsigned *widths, unsigned n)
{
	unsigned total = (n - 1) * GAP;

	for (unsigned i = 0; i < n; i++)
		total += widths[i];
	return total;
}

static void find_widths(const struct table *t, unsigned width, unsigned *widths)
{
	for (unsigned c = 0; c < t->n_columns; c++) {
		widths[c] = table_text_width(t->columns[c].title);
		for (size_t i = 0; i < t->n; i++) {
			unsigned w = table_text_width(t->rows[i].cells[c]);

			if (w > widths[c])
				widths[c] = w;
		}
	}
	if (width == 0)
		return;
	if (width < WIDTH_LEAST)
		width = WIDTH_LEAST;
	while (total_width(widths, t->n_columns) > width) {
		unsigned *widest = NULL;

		for (unsigned c = 0; c < t->n_columns; c++)
			if (t->columns[c].least && widths[c] > t->columns[c].least &&
			    (!widest || widths[c] >= *widest))
				widest = &widths[c];
		if (!widest)
			return;
		--*widest;
	}
}

static void print_row(const struct table *t, FILE *f, const char *const *cells,
		      const unsigned *widths, bool cut)
{
	for (unsigned c = 0; c < t->n_columns; c++) {
		bool last = c + 1 == t->n_columns;

		print_cell(f, cells[c], widths[c], cut, !last);
		if (!last)
			fprintf(f, "%*s", GAP, "");
	}
}

void table_print(const struct table *t, FILE *f, unsigned width, bool colours)
{
	unsigned widths[TABLE_COLUMNS_MAX];
	const char *cells[TABLE_COLUMNS_MAX];

	find_widths(t, width, widths);
	for (unsigned c = 0; c < t->n_columns; c++)
		cells[c] = t->columns[c].title;
	print_row(t, f, cells, widths, width > 0);
	fputc('\n', f);
	for (size_t i = 0; i < t->n; i++) {
		const struct row *row = &t->rows[i];

		for (unsigned c = 0; c < t->n_columns; c++)
			cells[c] = row->cells[c];
		if (colours && row->colour)
			fprintf(f, "\033[%dm", row->colour);
		print_row(t, f, cells, widths, width > 0);
		fputs(colours && row->colour ? "\033[0m\n" : "\n", f);
	}
}

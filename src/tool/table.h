/* SPDX-License-Identifier: MIT */
/*
 * Rows of text in columns. On a terminal a table fits its width: columns that give way, the widest
 * first, shrink down to their least width and their texts are cut with an ellipsis. Elsewhere
 * nothing is cut, so that programs read whole texts.
 */
#ifndef TOCSIN_TOOL_TABLE_H
#define TOCSIN_TOOL_TABLE_H

#include <stdbool.h>
#include <stdio.h>
#include "tocsin_plugin.h"

#define TABLE_COLUMNS_MAX 12

struct table_column {
	const char *title;
	unsigned least; /* may shrink to this; 0: never shrinks */
};

struct table;

/* Columns must outlive the table. NULL without memory. */
struct table *table_new(const struct table_column *columns, unsigned n);
/* Takes NULL. */
void table_free(struct table *t);

/* Adds a row of n texts from anywhere: they are copied and made fit for one line. `colour` is an
 * SGR number such as 31 for the row, or 0. -ENOMEM. */
int table_add(struct table *t, const tocsin_str *cells, int colour);
/* width: the terminal's columns, 0 for none; at least 40 is used. */
void table_print(const struct table *t, FILE *f, unsigned width, bool colours);

/* Columns that the text takes on a terminal. */
unsigned table_text_width(const char *text);

#endif

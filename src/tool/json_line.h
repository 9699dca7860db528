/* SPDX-License-Identifier: MIT */
/*
 * JSON read member by member, without building a tree: one object on one line, whose values are
 * scalars or one more object of scalars. Strings are decoded in place, so the line is changed;
 * views point into it and live as long as it does. Bytes that are not UTF-8 pass as they are, a
 * NUL written \u0000 is a NUL inside the length; numbers stay text.
 *
 *	json_line_begin(&j, line, len);
 *	if (json_line_open(&j) == 0)
 *		while ((r = json_line_member(&j, &name, &value)) > 0) ...
 *
 * Recursion: none.
 */
#ifndef TOCSIN_TOOL_JSON_LINE_H
#define TOCSIN_TOOL_JSON_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include "tocsin_plugin.h"

enum json_line_type {
	JSON_LINE_STRING,
	JSON_LINE_NUMBER,
	JSON_LINE_TRUE,
	JSON_LINE_FALSE,
	JSON_LINE_NULL,
	JSON_LINE_OBJECT, /* nothing of it is read yet: json_line_open steps in */
	JSON_LINE_ARRAY,  /* nothing of it is read, nor can be */
};

struct json_line_value {
	enum json_line_type type;
	tocsin_str text; /* a string decoded; a number, true, false, null as written */
	size_t column;   /* of its first byte, from 1 */
};

struct json_line {
	char *bytes;
	size_t len, at;
	bool first;           /* no member of this object was read yet */
	size_t member_column; /* of the last member's name */
	size_t error_column;  /* set on failure, from 1 */
	const char *expected; /* likewise: what should have stood there; static */
};

void json_line_begin(struct json_line *j, char *line, size_t len);
/* Steps over the object's opening brace. -EINVAL. */
int json_line_open(struct json_line *j);
/* 1: a member; 0: the object has ended; -EINVAL. A member of type object is to be opened and read
 * to its end before the next one is asked for. */
int json_line_member(struct json_line *j, tocsin_str *ret_name, struct json_line_value *ret);
/* After the outer object nothing but white space may come. -EINVAL. */
int json_line_end(struct json_line *j);

#endif

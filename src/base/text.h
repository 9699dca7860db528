/* SPDX-License-Identifier: MIT */
/*
 * Text that came from elsewhere. A tocsin_str is a view: bytes and a length, no NUL, anything may
 * be in it. Nothing here owns a view; functions that return char * give the caller heap memory.
 */
#ifndef TOCSIN_BASE_TEXT_H
#define TOCSIN_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tocsin_plugin.h"

/* A view of a NUL-terminated string (NULL gives the absent view) or of a literal. */
tocsin_str str(const char *s);
#define STR(literal) ((tocsin_str){ "" literal, sizeof(literal) - 1 })

bool str_equal(tocsin_str a, tocsin_str b);
/* As memcmp over the common length, then the shorter first. */
int str_compare(tocsin_str a, tocsin_str b);
static inline bool str_is(tocsin_str a, const char *b)
{
	return str_equal(a, str(b));
}

/* NUL-terminated copy; NULL without memory. A NUL inside is kept and ends the C string early. */
char *str_dup(tocsin_str s);

/* The longest prefix of s of at most `max` bytes that does not split a UTF-8 character. */
tocsin_str text_cut(tocsin_str s, size_t max);

bool text_is_utf8(tocsin_str s);

/*
 * A copy that is valid UTF-8: each byte that is not becomes U+FFFD. For JSON. *ret_len excludes the
 * NUL at the end. NULL without memory.
 */
char *text_to_utf8(tocsin_str s, size_t *ret_len);
/* A copy with U+FFFD for each NUL, so that a C string holds all of it. Heap. NULL without memory.
 */
char *text_without_nuls(tocsin_str s, size_t *ret_len);

/*
 * A copy fit for one line on a terminal: valid UTF-8, and each control character (C0, C1, DEL, line
 * and paragraph separators, bidirectional overrides) becomes a visible escape such as \n, \x1b or
 * \u202e; a backslash stays itself. NULL without memory.
 */
char *text_to_line(tocsin_str s);

/*
 * A copy fit for a file's name: bytes outside [A-Za-z0-9_.@:-] become '_', a leading '.' too; empty
 * becomes "_"; at most `max` bytes. NULL without memory.
 */
char *text_to_filename(tocsin_str s, size_t max);

/* How many single-character edits turn a into b, at most `limit`; for "did you mean". */
unsigned text_distance(const char *a, const char *b, unsigned limit);

/* A string that grows; zero-initialise it, text_buffer_done frees it. `failed` = no memory once. */
struct text_buffer {
	char *ptr; /* NUL-terminated once anything was added */
	size_t len, size;
	bool failed;
};

void text_buffer_add(struct text_buffer *b, tocsin_str s);
void text_buffer_printf(struct text_buffer *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void text_buffer_done(struct text_buffer *b);

/* A number for JSON, whose readers have 63 bits: what is larger becomes the largest of those. */
static inline long long json_number(uint64_t n)
{
	return n > INT64_MAX ? INT64_MAX : (long long)n;
}

/* Do brackets outside of quotes nest at most so deep? The parser recurses, and our threads' stacks
 * are small: asked before a file that others may have written is parsed. */
bool json_nests_within(const char *bytes, size_t len, unsigned max);

#endif

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define DISTANCE_MAX 64            /* bytes; longer strings are simply far apart */
#define BUFFER_START 256

tocsin_str str(const char *s)
{
	return (tocsin_str){ s, s ? strlen(s) : 0 };
}

bool str_equal(tocsin_str a, tocsin_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

int str_compare(tocsin_str a, tocsin_str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

char *str_dup(tocsin_str s)
{
	char *copy = malloc(s.len + 1);

	if (!copy)
		return NULL;
	if (s.len > 0)
		memcpy(copy, s.ptr, s.len);
	copy[s.len] = 0;
	return copy;
}

/*
 * The length of the character that starts at s, 0 when none does: overlong forms, surrogates and
 * what lies past U+10FFFF are none.
 */
static size_t character_at(const char *s, size_t len, uint32_t *ret_code)
{
	static const struct {
		uint8_t mask, lead, length;
		uint32_t least;
	} forms[] = {
		{ 0x80, 0x00, 1, 0 },
		{ 0xe0, 0xc0, 2, 0x80 },
		{ 0xf0, 0xe0, 3, 0x800 },
		{ 0xf8, 0xf0, 4, 0x10000 },
	};
	const uint8_t *p = (const uint8_t *)s;

	for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
		uint32_t code;

		if (len < forms[f].length || (p[0] & forms[f].mask) != forms[f].lead)
			continue;
		code = p[0] & (uint8_t)~forms[f].mask;
		for (size_t i = 1; i < forms[f].length; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (p[i] & 0x3f);
		}
		if (code < forms[f].least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
			return 0;
		*ret_code = code;
		return forms[f].length;
	}
	return 0;
}

tocsin_str text_cut(tocsin_str s, size_t max)
{
	uint32_t code;

	if (s.len <= max)
		return s;
	for (size_t back = 1; back <= 3 && back <= max; back++) {
		size_t start = max - back;
		size_t length = character_at(s.ptr + start, s.len - start, &code);

		if (length > back)
			return (tocsin_str){ s.ptr, start };
		if (length > 0)
			break;
	}
	return (tocsin_str){ s.ptr, max };
}

bool text_is_utf8(tocsin_str s)
{
	uint32_t code;

	for (size_t i = 0, length; i < s.len; i += length) {
		length = character_at(s.ptr + i, s.len - i, &code);
		if (length == 0)
			return false;
	}
	return true;
}

char *text_to_utf8(tocsin_str s, size_t *ret_len)
{
	size_t replacement = sizeof REPLACEMENT - 1, len = 0;
	char *copy;
	uint32_t code;

	if (s.len > (SIZE_MAX - 1) / replacement)
		return NULL;
	for (size_t i = 0; i < s.len;) {
		size_t length = character_at(s.ptr + i, s.len - i, &code);

		len += length > 0 ? length : replacement;
		i += length > 0 ? length : 1;
	}
	copy = malloc(len + 1);
	if (!copy)
		return NULL;
	len = 0;
	for (size_t i = 0; i < s.len;) {
		size_t length = character_at(s.ptr + i, s.len - i, &code);

		if (length > 0)
			memcpy(copy + len, s.ptr + i, length);
		else
			memcpy(copy + len, REPLACEMENT, replacement);
		len += length > 0 ? length : replacement;
		i += length > 0 ? length : 1;
	}
	copy[len] = 0;
	*ret_len = len;
	return copy;
}

char *text_without_nuls(tocsin_str s, size_t *ret_len)
{
	size_t replacement = sizeof REPLACEMENT - 1, len = 0;
	char *copy, *to;

	if (s.len > (SIZE_MAX - 1) / replacement)
		return NULL;
	for (size_t i = 0; i < s.len; i++)
		len += s.ptr[i] ? 1 : replacement;
	copy = to = malloc(len + 1);
	if (!copy)
		return NULL;
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i])
			*to++ = s.ptr[i];
		else
			to = mempcpy(to, REPLACEMENT, replacement);
	*to = 0;
	*ret_len = len;
	return copy;
}

/* Does it move the cursor, start a line or turn the direction of what follows? */
static bool character_acts(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} acting[] = {
		{ 0x00, 0x1f },     { 0x7f, 0x9f },     { 0x061c, 0x061c },
		{ 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2066, 0x2069 },
	};

	for (size_t i = 0; i < sizeof acting / sizeof *acting; i++)
		if (code >= acting[i].first && code <= acting[i].last)
			return true;
	return false;
}

static void add_escape(struct text_buffer *b, uint32_t code)
{
	switch (code) {
	case '\n':
		text_buffer_add(b, STR("\\n"));
		break;
	case '\r':
		text_buffer_add(b, STR("\\r"));
		break;
	case '\t':
		text_buffer_add(b, STR("\\t"));
		break;
	default:
		text_buffer_printf(b, code < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)code);
	}
}

char *text_to_line(tocsin_str s)
{
	struct text_buffer b = { 0 };
	size_t plain = 0;

	text_buffer_add(&b, STR(""));
	for (size_t i = 0, length; i < s.len; i += length) {
		uint32_t code = 0;
		size_t valid = character_at(s.ptr + i, s.len - i, &code);

		length = valid > 0 ? valid : 1;
		if (valid > 0 && !character_acts(code))
			continue;
		text_buffer_add(&b, (tocsin_str){ s.ptr + plain, i - plain });
		plain = i + length;
		if (valid > 0)
			add_escape(&b, code);
		else
			text_buffer_add(&b, STR(REPLACEMENT));
	}
	if (s.len > plain)
		text_buffer_add(&b, (tocsin_str){ s.ptr + plain, s.len - plain });
	if (b.failed)
		text_buffer_done(&b);
	return b.ptr;
}

static bool fits_filename(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c != 0 && strchr("_.@:-\\", c)); /* \ as in a unit's name: live\x2d1 */
}

char *text_to_filename(tocsin_str s, size_t max)
{
	tocsin_str cut = { s.ptr, s.len < max ? s.len : max };
	char *name;

	if (cut.len == 0)
		return str_dup(STR("_"));
	name = str_dup(cut);
	if (!name)
		return NULL;
	for (size_t i = 0; i < cut.len; i++)
		if (!fits_filename(name[i]) || (i == 0 && name[i] == '.'))
			name[i] = '_';
	return name;
}

unsigned text_distance(const char *a, const char *b, unsigned limit)
{
	unsigned row[DISTANCE_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > DISTANCE_MAX || b_len > DISTANCE_MAX)
		return limit;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b_len] < limit ? row[b_len] : limit;
}

/* Makes room for `more` bytes and the NUL. */
static bool buffer_reserve(struct text_buffer *b, size_t more)
{
	size_t size = b->size > 0 ? b->size : BUFFER_START;
	char *ptr;

	if (b->failed || more >= SIZE_MAX / 2 - b->len) {
		b->failed = true;
		return false;
	}
	while (size < b->len + more + 1)
		size *= 2;
	if (size == b->size)
		return true;
	ptr = realloc(b->ptr, size);
	if (!ptr) {
		b->failed = true;
		return false;
	}
	b->ptr = ptr;
	b->size = size;
	return true;
}

void text_buffer_add(struct text_buffer *b, tocsin_str s)
{
	if (!buffer_reserve(b, s.len))
		return;
	if (s.len > 0)
		memcpy(b->ptr + b->len, s.ptr, s.len);
	b->len += s.len;
	b->ptr[b->len] = 0;
}

void text_buffer_printf(struct text_buffer *b, const char *format, ...)
{
	va_list args, again;
	int needed;

	va_start(args, format);
	va_copy(again, args);
	needed = vsnprintf(NULL, 0, format, args);
	if (needed < 0)
		b->failed = true;
	else if (buffer_reserve(b, (size_t)needed)) {
		vsnprintf(b->ptr + b->len, (size_t)needed + 1, format, again);
		b->len += (size_t)needed;
	}
	va_end(again);
	va_end(args);
}

void text_buffer_done(struct text_buffer *b)
{
	free(b->ptr);
	*b = (struct text_buffer){ .failed = b->failed };
}

bool json_nests_within(const char *bytes, size_t len, unsigned max)
{
	bool quoted = false;
	unsigned depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = bytes[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '[') && ++depth > max)
			return false;
		else if (!quoted && (c == '}' || c == ']') && depth > 0)
			depth--;
	}
	return true;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/json_line.h"

#include <errno.h>
#include <string.h>

void json_line_begin(struct json_line *j, char *line, size_t len)
{
	*j = (struct json_line){ .bytes = line, .len = len };
}

static int fail(struct json_line *j, size_t at, const char *expected)
{
	j->error_column = at + 1;
	j->expected = expected;
	return -EINVAL;
}

/* The next byte, or -1 at the end. */
static int peek(const struct json_line *j)
{
	return j->at < j->len ? (unsigned char)j->bytes[j->at] : -1;
}

static void skip_space(struct json_line *j)
{
	while (j->at < j->len) {
		char c = j->bytes[j->at];

		if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
			return;
		j->at++;
	}
}

static int take(struct json_line *j, char c, const char *expected)
{
	skip_space(j);
	if (peek(j) != c)
		return fail(j, j->at, expected);
	j->at++;
	return 0;
}

int json_line_open(struct json_line *j)
{
	int r = take(j, '{', "an object, {\"at\":...}");

	if (r == 0)
		j->first = true;
	return r;
}

static int hex_value(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* The four digits after \u. */
static int take_hex4(struct json_line *j, unsigned *ret)
{
	unsigned value = 0;

	for (int i = 0; i < 4; i++) {
		int digit = hex_value(peek(j));

		if (digit < 0)
			return fail(j, j->at, "four hexadecimal digits after \\u");
		value = value << 4 | (unsigned)digit;
		j->at++;
	}
	*ret = value;
	return 0;
}

static size_t put_utf8(char *to, unsigned c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* A \u escape, the second half of a pair included; at stands behind the u. */
static int take_unicode(struct json_line *j, unsigned *ret)
{
	size_t start = j->at - 2;
	unsigned high, low;
	int r = take_hex4(j, &high);

	if (r < 0)
		return r;
	if (high < 0xd800 || high > 0xdfff) {
		*ret = high;
		return 0;
	}
	if (high > 0xdbff)
		return fail(j, start, "a surrogate pair, the high half first");
	if (j->len - j->at < 2 || j->bytes[j->at] != '\\' || j->bytes[j->at + 1] != 'u')
		return fail(j, j->at, "the low half of a surrogate pair");
	j->at += 2;
	r = take_hex4(j, &low);
	if (r < 0)
		return r;
	if (low < 0xdc00 || low > 0xdfff)
		return fail(j, j->at - 6, "the low half of a surrogate pair");
	*ret = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	return 0;
}

/* An escape; at stands behind the backslash. What it means is never longer than it. */
static int take_escape(struct json_line *j, char *to, size_t *ret_len)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	int c = peek(j);
	const char *name = c > 0 ? strchr(names, c) : NULL;
	unsigned code;
	int r;

	if (name) {
		j->at++;
		*to = values[name - names];
		*ret_len = 1;
		return 0;
	}
	if (c != 'u')
		return fail(j, j->at - 1,
			    "an escape: one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u");
	j->at++;
	r = take_unicode(j, &code);
	if (r == 0)
		*ret_len = put_utf8(to, code);
	return r;
}

/* A string; at stands behind its opening quote. */
static int take_string(struct json_line *j, tocsin_str *ret)
{
	char *begin = j->bytes + j->at, *to = begin;

	for (;;) {
		int c = peek(j);

		if (c < 0)
			return fail(j, j->at, "\" to end the string");
		if (c < 0x20)
			return fail(j, j->at, "no raw control character (write \\n, \\u001b)");
		j->at++;
		if (c == '"')
			break;
		if (c == '\\') {
			size_t n = 0;
			int r = take_escape(j, to, &n);

			if (r < 0)
				return r;
			to += n;
		} else {
			*to++ = (char)c;
		}
	}
	*ret = (tocsin_str){ begin, (size_t)(to - begin) };
	return 0;
}

static size_t skip_digits(struct json_line *j)
{
	size_t start = j->at;

	while (peek(j) >= '0' && peek(j) <= '9')
		j->at++;
	return j->at - start;
}

static int take_number(struct json_line *j)
{
	size_t start;

	if (peek(j) == '-')
		j->at++;
	start = j->at;
	if (!skip_digits(j))
		return fail(j, j->at, "a digit");
	if (j->bytes[start] == '0' && j->at - start > 1)
		return fail(j, start, "a number without leading zeroes");
	if (peek(j) == '.') {
		j->at++;
		if (!skip_digits(j))
			return fail(j, j->at, "a digit after the point");
	}
	if (peek(j) == 'e' || peek(j) == 'E') {
		j->at++;
		if (peek(j) == '+' || peek(j) == '-')
			j->at++;
		if (!skip_digits(j))
			return fail(j, j->at, "a digit in the exponent");
	}
	return 0;
}

static int take_word(struct json_line *j, struct json_line_value *v)
{
	static const struct {
		const char *word;
		enum json_line_type type;
	} words[] = {
		{ "true", JSON_LINE_TRUE },
		{ "false", JSON_LINE_FALSE },
		{ "null", JSON_LINE_NULL },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = strlen(words[i].word);

		if (j->len - j->at >= len && memcmp(j->bytes + j->at, words[i].word, len) == 0) {
			j->at += len;
			v->type = words[i].type;
			return 0;
		}
	}
	return fail(j, j->at, "a value: a string, a number, true, false or null");
}

static int take_value(struct json_line *j, struct json_line_value *ret)
{
	struct json_line_value v = { 0 };
	size_t start;
	int c, r;

	skip_space(j);
	start = j->at;
	v.column = start + 1;
	c = peek(j);
	if (c == '"') {
		j->at++;
		v.type = JSON_LINE_STRING;
		r = take_string(j, &v.text);
	} else if (c == '-' || (c >= '0' && c <= '9')) {
		v.type = JSON_LINE_NUMBER;
		r = take_number(j);
	} else if (c == '{' || c == '[') {
		v.type = c == '{' ? JSON_LINE_OBJECT : JSON_LINE_ARRAY;
		r = 0;
	} else {
		r = take_word(j, &v);
	}
	if (r < 0)
		return r;
	if (v.type != JSON_LINE_STRING)
		v.text = (tocsin_str){ j->bytes + start, j->at - start };
	*ret = v;
	return 0;
}

int json_line_member(struct json_line *j, tocsin_str *ret_name, struct json_line_value *ret)
{
	tocsin_str name;
	int r;

	skip_space(j);
	if (peek(j) == '}') {
		j->at++;
		j->first = false;
		return 0;
	}
	if (!j->first) {
		r = take(j, ',', ", or } after the value");
		if (r < 0)
			return r;
	}
	r = take(j, '"',
		 j->first ? "a member's name in quotes, or }" : "a member's name in quotes");
	if (r < 0)
		return r;
	j->first = false;
	j->member_column = j->at;
	r = take_string(j, &name);
	if (r == 0)
		r = take(j, ':', ": after the member's name");
	if (r == 0)
		r = take_value(j, ret);
	if (r < 0)
		return r;
	*ret_name = name;
	return 1;
}

int json_line_end(struct json_line *j)
{
	skip_space(j);
	if (j->at < j->len)
		return fail(j, j->at, "the end of the line (one object a line)");
	return 0;
}

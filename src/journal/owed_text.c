/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/checksum.h"
#include "base/cleanup.h"
#include "journal/owed_parts.h"

#define LINE_FORMAT "entry %016" PRIx64 " %016" PRIx64 " %016" PRIx64 "\n"
#define LINE_SIZE 57
#define DIGITS 16
#define LINE_TAG_END 23 /* behind "entry TAG " */
#define END_FORMAT "end %016" PRIx64 "\n"
#define END_SIZE 21
#define TEXT_SIZE 64 /* for any of these */
#define NAME_MAX_LEN 64
/* A damaged file is looked at so many times over at most. */
#define BUDGET_FACTOR 4

DEFINE_CLEANUP(struct entry *, entry_free, cleanup_entry)

/* The length too: one that was changed must not seem whole. */
static uint64_t checksum(tocsin_str body)
{
	uint64_t len = body.len;

	return checksum_add(checksum_add(0, &len, sizeof len), body.ptr, body.len);
}

/* --- Writing --- */

/* May the value stand behind NAME= on a line? */
static bool is_line(tocsin_str value)
{
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.ptr[i] < ' ' && value.ptr[i] != '\t')
			return false;
	return text_is_utf8(value);
}

static void add_field(struct text_buffer *b, tocsin_str field)
{
	const char *equals = memchr(field.ptr, '=', field.len);
	uint8_t size[8];

	if (!equals)
		return;
	tocsin_str name = { field.ptr, (size_t)(equals - field.ptr) };
	tocsin_str value = { equals + 1, field.len - name.len - 1 };

	if (is_line(value)) {
		text_buffer_add(b, field);
	} else {
		for (unsigned i = 0; i < sizeof size; i++)
			size[i] = (uint8_t)((uint64_t)value.len >> (8 * i));
		text_buffer_add(b, name);
		text_buffer_add(b, STR("\n"));
		text_buffer_add(b, (tocsin_str){ (const char *)size, sizeof size });
		text_buffer_add(b, value);
	}
	text_buffer_add(b, STR("\n"));
}

int owed_encode(uint64_t tag, struct text_buffer *text, const struct entry *e)
{
	_cleanup_(text_buffer_done) struct text_buffer body = { 0 };

	for (size_t i = 0; i < e->n_fields; i++)
		add_field(&body, (tocsin_str){ e->fields[i].iov_base, e->fields[i].iov_len });
	text_buffer_add(&body, STR("\n"));
	if (body.failed)
		return -ENOMEM;
	if (body.len > OWED_ENTRY_MAX)
		return -EFBIG;

	size_t before = text->len;
	tocsin_str all = { body.ptr, body.len };

	if (before == 0)
		text_buffer_add(text, STR(OWED_FIRST_LINE));
	text_buffer_printf(text, LINE_FORMAT, tag, (uint64_t)all.len, checksum(all));
	text_buffer_add(text, all);
	if (text->failed) {
		text->len = before;
		text->failed = false;
		return -ENOMEM;
	}
	return 0;
}

void owed_encode_end(uint64_t tag, struct text_buffer *text)
{
	text_buffer_printf(text, END_FORMAT, tag);
}

/* --- Reading --- */

/* The field at *at: 1; 0: the empty line that ends the entry; -EBADMSG. */
static int field_next(tocsin_str body, size_t *at, tocsin_str *name, tocsin_str *value)
{
	const char *from = body.ptr + *at;
	size_t left = body.len - *at;
	const char *newline = memchr(from, '\n', left);
	const char *equals;
	uint64_t size = 0;

	if (!newline)
		return -EBADMSG;
	if (newline == from)
		return left == 1 ? 0 : -EBADMSG;
	equals = memchr(from, '=', (size_t)(newline - from));
	if (equals) {
		*name = (tocsin_str){ from, (size_t)(equals - from) };
		*value = (tocsin_str){ equals + 1, (size_t)(newline - equals) - 1 };
		*at += (size_t)(newline - from) + 1;
		return 1;
	}
	*name = (tocsin_str){ from, (size_t)(newline - from) };
	left -= name->len + 1;
	if (left < sizeof size)
		return -EBADMSG;
	for (unsigned i = 0; i < sizeof size; i++)
		size |= (uint64_t)(unsigned char)newline[1 + i] << (8 * i);
	left -= sizeof size;
	if (size >= left || newline[1 + sizeof size + size] != '\n')
		return -EBADMSG;
	*value = (tocsin_str){ newline + 1 + sizeof size, size };
	*at += name->len + 1 + sizeof size + size + 1;
	return 1;
}

/* Would journald take a field of that name from us? */
static bool is_name(tocsin_str name)
{
	if (name.len == 0 || name.len > NAME_MAX_LEN || name.ptr[0] < 'A' || name.ptr[0] > 'Z')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '_')
			return false;
	}
	return true;
}

/* Is it an entry at all, and what of it must be known before it is made? */
static int entry_look(tocsin_str body, bool *ret_recovered, int *ret_priority)
{
	bool recovered = false;
	int priority = LOG_NOTICE, r;
	tocsin_str name, value;
	size_t n = 0;

	for (size_t at = 0; (r = field_next(body, &at, &name, &value)) > 0; n++) {
		if (!is_name(name))
			return -EBADMSG;
		if (str_is(name, "TOCSIN_RECOVERED"))
			recovered = true;
		if (str_is(name, "PRIORITY") && value.len == 1 && value.ptr[0] >= '0' &&
		    value.ptr[0] <= '7')
			priority = value.ptr[0] - '0';
	}
	if (r < 0 || n == 0 || n > ENTRY_FIELDS_MAX)
		return -EBADMSG;
	*ret_recovered = recovered;
	*ret_priority = priority;
	return 0;
}

static int decode(tocsin_str body, struct entry **ret)
{
	_cleanup_(cleanup_entry) struct entry *e = NULL;
	char text[NAME_MAX_LEN + 1];
	tocsin_str name, value;
	bool recovered;
	int priority;
	int r = entry_look(body, &recovered, &priority);

	if (r < 0)
		return r;
	e = entry_new(ENTRY_CLASS_FIRST, priority);
	if (!e)
		return -ENOMEM;
	if (!recovered)
		entry_add(e, "TOCSIN_RECOVERED", STR("1"));
	for (size_t at = 0; field_next(body, &at, &name, &value) > 0;) {
		size_t before = e->n_fields;

		memcpy(text, name.ptr, name.len);
		text[name.len] = 0;
		entry_add(e, text, value);
		if (e->n_fields == before && before < ENTRY_FIELDS_MAX)
			return -ENOMEM;
	}
	*ret = TAKE(e);
	return 0;
}

int owed_reader_init(struct owed_reader *r, uint64_t tag, char *bytes, size_t len)
{
	size_t magic = strlen(OWED_MAGIC), first = strlen(OWED_FIRST_LINE);

	*r = (struct owed_reader){
		.len = len,
		.at = first,
		.tag = tag,
		.budget = (uint64_t)BUDGET_FACTOR * len,
	};
	if (len < first || memcmp(bytes, OWED_FIRST_LINE, first) != 0) {
		if (len > magic && memcmp(bytes, OWED_MAGIC, magic) == 0 && bytes[magic] > '1' &&
		    bytes[magic] <= '9')
			return -EPROTONOSUPPORT;
		r->damaged = true;
		r->at = 0;
	}
	r->bytes = bytes;
	return 0;
}

void owed_reader_done(struct owed_reader *r)
{
	free(r->bytes);
	r->bytes = NULL;
}

/* Digits as LINE_FORMAT writes them. */
static bool parse_hex(const char *s, uint64_t *ret)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < DIGITS; i++) {
		char c = s[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
		n = n << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*ret = n;
	return true;
}

/* The entry whose line stands at r->at: 1, -EBADMSG, -ENOMEM. */
static int read_here(struct owed_reader *r, const char *line, struct entry **ret)
{
	const char *from = r->bytes + r->at;
	size_t left = r->len - r->at;
	uint64_t len, sum;

	if (left < LINE_SIZE || memcmp(from, line, LINE_TAG_END) != 0 ||
	    !parse_hex(from + LINE_TAG_END, &len) ||
	    !parse_hex(from + LINE_TAG_END + DIGITS + 1, &sum) ||
	    from[LINE_TAG_END + DIGITS] != ' ' || from[LINE_SIZE - 1] != '\n' ||
	    len > left - LINE_SIZE || len > OWED_ENTRY_MAX || len > r->budget)
		return -EBADMSG;

	tocsin_str body = { from + LINE_SIZE, len };

	r->budget -= len;
	if (checksum(body) != sum)
		return -EBADMSG;
	int e = decode(body, ret);
	if (e < 0)
		return e;
	r->at += LINE_SIZE + len;
	return 1;
}

/* To the next line that begins an entry; false: there is none. */
static bool skip_damage(struct owed_reader *r, const char *line)
{
	const char *from = r->bytes + r->at;
	const char *found = r->at + 1 < r->len
				    ? memmem(from + 1, r->len - r->at - 1, line, LINE_TAG_END)
				    : NULL;

	r->damaged = true;
	if (!found || r->budget == 0)
		return false;
	r->at = (size_t)(found - r->bytes);
	return true;
}

int owed_reader_next(struct owed_reader *r, struct entry **ret)
{
	char line[TEXT_SIZE], end[TEXT_SIZE];

	snprintf(line, sizeof line, LINE_FORMAT, r->tag, UINT64_C(0), UINT64_C(0));
	snprintf(end, sizeof end, END_FORMAT, r->tag);
	while (!r->ended) {
		int e = read_here(r, line, ret);

		if (e != -EBADMSG)
			return e;
		if (r->len - r->at == END_SIZE && memcmp(r->bytes + r->at, end, END_SIZE) == 0)
			r->ended = true;
		else
			r->ended = !skip_damage(r, line);
	}
	return 0;
}

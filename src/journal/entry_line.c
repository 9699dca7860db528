/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "journal/entry_line.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/text.h"

#define TRUNCATED_MARK " truncated=\"1\""
#define LINE_END "]"

/* The value of a field that is called `name`, else NULL. */
static const char *value_of(const struct iovec *field, const char *name, size_t *ret_len)
{
	size_t len = strlen(name);
	const char *bytes = field->iov_base;

	if (field->iov_len <= len || memcmp(bytes, name, len) != 0 || bytes[len] != '=')
		return NULL;
	*ret_len = field->iov_len - len - 1;
	return bytes + len + 1;
}

/* Fields that a line has no use for: journald's own, and those that only repeat. */
static bool is_for_the_journal(const struct iovec *field)
{
	static const char *const names[] = { "MESSAGE",         "MESSAGE_ID",
					     "PRIORITY",        "SYSLOG_IDENTIFIER",
					     "TOCSIN_METADATA", "TOCSIN_RAW_MESSAGE" };
	size_t len;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (value_of(field, names[i], &len))
			return true;
	return false;
}

/* name="value", the name in lower case and without TOCSIN_. */
static void add_field(struct text_buffer *b, const struct iovec *field)
{
	static const char prefix[] = "TOCSIN_";
	tocsin_str name = { field->iov_base, 0 };
	_cleanup_free_ char *value = NULL;

	while (name.len < field->iov_len && name.ptr[name.len] != '=')
		name.len++;
	value = text_to_line(
		(tocsin_str){ name.ptr + name.len + 1, field->iov_len - name.len - 1 });
	if (!value) {
		b->failed = true;
		return;
	}
	if (name.len > sizeof prefix - 1 && memcmp(name.ptr, prefix, sizeof prefix - 1) == 0) {
		name.ptr += sizeof prefix - 1;
		name.len -= sizeof prefix - 1;
	}
	text_buffer_add(b, STR(" "));
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		text_buffer_add(b, (tocsin_str){ &c, 1 });
	}
	text_buffer_add(b, STR("=\""));
	for (const char *p = value; *p; p++) {
		if (strchr("\"\\]", *p))
			text_buffer_add(b, STR("\\"));
		text_buffer_add(b, (tocsin_str){ p, 1 });
	}
	text_buffer_add(b, STR("\""));
}

/* Returns whether it had to be cut to `max` bytes. */
static bool add_message(struct text_buffer *b, const struct entry *e, size_t max)
{
	bool cut = false;

	for (size_t i = 0; i < e->n_fields; i++) {
		size_t len = 0;
		const char *message = value_of(&e->fields[i], "MESSAGE", &len);
		_cleanup_free_ char *line = NULL;
		tocsin_str kept;

		if (!message)
			continue;
		line = text_to_line((tocsin_str){ message, len });
		b->failed |= !line;
		kept = text_cut(str(line), max);
		cut = kept.len < str(line).len;
		text_buffer_add(b, kept);
		text_buffer_add(b, cut ? STR("... ") : STR(" "));
		break;
	}
	return cut;
}

/* The fields in brackets: those with which the whole stays within `max`. `cut`: what stands before
 * is not all. */
static void add_fields(struct text_buffer *b, const struct entry *e, size_t max, bool cut)
{
	size_t room = max - strlen(TRUNCATED_MARK LINE_END);
	size_t len;

	text_buffer_add(b, STR("[tocsin"));
	for (size_t i = 0; i < e->n_fields; i++) {
		size_t before = b->len;

		if (value_of(&e->fields[i], "TOCSIN_TRUNCATED", &len)) {
			cut = true;
		} else if (!is_for_the_journal(&e->fields[i])) {
			add_field(b, &e->fields[i]);
			if (b->len > room) {
				b->len = before;
				cut = true;
			}
		}
	}
	text_buffer_add(b, cut ? STR(TRUNCATED_MARK LINE_END) : STR(LINE_END));
}

static char *take_text(struct text_buffer *b, size_t *ret_len)
{
	if (b->failed) {
		text_buffer_done(b);
		return NULL;
	}
	*ret_len = b->len;
	return b->ptr;
}

char *entry_to_line(const struct entry *e, size_t *ret_len)
{
	struct text_buffer b = { 0 };

	add_message(&b, e, SIZE_MAX);
	add_fields(&b, e, SIZE_MAX, false);
	text_buffer_add(&b, STR("\n"));
	return take_text(&b, ret_len);
}

char *entry_to_syslog(const struct entry *e, long pid, size_t *ret_len)
{
	struct text_buffer b = { 0 };
	bool cut;

	text_buffer_printf(&b, "<%d>tocsin[%ld]: ", LOG_DAEMON | LOG_PRI(e->priority), pid);
	cut = add_message(&b, e, ENTRY_SYSLOG_MAX / 2);
	add_fields(&b, e, ENTRY_SYSLOG_MAX, cut);
	return take_text(&b, ret_len);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "codes/runbook_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "codes/code.h"
#include "codes/runbook_text.h"

#define FENCE "---"
#define TITLE_MAX 100        /* bytes */
#define DURATION_TEXT_MAX 16 /* bytes: far more than any needs */
#define PAGE_AFTER_MAX_NS (UINT64_C(86400) * NS_PER_S)
#define SHOWN_MAX 60 /* bytes of a wrong text that are shown */

enum key {
	KEY_CODE,
	KEY_PRIORITY,
	KEY_MESSAGE_ID,
	KEY_TITLE,
	KEY_ACK_WITHIN,
	KEY_ESCALATE_TO,
	KEY_PAGE_AFTER,
	KEYS,
};

static bool is_priority(tocsin_str s)
{
	return s.len == 2 && s.ptr[0] == 'P' && s.ptr[1] >= '1' && s.ptr[1] <= '3';
}

static bool is_message_id(tocsin_str s)
{
	bool zero = true;

	if (s.len != 32)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!((s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] >= 'a' && s.ptr[i] <= 'f')))
			return false;
		zero &= s.ptr[i] == '0';
	}
	return !zero;
}

static bool is_title(tocsin_str s)
{
	if (s.len > TITLE_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (strchr("\\\"|\t", s.ptr[i]))
			return false;
	return true;
}

static bool is_duration(tocsin_str s)
{
	uint64_t ns;

	return s.len <= DURATION_TEXT_MAX && duration_from_text(s, &ns) == 0;
}

static bool is_page_after(tocsin_str s)
{
	uint64_t ns;

	return is_duration(s) && duration_from_text(s, &ns) == 0 && ns <= PAGE_AFTER_MAX_NS;
}

static const struct {
	const char *name;
	bool (*fits)(tocsin_str value);
	const char *expected;
} keys[KEYS] = {
	[KEY_CODE] = { "code", code_is_usable, "capitals, digits and _, at most 64" },
	[KEY_PRIORITY] = { "priority", is_priority, "P1, P2 or P3" },
	[KEY_MESSAGE_ID] = { "message-id", is_message_id, "32 hex digits in lower case" },
	[KEY_TITLE] = { "title", is_title, "at most 100 characters without \\, \" and |" },
	[KEY_ACK_WITHIN] = { "ack-within", is_duration, "a duration such as 0, 500ms, 5s or 10m" },
	[KEY_ESCALATE_TO] = { "escalate-to", role_is_usable, "a role in lower case" },
	[KEY_PAGE_AFTER] = { "page-after", is_page_after,
			     "a duration such as 0, 500ms, 5s or 10m, at most a day" },
};

/* The head as it is read. */
struct reader {
	runbook_complain *complain;
	void *userdata;
	unsigned line, complaints;
	tocsin_str values[KEYS]; /* ptr NULL: not given */
	unsigned where[KEYS];
	bool bad;
};

__attribute__((format(printf, 3, 4))) static void complain(struct reader *r, unsigned line,
							   const char *format, ...)
{
	char what[512];
	va_list ap;

	r->bad = true;
	if (r->complaints++ >= RUNBOOK_COMPLAINTS_MAX)
		return;
	va_start(ap, format);
	vsnprintf(what, sizeof what, format, ap);
	va_end(ap);
	r->complain(r->userdata, line, what);
}

bool runbook_next_line(tocsin_str *rest, tocsin_str *ret_line)
{
	const char *end;

	if (rest->len == 0)
		return false;
	end = memchr(rest->ptr, '\n', rest->len);
	*ret_line = (tocsin_str){ rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len };
	rest->ptr += ret_line->len + (end ? 1 : 0);
	rest->len -= ret_line->len + (end ? 1 : 0);
	return true;
}

static tocsin_str trimmed(tocsin_str s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static bool is_plain(tocsin_str line)
{
	for (size_t i = 0; i < line.len; i++)
		if (((unsigned char)line.ptr[i] < 0x20 && line.ptr[i] != '\t') ||
		    line.ptr[i] == 0x7f)
			return false;
	return text_is_utf8(line);
}

static enum key find_key(tocsin_str name)
{
	enum key k = 0;

	while (k < KEYS && !str_is(name, keys[k].name))
		k++;
	return k;
}

static void value_check(struct reader *r, enum key k, tocsin_str value)
{
	_cleanup_free_ char *shown = NULL;

	if (value.len == 0) {
		complain(r, r->line, "%s: has no value", keys[k].name);
		return;
	}
	if (keys[k].fits(value))
		return;
	shown = text_to_line(text_cut(value, SHOWN_MAX));
	complain(r, r->line, "%s: expected %s, found %s", keys[k].name, keys[k].expected,
		 shown ? shown : "");
}

static void head_line(struct reader *r, tocsin_str line)
{
	const char *colon = memchr(line.ptr, ':', line.len);
	tocsin_str name = { line.ptr, colon ? (size_t)(colon - line.ptr) : 0 };
	tocsin_str value = { line.ptr + name.len, line.len - name.len };
	enum key k = find_key(name);

	if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
		complain(r, r->line, "the line ends in CR LF; expected LF alone");
	} else if (!is_plain(line)) {
		complain(r, r->line, "there is a control character in the line, or no UTF-8");
	} else if (k == KEYS) {
		_cleanup_free_ char *shown = text_to_line(text_cut(line, SHOWN_MAX));

		complain(r, r->line,
			 "expected one of: code, priority, message-id, title, ack-within, "
			 "escalate-to, page-after, found %s",
			 shown ? shown : "");
	} else if (r->values[k].ptr) {
		complain(r, r->line, "%s: given twice", keys[k].name);
	} else {
		value.ptr++;
		value.len--;
		r->values[k] = trimmed(value);
		r->where[k] = r->line;
		value_check(r, k, r->values[k]);
	}
}

/* Must the file of this code be named so? */
static void name_check(struct reader *r, const char *name)
{
	tocsin_str code = r->values[KEY_CODE];
	char lower[TOCSIN_CODE_MAX + 1];

	if (!code.ptr || !code_is_usable(code))
		return;
	for (size_t i = 0; i < code.len; i++) {
		lower[i] = code.ptr[i];
		if (lower[i] >= 'A' && lower[i] <= 'Z')
			lower[i] = (char)(lower[i] + 'a' - 'A');
	}
	lower[code.len] = 0;
	if (strncmp(name, lower, code.len) != 0 || strcmp(name + code.len, ".md") != 0)
		complain(r, r->where[KEY_CODE], "the file of %.*s must be named %s.md",
			 (int)code.len, code.ptr, lower);
}

static void head_read(struct reader *r, const char *name, tocsin_str *rest)
{
	tocsin_str line;

	r->line = 1;
	if (!runbook_next_line(rest, &line)) {
		complain(r, 1, "the runbook is empty");
		return;
	}
	if (!str_is(line, FENCE)) {
		complain(r, 1, "expected %s , the first line of the head", FENCE);
		return;
	}
	for (;;) {
		if (!runbook_next_line(rest, &line)) {
			complain(r, r->line, "the head has no closing %s", FENCE);
			return;
		}
		r->line++;
		if (str_is(line, FENCE))
			break;
		head_line(r, line);
	}
	for (enum key k = 0; k < KEYS; k++)
		if (!r->values[k].ptr)
			complain(r, r->line, "the head lacks %s", keys[k].name);
	name_check(r, name);
}

/* Copies of the values, one after the other, each with a NUL. */
static int values_keep(const struct reader *r, struct runbook_file *f)
{
	const char *copies[KEYS];
	size_t size = 0;
	char *p;

	for (enum key k = 0; k < KEYS; k++)
		size += r->values[k].len + 1;
	f->memory = p = malloc(size);
	f->roles = runbook_roles(f->body, r->values[KEY_ESCALATE_TO]);
	if (!f->memory || !f->roles)
		return -ENOMEM;
	for (enum key k = 0; k < KEYS; k++) {
		copies[k] = p;
		memcpy(p, r->values[k].ptr, r->values[k].len);
		p += r->values[k].len;
		*p++ = 0;
	}
	f->runbook = (struct runbook){
		.code = copies[KEY_CODE],
		.priority = (uint32_t)(copies[KEY_PRIORITY][1] - '0'),
		.message_id = copies[KEY_MESSAGE_ID],
		.title = copies[KEY_TITLE],
		.ack_within = copies[KEY_ACK_WITHIN],
		.escalate_to = copies[KEY_ESCALATE_TO],
		.roles = f->roles,
		.of_site = true,
	};
	return duration_from_text(r->values[KEY_PAGE_AFTER], &f->runbook.page_after_ns);
}

int runbook_file_parse(const char *name, tocsin_str text, runbook_complain *complain_to,
		       void *userdata, struct runbook_file *ret)
{
	struct reader r = { .complain = complain_to, .userdata = userdata };
	struct runbook_file f = { 0 };
	int error;

	head_read(&r, name, &text);
	if (r.bad)
		return -EBADMSG;
	f.body = text;
	f.body_line = r.line + 1;
	f.message_id_line = r.where[KEY_MESSAGE_ID];
	error = values_keep(&r, &f);
	if (error < 0) {
		runbook_file_done(&f);
		return error;
	}
	*ret = f;
	return 0;
}

void runbook_file_done(struct runbook_file *f)
{
	free(f->memory);
	free(f->roles);
	*f = (struct runbook_file){ 0 };
}

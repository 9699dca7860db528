/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "page/page_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "codes/runbooks.h"
#include "codes/contacts.h"

static size_t escaped_size(char c)
{
	if ((unsigned char)c < 0x20)
		return 6;
	return c == '"' || c == '\\' ? 2 : 1;
}

size_t builder_text_size(tocsin_str s)
{
	size_t size = 0;

	for (size_t i = 0; i < s.len; i++)
		size += escaped_size(s.ptr[i]);
	return size;
}

/* The longest prefix of whole characters that takes at most `max` bytes as JSON. */
static tocsin_str text_fit(tocsin_str s, size_t max)
{
	size_t size = 0, i = 0;

	while (i < s.len && size + escaped_size(s.ptr[i]) <= max)
		size += escaped_size(s.ptr[i++]);
	return text_cut(s, i);
}

/*
 * Valid UTF-8 without NUL, which many receivers and our own reading of a key refuse: it becomes
 * U+FFFD as an invalid byte does. NULL without memory.
 */
char *builder_text_clean(tocsin_str s, size_t *ret_len)
{
	_cleanup_free_ char *copy = str_dup(s);

	for (size_t i = 0; copy && i < s.len; i++)
		if (copy[i] == 0)
			copy[i] = (char)0xff;
	return copy ? text_to_utf8((tocsin_str){ copy, s.len }, ret_len) : NULL;
}

void builder_add(struct builder *b, const char *name, json_t *value)
{
	if (json_object_set_new(b->data, name, value) < 0)
		b->failed = true;
}

void builder_add_text(struct builder *b, const char *name, tocsin_str s, size_t max)
{
	_cleanup_free_ char *clean = NULL;
	size_t len = 0;

	if (!s.ptr) {
		builder_add(b, name, json_null());
		return;
	}
	clean = builder_text_clean(s, &len);
	if (!clean) {
		b->failed = true;
		return;
	}
	tocsin_str fit = text_fit((tocsin_str){ clean, len }, max);
	if (fit.len < len)
		b->cut = true;
	builder_add(b, name, json_stringn(fit.ptr, fit.len));
}

void builder_add_time(struct builder *b, const char *name, uint64_t wall_ns)
{
	char text[TIME_TEXT_SIZE];

	builder_add(b, name, wall_ns ? json_string(time_to_rfc3339(wall_ns, text)) : json_null());
}

/* A link that was cut leads nowhere, so one too long is left out. */
static void add_link(struct builder *b, const struct page_context *c, const char *code)
{
	_cleanup_free_ char *link = runbooks_link(c->runbooks, c->runbooks_base_url, str(code));

	if (!link) {
		b->failed = true;
		return;
	}
	if (builder_text_size(str(link)) > URL_TEXT_MAX) {
		b->cut = true;
		link[0] = 0;
	}
	builder_add_text(b, "runbook_url", link[0] ? str(link) : str(NULL), URL_TEXT_MAX);
}

/* "trading-desk: +1 555 0100" where the settings tell, else the role alone. */
static void add_escalation(struct builder *b, const struct page_context *c, const char *role)
{
	const char *who = contacts_who(c->contacts, str(role));
	struct text_buffer text = { 0 };

	text_buffer_printf(&text, "%s%s%s", role, who ? ": " : "", who ? who : "");
	if (text.failed)
		b->failed = true;
	else
		builder_add_text(b, "escalate_to", str(text.ptr), TITLE_TEXT_MAX);
	text_buffer_done(&text);
}

void builder_add_priority(struct builder *b, uint32_t priority)
{
	char text[8];

	snprintf(text, sizeof text, "P%u", (unsigned)priority % 10);
	builder_add_text(b, "priority", str(text), ID_TEXT_MAX);
}

/* A priority graver than the code's own has times of its own. */
static const char *ack_within(const struct runbook *runbook, uint32_t priority)
{
	static const char *const times[] = { "5m", "4h", "8h" };

	if (priority < 1 || priority >= runbook->priority)
		return runbook->ack_within;
	return times[priority - 1];
}

void builder_add_runbook(struct builder *b, const struct page_context *c, const char *code,
			 uint32_t priority)
{
	const struct runbook *runbook = runbooks_find(c->runbooks, str(code));

	add_link(b, c, code);
	builder_add_text(b, "ack_within", str(ack_within(runbook, priority)), ID_TEXT_MAX);
	add_escalation(b, c, runbook->escalate_to);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "journal/entry.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "journal/entry_fields.h"

#define META_PREFIX "TOCSIN_META_"

const char *entry_kind_message_id(enum entry_kind kind)
{
	static const char *const ids[] = {
#define ENTRY_KIND(name, message_id, subject, text) [ENTRY_KIND_##name] = message_id,
#include "journal/entry_kinds.def"
#undef ENTRY_KIND
	};

	return ids[kind];
}

struct entry *entry_new(enum entry_class class, int priority)
{
	struct entry *e = malloc(sizeof *e);

	if (!e)
		return NULL;
	e->class = class;
	e->priority = priority;
	e->sequence = 0;
	e->bytes = sizeof *e;
	e->n_fields = 0;
	e->fields = e->own_fields;
	e->next = NULL;
	e->failed = false;
	e->used = 0;
	return e;
}

static bool is_own(const struct entry *e, const void *p)
{
	return (uintptr_t)p >= (uintptr_t)e->own_bytes &&
	       (uintptr_t)p < (uintptr_t)(e->own_bytes + sizeof e->own_bytes);
}

void entry_free(struct entry *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->n_fields; i++)
		if (!is_own(e, e->fields[i].iov_base))
			free(e->fields[i].iov_base);
	if (e->fields != e->own_fields)
		free(e->fields);
	free(e);
}

/* Room for one more field's pointer. */
static bool reserve_field(struct entry *e)
{
	struct iovec *all;

	if (e->n_fields == ENTRY_FIELDS_MAX)
		return false;
	if (e->n_fields != ENTRY_FIELDS_OWN || e->fields != e->own_fields)
		return true;
	all = malloc(ENTRY_FIELDS_MAX * sizeof *all);
	if (!all) {
		e->failed = true;
		return false;
	}
	memcpy(all, e->own_fields, sizeof e->own_fields);
	e->fields = all;
	e->bytes += ENTRY_FIELDS_MAX * sizeof *all;
	return true;
}

static char *reserve_bytes(struct entry *e, size_t len)
{
	char *p;

	if (len <= sizeof e->own_bytes - e->used) {
		p = e->own_bytes + e->used;
		e->used += len;
		return p;
	}
	p = malloc(len);
	if (p)
		e->bytes += len;
	else
		e->failed = true;
	return p;
}

void entry_add(struct entry *e, const char *name, tocsin_str value)
{
	size_t name_len = strlen(name), len = name_len + 1 + value.len;
	char *p;

	if (!reserve_field(e))
		return;
	p = reserve_bytes(e, len);
	if (!p)
		return;
	memcpy(p, name, name_len);
	p[name_len] = '=';
	if (value.len > 0)
		memcpy(p + name_len + 1, value.ptr, value.len);
	e->fields[e->n_fields++] = (struct iovec){ p, len };
}

void entry_addf(struct entry *e, const char *name, const char *format, ...)
{
	char text[160], *longer = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (n >= (int)sizeof text) {
		va_start(args, format);
		n = vasprintf(&longer, format, args);
		va_end(args);
	}
	if (n < 0)
		e->failed = true;
	else
		entry_add(e, name, (tocsin_str){ longer ? longer : text, (size_t)n });
	free(longer);
}

/* What an engine gave. Whoever reads a log entry holds its fields as C strings: none is to end at a
 * NUL inside. */
static void add_given(struct entry *e, const char *name, tocsin_str value)
{
	_cleanup_free_ char *copy = NULL;

	if (value.len > 0 && memchr(value.ptr, 0, value.len)) {
		copy = text_without_nuls(value, &value.len);
		if (!copy) {
			e->failed = true;
			return;
		}
		value.ptr = copy;
	}
	entry_add(e, name, value);
}

void entry_add_view(struct entry *e, const char *name, tocsin_str text)
{
	if (text.len > 0)
		add_given(e, name, text);
}

void entry_add_text(struct entry *e, const char *name, const char *text)
{
	entry_add_view(e, name, str(text));
}

char *double_to_text(double value, char buf[static DOUBLE_TEXT_SIZE])
{
	const char *point = nl_langinfo(RADIXCHAR);
	size_t point_len = strlen(point);
	char *at;

	snprintf(buf, DOUBLE_TEXT_SIZE, "%.15g", value);
	if (strtod(buf, NULL) < value || strtod(buf, NULL) > value)
		snprintf(buf, DOUBLE_TEXT_SIZE, "%.17g", value);
	at = point_len > 0 ? strstr(buf, point) : NULL;
	if (at) {
		*at = '.';
		memmove(at + 1, at + point_len, strlen(at + point_len) + 1);
	}
	return buf;
}

/* TOCSIN_META_KEY: upper case, and '_' for what a field's name may not have. */
static void meta_name(tocsin_str key, char name[static ENTRY_NAME_MAX + 1])
{
	size_t n = sizeof META_PREFIX - 1;

	memcpy(name, META_PREFIX, n);
	for (size_t i = 0; i < key.len && n < ENTRY_NAME_MAX; i++) {
		char c = key.ptr[i];

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		else if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'))
			c = '_';
		name[n++] = c;
	}
	name[n] = 0;
}

/* May the log be given this name? Those it has may always be; a new one while there is room. */
static bool meta_name_allowed(struct entry_meta_names *names, const char *name)
{
	if (!names)
		return true;
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->list[i], name) == 0)
			return true;
	if (names->n == ENTRY_META_NAMES_MAX) {
		names->left_out = true;
		return false;
	}
	memcpy(names->list[names->n++], name, strlen(name) + 1);
	return true;
}

void entry_add_metadata(struct entry *e, struct entry_meta_names *names, const struct metadata *m)
{
	_cleanup_free_ char *text = NULL;
	json_t *json;

	if (m->n == 0)
		return;
	json = metadata_to_json(m);
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (!text)
		e->failed = true;
	entry_add_text(e, "TOCSIN_METADATA", text);
	for (size_t i = 0; i < m->n; i++) {
		char name[ENTRY_NAME_MAX + 1];

		meta_name(m->kv[i].key, name);
		if (meta_name_allowed(names, name))
			add_given(e, name, m->kv[i].value);
	}
}

bool message_add_clean(struct text_buffer *message, tocsin_str text)
{
	_cleanup_free_ char *line = text_to_line(text);

	if (!line) {
		message->failed = true;
		return false;
	}
	text_buffer_add(message, str(line));
	return !str_is(text, line);
}

void entry_add_message(struct entry *e, struct text_buffer *message)
{
	if (message->failed)
		e->failed = true;
	else if (message->len > 0)
		entry_add(e, "MESSAGE", (tocsin_str){ message->ptr, message->len });
	text_buffer_done(message);
}

struct entry *entry_begin(const struct entry_context *c, enum entry_class class, int priority,
			  const char *event, const char *message_id, uint64_t wall_ns)
{
	struct entry *e = entry_new(class, priority);
	char time[TIME_TEXT_SIZE];

	if (!e)
		return NULL;
	entry_add(e, "SYSLOG_IDENTIFIER", STR("tocsin"));
	entry_addf(e, "PRIORITY", "%d", priority);
	entry_add(e, "MESSAGE_ID", str(message_id));
	entry_add(e, "TOCSIN_EVENT", str(event));
	entry_add(e, "TOCSIN_ENGINE", str(c->engine));
	entry_add(e, "TOCSIN_TIME", str(time_to_rfc3339(wall_ns, time)));
	if (c->replay)
		entry_add(e, "TOCSIN_REPLAY", STR("1"));
	if (c->recovered)
		entry_add(e, "TOCSIN_RECOVERED", STR("1"));
	return e;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "deliver/page.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "runbooks.h"
#include "settings.h"

/* Bytes of a text inside JSON's quotes, escapes counted; the message gets what these leave. */
#define ID_TEXT_MAX 512
#define TITLE_TEXT_MAX 512
#define URL_TEXT_MAX 2048
/* A member's quotes, colon and comma. */
#define MEMBER_OVERHEAD 6
/* A value of less than this says nothing: left out rather than cut. */
#define VALUE_TEXT_MIN 16

DEFINE_CLEANUP(struct page *, page_unref, cleanup_page)

static size_t escaped_size(char c)
{
	if ((unsigned char)c < 0x20)
		return 6;
	return c == '"' || c == '\\' ? 2 : 1;
}

static size_t text_size(tocsin_str s)
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
static char *text_clean(tocsin_str s, size_t *ret_len)
{
	_cleanup_free_ char *copy = str_dup(s);

	for (size_t i = 0; copy && i < s.len; i++)
		if (copy[i] == 0)
			copy[i] = (char)0xff;
	return copy ? text_to_utf8((tocsin_str){ copy, s.len }, ret_len) : NULL;
}

/* The members of data as they are put together. */
struct builder {
	json_t *data;
	bool cut;    /* a text was shortened */
	bool failed; /* no memory */
};

/* Takes over `value`. */
static void add(struct builder *b, const char *name, json_t *value)
{
	if (json_object_set_new(b->data, name, value) < 0)
		b->failed = true;
}

/* An absent text is null. */
static void add_text(struct builder *b, const char *name, tocsin_str s, size_t max)
{
	_cleanup_free_ char *clean = NULL;
	size_t len = 0;

	if (!s.ptr) {
		add(b, name, json_null());
		return;
	}
	clean = text_clean(s, &len);
	if (!clean) {
		b->failed = true;
		return;
	}
	tocsin_str fit = text_fit((tocsin_str){ clean, len }, max);
	if (fit.len < len)
		b->cut = true;
	add(b, name, json_stringn(fit.ptr, fit.len));
}

static void add_time(struct builder *b, const char *name, uint64_t wall_ns)
{
	char text[TIME_TEXT_SIZE];

	add(b, name, wall_ns ? json_string(time_to_rfc3339(wall_ns, text)) : json_null());
}

/* A link that was cut leads nowhere, so one too long is left out. */
static void add_link(struct builder *b, const struct page_context *c, const char *code)
{
	_cleanup_free_ char *link = runbooks_link(c->runbooks, c->runbooks_base_url, str(code));

	if (!link) {
		b->failed = true;
		return;
	}
	if (text_size(str(link)) > URL_TEXT_MAX) {
		b->cut = true;
		link[0] = 0;
	}
	add_text(b, "runbook_url", link[0] ? str(link) : str(NULL), URL_TEXT_MAX);
}

/* "trading-desk: +1 555 0100" where the settings tell, else the role alone. */
static void add_escalation(struct builder *b, const struct page_context *c, const char *role)
{
	const char *who = settings_contact(c->settings, str(role));
	struct text_buffer text = { 0 };

	text_buffer_printf(&text, "%s%s%s", role, who ? ": " : "", who ? who : "");
	if (text.failed)
		b->failed = true;
	else
		add_text(b, "escalate_to", str(text.ptr), TITLE_TEXT_MAX);
	text_buffer_done(&text);
}

/* Everything but message and metadata, which are empty yet and keep their places. */
static void build_facts(struct builder *b, const struct page_context *c, const struct incident *i,
			bool resolved)
{
	const struct runbook *runbook = runbooks_find(c->runbooks, str(i->code));
	char priority[8];

	snprintf(priority, sizeof priority, "P%u", (unsigned)i->priority % 10);
	add_text(b, "alert_id", str(i->id), ID_TEXT_MAX);
	add(b, "number", json_integer((json_int_t)i->number));
	add_text(b, "code", str(i->code), ID_TEXT_MAX);
	if (i->raw_code)
		add_text(b, "raw_code", str(i->raw_code), ID_TEXT_MAX);
	add_text(b, "priority", str(priority), ID_TEXT_MAX);
	add(b, "state", json_string(resolved ? "resolved" : "firing"));
	add_text(b, "title", str(runbook->title), TITLE_TEXT_MAX);
	add(b, "message", i->message ? json_string("") : json_null());
	add_text(b, "engine", str(c->engine), ID_TEXT_MAX);
	add_text(b, "host", str(c->host), ID_TEXT_MAX);
	add_text(b, "session_id", str(i->session_id), ID_TEXT_MAX);
	add_text(b, "instance", str(i->instance), ID_TEXT_MAX);
	add_text(b, "source", str(i->source), ID_TEXT_MAX);
	add_link(b, c, i->code);
	add_text(b, "ack_within", str(runbook->ack_within), ID_TEXT_MAX);
	add_escalation(b, c, runbook->escalate_to);
	add_time(b, "raised_at", i->opened.wall_ns);
	add_time(b, "resolved_at", resolved ? i->resolved.wall_ns : 0);
	add(b, "count", json_integer((json_int_t)i->count));
	add(b, "metadata", json_object());
	if (c->replay)
		add(b, "replay", json_true());
}

static void build_metadata(struct builder *b, const struct metadata *m, size_t room)
{
	struct builder into = { .data = json_object_get(b->data, "metadata") };

	for (size_t i = 0; i < m->n && !b->failed; i++) {
		size_t len;
		_cleanup_free_ char *key = text_clean(m->kv[i].key, &len);

		if (!key) {
			b->failed = true;
			return;
		}
		size_t spent = MEMBER_OVERHEAD + text_size((tocsin_str){ key, len });
		size_t left = room > spent ? room - spent : 0;
		size_t wanted = text_size(m->kv[i].value);
		if (left < VALUE_TEXT_MIN && left < wanted) {
			b->cut = true;
			continue;
		}
		/* {NULL, 0} would be null; an empty value is "". */
		add_text(&into, key, m->kv[i].value.len ? m->kv[i].value : STR(""), left);
		spent += text_size(str(json_string_value(json_object_get(into.data, key))));
		room = room > spent ? room - spent : 0;
	}
	b->cut |= into.cut;
	b->failed |= into.failed;
}

static int data_new(const struct page_context *c, const struct incident *i, bool resolved,
		    json_t **ret)
{
	struct builder b = { .data = json_object(), .cut = i->truncated };
	static const char mark[] = ",\"truncated\":true";

	if (!b.data)
		return -ENOMEM;
	build_facts(&b, c, i, resolved);
	/* The facts have maxima that leave room; the message comes before the metadata. */
	size_t used = json_dumpb(b.data, NULL, 0, JSON_COMPACT) + sizeof mark;
	assert(used < PAGE_DATA_MAX);
	if (i->message && !b.failed) {
		add_text(&b, "message", str(i->message), PAGE_DATA_MAX - used);
		used = json_dumpb(b.data, NULL, 0, JSON_COMPACT) + sizeof mark;
	}
	if (!b.failed)
		build_metadata(&b, &i->metadata, used < PAGE_DATA_MAX ? PAGE_DATA_MAX - used : 0);
	if (b.cut)
		add(&b, "truncated", json_true());
	if (b.failed) {
		json_decref(b.data);
		return -ENOMEM;
	}
	*ret = b.data;
	return 0;
}

static void id_set(struct page *p, const struct incident *incident, enum page_kind kind)
{
	if (kind == PAGE_REPEAT)
		snprintf(p->id, sizeof p->id, "%s.repeat-%" PRIu32, incident->id,
			 incident->repeats);
	else
		snprintf(p->id, sizeof p->id, "%s.%s", incident->id,
			 kind == PAGE_RESOLVED ? "resolved" : "raised");
}

int page_new(const struct page_context *c, const struct incident *incident, enum page_kind kind,
	     struct moment at, struct page **ret)
{
	_cleanup_(cleanup_page) struct page *p = calloc(1, sizeof *p);
	int r;

	assert(kind != PAGE_NONE);
	if (!p)
		return -ENOMEM;
	atomic_init(&p->references, 1);
	id_set(p, incident, kind);
	snprintf(p->alert_id, sizeof p->alert_id, "%s", incident->id);
	snprintf(p->code, sizeof p->code, "%s", incident->code);
	p->type = kind == PAGE_RESOLVED ? PAGE_TYPE_RESOLVED : PAGE_TYPE_RAISED;
	p->priority = incident->priority;
	p->event_wall_ns = at.wall_ns;
	p->due_wall_ns = c->due_wall_ns > 0 ? c->due_wall_ns : at.wall_ns;
	r = data_new(c, incident, kind == PAGE_RESOLVED, &p->data);
	if (r < 0)
		return r;
	*ret = TAKE(p);
	return 0;
}

/* Relaxed: whoever takes a reference has one already, so nothing is learnt. */
struct page *page_ref(struct page *p)
{
	atomic_fetch_add_explicit(&p->references, 1, memory_order_relaxed);
	return p;
}

/* Release of what this thread read, acquire before the free, as in posting.c. */
struct page *page_unref(struct page *p)
{
	if (p && atomic_fetch_sub_explicit(&p->references, 1, memory_order_acq_rel) == 1) {
		json_decref(p->data);
		free(p);
	}
	return NULL;
}

uint64_t page_step(const struct page *p)
{
	static const char repeat[] = ".repeat-";
	const char *suffix = strstr(p->id, repeat);

	if (p->type == PAGE_TYPE_RESOLVED)
		return UINT64_MAX;
	return suffix ? strtoull(suffix + sizeof repeat - 1, NULL, 10) : 0;
}

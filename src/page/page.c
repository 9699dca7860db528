/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "page/page.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "page/page_builder.h"
#include "page/resolution.h"
#include "codes/runbooks.h"

/* A member's quotes, colon and comma. */
#define MEMBER_OVERHEAD 6
/* A value of less than this says nothing: left out rather than cut. */
#define VALUE_TEXT_MIN 16

DEFINE_CLEANUP(struct page *, page_unref, cleanup_page)

/* Many receivers show nothing but the title at first: an end must not read like the alarm. */
static void build_title(struct builder *b, const char *title, bool resolved)
{
	_cleanup_(text_buffer_done) struct text_buffer t = { 0 };

	if (resolved)
		text_buffer_add(&t, STR("Resolved: "));
	text_buffer_add(&t, str(title));
	b->failed |= t.failed;
	builder_add_text(b, "title", (tocsin_str){ t.ptr, t.len }, TITLE_TEXT_MAX);
}

/* "RESOLVED after 1 min 47 s: no data from okx:ETH-USD; the feed is back" */
static void say_resolved(struct text_buffer *b, const struct incident *i)
{
	const char *message = resolution_message(i), *now = resolution_now(i);
	char lasted[TIME_TEXT_SIZE];

	text_buffer_printf(b, "RESOLVED after %s: ", resolution_lasted(i, lasted));
	if (message && *message)
		text_buffer_add(b, str(message));
	if (now)
		text_buffer_printf(b, "%s%s", message && *message ? "; " : "", now);
}

/* Everything but message and metadata, which are empty yet and keep their places. */
static void build_facts(struct builder *b, const struct page_context *c, const struct incident *i,
			bool resolved)
{
	const struct runbook *runbook = runbooks_find(c->runbooks, str(i->code));

	builder_add_text(b, "alert_id", str(i->id), ID_TEXT_MAX);
	builder_add(b, "number", json_integer(json_number(i->number)));
	builder_add_text(b, "code", str(i->code), ID_TEXT_MAX);
	if (i->raw_code)
		builder_add_text(b, "raw_code", str(i->raw_code), ID_TEXT_MAX);
	builder_add_priority(b, i->priority);
	if (incident_worst(i) < i->priority)
		builder_add(b, "worst", json_sprintf("P%u", (unsigned)incident_worst(i) % 10));
	builder_add(b, "state", json_string(resolved ? "resolved" : "firing"));
	build_title(b, runbook->title, resolved);
	builder_add(b, "message", i->message || resolved ? json_string("") : json_null());
	builder_add_text(b, "engine", str(c->engine), ID_TEXT_MAX);
	builder_add_text(b, "host", str(c->host), ID_TEXT_MAX);
	builder_add_text(b, "session_id", str(i->session_id), ID_TEXT_MAX);
	builder_add_text(b, "instance", str(i->instance), ID_TEXT_MAX);
	builder_add_text(b, "source", str(i->source), ID_TEXT_MAX);
	builder_add_runbook(b, c, i->code, i->priority);
	builder_add_time(b, "raised_at", i->opened.wall_ns);
	builder_add_time(b, "resolved_at", resolved ? i->resolved.wall_ns : 0);
	builder_add(b, "count", json_integer(json_number(i->count)));
	builder_add(b, "metadata", json_object());
	if (c->replay)
		builder_add(b, "replay", json_true());
}

static void build_metadata(struct builder *b, const struct metadata *m, size_t room)
{
	struct builder into = { .data = json_object_get(b->data, "metadata") };

	for (size_t i = 0; i < m->n && !b->failed; i++) {
		size_t len;
		_cleanup_free_ char *key = builder_text_clean(m->kv[i].key, &len);

		if (!key) {
			b->failed = true;
			return;
		}
		size_t spent = MEMBER_OVERHEAD + builder_text_size((tocsin_str){ key, len });
		size_t left = room > spent ? room - spent : 0;
		size_t wanted = builder_text_size(m->kv[i].value);
		if (left < VALUE_TEXT_MIN && left < wanted) {
			b->cut = true;
			continue;
		}
		/* {NULL, 0} would be null; an empty value is "". */
		builder_add_text(&into, key, m->kv[i].value.len ? m->kv[i].value : STR(""), left);
		spent += builder_text_size(str(json_string_value(json_object_get(into.data, key))));
		room = room > spent ? room - spent : 0;
	}
	b->cut |= into.cut;
	b->failed |= into.failed;
}

static int data_new(const struct page_context *c, const struct incident *i, bool resolved,
		    json_t **ret)
{
	_cleanup_(text_buffer_done) struct text_buffer end = { 0 };
	const char *message = i->message;
	struct builder b = { .data = json_object(), .cut = i->truncated };
	static const char mark[] = ",\"truncated\":true";

	if (resolved) {
		say_resolved(&end, i);
		message = end.ptr;
	}
	if (end.failed || !b.data) {
		json_decref(b.data);
		return -ENOMEM;
	}
	build_facts(&b, c, i, resolved);
	/* The facts have maxima that leave room; the message comes before the metadata. */
	size_t used = json_dumpb(b.data, NULL, 0, JSON_COMPACT) + sizeof mark;
	assert(used < PAGE_DATA_MAX);
	if (message && !b.failed) {
		builder_add_text(&b, "message", str(message), PAGE_DATA_MAX - used);
		used = json_dumpb(b.data, NULL, 0, JSON_COMPACT) + sizeof mark;
	}
	if (!b.failed)
		build_metadata(&b, &i->metadata, used < PAGE_DATA_MAX ? PAGE_DATA_MAX - used : 0);
	if (b.cut)
		builder_add(&b, "truncated", json_true());
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
	p->due_mono_ns = c->due_mono_ns;
	r = data_new(c, incident, kind == PAGE_RESOLVED, &p->data);
	if (r < 0)
		return r;
	*ret = TAKE(p);
	return 0;
}

uint64_t page_late_ns(const struct page *p, uint64_t now_wall_ns, uint64_t now_mono_ns)
{
	if (p->due_mono_ns > 0)
		return now_mono_ns > p->due_mono_ns ? now_mono_ns - p->due_mono_ns : 0;
	return now_wall_ns > p->due_wall_ns ? now_wall_ns - p->due_wall_ns : 0;
}

/* Relaxed: whoever takes a reference has one already, so nothing is learnt. */
struct page *page_ref(struct page *p)
{
	atomic_fetch_add_explicit(&p->references, 1, memory_order_relaxed);
	return p;
}

/* Release of what this thread read, acquire before the free, as in delivery.c. */
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

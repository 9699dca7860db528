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

/* Codes that the message counts; the list of alerts has them all. */
#define MESSAGE_CODES_MAX 8

DEFINE_CLEANUP(struct page *, page_unref, cleanup_page)

/* "; P1 12, P2 5": what there is. */
static void say_priorities(struct text_buffer *b, const struct rate_limit_summary *s)
{
	const char *before = "; ";

	for (unsigned i = 0; i < 3; i++) {
		if (s->by_priority[i] == 0)
			continue;
		text_buffer_printf(b, "%sP%u %" PRIu64, before, i + 1, s->by_priority[i]);
		before = ", ";
	}
}

static bool is_first_of_its_code(const struct rate_limit_summary *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s->codes[i], s->codes[n]) == 0)
			return false;
	return true;
}

static bool is_open_p1(const struct rate_limit_summary *s, size_t n)
{
	return s->priorities[n] == 1 && !s->ended[n];
}

/* " P1 still open: DATA_FEED_DOWN 12, EXECUTION_ERROR 1." or nothing. */
static void say_open(struct text_buffer *b, const struct rate_limit_summary *s)
{
	const char *before = " P1 still open: ";
	size_t told = 0, left = 0;

	for (size_t i = 0; i < s->n_ids; i++)
		left += is_open_p1(s, i);
	if (left == 0)
		return;
	for (size_t i = 0; i < s->n_ids && told < MESSAGE_CODES_MAX; i++) {
		bool first = is_open_p1(s, i);
		size_t n = 0;

		for (size_t j = 0; j < i && first; j++)
			first = !is_open_p1(s, j) || strcmp(s->codes[i], s->codes[j]) != 0;
		if (!first)
			continue;
		for (size_t j = i; j < s->n_ids; j++)
			n += is_open_p1(s, j) && strcmp(s->codes[i], s->codes[j]) == 0;
		text_buffer_printf(b, "%s%s %zu", before, s->codes[i], n);
		before = ", ";
		left -= n;
		told++;
	}
	if (left > 0)
		text_buffer_printf(b, ", others %zu", left);
	text_buffer_add(b, STR("."));
}

/* " Alerts: DATA_FEED_DOWN 12, DRIFT_HIGH 3, others 2." */
static void say_codes(struct text_buffer *b, const struct rate_limit_summary *s)
{
	const char *before = " Alerts: ";
	size_t told = 0, left = s->n_ids;

	for (size_t i = 0; i < s->n_ids && told < MESSAGE_CODES_MAX; i++) {
		size_t n = 0;

		if (!is_first_of_its_code(s, i))
			continue;
		for (size_t j = i; j < s->n_ids; j++)
			n += strcmp(s->codes[i], s->codes[j]) == 0;
		text_buffer_printf(b, "%s%s %zu", before, s->codes[i], n);
		before = ", ";
		left -= n;
		told++;
	}
	if (left > 0)
		text_buffer_printf(b, "%sothers %zu", before, left);
	if (s->unlisted > 0)
		text_buffer_printf(b, " and more (%" PRIu64 " of the pages)", s->unlisted);
	text_buffer_add(b, STR("."));
}

static void say_summary(struct text_buffer *b, const struct page_context *c,
			const struct rate_limit_summary *s, struct moment at)
{
	char text[TIME_TEXT_SIZE];
	uint64_t since_ns = s->since.clock_ns;

	text_buffer_printf(
		b, "This page replaces %" PRIu64 " that were held back for %s",
		s->raised + s->resolved,
		duration_to_text(at.clock_ns > since_ns ? at.clock_ns - since_ns : 0, text));
	if (s->limit > 0)
		text_buffer_printf(b, ", because more than %" PRIu64 " a minute were due",
				   s->limit);
	text_buffer_printf(b, ": %" PRIu64 " raised, %" PRIu64 " resolved", s->raised, s->resolved);
	say_priorities(b, s);
	text_buffer_add(b, STR("."));
	say_open(b, s);
	say_codes(b, s);
	text_buffer_printf(b, " See each of them: tocsin alerts%s%s --since %s",
			   c->engine ? " --engine " : "", c->engine ? c->engine : "",
			   time_to_rfc3339(s->since.wall_ns, text));
}

static json_t *list_new(const struct rate_limit_summary *s)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < s->n_ids; i++) {
		char priority[] = { 'P', (char)('0' + s->priorities[i] % 10), 0 };
		json_t *one = json_pack("{s:s,s:s,s:s,s:s*}", "alert_id", s->ids[i], "code",
					s->codes[i], "state", s->ended[i] ? "resolved" : "firing",
					"priority", s->priorities[i] > 0 ? priority : NULL);

		if (json_array_append_new(list, one) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static void build_counts(struct builder *b, const struct rate_limit_summary *s)
{
	builder_add(b, "count", json_integer(json_number(s->raised + s->resolved)));
	builder_add(b, "raised", json_integer(json_number(s->raised)));
	builder_add(b, "resolved", json_integer(json_number(s->resolved)));
	builder_add(b, "unlisted", json_integer(json_number(s->unlisted)));
	builder_add(b, "by_priority",
		    json_pack("{s:I,s:I,s:I}", "P1", json_number(s->by_priority[0]), "P2",
			      json_number(s->by_priority[1]), "P3",
			      json_number(s->by_priority[2])));
	builder_add(b, "alerts", list_new(s));
}

static void build_data(struct builder *b, const struct page_context *c,
		       const struct rate_limit_summary *s, const char *message)
{
	char title[64];

	snprintf(title, sizeof title, "Many alerts at once: %" PRIu64 " more pages in one",
		 s->raised + s->resolved);
	builder_add_text(b, "alert_id", str(s->id), ID_TEXT_MAX);
	builder_add(b, "number", json_null());
	builder_add_text(b, "code", str(s->code), ID_TEXT_MAX);
	builder_add_priority(b, s->priority);
	builder_add(b, "state", json_string("summary"));
	builder_add_text(b, "title", str(title), TITLE_TEXT_MAX);
	builder_add_text(b, "message", str(message), MESSAGE_TEXT_MAX);
	builder_add_text(b, "engine", str(c->engine), ID_TEXT_MAX);
	builder_add_text(b, "host", str(c->host), ID_TEXT_MAX);
	builder_add(b, "session_id", json_null());
	builder_add(b, "instance", json_null());
	builder_add(b, "source", json_null());
	builder_add_runbook(b, c, s->code, s->priority);
	builder_add_time(b, "raised_at", s->since.wall_ns);
	builder_add(b, "resolved_at", json_null());
	build_counts(b, s);
	builder_add(b, "metadata", json_object());
	if (c->replay)
		builder_add(b, "replay", json_true());
}

static int data_new(const struct page_context *c, const struct rate_limit_summary *s,
		    struct moment at, json_t **ret)
{
	_cleanup_(text_buffer_done) struct text_buffer message = { 0 };
	struct builder b = { .data = json_object() };

	if (!b.data)
		return -ENOMEM;
	say_summary(&message, c, s, at);
	if (!message.failed)
		build_data(&b, c, s, message.ptr);
	if (b.cut)
		builder_add(&b, "truncated", json_true());
	if (message.failed || b.failed) {
		json_decref(b.data);
		return -ENOMEM;
	}
	/* Every text above has a maximum, and so has the list. */
	assert(json_dumpb(b.data, NULL, 0, JSON_COMPACT) <= PAGE_DATA_MAX);
	*ret = b.data;
	return 0;
}

int page_new_summary(const struct page_context *c, const struct rate_limit_summary *s,
		     struct moment at, struct page **ret)
{
	_cleanup_(cleanup_page) struct page *p = calloc(1, sizeof *p);
	int r;

	if (!p)
		return -ENOMEM;
	atomic_init(&p->references, 1);
	atomic_init(&p->taken, false);
	snprintf(p->id, sizeof p->id, "%s.summary", s->id);
	snprintf(p->alert_id, sizeof p->alert_id, "%s", s->id);
	snprintf(p->code, sizeof p->code, "%s", s->code);
	p->type = PAGE_TYPE_SUMMARY;
	p->priority = s->priority;
	p->event_wall_ns = at.wall_ns;
	p->due_wall_ns = c->due_wall_ns > 0 ? c->due_wall_ns : at.wall_ns;
	p->due_mono_ns = c->due_mono_ns;
	r = data_new(c, s, at, &p->data);
	if (r < 0)
		return r;
	*ret = TAKE(p);
	return 0;
}

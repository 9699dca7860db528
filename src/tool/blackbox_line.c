/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/blackbox.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "tool/event_line.h"

DEFINE_CLEANUP(json_t *, json_decref, cleanup_json)

/* A line under way. Absent texts are left out. */
struct line {
	json_t *json;
	bool failed;
};

static void set(struct line *l, const char *name, json_t *value)
{
	if (!l->json || json_object_set_new(l->json, name, value) < 0)
		l->failed = true;
}

/* Bytes that JSON cannot hold become U+FFFD. */
static json_t *text_of(tocsin_str text)
{
	size_t len;
	_cleanup_free_ char *utf8 = text_to_utf8(text, &len);

	return utf8 ? json_stringn(utf8, len) : NULL;
}

static void set_text(struct line *l, const char *name, tocsin_str text)
{
	if (text.len > 0)
		set(l, name, text_of(text));
}

/* What is not finite is null, as play reads it. */
static void set_figure(struct line *l, const char *name, double value)
{
	set(l, name, isfinite(value) ? json_real(value) : json_null());
}

static void set_meta(struct line *l, const struct record *r)
{
	json_t *meta;

	if (r->n_kv == 0)
		return;
	meta = json_object();
	for (size_t i = 0; i < r->n_kv; i++) {
		size_t len;
		_cleanup_free_ char *key = text_to_utf8(r->kv[i].key, &len);

		if (!key || json_object_setn_new(meta, key, len, text_of(r->kv[i].value)) < 0)
			l->failed = true;
	}
	set(l, "meta", meta);
}

static void set_health(struct line *l, const struct record *r)
{
	set_text(l, "source", r->source);
	if (!r->has_value)
		return;
	set_figure(l, "value", r->value);
	set_figure(l, "limit", r->limit);
}

static void set_alert(struct line *l, const struct record *r)
{
	static const char *const priorities[] = { NULL, "P1", "P2", "P3" };

	set_text(l, "code", r->code);
	if (r->priority > 0)
		set(l, "priority", json_string(priorities[r->priority]));
	set_text(l, "message", r->message);
	set_text(l, "instance", r->instance);
}

int blackbox_line_write(FILE *f, const struct record *r, uint64_t wall_ns)
{
	static const enum event_line_family families[] = {
		[RECORD_SESSION] = EVENT_LINE_SESSION,
		[RECORD_HEALTH] = EVENT_LINE_HEALTH,
		[RECORD_ALERT] = EVENT_LINE_ALERT,
	};
	_cleanup_(cleanup_json) json_t *json = json_object();
	struct line line = { .json = json };
	_cleanup_free_ char *text = NULL;
	const char *member, *kind = event_line_kind(families[r->type], r->kind, &member);

	if (!kind || wall_ns == 0 || wall_ns / NS_PER_S >= UINT64_MAX / NS_PER_S ||
	    (r->type == RECORD_SESSION && r->session_id.len == 0))
		return 0;
	set(&line, member, json_string(kind));
	set_text(&line, "session_id", r->session_id);
	/* Of a damaged record only what its kind of event can have. */
	if (r->type == RECORD_SESSION)
		set_text(&line, "status", r->status);
	else if (r->type == RECORD_HEALTH)
		set_health(&line, r);
	else
		set_alert(&line, r);
	set_meta(&line, r);
	text = line.failed ? NULL : json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (!text)
		return -ENOMEM;
	/* A double would not hold the time: play takes it digit by digit. */
	if (fprintf(f, "{\"at\":%" PRIu64 ".%09" PRIu64 ",%s\n", wall_ns / NS_PER_S,
		    wall_ns % NS_PER_S, text + 1) < 0)
		return -EIO;
	return 1;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/snapshot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"

DEFINE_CLEANUP(json_t *, json_decref, cleanup_json)

/* An object under way; `failed` = no memory once. json_object_set_new takes the value either way.
 */
struct object {
	json_t *json;
	bool failed;
};

static struct object object_new(void)
{
	json_t *json = json_object();

	return (struct object){ json, json == NULL };
}

static void object_add(struct object *o, const char *name, json_t *value)
{
	if (json_object_set_new(o->json, name, value) < 0)
		o->failed = true;
}

static json_t *object_finish(struct object *o)
{
	if (!o->failed)
		return o->json;
	json_decref(o->json);
	return NULL;
}

static json_t *json_of_count(uint64_t n)
{
	return json_integer(json_number(n));
}

/* An uptime: not negative. Without a fraction where there is none. */
static json_t *json_of_seconds(double seconds)
{
	json_int_t whole = (json_int_t)seconds;

	return seconds > (double)whole ? json_real(seconds) : json_integer(whole);
}

static json_t *json_of_time(struct moment at)
{
	char text[TIME_TEXT_SIZE];

	return at.wall_ns == 0 ? json_null() : json_string(time_to_rfc3339(at.wall_ns, text));
}

static json_t *json_of_text(const char *s)
{
	return s ? text_to_json(str(s)) : json_null();
}

static json_t *json_of_figure(double value, bool known)
{
	return known && isfinite(value) ? json_real(value) : json_null();
}

static bool array_add(json_t *array, json_t *value)
{
	return json_array_append_new(array, value) == 0;
}

/* Statuses are any words: the object counts under the word as JSON can hold it. */
static bool count_status(json_t *by_status, const struct session *s)
{
	size_t len;
	_cleanup_free_ char *word = text_for_json((tocsin_str){ s->status, s->status_len }, &len);
	json_t *count;

	if (!word)
		return false;
	count = json_object_getn(by_status, word, len);
	if (count)
		return json_integer_set(count, json_integer_value(count) + 1) == 0;
	return json_object_setn_new(by_status, word, len, json_integer(1)) == 0;
}

static json_t *summary_to_json(const struct sessions *sessions)
{
	static const char *const always[] = { "started", "running", "completed", "failed" };
	struct object summary = object_new(), by_status = object_new();

	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		object_add(&by_status, always[i], json_integer(0));
	for (const struct session *s = sessions_newest(sessions); s; s = s->older)
		if (!count_status(by_status.json, s))
			by_status.failed = true;
	object_add(&summary, "total_sessions", json_of_count(sessions_count(sessions)));
	object_add(&summary, "by_status", object_finish(&by_status));
	return object_finish(&summary);
}

static json_t *session_to_json(const struct session *s)
{
	struct object o = object_new();

	object_add(&o, "session_id", text_to_json((tocsin_str){ s->id, s->id_len }));
	object_add(&o, "status", text_to_json((tocsin_str){ s->status, s->status_len }));
	object_add(&o, "started_at", json_of_time(s->started));
	object_add(&o, "last_update", json_of_time(s->updated));
	object_add(&o, "metadata", metadata_to_json(&s->metadata));
	return object_finish(&o);
}

static json_t *registry_to_json(const struct sessions *sessions)
{
	_cleanup_(cleanup_json) json_t *array = json_array();
	struct object o = object_new();

	for (const struct session *s = sessions_newest(sessions); s; s = s->older)
		if (!array_add(array, session_to_json(s)))
			o.failed = true;
	object_add(&o, "summary", summary_to_json(sessions));
	object_add(&o, "sessions", TAKE(array));
	return object_finish(&o);
}

static json_t *feed_to_json(const struct feed *f, struct moment now)
{
	struct object o = object_new();

	object_add(&o, "source", text_to_json((tocsin_str){ f->source, f->source_len }));
	object_add(&o, "up", json_boolean(feed_is_up(f)));
	object_add(&o, "uptime_s", json_of_seconds(feed_uptime(f, now)));
	object_add(&o, "last_pulse_ts", json_of_time(f->last_pulse));
	return object_finish(&o);
}

static json_t *status_to_json(const struct status *s, struct moment now)
{
	_cleanup_(cleanup_json) json_t *feeds = json_array();
	struct object o = object_new();

	for (size_t i = 0; i < s->n_feeds; i++)
		if (!array_add(feeds, feed_to_json(&s->feeds[i], now)))
			o.failed = true;
	object_add(&o, "system_uptime_s", json_of_seconds(status_system_uptime(s, now)));
	object_add(&o, "data_feed_uptime_s", json_of_seconds(status_feed_uptime(s, now)));
	object_add(&o, "last_reconnect_ts", json_of_time(s->last_reconnect));
	object_add(&o, "last_drift_report_ts", json_of_time(s->last_drift_report));
	object_add(&o, "last_heartbeat_ts", json_of_time(s->last_heartbeat));
	object_add(&o, "metadata", metadata_to_json(&s->metadata));
	object_add(&o, "feeds", TAKE(feeds));
	return object_finish(&o);
}

static json_t *json_of_priority(uint32_t priority)
{
	char text[4] = { 'P', (char)('0' + priority), '\0' };

	return json_string(text);
}

/* The callback and what goes with it. */
struct linking {
	runbook_linker *link;
	void *userdata;
};

static json_t *link_to_json(const struct linking *l, const char *code)
{
	_cleanup_free_ char *link = l->link ? l->link(l->userdata, str(code)) : NULL;

	if (!l->link)
		return json_null();
	return link ? text_to_json(str(link)) : NULL;
}

static json_t *incident_to_json(const struct incident *i, const struct linking *l)
{
	struct object o = object_new();

	object_add(&o, "alert_id", json_of_text(i->id));
	object_add(&o, "number", json_of_count(i->number));
	object_add(&o, "priority", json_of_priority(i->priority));
	object_add(&o, "worst", json_of_priority(incident_worst(i)));
	object_add(&o, "code", json_of_text(i->code));
	object_add(&o, "raw_code", json_of_text(i->raw_code));
	object_add(&o, "message", json_of_text(i->message));
	object_add(&o, "resolution", json_of_text(i->resolution));
	object_add(&o, "runbook_link", link_to_json(l, i->code));
	object_add(&o, "timestamp", json_of_time(i->raised));
	object_add(&o, "opened_at", json_of_time(i->opened));
	object_add(&o, "resolved_at", json_of_time(i->resolved));
	object_add(&o, "session_id", json_of_text(i->session_id));
	object_add(&o, "source", json_of_text(i->source));
	object_add(&o, "instance", json_of_text(i->instance));
	object_add(&o, "value", json_of_figure(i->value, i->has_value));
	object_add(&o, "limit", json_of_figure(i->limit, i->has_limit));
	object_add(&o, "state", json_string(i->open ? "firing" : "resolved"));
	object_add(&o, "count", json_of_count(i->count));
	object_add(&o, "metadata", metadata_to_json(&i->metadata));
	return object_finish(&o);
}

/* Open ones raised longer than 24 h ago stand at the end: recent to whoever must still act. */
static json_t *alerts_to_json(struct alerts *a, struct moment now, const struct linking *l)
{
	_cleanup_(cleanup_json) json_t *recent = json_array();
	struct object o = object_new(), by_priority = object_new();

	object_add(&by_priority, "P1", json_of_count(alerts_raised(a, 1)));
	object_add(&by_priority, "P2", json_of_count(alerts_raised(a, 2)));
	object_add(&by_priority, "P3", json_of_count(alerts_raised(a, 3)));
	for (const struct incident *i = alerts_recent(a, now); i; i = i->next)
		if (!array_add(recent, incident_to_json(i, l)))
			o.failed = true;
	object_add(&o, "by_priority", object_finish(&by_priority));
	object_add(&o, "open", json_of_count(alerts_open(a)));
	object_add(&o, "recent", TAKE(recent));
	return object_finish(&o);
}

json_t *picture_snapshot(struct picture *p, const char *engine, struct moment now,
			 runbook_linker *link, void *userdata)
{
	const struct linking linking = { link, userdata };
	struct object o = object_new();

	object_add(&o, "timestamp", json_of_time(now));
	object_add(&o, "engine", json_of_text(engine));
	object_add(&o, "registry", registry_to_json(picture_sessions(p)));
	object_add(&o, "status", status_to_json(picture_status(p), now));
	object_add(&o, "alerts", alerts_to_json(picture_alerts(p), now, &linking));
	return object_finish(&o);
}

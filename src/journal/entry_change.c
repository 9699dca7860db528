/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "journal/entry_fields.h"
#include "page/resolution.h"
#include "picture/rate_limit.h"
#include "codes/runbooks.h"

/* "[P1] CODE: message", "[P1] CODE resolved after 25.0 s: message; what is true now" */
static void add_alert_message(struct entry *e, const struct incident *i)
{
	const char *message = i->open ? i->message : resolution_message(i);
	const char *now = i->open ? NULL : resolution_now(i);
	struct text_buffer b = { 0 };
	bool changed = false;

	text_buffer_printf(&b, "[P%u] %s", entry_priority(i->priority), i->code);
	if (!i->open) {
		char lasted[TIME_TEXT_SIZE];

		text_buffer_printf(&b, " resolved after %s", resolution_lasted(i, lasted));
	}
	if (message && *message) {
		text_buffer_add(&b, STR(": "));
		changed = message_add_clean(&b, str(message));
	}
	if (now)
		text_buffer_printf(&b, "%s%s", message && *message ? "; " : ": ", now);
	entry_add_message(e, &b);
	if (changed)
		entry_add_text(e, "TOCSIN_RAW_MESSAGE", message);
}

static struct entry *entry_of_alert(const struct entry_context *c, const struct change *n)
{
	static const int levels[] = { LOG_CRIT, LOG_ERR, LOG_WARNING };
	static const enum entry_class classes[] = { ENTRY_CLASS_FIRST, ENTRY_CLASS_P2,
						    ENTRY_CLASS_P3 };
	const struct incident *i = n->incident;
	unsigned priority = entry_priority(i->priority);
	_cleanup_free_ char *link = runbooks_link(c->runbooks, c->runbooks_base_url, str(i->code));
	char number[DOUBLE_TEXT_SIZE];
	struct entry *e;

	/* The end of what was a P1 is as important as its beginning. */
	e = entry_begin(c, classes[entry_priority(incident_worst(i)) - 1],
			i->open ? levels[priority - 1] : LOG_NOTICE, "alert",
			runbooks_find(c->runbooks, str(i->code))->message_id, n->at.wall_ns);
	if (!e)
		return NULL;
	if (!link)
		e->failed = true;
	add_alert_message(e, i);
	entry_add_text(e, "DOCUMENTATION", link);
	entry_add_text(e, "TOCSIN_CODE", i->code);
	entry_addf(e, "TOCSIN_PRIORITY", "P%u", priority);
	entry_add(e, "TOCSIN_STATE", i->open ? STR("firing") : STR("resolved"));
	entry_addf(e, "TOCSIN_WORST", "P%u", entry_priority(incident_worst(i)));
	entry_add_text(e, "TOCSIN_ALERT_ID", i->id);
	entry_addf(e, "TOCSIN_NUMBER", "%llu", (unsigned long long)i->number);
	entry_addf(e, "TOCSIN_COUNT", "%llu", (unsigned long long)i->count);
	entry_add_text(e, "TOCSIN_KEY", i->key);
	entry_add_text(e, "TOCSIN_RAW_CODE", i->raw_code);
	entry_add_text(e, "TOCSIN_SESSION", i->session_id);
	entry_add_text(e, "TOCSIN_SOURCE", i->source);
	entry_add_text(e, "TOCSIN_INSTANCE", i->instance);
	if (i->has_value)
		entry_add_text(e, "TOCSIN_VALUE", double_to_text(i->value, number));
	if (i->has_limit)
		entry_add_text(e, "TOCSIN_LIMIT", double_to_text(i->limit, number));
	if (i->truncated)
		entry_add(e, "TOCSIN_TRUNCATED", STR("1"));
	entry_add_metadata(e, c->meta_names, &i->metadata);
	return e;
}

/* The metadata of this event, not all that the session has gathered. */
static void add_record_metadata(struct entry *e, struct entry_meta_names *names,
				const struct record *r)
{
	tocsin_kv kv[RECORD_KV_MAX];
	struct metadata m = { .kv = kv, .n = r->n_kv };

	if (r->n_kv > RECORD_KV_MAX)
		return;
	memcpy(kv, r->kv, r->n_kv * sizeof *kv);
	entry_add_metadata(e, names, &m);
}

static struct entry *entry_of_session(const struct entry_context *c, const struct change *n)
{
	const struct session *s = n->session;
	const struct record *r = n->record;
	/* Its status is what people follow; metadata alone is for the record. */
	bool changed = !r || r->kind == TOCSIN_SESSION_CREATED || r->status.len > 0;
	struct text_buffer b = { 0 };
	char started[TIME_TEXT_SIZE];
	struct entry *e;

	e = entry_begin(c, ENTRY_CLASS_SESSION, changed ? LOG_NOTICE : LOG_INFO, "session",
			entry_kind_message_id(ENTRY_KIND_SESSION), n->at.wall_ns);
	if (!e)
		return NULL;
	text_buffer_add(&b, STR("session "));
	message_add_clean(&b, (tocsin_str){ s->id, s->id_len });
	text_buffer_add(&b, STR(": "));
	message_add_clean(&b, (tocsin_str){ s->status, s->status_len });
	entry_add_message(e, &b);
	entry_add_view(e, "TOCSIN_SESSION", (tocsin_str){ s->id, s->id_len });
	entry_add_view(e, "TOCSIN_STATUS", (tocsin_str){ s->status, s->status_len });
	if (s->started.wall_ns > 0)
		entry_add(e, "TOCSIN_STARTED", str(time_to_rfc3339(s->started.wall_ns, started)));
	if (r && r->truncated)
		entry_add(e, "TOCSIN_TRUNCATED", STR("1"));
	if (r)
		add_record_metadata(e, c->meta_names, r);
	return e;
}

static const char *health_name(uint32_t kind)
{
	static const char *const names[] = {
		[TOCSIN_HEALTH_START] = "start",
		[TOCSIN_HEALTH_HEARTBEAT] = "heartbeat",
		[TOCSIN_HEALTH_FEED_UP] = "feed_up",
		[TOCSIN_HEALTH_FEED_DOWN] = "feed_down",
		[TOCSIN_HEALTH_FEED_RECONNECT] = "feed_reconnect",
		[TOCSIN_HEALTH_FEED_PULSE] = "feed_pulse",
		[TOCSIN_HEALTH_DRIFT] = "drift",
		[TOCSIN_HEALTH_RISK] = "risk",
		[TOCSIN_HEALTH_EXECUTION_ERROR] = "execution_error",
		[TOCSIN_HEALTH_METADATA] = "metadata",
	};

	return kind < sizeof names / sizeof *names && names[kind] ? names[kind] : "event";
}

/* "health risk drawdown: 0.31 (limit 0.25), session shadow_001" */
static void add_health_message(struct entry *e, const struct record *r)
{
	struct text_buffer b = { 0 };
	char number[DOUBLE_TEXT_SIZE];

	text_buffer_printf(&b, "health %s", health_name(r->kind));
	if (r->source.len > 0) {
		text_buffer_add(&b, STR(" "));
		message_add_clean(&b, r->source);
	}
	if (r->has_value)
		text_buffer_printf(&b, ": %s", double_to_text(r->value, number));
	if (r->has_value && r->kind == TOCSIN_HEALTH_RISK)
		text_buffer_printf(&b, " (limit %s)", double_to_text(r->limit, number));
	if (r->session_id.len > 0) {
		text_buffer_add(&b, STR(", session "));
		message_add_clean(&b, r->session_id);
	}
	entry_add_message(e, &b);
}

static struct entry *entry_of_health(const struct entry_context *c, const struct change *n)
{
	const struct record *r = n->record;
	bool frequent = r->kind == TOCSIN_HEALTH_HEARTBEAT || r->kind == TOCSIN_HEALTH_FEED_PULSE;
	char number[DOUBLE_TEXT_SIZE];
	struct entry *e;

	e = entry_begin(c, ENTRY_CLASS_LEAST, frequent ? LOG_DEBUG : LOG_INFO, "health",
			entry_kind_message_id(ENTRY_KIND_HEALTH), n->at.wall_ns);
	if (!e)
		return NULL;
	add_health_message(e, r);
	entry_add_view(e, "TOCSIN_SESSION", r->session_id);
	entry_add_view(e, "TOCSIN_SOURCE", r->source);
	if (r->has_value)
		entry_add_text(e, "TOCSIN_VALUE", double_to_text(r->value, number));
	if (r->has_value && r->kind == TOCSIN_HEALTH_RISK)
		entry_add_text(e, "TOCSIN_LIMIT", double_to_text(r->limit, number));
	if (r->truncated)
		entry_add(e, "TOCSIN_TRUNCATED", STR("1"));
	add_record_metadata(e, c->meta_names, r);
	return e;
}

/* "5 pages were held back by the limit of 3 a minute; one summary replaces them: ..." */
static struct entry *entry_of_summary(const struct entry_context *c, const struct change *n)
{
	const struct rate_limit_summary *s = n->summary;
	struct text_buffer b = { 0 };
	char since[TIME_TEXT_SIZE];
	struct entry *e;

	e = entry_begin(c, ENTRY_CLASS_P2, LOG_WARNING, "tocsin",
			entry_kind_message_id(ENTRY_KIND_HELD), n->at.wall_ns);
	if (!e)
		return NULL;
	text_buffer_printf(&b,
			   "%llu pages were held back by the limit of %llu a minute; one summary "
			   "replaces them: %llu raised, %llu resolved; see TOCSIN_ALERT_IDS",
			   (unsigned long long)(s->raised + s->resolved),
			   (unsigned long long)s->limit, (unsigned long long)s->raised,
			   (unsigned long long)s->resolved);
	if (s->unlisted > 0)
		text_buffer_printf(&b, ", where %llu had no room", (unsigned long long)s->unlisted);
	entry_add_message(e, &b);
	entry_add_text(e, "TOCSIN_ALERT_ID", s->id);
	entry_add_text(e, "TOCSIN_CODE", s->code);
	entry_addf(e, "TOCSIN_PRIORITY", "P%u", entry_priority(s->priority));
	entry_addf(e, "TOCSIN_COUNT", "%llu", (unsigned long long)(s->raised + s->resolved));
	entry_add(e, "TOCSIN_SINCE", str(time_to_rfc3339(s->since.wall_ns, since)));
	for (size_t i = 0; i < s->n_ids && i < RATE_LIMIT_IDS_MAX; i++)
		entry_add_text(e, "TOCSIN_ALERT_IDS", s->ids[i]);
	return e;
}

static struct entry *entry_of_trouble(const struct entry_context *c, const struct change *n)
{
	struct entry *e = entry_of_note(c, ENTRY_KIND_TROUBLE,
					n->kind == CHANGE_NOTE ? LOG_NOTICE : LOG_WARNING,
					n->at.wall_ns, n->text);

	if (!e || !n->record)
		return e;
	entry_add_view(e, "TOCSIN_SESSION", n->record->session_id);
	entry_add_view(e, "TOCSIN_STATUS", n->record->status);
	entry_add_view(e, "TOCSIN_SOURCE", n->record->source);
	entry_add_view(e, "TOCSIN_INSTANCE", n->record->instance);
	return e;
}

static struct entry *make_entry(const struct entry_context *c, const struct change *n)
{
	switch (n->kind) {
	case CHANGE_SESSION:
		return n->session ? entry_of_session(c, n) : NULL;
	case CHANGE_HEALTH:
		return n->record ? entry_of_health(c, n) : NULL;
	case CHANGE_ALERT:
		/* That a page fell due shows in the attempts to deliver it. */
		return n->incident && !n->page_only ? entry_of_alert(c, n) : NULL;
	case CHANGE_TROUBLE:
	case CHANGE_NOTE:
		return n->text ? entry_of_trouble(c, n) : NULL;
	case CHANGE_SUMMARY:
		return n->summary ? entry_of_summary(c, n) : NULL;
	}
	return NULL;
}

struct entry *entry_of_change(const struct entry_context *c, const struct change *n)
{
	struct entry *e = make_entry(c, n);

	if (e && e->failed) {
		entry_free(e);
		return NULL;
	}
	return e;
}

struct entry *entry_of_note(const struct entry_context *c, enum entry_kind kind, int level,
			    uint64_t wall_ns, const char *text)
{
	enum entry_class class = kind == ENTRY_KIND_ALIVE     ? ENTRY_CLASS_LEAST
				 : kind != ENTRY_KIND_TROUBLE ? ENTRY_CLASS_SESSION
				 : level <= LOG_CRIT          ? ENTRY_CLASS_FIRST
							      : ENTRY_CLASS_P2;
	struct entry *e =
		entry_begin(c, class, level, "tocsin", entry_kind_message_id(kind), wall_ns);
	struct text_buffer b = { 0 };

	if (!e)
		return NULL;
	message_add_clean(&b, str(text));
	entry_add_message(e, &b);
	return e;
}

struct entry *entry_of_run(const struct entry_context *c, enum entry_kind kind, int level,
			   uint64_t wall_ns, const struct run_facts *facts, const char *text)
{
	struct entry *e = entry_of_note(c, kind, level, wall_ns, text);
	char started[TIME_TEXT_SIZE];

	if (!e)
		return NULL;
	entry_add(e, "TOCSIN_STARTED", str(time_to_rfc3339(facts->started_wall_ns, started)));
	if (facts->by_events)
		entry_add(e, "TOCSIN_CLOCK", STR("event"));
	entry_add_text(e, "TOCSIN_STATE_DIR", facts->state_path);
	if (!facts->counted)
		return e;
	entry_addf(e, "TOCSIN_SESSIONS", "%zu", facts->sessions);
	entry_addf(e, "TOCSIN_OPEN", "%zu %zu %zu", facts->open[0], facts->open[1], facts->open[2]);
	return e;
}

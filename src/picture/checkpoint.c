/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/checkpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "picture/checkpoint_format.h"
#include "picture/state.h"

/* Room grows by half as much again, from here. */
#define BUFFER_START 4096

/* The encoder. Items nest: what item_begin returns is where item_end writes the length. */
struct encoder {
	struct checkpoint_buffer *out;
	bool failed; /* no memory */
};

static uint8_t *encoder_room(struct encoder *e, size_t len)
{
	struct checkpoint_buffer *out = e->out;
	uint8_t *room;

	if (e->failed)
		return NULL;
	if (out->size - out->len < len) {
		size_t size = out->size + out->size / 2 + len + BUFFER_START;
		uint8_t *grown = realloc(out->ptr, size);

		if (!grown) {
			e->failed = true;
			return NULL;
		}
		out->ptr = grown;
		out->size = size;
	}
	room = out->ptr + out->len;
	out->len += len;
	return room;
}

static void encoder_add(struct encoder *e, const void *bytes, size_t len)
{
	uint8_t *room = encoder_room(e, len);

	if (room && len > 0)
		memcpy(room, bytes, len);
}

static size_t item_begin(struct encoder *e, uint16_t tag)
{
	struct item_head h = { tag, { 0 } };

	encoder_add(e, &h, sizeof h);
	return e->out->len;
}

static void item_end(struct encoder *e, size_t begin)
{
	uint32_t len = (uint32_t)(e->out->len - begin);

	if (!e->failed)
		memcpy(e->out->ptr + begin - sizeof len, &len, sizeof len);
}

static void item_add(struct encoder *e, uint16_t tag, const void *bytes, size_t len)
{
	size_t begin = item_begin(e, tag);

	encoder_add(e, bytes, len);
	item_end(e, begin);
}

/* An absent text is left out. */
static void item_add_text(struct encoder *e, uint16_t tag, const char *text, size_t len)
{
	if (text)
		item_add(e, tag, text, len);
}

static void item_add_string(struct encoder *e, uint16_t tag, const char *text)
{
	if (text)
		item_add(e, tag, text, strlen(text));
}

static void item_add_metadata(struct encoder *e, uint16_t tag, const struct metadata *m)
{
	size_t begin;

	if (m->n == 0)
		return;
	begin = item_begin(e, tag);
	for (size_t i = 0; i < m->n; i++) {
		struct kv_head h = { (uint16_t)m->kv[i].key.len, (uint16_t)m->kv[i].value.len };

		encoder_add(e, &h, sizeof h);
		encoder_add(e, m->kv[i].key.ptr, m->kv[i].key.len);
		encoder_add(e, m->kv[i].value.ptr, m->kv[i].value.len);
	}
	item_end(e, begin);
}

static void encode_session(struct encoder *e, const struct session *s)
{
	struct session_fixed fixed = {
		.started = s->started,
		.updated = s->updated,
		.flags = s->former ? SESSION_FORMER : 0,
	};
	size_t begin = item_begin(e, TAG_SESSION);

	item_add(e, TAG_FIXED, &fixed, sizeof fixed);
	item_add_text(e, TAG_ID, s->id, s->id_len);
	item_add_text(e, TAG_STATUS, s->status, s->status_len);
	item_add_metadata(e, TAG_METADATA, &s->metadata);
	item_end(e, begin);
}

static void encode_feed(struct encoder *e, const struct feed *f)
{
	struct feed_fixed fixed = {
		.up_since = f->up_since,
		.last_pulse = f->last_pulse,
		.last_sign = f->last_sign,
		.last_sign_position = f->last_sign_position,
		.stale_at_ns = f->stale_at_ns,
		.heard_position = f->heard_position,
		.flags = (f->up ? FEED_UP : 0) | (f->pulsed ? FEED_PULSED : 0) |
			 (f->alarmed ? FEED_ALARMED : 0),
	};
	size_t begin = item_begin(e, TAG_FEED);

	item_add(e, TAG_FIXED, &fixed, sizeof fixed);
	item_add_text(e, TAG_SOURCE, f->source, f->source_len);
	item_end(e, begin);
}

static void encode_incident(struct encoder *e, const struct incident *i)
{
	struct alerts_saved saved = alerts_save(i);
	struct incident_fixed fixed = {
		.value = i->value,
		.limit = i->limit,
		.number = i->number,
		.count = i->count,
		.opened = i->opened,
		.raised = i->raised,
		.page_at_ns = i->page_at_ns,
		.paged_at_ns = i->paged_at_ns,
		.priority = i->priority,
		.paged_priority = i->paged_priority,
		.repeats = i->repeats,
		.endpoints = i->endpoints,
		.flags = (i->by_rule ? INCIDENT_BY_RULE : 0) |
			 (i->has_value ? INCIDENT_HAS_VALUE : 0) |
			 (i->has_limit ? INCIDENT_HAS_LIMIT : 0) |
			 (i->truncated ? INCIDENT_TRUNCATED : 0) | (i->held ? INCIDENT_HELD : 0) |
			 (i->unpaged ? INCIDENT_UNPAGED : 0),
		.summary = i->summary,
		.lower_since_ns = { i->lower_since_ns[0], i->lower_since_ns[1] },
		.expires_at_ns = i->expires_at_ns,
		.worst = i->worst,
	};
	size_t begin = item_begin(e, TAG_INCIDENT);

	item_add(e, TAG_FIXED, &fixed, sizeof fixed);
	item_add_string(e, TAG_ID, i->id);
	item_add_string(e, TAG_CODE, i->code);
	item_add_string(e, TAG_RAW_CODE, i->raw_code);
	item_add_string(e, TAG_MESSAGE, i->message);
	item_add_text(e, TAG_SESSION_ID, i->session_id, saved.session_len);
	item_add_text(e, TAG_SOURCE, i->source, saved.source_len);
	item_add_text(e, TAG_INSTANCE, i->instance, saved.instance_len);
	item_add_metadata(e, TAG_METADATA, &i->metadata);
	item_end(e, begin);
}

static void encode_picture(struct encoder *e, const struct picture *p)
{
	struct moment running_since = { 0, 0 };
	struct picture_fixed fixed = {
		.now = p->now,
		.position = p->position,
		.started_at = p->status.started_at,
		.last_reconnect = p->status.last_reconnect,
		.last_drift_report = p->status.last_drift_report,
		.last_heartbeat = p->status.last_heartbeat,
		.last_heartbeat_position = p->status.last_heartbeat_position,
		.beat_position = p->rules.beat_position,
		.beat_from_ns = p->rules.beat_from_ns,
		.losses = { p->rules.losses[0], p->rules.losses[1] },
		.raised = { alerts_raised(p->alerts, 1), alerts_raised(p->alerts, 2),
			    alerts_raised(p->alerts, 3) },
		.flags = (p->status.started ? PICTURE_STARTED : 0) |
			 (p->rules.stalled ? PICTURE_STALLED : 0),
	};

	if (sessions_running_since(p->sessions, &running_since))
		fixed.running_since = running_since;
	item_add(e, TAG_PICTURE, &fixed, sizeof fixed);
	item_add_metadata(e, TAG_METADATA, &p->status.metadata);
}

/* Without names the bits are taken as they are. */
static void encode_endpoints(struct encoder *e, const struct picture_settings *s)
{
	size_t begin;

	if (s->n_endpoints == 0)
		return;
	begin = item_begin(e, TAG_ENDPOINTS);
	for (unsigned i = 0; i < s->n_endpoints; i++)
		item_add_string(e, TAG_ID, s->endpoints[i]);
	item_end(e, begin);
}

static void encode_held(struct encoder *e, const struct rate_limit_summary *held, size_t i)
{
	struct held_fixed fixed = {
		.id_len = (uint16_t)strlen(held->ids[i]),
		.code_len = (uint16_t)strlen(held->codes[i]),
		.ended = held->ended[i],
		.priority = held->priorities[i],
		.pages = held->pages[i],
	};
	size_t begin = item_begin(e, TAG_HELD);

	encoder_add(e, &fixed, sizeof fixed);
	encoder_add(e, held->ids[i], fixed.id_len);
	encoder_add(e, held->codes[i], fixed.code_len);
	item_end(e, begin);
}

static void encode_window(struct encoder *e, uint16_t tag, const struct rate_limit_window *w)
{
	for (size_t i = 0; i < w->n_groups; i++)
		item_add(e, tag, &w->went[(w->first + i) % RATE_LIMIT_GROUPS_MAX], sizeof *w->went);
}

static void encode_rate_limit(struct encoder *e, const struct rate_limit *s)
{
	const struct rate_limit_summary *held = &s->held;
	struct rate_limit_fixed fixed = {
		.since = held->since,
		.raised = held->raised,
		.resolved = held->resolved,
		.unlisted = held->unlisted,
		.last_position = s->last_position,
		.priority = held->priority,
		.endpoints = held->endpoints,
	};
	size_t begin = item_begin(e, TAG_RATE_LIMIT);

	memcpy(fixed.by_priority, held->by_priority, sizeof fixed.by_priority);
	item_add(e, TAG_FIXED, &fixed, sizeof fixed);
	item_add_string(e, TAG_ID, held->id);
	item_add_string(e, TAG_CODE, held->code);
	encode_window(e, TAG_WENT, &s->all);
	encode_window(e, TAG_WENT_URGENT, &s->urgent);
	item_add(e, TAG_URGENT, &held->urgent, sizeof held->urgent);
	for (size_t i = 0; i < held->n_ids; i++)
		encode_held(e, held, i);
	item_end(e, begin);
}

static void encode_begin(struct encoder *e)
{
	struct checkpoint_head head = { CHECKPOINT_MAGIC, CHECKPOINT_VERSION };

	e->out->len = 0;
	encoder_add(e, &head, sizeof head);
}

static int encode_end(struct encoder *e)
{
	if (!e->failed)
		return 0;
	e->out->len = 0;
	return -ENOMEM;
}

static void encode_open_incidents(struct encoder *e, const struct picture *p)
{
	for (const struct incident *i = alerts_newest(p->alerts); i; i = i->next)
		if (i->open)
			encode_incident(e, i);
}

int checkpoint_encode(const struct picture *p, struct checkpoint_buffer *buf)
{
	struct encoder e = { buf, false };

	encode_begin(&e);
	encode_picture(&e, p);
	encode_endpoints(&e, &p->settings);
	encode_rate_limit(&e, &p->rate_limit);
	for (const struct session *s = sessions_newest(p->sessions); s; s = s->older)
		encode_session(&e, s);
	for (size_t i = 0; i < p->status.n_feeds; i++)
		encode_feed(&e, &p->status.feeds[i]);
	encode_open_incidents(&e, p);
	return encode_end(&e);
}

int checkpoint_encode_open(const struct picture *p, struct checkpoint_buffer *buf)
{
	struct encoder e = { buf, false };
	struct picture_fixed fixed = {
		.now = p->now,
		.position = p->position,
		.flags = p->rules.stalled ? PICTURE_STALLED : 0,
	};

	encode_begin(&e);
	item_add(&e, TAG_PICTURE, &fixed, sizeof fixed);
	encode_endpoints(&e, &p->settings);
	encode_rate_limit(&e, &p->rate_limit);
	/* The first sign of these feeds has to resolve their incidents. */
	for (size_t i = 0; i < p->status.n_feeds; i++)
		if (p->status.feeds[i].alarmed)
			encode_feed(&e, &p->status.feeds[i]);
	encode_open_incidents(&e, p);
	return encode_end(&e);
}

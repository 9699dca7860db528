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

/* Where the decoder stands; `left` never grows. */
struct cursor {
	const uint8_t *at;
	size_t left;
};

struct item {
	uint16_t tag;
	tocsin_str content;
};

static bool cursor_take(struct cursor *c, size_t len, tocsin_str *ret)
{
	if (len > c->left)
		return false;
	*ret = (tocsin_str){ (const char *)c->at, len };
	c->at += len;
	c->left -= len;
	return true;
}

static bool cursor_copy(struct cursor *c, void *to, size_t len)
{
	tocsin_str bytes;

	if (!cursor_take(c, len, &bytes))
		return false;
	memcpy(to, bytes.ptr, len);
	return true;
}

/* 1 with an item, 0 at the end, -EBADMSG. */
static int cursor_next(struct cursor *c, struct item *ret)
{
	uint32_t len;

	if (c->left == 0)
		return 0;
	if (!cursor_copy(c, &ret->tag, sizeof ret->tag) || !cursor_copy(c, &len, sizeof len) ||
	    !cursor_take(c, len, &ret->content))
		return -EBADMSG;
	return 1;
}

static struct cursor cursor_of(tocsin_str s)
{
	return (struct cursor){ (const uint8_t *)s.ptr, s.len };
}

/* What a session, a feed or an incident holds; views into the checkpoint, absent ones {NULL, 0}. */
struct parts {
	tocsin_str fixed, id, status, source, code, raw_code, message, session_id, instance;
	tocsin_kv kv[METADATA_MAX];
	size_t n_kv;
};

static int read_metadata(tocsin_str s, tocsin_kv kv[static METADATA_MAX], size_t *ret_n)
{
	struct cursor c = cursor_of(s);
	size_t n = 0;

	while (c.left > 0) {
		struct kv_head h;

		if (n == METADATA_MAX || !cursor_copy(&c, &h, sizeof h) ||
		    !cursor_take(&c, h.key_len, &kv[n].key) ||
		    !cursor_take(&c, h.value_len, &kv[n].value))
			return -EBADMSG;
		n++;
	}
	*ret_n = n;
	return 0;
}

static int read_parts(tocsin_str content, struct parts *ret)
{
	struct cursor c = cursor_of(content);
	struct item item;
	int r;

	*ret = (struct parts){ 0 };
	while ((r = cursor_next(&c, &item)) > 0) {
		tocsin_str *const places[] = {
			[TAG_FIXED] = &ret->fixed,       [TAG_ID] = &ret->id,
			[TAG_STATUS] = &ret->status,     [TAG_SOURCE] = &ret->source,
			[TAG_CODE] = &ret->code,         [TAG_RAW_CODE] = &ret->raw_code,
			[TAG_MESSAGE] = &ret->message,   [TAG_SESSION_ID] = &ret->session_id,
			[TAG_INSTANCE] = &ret->instance,
		};

		if (item.tag == TAG_METADATA)
			r = read_metadata(item.content, ret->kv, &ret->n_kv);
		else if (item.tag < sizeof places / sizeof *places && places[item.tag])
			*places[item.tag] = item.content;
		if (r < 0)
			break;
	}
	return r;
}

/* A later version's fixed part may be longer, never shorter. */
static bool read_fixed(tocsin_str content, void *to, size_t size)
{
	if (content.len < size)
		return false;
	memcpy(to, content.ptr, size);
	return true;
}

static int restore_session(struct picture *p, const struct parts *parts)
{
	_cleanup_free_ char *id = str_dup(parts->id), *status = str_dup(parts->status);
	_cleanup_(metadata_done) struct metadata metadata = { 0 };
	struct session_fixed fixed;
	int r;

	if (!read_fixed(parts->fixed, &fixed, sizeof fixed))
		return -EBADMSG;
	if (!id || !status)
		return -ENOMEM;
	r = metadata_merge(&metadata, parts->kv, parts->n_kv);
	if (r < 0)
		return r == -E2BIG ? -EBADMSG : r;
	return sessions_restore(p->sessions, &(struct session){
						     .id = id,
						     .id_len = parts->id.len,
						     .status = status,
						     .status_len = parts->status.len,
						     .started = fixed.started,
						     .updated = fixed.updated,
						     .metadata = metadata,
					     });
}

static int restore_feed(struct picture *p, const struct parts *parts)
{
	struct status *s = &p->status;
	struct feed_fixed fixed;
	struct feed *f;

	if (!read_fixed(parts->fixed, &fixed, sizeof fixed) || parts->source.len > TOCSIN_ID_MAX ||
	    s->n_feeds == STATUS_FEEDS_MAX || status_find_feed(s, parts->source))
		return -EBADMSG;
	f = status_feed(s, parts->source);
	if (!f)
		return -ENOMEM;
	f->up = fixed.flags & FEED_UP;
	f->pulsed = fixed.flags & FEED_PULSED;
	f->alarmed = fixed.flags & FEED_ALARMED;
	f->up_since = fixed.up_since;
	f->last_pulse = fixed.last_pulse;
	f->last_sign = fixed.last_sign;
	f->last_sign_position = fixed.last_sign_position;
	f->heard_position = fixed.heard_position;
	/* The rule may have been turned off since. */
	if (rules_feed_thresholds(&p->rules, f)->feed_stale_after_ns > 0 && fixed.stale_at_ns > 0) {
		f->stale_at_ns = fixed.stale_at_ns;
		if (f->stale_at_ns < p->rules.feeds_due_ns)
			p->rules.feeds_due_ns = f->stale_at_ns;
	}
	return 0;
}

/* NULL for an absent text; false without memory. */
static bool dup_part(tocsin_str part, char **ret)
{
	if (!part.ptr)
		return true;
	*ret = str_dup(part);
	return *ret != NULL;
}

static void incident_parts_done(struct incident *i)
{
	free(i->code);
	free(i->raw_code);
	free(i->message);
	free(i->session_id);
	free(i->source);
	free(i->instance);
	metadata_done(&i->metadata);
}

static void incident_take_fixed(struct incident *i, const struct incident_fixed *f)
{
	i->value = f->value;
	i->limit = f->limit;
	i->number = f->number;
	i->count = f->count;
	i->opened = f->opened;
	i->raised = f->raised;
	i->page_at_ns = f->page_at_ns;
	i->paged_at_ns = f->paged_at_ns;
	i->priority = f->priority;
	i->paged_priority = f->paged_priority;
	i->repeats = f->repeats;
	i->endpoints = f->endpoints;
	i->by_rule = f->flags & INCIDENT_BY_RULE;
	i->has_value = f->flags & INCIDENT_HAS_VALUE;
	i->has_limit = f->flags & INCIDENT_HAS_LIMIT;
	i->truncated = f->flags & INCIDENT_TRUNCATED;
}

static int restore_incident(struct picture *p, const struct parts *parts)
{
	_cleanup_(incident_parts_done) struct incident i = { 0 };
	struct incident_fixed fixed;
	int r;

	if (!read_fixed(parts->fixed, &fixed, sizeof fixed) || parts->id.len >= sizeof i.id ||
	    parts->id.len == 0 || parts->session_id.len > TOCSIN_ID_MAX ||
	    parts->source.len > TOCSIN_ID_MAX || parts->instance.len > TOCSIN_ID_MAX ||
	    !parts->code.ptr || !parts->message.ptr)
		return -EBADMSG;
	memcpy(i.id, parts->id.ptr, parts->id.len);
	incident_take_fixed(&i, &fixed);
	if (!dup_part(parts->code, &i.code) || !dup_part(parts->raw_code, &i.raw_code) ||
	    !dup_part(parts->message, &i.message) || !dup_part(parts->session_id, &i.session_id) ||
	    !dup_part(parts->source, &i.source) || !dup_part(parts->instance, &i.instance))
		return -ENOMEM;
	r = metadata_merge(&i.metadata, parts->kv, parts->n_kv);
	if (r < 0)
		return r == -E2BIG ? -EBADMSG : r;
	return alerts_restore(p->alerts, &(struct alerts_saved){
						 .incident = &i,
						 .session_len = parts->session_id.len,
						 .source_len = parts->source.len,
						 .instance_len = parts->instance.len,
					 });
}

static void restore_picture(struct picture *p, const struct picture_fixed *f)
{
	p->now = f->now;
	p->position = f->position;
	p->status.started = f->flags & PICTURE_STARTED;
	p->status.started_at = f->started_at;
	p->status.last_reconnect = f->last_reconnect;
	p->status.last_drift_report = f->last_drift_report;
	p->status.last_heartbeat = f->last_heartbeat;
	p->status.last_heartbeat_position = f->last_heartbeat_position;
	p->rules.stalled = f->flags & PICTURE_STALLED;
	p->rules.beat_from_ns = f->beat_from_ns;
	memcpy(p->rules.losses, f->losses, sizeof f->losses);
	alerts_restore_raised(p->alerts, f->raised);
}

static int restore_status_metadata(struct picture *p, tocsin_str content)
{
	tocsin_kv kv[METADATA_MAX];
	size_t n;
	int r = read_metadata(content, kv, &n);

	if (r < 0)
		return r;
	r = metadata_merge(&p->status.metadata, kv, n);
	return r == -E2BIG ? -EBADMSG : r;
}

static int restore_item(struct picture *p, const struct item *item)
{
	static const struct {
		uint16_t tag;
		int (*restore)(struct picture *, const struct parts *);
	} kinds[] = {
		{ TAG_SESSION, restore_session },
		{ TAG_FEED, restore_feed },
		{ TAG_INCIDENT, restore_incident },
	};
	struct parts parts;

	if (item->tag == TAG_METADATA)
		return restore_status_metadata(p, item->content);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (kinds[i].tag != item->tag)
			continue;
		int r = read_parts(item->content, &parts);

		return r < 0 ? r : kinds[i].restore(p, &parts);
	}
	return 0;
}

int checkpoint_decode(struct picture *p, const uint8_t *bytes, size_t len)
{
	struct cursor c = { bytes, len };
	struct checkpoint_head head;
	struct picture_fixed fixed;
	bool have_fixed = false;
	struct item item;
	int r;

	if (!cursor_copy(&c, &head, sizeof head) || head.magic != CHECKPOINT_MAGIC)
		return -EBADMSG;
	while ((r = cursor_next(&c, &item)) > 0) {
		if (item.tag != TAG_PICTURE)
			r = restore_item(p, &item);
		else if (read_fixed(item.content, &fixed, sizeof fixed))
			have_fixed = true;
		else
			r = -EBADMSG;
		if (r < 0)
			return r;
	}
	if (r < 0 || !have_fixed)
		return -EBADMSG;
	restore_picture(p, &fixed);
	/* Restoring the sessions set this to when each was updated. */
	sessions_restore_running(p->sessions, fixed.running_since);
	return 0;
}

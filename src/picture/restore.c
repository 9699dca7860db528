/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/checkpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "picture/checkpoint_format.h"
#include "picture/restore.h"
#include "picture/state.h"

#define LOSS_AHEAD_MAX_NS (600 * NS_PER_S)

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

/* The names of the saved bits, in their order. */
static int restore_endpoints(struct restoring *to, tocsin_str content)
{
	const struct picture_settings *s = &to->picture->settings;
	struct cursor c = cursor_of(content);
	struct item item;
	unsigned bit = 0;
	int r;

	to->endpoints_named = true;
	while ((r = cursor_next(&c, &item)) > 0) {
		if (item.tag != TAG_ID)
			continue;
		if (bit == ENDPOINT_BITS)
			return -EBADMSG;
		to->endpoints[bit] = 0;
		for (unsigned i = 0; i < s->n_endpoints; i++)
			if (str_is(item.content, s->endpoints[i]))
				to->endpoints[bit] = UINT32_C(1) << i;
		bit++;
	}
	return r;
}

static int restore_session(struct restoring *to, const struct parts *parts)
{
	_cleanup_free_ char *id = str_dup(parts->id), *status = str_dup(parts->status);
	_cleanup_(metadata_done) struct metadata metadata = { 0 };
	struct session_fixed fixed;
	int r;

	if (!read_fixed(parts->fixed, &fixed, sizeof fixed, SESSION_FIXED_LEAST))
		return -EBADMSG;
	if (!id || !status)
		return -ENOMEM;
	r = metadata_merge(&metadata, parts->kv, parts->n_kv);
	if (r < 0)
		return r == -E2BIG ? -EBADMSG : r;
	return sessions_restore(to->picture->sessions,
				&(struct session){
					.id = id,
					.id_len = parts->id.len,
					.status = status,
					.status_len = parts->status.len,
					.started = restored_moment(to, fixed.started),
					.updated = restored_moment(to, fixed.updated),
					.metadata = metadata,
					.former = fixed.flags & SESSION_FORMER,
				});
}

static int restore_feed(struct restoring *to, const struct parts *parts)
{
	struct rules *rules = &to->picture->rules;
	struct status *s = &to->picture->status;
	struct feed_fixed fixed;
	struct feed *f;

	if (!read_fixed(parts->fixed, &fixed, sizeof fixed, sizeof fixed) ||
	    parts->source.len > TOCSIN_ID_MAX || s->n_feeds == STATUS_FEEDS_MAX ||
	    status_find_feed(s, parts->source))
		return -EBADMSG;
	f = status_feed(s, parts->source);
	if (!f)
		return -ENOMEM;
	f->up = fixed.flags & FEED_UP;
	f->pulsed = fixed.flags & FEED_PULSED;
	f->alarmed = fixed.flags & FEED_ALARMED;
	f->up_since = restored_moment(to, fixed.up_since);
	f->last_pulse = restored_moment(to, fixed.last_pulse);
	f->last_sign = restored_moment(to, fixed.last_sign);
	f->last_sign_position = fixed.last_sign_position;
	f->heard_position = fixed.heard_position;
	/* The rule may have been turned off since. */
	if (rules_feed_thresholds(rules, f)->feed_stale_after_ns > 0 && fixed.stale_at_ns > 0) {
		f->stale_at_ns = restored_time(to, fixed.stale_at_ns);
		if (f->stale_at_ns < rules->feeds_due_ns)
			rules->feeds_due_ns = f->stale_at_ns;
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

static void incident_take_fixed(struct incident *i, const struct incident_fixed *f,
				const struct restoring *to)
{
	i->value = f->value;
	i->limit = f->limit;
	i->number = f->number;
	i->count = f->count;
	i->opened = restored_moment(to, f->opened);
	i->raised = restored_moment(to, f->raised);
	i->page_at_ns = restored_time(to, f->page_at_ns);
	i->paged_at_ns = restored_time(to, f->paged_at_ns);
	i->priority = f->priority;
	i->paged_priority = f->paged_priority;
	i->repeats = f->repeats;
	i->endpoints = restored_endpoints(to, f->endpoints);
	i->by_rule = f->flags & INCIDENT_BY_RULE;
	i->has_value = f->flags & INCIDENT_HAS_VALUE;
	i->has_limit = f->flags & INCIDENT_HAS_LIMIT;
	i->truncated = f->flags & INCIDENT_TRUNCATED;
	i->held = f->flags & INCIDENT_HELD;
	i->summary = f->summary;
	i->unpaged = f->flags & INCIDENT_UNPAGED;
	/* Before it was kept, the priority was the gravest. */
	i->worst = f->worst > 0 && f->worst <= 3 ? (uint32_t)f->worst : f->priority;
	for (size_t p = 0; p < 2; p++)
		i->lower_since_ns[p] = restored_time(to, f->lower_since_ns[p]);
	/* The setting may have been turned off since. */
	if (to->picture->settings.alerts.event_expires_ns > 0)
		i->expires_at_ns = restored_time(to, f->expires_at_ns);
}

static int restore_incident(struct restoring *to, const struct parts *parts)
{
	_cleanup_(incident_parts_done) struct incident i = { 0 };
	struct incident_fixed fixed;
	int r;

	if (!read_fixed(parts->fixed, &fixed, sizeof fixed, INCIDENT_FIXED_LEAST) ||
	    parts->id.len >= sizeof i.id || parts->id.len == 0 ||
	    parts->session_id.len > TOCSIN_ID_MAX || parts->source.len > TOCSIN_ID_MAX ||
	    parts->instance.len > TOCSIN_ID_MAX || !parts->code.ptr || !parts->message.ptr)
		return -EBADMSG;
	memcpy(i.id, parts->id.ptr, parts->id.len);
	incident_take_fixed(&i, &fixed, to);
	if (!dup_part(parts->code, &i.code) || !dup_part(parts->raw_code, &i.raw_code) ||
	    !dup_part(parts->message, &i.message) || !dup_part(parts->session_id, &i.session_id) ||
	    !dup_part(parts->source, &i.source) || !dup_part(parts->instance, &i.instance))
		return -ENOMEM;
	r = metadata_merge(&i.metadata, parts->kv, parts->n_kv);
	if (r < 0)
		return r == -E2BIG ? -EBADMSG : r;
	return alerts_restore(to->picture->alerts, &(struct alerts_saved){
							   .incident = &i,
							   .session_len = parts->session_id.len,
							   .source_len = parts->source.len,
							   .instance_len = parts->instance.len,
						   });
}

static void restore_status(struct restoring *to, const struct picture_fixed *f)
{
	struct status *s = &to->picture->status;

	s->started = f->flags & PICTURE_STARTED;
	s->started_at = restored_moment(to, f->started_at);
	s->last_reconnect = restored_moment(to, f->last_reconnect);
	s->last_drift_report = restored_moment(to, f->last_drift_report);
	s->last_heartbeat = restored_moment(to, f->last_heartbeat);
	s->last_heartbeat_position = f->last_heartbeat_position;
}

/*
 * A deadline among losses is put off by one interval at a time. So that no crafted checkpoint makes
 * that endless, losses end soon after the picture's own time, ahead of it by what was not applied
 * yet, and nothing was due long before it: see restore_picture.
 */
static uint64_t loss_within_reach(const struct restoring *to, uint64_t last_ns)
{
	uint64_t now_ns = to->picture->now.clock_ns;

	if (last_ns > now_ns && last_ns - now_ns > LOSS_AHEAD_MAX_NS)
		return now_ns + LOSS_AHEAD_MAX_NS;
	return last_ns;
}

static void restore_rules(struct restoring *to, const struct picture_fixed *f)
{
	struct rules *rules = &to->picture->rules;

	rules->stalled = f->flags & PICTURE_STALLED;
	rules->down = true;
	rules->beat_position = f->beat_position;
	rules->beat_from_ns = restored_time(to, f->beat_from_ns);
	for (size_t i = 0; i < sizeof f->losses / sizeof *f->losses; i++)
		rules->losses[i] = (struct loss_time){
			.first_ns = restored_time(to, f->losses[i].first_ns),
			.last_ns = loss_within_reach(to, restored_time(to, f->losses[i].last_ns)),
		};
}

static void restore_picture(struct restoring *to, const struct picture_fixed *f)
{
	struct picture *p = to->picture;

	p->now = restored_moment(to, f->now);
	p->position = f->position;
	restore_status(to, f);
	restore_rules(to, f);
	alerts_restore_raised(p->alerts, f->raised);
	/* Restoring the sessions set this to when each was updated. */
	sessions_restore_running(p->sessions, restored_moment(to, f->running_since));
	rules_put_off(&p->rules, p->now.clock_ns);
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

static int restore_item(struct restoring *to, const struct item *item)
{
	static const struct {
		uint16_t tag;
		int (*restore)(struct restoring *, const struct parts *);
	} kinds[] = {
		{ TAG_SESSION, restore_session },
		{ TAG_FEED, restore_feed },
		{ TAG_INCIDENT, restore_incident },
	};
	struct parts parts;

	if (item->tag == TAG_METADATA)
		return restore_status_metadata(to->picture, item->content);
	if (item->tag == TAG_ENDPOINTS)
		return restore_endpoints(to, item->content);
	if (item->tag == TAG_RATE_LIMIT)
		return restore_rate_limit(to, item->content);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (kinds[i].tag != item->tag)
			continue;
		int r = read_parts(item->content, &parts);

		return r < 0 ? r : kinds[i].restore(to, &parts);
	}
	return 0;
}

static bool cursor_begin(struct cursor *c)
{
	struct checkpoint_head head;

	return cursor_copy(c, &head, sizeof head) && head.magic == CHECKPOINT_MAGIC;
}

uint64_t checkpoint_latest(const uint8_t *bytes, size_t len)
{
	struct cursor c = { bytes, len };
	struct picture_fixed fixed;
	struct item item;

	if (!cursor_begin(&c))
		return 0;
	while (cursor_next(&c, &item) > 0)
		if (item.tag == TAG_PICTURE)
			return read_fixed(item.content, &fixed, sizeof fixed, PICTURE_FIXED_LEAST)
				       ? fixed.now.clock_ns
				       : 0;
	return 0;
}

int checkpoint_decode(struct picture *p, const uint8_t *bytes, size_t len, int64_t clock_shift_ns)
{
	struct restoring to = { .picture = p, .shift_ns = clock_shift_ns };
	struct cursor c = { bytes, len };
	struct picture_fixed fixed;
	bool have_fixed = false;
	struct item item;
	int r;

	if (!cursor_begin(&c))
		return -EBADMSG;
	while ((r = cursor_next(&c, &item)) > 0) {
		if (item.tag != TAG_PICTURE)
			r = restore_item(&to, &item);
		else if (read_fixed(item.content, &fixed, sizeof fixed, PICTURE_FIXED_LEAST))
			have_fixed = true;
		else
			r = -EBADMSG;
		if (r < 0)
			return r;
	}
	if (r < 0 || !have_fixed)
		return -EBADMSG;
	restore_picture(&to, &fixed);
	return 0;
}

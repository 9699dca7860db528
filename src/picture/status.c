/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/hash.h"

/* Four places a feed: probes stay short. A power of two. */
#define INDEX_SIZE (4 * STATUS_FEEDS_MAX)

int status_init(struct status *s, struct moment at)
{
	*s = (struct status){ .started_at = at };
	s->feeds = calloc(STATUS_FEEDS_MAX, sizeof *s->feeds);
	s->index = calloc(INDEX_SIZE, sizeof *s->index);
	if (!s->feeds || !s->index) {
		status_done(s);
		return -ENOMEM;
	}
	return 0;
}

void status_done(struct status *s)
{
	for (size_t i = 0; s->feeds && i < s->n_feeds; i++)
		free(s->feeds[i].source);
	free(s->feeds);
	free(s->index);
	metadata_done(&s->metadata);
	*s = (struct status){ 0 };
}

void status_resume(struct status *s, struct moment at)
{
	s->started = false;
	s->started_at = at;
	for (size_t i = 0; i < s->n_feeds; i++)
		s->feeds[i].up = false;
}

static bool feed_is(const struct feed *f, uint32_t hash, tocsin_str source)
{
	return f->hash == hash && str_equal((tocsin_str){ f->source, f->source_len }, source);
}

static void index_add(struct status *s, size_t number)
{
	size_t place = s->feeds[number].hash % INDEX_SIZE;

	while (s->index[place] != 0)
		place = (place + 1) % INDEX_SIZE;
	s->index[place] = (uint16_t)(number + 1);
}

static bool feed_goes_before(const struct feed *a, const struct feed *b)
{
	bool a_watched = a->stale_at_ns > 0, b_watched = b->stale_at_ns > 0;

	if (a_watched != b_watched)
		return b_watched;
	return a_watched ? a->heard_position > b->heard_position
			 : a->heard_position < b->heard_position;
}

static struct feed *status_forget_feed(struct status *s)
{
	struct feed *victim = &s->feeds[0];

	for (size_t i = 1; i < s->n_feeds; i++)
		if (feed_goes_before(&s->feeds[i], victim))
			victim = &s->feeds[i];
	s->forgotten++;
	free(victim->source);
	*victim = (struct feed){ 0 };
	return victim;
}

struct feed *status_find_feed(const struct status *s, tocsin_str source)
{
	const struct feed *last = s->last_used;
	uint32_t hash;

	source = text_cut(source, TOCSIN_ID_MAX);
	if (last && str_equal((tocsin_str){ last->source, last->source_len }, source))
		return s->last_used;
	hash = hash_text(source);
	for (size_t i = hash % INDEX_SIZE; s->index[i] != 0; i = (i + 1) % INDEX_SIZE)
		if (feed_is(&s->feeds[s->index[i] - 1], hash, source))
			return &s->feeds[s->index[i] - 1];
	return NULL;
}

struct feed *status_feed(struct status *s, tocsin_str source)
{
	struct feed *f = status_find_feed(s, source);
	char *copy;

	if (f)
		return s->last_used = f;
	source = text_cut(source, TOCSIN_ID_MAX);
	copy = str_dup(source);
	if (!copy)
		return NULL;
	bool full = s->n_feeds == STATUS_FEEDS_MAX;

	f = full ? status_forget_feed(s) : &s->feeds[s->n_feeds++];
	/* It may be one forgotten earlier whose incident is still open: the first sign looks. */
	*f = (struct feed){
		.source = copy,
		.source_len = source.len,
		.hash = hash_text(source),
		.alarmed = true,
	};
	if (full) {
		memset(s->index, 0, INDEX_SIZE * sizeof *s->index);
		for (size_t i = 0; i < s->n_feeds; i++)
			index_add(s, i);
	} else {
		index_add(s, s->n_feeds - 1);
	}
	return s->last_used = f;
}

static void feed_sign(struct feed *f, uint64_t position, struct moment at)
{
	f->last_sign = at;
	f->last_sign_position = position;
}

static void feed_comes_up(struct feed *f, struct moment at)
{
	if (!f->up)
		f->up_since = at;
	f->up = true;
}

static int apply_feed(struct status *s, const struct record *r, uint64_t position, struct moment at)
{
	struct feed *f = status_feed(s, r->source);

	if (!f)
		return -ENOMEM;
	f->heard_position = position;
	if (r->kind == TOCSIN_HEALTH_FEED_DOWN) {
		f->up = false;
		return 0;
	}
	if (r->kind == TOCSIN_HEALTH_FEED_RECONNECT) {
		f->up = false;
		s->last_reconnect = at;
	}
	/* Data from a feed that nobody called up means that it is up. */
	feed_comes_up(f, at);
	feed_sign(f, position, at);
	if (r->kind == TOCSIN_HEALTH_FEED_PULSE) {
		f->last_pulse = at;
		f->pulsed = true;
	}
	return 0;
}

int status_apply(struct status *s, const struct record *r, uint64_t position, struct moment at)
{
	switch (r->kind) {
	case TOCSIN_HEALTH_START:
		s->started = true;
		s->started_at = at;
		break;
	case TOCSIN_HEALTH_HEARTBEAT:
		s->last_heartbeat = at;
		s->last_heartbeat_position = position;
		break;
	case TOCSIN_HEALTH_FEED_UP:
	case TOCSIN_HEALTH_FEED_DOWN:
	case TOCSIN_HEALTH_FEED_RECONNECT:
	case TOCSIN_HEALTH_FEED_PULSE:
		return apply_feed(s, r, position, at);
	case TOCSIN_HEALTH_DRIFT:
		s->last_drift_report = at;
		break;
	case TOCSIN_HEALTH_METADATA: {
		/* Merged again, it becomes the same. */
		int error = metadata_merge(&s->metadata, r->kv, r->n_kv);

		s->metadata_cut += error == -E2BIG;
		return error == -ENOMEM ? -ENOMEM : 0;
	}
	default:
		break;
	}
	return 0;
}

static double seconds_between(struct moment from, struct moment to)
{
	if (from.wall_ns == 0 || to.clock_ns < from.clock_ns)
		return 0;
	/* NOLINTNEXTLINE(bugprone-integer-division): in whole milliseconds. */
	return (double)((to.clock_ns - from.clock_ns) / NS_PER_MS) / 1000.0;
}

double status_system_uptime(const struct status *s, struct moment now)
{
	return seconds_between(s->started_at, now);
}

double feed_uptime(const struct feed *f, struct moment now)
{
	return feed_is_up(f) ? seconds_between(f->up_since, now) : 0;
}

bool feed_is_up(const struct feed *f)
{
	return f->up && !f->alarmed;
}

double status_feed_uptime(const struct status *s, struct moment now)
{
	const struct feed *last = NULL;

	for (size_t i = 0; i < s->n_feeds; i++) {
		const struct feed *f = &s->feeds[i];

		if (feed_is_up(f) && (!last || f->up_since.clock_ns > last->up_since.clock_ns))
			last = f;
	}
	return last ? feed_uptime(last, now) : 0;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/rules.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

void rules_note_loss(struct rules *rules, uint64_t first_ns, uint64_t last_ns)
{
	struct loss_time *latest = &rules->losses[0];

	if (last_ns <= latest->last_ns)
		return;
	if (latest->last_ns == 0 ||
	    (first_ns > latest->last_ns && first_ns - latest->last_ns > RULES_LOSS_GAP_NS)) {
		rules->losses[1] = *latest;
		latest->first_ns = first_ns;
	}
	latest->last_ns = last_ns;
}

void rules_disarm(struct rules *rules)
{
	for (size_t i = 0; i < rules->status->n_feeds; i++)
		rules->status->feeds[i].stale_at_ns = 0;
	rules->feeds_due_ns = UINT64_MAX;
	rules->beat_from_ns = 0;
	rules->stalled = true;
}

/* Were events refused after `from_ns` and not after `to_ns`? */
static bool lost_within(const struct rules *rules, uint64_t from_ns, uint64_t to_ns)
{
	for (size_t i = 0; i < 2; i++) {
		const struct loss_time *l = &rules->losses[i];

		if (l->last_ns > from_ns && l->first_ns <= to_ns && l->last_ns != 0)
			return true;
	}
	return false;
}

/* Where the interval that a heartbeat must fall into begins; false: none is awaited. */
static bool beat_awaited(const struct rules *rules, uint64_t *ret_from_ns)
{
	const struct status *s = rules->status;
	struct moment running;

	if (rules->settings->heartbeat_timeout_ns == 0 || rules->stalled ||
	    s->last_heartbeat.wall_ns == 0 || !sessions_running_since(rules->sessions, &running))
		return false;
	*ret_from_ns = s->last_heartbeat.clock_ns;
	if (running.clock_ns > *ret_from_ns)
		*ret_from_ns = running.clock_ns;
	if (rules->beat_from_ns > *ret_from_ns)
		*ret_from_ns = rules->beat_from_ns;
	return true;
}

static uint64_t beat_due(const struct rules *rules)
{
	uint64_t from, due;

	if (!beat_awaited(rules, &from))
		return UINT64_MAX;
	if (__builtin_add_overflow(from, rules->settings->heartbeat_timeout_ns, &due))
		return UINT64_MAX;
	return due;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t feeds_due(const struct rules *rules)
{
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < rules->status->n_feeds; i++)
		if (rules->status->feeds[i].stale_at_ns > 0)
			first = earlier(first, rules->status->feeds[i].stale_at_ns);
	return first;
}

uint64_t rules_due(const struct rules *rules)
{
	return earlier(rules->feeds_due_ns, beat_due(rules));
}

uint64_t rules_next_deadline(const struct rules *rules)
{
	uint64_t feeds = rules->feeds_due_ns == UINT64_MAX ? UINT64_MAX : feeds_due(rules);

	return earlier(feeds, beat_due(rules));
}

static void deadline_key(const struct feed *f, char key[static INCIDENT_KEY_SIZE])
{
	struct incident_identity identity = { .code = STR("ENGINE_STALLED") };

	if (f) {
		identity.code = STR("DATA_FEED_DOWN");
		identity.source = (tocsin_str){ f->source, f->source_len };
	}
	incident_key(key, true, &identity);
}

/* Keeps the earlier of *d (valid when `have`) and the deadline of f (NULL: the heartbeat's). */
static void keep_earlier(struct rules_deadline *d, bool have, uint64_t at_ns, struct feed *f)
{
	char key[INCIDENT_KEY_SIZE];

	if (have && at_ns > d->at_ns)
		return;
	deadline_key(f, key);
	if (have && at_ns == d->at_ns && strcmp(key, d->key) > 0)
		return;
	d->at_ns = at_ns;
	d->feed = f;
	memcpy(d->key, key, strlen(key) + 1);
}

bool rules_take_due(struct rules *rules, uint64_t clock_ns, struct rules_deadline *ret)
{
	uint64_t first = UINT64_MAX, beat = beat_due(rules);
	bool have = false;

	/* The last moment there is means "never" and is never due. */
	if (clock_ns == UINT64_MAX)
		clock_ns--;
	if (rules->feeds_due_ns <= clock_ns)
		first = rules->feeds_due_ns = feeds_due(rules);
	if (first <= clock_ns) {
		for (size_t i = 0; i < rules->status->n_feeds; i++) {
			struct feed *f = &rules->status->feeds[i];

			if (f->stale_at_ns != first)
				continue;
			keep_earlier(ret, have, first, f);
			have = true;
		}
	}
	if (beat <= clock_ns) {
		keep_earlier(ret, have, beat, NULL);
		have = true;
	}
	return have;
}

void rules_put_off(struct rules *rules, uint64_t clock_ns)
{
	for (size_t i = 0; i < rules->status->n_feeds; i++) {
		struct feed *f = &rules->status->feeds[i];

		if (f->stale_at_ns > 0 && f->stale_at_ns < clock_ns)
			f->stale_at_ns = clock_ns;
	}
	if (beat_due(rules) < clock_ns)
		rules->beat_from_ns = clock_ns - rules->settings->heartbeat_timeout_ns;
}

/* What a deadline raises: the alert itself, or that our own losses may be why it passed. */
static int raise_at_deadline(struct rules *rules, struct raise *raise, bool lost,
			     struct text_buffer *message, struct moment at)
{
	if (lost) {
		raise->rule = "loss";
		raise->code = STR("EVENTS_DROPPED");
		text_buffer_add(message, STR("; events were refused meanwhile"));
	}
	if (message->failed)
		return -ENOMEM;
	raise->by_rule = true;
	raise->message = (tocsin_str){ message->ptr, message->len };
	return alerts_raise(rules->alerts, raise, at);
}

static int raise_feed(struct rules *rules, const struct feed *f, uint64_t deadline_ns, bool lost,
		      struct moment at)
{
	_cleanup_(text_buffer_done) struct text_buffer message = { 0 };
	char silence[TIME_TEXT_SIZE];
	struct raise raise = {
		.rule = "feed",
		.code = STR("DATA_FEED_DOWN"),
		.source = { f->source, f->source_len },
		.cause = f->last_sign_position,
	};

	text_buffer_add(&message, STR("no data from "));
	text_buffer_add(&message,
			raise.source.len > 0 ? raise.source : STR("a feed without a name"));
	text_buffer_printf(&message, " for %s",
			   duration_to_text(deadline_ns - f->last_sign.clock_ns, silence));
	return raise_at_deadline(rules, &raise, lost, &message, at);
}

static int fire_feed(struct rules *rules, struct feed *f, uint64_t deadline_ns, struct moment at)
{
	uint64_t after = rules_feed_thresholds(rules, f)->feed_stale_after_ns;
	uint64_t from = deadline_ns > after ? deadline_ns - after : 0;
	bool lost = lost_within(rules, from, deadline_ns);
	int r;

	f->alarmed = true;
	f->stale_at_ns = 0;
	if (lost && deadline_ns <= UINT64_MAX - after) {
		f->stale_at_ns = deadline_ns + after;
		rules->feeds_due_ns = earlier(rules->feeds_due_ns, f->stale_at_ns);
	}
	do
		r = raise_feed(rules, f, deadline_ns, lost, at);
	while (picture_tries_again(rules->settings, r));
	return r;
}

/* "while session X runs", or how many do. */
static void say_sessions(struct text_buffer *b, const struct sessions *sessions)
{
	const struct session *one = NULL;
	size_t n = 0;

	for (const struct session *s = sessions_newest(sessions); s; s = s->older) {
		if (!session_runs(s))
			continue;
		one = s;
		n++;
	}
	if (n != 1 || !one) {
		text_buffer_printf(b, "while %zu sessions run", n);
		return;
	}
	text_buffer_add(b, STR("while session "));
	text_buffer_add(b, (tocsin_str){ one->id, one->id_len });
	text_buffer_add(b, STR(" runs"));
}

static int raise_beat(struct rules *rules, bool lost, struct moment at)
{
	_cleanup_(text_buffer_done) struct text_buffer message = { 0 };
	uint64_t timeout = rules->settings->heartbeat_timeout_ns;
	char silence[TIME_TEXT_SIZE];
	struct raise raise = {
		.rule = "stall",
		.code = STR("ENGINE_STALLED"),
		.cause = rules->status->last_heartbeat_position,
	};

	/* From a heartbeat that opened one already, another one needs another name. */
	if (rules->beat_position > raise.cause)
		raise.cause = rules->beat_position;

	text_buffer_printf(&message, "no heartbeat for %s ", duration_to_text(timeout, silence));
	say_sessions(&message, rules->sessions);
	return raise_at_deadline(rules, &raise, lost, &message, at);
}

static int fire_beat(struct rules *rules, uint64_t deadline_ns, struct moment at)
{
	uint64_t from = deadline_ns - rules->settings->heartbeat_timeout_ns;
	bool lost = lost_within(rules, from, deadline_ns);
	int r;

	if (lost)
		rules->beat_from_ns = deadline_ns;
	else
		rules->stalled = true;
	do
		r = raise_beat(rules, lost, at);
	while (picture_tries_again(rules->settings, r));
	return r;
}

int rules_fire(struct rules *rules, const struct rules_deadline *d, struct moment at)
{
	return d->feed ? fire_feed(rules, d->feed, d->at_ns, at) : fire_beat(rules, d->at_ns, at);
}

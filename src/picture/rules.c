/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/rules.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/hash.h"
#include "picture/foresee.h"

#define FEED_DOWN STR("DATA_FEED_DOWN")
#define STALLED STR("ENGINE_STALLED")
#define DROPPED STR("EVENTS_DROPPED")
#define DOWN STR("ENGINE_DOWN")
#define NOTHING ((tocsin_str){ NULL, 0 })

enum verdict { VERDICT_NONE, VERDICT_RAISE, VERDICT_CLEAR };

/* Which parts of the event its incident's key has. */
enum { KEY_SESSION = 1, KEY_SOURCE = 2 };

/* An event that raises or clears. */
struct rule {
	const char *name; /* part of the alert_id: no two may open one from the same event */
	const char *code;
	enum record_type type;
	uint32_t kind; /* 0: any of the type */
	unsigned key;
	bool of_session; /* what it opened in a session ends when that completes */
	bool is_event;   /* nothing clears it: it expires */
	/* *limit gets the threshold where there is one. */
	enum verdict (*judge)(const struct rules *rules, const struct record *r, double *limit);
	void (*say)(struct text_buffer *b, const struct record *r, double limit);
};

bool drift_breaches(double drift, double threshold)
{
	return !(fabs(drift) < threshold);
}

bool risk_breaches(double value, double limit)
{
	return !isfinite(value) || !(value <= limit);
}

static enum verdict judge_drift(const struct record *r, double threshold, double hysteresis,
				double *limit)
{
	if (!(threshold > 0) || !r->has_value)
		return VERDICT_NONE;
	*limit = threshold;
	if (drift_breaches(r->value, threshold))
		return VERDICT_RAISE;
	return fabs(r->value) <= threshold - hysteresis * threshold ? VERDICT_CLEAR : VERDICT_NONE;
}

static enum verdict judge_drift_critical(const struct rules *rules, const struct record *r,
					 double *limit)
{
	const struct thresholds *t = rules_thresholds(rules, r->source);

	return judge_drift(r, t->drift_critical, t->hysteresis, limit);
}

static enum verdict judge_drift_high(const struct rules *rules, const struct record *r,
				     double *limit)
{
	const struct thresholds *t = rules_thresholds(rules, r->source);

	return judge_drift(r, t->drift_high, t->hysteresis, limit);
}

static enum verdict judge_risk(const struct rules *rules, const struct record *r, double *limit)
{
	const struct thresholds *t = rules_thresholds(rules, r->source);

	if (!rules->settings->risk || !r->has_value)
		return VERDICT_NONE;
	*limit = r->limit;
	if (risk_breaches(r->value, r->limit))
		return VERDICT_RAISE;
	/* No distance from an infinite limit is too small. */
	if (isinf(r->limit) || r->value <= r->limit - t->hysteresis * fabs(r->limit))
		return VERDICT_CLEAR;
	return VERDICT_NONE;
}

static enum verdict judge_feed_down(const struct rules *rules _unused_,
				    const struct record *r _unused_, double *limit _unused_)
{
	return VERDICT_RAISE;
}

static enum verdict judge_execution(const struct rules *rules, const struct record *r _unused_,
				    double *limit _unused_)
{
	return rules->settings->execution_errors ? VERDICT_RAISE : VERDICT_NONE;
}

static enum verdict judge_session(const struct rules *rules, const struct record *r,
				  double *limit _unused_)
{
	bool failed = rules->settings->session_failures && str_is(r->status, "failed");

	return failed ? VERDICT_RAISE : VERDICT_NONE;
}

/* " of SOURCE in session S", as far as they are known. */
static void say_where(struct text_buffer *b, const struct record *r)
{
	if (r->source.len > 0) {
		text_buffer_add(b, STR(" of "));
		text_buffer_add(b, r->source);
	}
	if (r->session_id.len > 0) {
		text_buffer_add(b, STR(" in session "));
		text_buffer_add(b, r->session_id);
	}
}

/* The sign of what is not a number means nothing. */
static double figure(double value)
{
	return isnan(value) ? (double)NAN : value;
}

static void say_feed_down(struct text_buffer *b, const struct record *r, double limit _unused_)
{
	text_buffer_add(b, r->source.len > 0 ? STR("feed ") : STR("a feed without a name"));
	text_buffer_add(b, r->source);
	text_buffer_add(b, STR(" reported down"));
}

static void say_drift(struct text_buffer *b, const struct record *r, double limit)
{
	text_buffer_printf(b, "drift %.4g", figure(r->value));
	say_where(b, r);
	text_buffer_printf(b, " is not below %.4g", limit);
}

static void say_risk(struct text_buffer *b, const struct record *r, double limit)
{
	text_buffer_printf(b, "risk %.4g", figure(r->value));
	say_where(b, r);
	text_buffer_printf(b, " is not within its limit %.4g", figure(limit));
}

static void say_execution(struct text_buffer *b, const struct record *r, double limit _unused_)
{
	text_buffer_add(b, STR("execution error"));
	say_where(b, r);
}

static void say_session(struct text_buffer *b, const struct record *r, double limit _unused_)
{
	text_buffer_add(b, STR("session "));
	text_buffer_add(b, r->session_id);
	text_buffer_add(b, STR(" failed"));
}

static const struct rule table[] = {
	{ "feed", "DATA_FEED_DOWN", RECORD_HEALTH, TOCSIN_HEALTH_FEED_DOWN, KEY_SOURCE, false,
	  false, judge_feed_down, say_feed_down },
	{ "drift-critical", "DRIFT_CRITICAL", RECORD_HEALTH, TOCSIN_HEALTH_DRIFT,
	  KEY_SESSION | KEY_SOURCE, true, false, judge_drift_critical, say_drift },
	{ "drift-high", "DRIFT_HIGH", RECORD_HEALTH, TOCSIN_HEALTH_DRIFT, KEY_SESSION | KEY_SOURCE,
	  true, false, judge_drift_high, say_drift },
	{ "risk", "RISK_LIMIT_BREACH", RECORD_HEALTH, TOCSIN_HEALTH_RISK, KEY_SESSION | KEY_SOURCE,
	  true, false, judge_risk, say_risk },
	{ "execution", "EXECUTION_ERROR", RECORD_HEALTH, TOCSIN_HEALTH_EXECUTION_ERROR,
	  KEY_SESSION | KEY_SOURCE, false, true, judge_execution, say_execution },
	{ "session", "SESSION_FAILED", RECORD_SESSION, 0, KEY_SESSION, false, true, judge_session,
	  say_session },
};

static void index_fill(struct rules *rules)
{
	const struct picture_settings *s = rules->settings;

	assert(s->n_sources <= SOURCE_THRESHOLDS_MAX);
	for (size_t i = 0; i < s->n_sources; i++) {
		size_t place = hash_text(s->sources[i].source) % RULES_INDEX_SIZE;

		while (rules->index[place] != 0)
			place = (place + 1) % RULES_INDEX_SIZE;
		rules->index[place] = (uint16_t)(i + 1);
	}
}

static const struct thresholds *thresholds_find(const struct rules *rules, uint32_t hash,
						tocsin_str source)
{
	const struct picture_settings *s = rules->settings;
	unsigned number;

	for (size_t i = hash % RULES_INDEX_SIZE; (number = rules->index[i]) != 0;
	     i = (i + 1) % RULES_INDEX_SIZE)
		if (str_equal(s->sources[number - 1].source, source))
			return &s->sources[number - 1].thresholds;
	return &s->thresholds;
}

const struct thresholds *rules_thresholds(const struct rules *rules, tocsin_str source)
{
	/* Mostly nobody has thresholds of their own: no need to hash then. */
	if (rules->settings->n_sources == 0)
		return &rules->settings->thresholds;
	source = text_cut(source, TOCSIN_ID_MAX);
	return thresholds_find(rules, hash_text(source), source);
}

const struct thresholds *rules_feed_thresholds(const struct rules *rules, const struct feed *f)
{
	return thresholds_find(rules, f->hash, (tocsin_str){ f->source, f->source_len });
}

void rules_init(struct rules *rules, const struct picture_settings *settings,
		const struct sessions *sessions, struct status *status, struct alerts *alerts)
{
	*rules = (struct rules){
		.settings = settings,
		.sessions = sessions,
		.status = status,
		.alerts = alerts,
		.feeds_due_ns = UINT64_MAX,
	};
	index_fill(rules);
}

static bool rule_concerns(const struct rule *rule, const struct record *r)
{
	return rule->type == r->type && (!rule->kind || rule->kind == r->kind);
}

static int rule_act(struct rules *rules, const struct rule *rule, const struct record *r,
		    uint64_t position, struct moment at)
{
	_cleanup_(text_buffer_done) struct text_buffer message = { 0 };
	tocsin_str session = rule->key & KEY_SESSION ? r->session_id : NOTHING;
	tocsin_str source = rule->key & KEY_SOURCE ? r->source : NOTHING;
	double limit = (double)NAN;
	enum verdict verdict = rule->judge(rules, r, &limit);

	if (verdict == VERDICT_NONE)
		return 0;
	if (verdict == VERDICT_CLEAR) {
		alerts_clear(rules->alerts, true, str(rule->code), session, source, NOTHING, at);
		return 0;
	}
	rule->say(&message, r, limit);
	if (message.failed)
		return -ENOMEM;
	return alerts_raise(rules->alerts,
			    &(struct raise){
				    .rule = rule->name,
				    .by_rule = true,
				    .expires = rule->is_event,
				    .code = str(rule->code),
				    .message = { message.ptr, message.len },
				    .session_id = session,
				    .source = source,
				    .kv = r->kv,
				    .n_kv = r->n_kv,
				    .value = r->value,
				    .limit = limit,
				    .has_value = r->has_value,
				    .has_limit = r->has_value,
				    .truncated = r->truncated,
				    .cause = position,
			    },
			    at);
}

static uint64_t later_by(uint64_t clock_ns, uint64_t ns)
{
	uint64_t sum;

	return __builtin_add_overflow(clock_ns, ns, &sum) ? UINT64_MAX : sum;
}

static void feed_arm(struct rules *rules, struct feed *f, uint64_t from_ns)
{
	uint64_t after = rules_feed_thresholds(rules, f)->feed_stale_after_ns;

	if (after == 0 || !f->pulsed)
		return;
	f->stale_at_ns = later_by(from_ns, after);
	if (f->stale_at_ns < rules->feeds_due_ns)
		rules->feeds_due_ns = f->stale_at_ns;
}

static void judge_feed(struct rules *rules, const struct record *r, struct moment at)
{
	struct feed *f = status_find_feed(rules->status, r->source);

	if (!f)
		return;
	if (r->kind == TOCSIN_HEALTH_FEED_DOWN) {
		f->stale_at_ns = 0;
		f->alarmed = true;
		return;
	}
	if (f->alarmed) {
		alerts_clear(rules->alerts, true, FEED_DOWN, NOTHING, r->source, NOTHING, at);
		alerts_clear(rules->alerts, true, DROPPED, NOTHING, r->source, NOTHING, at);
		f->alarmed = false;
	}
	feed_arm(rules, f, at.clock_ns);
}

static void judge_heartbeat(struct rules *rules, struct moment at)
{
	if (rules->stalled)
		alerts_clear(rules->alerts, true, STALLED, NOTHING, NOTHING, NOTHING, at);
	if (rules->stalled || rules->beat_from_ns > 0)
		alerts_clear(rules->alerts, true, DROPPED, NOTHING, NOTHING, NOTHING, at);
	rules->stalled = false;
	rules->beat_from_ns = 0;
}

static void clear_saying(struct rules *rules, tocsin_str code, tocsin_str why, struct moment at,
			 bool *ret_cleared)
{
	const struct raise clear = { .by_rule = true, .code = code, .message = why };

	*ret_cleared |= alerts_clear_saying(rules->alerts, &clear, at) == 0;
}

void rules_end_sessions(struct rules *rules, uint64_t position, struct moment at)
{
	static const tocsin_str why = STR("no session runs any more");
	bool stalled = false, dropped = false;

	clear_saying(rules, STALLED, why, at, &stalled);
	clear_saying(rules, DROPPED, why, at, &dropped);
	if (stalled) {
		/* The next session is watched again, and what it opens is another incident. */
		rules->stalled = false;
		rules->beat_position = position;
	}
	rules->beat_from_ns = 0;
}

void rules_end_engine(struct rules *rules, struct moment at)
{
	static const tocsin_str why = STR("the engine was stopped");
	static const tocsin_str codes[] = { STALLED, FEED_DOWN, DROPPED };

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		alerts_clear_all(rules->alerts, codes[i], why, at);
	for (size_t i = 0; i < rules->status->n_feeds; i++)
		rules->status->feeds[i].alarmed = false;
	rules_disarm(rules);
}

void rules_expire_session(struct rules *rules, tocsin_str session_id, struct moment at)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].of_session)
			alerts_expire_session(rules->alerts, str(table[i].code), session_id, at);
}

/* What depends on a session that runs; sessions have taken the event already. */
static void judge_session_end(struct rules *rules, const struct record *r, uint64_t position,
			      struct moment at)
{
	_cleanup_(text_buffer_done) struct text_buffer why = { 0 };
	const struct session *s = sessions_get(rules->sessions, r->session_id);
	struct moment since;

	if (!sessions_running_since(rules->sessions, &since))
		rules_end_sessions(rules, position, at);
	if (!s || session_runs(s))
		return;
	if (!str_is((tocsin_str){ s->status, s->status_len }, "completed")) {
		rules_expire_session(rules, r->session_id, at);
		return;
	}
	text_buffer_add(&why, STR("session "));
	text_buffer_add(&why, r->session_id);
	text_buffer_add(&why, STR(" completed"));
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].of_session)
			alerts_clear_session(rules->alerts, str(table[i].code), r->session_id,
					     why.failed ? NOTHING : str(why.ptr), at);
}

/* Does it show that the engine runs, and not only that it was started? */
static bool is_sign_of_life(const struct record *r)
{
	return r->type == RECORD_HEALTH &&
	       (r->kind == TOCSIN_HEALTH_HEARTBEAT || r->kind == TOCSIN_HEALTH_FEED_UP ||
		r->kind == TOCSIN_HEALTH_FEED_RECONNECT || r->kind == TOCSIN_HEALTH_FEED_PULSE);
}

int rules_judge(struct rules *rules, const struct record *r, uint64_t position, struct moment at)
{
	int result = 0;

	if (rules->down && is_sign_of_life(r)) {
		alerts_clear_all(rules->alerts, DOWN, NOTHING, at);
		rules->down = false;
	}
	if (r->type == RECORD_HEALTH && r->kind >= TOCSIN_HEALTH_FEED_UP &&
	    r->kind <= TOCSIN_HEALTH_FEED_PULSE)
		judge_feed(rules, r, at);
	else if (r->type == RECORD_HEALTH && r->kind == TOCSIN_HEALTH_HEARTBEAT)
		judge_heartbeat(rules, at);
	else if (r->type == RECORD_SESSION)
		judge_session_end(rules, r, position, at);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (!rule_concerns(&table[i], r))
			continue;
		int error;

		do
			error = rule_act(rules, &table[i], r, position, at);
		while (picture_tries_again(rules->settings, error));
		if (error < 0)
			result = error;
	}
	return result;
}

bool rules_foresee(const struct rules *rules, const struct record *r, size_t *rule,
		   struct foreseen *ret)
{
	while (*rule < sizeof table / sizeof *table) {
		const struct rule *t = &table[(*rule)++];
		double limit = (double)NAN;

		if (!rule_concerns(t, r) || t->judge(rules, r, &limit) != VERDICT_RAISE)
			continue;
		ret->code = str(t->code);
		ret->session_id = t->key & KEY_SESSION ? r->session_id : NOTHING;
		ret->instance = t->key & KEY_SOURCE ? r->source : NOTHING;
		t->say(&ret->message, r, limit);
		return true;
	}
	return false;
}

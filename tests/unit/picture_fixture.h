/* SPDX-License-Identifier: MIT */
/*
 * What the picture's tests share: a picture under a simple clock, events made by hand, and its news
 * as lines of text, so that two runs are compared by comparing two strings.
 */
#ifndef TOCSIN_TESTS_UNIT_PICTURE_FIXTURE_H
#define TOCSIN_TESTS_UNIT_PICTURE_FIXTURE_H

#include <inttypes.h>
#include <math.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "picture/picture.h"
#include "picture/rate_limit.h"
#include "test.h"

#define WALL UINT64_C(1785750000)
#define SECONDS(s) ((uint64_t)((s)*1e9 + 0.5))

_unused_ static struct moment at_s(double s)
{
	return (struct moment){ SECONDS(s), WALL * NS_PER_S + SECONDS(s) };
}

/* As the runbooks have it: P1 are paged after 5 s when a rule raises them. */
_unused_ static void fixture_lookup(void *userdata, tocsin_str code, struct code_facts *ret)
{
	static const struct {
		const char *code;
		uint32_t priority;
		double page_after_s;
	} known[] = {
		{ "DATA_FEED_DOWN", 1, 5 },    { "ENGINE_STALLED", 1, 5 },
		{ "DRIFT_CRITICAL", 1, 0 },    { "DRIFT_HIGH", 2, 0 },
		{ "RISK_LIMIT_BREACH", 1, 0 }, { "EXECUTION_ERROR", 2, 0 },
		{ "SESSION_FAILED", 2, 0 },    { "EVENTS_DROPPED", 2, 0 },
	};

	(void)userdata;
	*ret = (struct code_facts){ 3, 0 };
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (str_is(code, known[i].code))
			*ret = (struct code_facts){ known[i].priority,
						    SECONDS(known[i].page_after_s) };
}

_unused_ static struct picture_settings fixture_settings(void)
{
	return (struct picture_settings){
		.alerts = {
			.epoch = { 0xab, 0xcd },
			.repeat_interval_ns = SECONDS(4 * 3600),
			.rise_again_after_ns = SECONDS(60),
			.event_expires_ns = SECONDS(24 * 3600),
			.lookup = fixture_lookup,
		},
		.heartbeat_timeout_ns = SECONDS(30),
		.thresholds = {
			.feed_stale_after_ns = SECONDS(5),
			.drift_high = 0.10,
			.drift_critical = 0.25,
			.hysteresis = 0.1,
		},
		.risk = true,
		.execution_errors = true,
		.session_failures = true,
	};
}

struct fixture {
	struct picture *picture;
	uint64_t position; /* of the event applied last */
	bool alerts_only;  /* told: alerts and troubles, no sessions and health */
	bool with_ids;     /* told: alert_ids, endpoints and wall times too */
	struct text_buffer told;
	struct moment last;
	size_t notes;
	char note[512];      /* the last one */
	size_t out_of_order; /* news that came with an earlier time than one before */
	uint32_t endpoints;  /* given to each incident that is paged */
};

static const char *const page_names[] = { "", " page", " repeat", " resolved-page" };

static void fixture_tell_alert(struct fixture *f, const struct change *n)
{
	const struct incident *i = n->incident;

	text_buffer_printf(&f->told, "%.3f %s P%" PRIu32 " %s #%" PRIu64 " x%" PRIu64 "%s%s: ",
			   (double)n->at.clock_ns / 1e9, i->open ? "firing" : "resolved",
			   i->priority, i->key, i->number, i->count, page_names[n->page],
			   n->page_only ? " only" : "");
	if (i->resolution)
		text_buffer_printf(&f->told, "%s (%s)\n", i->resolution, i->message);
	else
		text_buffer_printf(&f->told, "%s\n", i->message);
	if (f->with_ids)
		text_buffer_printf(&f->told,
				   " %s repeats %" PRIu32 " to %" PRIx32 " at %" PRIu64
				   " opened %" PRIu64 " position %" PRIu64 "\n",
				   i->id, i->repeats, i->endpoints, n->at.wall_ns,
				   i->opened.wall_ns, n->position);
}

static void fixture_tell_summary(struct fixture *f, const struct change *n)
{
	struct rate_limit_summary *s = n->summary;

	text_buffer_printf(&f->told,
			   "%.3f summary P%" PRIu32 " %s +%" PRIu64 " -%" PRIu64 " since %.3f:",
			   (double)n->at.clock_ns / 1e9, s->priority, s->code, s->raised,
			   s->resolved, (double)s->since.clock_ns / 1e9);
	for (size_t i = 0; i < s->n_ids; i++)
		text_buffer_printf(&f->told, " %s%s", s->codes[i], s->ended[i] ? "(ended)" : "");
	text_buffer_add(&f->told, STR("\n"));
	if (f->with_ids) {
		text_buffer_printf(&f->told, " %s to %" PRIx32 " %" PRIu64 " unlisted", s->id,
				   s->endpoints, s->unlisted);
		for (size_t i = 0; i < s->n_ids; i++)
			text_buffer_printf(&f->told, " %s", s->ids[i]);
		text_buffer_add(&f->told, STR("\n"));
	}
	s->endpoints |= f->endpoints;
}

_unused_ static void fixture_tell(void *userdata, const struct change *n)
{
	struct fixture *f = userdata;
	double s = (double)n->at.clock_ns / 1e9;

	if (n->at.clock_ns < f->last.clock_ns)
		f->out_of_order++;
	f->last = n->at;
	if (n->kind == CHANGE_ALERT) {
		fixture_tell_alert(f, n);
		if (n->page != PAGE_NONE)
			n->incident->endpoints |= f->endpoints;
	} else if (n->kind == CHANGE_SUMMARY) {
		fixture_tell_summary(f, n);
	} else if (n->kind == CHANGE_TROUBLE) {
		text_buffer_printf(&f->told, "%.3f trouble %s\n", s, n->text);
	} else if (n->kind == CHANGE_NOTE) {
		f->notes++;
		snprintf(f->note, sizeof f->note, "%s", n->text);
	} else if (n->kind == CHANGE_SESSION && !f->alerts_only) {
		text_buffer_printf(&f->told, "%.3f session %s %s\n", s, n->session->id,
				   n->session->status);
	} else if (n->kind == CHANGE_HEALTH && !f->alerts_only) {
		text_buffer_printf(&f->told, "%.3f health %" PRIu32 "\n", s, n->record->kind);
	}
}

_unused_ static void fixture_start(struct fixture *f, const struct picture_settings *s)
{
	assert_int_equal(picture_new(s, at_s(0), fixture_tell, f, &f->picture), 0);
}

_unused_ static void fixture_done(struct fixture *f)
{
	picture_free(f->picture);
	text_buffer_done(&f->told);
	*f = (struct fixture){ 0 };
}

/* What was told since the last call must be `want`. */
_unused_ static void assert_told(struct fixture *f, const char *want)
{
	assert_string_equal(f->told.ptr ? f->told.ptr : "", want);
	text_buffer_done(&f->told);
	f->told = (struct text_buffer){ 0 };
}

_unused_ static void apply_at(struct fixture *f, double s, const struct record *r)
{
	picture_apply(f->picture, r, ++f->position, at_s(s));
}

_unused_ static void advance_to(struct fixture *f, double s)
{
	picture_advance(f->picture, at_s(s));
}

_unused_ static struct record health_of(uint32_t kind, const char *source)
{
	return (struct record){ .type = RECORD_HEALTH, .kind = kind, .source = str(source) };
}

_unused_ static struct record figure_of(uint32_t kind, const char *source, const char *session,
					double value, double limit)
{
	return (struct record){
		.type = RECORD_HEALTH,
		.kind = kind,
		.source = str(source),
		.session_id = str(session),
		.value = value,
		.limit = limit,
		.has_value = true,
	};
}

_unused_ static struct record session_of(uint32_t kind, const char *id, const char *status)
{
	return (struct record){
		.type = RECORD_SESSION,
		.kind = kind,
		.session_id = str(id),
		.status = str(status),
	};
}

_unused_ static struct record alert_of(uint32_t kind, uint32_t priority, const char *code,
				       const char *session, const char *instance,
				       const char *message)
{
	return (struct record){
		.type = RECORD_ALERT,
		.kind = kind,
		.priority = priority,
		.code = str(code),
		.session_id = str(session),
		.instance = str(instance),
		.message = str(message),
	};
}

/* A small generator with a fixed seed: the same sequence on every machine. */
_unused_ static uint32_t random_next(uint64_t *state, uint32_t below)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((*state >> 33) % below);
}

/* Some event, by chance: often signs of life, now and then anything else. */
_unused_ static struct record random_record(uint64_t *state)
{
	static const char *const sources[] = { "a", "b", "c d", "e=%", "f\xff" };
	static const char *const ids[] = { "s1", "s2", "s3" };
	static const char *const words[] = { "", "started", "running", "completed", "failed" };
	static const char *const codes[] = { "DATA_FEED_DOWN", "ENGINE_STALLED", "OWN_CODE", "no!",
					     "DRIFT_HIGH" };
	const char *source = sources[random_next(state, 5)], *id = ids[random_next(state, 3)];
	uint32_t dice = random_next(state, 100);

	if (dice < 15)
		return session_of(1 + random_next(state, 2), id, words[random_next(state, 5)]);
	if (dice < 30)
		return alert_of(1 + random_next(state, 2), random_next(state, 4),
				codes[random_next(state, 5)], id, source, "by call");
	if (dice < 45)
		return figure_of(7 + random_next(state, 2), source, id,
				 random_next(state, 50) / 100.0, 0.3);
	if (dice < 55)
		return health_of(TOCSIN_HEALTH_HEARTBEAT, "");
	return health_of(3 + random_next(state, dice < 80 ? 4 : 8), source);
}

#endif

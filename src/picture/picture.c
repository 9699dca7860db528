/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/picture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/text.h"
#include "picture/capacity.h"
#include "picture/state.h"

DEFINE_CLEANUP(struct picture *, picture_free, cleanup_picture)

static void picture_tell_change(const struct picture *p, struct change *change)
{
	change->position = p->position;
	change->record = p->record;
	if (p->tell)
		p->tell(p->userdata, change);
}

/* Of these each page goes out by itself: it says that others are missing, or what they would say.
 */
static bool code_is_unlimited(const char *code)
{
	static const char *const codes[] = { "ENGINE_DOWN", "EVENTS_BLOCKED", "PAGER_DEGRADED" };

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (strcmp(code, codes[i]) == 0)
			return true;
	return false;
}

/* Is it one whose pages the limit says nothing of? */
static bool page_is_unlimited(const struct picture *p, const struct incident *i)
{
	uint32_t paged = p->settings.alerts.paged_priorities;

	return (paged != 0 && !(paged & (UINT32_C(1) << (i->priority - 1)))) ||
	       (i->by_rule && code_is_unlimited(i->code));
}

/* What of that page goes out now. */
static enum page_kind page_limit(struct picture *p, struct incident *i, enum page_kind page,
				 struct moment at)
{
	if (page == PAGE_NONE || page_is_unlimited(p, i))
		return page;
	bool urgent = rate_limit_is_urgent(i, page);
	if (rate_limit_holds(&p->rate_limit, urgent, at)) {
		rate_limit_hold(&p->rate_limit, i, page, alerts_epoch(p->alerts), p->position, at);
		return PAGE_NONE;
	}
	rate_limit_note(&p->rate_limit, urgent, at);
	return page;
}

static void tell_alert(void *userdata, struct incident *incident, enum page_kind page,
		       struct moment at)
{
	struct picture *p = userdata;

	page = page_limit(p, incident, page, at);
	if (page == PAGE_NONE && p->page_due)
		return;
	picture_tell_change(p, &(struct change){
				       .kind = CHANGE_ALERT,
				       .at = at,
				       .incident = incident,
				       .page = page,
				       .page_only = p->page_due,
			       });
}

/* Those it raises were paged where it goes. */
static void tell_summary(struct picture *p, struct moment at)
{
	struct rate_limit_summary *summary = &p->rate_limit.held;

	p->unlisted += summary->unlisted;
	rate_limit_arrange(summary);
	picture_tell_change(
		p, &(struct change){ .kind = CHANGE_SUMMARY, .at = at, .summary = summary });
	alerts_note_summary(p->alerts, p->rate_limit.last_position, summary->endpoints);
	rate_limit_told(&p->rate_limit, at);
}

bool picture_tries_again(const struct picture_settings *s, int result)
{
	return result == -ENOMEM && s->wait_for_memory && s->wait_for_memory(s->wait_userdata);
}

/* Heap; NULL without memory. */
static char *trouble_line(const char *text, tocsin_str about)
{
	_cleanup_free_ char *line = text_to_line(about);
	struct text_buffer b = { 0 };

	if (!line)
		return NULL;
	text_buffer_printf(&b, "%s: %s", text, line);
	if (b.failed)
		text_buffer_done(&b);
	return b.ptr;
}

/* `about` may be absent. */
static void tell_line(const struct picture *p, enum change_kind kind, struct moment at,
		      const char *text, tocsin_str about)
{
	_cleanup_free_ char *line = NULL;

	if (about.len > 0)
		do
			line = trouble_line(text, about);
		while (!line && picture_tries_again(&p->settings, -ENOMEM));
	picture_tell_change(p, &(struct change){
				       .kind = kind,
				       .at = at,
				       .text = line ? line : text,
			       });
}

static void tell_trouble(const struct picture *p, struct moment at, const char *text,
			 tocsin_str about)
{
	tell_line(p, CHANGE_TROUBLE, at, text, about);
}

static void tell_no_memory(const struct picture *p, struct moment at)
{
	tell_trouble(p, at, "no memory: the picture misses an event", (tocsin_str){ NULL, 0 });
}

/* Nothing that has no place goes without a word. */
static void limits_look(struct picture *p, const struct record *r, struct moment at)
{
	if (capacity_look(p, r, at) < 0)
		tell_no_memory(p, at);
}

int picture_new(const struct picture_settings *settings, struct moment at, picture_tell *tell,
		void *userdata, struct picture **ret)
{
	_cleanup_(cleanup_picture) struct picture *p = calloc(1, sizeof *p);
	int r;

	if (!p)
		return -ENOMEM;
	p->settings = *settings;
	p->now = at;
	p->tell = tell;
	p->userdata = userdata;
	p->sessions = sessions_new();
	p->alerts = alerts_new(&settings->alerts, tell_alert, p);
	r = status_init(&p->status, at);
	if (r < 0 || !p->sessions || !p->alerts)
		return -ENOMEM;
	rules_init(&p->rules, &p->settings, p->sessions, &p->status, p->alerts);
	rate_limit_init(&p->rate_limit, settings->alerts.max_pages_per_minute);
	*ret = TAKE(p);
	return 0;
}

void picture_free(struct picture *p)
{
	if (!p)
		return;
	sessions_free(p->sessions);
	status_done(&p->status);
	alerts_free(p->alerts);
	free(p);
}

void picture_note_loss(struct picture *p, uint64_t first_ns, uint64_t last_ns)
{
	rules_note_loss(&p->rules, first_ns, last_ns);
}

static uint64_t earliest(const struct picture *p, uint64_t rules_ns)
{
	const char *key;
	uint64_t pages_ns = alerts_next_deadline(p->alerts, &key),
		 rate_limit_ns = rate_limit_due(&p->rate_limit);
	uint64_t first_ns = pages_ns < rules_ns ? pages_ns : rules_ns;

	return first_ns < rate_limit_ns ? first_ns : rate_limit_ns;
}

static struct moment picture_step(struct picture *p, struct moment at, uint64_t deadline_ns)
{
	if (deadline_ns > p->now.clock_ns)
		p->now = moment_at(at, deadline_ns);
	return p->now;
}

/* Fires the first deadline at or before `at`; false when there is none. */
static bool picture_fire_one(struct picture *p, struct moment at)
{
	const char *page_key;
	struct rules_deadline rule;
	uint64_t page_at = alerts_next_deadline(p->alerts, &page_key);
	bool have_rule = rules_take_due(&p->rules, at.clock_ns, &rule);
	bool have_page = page_key && page_at <= at.clock_ns;
	uint64_t rate_limit_at = rate_limit_due(&p->rate_limit);

	/* Its key is the last of all. */
	if (rate_limit_waits(&p->rate_limit) && rate_limit_at <= at.clock_ns &&
	    (!have_rule || rate_limit_at < rule.at_ns) && (!have_page || rate_limit_at < page_at)) {
		tell_summary(p, picture_step(p, at, rate_limit_at));
		return true;
	}
	if (have_rule && have_page && page_at == rule.at_ns)
		have_page = strcmp(page_key, rule.key) < 0;
	else if (have_rule && have_page)
		have_page = page_at < rule.at_ns;
	if (have_page) {
		p->page_due = alerts_next_is_page(p->alerts);
		alerts_fire(p->alerts, picture_step(p, at, page_at));
		p->page_due = false;
		return true;
	}
	if (have_rule) {
		struct moment then = picture_step(p, at, rule.at_ns);

		if (rules_fire(&p->rules, &rule, then) < 0)
			tell_no_memory(p, then);
	}
	return have_rule;
}

void picture_advance(struct picture *p, struct moment now)
{
	while (earliest(p, rules_due(&p->rules)) <= now.clock_ns && picture_fire_one(p, now))
		;
	if (now.clock_ns > p->now.clock_ns)
		p->now = now;
	limits_look(p, NULL, p->now);
}

uint64_t picture_next_deadline(const struct picture *p)
{
	return earliest(p, rules_next_deadline(&p->rules));
}

static void tell_session(const struct picture *p, const struct session *session, struct moment at)
{
	picture_tell_change(p, &(struct change){
				       .kind = CHANGE_SESSION,
				       .at = at,
				       .session = session,
			       });
}

static void apply_session(struct picture *p, const struct record *r, struct moment at)
{
	const struct session *session = NULL;
	bool created = r->kind == TOCSIN_SESSION_CREATED;
	int error;

	do
		error = created ? sessions_create(p->sessions, r->session_id, r->status, r->kv,
						  r->n_kv, at, &session)
				: sessions_update(p->sessions, r->session_id, r->status, r->kv,
						  r->n_kv, at, &session);
	while (picture_tries_again(&p->settings, error));

	if (error == -EEXIST)
		tell_trouble(p, at, "a session was created again; tocsin keeps it as it was",
			     r->session_id);
	else if (error == -ENOENT)
		tell_trouble(p, at, "a status came for an unknown session", r->session_id);
	else if (error < 0)
		tell_no_memory(p, at);
	else
		tell_session(p, session, at);
}

static void apply_health(struct picture *p, const struct record *r, struct moment at)
{
	int error;

	do
		error = status_apply(&p->status, r, p->position, at);
	while (picture_tries_again(&p->settings, error));
	if (error < 0)
		tell_no_memory(p, at);
	picture_tell_change(p, &(struct change){ .kind = CHANGE_HEALTH, .at = at });
}

/* An engine may clear at each good check, so this is said once a code. */
static void tell_vain_clear(struct picture *p, tocsin_str code, struct moment at)
{
	uint32_t hash = hash_text(code);

	for (size_t i = 0; i < p->n_vain_clears; i++)
		if (p->vain_clears[i] == hash)
			return;
	if (p->n_vain_clears == VAIN_CLEARS_MAX)
		return;
	p->vain_clears[p->n_vain_clears++] = hash;
	tell_line(
		p, CHANGE_NOTE, at,
		p->n_vain_clears < VAIN_CLEARS_MAX
			? "a CLEAR met no open incident of its code, session and instance; a CLEAR "
			  "ends what was raised with the same three (reported once a code)"
			: "a CLEAR met no open incident of its code, session and instance; this is "
			  "reported of no further code",
		code);
}

static void apply_alert(struct picture *p, const struct record *r, struct moment at)
{
	struct raise raise = {
		.rule = "call",
		.code = r->code,
		.priority = r->priority,
		.message = r->message,
		.session_id = r->session_id,
		.instance = r->instance,
		.kv = r->kv,
		.n_kv = r->n_kv,
		.truncated = r->truncated,
		.cause = p->position,
	};

	int error;

	if (r->kind == TOCSIN_ALERT_CLEAR) {
		do
			error = alerts_clear_saying(p->alerts, &raise, at);
		while (picture_tries_again(&p->settings, error));
		if (error == -ENOENT)
			tell_vain_clear(p, r->code, at);
		else if (error < 0)
			tell_no_memory(p, at);
		return;
	}
	do
		error = alerts_raise(p->alerts, &raise, at);
	while (picture_tries_again(&p->settings, error));
	if (error < 0)
		tell_no_memory(p, at);
}

void picture_apply(struct picture *p, const struct record *r, uint64_t position, struct moment at)
{
	static void (*const apply[])(struct picture *, const struct record *, struct moment) = {
		[RECORD_SESSION] = apply_session,
		[RECORD_HEALTH] = apply_health,
		[RECORD_ALERT] = apply_alert,
	};

	picture_advance(p, at);
	/* Calls on several threads may come out of order by a little; their labels stay theirs. */
	at.clock_ns = p->now.clock_ns;
	p->position = position;
	p->record = r;
	apply[r->type](p, r, at);
	if (rules_judge(&p->rules, r, position, at) < 0)
		tell_no_memory(p, at);
	limits_look(p, r, at);
	p->record = NULL;
}

void picture_resume(struct picture *p, const uint8_t epoch[static RECORDER_EPOCH_SIZE],
		    struct moment at)
{
	rules_disarm(&p->rules);
	picture_advance(p, at);
	sessions_end_run(p->sessions);
	memcpy(p->settings.alerts.epoch, epoch, RECORDER_EPOCH_SIZE);
	alerts_set_epoch(p->alerts, epoch);
	status_resume(&p->status, at);
}

/* No earlier than what was seen; the label stays its own. */
static struct moment picture_not_before(const struct picture *p, struct moment at)
{
	if (at.clock_ns < p->now.clock_ns)
		at.clock_ns = p->now.clock_ns;
	return at;
}

void picture_lose_sessions(struct picture *p, struct moment at)
{
	const struct session *lost;

	at = picture_not_before(p, at);
	while ((lost = sessions_lose_one(p->sessions, at))) {
		tell_session(p, lost, at);
		rules_expire_session(&p->rules, (tocsin_str){ lost->id, lost->id_len }, at);
	}
	rules_end_sessions(&p->rules, p->position, at);
}

int picture_lose_session(struct picture *p, tocsin_str id, struct moment started, struct moment at)
{
	const struct session *lost;
	int r = sessions_create(p->sessions, id, STR(SESSION_LOST), NULL, 0, started, &lost);

	if (r == -EEXIST)
		return 0;
	if (r == 0)
		tell_session(p, lost, picture_not_before(p, at));
	return r;
}

void picture_stop(struct picture *p, struct moment at)
{
	rules_end_engine(&p->rules, picture_not_before(p, at));
}

int picture_raise(struct picture *p, const struct raise *raise, struct moment at)
{
	int r;

	if (str_is(raise->code, "ENGINE_DOWN"))
		p->rules.down = true;
	do
		r = alerts_raise(p->alerts, raise, picture_not_before(p, at));
	while (picture_tries_again(&p->settings, r));
	limits_look(p, NULL, picture_not_before(p, at));
	return r;
}

int picture_raise_capacity(struct picture *p, const char *limit, uint32_t priority,
			   const char *text, struct moment at)
{
	return capacity_raise(p, limit, priority, text, picture_not_before(p, at));
}

int picture_clear(struct picture *p, tocsin_str code, tocsin_str instance, struct moment at)
{
	static const tocsin_str none;

	return alerts_clear(p->alerts, true, code, none, none, instance, picture_not_before(p, at));
}

void picture_tell_summary(struct picture *p, struct moment at)
{
	at = picture_not_before(p, at);
	if (rate_limit_waits(&p->rate_limit))
		tell_summary(p, at);
	limits_look(p, NULL, at);
}

void picture_page_waiting(struct picture *p, struct moment at)
{
	at = picture_not_before(p, at);
	p->page_due = true;
	while (alerts_page_waiting(p->alerts, at))
		;
	p->page_due = false;
	picture_tell_summary(p, at);
}

const struct sessions *picture_sessions(const struct picture *p)
{
	return p->sessions;
}

const struct status *picture_status(const struct picture *p)
{
	return &p->status;
}

struct alerts *picture_alerts(struct picture *p)
{
	return p->alerts;
}

struct moment picture_now(const struct picture *p)
{
	return p->now;
}

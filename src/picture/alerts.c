/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/alerts.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "picture/alerts_state.h"
#include "picture/rate_limit.h"

DEFINE_CLEANUP(struct incident_node *, incident_free, cleanup_incident)

void alerts_set_epoch(struct alerts *a, const uint8_t epoch[static RECORDER_EPOCH_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < RECORDER_EPOCH_SIZE; i++) {
		a->epoch[2 * i] = digits[epoch[i] >> 4];
		a->epoch[2 * i + 1] = digits[epoch[i] & 15];
	}
}

struct alerts *alerts_new(const struct alerts_settings *settings, alerts_tell *tell, void *userdata)
{
	struct alerts *a = calloc(1, sizeof *a);

	assert(settings->lookup);
	if (!a)
		return NULL;
	a->settings = *settings;
	a->tell = tell;
	a->userdata = userdata;
	alerts_set_epoch(a, settings->epoch);
	return a;
}

void alerts_free(struct alerts *a)
{
	if (!a)
		return;
	incidents_done(&a->incidents);
	free(a);
}

static struct incident_identity identity_of(tocsin_str code, tocsin_str session_id,
					    tocsin_str source, tocsin_str instance)
{
	return (struct incident_identity){ code, session_id, source, instance };
}

/* Makes room for one more open incident of that priority; false when all there are matter more. */
static bool make_room(struct alerts *a, const struct incident *i)
{
	uint32_t priority = i->priority;
	struct incident_node *least;

	if (a->incidents.n_open - a->incidents.n_reserved < ALERTS_OPEN_MAX ||
	    incident_is_reserved(i))
		return true;
	a->forgotten++;
	least = incidents_least_open(&a->incidents);
	if (!least || least->incident.worst == 1 || least->incident.worst < priority)
		return false;
	incidents_forget_open(&a->incidents, least);
	return true;
}

/* What a raise comes to once its code is looked up. */
struct judged {
	struct incident_identity identity;
	tocsin_str raw_code;
	uint32_t priority;
	uint64_t page_after_ns;
};

static uint32_t priority_within(uint32_t priority)
{
	return priority < 1 || priority > 3 ? 3 : priority;
}

static struct judged judge(const struct alerts *a, const struct raise *raise)
{
	struct judged j = {
		.identity =
			identity_of(raise->code, raise->session_id, raise->source, raise->instance),
	};
	struct code_facts facts = { .priority = 3 };
	tocsin_str code = incident_code(raise->code);

	if (!code_is_usable(raise->code))
		j.raw_code = raise->code;
	a->settings.lookup(a->settings.lookup_userdata, code, &facts);
	j.priority = priority_within(raise->priority > 0 ? raise->priority : facts.priority);
	if (raise->by_rule && !raise->at_once)
		j.page_after_ns = a->settings.has_page_after ? a->settings.page_after_ns
							     : facts.page_after_ns;
	return j;
}

static void page_now(struct incident *i, struct moment at)
{
	i->page_at_ns = 0;
	i->paged_priority = i->priority;
	i->paged_at_ns = at.clock_ns;
}

/* Sets what the first page waits for, or that it goes now. */
static enum page_kind page_first(struct incident *i, uint64_t after_ns, struct moment at)
{
	if (i->unpaged)
		return PAGE_NONE;
	if (after_ns == 0) {
		page_now(i, at);
		return PAGE_RAISED;
	}
	if (__builtin_add_overflow(at.clock_ns, after_ns, &i->page_at_ns))
		i->page_at_ns = UINT64_MAX;
	return PAGE_NONE;
}

/* Takes the priority of a raise. Is it a rise that people must learn of at once? */
static bool priority_set(const struct alerts *a, struct incident *i, uint32_t priority,
			 struct moment at)
{
	uint64_t lower_since_ns = priority < 3 ? i->lower_since_ns[priority - 1] : 0;
	bool rose = priority < i->paged_priority;

	if (priority < i->priority && lower_since_ns > 0 && at.clock_ns >= lower_since_ns)
		rose |= at.clock_ns - lower_since_ns >= a->settings.rise_again_after_ns;
	for (uint32_t p = 1; p <= 2; p++) {
		if (priority <= p)
			i->lower_since_ns[p - 1] = 0;
		else if (i->priority <= p)
			i->lower_since_ns[p - 1] = at.clock_ns > 0 ? at.clock_ns : 1;
	}
	i->priority = priority;
	if (priority < i->worst)
		i->worst = priority;
	return rose;
}

static uint64_t expiry_of(const struct alerts *a, bool expires, struct moment at)
{
	uint64_t end_ns;

	if (!expires || a->settings.event_expires_ns == 0)
		return 0;
	if (__builtin_add_overflow(at.clock_ns, a->settings.event_expires_ns, &end_ns))
		return UINT64_MAX;
	return end_ns;
}

static enum page_kind page_again(const struct alerts *a, struct incident *i, bool rose,
				 struct moment at)
{
	uint64_t interval = a->settings.repeat_interval_ns;
	bool long_ago = interval > 0 && at.clock_ns > i->paged_at_ns &&
			at.clock_ns - i->paged_at_ns >= interval;

	/* While the first page waits, nothing was paged that this could repeat. */
	if (i->paged_priority == 0 || (!rose && !long_ago))
		return PAGE_NONE;
	page_now(i, at);
	i->repeats++;
	return PAGE_REPEAT;
}

static int raise_again(struct alerts *a, struct incident_node *n, const struct raise *raise,
		       const struct judged *j, struct moment at)
{
	struct incident *i = &n->incident;
	int r = incident_set(i, raise, j->raw_code);
	bool rose;

	if (r < 0)
		return r;
	rose = priority_set(a, i, j->priority, at);
	i->expires_at_ns = expiry_of(a, raise->expires, at);
	i->number = raise->cause;
	i->count++;
	i->raised = at;
	a->raised[j->priority]++;
	incidents_move_newest(&a->incidents, n);
	incidents_note_due(&a->incidents, n);
	a->tell(a->userdata, i, page_again(a, i, rose || raise->page_again, at), at);
	return 0;
}

static int raise_first(struct alerts *a, const struct raise *raise, const struct judged *j,
		       struct moment at)
{
	_cleanup_(cleanup_incident) struct incident_node *n = NULL;
	enum page_kind page;
	struct incident *i;
	int r = incident_new(raise->by_rule, &j->identity, &n);

	if (r < 0)
		return r;
	i = &n->incident;
	r = incident_set(i, raise, j->raw_code);
	if (r < 0)
		return r;
	snprintf(i->id, sizeof i->id, "%s-%" PRIu64 "-%s", a->epoch, raise->cause, raise->rule);
	i->priority = i->worst = j->priority;
	i->unpaged = raise->unpaged;
	i->expires_at_ns = expiry_of(a, raise->expires, at);
	i->number = raise->cause;
	i->count = 1;
	i->opened = i->raised = at;
	a->raised[j->priority]++;

	if (!make_room(a, i)) {
		/* Not remembered, so it cannot wait either: told and paged now. */
		i->open = true;
		a->tell(a->userdata, i, page_first(i, 0, at), at);
		return 0;
	}
	page = page_first(i, j->page_after_ns, at);
	incidents_open_newest(&a->incidents, TAKE(n));
	a->tell(a->userdata, i, page, at);
	return 0;
}

int alerts_raise(struct alerts *a, const struct raise *raise, struct moment at)
{
	struct judged j = judge(a, raise);
	struct incident_node *n = incidents_find(&a->incidents, raise->by_rule, &j.identity);

	return n ? raise_again(a, n, raise, &j, at) : raise_first(a, raise, &j, at);
}

/* `said` may be NULL. */
static void resolve(struct alerts *a, struct incident_node *n, const struct raise *said,
		    struct moment at)
{
	if (said)
		incident_set_resolution(&n->incident, said);
	n->incident.resolved = at;
	incidents_resolve(&a->incidents, n);
	a->tell(a->userdata, &n->incident,
		n->incident.paged_priority > 0 ? PAGE_RESOLVED : PAGE_NONE, at);
	if (a->incidents.n_resolved > ALERTS_RECENT_MAX)
		incidents_forget_resolved(&a->incidents);
}

int alerts_clear_saying(struct alerts *a, const struct raise *clear, struct moment at)
{
	struct incident_identity identity =
		identity_of(clear->code, clear->session_id, clear->source, clear->instance);
	struct incident_node *n = incidents_find(&a->incidents, clear->by_rule, &identity);

	if (!n)
		return -ENOENT;
	int r = incident_set_resolution(&n->incident, clear);
	if (r < 0 && !clear->by_rule)
		return r;
	resolve(a, n, NULL, at);
	return 0;
}

int alerts_clear(struct alerts *a, bool by_rule, tocsin_str code, tocsin_str session_id,
		 tocsin_str source, tocsin_str instance, struct moment at)
{
	return alerts_clear_saying(a,
				   &(struct raise){
					   .by_rule = by_rule,
					   .code = code,
					   .session_id = session_id,
					   .source = source,
					   .instance = instance,
				   },
				   at);
}

/* Of any session when session_id is NULL. */
static struct incident_node *oldest_open_of(struct alerts *a, tocsin_str code,
					    const tocsin_str *session_id)
{
	struct incident_node *n = a->incidents.oldest;

	for (; n; n = n->prev) {
		const struct incident *i = &n->incident;

		if (i->open && i->by_rule && str_is(code, i->code) &&
		    (!session_id || str_equal(incident_session(n), *session_id)))
			return n;
	}
	return NULL;
}

static size_t clear_each(struct alerts *a, tocsin_str code, const tocsin_str *session_id,
			 tocsin_str why, struct moment at)
{
	const struct raise said = { .message = why };
	struct incident_node *n;
	size_t cleared = 0;

	/* From the start each time: what is resolved may push another out. */
	for (; (n = oldest_open_of(a, code, session_id)); cleared++)
		resolve(a, n, &said, at);
	return cleared;
}

size_t alerts_clear_all(struct alerts *a, tocsin_str code, tocsin_str why, struct moment at)
{
	return clear_each(a, code, NULL, why, at);
}

size_t alerts_clear_session(struct alerts *a, tocsin_str code, tocsin_str session_id,
			    tocsin_str why, struct moment at)
{
	char fit[INCIDENT_ID_SIZE];

	session_id = incident_id(session_id, fit);
	return clear_each(a, code, &session_id, why, at);
}

static struct incident *newest_of(struct alerts *a)
{
	return a->incidents.newest ? &a->incidents.newest->incident : NULL;
}

void alerts_note_summary(struct alerts *a, uint64_t number, uint32_t endpoints)
{
	for (struct incident *i = newest_of(a); i; i = i->next) {
		if (!i->held)
			continue;
		i->held = false;
		i->summary = number;
		i->endpoints |= endpoints;
	}
}

void alerts_note_endpoints(struct alerts *a, const char *alert_id, uint32_t endpoints)
{
	/* Numbers stand for one summary each, whichever run has told it. */
	uint64_t summary = rate_limit_number(alert_id);

	for (struct incident *i = newest_of(a); i; i = i->next)
		if (strcmp(i->id, alert_id) == 0 || (summary > 0 && i->summary == summary))
			i->endpoints |= endpoints;
}

const char *alerts_epoch(const struct alerts *a)
{
	return a->epoch;
}

struct incident *alerts_find_id(struct alerts *a, const char *id)
{
	struct incident *i = newest_of(a);

	while (i && strcmp(i->id, id) != 0)
		i = i->next;
	return i;
}

const struct incident *alerts_find(const struct alerts *a, bool by_rule, tocsin_str code,
				   tocsin_str session_id, tocsin_str source, tocsin_str instance)
{
	struct incident_identity identity = identity_of(code, session_id, source, instance);
	const struct incident_node *n = incidents_find(&a->incidents, by_rule, &identity);

	return n ? &n->incident : NULL;
}

uint64_t alerts_next_deadline(const struct alerts *a, const char **ret_key)
{
	*ret_key = a->incidents.due ? a->incidents.due->incident.key : NULL;
	return a->incidents.due ? incident_due_ns(&a->incidents.due->incident) : UINT64_MAX;
}

bool alerts_next_is_page(const struct alerts *a)
{
	const struct incident_node *n = a->incidents.due;

	return n && n->incident.page_at_ns == incident_due_ns(&n->incident);
}

static void fire_page(struct alerts *a, struct incident_node *n, struct moment at)
{
	page_now(&n->incident, at);
	incidents_note_due(&a->incidents, n);
	a->tell(a->userdata, &n->incident, PAGE_RAISED, at);
}

static void expire(struct alerts *a, struct incident_node *n, struct moment at)
{
	char lasted[TIME_TEXT_SIZE], why[TIME_TEXT_SIZE + 64];

	snprintf(why, sizeof why, "expired: not raised again for %s",
		 duration_to_text(a->settings.event_expires_ns, lasted));
	resolve(a, n, &(struct raise){ .message = str(why) }, at);
}

void alerts_fire(struct alerts *a, struct moment at)
{
	struct incident_node *n = a->incidents.due;

	if (!n)
		return;
	if (alerts_next_is_page(a))
		fire_page(a, n, at);
	else
		expire(a, n, at);
}

static bool page_before(const struct incident *a, const struct incident *b)
{
	if (a->page_at_ns != b->page_at_ns)
		return a->page_at_ns < b->page_at_ns;
	return strcmp(a->key, b->key) < 0;
}

bool alerts_page_waiting(struct alerts *a, struct moment at)
{
	struct incident_node *first = NULL;

	for (struct incident_node *n = a->incidents.oldest; n; n = n->prev)
		if (n->incident.open && n->incident.page_at_ns > 0 &&
		    (!first || page_before(&n->incident, &first->incident)))
			first = n;
	if (first)
		fire_page(a, first, at);
	return first != NULL;
}

void alerts_expire_session(struct alerts *a, tocsin_str code, tocsin_str session_id,
			   struct moment at)
{
	session_id = text_cut(session_id, TOCSIN_ID_MAX);
	for (struct incident_node *n = a->incidents.oldest; n; n = n->prev) {
		struct incident *i = &n->incident;

		if (!i->open || !i->by_rule || !str_is(code, i->code) || i->expires_at_ns > 0 ||
		    !str_equal(incident_session(n), session_id))
			continue;
		i->expires_at_ns = expiry_of(a, true, at);
		incidents_note_due(&a->incidents, n);
	}
}

static bool ends_otherwise(const struct incident *i)
{
	return i->by_rule &&
	       (strcmp(i->code, "ENGINE_DOWN") == 0 || strcmp(i->code, "PAGER_DEGRADED") == 0);
}

void alerts_expire_left(struct alerts *a, struct moment at)
{
	for (struct incident_node *n = a->incidents.oldest; n; n = n->prev) {
		struct incident *i = &n->incident;

		if (!i->open || i->expires_at_ns > 0 || ends_otherwise(i))
			continue;
		i->expires_at_ns = expiry_of(a, true, at);
		incidents_note_due(&a->incidents, n);
	}
}

const struct incident *alerts_recent(struct alerts *a, struct moment now)
{
	const struct incidents *all = &a->incidents;

	while (all->first_resolved && now.clock_ns > ALERTS_RECENT_NS &&
	       all->first_resolved->incident.resolved.clock_ns < now.clock_ns - ALERTS_RECENT_NS)
		incidents_forget_resolved(&a->incidents);
	return alerts_newest(a);
}

uint64_t alerts_raised(const struct alerts *a, uint32_t priority)
{
	return priority >= 1 && priority <= 3 ? a->raised[priority] : 0;
}

size_t alerts_open(const struct alerts *a)
{
	return a->incidents.n_open;
}

uint64_t alerts_forgotten(const struct alerts *a)
{
	return a->forgotten;
}

const struct incident *alerts_newest(const struct alerts *a)
{
	return a->incidents.newest ? &a->incidents.newest->incident : NULL;
}

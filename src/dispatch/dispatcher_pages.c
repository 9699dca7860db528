/* SPDX-License-Identifier: MIT */
/* The dispatcher's pages: which endpoints get one, and what becomes of endpoints that take none. */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "post/attempt_entry.h"

#define DEGRADED "PAGER_DEGRADED"
#define FAILOVER_LOOK_NS (50 * NS_PER_MS)

static bool takes_priority(const struct dispatcher *d, unsigned endpoint, uint32_t priority)
{
	return d->settings->endpoints[endpoint].priorities & (1u << (priority - 1));
}

/* That one endpoint takes no pages is told to all the others, whatever else they are for. */
static uint32_t all_but(const struct dispatcher *d, const char *name)
{
	uint32_t wanted = 0;

	for (unsigned i = 0; i < d->settings->n_endpoints; i++)
		if (strcmp(d->endpoint_names[i], name) != 0)
			wanted |= 1u << i;
	return wanted;
}

static uint32_t endpoints_for(const struct dispatcher *d, uint32_t priority, bool backups)
{
	uint32_t wanted = 0;

	for (unsigned i = 0; i < d->settings->n_endpoints; i++)
		if (takes_priority(d, i, priority) && d->settings->endpoints[i].backup == backups)
			wanted |= 1u << i;
	return wanted;
}

/* Which endpoints this page goes to, a bit each. */
static uint32_t page_endpoints(const struct dispatcher *d, const struct change *change)
{
	const struct incident *incident = change->incident;

	/* A resolution goes where the raising went, whatever the priority is by now. */
	if (change->page == PAGE_RESOLVED)
		return incident->endpoints;
	if (incident->by_rule && incident->instance && strcmp(incident->code, DEGRADED) == 0)
		return all_but(d, incident->instance);
	return endpoints_for(d, incident->priority, false);
}

static void page_keep(struct dispatcher *d, struct delivery *p,
		      int (*keep)(struct disk_thread *k, struct delivery *p))
{
	if (keep(d->disk_thread, p) < 0)
		dispatcher_kept(d, p, -ENOBUFS);
}

/*
 * Hands the page to one endpoint: to the pager first, which waits for no disk; in a recovery only
 * at its end. One that is drawn again after a crash and waits already, or was taken, is left alone.
 */
static void page_post(struct dispatcher *d, struct page *page, unsigned endpoint)
{
	if (d->recovery.active && delivery_index_find(&d->delivery_index, page, endpoint))
		return;
	if (dispatcher_was_taken(d, page, endpoint))
		return;
	struct delivery *p;

	do
		p = delivery_index_add(&d->delivery_index, page, endpoint);
	while (!p && dispatcher_memory_wait(d));
	if (!p)
		return;
	/* With the recorder lost this page is all there is of its alert. */
	bool urgent = d->lost && page->priority == 1 && page->type == PAGE_TYPE_RAISED;
	if (urgent)
		page_keep(d, p, disk_thread_keep_first);
	if (!d->recovery.active)
		dispatcher_submit(d, p);
	if (!urgent)
		page_keep(d, p, disk_thread_keep);
}

static void page_post_to(struct dispatcher *d, struct page *page, uint32_t endpoints)
{
	for (unsigned i = 0; i < d->settings->n_endpoints; i++)
		if (endpoints & (1u << i))
			page_post(d, page, i);
}

/* A recording's pages fall due as they are played; the event's own time is only their label. */
static void due_set(struct dispatcher *d, struct moment at)
{
	uint64_t real_ns = clock_realtime_ns(), now_ns = clock_monotonic_ns();
	uint64_t ago_ns = 0;

	if (d->settings->clock_source == CLOCK_SOURCE_SYSTEM && at.clock_ns < now_ns)
		ago_ns = now_ns - at.clock_ns;
	d->page_context.due_wall_ns = real_ns - ago_ns;
	d->page_context.due_mono_ns = now_ns - ago_ns;
}

void dispatcher_page(struct dispatcher *d, const struct change *change)
{
	uint32_t endpoints = page_endpoints(d, change);
	struct page *page = NULL;

	if (endpoints == 0)
		return;
	due_set(d, change->at);
	while (page_new(&d->page_context, change->incident, change->page, change->at, &page) < 0)
		if (!dispatcher_memory_wait(d))
			return;
	page_post_to(d, page, endpoints);
	change->incident->endpoints |= endpoints;
	page_unref(page);
}

void dispatcher_page_summary(struct dispatcher *d, const struct change *change)
{
	struct rate_limit_summary *s = change->summary;
	struct page *page = NULL;

	for (uint32_t priority = 1; priority <= 3; priority++)
		if (s->by_priority[priority - 1] > 0)
			s->endpoints |= endpoints_for(d, priority, false);
	if (s->endpoints == 0)
		return;
	/* As late as the first page that it tells of. */
	due_set(d, s->since);
	while (page_new_summary(&d->page_context, s, change->at, &page) < 0)
		if (!dispatcher_memory_wait(d))
			return;
	page_post_to(d, page, s->endpoints);
	page_unref(page);
}

/* --- Endpoints that take none --- */

/* Where the raising of that page's incident went, as far as it is remembered. */
static uint32_t endpoints_known(const struct dispatcher *d, const struct page *page)
{
	const struct incident *i =
		d->picture ? alerts_find_id(picture_alerts(d->picture), page->alert_id) : NULL;

	return i ? i->endpoints : 0;
}

/*
 * A resolution goes to those backups that were given the raising; to others it would say nothing.
 * As a rule it went there when it fell due: this is for one that was made before, because a crash
 * had come between the raising's failing over and the next checkpoint.
 */
static void fail_over(struct dispatcher *d, struct page *page)
{
	uint32_t backups = endpoints_for(d, page->priority, true);

	if (page->type == PAGE_TYPE_RESOLVED)
		backups &= endpoints_known(d, page);
	if (backups == 0)
		return;
	page->failed_over = true;
	for (unsigned i = 0; i < d->settings->n_endpoints; i++)
		if ((backups & (1u << i)) && !delivery_index_find(&d->delivery_index, page, i))
			page_post(d, page, i);
	if (d->picture)
		alerts_note_endpoints(picture_alerts(d->picture), page->alert_id, backups);
	d->changes++;
}

static void failover_look(struct dispatcher *d, uint64_t now_ns)
{
	size_t n = d->delivery_index.n;

	if (now_ns - d->failover_looked_ns < FAILOVER_LOOK_NS || endpoints_for(d, 1, true) == 0)
		return;
	d->failover_looked_ns = now_ns;
	/* What is posted to the backups is added behind. */
	for (size_t i = 0; i < n; i++) {
		struct delivery *p = d->delivery_index.deliveries[i];
		struct page *page = p->page;

		if (page->failed_over || now_ns < p->since_ns ||
		    now_ns - p->since_ns < d->settings->failover_after_ns ||
		    atomic_load_explicit(&page->taken, memory_order_relaxed))
			continue;
		fail_over(d, page);
	}
}

/* failing_ns: for how long it has taken nothing. */
static void degraded_raise(struct dispatcher *d, unsigned endpoint, const struct endpoint_health *h,
			   uint64_t failing_ns)
{
	char text[sizeof h->error + 512];
	char rule[32], lasted[TIME_TEXT_SIZE];

	snprintf(text, sizeof text, "endpoint %.256s takes no pages: %s%s%s%s",
		 d->endpoint_names[endpoint], h->error[0] ? h->error : "it has not answered yet",
		 h->broken ? "" : " (for ", h->broken ? "" : duration_to_text(failing_ns, lasted),
		 h->broken ? "" : ")");
	snprintf(rule, sizeof rule, "pager%u-%" PRIu32, endpoint, ++d->degradations);
	struct raise raise = {
		.rule = rule,
		.by_rule = true,
		.at_once = true,
		.code = STR(DEGRADED),
		.message = str(text),
		.instance = str(d->endpoint_names[endpoint]),
		.cause = d->next,
	};
	picture_raise(d->picture, &raise, dispatcher_now(d));
}

/* What the pager has learnt since the last look, into the thread's own copy. */
static void health_take(struct dispatcher *d)
{
	unsigned changes = atomic_load(&d->health_changes);

	if (changes == d->health_seen)
		return;
	d->health_seen = changes;
	pthread_mutex_lock(&d->lock);
	for (unsigned i = 0; i < d->settings->n_endpoints; i++) {
		bool unseen = d->watched[i].unseen;

		d->watched[i] = d->health[i];
		d->watched[i].unseen |= unseen;
		d->health[i].unseen = false;
	}
	pthread_mutex_unlock(&d->lock);
}

/*
 * An endpoint that only a person can mend is told of at once. Of another the clock decides, not the
 * end of an attempt: the next one may be an hour off, or the one under way hang.
 */
static void health_look(struct dispatcher *d, uint64_t now_ns)
{
	if (!d->picture)
		return;
	health_take(d);
	for (unsigned i = 0; i < d->settings->n_endpoints; i++) {
		struct endpoint_health *h = &d->watched[i];
		uint64_t since_ns = pager_failing_since(d->pager, i);
		uint64_t failing_ns = since_ns > 0 && now_ns > since_ns ? now_ns - since_ns : 0;
		bool bad = h->broken || failing_ns >= d->settings->park_retry_ns;

		/* One that has come back meanwhile is told too, and then that it has. */
		if ((bad || h->unseen) && !d->degraded[i]) {
			degraded_raise(d, i, h, failing_ns);
			d->degraded[i] = true;
		}
		h->unseen = false;
		if (d->degraded[i] && !bad && h->well) {
			picture_clear(d->picture, STR(DEGRADED), str(d->endpoint_names[i]),
				      dispatcher_now(d));
			d->degraded[i] = false;
		}
	}
}

/* Pages that an endpoint has refused for good go to the backups at once, unless another has them.
 */
static void buried_take(struct dispatcher *d)
{
	struct handed_list list;
	struct page *page;
	char *endpoint;

	pthread_mutex_lock(&d->lock);
	list = d->buried;
	d->buried = (struct handed_list){ 0 };
	pthread_mutex_unlock(&d->lock);
	while ((page = dispatcher_handed(&list, &endpoint))) {
		if (!page->failed_over && !atomic_load(&page->taken))
			fail_over(d, page);
		page_unref(page);
		free(endpoint);
	}
}

void dispatcher_watch_endpoints(struct dispatcher *d, uint64_t now_ns)
{
	if (pager_dead(d->pager) > 0)
		buried_take(d);
	failover_look(d, now_ns);
	health_look(d, now_ns);
}

void dispatcher_learn_degraded(struct dispatcher *d)
{
	for (unsigned i = 0; i < d->settings->n_endpoints; i++)
		d->degraded[i] = alerts_find(picture_alerts(d->picture), true, STR(DEGRADED),
					     str(NULL), str(NULL), str(d->endpoint_names[i]));
}

static void health_learn(struct dispatcher *d, const struct attempt *a)
{
	struct endpoint_health h = {
		.well = a->result == ATTEMPT_DELIVERED,
		.broken = a->result == ATTEMPT_PARKED && !a->doubtful,
	};

	/* Refused for the page's own sake, as far as is known yet: that tells nothing of the
	 * endpoint. */
	if (!h.well && a->failing_ns == 0)
		return;
	struct endpoint_health *now = &d->health[a->delivery->endpoint];
	pthread_mutex_lock(&d->lock);
	h.unseen = now->unseen || h.broken;
	if (h.well)
		memcpy(h.error, now->error, sizeof h.error);
	else
		snprintf(h.error, sizeof h.error, "%s", a->error);
	*now = h;
	pthread_mutex_unlock(&d->lock);
	atomic_fetch_add(&d->health_changes, 1);
}

/* On the pager's thread. */
void dispatcher_attempted(void *userdata, const struct attempt *a)
{
	struct dispatcher *d = userdata;

	/* First of all: from here on a kill does not repeat it. */
	if (a->result == ATTEMPT_DELIVERED)
		dispatcher_note_taken(d, a->delivery);
	journal_submit(d->journal, entry_of_attempt(&d->entry_context, a, clock_realtime_ns()));
	if (a->result == ATTEMPT_DELIVERED) {
		atomic_store_explicit(&a->delivery->page->taken, true, memory_order_relaxed);
		disk_thread_drop(d->disk_thread, a->delivery);
	} else if (a->result == ATTEMPT_DEAD) {
		disk_thread_bury(d->disk_thread, a->delivery);
		pthread_mutex_lock(&d->lock);
		dispatcher_hand(d, &d->buried, a->delivery->page, a->endpoint);
		pthread_mutex_unlock(&d->lock);
		dispatcher_note_from_afar(
			d, LOG_CRIT,
			"endpoint %s refuses page %s and takes others (%s): nobody there has seen "
			"it; tell people by hand, or repair the receiver and send it again: tocsin "
			"pages resend %s",
			a->endpoint, a->delivery->page->id, a->error, a->delivery->page->id);
	}
	health_learn(d, a);
}

/* On the pager's thread. */
void dispatcher_discarded(void *userdata, struct delivery *p, const char *reason)
{
	struct dispatcher *d = userdata;

	journal_submit(d->journal,
		       entry_of_discard(&d->entry_context, p, d->endpoint_names[p->endpoint],
					reason, clock_realtime_ns()));
	disk_thread_drop(d->disk_thread, p);
}

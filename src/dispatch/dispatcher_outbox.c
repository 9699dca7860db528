/* SPDX-License-Identifier: MIT */
/*
 * The dispatcher's side of the outbox: whose it is, what former runs have left in it, and in what
 * order the pager gets its pages.
 *
 * What waits is read at the start. Where that is more than one scan takes, the disk thread reads on
 * as the pages are taken, so that memory holds a part of them only. Meanwhile a page that is not
 * the first of its incident is held back in the delivery index, since the one before it may be
 * still unread; likewise behind a page that found the pager full.
 */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/thread.h"

#define CLAIM_LOOK_NS (NS_PER_MS / 4) /* has the disk thread tried? */
/* When reading on has failed, it is tried again after: */
#define READ_AGAIN_NS (5 * NS_PER_S)

#define HAND_TRIES 1000 /* 1 ms apart */

#define NO_MEMORY "no memory for page %s that waits; it stays in the outbox"

/* --- Whose it is --- */

/* On the disk thread, which lives for as long as pages are posted. */
static void claim_try(void *userdata)
{
	struct dispatcher *d = userdata;

	atomic_store(&d->outbox_claim, outbox_claim(d->outbox));
}

static bool claim_take(struct dispatcher *d)
{
	uint64_t until_ns = clock_monotonic_ns() + ROOM_NS;

	for (;;) {
		int r = CLAIM_ASKED;

		atomic_store(&d->outbox_claim, CLAIM_ASKED);
		while ((r = disk_thread_run(d->disk_thread, claim_try, d)) == -ENOMEM)
			if (!dispatcher_memory_wait(d))
				break;
		if (r < 0)
			return false;
		while ((r = atomic_load(&d->outbox_claim)) == CLAIM_ASKED &&
		       !dispatcher_is_over(d) && clock_monotonic_ns() < until_ns)
			dispatcher_pause(d, CLAIM_LOOK_NS);
		if (r != -EBUSY && r != CLAIM_ASKED)
			return true; /* held; or there can be no lock, and so no other holder */
		if (dispatcher_is_over(d) || clock_monotonic_ns() >= until_ns)
			return false;
		dispatcher_pause(d, ROOM_LOOK_NS);
	}
}

/* An engine goes on after a while: then pages may be posted by both, but none before an earlier
 * one. */
bool dispatcher_outbox_claim(struct dispatcher *d)
{
	if (!d->outbox)
		return true;
	d->recovery.claimed = claim_take(d);
	if (!d->recovery.claimed) {
		if (d->rescue || dispatcher_is_over(d))
			return false;
		dispatcher_note(
			d, ENTRY_KIND_TROUBLE, LOG_WARNING,
			"another process has been posting from %s/outbox for too long: pages "
			"that wait there may be posted twice",
			d->folders.state_path);
	}
	return true;
}

/* --- In what order --- */

/* By which pages are handed over where they are several of one incident: the first ones first, then
 * repeats, then resolutions; none of any incident goes before an earlier one of it. */
enum rank { RANK_FIRST, RANK_REPEAT, RANK_RESOLUTION, RANKS };

static enum rank rank_of(const struct delivery *p)
{
	uint64_t step = page_step(p->page);

	return step == 0 ? RANK_FIRST : step == UINT64_MAX ? RANK_RESOLUTION : RANK_REPEAT;
}

/* One that was found was behind no page that is unread. */
static bool must_wait(const struct dispatcher *d, const struct delivery *p)
{
	return rank_of(p) != RANK_FIRST && (d->n_held > 0 || (d->unread > 0 && p->sequence > 0));
}

/* False: the pager is full, or there is no memory: it is given later. */
static bool give(struct dispatcher *d, struct delivery *p)
{
	int r = pager_submit(d->pager, p);

	bool later = r == -ENOBUFS || r == -ENOMEM;

	if (r < 0 && !later)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_CRIT,
				"page %s cannot be posted to endpoint %s: %s; tell people by hand",
				p->page->id, d->endpoint_names[p->endpoint], strerror(-r));
	return !later;
}

void dispatcher_submit(struct dispatcher *d, struct delivery *p)
{
	if (must_wait(d, p) || !give(d, p)) {
		p->held = true;
		d->n_held++;
	}
}

static void held_submit(struct dispatcher *d)
{
	for (enum rank rank = RANK_FIRST; rank < RANKS; rank++)
		for (size_t i = 0; i < d->delivery_index.n && d->n_held > 0; i++) {
			struct delivery *p = d->delivery_index.deliveries[i];

			if (!p->held || rank_of(p) != rank)
				continue;
			if (!give(d, p))
				return;
			p->held = false;
			d->n_held--;
		}
}

/* Some pages of an incident were found, others were drawn again. */
void dispatcher_submit_recovered(struct dispatcher *d)
{
	for (enum rank rank = RANK_FIRST; rank < RANKS; rank++)
		for (size_t i = 0; i < d->delivery_index.n; i++)
			if (rank_of(d->delivery_index.deliveries[i]) == rank)
				dispatcher_submit(d, d->delivery_index.deliveries[i]);
}

/* --- What waits in it --- */

static unsigned endpoint_find(const struct dispatcher *d, const char *name)
{
	unsigned i = 0;

	while (i < d->settings->n_endpoints && strcmp(d->endpoint_names[i], name) != 0)
		i++;
	return i;
}

bool dispatcher_has_endpoint(const struct dispatcher *d, const char *name)
{
	return endpoint_find(d, name) < d->settings->n_endpoints;
}

void dispatcher_found(struct dispatcher *d, struct page *page, const char *endpoint)
{
	unsigned i = endpoint_find(d, endpoint);

	if (i == d->settings->n_endpoints) {
		dispatcher_orphan_add(d, page, endpoint);
		return;
	}
	if (dispatcher_found_taken(d, page, i))
		return;
	struct delivery *p;
	int r;

	do
		p = delivery_new(page, i, 0);
	while (!p && dispatcher_memory_wait(d));
	if (p)
		atomic_fetch_or(&p->flags, DELIVERY_DURABLE);
	do
		r = p ? delivery_index_adopt(&d->delivery_index, p) : -ECANCELED;
	while (r == -ENOMEM && dispatcher_memory_wait(d));
	if (r < 0)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_CRIT, NO_MEMORY, page->id);
	else if (!d->recovery.active)
		dispatcher_submit(d, p);
	delivery_unref(p);
}

/* On either thread. */
static void found_bad(void *userdata, const char *name, int error)
{
	struct dispatcher *d = userdata;
	const char *why = strerror(-error), *advice = "it stays where it is: tell people by hand";

	if (error == -EPROTONOSUPPORT)
		why = "a later version has written it";
	if (error == -EBADMSG)
		advice = "it is kept as NAME.corrupt: look at it and tell people by hand";
	if (error == -ENOBUFS)
		dispatcher_note_from_afar(d, LOG_CRIT,
					  "%s/outbox: more waiting pages cannot be read: %s; look "
					  "at them and tell people by hand",
					  d->folders.state_path, name);
	else
		dispatcher_note_from_afar(d, LOG_CRIT,
					  "the waiting page %s/outbox/%s cannot be read: %s; %s",
					  d->folders.state_path, name, why, advice);
}

/* What another is just writing is not to be mended. */
static int scan(struct dispatcher *d,
		void (*found)(void *userdata, struct page *p, const char *endpoint))
{
	struct outbox_cursor *c = &d->reading.cursor;

	return d->recovery.claimed ? outbox_scan(d->outbox, c, found, found_bad, d)
				   : outbox_look(d->outbox, c, found, found_bad, d);
}

static void found_at_start(void *userdata, struct page *page, const char *endpoint)
{
	dispatcher_found(userdata, page, endpoint);
	page_unref(page);
}

void dispatcher_outbox_read(struct dispatcher *d)
{
	if (!d->outbox)
		return;
	int r;

	do
		r = scan(d, found_at_start);
	while (r == -ENOMEM && dispatcher_memory_wait(d));
	d->unread = d->reading.cursor.left;
	dispatcher_orphans_tell(d);
	if (r < 0)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_ERR, "%s/outbox cannot be read: %s",
				d->folders.state_path, strerror(-r));
	if (d->unread > 0)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
				"%" PRIu64 " pages wait in %s/outbox; %" PRIu64
				" of them are loaded when earlier ones are delivered",
				d->unread + (uint64_t)r, d->folders.state_path, d->unread);
}

/* --- Reading on --- */

void dispatcher_hand(struct dispatcher *d, struct handed_list *l, struct page *page,
		     const char *endpoint)
{
	struct handed *h = NULL;
	char *name = NULL;

	for (unsigned i = 0; i < HAND_TRIES && !name; i++) {
		if (i > 0)
			nanosleep(&(struct timespec){ .tv_nsec = (long)NS_PER_MS }, NULL);
		if (!h)
			h = calloc(1, sizeof *h);
		name = h ? strdup(endpoint) : NULL;
	}
	if (!name) {
		free(h);
		dispatcher_note_from_afar(d, LOG_CRIT, NO_MEMORY, page->id);
		return;
	}
	h->page = page_ref(page);
	h->endpoint = name;
	if (l->last)
		l->last->next = h;
	else
		l->first = h;
	l->last = h;
}

struct page *dispatcher_handed(struct handed_list *l, char **ret_endpoint)
{
	struct handed *h = l->first;

	if (!h)
		return NULL;
	struct page *page = h->page;

	*ret_endpoint = h->endpoint;
	l->first = h->next;
	if (!l->first)
		l->last = NULL;
	free(h);
	return page;
}

void handed_done(struct handed_list *l)
{
	struct page *page;
	char *endpoint;

	while ((page = dispatcher_handed(l, &endpoint))) {
		page_unref(page);
		free(endpoint);
	}
}

static void found_later(void *userdata, struct page *page, const char *endpoint)
{
	struct dispatcher *d = userdata;

	dispatcher_hand(d, &d->reading.found, page, endpoint);
	page_unref(page);
}

/* On the disk thread: until it says that it is done, what it reads is its own. */
static void read_on(void *userdata)
{
	struct dispatcher *d = userdata;

	d->reading.error = scan(d, found_later);
	atomic_store(&d->reading.done, true);
}

static void read_on_ask(struct dispatcher *d)
{
	atomic_store(&d->reading.done, false);
	d->reading.asked = disk_thread_run(d->disk_thread, read_on, d) == 0;
}

/* This run may have written some of them, and a recovery drawn some again. */
static void read_on_take(struct dispatcher *d)
{
	struct page *page;
	char *endpoint;

	d->reading.asked = false;
	while ((page = dispatcher_handed(&d->reading.found, &endpoint))) {
		unsigned i = endpoint_find(d, endpoint);

		if (!delivery_index_find(&d->delivery_index, page, i))
			dispatcher_found(d, page, endpoint);
		page_unref(page);
		free(endpoint);
	}
	dispatcher_orphans_tell(d);
}

static void read_on_failed(struct dispatcher *d, uint64_t now_ns)
{
	if (d->reading.again_ns == 0)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_ERR,
				"%s/outbox cannot be read on: %s; %" PRIu64
				" pages wait in it unread, and so do the resolutions of alerts "
				"raised before this start; tocsin tries again",
				d->folders.state_path, strerror(-d->reading.error), d->unread);
	d->reading.again_ns = now_ns + READ_AGAIN_NS;
}

static void read_on_look(struct dispatcher *d, uint64_t now_ns)
{
	unsigned batch = d->reading.cursor.max > 0 ? d->reading.cursor.max : OUTBOX_SCAN_MAX;

	if (d->reading.asked) {
		if (!atomic_load(&d->reading.done))
			return;
		read_on_take(d);
		if (d->reading.error < 0) {
			read_on_failed(d, now_ns);
		} else {
			d->unread = d->reading.cursor.left;
			d->reading.again_ns = 0;
		}
	}
	if (d->unread > 0 && now_ns >= d->reading.again_ns &&
	    d->delivery_index.n - d->n_held <= batch / 2)
		read_on_ask(d);
}

/*
 * The delivery index is not swept between asking the disk thread and taking what it has read: a
 * page that is taken meanwhile would seem new. Its file goes behind what the disk thread was asked.
 */
void dispatcher_look_at_outbox(struct dispatcher *d, uint64_t now_ns)
{
	if (d->unread > 0 || d->reading.asked)
		read_on_look(d, now_ns);
	if (d->n_held > 0 && d->unread == 0 && pager_pending(d->pager) < PAGER_PENDING_MAX / 4 * 3)
		held_submit(d);
	if (!d->reading.asked)
		delivery_index_sweep(&d->delivery_index);
	atomic_store_explicit(&d->behind, d->unread + d->n_held, memory_order_relaxed);
}

/* SPDX-License-Identifier: MIT */
/*
 * What operators see of pages and ask about them: STATE/pages.json and STATE/control. Once a
 * second, and on the disk thread, but for what concerns the delivery index.
 */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "engine/control.h"
#include "engine/pages_file.h"
#include "post/attempt_entry.h"

#define LOOK_EVERY_NS NS_PER_S

/* The deliveries that pages.json is to show. */
struct page_listing {
	size_t n;
	struct delivery *deliveries[];
};

/* --- Requests, on the disk thread --- */

static void revive(struct dispatcher *d, const char *page_id, unsigned endpoint)
{
	const char *name = d->endpoint_names[endpoint];
	struct page *page = NULL;

	if (outbox_revive(d->outbox, page_id, name, &page) < 0)
		return;
	pthread_mutex_lock(&d->lock);
	dispatcher_hand(d, &d->revived, page, name);
	pthread_mutex_unlock(&d->lock);
	page_unref(page);
}

struct revive_all {
	struct dispatcher *d;
	unsigned endpoint;
};

static void revive_found(void *userdata, struct page *page, const char *endpoint)
{
	const struct revive_all *all = userdata;

	if (strcmp(endpoint, all->d->endpoint_names[all->endpoint]) == 0)
		revive(all->d, page->id, all->endpoint);
	page_unref(page);
}

static void resend(struct dispatcher *d, const char *page_id, unsigned endpoint)
{
	struct revive_all all = { d, endpoint };
	struct outbox_cursor cursor = { 0 };

	if (page_id)
		revive(d, page_id, endpoint);
	else
		while (outbox_scan_dead(d->outbox, &cursor, revive_found, NULL, &all) >= 0 &&
		       cursor.left > 0)
			;
	pager_hurry(d->pager, endpoint);
}

/* One that is not dead waits at the pager, which tells when it has given it up. */
static void discard(struct dispatcher *d, const char *page_id, unsigned endpoint,
		    const char *reason)
{
	const char *name = d->endpoint_names[endpoint];
	struct page *page = NULL;

	if (pager_discard(d->pager, page_id, endpoint, reason) < 0 ||
	    outbox_find(d->outbox, page_id, name, &page) < 0)
		return;
	struct delivery *p = delivery_new(page, endpoint, 0);
	/* A waiting one's file goes with the pager's word: here only dead ones are meant. */
	if (p && outbox_is_dead(d->outbox, page_id, name) &&
	    outbox_discard(d->outbox, page_id, name) == 0) {
		atomic_fetch_add(&d->dead_discarded, 1);
		journal_submit(d->journal, entry_of_discard(&d->entry_context, p, name, reason,
							    clock_realtime_ns()));
	}
	delivery_unref(p);
	page_unref(page);
}

static void request_do(void *userdata, const struct control_request *r)
{
	struct dispatcher *d = userdata;
	char reason[CONTROL_REASON_MAX + 32];

	snprintf(reason, sizeof reason, "%s (user %u)", r->reason ? r->reason : "",
		 (unsigned)r->uid);
	if (r->verb == CONTROL_DISCARD && r->page_id)
		dispatcher_orphans_discard(d, r->page_id, r->endpoint, reason);
	else if (r->endpoint && !dispatcher_has_endpoint(d, r->endpoint))
		dispatcher_note_from_afar(d, LOG_ERR,
					  "nothing can be sent again to endpoint %s, which the "
					  "settings do not name",
					  r->endpoint);
	for (unsigned i = 0; i < d->settings->n_endpoints; i++) {
		if (r->endpoint && strcmp(r->endpoint, d->endpoint_names[i]) != 0)
			continue;
		if (r->verb == CONTROL_RESEND)
			resend(d, r->page_id, i);
		else if (r->page_id)
			discard(d, r->page_id, i, reason);
	}
}

static void request_bad(void *userdata, const char *name, int error)
{
	dispatcher_note_from_afar(userdata, LOG_WARNING,
				  "control/%s is no request and was removed: %s", name,
				  strerror(-error));
}

/* --- pages.json, on the disk thread --- */

struct rows {
	struct page_row row[PAGES_FILE_ROWS_MAX];
	struct page *dead[PAGES_FILE_ROWS_MAX]; /* owned */
	char *names[PAGES_FILE_ROWS_MAX];       /* of their endpoints; owned */
	size_t n, n_dead;
};

static void row_add(struct rows *rows, const struct page *page, const char *endpoint,
		    const char *state, uint32_t attempts, uint32_t http_status)
{
	if (rows->n == PAGES_FILE_ROWS_MAX)
		return;
	rows->row[rows->n++] = (struct page_row){
		.id = page->id,
		.endpoint = endpoint,
		.code = page->code,
		.priority = page->priority,
		.state = state,
		.attempts = attempts,
		.http_status = http_status,
		.due_wall_ns = page->due_wall_ns,
	};
}

static void dead_found(void *userdata, struct page *page, const char *endpoint)
{
	struct rows *rows = userdata;
	char *name = rows->n_dead < PAGES_FILE_ROWS_MAX ? strdup(endpoint) : NULL;

	if (!name) {
		page_unref(page);
		return;
	}
	rows->dead[rows->n_dead] = page;
	rows->names[rows->n_dead++] = name;
	row_add(rows, page, name, PAGE_STATE_DEAD, 0, 0);
}

static void listing_free(struct page_listing *l)
{
	for (size_t i = 0; l && i < l->n; i++)
		delivery_unref(l->deliveries[i]);
	free(l);
}

static void listing_write(struct dispatcher *d, const struct page_listing *l)
{
	struct rows *rows = calloc(1, sizeof *rows);
	struct outbox_cursor cursor = { .max = PAGES_FILE_ROWS_MAX };

	if (!rows)
		return;
	outbox_scan_dead(d->outbox, &cursor, dead_found, NULL, rows);
	for (size_t i = 0; i < l->n; i++) {
		struct delivery *p = l->deliveries[i];

		if (atomic_load_explicit(&p->flags, memory_order_acquire) & DELIVERY_ENDED)
			continue;
		row_add(rows, p->page, d->endpoint_names[p->endpoint],
			atomic_load(&p->parked) ? PAGE_STATE_PARKED : PAGE_STATE_WAITING,
			atomic_load(&p->attempts), atomic_load(&p->http_status));
	}
	rows->n += dispatcher_orphans_list(d, rows->row + rows->n, PAGES_FILE_ROWS_MAX - rows->n);
	pages_file_write(folders_state(&d->folders), d->folders.operators, rows->row, rows->n,
			 clock_realtime_ns());
	for (size_t i = 0; i < rows->n_dead; i++) {
		page_unref(rows->dead[i]);
		free(rows->names[i]);
	}
	free(rows);
}

static void look(void *userdata)
{
	struct dispatcher *d = userdata;
	struct page_listing *l = atomic_exchange(&d->to_list, NULL);

	int state = dispatcher_folders_look(d);
	if (!d->control && control_open(state, d->folders.operators, &d->control) < 0)
		d->control = NULL;
	if (d->control)
		control_moved(d->control, state);
	if (d->control)
		control_take(d->control, request_do, request_bad, d);
	if (l)
		listing_write(d, l);
	listing_free(l);
	atomic_store(&d->looking, false);
}

/* --- On the dispatcher's thread --- */

static void revived_take(struct dispatcher *d)
{
	struct handed_list list;
	struct page *page;
	char *endpoint;

	pthread_mutex_lock(&d->lock);
	list = d->revived;
	d->revived = (struct handed_list){ 0 };
	pthread_mutex_unlock(&d->lock);
	while ((page = dispatcher_handed(&list, &endpoint))) {
		dispatcher_found(d, page, endpoint);
		page_unref(page);
		free(endpoint);
	}
}

/* Anything that a reader of pages.json would see differently changes it. */
static uint64_t listing_sum(struct dispatcher *d)
{
	uint64_t sum = pager_dead(d->pager) * 3 + d->delivery_index.n +
		       dispatcher_orphans_sum(d) * 5 + atomic_load(&d->dead_discarded) * 7;

	for (size_t i = 0; i < d->delivery_index.n; i++) {
		const struct delivery *p = d->delivery_index.deliveries[i];

		sum = sum * 31 + p->id_hash + p->endpoint + atomic_load(&p->attempts) * 7 +
		      atomic_load(&p->parked) + atomic_load(&p->http_status);
	}
	return sum;
}

static struct page_listing *listing_new(const struct dispatcher *d)
{
	struct page_listing *l = malloc(sizeof *l + d->delivery_index.n * sizeof *l->deliveries);

	if (!l)
		return NULL;
	l->n = d->delivery_index.n;
	for (size_t i = 0; i < l->n; i++)
		l->deliveries[i] = delivery_ref(d->delivery_index.deliveries[i]);
	return l;
}

void dispatcher_look_at_control(struct dispatcher *d, uint64_t now_ns)
{
	if (d->rescue || !d->outbox || d->folders.state < 0 ||
	    now_ns - d->control_at_ns < LOOK_EVERY_NS || atomic_load(&d->looking))
		return;
	d->control_at_ns = now_ns;
	revived_take(d);
	uint64_t sum = listing_sum(d);
	if (sum != d->listed_sum || !d->listed) {
		struct page_listing *l = listing_new(d);

		d->listed = l;
		d->listed_sum = sum;
		listing_free(atomic_exchange(&d->to_list, l));
	}
	atomic_store(&d->looking, true);
	if (disk_thread_run(d->disk_thread, look, d) < 0) {
		d->listed = false;
		atomic_store(&d->looking, false);
	}
}

void dispatcher_control_done(struct dispatcher *d)
{
	control_free(d->control);
	listing_free(atomic_exchange(&d->to_list, NULL));
	handed_done(&d->revived); /* their files are back among those that wait */
}

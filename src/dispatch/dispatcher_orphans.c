/* SPDX-License-Identifier: MIT */
/*
 * Pages of the outbox for an endpoint that the settings do not name, or no longer. Nobody posts
 * them. They stay where they are, are reported, listed, and can be discarded.
 *
 * The dispatcher's thread adds to the list. Only the disk thread takes from it, so what it
 * has read there stays until it removes it itself.
 */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "engine/pages_file.h"
#include "post/attempt_entry.h"

DEFINE_CLEANUP(struct page *, page_unref, cleanup_page)
DEFINE_CLEANUP(struct delivery *, delivery_unref, cleanup_delivery)

struct orphan {
	struct orphan *next;
	bool told;
	struct page_row row; /* its texts lie behind it */
	char texts[];
};

static const char *text_put(char **at, const char *text)
{
	size_t size = strlen(text) + 1;
	const char *put = memcpy(*at, text, size);

	*at += size;
	return put;
}

static struct orphan *orphan_new(const struct page *page, const char *endpoint)
{
	size_t size = strlen(page->id) + strlen(endpoint) + strlen(page->code) + 3;
	struct orphan *o = calloc(1, sizeof *o + size);
	char *at;

	if (!o)
		return NULL;
	at = o->texts;
	o->row = (struct page_row){
		.id = text_put(&at, page->id),
		.endpoint = text_put(&at, endpoint),
		.code = text_put(&at, page->code),
		.priority = page->priority,
		.state = PAGE_STATE_ORPHANED,
		.due_wall_ns = page->due_wall_ns,
	};
	return o;
}

static bool orphan_is(const struct orphan *o, const char *page_id, const char *endpoint)
{
	return strcmp(o->row.id, page_id) == 0 &&
	       (!endpoint || strcmp(o->row.endpoint, endpoint) == 0);
}

void dispatcher_orphan_add(struct dispatcher *d, const struct page *page, const char *endpoint)
{
	struct orphan *o;

	do
		o = orphan_new(page, endpoint);
	while (!o && dispatcher_memory_wait(d));
	if (!o) {
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_CRIT,
				"no memory for page %s, which waits for endpoint %s; it stays in "
				"the outbox",
				page->id, endpoint);
		return;
	}
	pthread_mutex_lock(&d->lock);
	o->next = d->orphans;
	d->orphans = o;
	d->orphan_changes++;
	pthread_mutex_unlock(&d->lock);
}

/* Marks those of the first endpoint that was not told of; how many they are. */
static size_t tell_next(struct dispatcher *d, char name[static NAME_MAX + 1])
{
	size_t n = 0;

	pthread_mutex_lock(&d->lock);
	for (struct orphan *o = d->orphans; o; o = o->next) {
		if (o->told || (n > 0 && strcmp(o->row.endpoint, name) != 0))
			continue;
		if (n++ == 0)
			snprintf(name, NAME_MAX + 1, "%s", o->row.endpoint);
		o->told = true;
	}
	pthread_mutex_unlock(&d->lock);
	return n;
}

void dispatcher_orphans_tell(struct dispatcher *d)
{
	char name[NAME_MAX + 1];
	size_t n;

	while ((n = tell_next(d, name)) > 0)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_ERR,
				"%zu %s in %s/outbox for endpoint %s, which the settings do not "
				"name: nobody is paged by %s. Add the endpoint again and restart "
				"the engine, or give them up with tocsin pages discard",
				n, n == 1 ? "page waits" : "pages wait", d->folders.state_path,
				name, n == 1 ? "it" : "them");
}

uint64_t dispatcher_orphans_sum(struct dispatcher *d)
{
	pthread_mutex_lock(&d->lock);
	uint64_t sum = d->orphan_changes;
	pthread_mutex_unlock(&d->lock);
	return sum;
}

size_t dispatcher_orphans_list(struct dispatcher *d, struct page_row *rows, size_t max)
{
	size_t n = 0;

	pthread_mutex_lock(&d->lock);
	for (const struct orphan *o = d->orphans; o && n < max; o = o->next)
		rows[n++] = o->row;
	pthread_mutex_unlock(&d->lock);
	return n;
}

/* Takes one of them out of the list; NULL: there is none. */
static struct orphan *take(struct dispatcher *d, const char *page_id, const char *endpoint)
{
	struct orphan **at = &d->orphans, *o;

	pthread_mutex_lock(&d->lock);
	while (*at && !orphan_is(*at, page_id, endpoint))
		at = &(*at)->next;
	o = *at;
	if (o) {
		*at = o->next;
		d->orphan_changes++;
	}
	pthread_mutex_unlock(&d->lock);
	return o;
}

/* 0 also when it is not there any more. */
static int discard_file(struct dispatcher *d, const char *page_id, const char *endpoint,
			const char *reason)
{
	_cleanup_(cleanup_page) struct page *page = NULL;
	int r = outbox_find(d->outbox, page_id, endpoint, &page);

	if (r == -ENOENT)
		return 0;
	_cleanup_(cleanup_delivery) struct delivery *p = r == 0 ? delivery_new(page, 0, 0) : NULL;
	if (r == 0 && !p)
		r = -ENOMEM;
	if (r == 0)
		r = outbox_discard(d->outbox, page_id, endpoint);
	if (r == 0)
		journal_submit(d->journal, entry_of_discard(&d->entry_context, p, endpoint, reason,
							    clock_realtime_ns()));
	else
		dispatcher_note_from_afar(d, LOG_ERR,
					  "page %s for endpoint %s cannot be discarded: %s",
					  page_id, endpoint, strerror(-r));
	return r;
}

struct dead_discard {
	struct dispatcher *d;
	const char *page_id, *reason;
};

static void dead_found(void *userdata, struct page *page, const char *endpoint)
{
	const struct dead_discard *w = userdata;

	if (strcmp(page->id, w->page_id) == 0 && !dispatcher_has_endpoint(w->d, endpoint))
		discard_file(w->d, page->id, endpoint, w->reason);
	page_unref(page);
}

void dispatcher_orphans_discard(struct dispatcher *d, const char *page_id, const char *endpoint,
				const char *reason)
{
	struct dead_discard dead = { d, page_id, reason };
	struct outbox_cursor cursor = { 0 };
	struct orphan *o, *kept = NULL;

	if (endpoint && dispatcher_has_endpoint(d, endpoint))
		return;
	while ((o = take(d, page_id, endpoint))) {
		if (discard_file(d, page_id, o->row.endpoint, reason) == 0) {
			free(o);
			continue;
		}
		o->next = kept;
		kept = o;
	}
	pthread_mutex_lock(&d->lock);
	while ((o = kept)) {
		kept = o->next;
		o->next = d->orphans;
		d->orphans = o;
	}
	pthread_mutex_unlock(&d->lock);
	if (endpoint) {
		discard_file(d, page_id, endpoint, reason);
		return;
	}
	while (outbox_scan_dead(d->outbox, &cursor, dead_found, NULL, &dead) >= 0 &&
	       cursor.left > 0)
		;
}

void dispatcher_orphans_done(struct dispatcher *d)
{
	struct orphan *o;

	while ((o = d->orphans)) {
		d->orphans = o->next;
		free(o);
	}
}

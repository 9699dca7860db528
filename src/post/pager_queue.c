/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "post/pager_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"

struct pager_item *pager_item_new(struct delivery *delivery)
{
	struct pager_item *item = calloc(1, sizeof *item);

	if (!item)
		return NULL;
	item->delivery = delivery_ref(delivery);
	item->alert_hash = hash_text(str(delivery->page->alert_id));
	item->step = page_step(delivery->page);
	return item;
}

void pager_item_free(struct pager_item *item)
{
	if (!item)
		return;
	delivery_unref(item->delivery);
	free(item->given_up);
	free(item);
}

static unsigned list_of(const struct pager_item *item)
{
	uint32_t priority = item->delivery->page->priority;
	unsigned rank =
		priority < PAGER_QUEUE_PRIORITIES ? priority - 1 : PAGER_QUEUE_PRIORITIES - 1;

	return 2 * rank + (item->delivery->sequence > 0);
}

/* Equals keep the order in which they were added, so what comes in order is put at the end. */
void pager_queue_add(struct pager_queue *q, struct pager_item *item)
{
	unsigned l = list_of(item);
	struct pager_item *before = q->list[l].newest;

	while (before && before->delivery->sequence > item->delivery->sequence)
		before = before->older;
	item->older = before;
	item->newer = before ? before->newer : q->list[l].oldest;
	if (item->newer)
		item->newer->older = item;
	else
		q->list[l].newest = item;
	if (before)
		before->newer = item;
	else
		q->list[l].oldest = item;
	item->chain = q->bucket[item->alert_hash % PAGER_QUEUE_BUCKETS];
	q->bucket[item->alert_hash % PAGER_QUEUE_BUCKETS] = item;
}

void pager_queue_remove(struct pager_queue *q, struct pager_item *item)
{
	struct pager_item **link = &q->bucket[item->alert_hash % PAGER_QUEUE_BUCKETS];
	unsigned l = list_of(item);

	while (*link != item)
		link = &(*link)->chain;
	*link = item->chain;
	item->chain = NULL;
	if (item->older)
		item->older->newer = item->newer;
	else
		q->list[l].oldest = item->newer;
	if (item->newer)
		item->newer->older = item->older;
	else
		q->list[l].newest = item->older;
	item->older = item->newer = NULL;
}

static bool is_of_incident(const struct pager_item *a, const struct pager_item *b)
{
	return a->alert_hash == b->alert_hash &&
	       strcmp(a->delivery->page->alert_id, b->delivery->page->alert_id) == 0;
}

/*
 * The first page of an item's incident. Its place among the incident's pages says which: one that
 * is drawn again after a crash comes late, and still belongs first.
 */
static struct pager_item *first_of(const struct pager_queue *q, struct pager_item *item)
{
	struct pager_item *first = item;

	for (struct pager_item *i = q->bucket[item->alert_hash % PAGER_QUEUE_BUCKETS]; i;
	     i = i->chain)
		if (i->step < first->step && is_of_incident(i, first))
			first = i;
	return first;
}

/*
 * An incident's priority may rise from page to page, so its first page can stand in a list of
 * lesser priority than its second: then the first goes in the second's place. Within a list age
 * decides.
 */
struct pager_item *pager_queue_next(const struct pager_queue *q)
{
	return pager_queue_other(q, NULL, false);
}

struct pager_item *pager_queue_other(const struct pager_queue *q, const struct pager_item *but,
				     bool round)
{
	struct pager_item *least = NULL;

	for (unsigned l = 0; l < PAGER_QUEUE_LISTS; l++)
		for (struct pager_item *i = q->list[l].oldest; i; i = i->newer) {
			if (but && is_of_incident(i, but))
				continue;
			struct pager_item *first = first_of(q, i);

			if (!least || first->attempts < least->attempts)
				least = first;
			if (!round || least->attempts == 0)
				return least;
		}
	return least;
}

struct pager_item *pager_queue_find(const struct pager_queue *q, const char *page_id)
{
	uint32_t hash = hash_text(str(page_id));

	for (unsigned l = 0; l < PAGER_QUEUE_LISTS; l++)
		for (struct pager_item *i = q->list[l].oldest; i; i = i->newer)
			if (i->delivery->id_hash == hash &&
			    strcmp(i->delivery->page->id, page_id) == 0)
				return i;
	return NULL;
}

bool pager_queue_is_empty(const struct pager_queue *q)
{
	for (unsigned l = 0; l < PAGER_QUEUE_LISTS; l++)
		if (q->list[l].oldest)
			return false;
	return true;
}

void pager_queue_done(struct pager_queue *q)
{
	for (unsigned l = 0; l < PAGER_QUEUE_LISTS; l++) {
		struct pager_item *next;

		for (struct pager_item *i = q->list[l].oldest; i; i = next) {
			next = i->newer;
			pager_item_free(i);
		}
	}
	*q = (struct pager_queue){ 0 };
}

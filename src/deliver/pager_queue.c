/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "deliver/pager_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"

struct pager_item *pager_item_new(struct posting *posting)
{
	struct pager_item *item = calloc(1, sizeof *item);

	if (!item)
		return NULL;
	item->posting = posting_ref(posting);
	item->alert_hash = hash_text(str(posting->page->alert_id));
	return item;
}

void pager_item_free(struct pager_item *item)
{
	if (!item)
		return;
	posting_unref(item->posting);
	free(item);
}

static unsigned list_of(const struct pager_item *item)
{
	uint32_t priority = item->posting->page->priority;

	return priority < PAGER_QUEUE_PRIORITIES ? priority - 1 : PAGER_QUEUE_PRIORITIES - 1;
}

/* Sequence 0 is older than all others; equals keep the order in which they were added. */
void pager_queue_add(struct pager_queue *q, struct pager_item *item)
{
	unsigned l = list_of(item);
	struct pager_item *before = q->list[l].newest;

	while (before && before->posting->sequence > item->posting->sequence)
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
}

void pager_queue_remove(struct pager_queue *q, struct pager_item *item)
{
	unsigned l = list_of(item);

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

/* Is `a` an earlier page of the incident that `b` is of? */
static bool goes_before(const struct pager_item *a, const struct pager_item *b)
{
	const struct posting *x = a->posting, *y = b->posting;

	if (a->alert_hash != b->alert_hash || strcmp(x->page->alert_id, y->page->alert_id) != 0)
		return false;
	if (x->sequence != y->sequence)
		return x->sequence < y->sequence;
	return page_step(x->page) < page_step(y->page);
}

/*
 * An incident's priority may rise from page to page, so its first page can stand in a list of
 * lesser priority than its second: then the first goes in the second's place. Within a list age
 * decides.
 */
struct pager_item *pager_queue_next(const struct pager_queue *q)
{
	struct pager_item *next = NULL;

	for (unsigned l = 0; l < PAGER_QUEUE_PRIORITIES; l++) {
		if (!next) {
			next = q->list[l].oldest;
			continue;
		}
		for (struct pager_item *i = q->list[l].oldest; i; i = i->newer)
			if (goes_before(i, next)) {
				next = i;
				break;
			}
	}
	return next;
}

bool pager_queue_is_empty(const struct pager_queue *q)
{
	for (unsigned l = 0; l < PAGER_QUEUE_PRIORITIES; l++)
		if (q->list[l].oldest)
			return false;
	return true;
}

void pager_queue_done(struct pager_queue *q)
{
	for (unsigned l = 0; l < PAGER_QUEUE_PRIORITIES; l++) {
		struct pager_item *next;

		for (struct pager_item *i = q->list[l].oldest; i; i = next) {
			next = i->newer;
			pager_item_free(i);
		}
	}
	*q = (struct pager_queue){ 0 };
}

/* SPDX-License-Identifier: MIT */
/*
 * The pages that wait for one endpoint. They go by priority and then by age, but never before an
 * earlier page of the same incident. One thread uses it; pager.h bounds it.
 */
#ifndef TOCSIN_DELIVER_PAGER_QUEUE_H
#define TOCSIN_DELIVER_PAGER_QUEUE_H

#include <stdbool.h>
#include "deliver/posting.h"

#define PAGER_QUEUE_PRIORITIES 3

struct pager_item {
	struct posting *posting; /* owned */
	unsigned attempts;
	uint32_t alert_hash;
	struct pager_item *older, *newer; /* of the same priority */
};

struct pager_queue {
	struct {
		struct pager_item *oldest, *newest;
	} list[PAGER_QUEUE_PRIORITIES]; /* by priority - 1 */
};

/* Takes a reference to the posting. NULL without memory. */
struct pager_item *pager_item_new(struct posting *posting);
void pager_item_free(struct pager_item *item);

/* The queue owns the item until it is removed. */
void pager_queue_add(struct pager_queue *q, struct pager_item *item);
void pager_queue_remove(struct pager_queue *q, struct pager_item *item);
/* The one to go next, which stays in the queue; NULL when it is empty. */
struct pager_item *pager_queue_next(const struct pager_queue *q);
bool pager_queue_is_empty(const struct pager_queue *q);
/* Frees all items. */
void pager_queue_done(struct pager_queue *q);

#endif

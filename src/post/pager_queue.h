/* SPDX-License-Identifier: MIT */
/*
 * The pages that wait for one endpoint. They go by priority and then by age, but never before an
 * earlier page of the same incident. One thread uses it; pager.h bounds it.
 */
#ifndef TOCSIN_POST_PAGER_QUEUE_H
#define TOCSIN_POST_PAGER_QUEUE_H

#include <stdbool.h>
#include "spool/delivery.h"

#define PAGER_QUEUE_PRIORITIES 3
/* Two a priority: the found ones, which are older, and those of this run. */
#define PAGER_QUEUE_LISTS (2 * PAGER_QUEUE_PRIORITIES)
#define PAGER_QUEUE_BUCKETS 4096

struct pager_item {
	struct delivery *delivery; /* owned */
	unsigned attempts;
	bool minimal; /* the next attempt is with the minimal page */
	/* Refused twice when so many pages had been taken, and one; 0: never. */
	uint64_t refused_after;
	char *given_up; /* why, once the attempt under way has failed; owned, or NULL */
	uint32_t alert_hash;
	uint64_t step;                    /* the page's, among those of its incident */
	struct pager_item *older, *newer; /* in the same list */
	struct pager_item *chain;         /* in the same bucket */
};

struct pager_queue {
	struct pager_item *bucket[PAGER_QUEUE_BUCKETS]; /* by alert_hash */
	struct {
		struct pager_item *oldest, *newest;
	} list[PAGER_QUEUE_LISTS]; /* in the order in which they go */
};

/* Takes a reference to the delivery. NULL without memory. */
struct pager_item *pager_item_new(struct delivery *delivery);
void pager_item_free(struct pager_item *item);

/* The queue owns the item until it is removed. */
void pager_queue_add(struct pager_queue *q, struct pager_item *item);
void pager_queue_remove(struct pager_queue *q, struct pager_item *item);
/* The page of that id, or NULL. */
struct pager_item *pager_queue_find(const struct pager_queue *q, const char *page_id);
/* The one to go next, which stays in the queue; NULL when it is empty. */
struct pager_item *pager_queue_next(const struct pager_queue *q);
/* Likewise, but none of the incident that `but` (NULL: none) is of; `round`: one that was tried as
 * seldom as any. */
struct pager_item *pager_queue_other(const struct pager_queue *q, const struct pager_item *but,
				     bool round);
bool pager_queue_is_empty(const struct pager_queue *q);
/* Frees all items. */
void pager_queue_done(struct pager_queue *q);

#endif

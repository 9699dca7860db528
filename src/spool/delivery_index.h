/* SPDX-License-Identifier: MIT */
/*
 * The delivery index: the pages of this run that are not yet safe or not yet taken, in the order
 * they fell due. It answers what a checkpoint and a flush must know. The dispatcher's thread uses
 * it; the deliveries' flags are set by others.
 */
#ifndef TOCSIN_SPOOL_DELIVERY_INDEX_H
#define TOCSIN_SPOOL_DELIVERY_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "spool/delivery.h"

#define DELIVERY_INDEX_BUCKETS 4096

struct delivery_index {
	struct delivery **deliveries; /* ordered by sequence; references */
	size_t n, size;
	size_t n_found;    /* the first ones: from the outbox */
	uint64_t sequence; /* of the last one added */
	struct delivery
		*bucket[DELIVERY_INDEX_BUCKETS]; /* by id_hash, chained by `delivery_index_next` */
};

/* A new delivery with the next sequence. The delivery index keeps one reference. NULL: no memory.
 */
struct delivery *delivery_index_add(struct delivery_index *l, struct page *page, unsigned endpoint);
/* Takes a reference to one that was found in the outbox, at any time: its sequence is 0, so that it
 * goes before those of this run. -ENOMEM. */
int delivery_index_adopt(struct delivery_index *l, struct delivery *p);
/* The one of that page and endpoint, or NULL. */
struct delivery *delivery_index_find(const struct delivery_index *l, const struct page *page,
				     unsigned endpoint);
/* Lets go of those that are ended: taken, dead or discarded. */
void delivery_index_sweep(struct delivery_index *l);
/* Is each delivery up to `sequence` on disk or ended? */
bool delivery_index_is_safe(const struct delivery_index *l, uint64_t sequence);
/* Is each of this run ended? */
bool delivery_index_is_delivered(const struct delivery_index *l, uint64_t sequence);
/* Deliveries that have neither ended nor a file, each page counted once; and those of P1. */
void delivery_index_count_unsafe(const struct delivery_index *l, uint64_t *ret_pages,
				 uint64_t *ret_p1);
void delivery_index_done(struct delivery_index *l);

#endif

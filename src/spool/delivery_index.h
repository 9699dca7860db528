/* SPDX-License-Identifier: MIT */
/*
 * The ledger: the pages of this run that are not yet safe or not yet taken, in the order they fell
 * due. It answers what a checkpoint and a flush must know. The dispatcher's thread uses it; the
 * postings' flags are set by others.
 */
#ifndef TOCSIN_SPOOL_DELIVERY_INDEX_H
#define TOCSIN_SPOOL_DELIVERY_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "spool/delivery.h"

#define LEDGER_BUCKETS 4096

struct ledger {
	struct posting **postings; /* ordered by sequence; references */
	size_t n, size;
	size_t n_found;                         /* the first ones: from the outbox */
	uint64_t sequence;                      /* of the last one added */
	struct posting *bucket[LEDGER_BUCKETS]; /* by id_hash, chained by `ledger_next` */
};

/* A new posting with the next sequence, one reference of which the ledger keeps. NULL: no memory.
 */
struct posting *ledger_add(struct ledger *l, struct page *page, unsigned endpoint);
/* Takes a reference to one that was found in the outbox, at any time: its sequence is 0, so that it
 * goes before those of this run. -ENOMEM. */
int ledger_adopt(struct ledger *l, struct posting *p);
/* The one of that page and endpoint, or NULL. */
struct posting *ledger_find(const struct ledger *l, const struct page *page, unsigned endpoint);
/* Lets go of those that are ended: taken, dead or discarded. */
void ledger_sweep(struct ledger *l);
/* Is each posting up to `sequence` on disk or ended? */
bool ledger_is_safe(const struct ledger *l, uint64_t sequence);
/* Is each of this run ended? */
bool ledger_is_delivered(const struct ledger *l, uint64_t sequence);
/* Postings that have neither ended nor a file, each page counted once; and those of P1. */
void ledger_count_unsafe(const struct ledger *l, uint64_t *ret_pages, uint64_t *ret_p1);
void ledger_done(struct ledger *l);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A page on its way to one endpoint, shared by the threads that keep and send it. The flags only
 * ever gain bits.
 */
#ifndef TOCSIN_DELIVER_POSTING_H
#define TOCSIN_DELIVER_POSTING_H

#include <stdatomic.h>
#include <stdint.h>
#include "deliver/page.h"

enum {
	POSTING_DURABLE = 1,   /* its file is on disk */
	POSTING_DELIVERED = 2, /* its receiver has taken it */
	POSTING_UNKEPT = 4,    /* its file could not be written; it lives in memory alone */
};

struct posting {
	atomic_uint references;
	atomic_uint flags;
	struct page *page;
	unsigned endpoint;    /* index into the settings' endpoints */
	uint64_t sequence;    /* order in which they fell due in this run; 0: found in the outbox */
	struct posting *next; /* for the one list its owner keeps it in */
};

/* Takes a reference to the page. NULL without memory. */
struct posting *posting_new(struct page *page, unsigned endpoint, uint64_t sequence);
struct posting *posting_ref(struct posting *p);
/* Returns NULL; takes NULL. */
struct posting *posting_unref(struct posting *p);

#endif

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "spool/delivery.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/moment.h"
#include "base/text.h"

struct delivery *delivery_new(struct page *page, unsigned endpoint, uint64_t sequence)
{
	struct delivery *p = malloc(sizeof *p);

	if (!p)
		return NULL;
	*p = (struct delivery){
		.page = page_ref(page),
		.endpoint = endpoint,
		.sequence = sequence,
		.id_hash = hash_text(str(page->id)),
		.since_ns = clock_monotonic_ns(),
	};
	atomic_init(&p->references, 1);
	atomic_init(&p->flags, 0);
	return p;
}

/* Relaxed: whoever takes a reference has one already, or a lock over one, so nothing is learnt. */
struct delivery *delivery_ref(struct delivery *p)
{
	atomic_fetch_add_explicit(&p->references, 1, memory_order_relaxed);
	return p;
}

/*
 * Release: what this thread did with the delivery comes before its free. Acquire: the thread that
 * frees has seen what all the others did.
 */
struct delivery *delivery_unref(struct delivery *p)
{
	if (p && atomic_fetch_sub_explicit(&p->references, 1, memory_order_acq_rel) == 1) {
		page_unref(p->page);
		free(p);
	}
	return NULL;
}

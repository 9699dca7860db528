/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "ledger.h"

#include <stdlib.h>

struct posting *ledger_add(struct ledger *l, struct page *page, unsigned endpoint)
{
	if (l->n == l->size) {
		size_t size = l->size > 0 ? 2 * l->size : 64;
		struct posting **grown = reallocarray(l->postings, size, sizeof *grown);

		if (!grown)
			return NULL;
		l->postings = grown;
		l->size = size;
	}
	struct posting *p = posting_new(page, endpoint, l->sequence + 1);
	if (!p)
		return NULL;
	l->sequence++;
	l->postings[l->n++] = p;
	return p;
}

static bool posting_has(const struct posting *p, unsigned flags)
{
	/* Acquire: whoever set the flag has finished what it says. */
	return (atomic_load_explicit(&p->flags, memory_order_acquire) & flags) != 0;
}

void ledger_sweep(struct ledger *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (posting_has(l->postings[i], POSTING_DELIVERED))
			posting_unref(l->postings[i]);
		else
			l->postings[kept++] = l->postings[i];
	}
	l->n = kept;
}

static bool ledger_all_have(const struct ledger *l, uint64_t sequence, unsigned flags)
{
	for (size_t i = 0; i < l->n && l->postings[i]->sequence <= sequence; i++)
		if (!posting_has(l->postings[i], flags))
			return false;
	return true;
}

bool ledger_is_safe(const struct ledger *l, uint64_t sequence)
{
	return ledger_all_have(l, sequence, POSTING_DURABLE | POSTING_DELIVERED);
}

bool ledger_is_delivered(const struct ledger *l, uint64_t sequence)
{
	return ledger_all_have(l, sequence, POSTING_DELIVERED);
}

void ledger_done(struct ledger *l)
{
	for (size_t i = 0; i < l->n; i++)
		posting_unref(l->postings[i]);
	free(l->postings);
	*l = (struct ledger){ 0 };
}

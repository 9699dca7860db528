/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "spool/delivery_index.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"

static bool ledger_make_room(struct ledger *l)
{
	if (l->n < l->size)
		return true;
	size_t size = l->size > 0 ? 2 * l->size : 64;
	struct posting **grown = reallocarray(l->postings, size, sizeof *grown);
	if (!grown)
		return false;
	l->postings = grown;
	l->size = size;
	return true;
}

static struct posting **bucket_of(struct ledger *l, uint32_t id_hash)
{
	return &l->bucket[id_hash % LEDGER_BUCKETS];
}

static void index_add(struct ledger *l, struct posting *p)
{
	struct posting **bucket = bucket_of(l, p->id_hash);

	p->ledger_next = *bucket;
	*bucket = p;
}

static void index_remove(struct ledger *l, const struct posting *p)
{
	struct posting **link = bucket_of(l, p->id_hash);

	while (*link != p)
		link = &(*link)->ledger_next;
	*link = p->ledger_next;
}

struct posting *ledger_add(struct ledger *l, struct page *page, unsigned endpoint)
{
	if (!ledger_make_room(l))
		return NULL;
	struct posting *p = posting_new(page, endpoint, l->sequence + 1);
	if (!p)
		return NULL;
	l->sequence++;
	l->postings[l->n++] = p;
	index_add(l, p);
	return p;
}

int ledger_adopt(struct ledger *l, struct posting *p)
{
	size_t found = l->n_found;

	assert(p->sequence == 0);
	if (!ledger_make_room(l))
		return -ENOMEM;
	memmove(l->postings + found + 1, l->postings + found, (l->n - found) * sizeof *l->postings);
	l->postings[found] = posting_ref(p);
	l->n_found++;
	l->n++;
	index_add(l, p);
	return 0;
}

struct posting *ledger_find(const struct ledger *l, const struct page *page, unsigned endpoint)
{
	uint32_t hash = hash_text(str(page->id));
	struct posting *p = l->bucket[hash % LEDGER_BUCKETS];

	while (p && (p->id_hash != hash || p->endpoint != endpoint ||
		     strcmp(p->page->id, page->id) != 0))
		p = p->ledger_next;
	return p;
}

static bool posting_has(const struct posting *p, unsigned flags)
{
	/* Acquire: whoever set the flag has finished what it says. */
	return (atomic_load_explicit(&p->flags, memory_order_acquire) & flags) != 0;
}

void ledger_sweep(struct ledger *l)
{
	size_t kept = 0, found = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct posting *p = l->postings[i];

		if (posting_has(p, POSTING_ENDED)) {
			index_remove(l, p);
			posting_unref(p);
			continue;
		}
		found += p->sequence == 0;
		l->postings[kept++] = p;
	}
	l->n = kept;
	l->n_found = found;
}

/* Of this run: what was found in the outbox is on disk, and nobody asked for its delivery. */
static bool ledger_all_have(const struct ledger *l, uint64_t sequence, unsigned flags)
{
	for (size_t i = 0; i < l->n && l->postings[i]->sequence <= sequence; i++)
		if (l->postings[i]->sequence > 0 && !posting_has(l->postings[i], flags))
			return false;
	return true;
}

bool ledger_is_safe(const struct ledger *l, uint64_t sequence)
{
	return ledger_all_have(l, sequence, POSTING_DURABLE | POSTING_ENDED);
}

bool ledger_is_delivered(const struct ledger *l, uint64_t sequence)
{
	return ledger_all_have(l, sequence, POSTING_ENDED);
}

static bool posting_is_unsafe(const struct posting *p)
{
	return !posting_has(p, POSTING_DURABLE | POSTING_ENDED);
}

void ledger_count_unsafe(const struct ledger *l, uint64_t *ret_pages, uint64_t *ret_p1)
{
	uint64_t pages = 0, p1 = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct posting *p = l->postings[i], *earlier = p->ledger_next;

		while (earlier && !(earlier->page == p->page && posting_is_unsafe(earlier)))
			earlier = earlier->ledger_next;
		if (!posting_is_unsafe(p) || earlier)
			continue;
		pages++;
		p1 += p->page->priority == 1;
	}
	*ret_pages = pages;
	*ret_p1 = p1;
}

void ledger_done(struct ledger *l)
{
	for (size_t i = 0; i < l->n; i++)
		posting_unref(l->postings[i]);
	free(l->postings);
	*l = (struct ledger){ 0 };
}

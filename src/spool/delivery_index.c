/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "spool/delivery_index.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"

static bool delivery_index_make_room(struct delivery_index *l)
{
	if (l->n < l->size)
		return true;
	size_t size = l->size > 0 ? 2 * l->size : 64;
	struct delivery **grown = reallocarray(l->deliveries, size, sizeof *grown);
	if (!grown)
		return false;
	l->deliveries = grown;
	l->size = size;
	return true;
}

static struct delivery **bucket_of(struct delivery_index *l, uint32_t id_hash)
{
	return &l->bucket[id_hash % DELIVERY_INDEX_BUCKETS];
}

static void index_add(struct delivery_index *l, struct delivery *p)
{
	struct delivery **bucket = bucket_of(l, p->id_hash);

	p->delivery_index_next = *bucket;
	*bucket = p;
}

static void index_remove(struct delivery_index *l, const struct delivery *p)
{
	struct delivery **link = bucket_of(l, p->id_hash);

	while (*link != p)
		link = &(*link)->delivery_index_next;
	*link = p->delivery_index_next;
}

struct delivery *delivery_index_add(struct delivery_index *l, struct page *page, unsigned endpoint)
{
	if (!delivery_index_make_room(l))
		return NULL;
	struct delivery *p = delivery_new(page, endpoint, l->sequence + 1);
	if (!p)
		return NULL;
	l->sequence++;
	l->deliveries[l->n++] = p;
	index_add(l, p);
	return p;
}

int delivery_index_adopt(struct delivery_index *l, struct delivery *p)
{
	size_t found = l->n_found;

	assert(p->sequence == 0);
	if (!delivery_index_make_room(l))
		return -ENOMEM;
	memmove(l->deliveries + found + 1, l->deliveries + found,
		(l->n - found) * sizeof *l->deliveries);
	l->deliveries[found] = delivery_ref(p);
	l->n_found++;
	l->n++;
	index_add(l, p);
	return 0;
}

struct delivery *delivery_index_find(const struct delivery_index *l, const struct page *page,
				     unsigned endpoint)
{
	uint32_t hash = hash_text(str(page->id));
	struct delivery *p = l->bucket[hash % DELIVERY_INDEX_BUCKETS];

	while (p && (p->id_hash != hash || p->endpoint != endpoint ||
		     strcmp(p->page->id, page->id) != 0))
		p = p->delivery_index_next;
	return p;
}

static bool delivery_has(const struct delivery *p, unsigned flags)
{
	/* Acquire: whoever set the flag has finished what it says. */
	return (atomic_load_explicit(&p->flags, memory_order_acquire) & flags) != 0;
}

void delivery_index_sweep(struct delivery_index *l)
{
	size_t kept = 0, found = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct delivery *p = l->deliveries[i];

		if (delivery_has(p, DELIVERY_ENDED)) {
			index_remove(l, p);
			delivery_unref(p);
			continue;
		}
		found += p->sequence == 0;
		l->deliveries[kept++] = p;
	}
	l->n = kept;
	l->n_found = found;
}

/* Of this run: what was found in the outbox is on disk, and nobody asked for its delivery. */
static bool delivery_index_all_have(const struct delivery_index *l, uint64_t sequence,
				    unsigned flags)
{
	for (size_t i = 0; i < l->n && l->deliveries[i]->sequence <= sequence; i++)
		if (l->deliveries[i]->sequence > 0 && !delivery_has(l->deliveries[i], flags))
			return false;
	return true;
}

bool delivery_index_is_safe(const struct delivery_index *l, uint64_t sequence)
{
	return delivery_index_all_have(l, sequence, DELIVERY_DURABLE | DELIVERY_ENDED);
}

bool delivery_index_is_delivered(const struct delivery_index *l, uint64_t sequence)
{
	return delivery_index_all_have(l, sequence, DELIVERY_ENDED);
}

static bool delivery_is_unsafe(const struct delivery *p)
{
	return !delivery_has(p, DELIVERY_DURABLE | DELIVERY_ENDED);
}

void delivery_index_count_unsafe(const struct delivery_index *l, uint64_t *ret_pages,
				 uint64_t *ret_p1)
{
	uint64_t pages = 0, p1 = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct delivery *p = l->deliveries[i], *earlier = p->delivery_index_next;

		while (earlier && !(earlier->page == p->page && delivery_is_unsafe(earlier)))
			earlier = earlier->delivery_index_next;
		if (!delivery_is_unsafe(p) || earlier)
			continue;
		pages++;
		p1 += p->page->priority == 1;
	}
	*ret_pages = pages;
	*ret_p1 = p1;
}

void delivery_index_done(struct delivery_index *l)
{
	for (size_t i = 0; i < l->n; i++)
		delivery_unref(l->deliveries[i]);
	free(l->deliveries);
	*l = (struct delivery_index){ 0 };
}

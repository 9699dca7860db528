/* SPDX-License-Identifier: MIT */
/*
 * The hot path of a push, whole.
 *
 * What is written where: `head` is the only word that producers contend for. A producer reads it
 * and `released`, checks that its class may have the slots, and takes them by one compare-and-swap;
 * from then on the slots are its own. It copies the record into them and stores each slot's stamp
 * (its position) with release order, the first slot's last.
 *
 * Why it is right:
 * - `released` is loaded with acquire and after `head`. It pairs with the reader's release store in
 *   recorder_checkpoint: whoever sees a slot released also sees the reader done with it, so the new
 *   copy cannot overtake the old read. A stale `released` is smaller, hence only cautious; a stale
 *   `head` can lie behind a fresh `released` (the difference is then negative), and is read again.
 *   A refusal is exact too: `head` only grows, so the ring was that full when `released` was read.
 * - The swap itself may be relaxed: the reader takes a slot because of its stamp, never because of
 *   `head`. Only who reads along in the file of a living run (recorder_image.c) goes by `head` to
 *   tell which slots may have been taken again; for it a release fence keeps the swap before the
 *   copy. On x86 that binds the compiler alone.
 * - The stamp's release store pairs with the reader's acquire load: a stamp seen is a slot whole.
 *   Slots of a former lap hold a stamp smaller by a multiple of the ring, never the expected one.
 * - A kill between two stores leaves a prefix of them in the shared mapping: no stamp, no record. A
 *   long record's copy puts 0 where its later slots' stamps will be; cut short amid one, it leaves
 *   some bytes of the older stamp, which is smaller still.
 *
 * A producer that is preempted between swap and stamp stalls no other call; the others take the
 * next slots. It delays the reader, which takes records in order, until it runs again.
 */
#include "config.h"
#include "record/recorder.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "record/recorder_layout.h"

_Static_assert(offsetof(struct layout_counters, head) == 0, "recorder_expect fetches the first");

static inline void head_set(struct layout_slot *s, uint64_t part, uint64_t parts, size_t len)
{
	s->part = (uint16_t)part;
	s->parts = (uint16_t)parts;
	s->length = (uint32_t)len;
}

/* The heads go over with the rest of a long record; its stamps, for now, tell of no position. */
static __attribute__((noinline)) void heads_set(struct layout_slot *record, uint64_t parts,
						size_t len)
{
	for (uint64_t part = 0; part < parts; part++) {
		atomic_store_explicit(&record[part].stamp, 0, memory_order_relaxed);
		head_set(&record[part], part, parts, len);
	}
}

/*
 * A record of several slots is copied as one piece, its heads in it: the ring's lines were read by
 * another processor last, and only stores that are few enough to queue do not wait for them. The
 * first slot's stamp is left out, since the reader may be looking at it; of the others it looks at
 * none.
 */
static __attribute__((noinline)) void slots_fill(const struct recorder_producer *p,
						 uint64_t position, uint64_t parts,
						 const struct layout_slot *record, size_t len)
{
	uint64_t index = position & p->mask;
	size_t from = sizeof record->stamp, size = parts * LAYOUT_SLOT_HEAD + len;
	size_t till_end = (p->mask + 1 - index) * RECORDER_SLOT_SIZE;
	size_t n = size < till_end ? size : till_end;
	const uint8_t *bytes = (const uint8_t *)record;

	memcpy((uint8_t *)&p->slots[index] + from, bytes + from, n - from);
	if (n < size)
		memcpy(p->slots, bytes + n, size - n);
	for (uint64_t part = 1; part < parts; part++)
		atomic_store_explicit(&p->slots[(position + part) & p->mask].stamp, position + part,
				      memory_order_release);
}

_hot_ int recorder_push(const struct recorder_producer *p, enum recorder_class class,
			enum recorder_loss loss, uint64_t mono_ns, struct layout_slot *record,
			size_t len, uint64_t *ret_position)
{
	struct layout_counters *c = p->counters;
	uint64_t parts = layout_parts(len);

	if (parts > 1)
		heads_set(record, parts, len);
	uint64_t head = atomic_load_explicit(&c->head, memory_order_relaxed);
	for (;;) {
		uint64_t released = atomic_load_explicit(&c->released, memory_order_acquire);
		int64_t used = (int64_t)(head - released);

		if (used < 0) {
			head = atomic_load_explicit(&c->head, memory_order_relaxed);
			continue;
		}
		if ((uint64_t)used + parts > p->limit[class]) {
			atomic_store_explicit(&c->last_loss_ns, mono_ns, memory_order_relaxed);
			atomic_fetch_add_explicit(&c->losses[loss], 1, memory_order_relaxed);
			return -ENOBUFS;
		}
		if (atomic_compare_exchange_weak_explicit(&c->head, &head, head + parts,
							  memory_order_relaxed,
							  memory_order_relaxed))
			break;
	}
	atomic_thread_fence(memory_order_release);

	struct layout_slot *s = &p->slots[head & p->mask];
	if (parts > 1) {
		slots_fill(p, head, parts, record, len);
	} else {
		head_set(s, 0, 1, len);
		/* gcc makes a `rep movs` of so small a copy: after an idle time no further
		 * function's code must be fetched for it. */
		memcpy(s->payload, record->payload, len);
	}
	atomic_store_explicit(&s->stamp, head, memory_order_release);
	if (ret_position)
		*ret_position = head;
	return 0;
}

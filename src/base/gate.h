/* SPDX-License-Identifier: MIT */
/*
 * A gate: threads go in and out, until somebody shuts it. Who shuts it learns whether everybody has
 * left. All zero, it is open with nobody inside. One thread may be inside several times.
 */
#ifndef TOCSIN_BASE_GATE_H
#define TOCSIN_BASE_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/moment.h"

#define GATE_LOOK_NS 100000 /* while it waits for those inside, it looks this often */

struct gate {
	_Atomic uint32_t inside;
	atomic_bool shut;
};

static inline void gate_leave(struct gate *g)
{
	/* Release: what was done inside is done for whoever finds the gate empty. */
	atomic_fetch_sub_explicit(&g->inside, 1, memory_order_release);
}

/* False: it is shut, and the caller stays outside. Else gate_leave must follow. */
static inline bool gate_enter(struct gate *g)
{
	/* Both orders are sequentially consistent here and in gate_shut: either this thread sees
	 * that the gate is shut, or the one that shuts it sees this thread inside. */
	atomic_fetch_add(&g->inside, 1);
	if (!atomic_load(&g->shut))
		return true;
	gate_leave(g);
	return false;
}

static inline bool gate_is_shut(const struct gate *g)
{
	return atomic_load(&g->shut);
}

/* Lets nobody in any more and waits until nobody is inside. False: after wait_ns somebody is. */
static inline bool gate_shut(struct gate *g, uint64_t wait_ns)
{
	static const struct timespec pause = { .tv_nsec = GATE_LOOK_NS };
	uint64_t start_ns = clock_monotonic_ns();

	atomic_store(&g->shut, true);
	while (atomic_load(&g->inside) > 0) {
		if (clock_monotonic_ns() - start_ns >= wait_ns)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

#endif

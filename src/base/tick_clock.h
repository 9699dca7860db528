/* SPDX-License-Identifier: MIT */
/*
 * CLOCK_MONOTONIC, read from the processor's counter where the kernel itself keeps time by it
 * (x86-64 with clocksource "tsc"): less than half of what clock_gettime costs, and that is most of
 * what a hot call costs. Anywhere else, and as soon as counter and clock have once disagreed,
 * clock_gettime is what is read.
 *
 * One thread, the owner of the clock, compares the two every so often. Between two looks a reader
 * sees the clock as the last look set it: within some 10 us, since the counter's pace is measured
 * over at least 10 ms, and the kernel corrects its own by half a thousandth at most.
 */
#ifndef TOCSIN_BASE_TICK_CLOCK_H
#define TOCSIN_BASE_TICK_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/moment.h"

#define CACHE_LINE 64 /* bytes */

/* The counter and the clock, read at one time. */
struct tick_pair {
	uint64_t ticks;
	uint64_t ns;
};

/* All zero: clock_gettime is read. */
struct tick_clock {
	/* What readers read. The clock at base_ticks; 0: do not read the counter. */
	_Atomic uint64_t base_ns;
	uint64_t base_ticks; /* not changed once base_ns is set */
	uint64_t pace;       /* ns a tick, in 2^-32: less than one; as base_ticks */
	/* The owner's own, written at each look: in a cache line of their own, or each look would
	 * take the readers' away from them. */
	_Alignas(CACHE_LINE) struct tick_pair looked; /* when it was compared last */
	bool trusted;
	unsigned vain; /* looks since then that gave nothing to compare */
};

/* [owner] The first look, at a clock that is all zero: is there a counter that can be trusted? */
void tick_clock_begin(struct tick_clock *c);
/* [owner] A look; costs two reads of the counter and one of the clock. */
void tick_clock_look(struct tick_clock *c);
/* [owner] A look that has found that pair: what tick_clock_look does with its own. */
void tick_clock_compare(struct tick_clock *c, struct tick_pair now);

static inline uint64_t tick_clock_at(const struct tick_clock *c, uint64_t base_ns, uint64_t ticks)
{
	uint64_t since = ticks - c->base_ticks;

	return base_ns + (since >> 32) * c->pace + ((since & UINT32_MAX) * c->pace >> 32);
}

/* [any, hot] CLOCK_MONOTONIC in nanoseconds. */
static inline uint64_t tick_clock_ns(const struct tick_clock *c)
{
#ifdef __x86_64__
	/* Acquire: pairs with the release in tick_clock_compare, so that base and pace are there.
	 * Of later values any will do: each was right when it was stored. */
	uint64_t base_ns = atomic_load_explicit(&c->base_ns, memory_order_acquire);

	if (__builtin_expect(base_ns != 0, 1))
		return tick_clock_at(c, base_ns, __builtin_ia32_rdtsc());
#else
	(void)c;
#endif
	return clock_monotonic_ns();
}

#endif

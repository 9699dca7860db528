/* SPDX-License-Identifier: MIT */
/*
 * A timer as fine as the machine has it, and what the bench tells of many takings of it. What an
 * empty taking costs is known after timer_measure and is taken off each figure.
 */
#ifndef TOCSIN_BENCH_TIMER_H
#define TOCSIN_BENCH_TIMER_H

#include <stddef.h>
#include <stdint.h>

#include "base/moment.h"

static inline uint64_t ticks_begin(void)
{
#ifdef __x86_64__
	__builtin_ia32_lfence();
	uint64_t t = __builtin_ia32_rdtsc();
	__builtin_ia32_lfence();
	return t;
#else
	return clock_monotonic_ns();
#endif
}

static inline uint64_t ticks_end(void)
{
#ifdef __x86_64__
	unsigned cpu;
	uint64_t t = __builtin_ia32_rdtscp(&cpu);
	__builtin_ia32_lfence();
	return t;
#else
	return clock_monotonic_ns();
#endif
}

/* Call it once, before any distribution is made. Returns the timer's own cost in ns. */
double timer_measure(void);

/* All in ns. */
struct distribution {
	double p50, p99, p999, worst;
};

/* Sorts the n > 0 takings, which are in ticks. */
struct distribution distribution_of(uint64_t *took, size_t n);

/* Sleeps from a millisecond on, spins below. */
void wait_ns(uint64_t ns);
/* Keeps the calling thread on one processor. */
void pin(int cpu);

#endif

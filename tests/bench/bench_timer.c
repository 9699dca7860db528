/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "bench_timer.h"

#include <sched.h>
#include <stdlib.h>
#include <time.h>

static double ns_per_tick = 1;
static double timer_ns;

static int ascending(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* What a timer steps by (10 ns on some machines): the least that two of the values differ by. */
static uint64_t step_of(const uint64_t *sorted, size_t n)
{
	uint64_t least = 0;

	for (size_t i = 1; i < n; i++) {
		uint64_t apart = sorted[i] - sorted[i - 1];

		if (apart > 0 && (least == 0 || apart < least))
			least = apart;
	}
	return least;
}

/*
 * The middle of sorted values. A timer that steps gives many equal ones, each for all that was
 * within its step: how many of them lie below the middle tells where in the step it is.
 */
static double middle(const uint64_t *sorted, size_t n)
{
	uint64_t at = sorted[n / 2];
	size_t from = n / 2, to = n / 2;

	while (from > 0 && sorted[from - 1] == at)
		from--;
	while (to < n && sorted[to] == at)
		to++;
	double in_step = ((double)n / 2 - (double)from) / (double)(to - from);
	return (double)at + (double)step_of(sorted, n) * (in_step - 0.5);
}

double timer_measure(void)
{
	enum { BATCHES = 20, N = 1001 };
	uint64_t from_ns = clock_monotonic_ns(), from = ticks_begin();

	while (clock_monotonic_ns() - from_ns < 100 * NS_PER_MS)
		;
	ns_per_tick = (double)(clock_monotonic_ns() - from_ns) / (double)(ticks_end() - from);
	/* The least of several: in a slow moment too much would be taken off, which flatters. */
	for (unsigned batch = 0; batch < BATCHES; batch++) {
		uint64_t took[N];

		for (unsigned i = 0; i < N; i++) {
			uint64_t t = ticks_begin();
			took[i] = ticks_end() - t;
		}
		qsort(took, N, sizeof *took, ascending);
		double ns = middle(took, N) * ns_per_tick;
		timer_ns = batch == 0 || ns < timer_ns ? ns : timer_ns;
		wait_ns(5 * NS_PER_MS);
	}
	return timer_ns;
}

static double ns_of(double ticks)
{
	double ns = ticks * ns_per_tick - timer_ns;

	return ns > 0 ? ns : 0;
}

struct distribution distribution_of(uint64_t *took, size_t n)
{
	qsort(took, n, sizeof *took, ascending);
	return (struct distribution){
		.p50 = ns_of(middle(took, n)),
		.p99 = ns_of((double)took[n * 99 / 100]),
		.p999 = ns_of((double)took[n * 999 / 1000]),
		.worst = ns_of((double)took[n - 1]),
	};
}

void wait_ns(uint64_t ns)
{
	if (ns >= NS_PER_MS) {
		struct timespec t = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };

		nanosleep(&t, NULL);
		return;
	}
	uint64_t until = clock_monotonic_ns() + ns;
	while (clock_monotonic_ns() < until)
		;
}

void pin(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	sched_setaffinity(0, sizeof one, &one);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/tick_clock.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"

#define MEASURED_NS (10 * NS_PER_MS) /* the pace is measured over this at least */
#define MEASURED_NS_MAX UINT32_MAX   /* and at most: so that the numbers fit */
#define NEAR_NS 10000                /* nearer than this a clock is left as it is */
/* Further off than this, and a thousandth of the time since the last look, it is another time: the
 * machine slept, or something moved the counter. */
#define FAR_NS NS_PER_MS
/* The clock is read between two looks at the counter: when they are further apart than a clock
 * takes to read, this thread was not running. */
#define PAIR_TICKS_MAX 2000
#define VAIN_MAX 500 /* looks in a row that gave no pair */
/* From a counter of 1 GHz to one of 16. */
#define PACE_MAX UINT32_MAX
#define PACE_MIN (UINT32_MAX / 16)

/* The kernel watches its clocksource, among the processors too, and takes another when the counter
 * is not fit. */
static bool kernel_trusts_counter(void)
{
	static const char path[] =
		"/sys/devices/system/clocksource/clocksource0/current_clocksource";
	_cleanup_close_ int fd = descriptor_open(path, O_RDONLY);
	char name[8];

	return fd >= 0 && read(fd, name, sizeof name) == 4 && memcmp(name, "tsc\n", 4) == 0;
}

/* False: the pair is worth nothing. */
static bool pair_read(struct tick_pair *ret)
{
#ifdef __x86_64__
	uint64_t before = __builtin_ia32_rdtsc();

	ret->ns = clock_monotonic_ns();
	uint64_t after = __builtin_ia32_rdtsc();

	ret->ticks = before + (after - before) / 2;
	return after - before <= PAIR_TICKS_MAX;
#else
	(void)ret;
	return false;
#endif
}

void tick_clock_begin(struct tick_clock *c)
{
	c->trusted = kernel_trusts_counter();
	tick_clock_look(c);
}

static void distrust(struct tick_clock *c)
{
	c->trusted = false;
	atomic_store_explicit(&c->base_ns, 0, memory_order_relaxed);
}

void tick_clock_look(struct tick_clock *c)
{
	struct tick_pair now;

	if (!c->trusted)
		return;
	if (pair_read(&now)) {
		c->vain = 0;
		tick_clock_compare(c, now);
	} else if (++c->vain == VAIN_MAX) {
		distrust(c); /* a counter that nobody can compare */
	}
}

/* After the first pair: how fast does the counter go? */
static void pace_measure(struct tick_clock *c, struct tick_pair now)
{
	uint64_t ticks = now.ticks - c->looked.ticks, ns = now.ns - c->looked.ns;

	if (ns < MEASURED_NS)
		return;
	if (ns > MEASURED_NS_MAX) {
		c->looked = now;
		return;
	}
	uint64_t pace = ticks > 0 ? (ns << 32) / ticks : 0;
	if (pace < PACE_MIN || pace > PACE_MAX) {
		distrust(c);
		return;
	}
	c->pace = pace;
	c->base_ticks = c->looked.ticks;
	/* Release: readers that see it see base and pace. */
	atomic_store_explicit(&c->base_ns, c->looked.ns, memory_order_release);
	c->looked = now;
}

void tick_clock_compare(struct tick_clock *c, struct tick_pair now)
{
	uint64_t base_ns = atomic_load_explicit(&c->base_ns, memory_order_relaxed);

	if (!c->trusted)
		return;
	if (c->looked.ns == 0) {
		c->looked = now;
		return;
	}
	if (base_ns == 0) {
		pace_measure(c, now);
		return;
	}
	int64_t off_ns = (int64_t)(now.ns - tick_clock_at(c, base_ns, now.ticks));
	uint64_t distance_ns = (uint64_t)(off_ns < 0 ? -off_ns : off_ns);
	uint64_t since_ns = now.ns - c->looked.ns;

	c->looked = now;
	if (distance_ns > FAR_NS + since_ns / 1000)
		distrust(c);
	else if (distance_ns > NEAR_NS)
		atomic_store_explicit(&c->base_ns, base_ns + (uint64_t)off_ns,
				      memory_order_relaxed);
}

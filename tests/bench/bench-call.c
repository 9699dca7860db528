/* SPDX-License-Identifier: MIT */
/*
 * What a hot call costs its caller, one by one, in one run with what it is compared with: the floor
 * under any such call (a look at the clock and a copy of as many bytes into a memory of the ring's
 * size), and the calls an engine would make instead. Calls and floor take turns, so that both meet
 * the same machine. Of each figure the timer's own cost, which is stated, has been taken off.
 * What the clock alone costs is stated too and not taken off: the floor's clock_gettime, and
 * base/tick_clock.h, which the calls read. Several threads call at the same time, and drain at the
 * same time. Beside the floor stands there what it costs with one count that all of them share, as
 * whatever numbers their events in one order must have one.
 *
 *	bench-call PLUGIN [CALLS [NAME]]
 *
 * NAME: only the calls whose names have that in them.
 */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tick_clock.h"
#include "bench_engine.h"
#include "bench_subjects.h"
#include "bench_timer.h"
#include "record/record.h"
#include "tocsin_plugin.h"

#define RING_BYTES ((size_t)4 * 1024 * 1024)
#define SLOT_BYTES 512
#define SLOT_HEAD 16
#define GAP_NS 2000
#define IDLE_NS (3 * NS_PER_MS)
#define IDLE_CALLS 1000
#define DRAIN_EVERY 512 /* calls of all threads: what is slow to apply shall not fill the ring */
#define THREADS_MAX 4

static const tocsin_plugin *plugin;
static tocsin_instance *instance;

/* --- The floor --- */

struct floor {
	uint8_t *memory;
	size_t at;
	uint8_t bytes[RECORD_SIZE_MAX];
};

static void floor_take(struct floor *f, size_t encoded)
{
	size_t slots = (encoded + SLOT_BYTES - SLOT_HEAD - 1) / (SLOT_BYTES - SLOT_HEAD);
	size_t len = encoded + slots * SLOT_HEAD;
	uint64_t now_ns = clock_monotonic_ns();

	if (f->at + slots * SLOT_BYTES > RING_BYTES)
		f->at = 0;
	memcpy(f->bytes, &now_ns, sizeof now_ns);
	memcpy(f->memory + f->at, f->bytes, len);
	/* A compiler must not think that nobody looks. */
	__asm__ volatile("" : : "r"(f->memory) : "memory");
	f->at += slots * SLOT_BYTES;
}

static int floor_make(struct floor *f)
{
	f->memory =
		mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (f->memory == MAP_FAILED)
		return -1;
	memset(f->memory, 1, RING_BYTES);
	memset(f->bytes, 2, sizeof f->bytes);
	f->at = 0;
	return 0;
}

/* --- The clocks alone, one look after the other --- */

#define LOOKS 1000000

static double ns_each(uint64_t from_ns)
{
	return (double)(clock_monotonic_ns() - from_ns) / LOOKS;
}

static void clocks_print(void)
{
	struct tick_clock clock = { 0 };
	volatile uint64_t seen = 0;
	uint64_t from_ns = clock_monotonic_ns();

	for (unsigned i = 0; i < LOOKS; i++)
		seen = clock_monotonic_ns();
	printf("a look at the clock: clock_gettime %.1f ns", ns_each(from_ns));
	tick_clock_begin(&clock);
	for (unsigned i = 0; i < 5; i++) {
		wait_ns(20 * NS_PER_MS);
		tick_clock_look(&clock);
	}
	from_ns = clock_monotonic_ns();
	for (unsigned i = 0; i < LOOKS; i++)
		seen = tick_clock_ns(&clock);
	printf(", as the calls do %.1f ns\n", ns_each(from_ns));
	(void)seen;
}

/* --- Measuring --- */

/* What is taken in turns. */
enum { FLOOR, SHARED_FLOOR, CALL, TAKEN };

struct run {
	const struct subject *subject;
	unsigned n, drain_every;
	uint64_t gap_ns;
	int cpu;
	bool shares; /* a count with other threads */
	pthread_barrier_t *together;
	uint64_t *took[TAKEN];
	unsigned refused;
};

static _Alignas(64) _Atomic uint64_t shared_count;

static void drain(void)
{
	plugin->flush(instance, TOCSIN_FLUSH_DURABLE, NS_PER_S);
}

/* Control calls come one at a time; and all go on together, or they would hardly meet. */
static void drain_together(pthread_barrier_t *together)
{
	if (pthread_barrier_wait(together) == PTHREAD_BARRIER_SERIAL_THREAD)
		drain();
	pthread_barrier_wait(together);
}

static void *run(void *arg)
{
	struct run *r = arg;
	static _Thread_local struct floor floor;
	size_t bytes = r->subject->encoded ? r->subject->encoded : SMALL;

	pin(r->cpu);
	if (floor_make(&floor) < 0)
		exit(1);
	pthread_barrier_wait(r->together);
	for (unsigned i = 0; i < r->n; i++) {
		wait_ns(r->gap_ns);
		uint64_t t = ticks_begin();
		floor_take(&floor, bytes);
		r->took[FLOOR][i] = ticks_end() - t;
		if (r->shares) {
			wait_ns(r->gap_ns);
			t = ticks_begin();
			atomic_fetch_add_explicit(&shared_count, 1, memory_order_relaxed);
			floor_take(&floor, bytes);
			r->took[SHARED_FLOOR][i] = ticks_end() - t;
		}
		wait_ns(r->gap_ns);
		t = ticks_begin();
		int rc = r->subject->call();
		r->took[CALL][i] = ticks_end() - t;
		r->refused += rc < 0;
		if (r->subject->encoded && (i + 1) % r->drain_every == 0)
			drain_together(r->together);
	}
	munmap(floor.memory, RING_BYTES);
	return NULL;
}

static void line_print(const char *name, const struct distribution *d, double floor_p50,
		       double most)
{
	printf("  %-38s %8.1f %8.0f %8.0f %9.0f", name, d->p50, d->p99, d->p999, d->worst);
	if (floor_p50 > 0)
		printf("   %6.2f x the floor", d->p50 / floor_p50);
	if (floor_p50 > 0 && most > 0)
		printf(" (aim %.1f)", most);
	printf("\n");
}

/* Lets that many threads, or a single one, take it all; `took` has room for all of theirs. Returns
 * how many calls were refused. */
static unsigned threads_run(const struct run *as, unsigned threads, uint64_t *took[TAKEN])
{
	struct run runs[THREADS_MAX];
	pthread_t ids[THREADS_MAX];
	pthread_barrier_t together;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned refused = 0;

	pthread_barrier_init(&together, NULL, threads);
	for (unsigned t = 0; t < threads; t++) {
		runs[t] = *as;
		runs[t].cpu = (int)(t % (unsigned)cpus);
		runs[t].together = &together;
		for (unsigned k = 0; k < TAKEN; k++)
			runs[t].took[k] = took[k] + (size_t)as->n * t;
		if (pthread_create(&ids[t], NULL, run, &runs[t]) != 0)
			exit(1);
	}
	for (unsigned t = 0; t < threads; t++) {
		pthread_join(ids[t], NULL);
		refused += runs[t].refused;
	}
	pthread_barrier_destroy(&together);
	return refused;
}

/* Returns the calls' middle. */
static double measure(const struct subject *s, unsigned threads, unsigned calls, uint64_t gap_ns)
{
	struct run as = {
		.subject = s,
		.drain_every = DRAIN_EVERY / threads,
		.gap_ns = gap_ns,
		.shares = threads > 1 && s->encoded,
	};
	uint64_t *took[TAKEN];
	struct distribution d[TAKEN];
	char name[64];

	as.n = gap_ns >= NS_PER_MS ? IDLE_CALLS : s->slow ? calls / 20 + 1 : calls;
	size_t all = (size_t)as.n * threads;
	for (unsigned k = 0; k < TAKEN; k++)
		if (!(took[k] = calloc(all, sizeof *took[k])))
			exit(1);
	unsigned refused = threads_run(&as, threads, took);
	if (s->encoded)
		drain();
	for (unsigned k = 0; k < TAKEN; k++) {
		d[k] = distribution_of(took[k], all);
		free(took[k]);
	}
	snprintf(name, sizeof name, "floor of %zu bytes", s->encoded);
	if (s->encoded)
		line_print(name, &d[FLOOR], 0, 0);
	if (as.shares)
		line_print("floor and a count that is shared", &d[SHARED_FLOOR], d[FLOOR].p50, 0);
	line_print(s->name, &d[CALL], d[FLOOR].p50, threads == 1 ? s->most : 0);
	if (refused > 0)
		printf("  (%u of %zu were refused)\n", refused, all);
	fflush(stdout);
	return d[CALL].p50;
}

/*
 * What the engine's first events after its start meet: a ring that nobody has written to. The laps
 * are rows of their own, or few slow calls of the first would be lost among many. To be called
 * before anything else has gone through the ring.
 */
static void laps_measure(const char *only)
{
	static const char *const titles[] = { "first lap", "second lap", "third lap" };
	const struct subject *s = NULL;
	uint64_t *took[TAKEN];
	struct run as = { .n = RING_BYTES / SLOT_BYTES,
			  .gap_ns = GAP_NS,
			  .drain_every = DRAIN_EVERY };

	for (size_t at = 0; (s = subjects_next(&at)) && !s->is_measure;)
		;
	if (!s || !strstr(s->name, only))
		return;
	as.subject = s;
	for (unsigned k = 0; k < TAKEN; k++)
		if (!(took[k] = calloc(as.n, sizeof *took[k])))
			exit(1);
	printf("%-40s %8s %8s %8s %9s   (ns)\n", "one thread, through a new ring", "p50", "p99",
	       "p99.9", "worst");
	for (size_t lap = 0; lap < sizeof titles / sizeof *titles; lap++) {
		char name[64];
		unsigned refused = threads_run(&as, 1, took);
		double floor_p50 = distribution_of(took[FLOOR], as.n).p50;
		struct distribution d = distribution_of(took[CALL], as.n);

		snprintf(name, sizeof name, "%s, %s", s->name, titles[lap]);
		line_print(name, &d, floor_p50, 0);
		if (refused > 0)
			printf("  (%u of %u were refused)\n", refused, as.n);
	}
	for (unsigned k = 0; k < TAKEN; k++)
		free(took[k]);
}

static void measure_all(const char *title, const char *only, unsigned threads, unsigned calls,
			uint64_t gap_ns)
{
	const struct subject *s;
	double ours = 0;

	printf("%-40s %8s %8s %8s %9s   (ns)\n", title, "p50", "p99", "p99.9", "worst");
	for (size_t at = 0; (s = subjects_next(&at));) {
		if (!strstr(s->name, only))
			continue;
		double p50 = measure(s, threads, calls, gap_ns);
		if (s->is_measure)
			ours = p50;
		else if (s->encoded == 0 && ours > 0 && p50 > 0)
			printf("  %-38s %8.3f x this\n", "on_alert, 120 bytes:", ours / p50);
	}
}

int main(int argc, char **argv)
{
	unsigned calls = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 50000;
	const char *only = argc > 3 ? argv[3] : "";
	char folder[] = "/dev/shm/tocsin-bench-XXXXXX";

	if (argc < 2 || calls == 0) {
		fprintf(stderr, "usage: bench-call PLUGIN [CALLS [NAME]] 2>/dev/null\n");
		return 2;
	}
	plugin = engine_load(argv[1]);
	if (!plugin || !mkdtemp(folder))
		return 1;
	instance = engine_start(plugin, &(struct engine_options){ .name = "bench",
								  .folder = folder,
								  .log_target = "stderr" });
	subjects_open(plugin, instance, folder);
	pin(0);
	printf("the timer's own cost, taken off: %.1f ns\n", timer_measure());
	clocks_print();
	laps_measure(only);
	measure_all("one thread, 2 us apart", only, 1, calls, GAP_NS);
	measure_all("one thread, after 3 ms of idling", only, 1, calls, IDLE_NS);
	measure_all("two threads, 2 us apart", only, 2, calls, GAP_NS);
	measure_all("four threads, 2 us apart", only, 4, calls, GAP_NS);
	plugin->stop(instance, 5 * NS_PER_S);
	plugin->destroy(instance);
	subjects_close();
	engine_folder_remove(folder);
	return 0;
}

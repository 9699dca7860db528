/* SPDX-License-Identifier: MIT */
/*
 * What a hot call costs its caller, one by one, in one run with what it is compared with: the floor
 * under any such call (a look at the clock and a copy of as many bytes into a memory of the ring's
 * size), and the calls an engine would make instead. Calls and floor take turns, so that both meet
 * the same machine. Of each figure the timer's own cost, which is stated, has been taken off.
 *
 *	bench-call PLUGIN [CALLS [NAME]]
 *
 * NAME: only the calls whose names have that in them.
 */
#include "config.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/moment.h"
#include "base/text.h"
#include "record/record.h"
#include "tocsin_plugin.h"

#define RING_BYTES ((size_t)4 * 1024 * 1024)
#define SLOT_BYTES 512
#define SLOT_HEAD 16
#define GAP_NS 2000
#define IDLE_NS (3 * NS_PER_MS)
#define IDLE_CALLS 1000
#define DRAIN_EVERY 512 /* calls, so that what is slow to apply never fills the ring */
#define THREADS_MAX 4
#define SMALL 120
#define LARGE 3000

static const tocsin_plugin *plugin;
static tocsin_instance *instance;
static double ns_per_tick = 1;
static double timer_ns;

/* --- The timer: as fine as the machine has it --- */

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

static int ascending(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/*
 * The middle of sorted values. A timer that steps (by 10 ns on some machines) gives many equal
 * ones: how many of them lie below the middle tells where in the step it is.
 */
static double middle(const uint64_t *sorted, size_t n)
{
	uint64_t at = sorted[n / 2], below, above;
	size_t from = n / 2, to = n / 2;

	while (from > 0 && sorted[from - 1] == at)
		from--;
	while (to < n && sorted[to] == at)
		to++;
	below = from > 0 ? sorted[from - 1] : at;
	above = to < n ? sorted[to] : at;
	double low = (double)(at + below) / 2, high = (double)(at + above) / 2;
	return low + (high - low) * ((double)n / 2 - (double)from) / (double)(to - from);
}

static void timer_measure(void)
{
	enum { N = 10001 };
	static uint64_t took[N];
	uint64_t from_ns = clock_monotonic_ns(), from = ticks_begin();

	while (clock_monotonic_ns() - from_ns < 100 * NS_PER_MS)
		;
	ns_per_tick = (double)(clock_monotonic_ns() - from_ns) / (double)(ticks_end() - from);
	for (unsigned i = 0; i < N; i++) {
		uint64_t t = ticks_begin();
		took[i] = ticks_end() - t;
	}
	qsort(took, N, sizeof *took, ascending);
	timer_ns = middle(took, N) * ns_per_tick;
}

/* --- What is called --- */

struct payload {
	char text[LARGE];
	char small_text[SMALL];
};

static struct payload payload;
static tocsin_kv meta_small, meta_large;

static int call_pulse(void)
{
	static const tocsin_health_event e = { .head = { sizeof e, TOCSIN_HEALTH_FEED_PULSE, 0 },
					       .source = STR("okx:ETH-USD") };

	return plugin->on_health(instance, &e);
}

static int drift(const tocsin_kv *kv)
{
	tocsin_health_event e = { .head = { sizeof e, TOCSIN_HEALTH_DRIFT, 0 },
				  .source = STR("ma_cross"),
				  .session_id = STR("shadow_001"),
				  .value = 0.01,
				  .limit = 0.1,
				  .kv = kv,
				  .n_kv = 1 };

	return plugin->on_health(instance, &e);
}

static int call_drift_small(void)
{
	return drift(&meta_small);
}

static int call_drift_large(void)
{
	return drift(&meta_large);
}

static int session(const tocsin_kv *kv)
{
	tocsin_session_event e = { .head = { sizeof e, TOCSIN_SESSION_STATUS, 0 },
				   .session_id = STR("shadow_001"),
				   .status = STR("running"),
				   .kv = kv,
				   .n_kv = 1 };

	return plugin->on_session(instance, &e);
}

static int call_session_small(void)
{
	return session(&meta_small);
}

static int call_session_large(void)
{
	return session(&meta_large);
}

static int alert(tocsin_str message)
{
	uint64_t number;
	tocsin_alert_event e = { .head = { sizeof e, TOCSIN_ALERT_RAISE, 0 },
				 .priority = 1,
				 .code = STR("DATA_FEED_DOWN"),
				 .session_id = STR("shadow_001"),
				 .message = message };

	return plugin->on_alert(instance, &e, &number);
}

static int call_alert_small(void)
{
	return alert((tocsin_str){ payload.small_text, SMALL });
}

static int call_alert_large(void)
{
	return alert((tocsin_str){ payload.text, LARGE });
}

static int call_journal(void)
{
	struct iovec fields[] = {
		{ payload.small_text, SMALL },
		{ (char *)(uintptr_t) "PRIORITY=2", 10 },
		{ (char *)(uintptr_t) "SYSLOG_IDENTIFIER=bench", 23 },
	};

	return sd_journal_sendv(fields, 3);
}

static int call_syslog(void)
{
	syslog(LOG_CRIT, "%.*s", SMALL, payload.small_text);
	return 0;
}

struct subject {
	const char *name;
	int (*call)(void);
	size_t encoded;     /* bytes of its record; 0: none of ours */
	const char *unless; /* a socket without which it does nothing */
	double most;        /* times the floor, 0: not said */
	bool slow;          /* far fewer calls */
};

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

/* --- Measuring --- */

struct run {
	const struct subject *subject;
	unsigned n;
	uint64_t gap_ns;
	int cpu;
	pthread_barrier_t *together;
	uint64_t *floor_took, *call_took;
	unsigned refused;
	bool failed;
};

static void wait_ns(uint64_t ns)
{
	if (ns >= NS_PER_MS) {
		struct timespec t = { 0, (long)ns };

		nanosleep(&t, NULL);
		return;
	}
	uint64_t until = clock_monotonic_ns() + ns;
	while (clock_monotonic_ns() < until)
		;
}

static void pin(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	sched_setaffinity(0, sizeof one, &one);
}

/* Control calls come one at a time. */
static void drain(void)
{
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&one);
	plugin->flush(instance, TOCSIN_FLUSH_DURABLE, NS_PER_S);
	pthread_mutex_unlock(&one);
}

static void *run(void *arg)
{
	struct run *r = arg;
	static _Thread_local struct floor floor;

	pin(r->cpu);
	r->failed = floor_make(&floor) < 0;
	pthread_barrier_wait(r->together);
	for (unsigned i = 0; i < r->n && !r->failed; i++) {
		wait_ns(r->gap_ns);
		uint64_t t = ticks_begin();
		floor_take(&floor, r->subject->encoded ? r->subject->encoded : SMALL);
		r->floor_took[i] = ticks_end() - t;
		wait_ns(r->gap_ns);
		t = ticks_begin();
		int rc = r->subject->call();
		r->call_took[i] = ticks_end() - t;
		r->refused += rc < 0;
		if (i % DRAIN_EVERY == DRAIN_EVERY - 1 && r->subject->encoded)
			drain();
	}
	munmap(floor.memory, RING_BYTES);
	return NULL;
}

static double ns_of(double ticks)
{
	double ns = ticks * ns_per_tick - timer_ns;

	return ns > 0 ? ns : 0;
}

static void line_print(const char *name, uint64_t *took, size_t n, double floor_p50, double most)
{
	qsort(took, n, sizeof *took, ascending);
	double p50 = ns_of(middle(took, n));
	printf("  %-38s %8.1f %8.0f %8.0f %9.0f", name, p50, ns_of((double)took[n * 99 / 100]),
	       ns_of((double)took[n * 999 / 1000]), ns_of((double)took[n - 1]));
	if (floor_p50 > 0)
		printf("   %6.2f x the floor", p50 / floor_p50);
	if (floor_p50 > 0 && most > 0)
		printf(" (aim %.1f)", most);
	printf("\n");
}

static void measure(const struct subject *s, unsigned threads, unsigned calls, uint64_t gap_ns)
{
	struct run runs[THREADS_MAX];
	pthread_t ids[THREADS_MAX];
	pthread_barrier_t together;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = gap_ns >= NS_PER_MS ? IDLE_CALLS : s->slow ? calls / 20 + 1 : calls;
	uint64_t *floors = calloc((size_t)n * threads, sizeof *floors);
	uint64_t *took = calloc((size_t)n * threads, sizeof *took);
	unsigned refused = 0;
	char name[64];

	if (!floors || !took)
		exit(1);
	pthread_barrier_init(&together, NULL, threads);
	for (unsigned t = 0; t < threads; t++) {
		runs[t] = (struct run){ .subject = s,
					.n = n,
					.gap_ns = gap_ns,
					.cpu = (int)(t % (unsigned)cpus),
					.together = &together,
					.floor_took = floors + (size_t)n * t,
					.call_took = took + (size_t)n * t };
		if (pthread_create(&ids[t], NULL, run, &runs[t]) != 0)
			exit(1);
	}
	for (unsigned t = 0; t < threads; t++) {
		pthread_join(ids[t], NULL);
		refused += runs[t].refused;
	}
	pthread_barrier_destroy(&together);
	if (s->encoded)
		drain();
	size_t all = (size_t)n * threads;
	snprintf(name, sizeof name, "floor of %zu bytes", s->encoded);
	qsort(floors, all, sizeof *floors, ascending);
	double floor_p50 = ns_of(middle(floors, all));
	if (s->encoded)
		line_print(name, floors, all, 0, 0);
	line_print(s->name, took, all, floor_p50, threads == 1 ? s->most : 0);
	if (refused > 0)
		printf("  (%u of %zu were refused)\n", refused, all);
	fflush(stdout);
	free(floors);
	free(took);
}

static bool is_there(const char *socket)
{
	struct stat st;

	return !socket || (stat(socket, &st) == 0 && S_ISSOCK(st.st_mode));
}

#define HEAD 48
static const struct subject subjects[] = {
	{ "on_health, a pulse", call_pulse, HEAD + 11, NULL, 1.5, false },
	{ "on_health, drift, 120 bytes", call_drift_small, HEAD + 18 + 8 + SMALL, NULL, 1.5,
	  false },
	{ "on_session, 120 bytes", call_session_small, HEAD + 17 + 8 + SMALL, NULL, 1.5, false },
	{ "on_alert, 120 bytes", call_alert_small, HEAD + 24 + SMALL, NULL, 1.5, false },
	{ "on_health, drift, 3 kB", call_drift_large, HEAD + 18 + 8 + LARGE, NULL, 2.5, false },
	{ "on_session, 3 kB", call_session_large, HEAD + 17 + 8 + LARGE, NULL, 2.5, false },
	{ "on_alert, 3 kB", call_alert_large, HEAD + 24 + LARGE, NULL, 2.5, false },
	{ "sd_journal_sendv, 120 bytes", call_journal, 0, "/run/systemd/journal/socket", 0, true },
	{ "syslog(3), 120 bytes", call_syslog, 0, "/dev/log", 0, true },
};

static void measure_all(const char *title, const char *only, unsigned threads, unsigned calls,
			uint64_t gap_ns)
{
	printf("%-40s %8s %8s %8s %9s   (ns)\n", title, "p50", "p99", "p99.9", "worst");
	for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
		if (is_there(subjects[i].unless) && strstr(subjects[i].name, only))
			measure(&subjects[i], threads, calls, gap_ns);
}

/* --- --- */

static int load(const char *path, const char *folder)
{
	static tocsin_host host = { .size = sizeof host, .name = "bench", .version = "1" };
	tocsin_negotiation n = { sizeof n, 0, TOCSIN_ABI_MINOR, 0, NULL };
	char err[512] = "", runtime[128], state[128];
	void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	tocsin_plugin_entry *entry =
		so ? (tocsin_plugin_entry *)(uintptr_t)dlsym(so, TOCSIN_PLUGIN_ENTRY) : NULL;

	if (!entry || entry(&n) != TOCSIN_OK) {
		fprintf(stderr, "bench-call: %s cannot be loaded: %s\n", path, dlerror());
		return -1;
	}
	plugin = n.plugin;
	snprintf(runtime, sizeof runtime, "%s/run", folder);
	snprintf(state, sizeof state, "%s/state", folder);
	const tocsin_kv options[] = {
		{ STR("config"), STR("") },
		{ STR("engine.name"), STR("bench") },
		{ STR("engine.replay"), STR("yes") },
		{ STR("log.target"), STR("stderr") },
		{ STR("recorder.size"), STR("4M") },
		{ STR("paths.runtime_dir"), str(runtime) },
		{ STR("paths.state_dir"), str(state) },
	};
	if (plugin->create(&host, options, sizeof options / sizeof *options, err, sizeof err,
			   &instance) != TOCSIN_OK ||
	    plugin->start(instance) != TOCSIN_OK) {
		fprintf(stderr, "bench-call: %s\n", err);
		return -1;
	}
	return 0;
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
	memset(&payload, 'x', sizeof payload);
	memcpy(payload.small_text, "MESSAGE=", 8);
	meta_small = (tocsin_kv){ STR("meta"), { payload.small_text, SMALL } };
	meta_large = (tocsin_kv){ STR("meta"), { payload.text, LARGE } };
	if (!mkdtemp(folder) || load(argv[1], folder) < 0)
		return 1;
	tocsin_session_event created = { .head = { sizeof created, TOCSIN_SESSION_CREATED, 0 },
					 .session_id = STR("shadow_001") };
	plugin->on_session(instance, &created);
	pin(0);
	timer_measure();
	printf("the timer's own cost, taken off: %.1f ns\n", timer_ns);
	measure_all("one thread, 2 us apart", only, 1, calls, GAP_NS);
	measure_all("one thread, after 3 ms of idling", only, 1, calls, IDLE_NS);
	measure_all("two threads, 2 us apart", only, 2, calls, GAP_NS);
	measure_all("four threads, 2 us apart", only, 4, calls, GAP_NS);
	plugin->stop(instance, 5 * NS_PER_S);
	plugin->destroy(instance);
	return 0;
}

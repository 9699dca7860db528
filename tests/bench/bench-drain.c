/* SPDX-License-Identifier: MIT */
/*
 * How fast pages that wait go out once their receiver is back, and what the calls of the engine
 * cost meanwhile and while nothing else is done.
 *
 *	bench-drain PLUGIN [PAGES]
 *
 * The state folder is $BENCH_STATE, on a disk; a receiver of our own takes the pages on loopback.
 */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/moment.h"
#include "base/text.h"
#include "bench_engine.h"
#include "bench_receivers.h"
#include "tocsin_plugin.h"

#define CALL_EVERY_NS (50 * 1000)
#define IDLE_CALLS 40000
#define SAMPLES_MAX 4000000
#define WAIT_NS (60 * NS_PER_S)

static const tocsin_plugin *plugin;
static atomic_uint received;
static atomic_bool away = true;

static void sleep_ns(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };

	nanosleep(&t, NULL);
}

static unsigned answer(void)
{
	if (atomic_load(&away))
		return 503;
	atomic_fetch_add(&received, 1);
	return 204;
}

static const struct receiver_manners manners = { .status = answer };

/* --- calls, timed one by one --- */

struct calls {
	tocsin_instance *instance;
	uint32_t *took_ns;
	size_t n, most;
	atomic_bool over;
};

static void *call(void *arg)
{
	struct calls *c = arg;
	tocsin_health_event e = { .head = { sizeof e, TOCSIN_HEALTH_FEED_PULSE, 0 },
				  .source = STR("bench") };

	while (c->n < c->most && !atomic_load(&c->over)) {
		sleep_ns(CALL_EVERY_NS);
		/* Warm, as an engine at work is: the second of two is counted. */
		plugin->on_health(c->instance, &e);
		uint64_t from = clock_monotonic_ns();
		plugin->on_health(c->instance, &e);
		uint64_t took = clock_monotonic_ns() - from;
		c->took_ns[c->n++] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
	}
	return NULL;
}

static int ascending(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void calls_print(const char *name, struct calls *c)
{
	if (c->n == 0)
		return;
	qsort(c->took_ns, c->n, sizeof *c->took_ns, ascending);
	printf("%-44s p50 %7u ns  p99 %7u ns  p99.9 %7u ns\n", name, c->took_ns[c->n / 2],
	       c->took_ns[c->n * 99 / 100], c->took_ns[c->n * 999 / 1000]);
}

/* --- the engine --- */

static tocsin_instance *start(const char *url)
{
	static tocsin_host host = { .size = sizeof host, .name = "bench", .version = "1" };
	const tocsin_kv options[] = {
		{ STR("config"), STR("") },
		{ STR("engine.name"), STR("bench") },
		{ STR("engine.replay"), STR("yes") },
		{ STR("log.target"), STR("stderr") },
		{ STR("pages.max_pages_per_minute"), STR("0") },
		{ STR("paths.state_dir"), str(getenv("BENCH_STATE")) },
		{ STR("webhook.url"), str(url) },
	};
	tocsin_instance *i = NULL;
	char err[512] = "";

	if (plugin->create(&host, options, sizeof options / sizeof *options, err, sizeof err, &i) !=
		    TOCSIN_OK ||
	    plugin->start(i) != TOCSIN_OK) {
		fprintf(stderr, "bench-drain: %s\n", err);
		exit(1);
	}
	return i;
}

static void stop(tocsin_instance *i, uint64_t timeout_ns)
{
	while (plugin->stop(i, timeout_ns) == TOCSIN_E_TIMEOUT)
		;
	plugin->destroy(i);
}

static void raise_all(tocsin_instance *i, unsigned n)
{
	char instance[32];

	for (unsigned k = 0; k < n; k++) {
		tocsin_alert_event e = { .head = { sizeof e, TOCSIN_ALERT_RAISE, 0 },
					 .priority = 1,
					 .code = STR("DATA_FEED_DOWN"),
					 .message = STR("bench") };

		snprintf(instance, sizeof instance, "%u", k);
		e.instance = str(instance);
		while (plugin->on_alert(i, &e, NULL) == TOCSIN_E_FULL)
			sleep_ns(NS_PER_MS);
	}
}

static void measure_idle(tocsin_instance *i)
{
	struct calls c = { .instance = i,
			   .took_ns = calloc(IDLE_CALLS, sizeof(uint32_t)),
			   .most = IDLE_CALLS };

	if (c.took_ns)
		call(&c);
	calls_print("a call while nothing waits", &c);
	free(c.took_ns);
}

static void measure_drain(tocsin_instance *i, unsigned pages, uint64_t from_ns)
{
	struct calls c = { .instance = i,
			   .took_ns = calloc(SAMPLES_MAX, sizeof(uint32_t)),
			   .most = SAMPLES_MAX };
	unsigned before = atomic_load(&received);
	pthread_t thread;

	if (!c.took_ns || pthread_create(&thread, NULL, call, &c) != 0)
		exit(1);
	while (atomic_load(&received) < before + pages && clock_monotonic_ns() - from_ns < WAIT_NS)
		sleep_ns(NS_PER_MS / 4);
	double seconds = (double)(clock_monotonic_ns() - from_ns) / 1e9;
	atomic_store(&c.over, true);
	pthread_join(thread, NULL);
	unsigned got = atomic_load(&received) - before;
	printf("%u pages that waited, from start on%-10s %.3f s, %.0f a second\n", got, "", seconds,
	       got / seconds);
	calls_print("a call meanwhile", &c);
	free(c.took_ns);
}

int main(int argc, char **argv)
{
	unsigned pages = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 10000;
	char url[RECEIVER_URL_SIZE];

	if (argc < 2 || pages == 0 || !getenv("BENCH_STATE")) {
		fprintf(stderr, "usage: BENCH_STATE=FOLDER bench-drain PLUGIN [PAGES]\n");
		return 2;
	}
	plugin = engine_load(argv[1]);
	if (!plugin || receiver_answers(&manners, url) < 0)
		return 1;

	tocsin_instance *i = start(url);
	measure_idle(i);
	uint64_t from_ns = clock_monotonic_ns();
	raise_all(i, pages);
	plugin->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_MAX);
	printf("%u pages written to the outbox%-15s %.3f s\n", pages, "",
	       (double)(clock_monotonic_ns() - from_ns) / 1e9);
	stop(i, NS_PER_S);

	atomic_store(&away, false);
	from_ns = clock_monotonic_ns();
	i = start(url);
	measure_drain(i, pages, from_ns);
	stop(i, 10 * NS_PER_S);
	return 0;
}

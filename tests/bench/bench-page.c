/* SPDX-License-Identifier: MIT */
/*
 * How long from a P1 call to its page's request at a receiver on loopback: while events flow, and
 * out of idleness. And what the plugin costs while nothing happens.
 *
 *	bench-page PLUGIN [SAMPLES]
 */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/moment.h"
#include "base/text.h"
#include "bench_engine.h"
#include "bench_receivers.h"
#include "tocsin_plugin.h"

#define IDLE_SECONDS 5
#define PULSE_EVERY_NS (200 * 1000)

static atomic_ullong received_ns; /* when the last page's request came, 0: not yet */

static void request_came(void)
{
	atomic_store(&received_ns, clock_monotonic_ns());
}

static const struct receiver_manners manners = { .came = request_came };

static void sleep_ns(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };

	nanosleep(&t, NULL);
}

static const tocsin_plugin *plugin;
static tocsin_instance *instance;
static atomic_bool flowing, over;

static void *pulse(void *arg)
{
	tocsin_health_event e = { .head = { sizeof e, TOCSIN_HEALTH_FEED_PULSE, 0 },
				  .source = STR("okx:ETH-USD") };

	(void)arg;
	while (!atomic_load(&over)) {
		if (atomic_load(&flowing))
			plugin->on_health(instance, &e);
		sleep_ns(PULSE_EVERY_NS);
	}
	return NULL;
}

static int ascending(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void measure(const char *name, unsigned n, uint64_t pause_ns)
{
	uint64_t *took = calloc(n, sizeof *took);
	char session[32];

	for (unsigned i = 0; took && i < n; i++) {
		tocsin_alert_event e = { .head = { sizeof e, TOCSIN_ALERT_RAISE, 0 },
					 .priority = 1,
					 .code = STR("DATA_FEED_DOWN"),
					 .message = STR("bench") };

		snprintf(session, sizeof session, "bench-%u-%u", n, i);
		e.session_id = str(session);
		sleep_ns(pause_ns + (uint64_t)(rand() % 20000000));
		atomic_store(&received_ns, 0);
		uint64_t from = clock_monotonic_ns();
		plugin->on_alert(instance, &e, NULL);
		while (atomic_load(&received_ns) == 0)
			sleep_ns(5000);
		took[i] = atomic_load(&received_ns) - from;
	}
	if (!took)
		return;
	qsort(took, n, sizeof *took, ascending);
	printf("%-44s p50 %7.3f ms  p99 %7.3f ms  worst %7.3f ms\n", name,
	       (double)took[n / 2] / 1e6, (double)took[n * 99 / 100] / 1e6,
	       (double)took[n - 1] / 1e6);
	free(took);
}

static double cpu_seconds(void)
{
	struct rusage now;

	getrusage(RUSAGE_SELF, &now);
	return (double)(now.ru_utime.tv_sec + now.ru_stime.tv_sec) +
	       (double)(now.ru_utime.tv_usec + now.ru_stime.tv_usec) / 1e6;
}

/* What waking as often as an idle dispatcher does costs, whatever is done then. */
static void *wake(void *arg)
{
	while (!atomic_load(&over))
		sleep_ns(20 * NS_PER_MS);
	return arg;
}

static double measure_cpu(void)
{
	double from = cpu_seconds();

	sleep_ns(IDLE_SECONDS * NS_PER_S);
	return (cpu_seconds() - from) / IDLE_SECONDS * 100;
}

static void measure_floor(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, wake, NULL) != 0)
		return;
	printf("%-44s %.3f %% of a core\n", "a thread that wakes every 20 ms for nothing",
	       measure_cpu());
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	atomic_store(&over, false);
}

static void measure_idle(void)
{
	sleep_ns(NS_PER_S);
	printf("%-44s %.3f %% of a core\n", "the plugin, idle", measure_cpu());
}

static int start(const char *url)
{
	static tocsin_host host = { .size = sizeof host, .name = "bench", .version = "1" };
	char err[512] = "";
	const tocsin_kv options[] = {
		{ STR("config"), STR("") },
		{ STR("engine.name"), STR("bench") },
		{ STR("engine.replay"), STR("yes") },
		{ STR("pages.max_pages_per_minute"), STR("0") },
		{ STR("paths.state_dir"), str(getenv("BENCH_STATE")) },
		{ STR("webhook.url"), str(url) },
	};
	if (plugin->create(&host, options, sizeof options / sizeof *options, err, sizeof err,
			   &instance) != TOCSIN_OK ||
	    plugin->start(instance) != TOCSIN_OK) {
		fprintf(stderr, "bench-page: %s\n", err);
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned samples = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 200;
	char url[RECEIVER_URL_SIZE];
	pthread_t thread;

	if (argc < 2 || samples == 0 || !getenv("BENCH_STATE")) {
		fprintf(stderr, "usage: BENCH_STATE=FOLDER bench-page PLUGIN [SAMPLES]\n");
		return 2;
	}
	plugin = engine_load(argv[1]);
	if (!plugin || receiver_answers(&manners, url) < 0)
		return 1;
	measure_floor();
	if (start(url) < 0)
		return 1;
	measure_idle();
	if (pthread_create(&thread, NULL, pulse, NULL) != 0)
		return 1;
	measure("P1 call to request, out of idleness", samples / 4 + 1, 300 * NS_PER_MS);
	atomic_store(&flowing, true);
	measure("P1 call to request, while events flow", samples, 2 * NS_PER_MS);
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	plugin->stop(instance, 2 * NS_PER_S);
	plugin->destroy(instance);
	return 0;
}

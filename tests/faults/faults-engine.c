/* SPDX-License-Identifier: MIT */
/*
 * faults-engine memory|system N TIMEOUT_S OPTION=VALUE...
 * faults-engine recover 0 TIMEOUT_S OPTION=VALUE...
 *
 * An engine that does a bit of everything while the Nth call fails, see fault_shim.c, and tells
 * what it was answered, a line each: "ok NAME" for each P1 that was accepted, "flush RC", "stop
 * RC", "calls N", "failed WHICH". To recover it only starts, waits for all pages to be delivered,
 * and stops.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault_shim.h"
#include "tocsin_plugin.h"

#define S(s) ((tocsin_str){ s, strlen(s) })
#define OPTIONS_MAX 24

static const tocsin_kv facts[] = {
	{ { "venue", 5 }, { "okx", 3 } },
	{ { "note", 4 }, { "what the engine knows of it", 27 } },
};

struct engine {
	const tocsin_plugin *plugin;
	tocsin_instance *instance;
};

static void told(const char *name, tocsin_rc rc)
{
	printf("%s %s\n", rc == TOCSIN_OK ? "ok" : "refused", name);
}

static void alert(struct engine *e, uint32_t kind, uint32_t priority, const char *instance)
{
	tocsin_alert_event event = {
		.head = { sizeof event, kind, 0 },
		.priority = priority,
		.code = S("LIMIT"),
		.message = S("something of the engine's own is wrong"),
		.session_id = S("live-1"),
		.instance = S(instance),
		.kv = facts,
		.n_kv = 2,
	};
	char name[64];
	tocsin_rc rc = e->plugin->on_alert(e->instance, &event, NULL);

	snprintf(name, sizeof name, "%s.%s", instance,
		 kind == TOCSIN_ALERT_RAISE ? "raised" : "resolved");
	if (priority == 1)
		told(name, rc);
}

static void session(struct engine *e, uint32_t kind, const char *status)
{
	tocsin_session_event event = {
		.head = { sizeof event, kind, 0 },
		.session_id = S("live-1"),
		.status = S(status),
		.kv = facts,
		.n_kv = 2,
	};

	e->plugin->on_session(e->instance, &event);
}

static tocsin_rc health(struct engine *e, uint32_t kind, const char *source, double value)
{
	tocsin_health_event event = {
		.head = { sizeof event, kind, 0 },
		.source = S(source),
		.session_id = S("live-1"),
		.value = value,
		.limit = 1,
		.kv = facts,
		.n_kv = 2,
	};

	return e->plugin->on_health(e->instance, &event);
}

static void work(struct engine *e)
{
	health(e, TOCSIN_HEALTH_START, "", 0);
	session(e, TOCSIN_SESSION_CREATED, "started");
	alert(e, TOCSIN_ALERT_RAISE, 1, "first");
	session(e, TOCSIN_SESSION_STATUS, "running");
	health(e, TOCSIN_HEALTH_FEED_UP, "okx", 0);
	health(e, TOCSIN_HEALTH_FEED_PULSE, "okx", 0);
	health(e, TOCSIN_HEALTH_HEARTBEAT, "", 0);
	alert(e, TOCSIN_ALERT_RAISE, 2, "lesser");
	told("drift.raised", health(e, TOCSIN_HEALTH_DRIFT, "drift", 0.9));
	told("risk.raised", health(e, TOCSIN_HEALTH_RISK, "risk", 2));
	alert(e, TOCSIN_ALERT_CLEAR, 1, "first");
	health(e, TOCSIN_HEALTH_METADATA, "", 0);
	health(e, TOCSIN_HEALTH_EXECUTION_ERROR, "orders", 0);
	alert(e, TOCSIN_ALERT_RAISE, 3, "least");
	session(e, TOCSIN_SESSION_STATUS, "completed");
	alert(e, TOCSIN_ALERT_RAISE, 1, "second");
}

static int engine_make(struct engine *e, char **options)
{
	static const tocsin_host host = { .size = sizeof host, .abi = 0, .name = "faults" };
	tocsin_negotiation n = { sizeof n, 0, TOCSIN_ABI_MINOR, 0, NULL };
	tocsin_kv kv[OPTIONS_MAX];
	size_t n_kv = 0;
	char error[512] = "";
	void *so = dlopen(getenv("TOCSIN_PLUGIN"), RTLD_NOW | RTLD_LOCAL);
	tocsin_plugin_entry *entry =
		so ? (tocsin_plugin_entry *)(uintptr_t)dlsym(so, TOCSIN_PLUGIN_ENTRY) : NULL;

	if (!entry || entry(&n) != TOCSIN_OK)
		return -1;
	for (; *options && n_kv < OPTIONS_MAX; options++) {
		char *equals = strchr(*options, '=');

		if (!equals)
			return -1;
		kv[n_kv++] =
			(tocsin_kv){ { *options, (size_t)(equals - *options) }, S(equals + 1) };
	}
	e->plugin = n.plugin;
	if (e->plugin->create(&host, kv, n_kv, error, sizeof error, &e->instance) != TOCSIN_OK) {
		fprintf(stderr, "faults-engine: %s\n", error);
		return -1;
	}
	return e->plugin->start(e->instance) == TOCSIN_OK ? 0 : -1;
}

int main(int argc, char **argv)
{
	fault_arm_function *arm = (fault_arm_function *)(uintptr_t)dlsym(RTLD_DEFAULT, "fault_arm");
	fault_calls_function *calls =
		(fault_calls_function *)(uintptr_t)dlsym(RTLD_DEFAULT, "fault_calls");
	uint64_t timeout_ns;
	const char *report = "none";
	struct engine e;
	bool recover;

	if (argc < 4 || !arm || !calls || engine_make(&e, argv + 4) < 0)
		return 2;
	recover = strcmp(argv[1], "recover") == 0;
	timeout_ns = strtoull(argv[3], NULL, 10) * UINT64_C(1000000000);
	if (!recover) {
		arm(strcmp(argv[1], "memory") == 0 ? FAULT_MEMORY : FAULT_SYSTEM,
		    strtoul(argv[2], NULL, 10));
		work(&e);
	}
	printf("flush %d\n",
	       (int)e.plugin->flush(e.instance,
				    recover ? TOCSIN_FLUSH_DELIVERED : TOCSIN_FLUSH_DURABLE,
				    timeout_ns));
	printf("stop %d\n", (int)e.plugin->stop(e.instance, timeout_ns));
	e.plugin->destroy(e.instance);
	printf("calls %lu\n", calls(&report));
	printf("failed %s\n", report);
	return 0;
}

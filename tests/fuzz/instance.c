/* SPDX-License-Identifier: MIT */
/*
 * The plugin's table, as an engine calls it, with one instance that runs all the while: hot calls
 * with any events, control calls with any sizes, and further instances that are never started.
 * What it logs goes to stderr.
 */
#include "config.h"
#include "fuzz.h"

#include <stdio.h>

#include "events.h"

#define CALLS_AT_ONCE 8

static const tocsin_host host = { .size = sizeof host, .name = "fuzz" };

static struct {
	const tocsin_plugin *plugin;
	tocsin_instance *instance;
} engine;

static void engine_stop(void)
{
	engine.plugin->destroy(engine.instance);
}

static void engine_start(void)
{
	tocsin_negotiation n = { .size = sizeof n, .abi_max = TOCSIN_ABI_MINOR };
	tocsin_kv options[] = {
		{ STR("config"), STR("") },
		{ STR("engine.name"), STR("fuzz") },
		{ STR("paths.runtime_dir"), str(fuzz_folder_path()) },
		{ STR("paths.state_dir"), str(fuzz_folder_path()) },
		{ STR("log.target"), STR("stderr") },
		{ STR("recorder.size"), STR("1M") },
	};
	char err[512] = "";

	MUST(tocsin_plugin_v1(&n) == TOCSIN_OK);
	engine.plugin = n.plugin;
	if (engine.plugin->create(&host, options, sizeof options / sizeof *options, err, sizeof err,
				  &engine.instance) != TOCSIN_OK) {
		fprintf(stderr, "%s\n", err);
		abort();
	}
	MUST(engine.plugin->start(engine.instance) == TOCSIN_OK);
	atexit(engine_stop);
}

static void hot_call(struct input *in)
{
	struct event e;
	uint64_t number = 0;
	tocsin_rc rc;

	event_make(&e, in);
	if (e.family == EVENT_SESSION)
		rc = engine.plugin->on_session(engine.instance,
					       (tocsin_session_event *)(void *)e.head);
	else if (e.family == EVENT_HEALTH)
		rc = engine.plugin->on_health(engine.instance,
					      (tocsin_health_event *)(void *)e.head);
	else
		rc = engine.plugin->on_alert(engine.instance, (tocsin_alert_event *)(void *)e.head,
					     &number);
	if (event_is_sound(&e))
		MUST(rc == TOCSIN_OK || rc == TOCSIN_E_FULL);
	else
		MUST(rc == TOCSIN_E_ARG);
	event_done(&e);
}

static void negotiate(struct input *in)
{
	tocsin_negotiation n = {
		.size = input_byte(in),
		.abi_min = input_byte(in),
		.abi_max = input_byte(in),
	};
	/* Memory of the size it says. */
	tocsin_negotiation *exact = exact_copy(&n, n.size < 4          ? 4
						   : n.size < sizeof n ? n.size
								       : sizeof n);
	tocsin_rc rc = tocsin_plugin_v1(exact);

	if (n.size < sizeof n || n.abi_min > n.abi_max)
		MUST(rc == TOCSIN_E_ARG);
	else if (n.abi_min > TOCSIN_ABI_MINOR)
		MUST(rc == TOCSIN_E_ABI && !exact->plugin && exact->abi == TOCSIN_ABI_MINOR);
	else
		MUST(rc == TOCSIN_OK && exact->plugin == engine.plugin);
	free(exact);
}

static void stats(struct input *in)
{
	uint32_t size = input_byte(in);
	tocsin_stats *s = calloc(1, size < sizeof size ? sizeof size : size);

	MUST(s);
	s->size = size;
	tocsin_rc rc = engine.plugin->stats(engine.instance, s);
	MUST(rc == (size < 8 ? TOCSIN_E_ARG : TOCSIN_OK));
	MUST(s->size == size);
	free(s);
}

/*
 * It takes a round through the thread, with TOCSIN_E_TIMEOUT where that is starved; and as long as
 * a thousand calls, so not each time.
 */
static void snapshot(struct input *in)
{
	static unsigned n_asked;
	size_t size = input_short(in), len = 0;
	char *buf = malloc(size + 1);

	MUST(buf);
	buf[size] = 'x';
	MUST(engine.plugin->snapshot(engine.instance, buf, size, NULL) == TOCSIN_E_ARG);
	if (n_asked++ % 256 != 0) {
		free(buf);
		return;
	}
	tocsin_rc rc = engine.plugin->snapshot(engine.instance, buf, size, &len);
	MUST(rc == TOCSIN_OK || rc == TOCSIN_E_ARG || rc == TOCSIN_E_TIMEOUT);
	MUST(rc != TOCSIN_OK || (len <= size && len > 0 && buf[0] == '{'));
	MUST(rc != TOCSIN_E_ARG || len > size);
	MUST(buf[size] == 'x');
	free(buf);
}

static void create(struct input *in)
{
	tocsin_kv options[5] = { { STR("config"), STR("") } };
	struct event texts = { .readable = true };
	tocsin_instance *i = NULL;
	tocsin_host other = host;
	size_t n = 1 + input_byte(in) % 4, err_size = input_byte(in);
	char *err = malloc(err_size + 1);

	MUST(err);
	err[err_size] = 'x';
	other.size = input_byte(in) & 1 ? sizeof other : input_byte(in);
	for (size_t o = 1; o < n; o++) {
		options[o].key = event_text(&texts, in);
		options[o].value = event_text(&texts, in);
	}
	tocsin_rc rc = engine.plugin->create(&other, options, n, err, err_size, &i);
	if (other.size < sizeof other || !texts.readable)
		MUST(rc == TOCSIN_E_ARG);
	MUST((rc == TOCSIN_OK) == (i != NULL));
	if (rc != TOCSIN_OK && err_size > 0)
		MUST(memchr(err, 0, err_size));
	MUST(err[err_size] == 'x');
	if (i)
		MUST(engine.plugin->flush(i, TOCSIN_FLUSH_DURABLE, 0) == TOCSIN_E_STATE &&
		     engine.plugin->stop(i, 0) == TOCSIN_E_STATE);
	engine.plugin->destroy(i);
	event_done(&texts);
	free(err);
}

static void one_call(struct input *in)
{
	uint8_t what = input_byte(in);
	uint32_t level;
	tocsin_rc rc;

	switch (what) {
	case 1:
		negotiate(in);
		break;
	case 2:
		stats(in);
		break;
	case 3:
		snapshot(in);
		break;
	case 4:
		create(in);
		break;
	case 5:
		level = input_byte(in);
		rc = engine.plugin->flush(engine.instance, level, 0);
		MUST(level == TOCSIN_FLUSH_DURABLE || level == TOCSIN_FLUSH_DELIVERED
			     ? rc == TOCSIN_OK || rc == TOCSIN_E_TIMEOUT
			     : rc == TOCSIN_E_ARG);
		break;
	case 6:
		MUST(engine.plugin->start(engine.instance) == TOCSIN_E_STATE);
		MUST(!engine.plugin->extension(engine.instance, "tocsin.none/1"));
		break;
	default:
		hot_call(in);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	if (!engine.plugin)
		engine_start();
	for (unsigned n = 0; n < CALLS_AT_ONCE && in.left > 0; n++)
		one_call(&in);
	return 0;
}

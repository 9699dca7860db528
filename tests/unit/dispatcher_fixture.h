/* SPDX-License-Identifier: MIT */
/* What tests of the dispatcher share: an engine without its plugin, in the folder of the test. */
#ifndef TOCSIN_TESTS_UNIT_DISPATCHER_FIXTURE_H
#define TOCSIN_TESTS_UNIT_DISPATCHER_FIXTURE_H

#include "test.h"

#include "base/moment.h"
#include "base/text.h"
#include "dispatch/dispatcher.h"
#include "record/recorder_layout.h"
#include "post/endpoint_files.h"

struct engine {
	struct settings *settings;
	struct refusals refusals;
	struct host_log host_log;
	struct dispatcher *dispatcher;
};

#define ENGINE_MORE_MAX 4

/* With more settings. Its state is in FOLDER/state. */
__attribute__((unused)) static void engine_start_with(struct engine *e, const struct test_folder *f,
						      const tocsin_kv *more, size_t n_more,
						      unsigned outbox_batch)
{
	static const tocsin_host host = { .size = sizeof host };
	char runtime[128], state[128], err[512];

	snprintf(runtime, sizeof runtime, "%s/run", f->path);
	snprintf(state, sizeof state, "%s/state", f->path);
	tocsin_kv options[5 + ENGINE_MORE_MAX] = {
		{ STR("config"), STR("") },
		{ STR("engine.name"), STR("test") },
		{ STR("log.target"), STR("stderr") },
		{ STR("paths.runtime_dir"), str(runtime) },
		{ STR("paths.state_dir"), str(state) },
	};
	assert_true(n_more <= ENGINE_MORE_MAX);
	memcpy(options + 5, more, n_more * sizeof *more);
	*e = (struct engine){ .host_log = { .host = &host } };
	assert_int_equal(settings_load(endpoint_files_check, options, 5 + n_more, err, sizeof err,
				       &e->settings),
			 0);
	const struct dispatcher_options o = { .settings = e->settings,
					      .refusals = &e->refusals,
					      .host_log = &e->host_log,
					      .outbox_batch = outbox_batch };
	assert_int_equal(dispatcher_start(&o, &e->dispatcher), 0);
}

__attribute__((unused)) static void engine_start(struct engine *e, const struct test_folder *f,
						 const char *key, const char *value,
						 unsigned outbox_batch)
{
	const tocsin_kv more = { str(key), str(value) };

	engine_start_with(e, f, &more, 1, outbox_batch);
}

__attribute__((unused)) static void engine_end(struct engine *e)
{
	assert_int_equal(dispatcher_stop(e->dispatcher, UINT64_MAX), 0);
	dispatcher_free(e->dispatcher);
	settings_free(e->settings);
}

/* Raises or clears a P1. As recorder_push. */
__attribute__((unused)) static int engine_say(struct engine *e, uint32_t kind, const char *instance)
{
	const tocsin_alert_event event = {
		.head = { sizeof event, kind, 0 },
		.code = STR("GENERAL"),
		.priority = 1,
		.message = STR("m"),
		.instance = str(instance),
	};
	struct layout_record record;
	size_t size = record_encode_alert(&event, clock_monotonic_ns(), &record);

	return recorder_push(recorder_producer(dispatcher_recorder(e->dispatcher)),
			     RECORDER_CLASS_FIRST, RECORDER_LOSS_P1, 1, record.slots, size, NULL);
}

#endif

/* SPDX-License-Identifier: MIT */
/* Events that are stamped with a time to come. */
#include "config.h"
#include "dispatcher_fixture.h"

#define TRIES 3000 /* a hundredth of a second apart */

static void pulse(struct engine *e, uint64_t mono_ns)
{
	const tocsin_health_event event = {
		.head = { sizeof event, TOCSIN_HEALTH_FEED_PULSE, 0 },
		.source = STR("feed"),
	};
	uint8_t bytes[RECORD_SIZE_MAX];
	size_t size = record_encode_health(&event, mono_ns, bytes);

	assert_int_equal(recorder_push(recorder_producer(dispatcher_recorder(e->dispatcher)),
				       RECORDER_CLASS_LEAST, RECORDER_LOSS_OTHER, mono_ns, bytes,
				       size, NULL),
			 0);
}

static bool has_alert(struct engine *e, const char *code)
{
	char *text;
	size_t len;

	assert_int_equal(dispatcher_snapshot(e->dispatcher, 30 * NS_PER_S, &text, &len), 0);
	bool has = strstr(text, code) != NULL;
	free(text);
	return has;
}

static void a_feed_from_the_future_falls_silent_in_its_time(void **state)
{
	struct engine e;

	engine_start(&e, *state, "rules.feed_stale_after", "50ms", 0);
	pulse(&e, clock_monotonic_ns() + 24 * 3600 * NS_PER_S);
	for (unsigned n = 0; !has_alert(&e, "DATA_FEED_DOWN"); n++) {
		assert_true(n < TRIES);
		usleep(10000);
	}
	engine_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(a_feed_from_the_future_falls_silent_in_its_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

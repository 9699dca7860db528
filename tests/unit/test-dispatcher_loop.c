/* SPDX-License-Identifier: MIT */
/* Events that are stamped with a time to come, in a run that lives and in one that has died. */
#include "config.h"
#include "dispatcher_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "picture/checkpoint.h"
#include "engine/saved_picture.h"
#include "codes/runbooks.h"

#define TRIES 3000 /* a hundredth of a second apart */

static int pulse(const struct recorder *r, uint64_t mono_ns)
{
	const tocsin_health_event event = {
		.head = { sizeof event, TOCSIN_HEALTH_FEED_PULSE, 0 },
		.source = STR("feed"),
	};
	struct layout_record record;
	size_t size = record_encode_health(&event, mono_ns, &record);

	return recorder_push(recorder_producer(r), RECORDER_CLASS_LEAST, RECORDER_LOSS_OTHER,
			     mono_ns, record.slots, size, NULL);
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

static uint64_t tomorrow(void)
{
	return clock_monotonic_ns() + 24 * 3600 * NS_PER_S;
}

static void await_silence(struct engine *e)
{
	for (unsigned n = 0; !has_alert(e, "DATA_FEED_DOWN"); n++) {
		assert_true(n < TRIES);
		usleep(10000);
	}
}

static void a_feed_from_the_future_falls_silent_in_its_time(void **state)
{
	struct engine e;

	engine_start(&e, *state, "rules.feed_stale_after", "50ms", 0);
	assert_int_equal(pulse(dispatcher_recorder(e.dispatcher), tomorrow()), 0);
	await_silence(&e);
	engine_end(&e);
}

/* An engine that dies before anybody has looked at its one event; and maybe the machine with it. */
static void engine_die(const struct test_folder *f, uint64_t mono_ns, bool machine_too)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct recorder_options o = { .size = 64 * RECORDER_SLOT_SIZE,
					      .first_position = 1,
					      .engine = "test" };
		struct recorder *r;
		char lock[64];

		mkdirat(f->fd, "run", 0700);
		o.folder = openat(f->fd, "run", O_RDONLY | O_DIRECTORY);
		if (o.folder < 0 || recorder_create(&o, &r) < 0 || recorder_hold(r) < 0 ||
		    pulse(r, mono_ns) < 0)
			_exit(1);
		snprintf(lock, sizeof lock, "lock-%s", recorder_name(r) + strlen("ring-"));
		if (machine_too && (unlinkat(o.folder, lock, 0) < 0 ||
				    openat(o.folder, lock, O_WRONLY | O_CREAT, 0600) < 0))
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_feed_falls_silent(const struct test_folder *f)
{
	struct engine e;

	engine_start(&e, f, "rules.feed_stale_after", "50ms", 0);
	assert_int_equal(pulse(dispatcher_recorder(e.dispatcher), clock_monotonic_ns()), 0);
	await_silence(&e);
	engine_end(&e);
}

static void so_does_one_after_a_run_that_had_seen_the_future(void **state)
{
	engine_die(*state, tomorrow(), false);
	a_feed_falls_silent(*state);
}

static void or_after_one_that_died_with_the_machine(void **state)
{
	engine_die(*state, tomorrow(), true);
	a_feed_falls_silent(*state);
}

/* As after a boot with a clock that was a day ahead, and has been set right since. */
static void or_after_a_rescue_that_had_seen_the_future(void **state)
{
	const struct test_folder *f = *state;
	const struct picture_settings settings = { .alerts = { .lookup = runbooks_facts } };
	const struct moment at = { tomorrow(), clock_realtime_ns() };
	struct checkpoint_buffer buf = { 0 };
	struct picture *p;

	assert_int_equal(picture_new(&settings, at, NULL, NULL, &p), 0);
	assert_int_equal(checkpoint_encode(p, &buf), 0);
	picture_free(p);
	assert_int_equal(mkdirat(f->fd, "state", 0700), 0);
	_cleanup_close_ int folder = openat(f->fd, "state", O_RDONLY | O_DIRECTORY);
	assert_int_equal(
		saved_picture_write(folder, &(struct saved_picture){ .kind = SAVED_PICTURE_RESCUED,
								     .first_position = 1,
								     .state = buf.ptr,
								     .len = buf.len }),
		0);
	free(buf.ptr);
	a_feed_falls_silent(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(a_feed_from_the_future_falls_silent_in_its_time),
		test_in_folder(so_does_one_after_a_run_that_had_seen_the_future),
		test_in_folder(or_after_one_that_died_with_the_machine),
		test_in_folder(or_after_a_rescue_that_had_seen_the_future),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

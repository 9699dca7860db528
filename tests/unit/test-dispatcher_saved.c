/* SPDX-License-Identifier: MIT */
/* What of a run is still known when its recorder is gone: after a clean stop, after a crash of the
 * host. */
#include "config.h"
#include "dispatcher_fixture.h"

#include <errno.h>
#include <jansson.h>

#include "base/cleanup.h"
#include "engine/saved_picture.h"

#define TRIES 3000 /* a hundredth of a second apart */

/* --- What is said and what is seen --- */

static void engine_health(struct engine *e, uint32_t kind, const char *source, double value,
			  double limit)
{
	const tocsin_health_event event = {
		.head = { sizeof event, kind, 0 },
		.source = str(source),
		.session_id = STR("s"),
		.value = value,
		.limit = limit,
	};
	struct layout_record record;
	size_t size = record_encode_health(&event, clock_monotonic_ns(), &record);

	assert_int_equal(recorder_push(recorder_producer(dispatcher_recorder(e->dispatcher)),
				       RECORDER_CLASS_FIRST, RECORDER_LOSS_P1, 1, record.slots,
				       size, NULL),
			 0);
}

static void engine_session(struct engine *e, const char *id)
{
	const tocsin_session_event event = {
		.head = { sizeof event, TOCSIN_SESSION_CREATED, 0 },
		.session_id = str(id),
		.status = STR("running"),
	};
	struct layout_record record;
	size_t size = record_encode_session(&event, clock_monotonic_ns(), &record);

	assert_int_equal(recorder_push(recorder_producer(dispatcher_recorder(e->dispatcher)),
				       RECORDER_CLASS_FIRST, RECORDER_LOSS_OTHER, 1, record.slots,
				       size, NULL),
			 0);
}

static json_t *engine_look(struct engine *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	assert_int_equal(dispatcher_snapshot(e->dispatcher, UINT64_MAX, &text, &len), 0);
	json_t *look = json_loadb(text, len, 0, NULL);
	assert_non_null(look);
	return look;
}

/* The alert id of the firing incident of that code, or "" when there is none; to be freed. */
static char *engine_firing(struct engine *e, const char *code)
{
	json_t *look = engine_look(e), *row;
	char *id = NULL;
	size_t i;

	json_array_foreach(
		json_object_get(json_object_get(look, "alerts"), "recent"), i,
		row) if (!id &&
			 strcmp(json_string_value(json_object_get(row, "code")), code) == 0 &&
			 strcmp(json_string_value(json_object_get(row, "state")), "firing") == 0)
		id = strdup(json_string_value(json_object_get(row, "alert_id")));
	json_decref(look);
	return id ? id : strdup("");
}

static void flush(struct engine *e)
{
	assert_int_equal(dispatcher_flush(e->dispatcher, TOCSIN_FLUSH_DURABLE, UINT64_MAX), 0);
}

static void start(struct engine *e, const struct test_folder *f)
{
	engine_start(e, f, "pages.page_after", "0", 0);
}

static enum saved_picture_kind saved_kind(const struct test_folder *f, const char *state)
{
	_cleanup_close_ int folder = openat(f->fd, state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct saved_picture c = { 0 };
	int r = folder < 0 ? -errno : saved_picture_read(folder, &c);

	free(c.state);
	return r == 0 ? c.kind : (enum saved_picture_kind)0;
}

static void await_saved(const struct test_folder *f, enum saved_picture_kind kind)
{
	for (unsigned n = 0; saved_kind(f, "state") != kind; n++) {
		assert_true(n < TRIES);
		usleep(10000);
	}
}

/* --- After a clean stop --- */

/* What may be open when an engine stops, and whether the next run still knows it. */
static const struct left {
	const char *code;
	bool stays;
} all_left[] = {
	{ "GENERAL", true },         { "RISK_LIMIT_BREACH", true }, { "DRIFT_CRITICAL", true },
	{ "EXECUTION_ERROR", true }, { "DATA_FEED_DOWN", false },
};

static void say_all(struct engine *e)
{
	engine_session(e, "s");
	assert_int_equal(engine_say(e, TOCSIN_ALERT_RAISE, "i"), 0);
	engine_health(e, TOCSIN_HEALTH_RISK, "r", 2, 1);
	engine_health(e, TOCSIN_HEALTH_DRIFT, "d", 0.9, 0);
	engine_health(e, TOCSIN_HEALTH_EXECUTION_ERROR, "x", 0, 0);
	engine_health(e, TOCSIN_HEALTH_FEED_DOWN, "f", 0, 0);
	flush(e);
}

static void what_nobody_cleared_stays_open_in_the_next_run(void **state)
{
	enum { N = sizeof all_left / sizeof *all_left };
	const struct test_folder *f = *state;
	char *ids[N];
	struct engine e;

	start(&e, f);
	say_all(&e);
	for (size_t i = 0; i < N; i++) {
		ids[i] = engine_firing(&e, all_left[i].code);
		assert_string_not_equal(ids[i], "");
	}
	engine_end(&e);
	assert_int_equal(saved_kind(f, "state"), SAVED_PICTURE_STOPPED);

	/* Twice: what a run has not raised itself it hands on all the same. */
	for (unsigned run = 0; run < 2; run++) {
		start(&e, f);
		for (size_t i = 0; i < N; i++) {
			_cleanup_free_ char *id = engine_firing(&e, all_left[i].code);

			assert_string_equal(id, all_left[i].stays ? ids[i] : "");
		}
		_cleanup_free_ char *down = engine_firing(&e, "ENGINE_DOWN");
		assert_string_equal(down, "");
		json_t *look = engine_look(&e);
		assert_int_equal(json_array_size(json_object_get(json_object_get(look, "registry"),
								 "sessions")),
				 0);
		json_decref(look);
		engine_end(&e);
	}
	for (size_t i = 0; i < N; i++)
		free(ids[i]);
}

static void raised_again_it_is_the_same_incident_and_a_clear_ends_it(void **state)
{
	const struct test_folder *f = *state;
	struct engine e;

	start(&e, f);
	assert_int_equal(engine_say(&e, TOCSIN_ALERT_RAISE, "i"), 0);
	_cleanup_free_ char *first = engine_firing(&e, "GENERAL");
	engine_end(&e);
	start(&e, f);
	assert_int_equal(engine_say(&e, TOCSIN_ALERT_RAISE, "i"), 0);
	_cleanup_free_ char *again = engine_firing(&e, "GENERAL");
	assert_string_equal(again, first);
	assert_int_equal(engine_say(&e, TOCSIN_ALERT_CLEAR, "i"), 0);
	_cleanup_free_ char *cleared = engine_firing(&e, "GENERAL");
	assert_string_equal(cleared, "");
	engine_end(&e);
	assert_int_equal(saved_kind(f, "state"), 0);
}

static void what_the_next_run_never_hears_of_expires_there(void **state)
{
	const struct test_folder *f = *state;
	struct engine e;

	start(&e, f);
	assert_int_equal(engine_say(&e, TOCSIN_ALERT_RAISE, "forgotten"), 0);
	flush(&e);
	engine_end(&e);
	engine_start(&e, f, "rules.event_expires", "1s", 0);
	for (unsigned n = 0;; n++) {
		_cleanup_free_ char *id = engine_firing(&e, "GENERAL");

		if (!*id)
			break;
		assert_true(n < TRIES);
		usleep(10000);
	}
	engine_end(&e);
}

static void a_recording_leaves_no_picture(void **state)
{
	const struct test_folder *f = *state;
	struct engine e;

	engine_start(&e, f, "clock.source", "event", 0);
	assert_int_equal(engine_say(&e, TOCSIN_ALERT_RAISE, "i"), 0);
	flush(&e);
	engine_end(&e);
	assert_int_equal(saved_kind(f, "state"), 0);
}

static void where_it_cannot_be_saved_the_recorder_stays(void **state)
{
	const struct test_folder *f = *state;
	struct engine e;

	start(&e, f);
	assert_int_equal(engine_say(&e, TOCSIN_ALERT_RAISE, "i"), 0);
	_cleanup_free_ char *first = engine_firing(&e, "GENERAL");
	await_saved(f, SAVED_PICTURE_RUNNING);
	/* No file replaces a folder. */
	assert_int_equal(unlinkat(f->fd, "state/" SAVED_PICTURE_FILE, 0), 0);
	assert_int_equal(mkdirat(f->fd, "state/" SAVED_PICTURE_FILE, 0700), 0);
	engine_end(&e);
	assert_int_equal(unlinkat(f->fd, "state/" SAVED_PICTURE_FILE, AT_REMOVEDIR), 0);
	start(&e, f);
	_cleanup_free_ char *again = engine_firing(&e, "GENERAL");
	assert_string_equal(again, first);
	_cleanup_free_ char *down = engine_firing(&e, "ENGINE_DOWN");
	assert_string_equal(down, "");
	engine_end(&e);
}

/* --- After a crash of the host --- */

static void a_crash_of_the_host_loses_no_open_incident(void **state)
{
	const struct test_folder *f = *state;
	struct engine e;

	start(&e, f);
	assert_int_equal(engine_say(&e, TOCSIN_ALERT_RAISE, "i"), 0);
	_cleanup_free_ char *first = engine_firing(&e, "GENERAL");
	await_saved(f, SAVED_PICTURE_RUNNING);
	/* All that a disk would have of it; the folder of the recorder is gone. */
	char command[256];
	snprintf(command, sizeof command,
		 "cd %s && mkdir after && cp -r state after/ && rm -f after/state/lock-*", f->path);
	assert_int_equal(system(command), 0);
	struct test_folder after = { .fd = -1 };
	snprintf(after.path, sizeof after.path, "%.50s/after", f->path);
	struct engine next;
	start(&next, &after);
	_cleanup_free_ char *again = engine_firing(&next, "GENERAL");
	assert_string_equal(again, first);
	_cleanup_free_ char *down = engine_firing(&next, "ENGINE_DOWN");
	assert_string_not_equal(down, "");
	engine_end(&next);
	engine_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(what_nobody_cleared_stays_open_in_the_next_run),
		test_in_folder(raised_again_it_is_the_same_incident_and_a_clear_ends_it),
		test_in_folder(what_the_next_run_never_hears_of_expires_there),
		test_in_folder(a_recording_leaves_no_picture),
		test_in_folder(where_it_cannot_be_saved_the_recorder_stays),
		test_in_folder(a_crash_of_the_host_loses_no_open_incident),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * What was first asked for, case by case, through the loaded plugin: events go in by its calls, the
 * picture comes out by its snapshot. The events' own clock makes the times exact.
 */
#include "config.h"
#include "host.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/moment.h"
#include "engine/snapshot_file.h"

#define LOOKS_MAX 60000           /* a millisecond apart */
#define WALL UINT64_C(1785750000) /* 2026-08-03T09:40:00Z */

struct desk {
	struct world *world;
	tocsin_instance *engine;
};

static int desk_make(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	void *world;

	if (!d || world_make(&world) < 0)
		return -1;
	d->world = world;
	option(d->world, "clock.source", "event");
	d->engine = start(d->world);
	*state = d;
	return 0;
}

static int desk_end(void **state)
{
	struct desk *d = *state;
	void *world = d->world;
	const tocsin_plugin *p = d->world->plugin;
	tocsin_rc rc = p->stop(d->engine, UINT64_MAX);

	p->destroy(d->engine);
	free(d);
	return world_end(&world) < 0 || rc != TOCSIN_OK ? -1 : 0;
}

static uint64_t wall(double s)
{
	return WALL * NS_PER_S + (uint64_t)(s * 1e9);
}

static void session(struct desk *d, double s, uint32_t kind, const char *id, const char *status)
{
	tocsin_session_event e = session_event(kind, id, status);
	const tocsin_kv kv = { STR("strategy"), STR("ma_cross") };

	e.head.wall_ns = wall(s);
	if (kind == TOCSIN_SESSION_CREATED) {
		e.kv = &kv;
		e.n_kv = 1;
	}
	assert_int_equal(d->world->plugin->on_session(d->engine, &e), TOCSIN_OK);
}

static void created(struct desk *d, double s, const char *id)
{
	session(d, s, TOCSIN_SESSION_CREATED, id, "");
}

static void becomes(struct desk *d, double s, const char *id, const char *status)
{
	session(d, s, TOCSIN_SESSION_STATUS, id, status);
}

static void health(struct desk *d, double s, uint32_t kind, const char *source)
{
	tocsin_health_event e = health_event(kind);
	const tocsin_kv kv = { STR("venue"), STR("okx") };

	e.head.wall_ns = wall(s);
	e.source = str(source);
	e.value = e.limit = (double)NAN;
	if (kind == TOCSIN_HEALTH_METADATA) {
		e.kv = &kv;
		e.n_kv = 1;
	}
	assert_int_equal(d->world->plugin->on_health(d->engine, &e), TOCSIN_OK);
}

static void raises(struct desk *d, double s, const char *code)
{
	tocsin_alert_event e = alert_event(TOCSIN_ALERT_RAISE, code);

	e.head.wall_ns = wall(s);
	assert_int_equal(d->world->plugin->on_alert(d->engine, &e, NULL), TOCSIN_OK);
}

/* The snapshot, and a member of it by a path like "alerts/recent/0/code". */
static json_t *take(struct desk *d)
{
	return snapshot(d->world, d->engine);
}

static json_t *member(json_t *json, const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		json = json_is_array(json) ? json_array_get(json, strtoul(path, NULL, 10))
					   : json_object_getn(json, path, len);
		path += len + (path[len] == '/');
	}
	return json;
}

static void assert_text(json_t *json, const char *path, const char *want)
{
	const char *text = json_string_value(member(json, path));

	assert_string_equal(text ? text : "(none)", want);
}

static void assert_number(json_t *json, const char *path, json_int_t want)
{
	assert_true(json_is_integer(member(json, path)));
	assert_int_equal(json_integer_value(member(json, path)), want);
}

/* The values of `key` in an array's objects whose `by` is `value` (NULL: all), one after another.
 */
static char *pick(json_t *array, const char *key, const char *by, const char *value)
{
	struct text_buffer b = { 0 };
	json_t *o;
	size_t i;

	json_array_foreach(array, i, o)
	{
		if (by && strcmp(json_string_value(json_object_get(o, by)), value) != 0)
			continue;
		text_buffer_printf(&b, "%s ", json_string_value(json_object_get(o, key)));
	}
	text_buffer_add(&b, STR(""));
	return b.ptr;
}

static void assert_picked(json_t *json, const char *array, const char *key, const char *by,
			  const char *value, const char *want)
{
	char *got = pick(member(json, array), key, by, value);

	assert_string_equal(got ? got : "", want);
	free(got);
}

/* --- Sessions --- */

static void session_created(void **state)
{
	struct desk *d = *state;

	created(d, 1, "shadow_001");
	json_t *json = take(d);
	assert_text(json, "registry/sessions/0/session_id", "shadow_001");
	assert_text(json, "registry/sessions/0/status", "started");
	assert_text(json, "registry/sessions/0/started_at", "2026-08-03T09:40:01.000000Z");
	assert_text(json, "registry/sessions/0/last_update", "2026-08-03T09:40:01.000000Z");
	assert_text(json, "registry/sessions/0/metadata/strategy", "ma_cross");
	json_decref(json);
}

static void session_got(void **state)
{
	struct desk *d = *state;

	created(d, 1, "a");
	created(d, 2, "b");
	json_t *json = take(d);
	assert_picked(json, "registry/sessions", "started_at", "session_id", "a",
		      "2026-08-03T09:40:01.000000Z ");
	json_decref(json);
}

static void session_not_found(void **state)
{
	struct desk *d = *state;

	created(d, 1, "a");
	becomes(d, 2, "unknown", "running");
	json_t *json = take(d);
	assert_number(json, "registry/summary/total_sessions", 1);
	assert_picked(json, "registry/sessions", "status", "session_id", "unknown", "");
	json_decref(json);
	/* The engine is told by the host's log too. */
	assert_int_equal(d->world->plugin->flush(d->engine, TOCSIN_FLUSH_DURABLE, UINT64_MAX),
			 TOCSIN_OK);
	assert_non_null(strstr(d->world->log, "unknown session: unknown"));
}

static void session_updated(void **state)
{
	struct desk *d = *state;

	created(d, 1, "a");
	becomes(d, 5, "a", "running");
	json_t *json = take(d);
	assert_text(json, "registry/sessions/0/status", "running");
	assert_text(json, "registry/sessions/0/started_at", "2026-08-03T09:40:01.000000Z");
	assert_text(json, "registry/sessions/0/last_update", "2026-08-03T09:40:05.000000Z");
	json_decref(json);
	becomes(d, 6, "a", "any word at all");
	json = take(d);
	assert_text(json, "registry/sessions/0/status", "any word at all");
	json_decref(json);
}

static void sessions_listed(void **state)
{
	struct desk *d = *state;

	json_t *json = take(d);
	assert_int_equal(json_array_size(member(json, "registry/sessions")), 0);
	json_decref(json);
	created(d, 1, "a");
	created(d, 2, "b");
	created(d, 3, "c");
	json = take(d);
	assert_int_equal(json_array_size(member(json, "registry/sessions")), 3);
	json_decref(json);
}

static void sessions_filtered(void **state)
{
	struct desk *d = *state;

	created(d, 1, "a");
	created(d, 2, "b");
	created(d, 3, "c");
	becomes(d, 4, "a", "failed");
	becomes(d, 5, "c", "failed");
	json_t *json = take(d);
	assert_picked(json, "registry/sessions", "session_id", "status", "failed", "c a ");
	assert_picked(json, "registry/sessions", "session_id", "status", "completed", "");
	json_decref(json);
}

static void sessions_summary(void **state)
{
	struct desk *d = *state;

	created(d, 1, "a");
	created(d, 2, "b");
	created(d, 3, "c");
	becomes(d, 4, "a", "completed");
	becomes(d, 5, "b", "own word");
	json_t *json = take(d);
	assert_number(json, "registry/summary/total_sessions", 3);
	assert_number(json, "registry/summary/by_status/started", 1);
	assert_number(json, "registry/summary/by_status/running", 0);
	assert_number(json, "registry/summary/by_status/completed", 1);
	assert_number(json, "registry/summary/by_status/failed", 0);
	assert_number(json, "registry/summary/by_status/own word", 1);
	json_decref(json);
}

static void sessions_newest_first(void **state)
{
	struct desk *d = *state;

	created(d, 1, "first");
	created(d, 2, "second");
	created(d, 3, "third");
	becomes(d, 4, "first", "running");
	json_t *json = take(d);
	assert_picked(json, "registry/sessions", "session_id", NULL, NULL, "third second first ");
	json_decref(json);
}

/* --- Status --- */

static void status_start(void **state)
{
	struct desk *d = *state;

	health(d, 10, TOCSIN_HEALTH_START, NULL);
	health(d, 12, TOCSIN_HEALTH_FEED_UP, "okx:ETH-USD");
	health(d, 70.5, TOCSIN_HEALTH_HEARTBEAT, NULL);
	json_t *json = take(d);
	/* With their fraction, as first specified. */
	assert_true(json_number_value(member(json, "status/system_uptime_s")) == 60.5);
	assert_true(json_number_value(member(json, "status/data_feed_uptime_s")) == 58.5);
	assert_true(json_is_null(member(json, "status/last_reconnect_ts")));
	json_decref(json);
}

static void status_reconnect(void **state)
{
	struct desk *d = *state;

	health(d, 10, TOCSIN_HEALTH_START, NULL);
	health(d, 10, TOCSIN_HEALTH_FEED_UP, "x");
	health(d, 100, TOCSIN_HEALTH_FEED_RECONNECT, "x");
	health(d, 130, TOCSIN_HEALTH_HEARTBEAT, NULL);
	json_t *json = take(d);
	assert_number(json, "status/system_uptime_s", 120);
	assert_number(json, "status/data_feed_uptime_s", 30);
	assert_text(json, "status/last_reconnect_ts", "2026-08-03T09:41:40.000000Z");
	json_decref(json);
}

static void status_drift_report(void **state)
{
	struct desk *d = *state;

	health(d, 10, TOCSIN_HEALTH_START, NULL);
	health(d, 25, TOCSIN_HEALTH_DRIFT, "x");
	json_t *json = take(d);
	assert_text(json, "status/last_drift_report_ts", "2026-08-03T09:40:25.000000Z");
	/* Without a value it is a report, and judges nothing. */
	assert_number(json, "alerts/open", 0);
	json_decref(json);
}

static void status_metadata(void **state)
{
	struct desk *d = *state;

	health(d, 10, TOCSIN_HEALTH_METADATA, NULL);
	json_t *json = take(d);
	assert_text(json, "status/metadata/venue", "okx");
	json_decref(json);
}

static void assert_before_start(json_t *json)
{
	assert_number(json, "status/system_uptime_s", 0);
	assert_number(json, "status/data_feed_uptime_s", 0);
	assert_true(json_is_null(member(json, "status/last_reconnect_ts")));
	assert_true(json_is_null(member(json, "status/last_drift_report_ts")));
	assert_int_equal(json_object_size(member(json, "status/metadata")), 0);
	assert_number(json, "registry/summary/total_sessions", 0);
	assert_number(json, "alerts/by_priority/P1", 0);
	json_decref(json);
}

static void status_before_start(void **state)
{
	struct desk *d = *state;

	assert_before_start(take(d));
	option(d->world, "engine.name", "unstarted");
	tocsin_instance *unstarted = make(d->world);
	assert_before_start(snapshot(d->world, unstarted));
	d->world->plugin->destroy(unstarted);
}

/* --- Alerts --- */

static void alert_p1(void **state)
{
	struct desk *d = *state;

	raises(d, 1, "DATA_FEED_DOWN");
	json_t *json = take(d);
	assert_text(json, "alerts/recent/0/priority", "P1");
	assert_text(json, "alerts/recent/0/code", "DATA_FEED_DOWN");
	assert_text(json, "alerts/recent/0/message", "m");
	assert_text(json, "alerts/recent/0/timestamp", "2026-08-03T09:40:01.000000Z");
	assert_text(json, "alerts/recent/0/state", "firing");
	assert_number(json, "alerts/recent/0/count", 1);
	assert_true(json_is_integer(member(json, "alerts/recent/0/number")));
	assert_true(json_is_string(member(json, "alerts/recent/0/alert_id")));
	json_decref(json);
}

static void alert_p2(void **state)
{
	struct desk *d = *state;

	raises(d, 1, "DRIFT_HIGH");
	json_t *json = take(d);
	assert_text(json, "alerts/recent/0/priority", "P2");
	assert_number(json, "alerts/by_priority/P2", 1);
	json_decref(json);
}

static void assert_runbook(struct desk *d, const char *code, const char *file)
{
	json_t *json;

	raises(d, 1, code);
	json = take(d);
	const char *link = json_string_value(member(json, "alerts/recent/0/runbook_link"));
	assert_non_null(link);
	assert_non_null(strrchr(link, '/'));
	assert_string_equal(strrchr(link, '/') + 1, file);
	json_decref(json);
}

static void alert_runbook_mapping(void **state)
{
	assert_runbook(*state, "DRIFT_CRITICAL", "drift_critical.md");
	assert_runbook(*state, "DATA_FEED_DOWN", "data_feed_down.md");
	assert_runbook(*state, "RISK_LIMIT_BREACH", "risk_limit_breach.md");
	assert_runbook(*state, "DRIFT_HIGH", "drift_high.md");
	assert_runbook(*state, "EXECUTION_ERROR", "execution_error.md");
}

static void alert_fallback(void **state)
{
	assert_runbook(*state, "UNKNOWN", "general.md");
	assert_runbook(*state, "not a code", "general.md");
	assert_runbook(*state, "GENERAL", "general.md");
}

static void alerts_recent(void **state)
{
	struct desk *d = *state;
	tocsin_alert_event clear = alert_event(TOCSIN_ALERT_CLEAR, "OLD");

	raises(d, 1, "OLD");
	clear.head.wall_ns = wall(2);
	assert_int_equal(d->world->plugin->on_alert(d->engine, &clear, NULL), TOCSIN_OK);
	json_t *json = take(d);
	assert_text(json, "alerts/recent/0/state", "resolved");
	json_decref(json);
	raises(d, 24 * 3600 + 2, "NEW");
	json = take(d);
	assert_picked(json, "alerts/recent", "code", NULL, NULL, "NEW OLD ");
	json_decref(json);
	raises(d, 24 * 3600 + 3, "NEW");
	json = take(d);
	assert_picked(json, "alerts/recent", "code", NULL, NULL, "NEW ");
	json_decref(json);
}

static void alerts_recent_by_priority(void **state)
{
	struct desk *d = *state;

	raises(d, 1, "DATA_FEED_DOWN");
	raises(d, 2, "DRIFT_HIGH");
	raises(d, 3, "RISK_LIMIT_BREACH");
	json_t *json = take(d);
	assert_picked(json, "alerts/recent", "code", "priority", "P1",
		      "RISK_LIMIT_BREACH DATA_FEED_DOWN ");
	assert_picked(json, "alerts/recent", "code", "priority", "P2", "DRIFT_HIGH ");
	assert_picked(json, "alerts/recent", "code", "priority", "P3", "");
	json_decref(json);
}

static void alerts_counts(void **state)
{
	struct desk *d = *state;

	raises(d, 1, "DATA_FEED_DOWN");
	raises(d, 2, "DATA_FEED_DOWN");
	raises(d, 3, "UNKNOWN");
	json_t *json = take(d);
	assert_number(json, "alerts/by_priority/P1", 2);
	assert_number(json, "alerts/by_priority/P2", 0);
	assert_number(json, "alerts/by_priority/P3", 1);
	json_decref(json);
}

static void alerts_newest_first(void **state)
{
	struct desk *d = *state;

	raises(d, 1, "A");
	raises(d, 2, "B");
	raises(d, 3, "C");
	raises(d, 4, "A");
	json_t *json = take(d);
	assert_picked(json, "alerts/recent", "code", NULL, NULL, "A C B ");
	json_decref(json);
}

/* --- The same picture as a file --- */

static void the_file_shows_the_last_picture_of_an_engine_that_stopped(void **state)
{
	struct desk *d = *state;
	json_t *json = NULL;
	bool alive = true;

	created(d, 1, "a");
	raises(d, 2, "DRIFT_HIGH");
	assert_int_equal(d->world->plugin->stop(d->engine, UINT64_MAX), TOCSIN_OK);
	json_t *now = take(d);
	assert_int_equal(snapshot_file_read(d->world->state, &json, &alive), 0);
	assert_false(alive);
	assert_true(json_equal(member(json, "registry"), member(now, "registry")));
	assert_true(json_equal(member(json, "alerts"), member(now, "alerts")));
	assert_true(json_is_string(member(json, "stopped_at")));
	json_decref(json);
	json_decref(now);
}

/* The first one is on its way since the start. */
static json_t *await_file(const struct world *w, bool *ret_alive)
{
	json_t *json = NULL;

	for (unsigned i = 0; i < LOOKS_MAX; i++) {
		if (snapshot_file_read(w->state, &json, ret_alive) == 0)
			return json;
		usleep(1000);
	}
	fail_msg("no %s", SNAPSHOT_FILE);
	return NULL;
}

static void the_file_tells_an_engine_that_was_killed(void **state)
{
	struct world *w = *state;
	json_t *json = NULL;
	bool alive = false;
	pid_t pid = fork();

	if (pid == 0) {
		start(w);
		for (;;)
			pause();
	}
	json_decref(await_file(w, &alive));
	assert_true(alive);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (unsigned again = 0; again < 2; again++) {
		assert_int_equal(snapshot_file_read(w->state, &json, &alive), 0);
		assert_false(alive);
		assert_true(json_is_null(member(json, "stopped_at")));
		json_decref(json);
	}
}

static void the_file_tells_a_living_engine(void **state)
{
	struct desk *d = *state;
	bool alive = false;
	json_t *json = await_file(d->world, &alive);

	assert_true(alive);
	assert_number(json, "engine_pid", getpid());
	assert_text(json, "runtime_dir", d->world->runtime);
	assert_int_equal(strncmp(json_string_value(member(json, "recorder")), "ring-", 5), 0);
	assert_true(json_is_null(member(json, "stopped_at")));
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define with(test) cmocka_unit_test_setup_teardown(test, desk_make, desk_end)
		with(session_created),
		with(session_got),
		with(session_not_found),
		with(session_updated),
		with(sessions_listed),
		with(sessions_filtered),
		with(sessions_summary),
		with(sessions_newest_first),
		with(status_start),
		with(status_reconnect),
		with(status_drift_report),
		with(status_metadata),
		with(status_before_start),
		with(alert_p1),
		with(alert_p2),
		with(alert_runbook_mapping),
		with(alert_fallback),
		with(alerts_recent),
		with(alerts_recent_by_priority),
		with(alerts_counts),
		with(alerts_newest_first),
		with(the_file_shows_the_last_picture_of_an_engine_that_stopped),
		with(the_file_tells_a_living_engine),
		in_world(the_file_tells_an_engine_that_was_killed),
#undef with
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

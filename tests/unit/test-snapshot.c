/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture_fixture.h"

#include "picture/snapshot.h"

static int make(void **state)
{
	struct picture_settings settings = fixture_settings();
	struct fixture *f = calloc(1, sizeof *f);

	fixture_start(f, &settings);
	*state = f;
	return 0;
}

static int drop(void **state)
{
	fixture_done(*state);
	free(*state);
	return 0;
}

static void apply(struct fixture *f, double s, struct record r)
{
	apply_at(f, s, &r);
}

static char *link_of(void *userdata, tocsin_str code)
{
	struct text_buffer b = { 0 };

	text_buffer_add(&b, str(userdata));
	text_buffer_add(&b, code);
	return b.ptr;
}

static char base_url[] = "https://runbooks/";

static json_t *take(struct fixture *f, double s)
{
	json_t *json = picture_snapshot(f->picture, "engine", at_s(s), link_of, base_url);

	assert_non_null(json);
	return json;
}

/* The member at a path like "alerts/recent/0/code". */
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
	assert_true(json_is_string(member(json, path)));
	assert_string_equal(json_string_value(member(json, path)), want);
}

static void assert_number(json_t *json, const char *path, json_int_t want)
{
	assert_true(json_is_integer(member(json, path)));
	assert_int_equal(json_integer_value(member(json, path)), want);
}

static void an_empty_picture_has_every_member(void **state)
{
	json_t *json = take(*state, 3);

	assert_text(json, "timestamp", "2026-08-03T09:40:03.000000Z");
	assert_text(json, "engine", "engine");
	assert_number(json, "registry/summary/total_sessions", 0);
	assert_number(json, "registry/summary/by_status/failed", 0);
	assert_int_equal(json_array_size(member(json, "registry/sessions")), 0);
	assert_true(json_is_array(member(json, "registry/sessions")));
	assert_number(json, "status/system_uptime_s", 3);
	assert_number(json, "status/data_feed_uptime_s", 0);
	assert_true(json_is_null(member(json, "status/last_reconnect_ts")));
	assert_true(json_is_null(member(json, "status/last_drift_report_ts")));
	assert_true(json_is_object(member(json, "status/metadata")));
	assert_true(json_is_array(member(json, "status/feeds")));
	assert_number(json, "alerts/by_priority/P1", 0);
	assert_number(json, "alerts/by_priority/P2", 0);
	assert_number(json, "alerts/by_priority/P3", 0);
	assert_true(json_is_array(member(json, "alerts/recent")));
	json_decref(json);
}

static void sessions_come_newest_first_with_their_summary(void **state)
{
	struct record a = session_of(TOCSIN_SESSION_CREATED, "a", NULL);

	a.kv[0] = (tocsin_kv){ STR("strategy"), STR("ma_cross") };
	a.n_kv = 1;
	apply(*state, 1, a);
	apply(*state, 2, session_of(TOCSIN_SESSION_CREATED, "b", "odd"));
	apply(*state, 3, session_of(TOCSIN_SESSION_CREATED, "c", "odd"));
	apply(*state, 4, session_of(TOCSIN_SESSION_STATUS, "a", "running"));
	json_t *json = take(*state, 5);
	assert_number(json, "registry/summary/total_sessions", 3);
	assert_number(json, "registry/summary/by_status/running", 1);
	assert_number(json, "registry/summary/by_status/odd", 2);
	assert_number(json, "registry/summary/by_status/started", 0);
	assert_text(json, "registry/sessions/0/session_id", "c");
	assert_text(json, "registry/sessions/2/session_id", "a");
	assert_text(json, "registry/sessions/2/status", "running");
	assert_text(json, "registry/sessions/2/started_at", "2026-08-03T09:40:01.000000Z");
	assert_text(json, "registry/sessions/2/last_update", "2026-08-03T09:40:04.000000Z");
	assert_text(json, "registry/sessions/2/metadata/strategy", "ma_cross");
	json_decref(json);
}

static void status_tells_of_the_system_and_each_feed(void **state)
{
	struct record m = health_of(TOCSIN_HEALTH_METADATA, NULL);

	m.kv[0] = (tocsin_kv){ STR("venue"), STR("okx") };
	m.n_kv = 1;
	apply(*state, 10, health_of(TOCSIN_HEALTH_START, NULL));
	apply(*state, 11, health_of(TOCSIN_HEALTH_FEED_UP, "x"));
	apply(*state, 12, health_of(TOCSIN_HEALTH_FEED_RECONNECT, "y"));
	apply(*state, 13, health_of(TOCSIN_HEALTH_FEED_PULSE, "y"));
	apply(*state, 14, health_of(TOCSIN_HEALTH_FEED_DOWN, "x"));
	apply(*state, 14, health_of(TOCSIN_HEALTH_DRIFT, "x"));
	apply(*state, 14, m);
	json_t *json = take(*state, 20);
	assert_number(json, "status/system_uptime_s", 10);
	assert_number(json, "status/data_feed_uptime_s", 8);
	assert_text(json, "status/last_reconnect_ts", "2026-08-03T09:40:12.000000Z");
	assert_text(json, "status/last_drift_report_ts", "2026-08-03T09:40:14.000000Z");
	assert_text(json, "status/metadata/venue", "okx");
	assert_text(json, "status/feeds/0/source", "x");
	assert_true(json_is_false(member(json, "status/feeds/0/up")));
	assert_number(json, "status/feeds/0/uptime_s", 0);
	assert_true(json_is_null(member(json, "status/feeds/0/last_pulse_ts")));
	assert_true(json_is_true(member(json, "status/feeds/1/up")));
	assert_number(json, "status/feeds/1/uptime_s", 8);
	assert_text(json, "status/feeds/1/last_pulse_ts", "2026-08-03T09:40:13.000000Z");
	json_decref(json);
}

/* Until it gives a sign again. */
static void a_feed_that_is_silent_for_a_minute_is_not_up(void **state)
{
	static const struct {
		double s;
		bool pulse, up;
		json_int_t uptime;
	} rows[] = { { 10, true, true, 0 },   { 14, false, true, 4 }, { 15.5, false, false, 0 },
		     { 70, false, false, 0 }, { 71, true, true, 61 }, { 131, false, false, 0 } };
	struct fixture *f = *state;

	apply(f, 10, health_of(TOCSIN_HEALTH_FEED_UP, "x"));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *json;

		if (rows[i].pulse)
			apply(f, rows[i].s, health_of(TOCSIN_HEALTH_FEED_PULSE, "x"));
		picture_advance(f->picture, at_s(rows[i].s));
		json = take(f, rows[i].s);
		assert_true(json_is_true(member(json, "status/feeds/0/up")) == rows[i].up);
		assert_number(json, "status/feeds/0/uptime_s", rows[i].uptime);
		assert_number(json, "status/data_feed_uptime_s", rows[i].uptime);
		json_decref(json);
	}
}

static void alerts_come_newest_first_with_their_runbook(void **state)
{
	apply(*state, 1, alert_of(TOCSIN_ALERT_RAISE, 1, "MY_CODE", "s", "i", "oh"));
	apply(*state, 2, alert_of(TOCSIN_ALERT_RAISE, 0, "bad code", NULL, NULL, "ah"));
	apply(*state, 3, alert_of(TOCSIN_ALERT_RAISE, 1, "MY_CODE", "s", "i", "oh no"));
	apply(*state, 4, alert_of(TOCSIN_ALERT_CLEAR, 0, "bad code", NULL, NULL, NULL));
	json_t *json = take(*state, 5);
	assert_number(json, "alerts/by_priority/P1", 2);
	assert_number(json, "alerts/by_priority/P3", 1);
	assert_text(json, "alerts/recent/0/alert_id", "abcd0000000000000000000000000000-1-call");
	assert_number(json, "alerts/recent/0/number", 3);
	assert_text(json, "alerts/recent/0/priority", "P1");
	assert_text(json, "alerts/recent/0/code", "MY_CODE");
	assert_text(json, "alerts/recent/0/message", "oh no");
	assert_text(json, "alerts/recent/0/runbook_link", "https://runbooks/MY_CODE");
	assert_text(json, "alerts/recent/0/timestamp", "2026-08-03T09:40:03.000000Z");
	assert_text(json, "alerts/recent/0/session_id", "s");
	assert_text(json, "alerts/recent/0/instance", "i");
	assert_text(json, "alerts/recent/0/state", "firing");
	assert_number(json, "alerts/recent/0/count", 2);
	assert_true(json_is_object(member(json, "alerts/recent/0/metadata")));
	assert_true(json_is_null(member(json, "alerts/recent/0/value")));
	assert_text(json, "alerts/recent/1/state", "resolved");
	assert_text(json, "alerts/recent/1/raw_code", "bad code");
	assert_text(json, "alerts/recent/1/runbook_link", "https://runbooks/GENERAL");
	assert_true(json_is_null(member(json, "alerts/recent/1/session_id")));
	json_decref(json);
}

static void figures_that_are_no_numbers_are_null(void **state)
{
	apply(*state, 1, figure_of(TOCSIN_HEALTH_RISK, "a", NULL, NAN, INFINITY));
	apply(*state, 2, figure_of(TOCSIN_HEALTH_RISK, "b", NULL, 2, 1));
	json_t *json = take(*state, 5);
	assert_true(json_is_null(member(json, "alerts/recent/1/value")));
	assert_true(json_is_null(member(json, "alerts/recent/1/limit")));
	assert_true(json_real_value(member(json, "alerts/recent/0/value")) == 2);
	assert_true(json_real_value(member(json, "alerts/recent/0/limit")) == 1);
	json_decref(json);
}

static void hostile_text_leaves_it_valid(void **state)
{
	struct record r = session_of(TOCSIN_SESSION_CREATED, NULL, NULL);

	r.session_id = r.status = STR("a\0\xff\n\x1b\"\\");
	r.kv[0] = (tocsin_kv){ r.status, r.status };
	r.n_kv = 1;
	apply(*state, 1, r);
	r.type = RECORD_HEALTH;
	r.kind = TOCSIN_HEALTH_FEED_DOWN;
	r.source = r.session_id;
	apply(*state, 2, r);
	r.kind = TOCSIN_HEALTH_METADATA;
	apply(*state, 2, r);
	r.type = RECORD_ALERT;
	r.kind = TOCSIN_ALERT_RAISE;
	r.code = r.message = r.instance = r.session_id;
	apply(*state, 3, r);
	json_t *json = take(*state, 5);
	char *text = json_dumps(json, 0);
	assert_non_null(text);
	json_t *back = json_loads(text, 0, NULL);
	assert_true(json_equal(json, back));
	assert_text(json, "registry/sessions/0/session_id", "a\xef\xbf\xbd\xef\xbf\xbd\n\x1b\"\\");
	free(text);
	json_decref(back);
	json_decref(json);
}

static void without_a_linker_links_are_null(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, alert_of(TOCSIN_ALERT_RAISE, 1, "MY_CODE", NULL, NULL, NULL));
	json_t *json = picture_snapshot(f->picture, NULL, at_s(2), NULL, NULL);
	assert_true(json_is_null(member(json, "alerts/recent/0/runbook_link")));
	assert_true(json_is_null(member(json, "engine")));
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define with(test) cmocka_unit_test_setup_teardown(test, make, drop)
		with(an_empty_picture_has_every_member),
		with(sessions_come_newest_first_with_their_summary),
		with(status_tells_of_the_system_and_each_feed),
		with(a_feed_that_is_silent_for_a_minute_is_not_up),
		with(alerts_come_newest_first_with_their_runbook),
		with(figures_that_are_no_numbers_are_null),
		with(hostile_text_leaves_it_valid),
		with(without_a_linker_links_are_null),
#undef with
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture_fixture.h"

#include "picture/status.h"

static struct status status;
static uint64_t position;

static int make(void **state)
{
	(void)state;
	position = 0;
	return status_init(&status, at_s(0));
}

static int drop(void **state)
{
	(void)state;
	status_done(&status);
	return 0;
}

static void told(double s, uint32_t kind, const char *source)
{
	struct record r = health_of(kind, source);

	status_apply(&status, &r, ++position, at_s(s));
	/* The rules do that with each sign of a feed. */
	for (size_t i = 0; i < status.n_feeds; i++)
		status.feeds[i].alarmed = false;
}

static void after_the_start_the_system_uptime_counts(void **state)
{
	(void)state;
	told(10, TOCSIN_HEALTH_START, NULL);
	assert_true(status.started);
	assert_int_equal(status_system_uptime(&status, at_s(10)), 0);
	assert_int_equal(status_system_uptime(&status, at_s(72.9)), 62);
	told(100, TOCSIN_HEALTH_START, NULL);
	assert_int_equal(status_system_uptime(&status, at_s(101)), 1);
}

static void a_reconnect_restarts_the_feed_uptime(void **state)
{
	(void)state;
	told(1, TOCSIN_HEALTH_FEED_UP, "a");
	assert_int_equal(status_feed_uptime(&status, at_s(11)), 10);
	told(20, TOCSIN_HEALTH_FEED_RECONNECT, "a");
	assert_int_equal(status_feed_uptime(&status, at_s(25)), 5);
	assert_int_equal(status.last_reconnect.clock_ns, SECONDS(20));
}

static void a_drift_report_is_dated(void **state)
{
	(void)state;
	assert_int_equal(status.last_drift_report.wall_ns, 0);
	told(7, TOCSIN_HEALTH_DRIFT, "a");
	assert_int_equal(status.last_drift_report.clock_ns, SECONDS(7));
}

static void metadata_is_merged_from_its_own_events_alone(void **state)
{
	struct record r = health_of(TOCSIN_HEALTH_METADATA, NULL);

	(void)state;
	r.kv[0] = (tocsin_kv){ STR("venue"), STR("okx") };
	r.n_kv = 1;
	status_apply(&status, &r, 1, at_s(1));
	r.kind = TOCSIN_HEALTH_HEARTBEAT;
	r.kv[0] = (tocsin_kv){ STR("other"), STR("x") };
	status_apply(&status, &r, 2, at_s(2));
	assert_int_equal(status.metadata.n, 1);
	assert_true(str_is(status.metadata.kv[0].value, "okx"));
}

static void before_the_start_every_uptime_is_zero(void **state)
{
	struct status before;

	(void)state;
	assert_int_equal(status_init(&before, (struct moment){ 0, 0 }), 0);
	assert_false(before.started);
	assert_int_equal(status_system_uptime(&before, at_s(100)), 0);
	assert_int_equal(status_feed_uptime(&before, at_s(100)), 0);
	status_done(&before);
}

static void without_a_start_event_the_uptime_counts_from_our_own_start(void **state)
{
	(void)state;
	assert_false(status.started);
	assert_int_equal(status_system_uptime(&status, at_s(3)), 3);
}

static void a_feed_that_is_down_has_no_uptime(void **state)
{
	(void)state;
	told(1, TOCSIN_HEALTH_FEED_UP, "a");
	told(2, TOCSIN_HEALTH_FEED_DOWN, "a");
	assert_int_equal(status_feed_uptime(&status, at_s(9)), 0);
	assert_false(status_find_feed(&status, STR("a"))->up);
}

static void a_feed_that_is_silent_has_no_uptime(void **state)
{
	(void)state;
	told(1, TOCSIN_HEALTH_FEED_UP, "a");
	told(5, TOCSIN_HEALTH_FEED_UP, "b");
	status_feed(&status, STR("b"))->alarmed = true;
	assert_true(feed_is_up(status_find_feed(&status, STR("a"))));
	assert_false(feed_is_up(status_find_feed(&status, STR("b"))));
	assert_int_equal(feed_uptime(status_find_feed(&status, STR("b")), at_s(11)), 0);
	assert_int_equal(status_feed_uptime(&status, at_s(11)), 10);
}

static void the_overall_feed_uptime_is_that_of_the_last_to_come_up(void **state)
{
	(void)state;
	told(1, TOCSIN_HEALTH_FEED_UP, "a");
	told(5, TOCSIN_HEALTH_FEED_UP, "b");
	told(6, TOCSIN_HEALTH_FEED_UP, "a");
	assert_int_equal(status_feed_uptime(&status, at_s(9)), 4);
	told(10, TOCSIN_HEALTH_FEED_DOWN, "b");
	assert_int_equal(status_feed_uptime(&status, at_s(11)), 10);
}

static void a_pulse_means_that_the_feed_is_up(void **state)
{
	(void)state;
	told(1, TOCSIN_HEALTH_FEED_PULSE, "a");
	told(4, TOCSIN_HEALTH_FEED_PULSE, "a");
	const struct feed *f = status_find_feed(&status, STR("a"));
	assert_true(f->up);
	assert_true(f->pulsed);
	assert_int_equal(f->up_since.clock_ns, SECONDS(1));
	assert_int_equal(f->last_pulse.clock_ns, SECONDS(4));
	assert_int_equal(f->last_sign_position, 2);
}

static void a_heartbeat_is_kept_with_its_position(void **state)
{
	(void)state;
	told(1, TOCSIN_HEALTH_FEED_UP, "a");
	told(2, TOCSIN_HEALTH_HEARTBEAT, NULL);
	assert_int_equal(status.last_heartbeat.clock_ns, SECONDS(2));
	assert_int_equal(status.last_heartbeat_position, 2);
}

static void sources_are_told_apart_by_all_their_bytes(void **state)
{
	(void)state;
	struct feed *plain = status_feed(&status, STR("a"));
	struct feed *with_nul = status_feed(&status, STR("a\0b"));
	struct feed *nameless = status_feed(&status, (tocsin_str){ NULL, 0 });
	assert_int_equal(status.n_feeds, 3);
	assert_ptr_equal(status_find_feed(&status, STR("a")), plain);
	assert_ptr_equal(status_find_feed(&status, STR("a\0b")), with_nul);
	assert_ptr_equal(status_find_feed(&status, STR("")), nameless);
	assert_null(status_find_feed(&status, STR("b")));
}

static void of_too_many_feeds_the_longest_unheard_goes(void **state)
{
	char source[16];

	(void)state;
	for (unsigned i = 0; i < STATUS_FEEDS_MAX; i++) {
		snprintf(source, sizeof source, "f%u", i);
		told(1 + i, TOCSIN_HEALTH_FEED_PULSE, source);
	}
	told(500, TOCSIN_HEALTH_FEED_DOWN, "f0");
	told(501, TOCSIN_HEALTH_FEED_PULSE, "new");
	assert_int_equal(status.n_feeds, STATUS_FEEDS_MAX);
	assert_null(status_find_feed(&status, STR("f1")));
	assert_non_null(status_find_feed(&status, STR("f0")));
	assert_non_null(status_find_feed(&status, STR("new")));
	for (unsigned i = 2; i < STATUS_FEEDS_MAX; i++) {
		snprintf(source, sizeof source, "f%u", i);
		assert_string_equal(status_find_feed(&status, str(source))->source, source);
	}
}

static void a_feed_far_too_long_is_cut_and_found_again(void **state)
{
	static char source[65536];

	(void)state;
	memset(source, 'x', sizeof source);
	struct feed *f = status_feed(&status, (tocsin_str){ source, sizeof source });
	assert_int_equal(f->source_len, TOCSIN_ID_MAX);
	status_feed(&status, STR("other"));
	assert_ptr_equal(status_find_feed(&status, (tocsin_str){ source, sizeof source }), f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define with(test) cmocka_unit_test_setup_teardown(test, make, drop)
		with(after_the_start_the_system_uptime_counts),
		with(a_reconnect_restarts_the_feed_uptime),
		with(a_drift_report_is_dated),
		with(metadata_is_merged_from_its_own_events_alone),
		with(before_the_start_every_uptime_is_zero),
		with(without_a_start_event_the_uptime_counts_from_our_own_start),
		with(a_feed_that_is_down_has_no_uptime),
		with(a_feed_that_is_silent_has_no_uptime),
		with(the_overall_feed_uptime_is_that_of_the_last_to_come_up),
		with(a_pulse_means_that_the_feed_is_up),
		with(a_heartbeat_is_kept_with_its_position),
		with(sources_are_told_apart_by_all_their_bytes),
		with(of_too_many_feeds_the_longest_unheard_goes),
		with(a_feed_far_too_long_is_cut_and_found_again),
#undef with
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

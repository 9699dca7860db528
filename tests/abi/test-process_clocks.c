/* SPDX-License-Identifier: MIT */
/*
 * The wall clock jumps by hours while the plugin works. This program's clock_gettime, gettimeofday
 * and time stand before the C library's for the whole process, the plugin and its libraries
 * included; CLOCK_MONOTONIC goes on as it does when somebody sets the clock.
 */
#include "config.h"
#include "receiver.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#define MINUTES_NS(n) ((n)*INT64_C(60000000000))
#define HOURS_NS(n) MINUTES_NS(60 * (n))
#define ASKED_MAX 30000 /* a millisecond apart */
#define LATE_MS 20

static _Atomic int64_t wall_shift_ns, shift_at_reading_ns;

static void jump(int hours)
{
	atomic_fetch_add(&wall_shift_ns, HOURS_NS(hours));
}

/* From now on the clock jumps each time that it is read: so also in the midst of any waiting. */
static void jump_at_each_reading(int minutes)
{
	atomic_store(&shift_at_reading_ns, MINUTES_NS(minutes));
}

/* --- The clock of this process --- */

static int64_t wall_now_ns(void)
{
	struct timespec t;

	syscall(SYS_clock_gettime, CLOCK_REALTIME, &t);
	atomic_fetch_add(&wall_shift_ns, atomic_load(&shift_at_reading_ns));
	return t.tv_sec * (int64_t)NS_PER_S + t.tv_nsec + atomic_load(&wall_shift_ns);
}

TOCSIN_EXPORT int clock_gettime(clockid_t clock, struct timespec *ret)
{
	if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)
		return (int)syscall(SYS_clock_gettime, clock, ret);
	int64_t now = wall_now_ns();
	*ret = (struct timespec){ now / (int64_t)NS_PER_S, now % (int64_t)NS_PER_S };
	return 0;
}

TOCSIN_EXPORT int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
	int64_t now = wall_now_ns();

	(void)zone;
	*ret = (struct timeval){ now / (int64_t)NS_PER_S, now % (int64_t)NS_PER_S / 1000 };
	return 0;
}

TOCSIN_EXPORT time_t time(time_t *ret)
{
	time_t now = (time_t)(wall_now_ns() / (int64_t)NS_PER_S);

	if (ret)
		*ret = now;
	return now;
}

/* --- What the tests share --- */

static const int directions[] = { 5, -5 };
#define EACH_DIRECTION(hours) for (const int *hours = directions; hours < directions + 2; hours++)

static int clocks_make(void **state)
{
	/* Do they all ask us? */
	if (dlsym(RTLD_DEFAULT, "clock_gettime") != (void *)(uintptr_t)clock_gettime)
		return -1;
	atomic_store(&wall_shift_ns, 0);
	jump_at_each_reading(0);
	return world_make(state);
}

#define in_time(f) cmocka_unit_test_setup_teardown(f, clocks_make, world_end)

static void end(struct world *w, tocsin_instance *i)
{
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
}

static void raises(struct world *w, tocsin_instance *i, const char *session)
{
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "DATA_FEED_DOWN");

	a.priority = 1;
	a.session_id = str(session);
	assert_int_equal(w->plugin->on_alert(i, &a, NULL), TOCSIN_OK);
}

static void clears(struct world *w, tocsin_instance *i, const char *session)
{
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_CLEAR, "DATA_FEED_DOWN");

	a.session_id = str(session);
	assert_int_equal(w->plugin->on_alert(i, &a, NULL), TOCSIN_OK);
}

static void reports(struct world *w, tocsin_instance *i, uint32_t kind)
{
	tocsin_health_event h = health_event(kind);

	h.source = STR("feed");
	assert_int_equal(w->plugin->on_health(i, &h), TOCSIN_OK);
}

static void runs(struct world *w, tocsin_instance *i, const char *session)
{
	tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, session, "running");

	assert_int_equal(w->plugin->on_session(i, &s), TOCSIN_OK);
}

/* An incident stays open over a stop: raised again in the same session it would not be paged. */
static const char *session_of(int hours)
{
	return hours > 0 ? "forth" : "back";
}

/* How many recent alerts there are. */
static size_t alerts_now(struct world *w, tocsin_instance *i)
{
	json_t *json = snapshot(w, i);
	size_t n = json_array_size(json_object_get(json_object_get(json, "alerts"), "recent"));

	json_decref(json);
	return n;
}

static void await_alerts(struct world *w, tocsin_instance *i, size_t n)
{
	for (unsigned asked = 0; asked < ASKED_MAX; asked++) {
		if (alerts_now(w, i) == n)
			return;
		usleep(1000);
	}
	fail_msg("%zu alerts were expected", n);
}

static void delivered(struct world *w, tocsin_instance *i)
{
	assert_int_equal(w->plugin->flush(i, TOCSIN_FLUSH_DELIVERED, UINT64_MAX), TOCSIN_OK);
}

/* --- Delivery --- */

static void a_jump_delays_no_retry(void **state)
{
	static const char *const steps[] = { STEP_BUSY, STEP_BUSY, STEP_BUSY, STEP_TAKE };
	struct world *w = *state;

	EACH_DIRECTION(hours)
	{
		struct receiver *r = receiver_start(steps, 4);
		option(w, "webhook.url", r->url);
		tocsin_instance *i = start(w);

		raises(w, i, session_of(*hours));
		for (unsigned n = 1; n <= 3; n++) {
			receiver_wait(r, n);
			jump(n % 2 ? *hours : -*hours);
		}
		receiver_wait(r, 4);
		delivered(w, i);
		end(w, i);
		receiver_stop(r);
		w->n_options--;
	}
}

static void a_page_that_waited_on_disk_goes_at_once_after_a_jump(void **state)
{
	static const char *const busy[] = { STEP_BUSY }, *const take[] = { STEP_TAKE };
	struct world *w = *state;

	EACH_DIRECTION(hours)
	{
		struct receiver *r = receiver_start(busy, 1);
		option(w, "webhook.url", r->url);
		tocsin_instance *i = start(w);

		raises(w, i, "s");
		jump(*hours);
		clears(w, i, "s");
		receiver_wait(r, 1);
		while (w->plugin->stop(i, 100 * NS_PER_MS) != TOCSIN_OK)
			;
		w->plugin->destroy(i);

		jump(*hours);
		receiver_script(r, take, 1);
		unsigned before = receiver_seen(r);
		i = start(w);
		delivered(w, i);
		end(w, i);
		assert_int_equal(receiver_seen(r), before + 2);
		assert_int_equal(receiver_find(r, ".raised", before), (int)before);
		assert_int_equal(receiver_find(r, ".resolved", before), (int)before + 1);
		receiver_stop(r);
		w->n_options--;
	}
}

static void a_jump_turns_no_raising_and_resolution_round(void **state)
{
	static const char *const steps[] = { STEP_BUSY, STEP_TAKE };
	struct world *w = *state;

	EACH_DIRECTION(hours)
	{
		struct receiver *r = receiver_start(steps, 2);
		option(w, "webhook.url", r->url);
		tocsin_instance *i = start(w);

		raises(w, i, "s");
		receiver_wait(r, 1);
		jump(*hours);
		clears(w, i, "s");
		delivered(w, i);
		end(w, i);
		assert_int_equal(receiver_seen(r), 3);
		assert_int_equal(receiver_find(r, ".raised", 1), 1);
		assert_int_equal(receiver_find(r, ".resolved", 1), 2);
		receiver_stop(r);
		w->n_options--;
	}
}

/* How late the page that came as the n-th says it is. */
static double lateness(struct receiver *r, unsigned n)
{
	json_t *json = json_loads(r->seen[n].body, 0, NULL);
	double late =
		json_number_value(json_object_get(json_object_get(json, "data"), "delayed_by_s"));

	assert_non_null(json);
	json_decref(json);
	return late;
}

static void a_jump_makes_no_page_hours_late(void **state)
{
	static const char *const hang[] = { STEP_HANG }, *const take[] = { STEP_TAKE };
	struct world *w = *state;

	EACH_DIRECTION(hours)
	{
		struct receiver *r = receiver_start(hang, 1);
		option(w, "webhook.url", r->url);
		tocsin_instance *i = start(w);
		uint64_t from_ns = clock_monotonic_ns();

		raises(w, i, session_of(*hours));
		receiver_wait(r, 1);
		usleep(LATE_MS * 1000);
		jump(*hours);
		receiver_script(r, take, 1);
		delivered(w, i);
		double spent_s = (double)(clock_monotonic_ns() - from_ns) / 1e9;
		end(w, i);
		assert_true(lateness(r, 1) >= LATE_MS / 1e3);
		assert_true(lateness(r, 1) <= spent_s);
		receiver_stop(r);
		w->n_options--;
	}
}

static void asked_to_come_later_by_a_date_it_comes_then_whatever_our_clock_says(void **state)
{
	static const char *const steps[] = {
		STEP_BUSY "Date: Mon, 03 Aug 2026 09:56:36 GMT\r\n"
			  "Retry-After: Mon, 03 Aug 2026 09:56:37 GMT\r\n",
		STEP_TAKE,
	};
	struct world *w = *state;

	EACH_DIRECTION(hours)
	{
		struct receiver *r = receiver_start(steps, 2);
		option(w, "webhook.url", r->url);
		jump(*hours);
		tocsin_instance *i = start(w);

		raises(w, i, session_of(*hours));
		receiver_wait(r, 1);
		jump(*hours);
		delivered(w, i);
		assert_int_equal(receiver_seen(r), 2);
		end(w, i);
		receiver_stop(r);
		w->n_options--;
	}
}

static void asked_to_come_later_in_seconds_a_jump_changes_nothing(void **state)
{
	static const char *const steps[] = { STEP_BUSY "Retry-After: 1\r\n", STEP_TAKE };
	struct world *w = *state;

	EACH_DIRECTION(hours)
	{
		struct receiver *r = receiver_start(steps, 2);
		option(w, "webhook.url", r->url);
		tocsin_instance *i = start(w);

		raises(w, i, session_of(*hours));
		receiver_wait(r, 1);
		jump(*hours);
		delivered(w, i);
		assert_int_equal(receiver_seen(r), 2);
		end(w, i);
		receiver_stop(r);
		w->n_options--;
	}
}

static void a_stop_and_a_flush_end_in_time_whatever_the_clock_does(void **state)
{
	static const char *const steps[] = { STEP_HANG };
	struct world *w = *state;

	EACH_DIRECTION(hours)
	{
		struct receiver *r = receiver_start(steps, 1);
		option(w, "webhook.url", r->url);
		option(w, "webhook.timeout", "2m");
		tocsin_instance *i = start(w);

		raises(w, i, session_of(*hours));
		receiver_wait(r, 1);
		jump_at_each_reading(*hours);
		assert_int_equal(w->plugin->flush(i, TOCSIN_FLUSH_DELIVERED, 100 * NS_PER_MS),
				 TOCSIN_E_TIMEOUT);
		assert_int_equal(w->plugin->stop(i, NS_PER_S), TOCSIN_OK);
		jump_at_each_reading(0);
		w->plugin->destroy(i);
		receiver_stop(r);
		w->n_options -= 2;
	}
}

/* --- The picture --- */

static void a_jump_makes_no_feed_stale_and_no_engine_stalled(void **state)
{
	struct world *w = *state;

	option(w, "rules.feed_stale_after", "1h");
	option(w, "rules.heartbeat_timeout", "1h");
	tocsin_instance *i = start(w);
	runs(w, i, "s");
	reports(w, i, TOCSIN_HEALTH_FEED_PULSE);
	reports(w, i, TOCSIN_HEALTH_HEARTBEAT);
	EACH_DIRECTION(hours)
	{
		for (unsigned n = 0; n < 3; n++) {
			jump(*hours);
			assert_int_equal(alerts_now(w, i), 0);
			reports(w, i, TOCSIN_HEALTH_METADATA);
			assert_int_equal(alerts_now(w, i), 0);
		}
	}
	end(w, i);
}

static void a_feed_goes_stale_in_its_time_whatever_the_clock_does(void **state)
{
	struct world *w = *state;

	option(w, "rules.feed_stale_after", "100ms");
	EACH_DIRECTION(hours)
	{
		tocsin_instance *i = start(w);

		reports(w, i, TOCSIN_HEALTH_FEED_PULSE);
		jump(*hours);
		await_alerts(w, i, 1);
		end(w, i);
		option(w, "engine.name", *hours > 0 ? "back" : "forth");
	}
}

static void a_jump_repeats_no_page(void **state)
{
	static const char *const steps[] = { STEP_TAKE };
	struct world *w = *state;
	struct receiver *r = receiver_start(steps, 1);

	option(w, "webhook.url", r->url);
	option(w, "pages.repeat_interval", "1h");
	tocsin_instance *i = start(w);
	raises(w, i, "s");
	EACH_DIRECTION(hours)
	{
		for (unsigned n = 0; n < 3; n++) {
			jump(*hours);
			raises(w, i, "s");
		}
	}
	delivered(w, i);
	assert_int_equal(receiver_seen(r), 1);
	end(w, i);
	receiver_stop(r);
}

static void a_page_is_repeated_in_its_time_whatever_the_clock_does(void **state)
{
	static const char *const steps[] = { STEP_TAKE };
	struct world *w = *state;
	struct receiver *r = receiver_start(steps, 1);

	option(w, "webhook.url", r->url);
	option(w, "pages.repeat_interval", "1s");
	tocsin_instance *i = start(w);
	raises(w, i, "s");
	delivered(w, i);
	jump(-5);
	for (unsigned asked = 0; asked < ASKED_MAX && receiver_seen(r) < 2; asked++) {
		usleep(1000);
		raises(w, i, "s");
	}
	assert_true(receiver_find(r, ".repeat-1", 1) == 1);
	end(w, i);
	receiver_stop(r);
}

static void a_page_waits_its_time_whatever_the_clock_does(void **state)
{
	static const char *const steps[] = { STEP_TAKE };
	struct world *w = *state;
	struct receiver *r = receiver_start(steps, 1);

	option(w, "webhook.url", r->url);
	option(w, "pages.page_after", "1h");
	tocsin_instance *i = start(w);
	reports(w, i, TOCSIN_HEALTH_FEED_DOWN);
	jump(5);
	assert_int_equal(alerts_now(w, i), 1);
	delivered(w, i);
	assert_int_equal(receiver_seen(r), 0);
	end(w, i);

	option(w, "engine.name", "sooner");
	option(w, "pages.page_after", "100ms");
	i = start(w);
	unsigned before = receiver_seen(r);
	reports(w, i, TOCSIN_HEALTH_FEED_DOWN);
	jump(-5);
	receiver_wait(r, before + 1);
	end(w, i);
	receiver_stop(r);
}

static void a_jump_ages_no_alert(void **state)
{
	struct world *w = *state;
	tocsin_instance *i = start(w);

	raises(w, i, "s");
	clears(w, i, "s");
	assert_int_equal(alerts_now(w, i), 1);
	jump(25);
	reports(w, i, TOCSIN_HEALTH_METADATA);
	assert_int_equal(alerts_now(w, i), 1);
	jump(-50);
	reports(w, i, TOCSIN_HEALTH_METADATA);
	assert_int_equal(alerts_now(w, i), 1);
	end(w, i);
}

static double uptime(struct world *w, tocsin_instance *i, const char *which)
{
	json_t *json = snapshot(w, i);
	json_t *up = json_object_get(json_object_get(json, "status"), which);

	assert_true(json_is_number(up));
	double value = json_number_value(up);
	json_decref(json);
	return value;
}

static void a_jump_lengthens_and_shortens_no_uptime(void **state)
{
	struct world *w = *state;
	uint64_t from_ns = clock_monotonic_ns();
	tocsin_instance *i = start(w);

	reports(w, i, TOCSIN_HEALTH_START);
	reports(w, i, TOCSIN_HEALTH_FEED_UP);
	EACH_DIRECTION(hours)
	{
		jump(*hours);
		jump(*hours);
		double system = uptime(w, i, "system_uptime_s");
		double feed = uptime(w, i, "data_feed_uptime_s");
		double spent_s = (double)(clock_monotonic_ns() - from_ns) / 1e9;
		/* Shown in whole seconds or finer: a second for the rounding. */
		assert_true(system >= 0 && system <= spent_s + 1);
		assert_true(feed >= 0 && feed <= spent_s + 1);
	}
	end(w, i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_time(a_jump_delays_no_retry),
		in_time(a_page_that_waited_on_disk_goes_at_once_after_a_jump),
		in_time(a_jump_turns_no_raising_and_resolution_round),
		in_time(a_jump_makes_no_page_hours_late),
		in_time(asked_to_come_later_by_a_date_it_comes_then_whatever_our_clock_says),
		in_time(asked_to_come_later_in_seconds_a_jump_changes_nothing),
		in_time(a_stop_and_a_flush_end_in_time_whatever_the_clock_does),
		in_time(a_jump_makes_no_feed_stale_and_no_engine_stalled),
		in_time(a_feed_goes_stale_in_its_time_whatever_the_clock_does),
		in_time(a_jump_repeats_no_page),
		in_time(a_page_is_repeated_in_its_time_whatever_the_clock_does),
		in_time(a_page_waits_its_time_whatever_the_clock_does),
		in_time(a_jump_ages_no_alert),
		in_time(a_jump_lengthens_and_shortens_no_uptime),
	};

	alarm(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

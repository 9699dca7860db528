/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "pager_fixture.h"

#include <errno.h>
#include <sys/resource.h>

static void a_failed_page_goes_again_under_the_same_id(void **state)
{
	/* Dropped on a connection that served before, libcurl itself would ask once more. */
	struct http_server *s = http_start(STEPS(HTTP_DROP, 503, 200));
	struct desk d;

	(void)state;
	desk_start(&d, s, "/hook");
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_submit(&d, "b-2-feed", 1, PAGE_RAISED, 2);
	desk_wait(&d, &d.n_delivered, 2);
	/* While it fails the endpoint is tried with one page alone. */
	assert_int_equal(d.n_told, 4);
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(d.told[i].id, "a-1-feed.raised");
		assert_string_equal(s->seen[i].id, "a-1-feed.raised");
		assert_int_equal(d.told[i].number, i + 1);
	}
	assert_string_equal(d.told[3].id, "b-2-feed.raised");
	assert_int_equal(d.told[0].result, ATTEMPT_RETRY);
	assert_int_equal(d.told[0].http_status, 0);
	assert_true(strlen(d.told[0].error) > strlen("127.0.0.1: "));
	assert_true(d.told[0].next_ns > 0 && d.told[0].next_ns <= RETRY_BASE_NS);
	assert_int_equal(d.told[1].http_status, 503);
	assert_string_equal(d.told[1].error, "127.0.0.1: answered 503");
	assert_true(d.told[1].next_ns <= 2 * RETRY_BASE_NS);
	assert_int_equal(d.told[2].result, ATTEMPT_DELIVERED);
	assert_true(pager_attempts(d.pager) == 4 && pager_failures(d.pager) == 2);
	assert_true(pager_pending(d.pager) == 0);
	desk_end(&d);
	http_stop(s);
}

static void pages_share_one_connection(void **state)
{
	struct http_server *s = http_start(STEPS(200));
	struct desk d;
	char id[32];

	(void)state;
	desk_start(&d, s, "/hook");
	for (unsigned i = 1; i <= 100; i++) {
		snprintf(id, sizeof id, "a-%u-feed", i);
		desk_submit(&d, id, 1, PAGE_RAISED, i);
		/* Now alone, now several at a time. */
		if (i % 10 == 0)
			desk_wait(&d, &d.n_delivered, i);
	}
	assert_int_equal(s->n_connections, 1);
	assert_int_equal(s->n_seen, 100);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(id, sizeof id, "a-%u-feed.raised", i + 1);
		assert_string_equal(s->seen[i].id, id);
	}
	desk_end(&d);
	http_stop(s);
}

/* The connection of each request, by its number. */
static void a_connection_over_which_an_attempt_was_in_vain_is_left(void **state)
{
	static const long in_vain[] = { 503, 429, 400, 403, 302, HTTP_DROP, HTTP_HUGE + 500 };

	(void)state;
	for (size_t i = 0; i < sizeof in_vain / sizeof *in_vain; i++) {
		struct http_server *s = http_start(STEPS(200, 200, in_vain[i], 200));
		struct desk d;
		char id[32];

		desk_start(&d, s, "/hook");
		for (unsigned n = 1; n <= 6; n++) {
			snprintf(id, sizeof id, "a-%u-feed", n);
			desk_submit(&d, id, 1, PAGE_RAISED, n);
			desk_wait(&d, &d.n_delivered, n);
		}
		assert_int_equal(s->seen[0].connection, s->seen[1].connection);
		assert_int_equal(s->seen[1].connection, s->seen[2].connection);
		for (unsigned n = 3; n < 7; n++)
			assert_true(s->seen[n].connection > s->seen[2].connection);
		/* And the new one is kept. */
		assert_int_equal(s->seen[4].connection, s->seen[6].connection);
		assert_int_equal(s->n_connections, 2);
		desk_end(&d);
		http_stop(s);
	}
}

static void a_connection_has_a_greatest_age(void **state)
{
	struct http_server *s = http_start(STEPS(200));
	unsigned seen, connections = 0;
	struct desk d;
	char id[32];

	(void)state;
	desk_init(&d);
	desk_add(&d, s, "/hook");
	d.connection_max_s = 1;
	assert_int_equal(desk_open(&d), 0);
	/* However busy it is. */
	for (unsigned n = 1; connections < 3; n++) {
		snprintf(id, sizeof id, "a-%u-feed", n);
		desk_submit(&d, id, 1, PAGE_RAISED, n);
		desk_wait(&d, &d.n_delivered, n);
		http_count(s, &seen, &connections);
	}
	assert_true(seen > 3);
	desk_end(&d);
	http_stop(s);
}

/* However few descriptors there are when it starts: what is needed fails then, and is told. */
static void a_pager_that_starts_is_woken_by_a_page(void **state)
{
	struct http_server *s = http_start(STEPS(200));
	struct rlimit old, few;
	unsigned started = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (unsigned left = 0; left < 8; left++) {
		struct desk d;
		int lowest = dup(0);

		few = (struct rlimit){ (rlim_t)lowest + left, old.rlim_max };
		close(lowest);
		desk_init(&d);
		desk_add(&d, s, "/hook");
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		int r = desk_open(&d);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
		if (r < 0) {
			desk_done(&d);
			continue;
		}
		started++;
		/* In vain it would be waited for longer than the tests have. */
		desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
		desk_wait(&d, &d.n_delivered, 1);
		desk_submit(&d, "b-2-feed", 1, PAGE_RAISED, 2);
		desk_wait(&d, &d.n_delivered, 2);
		desk_end(&d);
	}
	assert_true(started > 0);
	http_stop(s);
}

static void graver_and_older_pages_go_first(void **state)
{
	static const char *const order[] = { "x-1-call.raised",   "old-1-feed.raised",
					     "new-9-feed.raised", "r-5-call.raised",
					     "r-5-call.repeat-1", "low-3-call.raised" };
	struct http_server *s = http_start(STEPS(HTTP_GATE, 200));
	struct desk d;

	(void)state;
	desk_start(&d, s, "/hook");
	desk_submit(&d, "x-1-call", 3, PAGE_RAISED, 1);
	http_wait_seen(s, 1);
	desk_submit(&d, "low-3-call", 2, PAGE_RAISED, 2);
	desk_submit(&d, "r-5-call", 3, PAGE_RAISED, 3);
	desk_submit(&d, "new-9-feed", 1, PAGE_RAISED, 4);
	desk_submit(&d, "r-5-call", 1, PAGE_REPEAT, 5); /* its priority has risen */
	desk_submit(&d, "old-1-feed", 1, PAGE_RAISED, 0);
	http_open_gate(s);
	desk_wait(&d, &d.n_delivered, 6);
	for (unsigned i = 0; i < 6; i++)
		assert_string_equal(s->seen[i].id, order[i]);
	desk_end(&d);
	http_stop(s);
}

static void a_hanging_endpoint_delays_no_other_and_no_stop(void **state)
{
	struct http_server *hanging = http_start(STEPS(HTTP_HANG)), *s = http_start(STEPS(200));
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct delivery *q = delivery_new(p->page, 1, 2);
	struct desk d;

	(void)state;
	desk_init(&d);
	desk_add(&d, hanging, "/");
	desk_add(&d, s, "/");
	assert_int_equal(desk_open(&d), 0);
	assert_int_equal(pager_submit(d.pager, p), 0);
	http_wait_seen(hanging, 1);
	assert_int_equal(pager_submit(d.pager, q), 0);
	desk_wait(&d, &d.n_delivered, 1);
	assert_string_equal(d.told[0].endpoint, "second");
	assert_true(pager_pending(d.pager) == 1);
	/* In spite of the request's own limit, which is a minute off. */
	assert_int_equal(pager_stop(d.pager, NS_PER_MS), 0);
	assert_int_equal(fixture_flags(p), 0);
	assert_int_equal(fixture_flags(q), DELIVERY_DELIVERED);
	assert_int_equal(atomic_load(&p->references), 1);
	assert_true(pager_pending(d.pager) == 1);
	desk_end(&d);
	delivery_unref(p);
	delivery_unref(q);
	http_stop(hanging);
	http_stop(s);
}

static void a_failing_endpoint_is_asked_with_its_oldest_page_alone(void **state)
{
	struct http_server *s = http_start(STEPS(HTTP_GATE, 503, 500, 429, 200));
	struct desk d;
	char id[32];

	(void)state;
	desk_start(&d, s, "/hook");
	desk_submit(&d, "z-0-feed", 1, PAGE_RAISED, 1);
	http_wait_seen(s, 1);
	desk_submit(&d, "y-0-call", 2, PAGE_RAISED, 2);
	for (unsigned i = 3; i < 100; i++) {
		snprintf(id, sizeof id, "a-%u-feed", i);
		desk_submit(&d, id, 1, PAGE_RAISED, i);
	}
	http_open_gate(s);
	desk_wait(&d, &d.n_delivered, 99);
	for (unsigned i = 1; i < 5; i++)
		assert_string_equal(s->seen[i].id, "a-3-feed.raised");
	assert_string_equal(s->seen[s->n_seen - 1].id, "y-0-call.raised");
	/* One attempt a failure, not one a page. */
	assert_true(pager_attempts(d.pager) == 99 + 3 && pager_failures(d.pager) == 3);
	assert_true(d.told[2].failing_ns > d.told[1].failing_ns);
	assert_true(d.told[4].failing_ns == 0);
	desk_end(&d);
	http_stop(s);
}

static void pages_of_one_incident_keep_their_order_whatever_their_sequence(void **state)
{
	static const char *const order[] = { "x-1-call.raised",   "a-1-feed.raised",
					     "a-1-feed.repeat-1", "a-1-feed.resolved",
					     "b-1-feed.raised",   "b-1-feed.resolved" };
	struct http_server *s = http_start(STEPS(HTTP_GATE, 503, 200));
	struct desk d;

	(void)state;
	desk_start(&d, s, "/hook");
	desk_submit(&d, "x-1-call", 1, PAGE_RAISED, 1);
	http_wait_seen(s, 1);
	/* Found in the outbox the wrong way round, or drawn again late after a crash. */
	desk_submit(&d, "a-1-feed", 1, PAGE_RESOLVED, 0);
	desk_submit(&d, "b-1-feed", 1, PAGE_RESOLVED, 2);
	desk_submit(&d, "a-1-feed", 2, PAGE_REPEAT, 4);
	desk_submit(&d, "a-1-feed", 3, PAGE_RAISED, 5);
	desk_submit(&d, "b-1-feed", 1, PAGE_RAISED, 3);
	http_open_gate(s);
	desk_wait(&d, &d.n_delivered, 6);
	assert_string_equal(s->seen[1].id, order[1]);
	for (unsigned i = 0; i < 5; i++)
		assert_string_equal(s->seen[i + 2].id, order[i + 1]);
	desk_end(&d);
	http_stop(s);
}

static void a_stop_waits_for_no_attempt_that_comes_too_late(void **state)
{
	struct http_server *s = http_start(STEPS(401));
	struct desk d;

	(void)state;
	desk_init(&d);
	desk_add(&d, s, "/hook");
	d.park_retry_ns = UINT64_C(24) * 3600 * NS_PER_S;
	assert_int_equal(desk_open(&d), 0);
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_told, 1);
	/* Were it to wait, the harness's own limit would end it. */
	assert_int_equal(pager_stop(d.pager, 3600 * NS_PER_S), 0);
	assert_int_equal(s->n_seen, 1);
	assert_true(pager_parked(d.pager) == 1);
	desk_end(&d);
	http_stop(s);
}

static void a_stop_delivers_what_it_can_first(void **state)
{
	struct http_server *s = http_start(STEPS(HTTP_GATE, 200, 200, 503, 200));
	struct desk d;
	char id[32];

	(void)state;
	desk_start(&d, s, "/hook");
	for (unsigned i = 1; i <= 50; i++) {
		snprintf(id, sizeof id, "a-%u-feed", i);
		desk_submit(&d, id, 1, PAGE_RAISED, i);
	}
	http_open_gate(s);
	assert_int_equal(pager_stop(d.pager, FIXTURE_LIMIT_NS), 0);
	assert_true(pager_pending(d.pager) == 0);
	assert_true(pager_delivered(d.pager) == 50);
	desk_end(&d);
	http_stop(s);
}

static void after_the_stop_nothing_is_taken(void **state)
{
	struct http_server *s = http_start(STEPS(200));
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct desk d;

	(void)state;
	desk_start(&d, s, "/");
	p->endpoint = 1;
	assert_int_equal(pager_submit(d.pager, p), -EINVAL);
	p->endpoint = 0;
	assert_int_equal(pager_stop(d.pager, UINT64_MAX), 0);
	assert_int_equal(pager_submit(d.pager, p), -ESHUTDOWN);
	assert_int_equal(s->n_seen, 0);
	desk_end(&d);
	assert_int_equal(atomic_load(&p->references), 1);
	delivery_unref(p);
	http_stop(s);
}

static void more_than_the_maximum_is_refused(void **state)
{
	struct http_server *s = http_start(STEPS(HTTP_HANG));
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct desk d;

	(void)state;
	desk_start(&d, s, "/");
	for (unsigned i = 0; i < PAGER_PENDING_MAX; i++)
		assert_int_equal(pager_submit(d.pager, p), 0);
	assert_int_equal(pager_submit(d.pager, p), -ENOBUFS);
	desk_end(&d);
	assert_int_equal(atomic_load(&p->references), 1);
	delivery_unref(p);
	http_stop(s);
}

static void a_delivery_given_twice_is_posted_once(void **state)
{
	struct http_server *s = http_start(STEPS(HTTP_GATE, 200));
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct desk d;

	(void)state;
	desk_start(&d, s, "/");
	assert_int_equal(pager_submit(d.pager, p), 0);
	assert_int_equal(pager_submit(d.pager, p), 0);
	http_wait_seen(s, 1);
	http_open_gate(s);
	assert_int_equal(pager_stop(d.pager, FIXTURE_LIMIT_NS), 0);
	assert_int_equal(s->n_seen, 1);
	assert_true(pager_pending(d.pager) == 0);
	desk_end(&d);
	delivery_unref(p);
	http_stop(s);
}

static void without_endpoints_it_starts_and_stops(void **state)
{
	struct desk d;

	(void)state;
	desk_init(&d);
	assert_int_equal(desk_open(&d), 0);
	desk_end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_page_goes_again_under_the_same_id),
		cmocka_unit_test(pages_share_one_connection),
		cmocka_unit_test(a_connection_over_which_an_attempt_was_in_vain_is_left),
		cmocka_unit_test(a_connection_has_a_greatest_age),
		cmocka_unit_test(a_pager_that_starts_is_woken_by_a_page),
		cmocka_unit_test(graver_and_older_pages_go_first),
		cmocka_unit_test(a_hanging_endpoint_delays_no_other_and_no_stop),
		cmocka_unit_test(a_failing_endpoint_is_asked_with_its_oldest_page_alone),
		cmocka_unit_test(pages_of_one_incident_keep_their_order_whatever_their_sequence),
		cmocka_unit_test(a_stop_waits_for_no_attempt_that_comes_too_late),
		cmocka_unit_test(a_stop_delivers_what_it_can_first),
		cmocka_unit_test(after_the_stop_nothing_is_taken),
		cmocka_unit_test(more_than_the_maximum_is_refused),
		cmocka_unit_test(a_delivery_given_twice_is_posted_once),
		cmocka_unit_test(without_endpoints_it_starts_and_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

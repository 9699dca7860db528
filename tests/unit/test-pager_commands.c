/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "pager_fixture.h"

#include <errno.h>

/* What people ask of the pager: to hurry, and to give a page up. */

static void hurried_a_failing_endpoint_is_tried_at_once(void **state)
{
	struct http_server *s = http_start(STEPS(503, 403, 200));
	struct desk d;

	(void)state;
	s->retry_after = "3000";
	desk_init(&d);
	desk_add(&d, s, "/hook");
	d.park_retry_ns = 3600 * NS_PER_S;
	assert_int_equal(desk_open(&d), 0);
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_told, 1);
	assert_true(d.told[0].next_ns == 3000 * NS_PER_S);
	pager_hurry(d.pager, 0);
	desk_wait(&d, &d.n_told, 2);
	assert_int_equal(d.told[1].result, ATTEMPT_PARKED);
	pager_hurry(d.pager, 1); /* there is none */
	pager_hurry(d.pager, 0);
	desk_wait(&d, &d.n_delivered, 1);
	desk_end(&d);
	http_stop(s);
}

static void a_page_given_up_is_not_posted(void **state)
{
	struct http_server *s = http_start(STEPS(HTTP_GATE, 200));
	struct delivery *p = fixture_delivery("b-2-feed", 1, PAGE_RAISED, 2);
	struct desk d;

	(void)state;
	desk_start(&d, s, "/hook");
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	assert_int_equal(pager_submit(d.pager, p), 0);
	desk_submit(&d, "b-2-feed", 1, PAGE_RESOLVED, 3);
	http_wait_seen(s, 1);
	assert_int_equal(pager_discard(d.pager, "nobody.raised", 0, "no such page"), 0);
	assert_int_equal(pager_discard(d.pager, p->page->id, 1, "no such endpoint"), -EINVAL);
	assert_int_equal(pager_discard(d.pager, p->page->id, 0, "a test"), 0);
	assert_int_equal(pager_discard(d.pager, p->page->id, 0, "twice"), 0);
	http_open_gate(s);
	desk_wait(&d, &d.n_delivered, 2);
	/* Its resolution goes all the same. */
	assert_string_equal(s->seen[1].id, "b-2-feed.resolved");
	assert_int_equal(s->n_seen, 2);
	assert_int_equal(d.n_discarded, 1);
	assert_string_equal(d.discarded, "b-2-feed.raised");
	assert_string_equal(d.reason, "a test");
	assert_int_equal(fixture_flags(p), DELIVERY_DISCARDED);
	assert_true(pager_pending(d.pager) == 0 && pager_delivered(d.pager) == 2);
	assert_int_equal(pager_stop(d.pager, 0), 0);
	assert_int_equal(pager_discard(d.pager, p->page->id, 0, "late"), -ESHUTDOWN);
	desk_end(&d);
	assert_int_equal(atomic_load(&p->references), 1);
	delivery_unref(p);
	http_stop(s);
}

static void an_attempt_under_way_is_waited_for_before_it_is_given_up(void **state)
{
	struct http_server *s = http_start(STEPS(HTTP_GATE, 200)), *other;
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct desk d;

	(void)state;
	desk_start(&d, s, "/hook");
	assert_int_equal(pager_submit(d.pager, p), 0);
	http_wait_seen(s, 1);
	assert_int_equal(pager_discard(d.pager, p->page->id, 0, "a test"), 0);
	http_open_gate(s);
	desk_wait(&d, &d.n_delivered, 1);
	desk_end(&d);
	assert_int_equal(d.n_discarded, 0);
	assert_int_equal(fixture_flags(p), DELIVERY_DELIVERED);
	delivery_unref(p);
	http_stop(s);

	other = http_start(STEPS(HTTP_HANG));
	p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	desk_init(&d);
	desk_add(&d, other, "/hook");
	d.endpoints[0].timeout_ns = 300 * NS_PER_MS;
	assert_int_equal(desk_open(&d), 0);
	assert_int_equal(pager_submit(d.pager, p), 0);
	http_wait_seen(other, 1);
	assert_int_equal(pager_discard(d.pager, p->page->id, 0, "a test"), 0);
	desk_wait(&d, &d.n_discarded, 1);
	assert_int_equal(d.told[d.n_told - 1].result, ATTEMPT_RETRY);
	assert_int_equal(fixture_flags(p), DELIVERY_DISCARDED);
	assert_true(pager_pending(d.pager) == 0);
	desk_end(&d);
	delivery_unref(p);
	http_stop(other);
}

static void a_stop_does_not_forget_what_was_given_up(void **state)
{
	struct http_server *s = http_start(STEPS(HTTP_HANG));
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct delivery *q = fixture_delivery("b-2-feed", 1, PAGE_RAISED, 2);
	struct desk d;

	(void)state;
	desk_start(&d, s, "/hook");
	assert_int_equal(pager_submit(d.pager, p), 0);
	assert_int_equal(pager_submit(d.pager, q), 0);
	http_wait_seen(s, 1);
	assert_int_equal(pager_discard(d.pager, p->page->id, 0, "under way"), 0);
	assert_int_equal(pager_discard(d.pager, q->page->id, 0, "waiting"), 0);
	desk_end(&d);
	assert_int_equal(d.n_discarded, 2);
	assert_int_equal(fixture_flags(p), DELIVERY_DISCARDED);
	assert_int_equal(fixture_flags(q), DELIVERY_DISCARDED);
	delivery_unref(p);
	delivery_unref(q);
	http_stop(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hurried_a_failing_endpoint_is_tried_at_once),
		cmocka_unit_test(a_page_given_up_is_not_posted),
		cmocka_unit_test(an_attempt_under_way_is_waited_for_before_it_is_given_up),
		cmocka_unit_test(a_stop_does_not_forget_what_was_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

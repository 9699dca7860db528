/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "deliver_fixture.h"

#include "post/pager_queue.h"

static void the_queue_gives_each_once_and_in_order(void **state)
{
	static const struct {
		const char *alert_id;
		uint32_t priority;
		enum page_kind kind;
		uint64_t sequence;
	} in[] = {
		{ "b-1-x", 1, PAGE_RESOLVED, 8 }, { "b-1-x", 3, PAGE_RAISED, 4 },
		{ "c-1-x", 2, PAGE_RAISED, 5 },   { "b-1-x", 2, PAGE_REPEAT, 6 },
		{ "z-1-x", 1, PAGE_RAISED, 0 },   { "y-1-x", 1, PAGE_RAISED, 0 },
		{ "z-1-x", 3, PAGE_RESOLVED, 0 },
	};
	static const char *const out[] = {
		"z-1-x.raised",   "y-1-x.raised", "b-1-x.raised",   "b-1-x.repeat-1",
		"b-1-x.resolved", "c-1-x.raised", "z-1-x.resolved",
	};
	struct pager_queue q = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof in / sizeof *in; i++) {
		struct delivery *p = fixture_delivery(in[i].alert_id, in[i].priority, in[i].kind,
						      in[i].sequence);

		pager_queue_add(&q, pager_item_new(p));
		delivery_unref(p);
	}
	for (size_t i = 0; i < sizeof out / sizeof *out; i++) {
		struct pager_item *item = pager_queue_next(&q);

		assert_non_null(item);
		assert_string_equal(item->delivery->page->id, out[i]);
		assert_false(pager_queue_is_empty(&q));
		pager_queue_remove(&q, item);
		pager_item_free(item);
	}
	assert_null(pager_queue_next(&q));
	assert_true(pager_queue_is_empty(&q));
	pager_queue_done(&q);
}

static void a_page_is_found_by_its_id(void **state)
{
	struct delivery *p = fixture_delivery("a-1-x", 1, PAGE_RAISED, 0);
	struct delivery *r = fixture_delivery("a-1-x", 2, PAGE_RESOLVED, 2);
	struct pager_queue q = { 0 };

	(void)state;
	assert_null(pager_queue_find(&q, "a-1-x.raised"));
	pager_queue_add(&q, pager_item_new(r));
	pager_queue_add(&q, pager_item_new(p));
	assert_ptr_equal(pager_queue_find(&q, "a-1-x.raised")->delivery, p);
	assert_ptr_equal(pager_queue_find(&q, "a-1-x.resolved")->delivery, r);
	assert_null(pager_queue_find(&q, "a-1-x"));
	assert_null(pager_queue_find(&q, ""));
	pager_queue_done(&q);
	assert_true(pager_queue_is_empty(&q));
	assert_int_equal(atomic_load(&p->references), 1);
	delivery_unref(p);
	delivery_unref(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_queue_gives_each_once_and_in_order),
		cmocka_unit_test(a_page_is_found_by_its_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

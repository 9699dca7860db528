/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include "spool/delivery_index.h"

static struct page *make_page(void)
{
	struct page *p = calloc(1, sizeof *p);

	assert_non_null(p);
	atomic_init(&p->references, 1);
	p->data = json_object();
	return p;
}

static void pages_are_numbered_in_the_order_they_fell_due(void **state)
{
	(void)state;
	struct delivery_index l = { 0 };
	struct page *page = make_page();

	for (uint64_t n = 1; n <= 200; n++)
		assert_int_equal(delivery_index_add(&l, page, 0)->sequence, n);
	assert_int_equal(l.n, 200);
	delivery_index_done(&l);
	page_unref(page);
}

static void safe_is_on_disk_or_taken_and_delivered_is_taken(void **state)
{
	(void)state;
	struct delivery_index l = { 0 };
	struct page *page = make_page();
	struct delivery *first = delivery_index_add(&l, page, 0);
	struct delivery *second = delivery_index_add(&l, page, 1);

	assert_true(delivery_index_is_safe(&l, 0));
	assert_false(delivery_index_is_safe(&l, 1));
	atomic_fetch_or(&first->flags, DELIVERY_DURABLE);
	assert_true(delivery_index_is_safe(&l, 1));
	assert_false(delivery_index_is_delivered(&l, 1));
	assert_false(delivery_index_is_safe(&l, 2));
	atomic_fetch_or(&second->flags, DELIVERY_DELIVERED);
	assert_true(delivery_index_is_safe(&l, 2));
	assert_false(delivery_index_is_delivered(&l, 2));
	atomic_fetch_or(&first->flags, DELIVERY_DELIVERED);
	assert_true(delivery_index_is_delivered(&l, 2));
	delivery_index_done(&l);
	page_unref(page);
}

static void a_page_that_could_not_be_kept_is_not_safe(void **state)
{
	(void)state;
	struct delivery_index l = { 0 };
	struct page *page = make_page();

	atomic_fetch_or(&delivery_index_add(&l, page, 0)->flags, DELIVERY_UNKEPT);
	assert_false(delivery_index_is_safe(&l, 1));
	delivery_index_done(&l);
	page_unref(page);
}

static void one_found_later_hides_none_of_this_run(void **state)
{
	(void)state;
	struct delivery_index l = { 0 };
	struct page *page = make_page();
	struct delivery *found = delivery_new(page, 0, 0);
	struct delivery *first = delivery_index_add(&l, page, 0);
	struct delivery *second = delivery_index_add(&l, page, 1);

	assert_int_equal(delivery_index_adopt(&l, found), 0);
	assert_ptr_equal(l.deliveries[0], found);
	assert_ptr_equal(l.deliveries[2], second);
	atomic_fetch_or(&first->flags, DELIVERY_DURABLE);
	assert_true(delivery_index_is_safe(&l, 1));
	assert_false(delivery_index_is_safe(&l, 2));
	atomic_fetch_or(&first->flags, DELIVERY_DELIVERED);
	/* Nobody of this run waits for what was found. */
	assert_true(delivery_index_is_delivered(&l, 1));
	assert_false(delivery_index_is_delivered(&l, 2));
	assert_int_equal(delivery_index_add(&l, page, 2)->sequence, 3);
	delivery_unref(found);
	delivery_index_done(&l);
	page_unref(page);
}

static void a_sweep_forgets_only_what_is_taken(void **state)
{
	(void)state;
	struct delivery_index l = { 0 };
	struct page *page = make_page();

	for (unsigned n = 0; n < 10; n++) {
		struct delivery *p = delivery_index_add(&l, page, 0);
		atomic_fetch_or(&p->flags, n % 2 ? DELIVERY_DELIVERED : DELIVERY_DURABLE);
	}
	delivery_index_sweep(&l);
	assert_int_equal(l.n, 5);
	assert_int_equal(l.deliveries[4]->sequence, 9);
	assert_int_equal(delivery_index_add(&l, page, 0)->sequence, 11);
	delivery_index_done(&l);
	page_unref(page);
}

#define MANY (3 * DELIVERY_INDEX_BUCKETS)

static void each_is_found_among_many_until_it_is_swept(void **state)
{
	(void)state;
	struct delivery_index l = { 0 };
	struct page **pages = calloc(MANY, sizeof(struct page *));

	assert_non_null(pages);
	for (unsigned i = 0; i < MANY; i++) {
		pages[i] = make_page();
		snprintf(pages[i]->id, sizeof pages[i]->id, "a-%u-feed.raised", i);
		delivery_index_add(&l, pages[i], 0);
	}
	for (unsigned i = 0; i < MANY; i += 3)
		atomic_fetch_or(&delivery_index_find(&l, pages[i], 0)->flags, DELIVERY_DELIVERED);
	delivery_index_sweep(&l);
	for (unsigned i = 0; i < MANY; i++) {
		struct delivery *p = delivery_index_find(&l, pages[i], 0);

		assert_null(delivery_index_find(&l, pages[i], 1));
		if (i % 3 == 0)
			assert_null(p);
		else
			assert_ptr_equal(p->page, pages[i]);
	}
	delivery_index_done(&l);
	for (unsigned i = 0; i < MANY; i++)
		page_unref(pages[i]);
	free(pages);
}

static void what_was_found_stays_before_this_run_s_after_a_sweep(void **state)
{
	(void)state;
	struct delivery_index l = { 0 };
	struct page *page = make_page();
	struct delivery *found[3];

	delivery_index_add(&l, page, 0);
	for (unsigned i = 0; i < 3; i++) {
		found[i] = delivery_new(page, 0, 0);
		assert_int_equal(delivery_index_adopt(&l, found[i]), 0);
		if (i == 1) {
			atomic_fetch_or(&found[0]->flags, DELIVERY_DELIVERED);
			delivery_index_sweep(&l);
		}
	}
	assert_int_equal(l.n, 3);
	assert_ptr_equal(l.deliveries[0], found[1]);
	assert_ptr_equal(l.deliveries[1], found[2]);
	assert_int_equal(l.deliveries[2]->sequence, 1);
	for (unsigned i = 0; i < 3; i++)
		delivery_unref(found[i]);
	delivery_index_done(&l);
	page_unref(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_numbered_in_the_order_they_fell_due),
		cmocka_unit_test(safe_is_on_disk_or_taken_and_delivered_is_taken),
		cmocka_unit_test(a_page_that_could_not_be_kept_is_not_safe),
		cmocka_unit_test(one_found_later_hides_none_of_this_run),
		cmocka_unit_test(a_sweep_forgets_only_what_is_taken),
		cmocka_unit_test(each_is_found_among_many_until_it_is_swept),
		cmocka_unit_test(what_was_found_stays_before_this_run_s_after_a_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

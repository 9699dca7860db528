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
	struct ledger l = { 0 };
	struct page *page = make_page();

	for (uint64_t n = 1; n <= 200; n++)
		assert_int_equal(ledger_add(&l, page, 0)->sequence, n);
	assert_int_equal(l.n, 200);
	ledger_done(&l);
	page_unref(page);
}

static void safe_is_on_disk_or_taken_and_delivered_is_taken(void **state)
{
	(void)state;
	struct ledger l = { 0 };
	struct page *page = make_page();
	struct posting *first = ledger_add(&l, page, 0);
	struct posting *second = ledger_add(&l, page, 1);

	assert_true(ledger_is_safe(&l, 0));
	assert_false(ledger_is_safe(&l, 1));
	atomic_fetch_or(&first->flags, POSTING_DURABLE);
	assert_true(ledger_is_safe(&l, 1));
	assert_false(ledger_is_delivered(&l, 1));
	assert_false(ledger_is_safe(&l, 2));
	atomic_fetch_or(&second->flags, POSTING_DELIVERED);
	assert_true(ledger_is_safe(&l, 2));
	assert_false(ledger_is_delivered(&l, 2));
	atomic_fetch_or(&first->flags, POSTING_DELIVERED);
	assert_true(ledger_is_delivered(&l, 2));
	ledger_done(&l);
	page_unref(page);
}

static void a_page_that_could_not_be_kept_is_not_safe(void **state)
{
	(void)state;
	struct ledger l = { 0 };
	struct page *page = make_page();

	atomic_fetch_or(&ledger_add(&l, page, 0)->flags, POSTING_UNKEPT);
	assert_false(ledger_is_safe(&l, 1));
	ledger_done(&l);
	page_unref(page);
}

static void one_found_later_hides_none_of_this_run(void **state)
{
	(void)state;
	struct ledger l = { 0 };
	struct page *page = make_page();
	struct posting *found = posting_new(page, 0, 0);
	struct posting *first = ledger_add(&l, page, 0);
	struct posting *second = ledger_add(&l, page, 1);

	assert_int_equal(ledger_adopt(&l, found), 0);
	assert_ptr_equal(l.postings[0], found);
	assert_ptr_equal(l.postings[2], second);
	atomic_fetch_or(&first->flags, POSTING_DURABLE);
	assert_true(ledger_is_safe(&l, 1));
	assert_false(ledger_is_safe(&l, 2));
	atomic_fetch_or(&first->flags, POSTING_DELIVERED);
	/* Nobody of this run waits for what was found. */
	assert_true(ledger_is_delivered(&l, 1));
	assert_false(ledger_is_delivered(&l, 2));
	assert_int_equal(ledger_add(&l, page, 2)->sequence, 3);
	posting_unref(found);
	ledger_done(&l);
	page_unref(page);
}

static void a_sweep_forgets_only_what_is_taken(void **state)
{
	(void)state;
	struct ledger l = { 0 };
	struct page *page = make_page();

	for (unsigned n = 0; n < 10; n++) {
		struct posting *p = ledger_add(&l, page, 0);
		atomic_fetch_or(&p->flags, n % 2 ? POSTING_DELIVERED : POSTING_DURABLE);
	}
	ledger_sweep(&l);
	assert_int_equal(l.n, 5);
	assert_int_equal(l.postings[4]->sequence, 9);
	assert_int_equal(ledger_add(&l, page, 0)->sequence, 11);
	ledger_done(&l);
	page_unref(page);
}

#define MANY (3 * LEDGER_BUCKETS)

static void each_is_found_among_many_until_it_is_swept(void **state)
{
	(void)state;
	struct ledger l = { 0 };
	struct page **pages = calloc(MANY, sizeof(struct page *));

	assert_non_null(pages);
	for (unsigned i = 0; i < MANY; i++) {
		pages[i] = make_page();
		snprintf(pages[i]->id, sizeof pages[i]->id, "a-%u-feed.raised", i);
		ledger_add(&l, pages[i], 0);
	}
	for (unsigned i = 0; i < MANY; i += 3)
		atomic_fetch_or(&ledger_find(&l, pages[i], 0)->flags, POSTING_DELIVERED);
	ledger_sweep(&l);
	for (unsigned i = 0; i < MANY; i++) {
		struct posting *p = ledger_find(&l, pages[i], 0);

		assert_null(ledger_find(&l, pages[i], 1));
		if (i % 3 == 0)
			assert_null(p);
		else
			assert_ptr_equal(p->page, pages[i]);
	}
	ledger_done(&l);
	for (unsigned i = 0; i < MANY; i++)
		page_unref(pages[i]);
	free(pages);
}

static void what_was_found_stays_before_this_run_s_after_a_sweep(void **state)
{
	(void)state;
	struct ledger l = { 0 };
	struct page *page = make_page();
	struct posting *found[3];

	ledger_add(&l, page, 0);
	for (unsigned i = 0; i < 3; i++) {
		found[i] = posting_new(page, 0, 0);
		assert_int_equal(ledger_adopt(&l, found[i]), 0);
		if (i == 1) {
			atomic_fetch_or(&found[0]->flags, POSTING_DELIVERED);
			ledger_sweep(&l);
		}
	}
	assert_int_equal(l.n, 3);
	assert_ptr_equal(l.postings[0], found[1]);
	assert_ptr_equal(l.postings[1], found[2]);
	assert_int_equal(l.postings[2]->sequence, 1);
	for (unsigned i = 0; i < 3; i++)
		posting_unref(found[i]);
	ledger_done(&l);
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

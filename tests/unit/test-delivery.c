/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "deliver_fixture.h"

#define THREADS 4
#define ROUNDS 20000

static void a_delivery_holds_its_page(void **state)
{
	struct page *page = fixture_page("a-1-feed");
	struct delivery *p = delivery_new(page, 3, 9);

	(void)state;
	assert_non_null(p);
	assert_int_equal(atomic_load(&page->references), 2);
	assert_int_equal(p->endpoint, 3);
	assert_int_equal(p->sequence, 9);
	assert_int_equal(fixture_flags(p), 0);
	assert_ptr_equal(delivery_ref(p), p);
	assert_null(delivery_unref(p));
	assert_int_equal(atomic_load(&page->references), 2);
	assert_null(delivery_unref(p));
	assert_int_equal(atomic_load(&page->references), 1);
	assert_null(page_unref(page));
}

static void nothing_may_be_let_go(void **state)
{
	(void)state;
	assert_null(delivery_unref(NULL));
	assert_null(page_unref(NULL));
}

static void *hold_and_let_go(void *arg)
{
	struct delivery *p = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		delivery_ref(p);
		atomic_fetch_or_explicit(&p->flags, DELIVERY_DURABLE, memory_order_release);
		delivery_unref(p);
	}
	delivery_unref(p);
	return NULL;
}

/* The sanitizers tell of one freed early, twice or never. */
static void threads_may_share_it_and_the_last_one_frees_it(void **state)
{
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct page *page = page_ref(p->page);
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, hold_and_let_go, delivery_ref(p)), 0);
	delivery_unref(p);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&page->references), 1);
	page_unref(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_delivery_holds_its_page),
		cmocka_unit_test(nothing_may_be_let_go),
		cmocka_unit_test(threads_may_share_it_and_the_last_one_frees_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "test.h"

#include "deliver/retry.h"

static const struct retry_outcome refused = { .http_status = 503 };

static void a_taken_page_is_delivered(void **state)
{
	struct retry_outcome taken = { .taken = true, .http_status = 204 };
	struct retry_decision d = retry_decide(&taken, 3, 17);

	(void)state;
	assert_int_equal(d.verdict, RETRY_DELIVERED);
	assert_int_equal(d.delay_ns, 0);
}

static void whatever_else_happens_it_goes_again(void **state)
{
	static const long statuses[] = { 0, 200, 302, 400, 401, 404, 408, 429, 500, 503, 999 };

	(void)state;
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		struct retry_outcome o = { .http_status = statuses[i] };

		assert_int_equal(retry_decide(&o, 1, 1).verdict, RETRY_AGAIN);
	}
}

static void the_longest_delay_doubles_up_to_the_cap(void **state)
{
	uint64_t most = RETRY_BASE_NS;

	(void)state;
	for (unsigned failures = 1; failures < 70; failures++) {
		/* The largest remainder gives the longest delay. */
		assert_true(retry_decide(&refused, failures, most - 1).delay_ns == most);
		assert_true(retry_decide(&refused, failures, most).delay_ns == 1);
		most = most * 2 < RETRY_CAP_NS ? most * 2 : RETRY_CAP_NS;
	}
	assert_true(most == RETRY_CAP_NS);
}

static void no_delay_is_zero_or_past_the_cap(void **state)
{
	static const unsigned failures[] = { 0, 1, 2, 8, 64, 65, 1000, UINT32_MAX };
	static const uint64_t randoms[] = { 0, 1, RETRY_BASE_NS, RETRY_CAP_NS, UINT64_MAX };

	(void)state;
	for (size_t f = 0; f < sizeof failures / sizeof *failures; f++)
		for (size_t r = 0; r < sizeof randoms / sizeof *randoms; r++) {
			struct retry_decision d = retry_decide(&refused, failures[f], randoms[r]);

			assert_true(d.delay_ns > 0);
			assert_true(d.delay_ns <= RETRY_CAP_NS);
		}
}

static void the_first_delay_is_at_most_the_base(void **state)
{
	uint64_t bits = 88172645463325252u, least = UINT64_MAX, most = 0;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		bits ^= bits << 13;
		bits ^= bits >> 7;
		bits ^= bits << 17;
		uint64_t d = retry_decide(&refused, 1, bits).delay_ns;
		least = d < least ? d : least;
		most = d > most ? d : most;
	}
	assert_true(most <= RETRY_BASE_NS);
	assert_true(most > RETRY_BASE_NS * 9 / 10);
	assert_true(least < RETRY_BASE_NS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_taken_page_is_delivered),
		cmocka_unit_test(whatever_else_happens_it_goes_again),
		cmocka_unit_test(the_longest_delay_doubles_up_to_the_cap),
		cmocka_unit_test(no_delay_is_zero_or_past_the_cap),
		cmocka_unit_test(the_first_delay_is_at_most_the_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

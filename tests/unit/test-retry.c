/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "test.h"

#include "post/retry.h"

static const struct retry_outcome refused = { .http_status = 503 };

static void a_taken_page_is_delivered(void **state)
{
	struct retry_outcome taken = { .taken = true, .http_status = 204 };
	struct retry_decision d = retry_decide(&taken, 3, RETRY_CAP_NS, 17);

	(void)state;
	assert_int_equal(d.verdict, RETRY_DELIVERED);
	assert_int_equal(d.delay_ns, 0);
}

#define PARK_NS UINT64_C(77)

static bool is_one_of(long status, const long *statuses, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (status == statuses[i])
			return true;
	return false;
}

/* The table of what an answer means, as documented, status by status. */
static enum retry_verdict expected(const struct retry_outcome *o)
{
	static const long parked[] = { 401, 403, 404, 405, 407, 410, 426 },
			  malformed[] = { 400, 413, 415, 422 };

	if (o->taken)
		return RETRY_DELIVERED;
	if (o->unverified || (o->http_status >= 300 && o->http_status < 400) ||
	    is_one_of(o->http_status, parked, sizeof parked / sizeof *parked))
		return RETRY_PARK;
	if (!is_one_of(o->http_status, malformed, sizeof malformed / sizeof *malformed))
		return RETRY_AGAIN;
	if (o->witness)
		return RETRY_PARK;
	if (!o->minimal)
		return RETRY_MINIMAL;
	if (o->others_taken)
		return RETRY_DEAD;
	return o->alone ? RETRY_PARK : RETRY_NEXT;
}

static void each_status_means_what_the_table_says(void **state)
{
	(void)state;
	for (long status = 0; status < 1000; status++)
		for (unsigned flags = 0; flags < 64; flags++) {
			struct retry_outcome o = {
				.taken = flags & 1,
				.unverified = flags & 2,
				.http_status = status,
				.minimal = flags & 4,
				.witness = flags & 8,
				.others_taken = flags & 16,
				.alone = flags & 32,
			};
			struct retry_decision d = retry_decide(&o, 1, PARK_NS, 1);

			assert_int_equal(d.verdict, expected(&o));
			if (d.verdict == RETRY_PARK)
				assert_int_equal(d.delay_ns, PARK_NS);
			else if (d.verdict == RETRY_AGAIN)
				assert_in_range(d.delay_ns, 1, RETRY_BASE_NS);
			else
				assert_int_equal(d.delay_ns, 0);
		}
}

static void what_tls_cannot_verify_is_parked(void **state)
{
	struct retry_outcome o = { .unverified = true };

	(void)state;
	assert_int_equal(retry_decide(&o, 1, PARK_NS, 1).verdict, RETRY_PARK);
}

static void what_the_receiver_asks_for_is_a_floor_of_an_hour_at_most(void **state)
{
	struct retry_outcome o = { .http_status = 429 };

	(void)state;
	o.retry_after_ns = RETRY_CAP_NS * 2;
	assert_true(retry_decide(&o, 1, PARK_NS, 0).delay_ns == RETRY_CAP_NS * 2);
	o.retry_after_ns = 1;
	assert_true(retry_decide(&o, 1, PARK_NS, 9).delay_ns == 10);
	o.retry_after_ns = UINT64_MAX;
	assert_true(retry_decide(&o, 1, PARK_NS, 0).delay_ns == RETRY_AFTER_MAX_NS);
	/* Not of an endpoint that a person must mend. */
	o.http_status = 403;
	assert_int_equal(retry_decide(&o, 1, PARK_NS, 0).delay_ns, PARK_NS);
}

static void both_forms_of_retry_after_are_read(void **state)
{
	static const uint64_t second = UINT64_C(1000000000);
	static const char date[] = "Sun, 06 Nov 1994 08:49:37 GMT";
	static const struct {
		const char *value, *date;
		uint64_t now_s;
		double seconds;
	} cases[] = {
		{ "120", NULL, 0, 120 },
		{ "0", NULL, 0, 0 },
		{ "3599", NULL, 0, 3599 },
		{ "99999999999999999999999999", NULL, 0, 3600 },
		{ "-5", NULL, 0, 0 },
		{ "12x", NULL, 0, 0 },
		{ "", NULL, 0, 0 },
		{ "soon", NULL, 0, 0 },
		/* Not in the standard, and sent all the same. */
		{ "1.5", NULL, 0, 1.5 },
		{ "0.25", NULL, 0, 0.25 },
		{ "0.0000000001", NULL, 0, 0 },
		{ "2.", NULL, 0, 2 },
		{ "3600.5", NULL, 0, 3600 },
		{ "3599.75", NULL, 0, 3599.75 },
		{ ".5", NULL, 0, 0 },
		{ "1.5s", NULL, 0, 0 },
		{ "1.5.5", NULL, 0, 0 },
		{ "1e3", NULL, 0, 0 },
		/* Several headers that a proxy has made one of. */
		{ "1, 120", NULL, 0, 120 },
		{ "120 ,1", NULL, 0, 120 },
		{ "0.5,0.75", NULL, 0, 0.75 },
		{ "1, soon", NULL, 0, 0 },
		{ "1,", NULL, 0, 0 },
		{ "Sun, 06 Nov 1994 08:50:07 GMT", date, 0, 30 },
		/* Our clock is hours away, in either direction. */
		{ "Sun, 06 Nov 1994 08:50:07 GMT", date, 784111777 + 9999, 30 },
		{ "Sun, 06 Nov 1994 08:50:07 GMT", NULL, 784111777, 30 },
		{ "Sun, 06 Nov 1994 08:49:07 GMT", date, 0, 0 },
		{ "Sun, 06 Nov 1996 08:49:07 GMT", date, 0, 3600 },
		{ "Sun, 06 Nov 1994 08:50:07 GMT", "nonsense", 784111777, 30 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_true(
			retry_after_parse(cases[i].value, cases[i].date, cases[i].now_s * second) ==
			(uint64_t)(cases[i].seconds * (double)second));
}

static void the_longest_delay_doubles_up_to_the_cap(void **state)
{
	uint64_t most = RETRY_BASE_NS;

	(void)state;
	for (unsigned failures = 1; failures < 70; failures++) {
		/* The largest remainder gives the longest delay. */
		assert_true(retry_decide(&refused, failures, RETRY_CAP_NS, most - 1).delay_ns ==
			    most);
		assert_true(retry_decide(&refused, failures, RETRY_CAP_NS, most).delay_ns == 1);
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
			struct retry_decision d =
				retry_decide(&refused, failures[f], RETRY_CAP_NS, randoms[r]);

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
		uint64_t d = retry_decide(&refused, 1, RETRY_CAP_NS, bits).delay_ns;
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
		cmocka_unit_test(each_status_means_what_the_table_says),
		cmocka_unit_test(what_tls_cannot_verify_is_parked),
		cmocka_unit_test(what_the_receiver_asks_for_is_a_floor_of_an_hour_at_most),
		cmocka_unit_test(both_forms_of_retry_after_are_read),
		cmocka_unit_test(the_longest_delay_doubles_up_to_the_cap),
		cmocka_unit_test(no_delay_is_zero_or_past_the_cap),
		cmocka_unit_test(the_first_delay_is_at_most_the_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "deliver/retry.h"

static uint64_t delay_most(unsigned failures)
{
	uint64_t most = RETRY_BASE_NS;

	for (unsigned i = 1; i < failures && most < RETRY_CAP_NS; i++)
		most *= 2;
	return most < RETRY_CAP_NS ? most : RETRY_CAP_NS;
}

struct retry_decision retry_decide(const struct retry_outcome *o, unsigned failures,
				   uint64_t random)
{
	if (o->taken)
		return (struct retry_decision){ .verdict = RETRY_DELIVERED };
	/* The remainder favours short delays by less than one part in 10^8. */
	return (struct retry_decision){
		.verdict = RETRY_AGAIN,
		.delay_ns = random % delay_most(failures) + 1,
	};
}

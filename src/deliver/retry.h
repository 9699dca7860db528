/* SPDX-License-Identifier: MIT */
/*
 * What to do after an attempt: a pure policy, no clock and no randomness of its own.
 */
#ifndef TOCSIN_DELIVER_RETRY_H
#define TOCSIN_DELIVER_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* How an attempt ended. */
struct retry_outcome {
	bool taken;       /* the format's success */
	long http_status; /* 0: no answer came */
};

enum retry_verdict { RETRY_DELIVERED, RETRY_AGAIN };

struct retry_decision {
	enum retry_verdict verdict;
	uint64_t delay_ns; /* RETRY_AGAIN: before the next attempt */
};

#define RETRY_BASE_NS UINT64_C(500000000)
#define RETRY_CAP_NS UINT64_C(60000000000)

/*
 * failures: how many attempts at this endpoint have failed in a row, this one included; random: any
 * 64 random bits. The delay is drawn evenly from (0, min(cap, base * 2^(failures - 1))]; there is
 * no last attempt.
 */
struct retry_decision retry_decide(const struct retry_outcome *o, unsigned failures,
				   uint64_t random);

#endif

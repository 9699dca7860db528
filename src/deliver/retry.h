/* SPDX-License-Identifier: MIT */
/*
 * What to do after an attempt: a pure policy, no clock and no randomness of its own.
 *
 *	answer                                  verdict
 *	the format's success                    DELIVERED
 *	408 425 429 5xx, no answer at all       AGAIN: full jitter, retry_after a floor
 *	3xx; 401 403 404 407 410;               PARK: a person has to mend something;
 *	the peer's certificate is not verified  tried again after park_retry
 *	400 413 415 422                         MINIMAL; of a minimal page DEAD
 *	any other                               AGAIN
 */
#ifndef TOCSIN_DELIVER_RETRY_H
#define TOCSIN_DELIVER_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* How an attempt ended. */
struct retry_outcome {
	bool taken;              /* the format's success */
	long http_status;        /* 0: no answer came */
	bool unverified;         /* TLS could not verify the peer or us, whoever found out */
	bool minimal;            /* the attempt was with the minimal page */
	uint64_t retry_after_ns; /* what the receiver asked for, 0: nothing */
};

enum retry_verdict {
	RETRY_DELIVERED,
	RETRY_AGAIN,   /* the endpoint fails: one probe after the delay, the other pages wait */
	RETRY_PARK,    /* likewise, and only a person can mend it */
	RETRY_MINIMAL, /* this page once more in its minimal form, at once; the endpoint is well */
	RETRY_DEAD,    /* this page goes to dead/; the endpoint is well */
};

struct retry_decision {
	enum retry_verdict verdict;
	uint64_t delay_ns; /* RETRY_AGAIN, RETRY_PARK: before the next attempt */
};

#define RETRY_BASE_NS UINT64_C(500000000)
#define RETRY_CAP_NS UINT64_C(60000000000)
#define RETRY_AFTER_MAX_NS UINT64_C(3600000000000)

/*
 * failures: how many attempts at this endpoint have failed in a row, this one included; random: any
 * 64 random bits. AGAIN's delay is drawn evenly from (0, min(cap, base * 2^(failures - 1))], but
 * not below retry_after (at most an hour); there is no last attempt.
 */
struct retry_decision retry_decide(const struct retry_outcome *o, unsigned failures,
				   uint64_t park_retry_ns, uint64_t random);

/*
 * The value of a Retry-After header as a time from now: seconds, which may have a fraction, or a
 * list of such numbers, of which the longest counts; or an HTTP date, which is taken against the
 * answer's own Date (`date`, NULL: none came) or else now_wall_ns, so that a wrong clock here
 * delays nothing. 0 for what cannot be read or has passed; at most RETRY_AFTER_MAX_NS.
 */
uint64_t retry_after_parse(const char *value, const char *date, uint64_t now_wall_ns);

#endif

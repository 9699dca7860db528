/* SPDX-License-Identifier: MIT */
/*
 * What to do after an attempt: a pure policy, no clock and no randomness of its own.
 *
 *	answer                                  verdict
 *	the format's success                    DELIVERED
 *	408 425 429 5xx, no answer at all       AGAIN: full jitter, retry_after a floor
 *	3xx; 401 403 404 405 407 410 426;       PARK: a person has to mend something;
 *	TLS cannot verify the peer or us        tried again after park_retry
 *	400 413 415 422                         MINIMAL; what it is of a minimal page is below
 *	any other                               AGAIN
 *
 * A receiver that calls a page malformed may mean the page or the sender: libraries that verify
 * signatures answer 400 to a bad secret or clock. Which it is the endpoint's next page shows:
 *
 *	refused is                                              verdict
 *	a page, in whichever form, behind one refused twice     PARK: it is the endpoint
 *	a minimal page, and others were taken since it was      DEAD: it is the page
 *	refused twice before
 *	a minimal page, and no other waits                      PARK: nobody can say
 *	a minimal page                                          NEXT
 */
#ifndef TOCSIN_POST_RETRY_H
#define TOCSIN_POST_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* How an attempt ended. */
struct retry_outcome {
	bool taken;              /* the format's success */
	long http_status;        /* 0: no answer came */
	bool unverified;         /* TLS could not verify the peer or us, whoever found out */
	bool minimal;            /* the attempt was with the minimal page */
	bool witness;            /* the page before was refused twice: this one shows why */
	bool others_taken;       /* since the first time that this page was refused twice */
	bool alone;              /* no page waits that could be the witness */
	uint64_t retry_after_ns; /* what the receiver asked for, 0: nothing */
};

enum retry_verdict {
	RETRY_DELIVERED,
	RETRY_AGAIN,   /* the endpoint fails: one probe after the delay, the other pages wait */
	RETRY_PARK,    /* likewise, and only a person can mend it */
	RETRY_MINIMAL, /* this page once more in its minimal form, at once */
	RETRY_NEXT,    /* another page, at once: it shows whether this one is dead */
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

/* Did the receiver call the page malformed? */
bool retry_is_refusal(const struct retry_outcome *o);

/*
 * The value of a Retry-After header as a time from now: seconds, which may have a fraction, or a
 * list of such numbers, of which the longest counts; or an HTTP date, which is taken against the
 * answer's own Date (`date`, NULL: none came) or else now_wall_ns, so that a wrong clock here
 * delays nothing. 0 for what cannot be read or has passed; at most RETRY_AFTER_MAX_NS.
 */
uint64_t retry_after_parse(const char *value, const char *date, uint64_t now_wall_ns);

#endif

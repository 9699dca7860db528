/* SPDX-License-Identifier: MIT */
/*
 * The pager: the thread that posts pages, on libcurl's multi interface, one kept-alive connection
 * an endpoint and one request at a time on each. An endpoint that fails is tried again with one
 * page, the oldest of the highest priority, after the time that retry.h says; the others wait for
 * it. Pages of one incident are sent in order, whatever their priorities: when a graver page waits
 * for an earlier page of its incident, the earlier one takes its rank. Pages found in the outbox
 * (sequence 0) are older than those of this run; their own order is that of submission.
 *
 * retry.h decides what each answer means. A page that the receiver calls malformed is retried once
 * in minimal form. If it is refused again, the next page, of another incident, is sent at once.
 * When that one is taken, the first is dead. When it is refused, or there is none, the endpoint is
 * parked. A parked endpoint is tried with its pages by turns, and at once when a first other page
 * comes.
 *
 * Secrets, tokens, certificates and keys are read again when their files change. While one cannot
 * be read, the pager uses the last good one and reports it. A parked endpoint is tried early when
 * one of them changes.
 *
 * At most PAGER_PENDING_MAX pages wait. The pager reads the first PAGER_ANSWER_MAX bytes of an
 * answer's body, and as many of its head. The head decides. For the body the pager waits at most
 * PAGER_BODY_NS; a body that is cut, garbled or endless changes nothing. No redirect is followed.
 *
 * A connection is used for at most PAGER_CONNECTION_MAX_S, and not again after a failed attempt:
 * the next attempt looks up the endpoint's name again.
 */
#ifndef TOCSIN_POST_PAGER_H
#define TOCSIN_POST_PAGER_H

#include "base/failure.h"
#include "base/moment.h"
#include "spool/delivery.h"
#include "post/retry.h"
#include "settings/settings.h"

#define PAGER_PENDING_MAX 65536
#define PAGER_ANSWER_MAX 65536
#define PAGER_BODY_NS (NS_PER_S / 2)
#define PAGER_CONNECTION_MAX_S 300L

struct pager;

enum attempt_result { ATTEMPT_DELIVERED, ATTEMPT_RETRY, ATTEMPT_PARKED, ATTEMPT_DEAD };

/* One attempt, for the audit line. Lives for the call. */
struct attempt {
	struct delivery *delivery;
	const char *endpoint; /* its name */
	unsigned number;      /* of this page at this endpoint, from 1, in this run */
	long http_status;     /* 0: no answer */
	uint64_t delay_ns;    /* from the page's falling due to the end of the attempt */
	enum attempt_result result;
	uint64_t next_ns; /* ATTEMPT_RETRY, ATTEMPT_PARKED: until the next one; 0: at once */
	/* How long this endpoint has taken nothing, since the first of the attempts that failed in
	 * a row; 0: this one was taken, or refused for the page's own sake. */
	uint64_t failing_ns;
	bool asks_next; /* ATTEMPT_RETRY: refused twice, and the next page shows whose fault it is
			 */
	/* ATTEMPT_PARKED: it was the only page, was refused twice, and another was taken a moment
	 * before. */
	bool doubtful;
	const char *error; /* what went wrong, "" when nothing did; never a secret */
};

struct pager_options {
	const struct settings_endpoint *endpoints; /* must outlive the pager */
	unsigned n_endpoints;
	const char *cpus;
	const char *version; /* for the User-Agent */
	uint64_t park_retry_ns;
	long connection_max_s; /* 0: PAGER_CONNECTION_MAX_S */
	/* On the pager's thread, after each attempt. */
	void (*attempted)(void *userdata, const struct attempt *a);
	/* Likewise: it was given up by pager_discard and has DELIVERY_DISCARDED. */
	void (*discarded)(void *userdata, struct delivery *delivery, const char *reason);
	/* Likewise: a file of its credentials has changed and cannot be used; a line for a person.
	 */
	void (*trouble)(void *userdata, const char *endpoint, const char *text);
	void *userdata;
	struct failure *failure; /* of pager_new: the call that failed; may be NULL */
};

/* Starts the thread. -errno; -ESHUTDOWN: the process exits; -EINVAL for an endpoint whose secret,
 * URL or format is unusable. */
int pager_new(const struct pager_options *o, struct pager **ret);
/* Takes a reference of its own. Any thread; does not block. -ENOMEM, -ENOBUFS, -EINVAL (there is no
 * such endpoint), -ESHUTDOWN after the stop. */
int pager_submit(struct pager *p, struct delivery *delivery);

/* Tries again at once what waits for that endpoint, parked or not. Any thread. */
void pager_hurry(struct pager *p, unsigned endpoint);
/* Gives up the page of that id at that endpoint, once no attempt at it is under way; one that is
 * delivered by then stays delivered. Copies its texts. Any thread. -ENOMEM, -ENOBUFS (so
 * many commands wait), -ESHUTDOWN. A page that does not wait is ignored. */
int pager_discard(struct pager *p, const char *page_id, unsigned endpoint, const char *reason);

/* When the first attempt in a row began that was in vain or is under way, on CLOCK_MONOTONIC; 0:
 * the last one was not, or nothing waits there. Any thread. */
uint64_t pager_failing_since(const struct pager *p, unsigned endpoint);
/* Is somebody just being told of an attempt? Asked after a delivery was seen to have ended. */
bool pager_is_telling(const struct pager *p);
uint64_t pager_pending(const struct pager *p); /* parked ones too */
uint64_t pager_parked(const struct pager *p);
uint64_t pager_dead(const struct pager *p);
uint64_t pager_delivered(const struct pager *p);
uint64_t pager_attempts(const struct pager *p);
uint64_t pager_failures(const struct pager *p);

/*
 * Delivers what it can within drain_ns, then ends the thread within a moment, whatever a receiver
 * or a resolver does; at once when nothing waits but for attempts that would come later than that.
 * A page under way then counts as not delivered. -ETIMEDOUT when even that took longer than a
 * second more; call again. Once the process exits (see base/exit_gate.h) nothing is delivered any
 * more and this returns at once; the thread then stays, and so does the pager's memory.
 */
int pager_stop(struct pager *p, uint64_t drain_ns);
/* After a successful stop. Takes NULL. */
void pager_free(struct pager *p);

#endif

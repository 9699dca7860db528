/* SPDX-License-Identifier: MIT */
/*
 * The pager: the thread that posts pages, on libcurl's multi interface, one kept-alive connection
 * an endpoint and one request at a time on each. An endpoint that fails is tried again with one
 * page, the oldest of the highest priority, after the time that retry.h says; the others wait for
 * it. Pages of one incident go in order, whatever their priorities: a graver one that must wait for
 * an earlier one of its incident lends it its place. Pages found in the outbox (sequence 0) are
 * older than those of this run, and among themselves as they were submitted.
 *
 * At most PAGER_PENDING_MAX pages wait. Of an answer the first PAGER_ANSWER_MAX bytes are read, and
 * as many of its head. A redirect is not followed.
 */
#ifndef TOCSIN_DELIVER_PAGER_H
#define TOCSIN_DELIVER_PAGER_H

#include "deliver/posting.h"
#include "deliver/retry.h"
#include "settings.h"

#define PAGER_PENDING_MAX 65536
#define PAGER_ANSWER_MAX 65536

struct pager;

enum attempt_result { ATTEMPT_DELIVERED, ATTEMPT_RETRY };

/* One attempt, for the audit line. Lives for the call. */
struct attempt {
	struct posting *posting;
	const char *endpoint; /* its name */
	unsigned number;      /* of this page at this endpoint, from 1, in this run */
	long http_status;     /* 0: no answer */
	uint64_t delay_ns;    /* from the page's falling due to the end of the attempt */
	enum attempt_result result;
	uint64_t next_ns;  /* ATTEMPT_RETRY: until the next one */
	const char *error; /* what went wrong, "" when nothing did; never a secret */
};

struct pager_options {
	const struct settings_endpoint *endpoints; /* must outlive the pager */
	unsigned n_endpoints;
	const char *cpus;
	const char *version; /* for the User-Agent */
	/* On the pager's thread, after each attempt. */
	void (*attempted)(void *userdata, const struct attempt *a);
	void *userdata;
};

/* Starts the thread. -errno; -EINVAL for an endpoint whose secret, URL or format is unusable. */
int pager_new(const struct pager_options *o, struct pager **ret);
/* Takes a reference of its own. Any thread; does not block. -ENOMEM, -ENOBUFS, -EINVAL (there is no
 * such endpoint), -ESHUTDOWN after the stop. */
int pager_submit(struct pager *p, struct posting *posting);

uint64_t pager_pending(const struct pager *p);
uint64_t pager_delivered(const struct pager *p);
uint64_t pager_attempts(const struct pager *p);
uint64_t pager_failures(const struct pager *p);

/*
 * Delivers what it can within drain_ns, then ends the thread within a moment, whatever a receiver
 * or a resolver does; at once when nothing waits but for attempts that would come later than that.
 * A page under way then counts as not delivered. -ETIMEDOUT when even that took longer than a
 * second more; call again.
 */
int pager_stop(struct pager *p, uint64_t drain_ns);
/* After a successful stop. Takes NULL. */
void pager_free(struct pager *p);

#endif

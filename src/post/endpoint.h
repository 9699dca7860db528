/* SPDX-License-Identifier: MIT */
/*
 * One endpoint's way: the pages that wait for it, and the one that is under way. The pager's thread
 * alone uses it, but for the atomics.
 */
#ifndef TOCSIN_POST_ENDPOINT_H
#define TOCSIN_POST_ENDPOINT_H

#include <stdatomic.h>
#include "post/pager.h"
#include "post/pager_queue.h"
#include "post/pager_request.h"

/* Of a whole pager. Told to anyone at any time, so nothing hangs on their order. */
struct pager_counts {
	atomic_uint_fast64_t pending, delivered, dead, attempts, failures;
	atomic_uint telling; /* attempts whose end is being told */
};

struct endpoint {
	const struct pager_options *options;
	struct pager_counts *counts;
	CURLM *multi;
	const char *name;
	struct pager_request request;
	struct pager_queue queue;
	struct pager_item *current; /* in the queue, and under way */
	struct pager_item *again;   /* in the queue: its minimal form goes next; or NULL */
	/* In the queue, refused twice: the next page, of another incident, shows whose fault it is.
	 * While parked: it was the only one. Or NULL. */
	struct pager_item *suspect;
	char suspicion[REQUEST_ERROR_SIZE]; /* what was said of it */
	uint64_t n_taken;
	uint64_t taken_ns;         /* the last one was */
	unsigned failures;         /* in a row, the page's own faults not counted */
	uint64_t next_ns;          /* no attempt before this */
	uint64_t look_ns;          /* while parked: when to look for changed credentials */
	_Atomic uint64_t since_ns; /* the first attempt in a row that was in vain, or the one under
				    * way, began; 0: none. What a page is to blame for is none. */
	_Atomic uint64_t waiting;
	atomic_bool parked;
};

/* The options, the counts and the multi handle must outlive it. Errors as pager_request_init;
 * endpoint_done also after a failure. */
int endpoint_init(struct endpoint *l, const struct pager_options *options, unsigned endpoint,
		  CURLM *multi, struct pager_counts *counts);
/* Ends the attempt under way without judging it. */
void endpoint_done(struct endpoint *l);

/* The endpoint owns the item from now on. */
void endpoint_add(struct endpoint *l, struct pager_item *item);
/* As pager_hurry. */
void endpoint_hurry(struct endpoint *l);
/* As pager_discard; may take *reason. */
void endpoint_discard(struct endpoint *l, const char *page_id, char **reason);
/* Gives up what waited for an attempt to end that is never to end. */
void endpoint_give_up_current(struct endpoint *l);

/* Begins the next attempt if it is due and none is under way. */
void endpoint_begin(struct endpoint *l, uint64_t now_ns);
/* libcurl is done with the attempt under way, and no longer has the handle. */
void endpoint_collect(struct endpoint *l, CURLcode code);

/* Is the head of the answer there, and does the rest not come? */
bool endpoint_is_answered(const struct endpoint *l, uint64_t now_ns);
/* Takes the handle of such an attempt from libcurl, for endpoint_collect. */
void endpoint_cut(struct endpoint *l);

/* When the next attempt is due; UINT64_MAX: nothing waits, or one is under way. */
uint64_t endpoint_due_ns(const struct endpoint *l);
/* When endpoint_begin, or endpoint_cut, should be called, which may be earlier. */
uint64_t endpoint_wake_ns(const struct endpoint *l);

#endif

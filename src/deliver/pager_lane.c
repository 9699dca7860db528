/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "deliver/pager_lane.h"

#include <errno.h>
#include <limits.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/moment.h"

/* While an endpoint is parked its files are looked at this often: a person may have mended them. */
#define LOOK_EVERY_NS NS_PER_S

/* So that engines and endpoints do not knock in step; any bits do that. */
static uint64_t random_bits(void)
{
	uint64_t bits;

	if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits)
		bits = clock_monotonic_ns() * UINT64_C(0x9e3779b97f4a7c15);
	return bits;
}

static void lane_park(struct pager_lane *l, bool parked)
{
	if (atomic_exchange(&l->parked, parked) == parked)
		return;
	for (unsigned i = 0; i < PAGER_QUEUE_LISTS; i++)
		for (struct pager_item *item = l->queue.list[i].oldest; item; item = item->newer)
			atomic_store_explicit(&item->posting->parked, parked, memory_order_relaxed);
}

/* The endpoint takes pages, or judges them one by one. */
static void lane_is_well(struct pager_lane *l)
{
	l->failures = 0;
	l->failing_since_ns = 0;
	l->next_ns = 0;
	lane_park(l, false);
}

static void lane_fails(struct pager_lane *l, uint64_t now_ns, const struct retry_decision *d)
{
	if (l->failures < UINT_MAX)
		l->failures++;
	if (l->failing_since_ns == 0)
		l->failing_since_ns = now_ns;
	l->next_ns = now_ns + d->delay_ns;
	l->look_ns = now_ns + LOOK_EVERY_NS;
	lane_park(l, d->verdict == RETRY_PARK);
}

static void item_settle(struct pager_lane *l, struct pager_item *item)
{
	pager_queue_remove(&l->queue, item);
	atomic_fetch_sub(&l->waiting, 1);
	atomic_fetch_sub(&l->counts->pending, 1);
}

/*
 * Takes the item out of the queue for good. Release, so that who reads the flag with acquire finds
 * all that this thread did about the posting done: the counts, first of all.
 */
static void item_end(struct pager_lane *l, struct pager_item *item, unsigned flag)
{
	item_settle(l, item);
	if (flag == POSTING_DELIVERED)
		atomic_fetch_add(&l->counts->delivered, 1);
	else if (flag == POSTING_DEAD)
		atomic_fetch_add(&l->counts->dead, 1);
	atomic_fetch_or_explicit(&item->posting->flags, flag, memory_order_release);
}

static void item_give_up(struct pager_lane *l, struct pager_item *item, const char *reason)
{
	item_end(l, item, POSTING_DISCARDED);
	if (l->options->discarded)
		l->options->discarded(l->options->userdata, item->posting, reason);
	pager_item_free(item);
}

/* What the decision does to the page and its lane; true: the page's way ends here. */
static bool lane_apply(struct pager_lane *l, struct pager_item *item,
		       const struct retry_decision *d, struct attempt *a)
{
	uint64_t now_ns = clock_monotonic_ns();

	switch (d->verdict) {
	case RETRY_DELIVERED:
		lane_is_well(l);
		a->result = ATTEMPT_DELIVERED;
		item_end(l, item, POSTING_DELIVERED);
		return true;
	case RETRY_DEAD:
		lane_is_well(l);
		a->result = ATTEMPT_DEAD;
		item_end(l, item, POSTING_DEAD);
		return true;
	case RETRY_MINIMAL:
		lane_is_well(l);
		a->result = ATTEMPT_RETRY;
		item->minimal = true;
		return false;
	case RETRY_AGAIN:
	case RETRY_PARK:
		break;
	}
	lane_fails(l, now_ns, d);
	a->result = d->verdict == RETRY_PARK ? ATTEMPT_PARKED : ATTEMPT_RETRY;
	a->next_ns = d->delay_ns;
	a->failing_ns = now_ns - l->failing_since_ns + 1;
	return false;
}

static void lane_judge(struct pager_lane *l, const struct pager_answer *answer)
{
	struct pager_item *item = TAKE(l->current);
	struct posting *posting = item->posting;
	struct retry_outcome outcome = {
		.taken = answer->taken,
		.http_status = answer->http_status,
		.unverified = answer->unverified,
		.minimal = item->minimal,
		.retry_after_ns = answer->retry_after_ns,
	};
	struct retry_decision decision =
		retry_decide(&outcome, l->failures + 1, l->options->park_retry_ns, random_bits());
	struct attempt a = {
		.posting = posting,
		.endpoint = l->name,
		.number = item->attempts,
		.http_status = answer->http_status,
		.delay_ns = page_late_ns(posting->page, clock_realtime_ns(), clock_monotonic_ns()),
		.error = answer->error,
	};

	/* Before the flag that ends the posting, so that whoever sees that waits for the telling
	 * too. */
	atomic_fetch_add(&l->counts->telling, 1);
	atomic_fetch_add(&l->counts->attempts, 1);
	if (decision.verdict != RETRY_DELIVERED)
		atomic_fetch_add(&l->counts->failures, 1);
	atomic_store_explicit(&posting->attempts, item->attempts, memory_order_relaxed);
	atomic_store_explicit(&posting->http_status, (uint32_t)answer->http_status,
			      memory_order_relaxed);
	bool ends = lane_apply(l, item, &decision, &a);
	if (l->options->attempted)
		l->options->attempted(l->options->userdata, &a);
	atomic_fetch_sub(&l->counts->telling, 1);
	if (ends)
		pager_item_free(item);
	else if (item->given_up)
		item_give_up(l, item, item->given_up);
}

/* Someone else may have delivered it, when the same posting was submitted twice. */
static struct pager_item *lane_next(struct pager_lane *l)
{
	struct pager_item *item;

	while ((item = pager_queue_next(&l->queue)) &&
	       (atomic_load_explicit(&item->posting->flags, memory_order_acquire) &
		POSTING_ENDED)) {
		item_settle(l, item);
		pager_item_free(item);
	}
	return item;
}

/* Is it time, or has a person mended what it was parked for? */
static bool lane_is_due(struct pager_lane *l, uint64_t now_ns)
{
	if (now_ns >= l->next_ns)
		return true;
	if (!atomic_load(&l->parked) || now_ns < l->look_ns)
		return false;
	l->look_ns = now_ns + LOOK_EVERY_NS;
	return credentials_changed(l->request.credentials);
}

void pager_lane_begin(struct pager_lane *l, uint64_t now_ns)
{
	char trouble[REQUEST_ERROR_SIZE] = "";
	struct pager_answer answer = { 0 };
	struct pager_item *item;

	if (l->current || pager_queue_is_empty(&l->queue) || !lane_is_due(l, now_ns))
		return;
	item = lane_next(l);
	if (!item)
		return;
	l->current = item;
	item->attempts++;
	int r = pager_request_prepare(&l->request, item->posting->page, item->minimal,
				      clock_realtime_ns(), trouble);
	if (trouble[0] && l->options->trouble)
		l->options->trouble(l->options->userdata, l->name, trouble);
	if (r == 0 && curl_multi_add_handle(l->multi, l->request.easy) == CURLM_OK)
		return;
	snprintf(answer.error, sizeof answer.error, "no memory for the request");
	lane_judge(l, &answer);
}

void pager_lane_collect(struct pager_lane *l, CURLcode code)
{
	struct pager_answer answer;

	pager_request_finish(&l->request, code, clock_realtime_ns(), &answer);
	lane_judge(l, &answer);
}

void pager_lane_cut(struct pager_lane *l, uint64_t now_ns)
{
	if (!l->current || now_ns < pager_request_until_ns(&l->request))
		return;
	/* Its connection goes with it. */
	curl_multi_remove_handle(l->multi, l->request.easy);
	pager_lane_collect(l, CURLE_OPERATION_TIMEDOUT);
}

void pager_lane_add(struct pager_lane *l, struct pager_item *item)
{
	pager_queue_add(&l->queue, item);
	atomic_fetch_add(&l->waiting, 1);
	if (atomic_load(&l->parked))
		atomic_store_explicit(&item->posting->parked, true, memory_order_relaxed);
}

void pager_lane_hurry(struct pager_lane *l)
{
	l->next_ns = 0;
}

void pager_lane_discard(struct pager_lane *l, const char *page_id, char **reason)
{
	struct pager_item *item = pager_queue_find(&l->queue, page_id);

	if (!item || item->given_up)
		return;
	if (item == l->current)
		item->given_up = TAKE(*reason);
	else
		item_give_up(l, item, *reason);
}

uint64_t pager_lane_due_ns(const struct pager_lane *l)
{
	return l->current || pager_queue_is_empty(&l->queue) ? UINT64_MAX : l->next_ns;
}

uint64_t pager_lane_wake_ns(const struct pager_lane *l)
{
	uint64_t due_ns = pager_lane_due_ns(l);

	if (l->current)
		return pager_request_until_ns(&l->request);
	return due_ns != UINT64_MAX && atomic_load(&l->parked) && l->look_ns < due_ns ? l->look_ns
										      : due_ns;
}

int pager_lane_init(struct pager_lane *l, const struct pager_options *options, unsigned endpoint,
		    CURLM *multi, struct pager_counts *counts)
{
	l->options = options;
	l->counts = counts;
	l->multi = multi;
	l->name = options->endpoints[endpoint].name;
	int r = pager_request_init(&l->request, &options->endpoints[endpoint], options->version);
	if (r < 0)
		return r;
	long age_s = options->connection_max_s ? options->connection_max_s : PAGER_CONNECTION_MAX_S;
	return curl_easy_setopt(l->request.easy, CURLOPT_PRIVATE, l) == CURLE_OK &&
			       curl_easy_setopt(l->request.easy, CURLOPT_MAXLIFETIME_CONN, age_s) ==
				       CURLE_OK
		       ? 0
		       : -ENOMEM;
}

void pager_lane_give_up_current(struct pager_lane *l)
{
	struct pager_item *item = l->current;

	if (!item || !item->given_up)
		return;
	curl_multi_remove_handle(l->multi, l->request.easy);
	l->current = NULL;
	item_give_up(l, item, item->given_up);
}

void pager_lane_done(struct pager_lane *l)
{
	if (l->current)
		curl_multi_remove_handle(l->multi, l->request.easy);
	l->current = NULL;
	pager_request_done(&l->request);
	pager_queue_done(&l->queue);
}

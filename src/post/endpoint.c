/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "post/endpoint.h"

#include <errno.h>
#include <limits.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/moment.h"

/* While an endpoint is parked its files are checked this often: a person may have repaired them. */
#define LOOK_EVERY_NS NS_PER_S

/* So that engines and endpoints do not knock in step; any bits do that. */
static uint64_t random_bits(void)
{
	uint64_t bits;

	if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits)
		bits = clock_monotonic_ns() * UINT64_C(0x9e3779b97f4a7c15);
	return bits;
}

static void endpoint_park(struct endpoint *l, bool parked)
{
	if (atomic_exchange(&l->parked, parked) == parked)
		return;
	for (unsigned i = 0; i < PAGER_QUEUE_LISTS; i++)
		for (struct pager_item *item = l->queue.list[i].oldest; item; item = item->newer)
			atomic_store_explicit(&item->delivery->parked, parked,
					      memory_order_relaxed);
}

/* The endpoint takes pages. */
static void endpoint_is_well(struct endpoint *l)
{
	l->failures = 0;
	atomic_store(&l->since_ns, 0);
	l->next_ns = 0;
	endpoint_park(l, false);
}

/* Nothing that was said of a page counts any more: it may have been the endpoint. */
static void suspect_clear(struct endpoint *l)
{
	struct pager_item *item = TAKE(l->suspect);

	if (item)
		item->minimal = false;
}

static void endpoint_fails(struct endpoint *l, uint64_t now_ns, const struct retry_decision *d)
{
	if (l->failures < UINT_MAX)
		l->failures++;
	l->next_ns = now_ns + d->delay_ns;
	l->look_ns = now_ns + LOOK_EVERY_NS;
	endpoint_park(l, d->verdict == RETRY_PARK);
}

static void item_settle(struct endpoint *l, struct pager_item *item)
{
	if (l->suspect == item)
		l->suspect = NULL;
	if (l->again == item)
		l->again = NULL;
	pager_queue_remove(&l->queue, item);
	atomic_fetch_sub(&l->waiting, 1);
	atomic_fetch_sub(&l->counts->pending, 1);
}

/*
 * Takes the item out of the queue for good. Release, so that who reads the flag with acquire finds
 * all that this thread did about the delivery done: the counts, first of all.
 */
static void item_end(struct endpoint *l, struct pager_item *item, unsigned flag)
{
	item_settle(l, item);
	if (flag == DELIVERY_DELIVERED)
		atomic_fetch_add(&l->counts->delivered, 1);
	else if (flag == DELIVERY_DEAD)
		atomic_fetch_add(&l->counts->dead, 1);
	atomic_fetch_or_explicit(&item->delivery->flags, flag, memory_order_release);
}

static void item_give_up(struct endpoint *l, struct pager_item *item, const char *reason)
{
	item_end(l, item, DELIVERY_DISCARDED);
	if (l->options->discarded)
		l->options->discarded(l->options->userdata, item->delivery, reason);
	pager_item_free(item);
}

static void attempt_tell(struct endpoint *l, const struct attempt *a)
{
	if (l->options->attempted)
		l->options->attempted(l->options->userdata, a);
}

static uint64_t late_ns(const struct delivery *p)
{
	return page_late_ns(p->page, clock_realtime_ns(), clock_monotonic_ns());
}

/* The endpoint has just taken another: so it was the page. */
static void suspect_bury(struct endpoint *l)
{
	struct pager_item *item = l->suspect;
	struct attempt a = {
		.delivery = item->delivery,
		.endpoint = l->name,
		.number = item->attempts,
		.http_status = (long)atomic_load_explicit(&item->delivery->http_status,
							  memory_order_relaxed),
		.delay_ns = late_ns(item->delivery),
		.result = ATTEMPT_DEAD,
		.error = l->suspicion,
	};

	item_end(l, item, DELIVERY_DEAD);
	attempt_tell(l, &a);
	pager_item_free(item);
}

static void endpoint_takes(struct endpoint *l, struct pager_item *item)
{
	l->n_taken++;
	l->taken_ns = clock_monotonic_ns();
	endpoint_is_well(l);
	item_end(l, item, DELIVERY_DELIVERED);
}

/* This page, or this and the one before it, were refused. */
static void endpoint_refuses(struct endpoint *l, struct pager_item *item, bool alone)
{
	suspect_clear(l);
	item->minimal = false;
	/* Who comes next may be the witness. */
	if (alone)
		l->suspect = item;
}

/* What the decision does to the page and its endpoint; true: the page's way ends here. */
static bool endpoint_apply(struct endpoint *l, struct pager_item *item,
			   const struct retry_outcome *o, const struct retry_decision *d,
			   struct attempt *a)
{
	uint64_t now_ns = clock_monotonic_ns();

	a->result = ATTEMPT_RETRY;
	switch (d->verdict) {
	case RETRY_DELIVERED:
		a->result = ATTEMPT_DELIVERED;
		endpoint_takes(l, item);
		return true;
	case RETRY_DEAD:
		a->result = ATTEMPT_DEAD;
		atomic_store(&l->since_ns, 0);
		l->next_ns = 0;
		item_end(l, item, DELIVERY_DEAD);
		return true;
	case RETRY_MINIMAL:
		item->minimal = true;
		l->again = item;
		l->next_ns = 0;
		return false;
	case RETRY_NEXT:
		a->asks_next = true;
		item->refused_after = l->n_taken + 1;
		l->suspect = item;
		snprintf(l->suspicion, sizeof l->suspicion, "%s", a->error);
		l->next_ns = 0;
		return false;
	case RETRY_AGAIN:
		l->suspect = NULL;
		break;
	case RETRY_PARK:
		a->result = ATTEMPT_PARKED;
		if (retry_is_refusal(o)) {
			if (o->minimal && !o->witness)
				item->refused_after = l->n_taken + 1;
			endpoint_refuses(l, item, o->alone && !o->witness);
			a->doubtful = l->suspect && l->n_taken > 0 &&
				      now_ns - l->taken_ns < l->options->park_retry_ns;
		} else {
			l->suspect = NULL;
		}
		break;
	}
	endpoint_fails(l, now_ns, d);
	a->next_ns = d->delay_ns;
	a->failing_ns = now_ns - atomic_load(&l->since_ns) + 1;
	return false;
}

/* What follows from a taken page for the one before it: after a while in which nothing was taken it
 * gets another hearing. */
static void suspect_judge(struct endpoint *l, bool was_parked)
{
	if (l->suspect && !was_parked)
		suspect_bury(l);
	suspect_clear(l);
}

static struct retry_outcome outcome_of(const struct endpoint *l, const struct pager_item *item,
				       const struct pager_answer *answer)
{
	return (struct retry_outcome){
		.taken = answer->taken,
		.http_status = answer->http_status,
		.unverified = answer->unverified,
		.minimal = item->minimal,
		.witness = l->suspect && l->suspect != item,
		.others_taken = item->refused_after > 0 && l->n_taken >= item->refused_after,
		.alone = !pager_queue_other(&l->queue, item, false),
		.retry_after_ns = answer->retry_after_ns,
	};
}

static void endpoint_judge(struct endpoint *l, const struct pager_answer *answer)
{
	struct pager_item *item = TAKE(l->current);
	struct delivery *delivery = item->delivery;
	struct retry_outcome outcome = outcome_of(l, item, answer);
	struct retry_decision decision =
		retry_decide(&outcome, l->failures + 1, l->options->park_retry_ns, random_bits());
	struct attempt a = {
		.delivery = delivery,
		.endpoint = l->name,
		.number = item->attempts,
		.http_status = answer->http_status,
		.delay_ns = late_ns(delivery),
		.error = answer->error,
	};

	/* Before the flag that ends the delivery, so that whoever sees that waits for the telling
	 * too. */
	atomic_fetch_add(&l->counts->telling, 1);
	atomic_fetch_add(&l->counts->attempts, 1);
	if (decision.verdict != RETRY_DELIVERED)
		atomic_fetch_add(&l->counts->failures, 1);
	atomic_store_explicit(&delivery->attempts, item->attempts, memory_order_relaxed);
	atomic_store_explicit(&delivery->http_status, (uint32_t)answer->http_status,
			      memory_order_relaxed);
	bool was_parked = atomic_load(&l->parked);
	bool ends = endpoint_apply(l, item, &outcome, &decision, &a);
	attempt_tell(l, &a);
	if (decision.verdict == RETRY_DELIVERED)
		suspect_judge(l, was_parked);
	atomic_fetch_sub(&l->counts->telling, 1);
	if (ends)
		pager_item_free(item);
	else if (item->given_up)
		item_give_up(l, item, item->given_up);
}

/*
 * A parked endpoint is tried with all its pages by turns, so that one that it never takes blocks no
 * other; so is one that has to show whether it takes any but the suspect.
 */
static struct pager_item *endpoint_choose(const struct endpoint *l)
{
	struct pager_item *item = l->again;

	if (!item && (l->suspect || atomic_load(&l->parked)))
		item = pager_queue_other(&l->queue, l->suspect, atomic_load(&l->parked));
	return item ? item : pager_queue_next(&l->queue);
}

/* When the same delivery was submitted twice, the first may have delivered it. */
static struct pager_item *endpoint_next(struct endpoint *l)
{
	struct pager_item *item;

	while ((item = endpoint_choose(l)) &&
	       (atomic_load_explicit(&item->delivery->flags, memory_order_acquire) &
		DELIVERY_ENDED)) {
		item_settle(l, item);
		pager_item_free(item);
	}
	l->again = NULL;
	return item;
}

/* Is it time, or has a person repaired the cause? */
static bool endpoint_is_due(struct endpoint *l, uint64_t now_ns)
{
	if (now_ns >= l->next_ns)
		return true;
	if (!atomic_load(&l->parked) || now_ns < l->look_ns)
		return false;
	l->look_ns = now_ns + LOOK_EVERY_NS;
	return credentials_changed(l->request.credentials);
}

void endpoint_begin(struct endpoint *l, uint64_t now_ns)
{
	char trouble[REQUEST_ERROR_SIZE] = "";
	struct pager_answer answer = { 0 };
	struct pager_item *item;

	if (l->current || pager_queue_is_empty(&l->queue) || !endpoint_is_due(l, now_ns))
		return;
	item = endpoint_next(l);
	if (!item)
		return;
	l->current = item;
	item->attempts++;
	if (atomic_load(&l->since_ns) == 0)
		atomic_store(&l->since_ns, now_ns);
	int r = pager_request_prepare(&l->request, item->delivery->page, item->minimal,
				      clock_realtime_ns(), trouble);
	if (trouble[0] && l->options->trouble)
		l->options->trouble(l->options->userdata, l->name, trouble);
	if (r == 0 && curl_multi_add_handle(l->multi, l->request.easy) == CURLM_OK)
		return;
	snprintf(answer.error, sizeof answer.error, "no memory for the request");
	endpoint_judge(l, &answer);
}

void endpoint_collect(struct endpoint *l, CURLcode code)
{
	struct pager_answer answer;

	pager_request_finish(&l->request, code, clock_realtime_ns(), &answer);
	endpoint_judge(l, &answer);
}

bool endpoint_is_answered(const struct endpoint *l, uint64_t now_ns)
{
	return l->current && now_ns >= pager_request_until_ns(&l->request);
}

/* Its connection goes with it. */
void endpoint_cut(struct endpoint *l)
{
	curl_multi_remove_handle(l->multi, l->request.easy);
}

void endpoint_add(struct endpoint *l, struct pager_item *item)
{
	pager_queue_add(&l->queue, item);
	atomic_fetch_add(&l->waiting, 1);
	if (atomic_load(&l->parked))
		atomic_store_explicit(&item->delivery->parked, true, memory_order_relaxed);
	/* It was parked because it had refused the only page: here is the witness. */
	if (l->suspect && atomic_load(&l->parked) &&
	    pager_queue_other(&l->queue, l->suspect, true) == item)
		l->next_ns = 0;
}

void endpoint_hurry(struct endpoint *l)
{
	l->next_ns = 0;
}

void endpoint_discard(struct endpoint *l, const char *page_id, char **reason)
{
	struct pager_item *item = pager_queue_find(&l->queue, page_id);

	if (!item || item->given_up)
		return;
	if (item == l->current)
		item->given_up = TAKE(*reason);
	else
		item_give_up(l, item, *reason);
}

uint64_t endpoint_due_ns(const struct endpoint *l)
{
	return l->current || pager_queue_is_empty(&l->queue) ? UINT64_MAX : l->next_ns;
}

uint64_t endpoint_wake_ns(const struct endpoint *l)
{
	uint64_t due_ns = endpoint_due_ns(l);

	if (l->current)
		return pager_request_until_ns(&l->request);
	return due_ns != UINT64_MAX && atomic_load(&l->parked) && l->look_ns < due_ns ? l->look_ns
										      : due_ns;
}

int endpoint_init(struct endpoint *l, const struct pager_options *options, unsigned endpoint,
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

void endpoint_give_up_current(struct endpoint *l)
{
	struct pager_item *item = l->current;

	if (!item || !item->given_up)
		return;
	curl_multi_remove_handle(l->multi, l->request.easy);
	l->current = NULL;
	item_give_up(l, item, item->given_up);
}

void endpoint_done(struct endpoint *l)
{
	if (l->current)
		curl_multi_remove_handle(l->multi, l->request.easy);
	l->current = NULL;
	pager_request_done(&l->request);
	pager_queue_done(&l->queue);
}

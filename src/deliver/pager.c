/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "deliver/pager.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "base/thread.h"
#include "deliver/pager_queue.h"
#include "deliver/pager_request.h"

/* The thread wakes this often for no reason at all. */
#define IDLE_MS 60000
#define STOP_GRACE_NS NS_PER_S

/* One endpoint's way. The pager's thread alone uses it. */
struct lane {
	struct pager_request request;
	struct pager_queue queue;
	struct pager_item *current; /* in the queue, and under way */
	unsigned failures;          /* in a row */
	uint64_t next_ns;           /* no attempt before this */
};

struct pager {
	struct pager_options options;
	CURLM *multi;
	struct lane *lanes;
	pthread_t thread;

	pthread_mutex_t mutex;                         /* over the next group */
	struct pager_item *submitted, **submitted_end; /* linked by `newer` */
	bool stopping, ended;
	uint64_t drain_until_ns;

	/* Told to anyone at any time, so nothing hangs on their order. */
	atomic_uint_fast64_t pending, delivered, attempts, failures;
	bool joined; /* the stopper's own */
};

/* So that engines and endpoints do not knock in step; any bits do that. */
static uint64_t random_bits(void)
{
	uint64_t bits;

	if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits)
		bits = clock_monotonic_ns() * UINT64_C(0x9e3779b97f4a7c15);
	return bits;
}

static void item_settle(struct pager *p, struct lane *l, struct pager_item *item)
{
	pager_queue_remove(&l->queue, item);
	atomic_fetch_sub(&p->pending, 1);
}

/*
 * The flag comes after the counts, so whoever sees the delivery finds it counted, and before the
 * call, whose removal of the page's file must not overtake its writing; with release, so that who
 * reads it with acquire finds all that this thread did about the posting done.
 */
static void lane_judge(struct pager *p, struct lane *l, const struct pager_answer *answer)
{
	struct pager_item *item = TAKE(l->current);
	struct retry_outcome outcome = { answer->taken, answer->http_status };
	uint64_t wall_ns = clock_realtime_ns(), due_ns = item->posting->page->due_wall_ns;
	struct retry_decision decision;
	struct attempt a = {
		.posting = item->posting,
		.endpoint = p->options.endpoints[l - p->lanes].name,
		.number = item->attempts,
		.http_status = answer->http_status,
		.delay_ns = wall_ns > due_ns ? wall_ns - due_ns : 0,
		.error = answer->error,
	};

	if (!answer->taken && l->failures < UINT_MAX)
		l->failures++;
	decision = retry_decide(&outcome, l->failures, random_bits());
	atomic_fetch_add(&p->attempts, 1);
	if (decision.verdict == RETRY_DELIVERED) {
		l->failures = 0;
		l->next_ns = 0;
		a.result = ATTEMPT_DELIVERED;
		item_settle(p, l, item);
		atomic_fetch_add(&p->delivered, 1);
		atomic_fetch_or_explicit(&item->posting->flags, POSTING_DELIVERED,
					 memory_order_release);
	} else {
		l->next_ns = clock_monotonic_ns() + decision.delay_ns;
		a.result = ATTEMPT_RETRY;
		a.next_ns = decision.delay_ns;
		atomic_fetch_add(&p->failures, 1);
	}
	if (p->options.attempted)
		p->options.attempted(p->options.userdata, &a);
	if (decision.verdict == RETRY_DELIVERED)
		pager_item_free(item);
}

static void lane_begin(struct pager *p, struct lane *l, struct pager_item *item)
{
	struct pager_answer answer = { 0 };

	l->current = item;
	item->attempts++;
	if (pager_request_prepare(&l->request, item->posting->page, clock_realtime_ns()) == 0 &&
	    curl_multi_add_handle(p->multi, l->request.easy) == CURLM_OK)
		return;
	snprintf(answer.error, sizeof answer.error, "no memory for the request");
	lane_judge(p, l, &answer);
}

/* Someone else may have delivered it, when the same posting was submitted twice. */
static struct pager_item *lane_next(struct pager *p, struct lane *l)
{
	struct pager_item *item;

	while ((item = pager_queue_next(&l->queue)) &&
	       (atomic_load_explicit(&item->posting->flags, memory_order_acquire) &
		POSTING_DELIVERED)) {
		item_settle(p, l, item);
		pager_item_free(item);
	}
	return item;
}

static void lanes_begin(struct pager *p, uint64_t now_ns)
{
	for (unsigned i = 0; i < p->options.n_endpoints; i++) {
		struct lane *l = &p->lanes[i];
		struct pager_item *item;

		if (l->current || now_ns < l->next_ns)
			continue;
		item = lane_next(p, l);
		if (item)
			lane_begin(p, l, item);
	}
}

static void attempts_collect(struct pager *p)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(p->multi, &left))) {
		struct pager_answer answer;
		CURL *easy = m->easy_handle;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_multi_remove_handle(p->multi, easy); /* m is gone with it */
		for (unsigned i = 0; i < p->options.n_endpoints; i++) {
			struct lane *l = &p->lanes[i];

			if (l->request.easy != easy)
				continue;
			pager_request_finish(&l->request, code, &answer);
			lane_judge(p, l, &answer);
		}
	}
}

static void submitted_take(struct pager *p, bool *ret_stopping, uint64_t *ret_until_ns)
{
	struct pager_item *item, *next;

	pthread_mutex_lock(&p->mutex);
	item = TAKE(p->submitted);
	p->submitted_end = &p->submitted;
	*ret_stopping = p->stopping;
	*ret_until_ns = p->drain_until_ns;
	pthread_mutex_unlock(&p->mutex);
	for (; item; item = next) {
		next = item->newer;
		pager_queue_add(&p->lanes[item->posting->endpoint].queue, item);
	}
}

/* When the next attempt may begin; UINT64_MAX: no page waits for that. And is one under way? */
static uint64_t next_begin_ns(const struct pager *p, bool *ret_posting)
{
	bool posting = false;
	uint64_t next_ns = UINT64_MAX;

	for (unsigned i = 0; i < p->options.n_endpoints; i++) {
		const struct lane *l = &p->lanes[i];

		posting |= l->current != NULL;
		if (!l->current && !pager_queue_is_empty(&l->queue) && l->next_ns < next_ns)
			next_ns = l->next_ns;
	}
	*ret_posting = posting;
	return next_ns;
}

static int wait_ms(uint64_t now_ns, uint64_t until_ns)
{
	uint64_t ms;

	if (until_ns <= now_ns)
		return 0;
	ms = (until_ns - now_ns - 1) / NS_PER_MS + 1;
	return ms < IDLE_MS ? (int)ms : IDLE_MS;
}

/* One round; false when it is over. */
static bool pager_turn(struct pager *p)
{
	uint64_t drain_until_ns, next_ns, now_ns;
	bool stopping, posting;
	int running;

	submitted_take(p, &stopping, &drain_until_ns);
	now_ns = clock_monotonic_ns();
	if (!stopping || now_ns < drain_until_ns)
		lanes_begin(p, now_ns);
	curl_multi_perform(p->multi, &running);
	attempts_collect(p);
	now_ns = clock_monotonic_ns();
	next_ns = next_begin_ns(p, &posting);
	if (stopping) {
		if (now_ns >= drain_until_ns || (!posting && next_ns >= drain_until_ns))
			return false;
		if (next_ns > drain_until_ns)
			next_ns = drain_until_ns;
	}
	/* A submission while we are not in the poll ends the next one. */
	curl_multi_poll(p->multi, NULL, 0, wait_ms(now_ns, next_ns), NULL);
	return true;
}

static void submitted_free(struct pager *p)
{
	for (struct pager_item *i = p->submitted, *next; i; i = next) {
		next = i->newer;
		pager_item_free(i);
	}
	p->submitted = NULL;
}

static void curl_end(struct pager *p)
{
	for (unsigned i = 0; i < p->options.n_endpoints; i++) {
		struct lane *l = &p->lanes[i];

		if (l->current)
			curl_multi_remove_handle(p->multi, l->request.easy);
		l->current = NULL;
		pager_request_done(&l->request);
		pager_queue_done(&l->queue);
	}
	curl_multi_cleanup(p->multi);
	p->multi = NULL;
}

static void *pager_main(void *arg)
{
	struct pager *p = arg;

	while (pager_turn(p))
		;
	pthread_mutex_lock(&p->mutex);
	p->ended = true; /* nobody wakes the multi handle from here on */
	submitted_free(p);
	pthread_mutex_unlock(&p->mutex);
	/* Here, so that whatever it takes is within the stop's time. */
	curl_end(p);
	return NULL;
}

static void cleanup_pager(struct pager **p)
{
	if (!*p)
		return;
	if ((*p)->lanes)
		curl_end(*p);
	free((*p)->lanes);
	pthread_mutex_destroy(&(*p)->mutex);
	free(*p);
}

int pager_new(const struct pager_options *o, struct pager **ret)
{
	_cleanup_(cleanup_pager) struct pager *p = NULL;
	int r;

	pager_pin_libcurl();
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	p = calloc(1, sizeof *p);
	if (!p)
		return -ENOMEM;
	p->options = *o;
	p->submitted_end = &p->submitted;
	pthread_mutex_init(&p->mutex, NULL); /* of this kind it cannot fail */
	p->lanes = calloc(o->n_endpoints + 1, sizeof *p->lanes);
	p->multi = curl_multi_init();
	if (!p->lanes || !p->multi)
		return -ENOMEM;
	for (unsigned i = 0; i < o->n_endpoints; i++) {
		r = pager_request_init(&p->lanes[i].request, &o->endpoints[i], o->version);
		if (r < 0)
			return r;
	}
	r = thread_start("tocsin-pager", o->cpus, pager_main, p, &p->thread);
	if (r < 0)
		return r;
	*ret = TAKE(p);
	return 0;
}

int pager_submit(struct pager *p, struct posting *posting)
{
	struct pager_item *item;
	int r = 0;

	if (posting->endpoint >= p->options.n_endpoints)
		return -EINVAL;
	item = pager_item_new(posting);
	if (!item)
		return -ENOMEM;
	pthread_mutex_lock(&p->mutex);
	if (p->ended)
		r = -ESHUTDOWN;
	else if (atomic_load(&p->pending) >= PAGER_PENDING_MAX)
		r = -ENOBUFS;
	if (r == 0) {
		bool first = !p->submitted;

		*p->submitted_end = item;
		p->submitted_end = &item->newer;
		atomic_fetch_add(&p->pending, 1);
		/* The others' wake-up is still to be served. */
		if (first)
			curl_multi_wakeup(p->multi);
	}
	pthread_mutex_unlock(&p->mutex);
	if (r < 0)
		pager_item_free(item);
	return r;
}

uint64_t pager_pending(const struct pager *p)
{
	return atomic_load(&p->pending);
}

uint64_t pager_delivered(const struct pager *p)
{
	return atomic_load(&p->delivered);
}

uint64_t pager_attempts(const struct pager *p)
{
	return atomic_load(&p->attempts);
}

uint64_t pager_failures(const struct pager *p)
{
	return atomic_load(&p->failures);
}

int pager_stop(struct pager *p, uint64_t drain_ns)
{
	uint64_t now_ns = clock_monotonic_ns();
	bool for_ever = drain_ns >= UINT64_MAX - now_ns - STOP_GRACE_NS;
	int r;

	if (p->joined)
		return 0;
	pthread_mutex_lock(&p->mutex);
	p->stopping = true;
	p->drain_until_ns = for_ever ? UINT64_MAX : now_ns + drain_ns;
	if (!p->ended)
		curl_multi_wakeup(p->multi);
	pthread_mutex_unlock(&p->mutex);
	r = thread_join(p->thread, for_ever ? UINT64_MAX : drain_ns + STOP_GRACE_NS);
	if (r == 0)
		p->joined = true;
	return r;
}

void pager_free(struct pager *p)
{
	if (!p)
		return;
	assert(p->joined);
	free(p->lanes);
	pthread_mutex_destroy(&p->mutex);
	free(p);
}

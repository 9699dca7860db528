/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "spool/disk_thread.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "base/thread.h"
#include "spool/disk_thread_tasks.h"

#define GRACE_NS (500 * NS_PER_MS)
#define RETRY_FIRST_PART 50 /* of the greatest delay: what passes, mostly passes at once */
#define MEMORY_TRIES 1000   /* 1 ms apart: short memory is no refusal of the disk's */

struct disk_thread {
	struct disk_thread_options options;
	pthread_t thread;
	pthread_mutex_t mutex; /* over the next group; never held while the disk is waited for */
	pthread_cond_t asked;
	struct task_list first, queue; /* what goes first, then all else */
	size_t n_keeps, n_others;      /* of what is not done yet, wherever it is */
	bool stopping, ended;
	uint64_t give_up_ns; /* when stopping: no page is written after it */

	/* The thread's own: what the disk refused, the oldest first. Those that have had their turn
	 * in this round of trying again, then those that have not. */
	struct task_list failed, left;
	uint64_t retry_at_ns; /* when the next round begins */
	uint64_t delay_ns;    /* between rounds; grows */
	bool joined;          /* the stopper's own */
};

static void task_done(struct disk_thread *k, struct task *t)
{
	pthread_mutex_lock(&k->mutex);
	if (t->kind == TASK_KEEP)
		k->n_keeps--;
	else
		k->n_others--;
	pthread_mutex_unlock(&k->mutex);
	task_free(t);
}

/* Acquire, so that with the flag comes what was done before it was set. */
static unsigned flags_of(const struct delivery *p)
{
	return atomic_load_explicit(&p->flags, memory_order_acquire);
}

/*
 * Release: whoever sees the flag with acquire sees what it speaks of as done. For DURABLE that is a
 * file, which needs no ordering of ours; but the delivery's other members must not seem older.
 */
static unsigned flag_set(struct delivery *p, unsigned flag)
{
	return atomic_fetch_or_explicit(&p->flags, flag, memory_order_release);
}

static void tell(struct disk_thread *k, struct delivery *p, int error)
{
	if (k->options.settled)
		k->options.settled(k->options.userdata, p, error);
}

/* Reported once per delivery: a repeated failure says nothing new. */
static void tell_unkept(struct disk_thread *k, struct delivery *p, int error)
{
	if (!(flag_set(p, DELIVERY_UNKEPT) & DELIVERY_UNKEPT))
		tell(k, p, error);
}

/* Takes the task, behind all that were asked before. */
static void failed_add(struct disk_thread *k, struct task *t, int error)
{
	bool had_turn = t->error < 0;

	if (!k->failed.first && !k->left.first) {
		k->delay_ns = k->options.retry_ns / RETRY_FIRST_PART;
		k->retry_at_ns = clock_monotonic_ns() + k->delay_ns;
	}
	t->error = error;
	task_list_append(k->left.first && !had_turn ? &k->left : &k->failed, t);
}

static const char *endpoint_of(const struct disk_thread *k, const struct delivery *p)
{
	return k->options.endpoints[p->endpoint];
}

static int try_for_memory(struct disk_thread *k, struct delivery *p,
			  int (*act)(struct outbox *o, const struct page *p, const char *endpoint))
{
	int r = -ENOMEM;

	for (unsigned i = 0; r == -ENOMEM && i < MEMORY_TRIES; i++) {
		if (i > 0)
			nanosleep(&(struct timespec){ .tv_nsec = (long)NS_PER_MS }, NULL);
		r = act(k->options.outbox, p->page, endpoint_of(k, p));
	}
	return r;
}

/* Tries once more at once where the outbox was removed under us: it is made again then. But it is
 * told: what else waited in it is in memory alone. */
static int in_outbox(struct disk_thread *k, struct delivery *p,
		     int (*act)(struct outbox *o, const struct page *p, const char *endpoint))
{
	int r = try_for_memory(k, p, act);

	if (r != -ENOENT)
		return r;
	tell_unkept(k, p, r);
	return try_for_memory(k, p, act);
}

/* What keeps an earlier page of the incident from the disk keeps this one: after a crash a
 * resolution that alone is there would go before its raising. */
static int put_in_order(struct disk_thread *k, const struct task *t)
{
	int r = task_list_earlier(&k->failed, t);

	if (r == 0)
		r = task_list_earlier(&k->left, t);
	return r < 0 ? r : in_outbox(k, t->delivery, outbox_put);
}

static void keep(struct disk_thread *k, struct task *t, uint64_t give_up_ns)
{
	struct delivery *p = t->delivery;
	int r = -ENOENT;

	/* Ended meanwhile: its drop or its burial follows, or has come before. */
	if (flags_of(p) & (DELIVERY_ENDED | DELIVERY_DURABLE)) {
		task_done(k, t);
		return;
	}
	if (clock_monotonic_ns() >= give_up_ns)
		r = -ECANCELED;
	else if (k->options.outbox)
		r = put_in_order(k, t);
	if (r == 0) {
		flag_set(p, DELIVERY_DURABLE);
		tell(k, p, 0);
		task_done(k, t);
		return;
	}
	tell_unkept(k, p, r);
	if (k->options.outbox && r != -ECANCELED)
		failed_add(k, t, r);
	else
		task_done(k, t);
}

/* A page that was never written has no file, and removing that is no error. */
static void drop(struct disk_thread *k, struct task *t)
{
	const struct delivery *p = t->delivery;
	int r = 0;

	if (k->options.outbox)
		r = outbox_remove(k->options.outbox, p->page, endpoint_of(k, p));
	if (r < 0)
		failed_add(k, t, r);
	else
		task_done(k, t);
}

static void bury(struct disk_thread *k, struct task *t, uint64_t give_up_ns)
{
	struct delivery *p = t->delivery;
	bool can = k->options.outbox && clock_monotonic_ns() < give_up_ns;
	int r = can ? in_outbox(k, p, outbox_bury) : k->options.outbox ? -ECANCELED : -ENOENT;

	if (r < 0)
		tell_unkept(k, p, r);
	if (r < 0 && can)
		failed_add(k, t, r);
	else
		task_done(k, t);
}

static void task_do(struct disk_thread *k, struct task *t, uint64_t give_up_ns)
{
	switch (t->kind) {
	case TASK_KEEP:
		keep(k, t, give_up_ns);
		break;
	case TASK_DROP:
		drop(k, t);
		break;
	case TASK_BURY:
		bury(k, t, give_up_ns);
		break;
	case TASK_RUN:
		t->job(t->userdata);
		task_done(k, t);
		break;
	}
}

static bool is_idle(struct disk_thread *k)
{
	pthread_mutex_lock(&k->mutex);
	bool idle = !k->first.first && !k->queue.first && !k->stopping;
	pthread_mutex_unlock(&k->mutex);
	return idle;
}

static void round_begin(struct disk_thread *k)
{
	task_list_join(&k->failed, &k->left);
	task_list_join(&k->left, &k->failed);
}

/* Each once; a round is broken off when something is asked meanwhile, and then gone on with. */
static void failed_retry(struct disk_thread *k)
{
	if (!k->left.first)
		round_begin(k);
	while (k->left.first && is_idle(k))
		task_do(k, task_list_take(&k->left), UINT64_MAX);
	if (k->left.first)
		return;
	k->delay_ns = 2 * k->delay_ns < k->options.retry_ns ? 2 * k->delay_ns : k->options.retry_ns;
	k->retry_at_ns = clock_monotonic_ns() + k->delay_ns;
}

/* The disk may have been mended since the last turn, and there is no other. */
static void failed_retry_last(struct disk_thread *k)
{
	struct task *t;

	round_begin(k);
	while ((t = task_list_take(&k->left)))
		task_do(k, t, k->give_up_ns);
	while ((t = task_list_take(&k->failed)))
		task_done(k, t);
}

static void wait_asked(struct disk_thread *k)
{
	uint64_t now = clock_monotonic_ns();

	if (!k->failed.first && !k->left.first) {
		pthread_cond_wait(&k->asked, &k->mutex);
	} else if (now < k->retry_at_ns) {
		struct timespec until = cond_deadline(k->retry_at_ns - now);

		pthread_cond_timedwait(&k->asked, &k->mutex, &until);
	}
}

/* The next task, NULL to look after those that failed. False: it is over. */
static bool next_task(struct disk_thread *k, struct task **ret, uint64_t *ret_give_up_ns)
{
	bool go_on = true;

	pthread_mutex_lock(&k->mutex);
	if (!k->first.first && !k->queue.first && !k->stopping)
		wait_asked(k);
	*ret = task_list_take(k->first.first ? &k->first : &k->queue);
	*ret_give_up_ns = k->stopping ? k->give_up_ns : UINT64_MAX;
	if (!*ret && k->stopping) {
		k->ended = true; /* nothing is taken any more, so nothing is left behind */
		go_on = false;
	}
	pthread_mutex_unlock(&k->mutex);
	return go_on;
}

static void *disk_thread_main(void *arg)
{
	struct disk_thread *k = arg;
	struct task *t;
	uint64_t give_up_ns;

	while (next_task(k, &t, &give_up_ns)) {
		if (t)
			task_do(k, t, give_up_ns);
		else if (clock_monotonic_ns() >= k->retry_at_ns)
			failed_retry(k);
	}
	failed_retry_last(k);
	return NULL;
}

int disk_thread_new(const struct disk_thread_options *o, struct disk_thread **ret)
{
	_cleanup_free_ struct disk_thread *k = calloc(1, sizeof *k);
	int r;

	if (!k)
		return -ENOMEM;
	k->options = *o;
	if (k->options.retry_ns == 0)
		k->options.retry_ns = DISK_THREAD_RETRY_NS;
	task_list_init(&k->first);
	task_list_init(&k->queue);
	task_list_init(&k->failed);
	task_list_init(&k->left);
	r = -pthread_mutex_init(&k->mutex, NULL);
	if (r < 0)
		return r;
	r = cond_init(&k->asked);
	if (r == 0) {
		r = thread_start("tocsin-disk", o->cpus, disk_thread_main, k, &k->thread);
		if (r < 0)
			pthread_cond_destroy(&k->asked);
		if (r < 0)
			failure_set(o->failure, r, "pthread_create of tocsin-disk");
	}
	if (r < 0) {
		pthread_mutex_destroy(&k->mutex);
		return r;
	}
	*ret = TAKE(k);
	return 0;
}

static int submit_to(struct disk_thread *k, struct task_list *l, struct task like)
{
	struct task *t = task_new(&like);
	int r = 0;

	if (!t)
		return -ENOMEM;
	pthread_mutex_lock(&k->mutex);
	size_t *n = t->kind == TASK_KEEP ? &k->n_keeps : &k->n_others;
	if (k->ended)
		r = -ESHUTDOWN;
	else if (*n >= DISK_THREAD_KEEPS_MAX)
		r = -ENOBUFS;
	if (r == 0) {
		++*n;
		task_list_append(l, t);
		pthread_cond_signal(&k->asked);
	}
	pthread_mutex_unlock(&k->mutex);
	if (r < 0)
		task_free(t);
	return r;
}

static int submit(struct disk_thread *k, struct task like)
{
	return submit_to(k, &k->queue, like);
}

static int keep_in(struct disk_thread *k, struct task_list *l, struct delivery *p)
{
	int r = submit_to(k, l, (struct task){ .kind = TASK_KEEP, .delivery = p });

	if (r < 0)
		flag_set(p, DELIVERY_UNKEPT);
	return r;
}

int disk_thread_keep(struct disk_thread *k, struct delivery *p)
{
	return keep_in(k, &k->queue, p);
}

int disk_thread_keep_first(struct disk_thread *k, struct delivery *p)
{
	return keep_in(k, &k->first, p);
}

int disk_thread_drop(struct disk_thread *k, struct delivery *p)
{
	return submit(k, (struct task){ .kind = TASK_DROP, .delivery = p });
}

int disk_thread_bury(struct disk_thread *k, struct delivery *p)
{
	return submit(k, (struct task){ .kind = TASK_BURY, .delivery = p });
}

int disk_thread_run(struct disk_thread *k, void (*job)(void *userdata), void *userdata)
{
	return submit(k, (struct task){ .kind = TASK_RUN, .job = job, .userdata = userdata });
}

int disk_thread_stop(struct disk_thread *k, uint64_t timeout_ns)
{
	uint64_t now = clock_monotonic_ns();
	bool for_ever = timeout_ns >= UINT64_MAX - now - GRACE_NS;
	int r;

	if (k->joined)
		return 0;
	pthread_mutex_lock(&k->mutex);
	k->stopping = true;
	k->give_up_ns = for_ever ? UINT64_MAX : now + timeout_ns;
	pthread_cond_signal(&k->asked);
	pthread_mutex_unlock(&k->mutex);
	r = thread_join(k->thread, for_ever ? UINT64_MAX : timeout_ns + GRACE_NS);
	if (r == 0)
		k->joined = true;
	return r;
}

void disk_thread_free(struct disk_thread *k)
{
	if (!k)
		return;
	assert(k->joined);
	pthread_cond_destroy(&k->asked);
	pthread_mutex_destroy(&k->mutex);
	free(k);
}

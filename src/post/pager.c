/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "post/pager.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/exit_gate.h"
#include "base/moment.h"
#include "base/thread.h"
#include "post/endpoint.h"

/* The thread wakes this often for no reason at all. */
#define IDLE_MS 60000
/* And so often when the poll fails. */
#define POLL_AGAIN_MS 20
#define STOP_GRACE_NS NS_PER_S

/* What other threads ask of the pager beside posting. */
struct command {
	char *page_id, *reason; /* owned; NULL: try that endpoint at once */
	unsigned endpoint;
	struct command *next;
};

struct pager {
	struct pager_options options;
	CURLM *multi;
	struct descriptor_identity wake_identity;
	_Atomic int
		wake; /* an eventfd: libcurl's own way to be woken may be missing without a word */
	struct endpoint *endpoints;
	pthread_t thread;

	pthread_mutex_t mutex;                         /* over the next group */
	struct pager_item *submitted, **submitted_end; /* linked by `newer` */
	struct command *commands;                      /* the newest first */
	unsigned n_commands;
	bool stopping, ended;
	bool finished;         /* the thread does nothing more, and: */
	bool resting;          /* it stays for ever, since the process exits */
	pthread_cond_t parted; /* when it has finished */
	uint64_t drain_until_ns;

	struct pager_counts counts;
	bool joined; /* the stopper's own */
};

/* The endpoint of a request that has ended, and how it has; NULL: there is none. Inside the gate,
 * since a connection may be closed. */
static struct endpoint *attempt_take(struct pager *p, CURLcode *ret_code)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(p->multi, &left))) {
		CURL *easy = m->easy_handle;
		struct endpoint *l;

		if (m->msg != CURLMSG_DONE)
			continue;
		*ret_code = m->data.result;
		curl_multi_remove_handle(p->multi, easy); /* m is gone with it */
		if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &l) == CURLE_OK)
			return l;
	}
	return NULL;
}

/* Lets libcurl do what it can now. False: the process exits. */
static bool attempts_go_on(struct pager *p)
{
	struct endpoint *l;
	CURLcode code;
	int running;

	if (!exit_gate_enter())
		return false;
	curl_multi_perform(p->multi, &running);
	while ((l = attempt_take(p, &code))) {
		/* What is told of it, files and other people's functions included, is outside. */
		exit_gate_leave();
		endpoint_collect(l, code);
		if (!exit_gate_enter())
			return false;
	}
	exit_gate_leave();
	return true;
}

/* Ends attempts whose answer is known, as far as it matters. False: the process exits. */
static bool attempts_cut(struct pager *p, uint64_t now_ns)
{
	for (unsigned i = 0; i < p->options.n_endpoints; i++) {
		if (!endpoint_is_answered(&p->endpoints[i], now_ns))
			continue;
		if (!exit_gate_enter())
			return false;
		endpoint_cut(&p->endpoints[i]);
		exit_gate_leave();
		endpoint_collect(&p->endpoints[i], CURLE_OPERATION_TIMEDOUT);
	}
	return true;
}

static void command_free(struct command *c)
{
	free(c->page_id);
	free(c->reason);
	free(c);
}

static void command_do(struct pager *p, struct command *c)
{
	struct endpoint *l = &p->endpoints[c->endpoint];

	if (c->page_id)
		endpoint_discard(l, c->page_id, &c->reason);
	else
		endpoint_hurry(l);
}

/* In the order in which they were given. */
static void commands_do(struct pager *p, struct command *newest)
{
	struct command *oldest = NULL, *next;

	for (; newest; newest = next) {
		next = newest->next;
		newest->next = oldest;
		oldest = newest;
	}
	for (; oldest; oldest = next) {
		next = oldest->next;
		command_do(p, oldest);
		command_free(oldest);
	}
}

/* `end`: nothing more is taken from now on, and nobody wakes the multi handle. */
static void submitted_take(struct pager *p, bool end, bool *ret_stopping, uint64_t *ret_until_ns)
{
	struct pager_item *item, *next;
	struct command *commands;

	pthread_mutex_lock(&p->mutex);
	item = TAKE(p->submitted);
	p->submitted_end = &p->submitted;
	commands = TAKE(p->commands);
	p->n_commands = 0;
	*ret_stopping = p->stopping;
	*ret_until_ns = p->drain_until_ns;
	p->ended = end;
	pthread_mutex_unlock(&p->mutex);
	for (; item; item = next) {
		next = item->newer;
		endpoint_add(&p->endpoints[item->delivery->endpoint], item);
	}
	commands_do(p, commands);
}

static void endpoints_begin(struct pager *p, uint64_t now_ns)
{
	for (unsigned i = 0; i < p->options.n_endpoints; i++)
		endpoint_begin(&p->endpoints[i], now_ns);
}

static uint64_t endpoints_wake_ns(const struct pager *p)
{
	uint64_t next_ns = UINT64_MAX;

	for (unsigned i = 0; i < p->options.n_endpoints; i++) {
		uint64_t ns = endpoint_wake_ns(&p->endpoints[i]);

		next_ns = ns < next_ns ? ns : next_ns;
	}
	return next_ns;
}

/* Is there nothing more to deliver until then? */
static bool endpoints_rest_until(const struct pager *p, uint64_t until_ns)
{
	for (unsigned i = 0; i < p->options.n_endpoints; i++)
		if (p->endpoints[i].current || endpoint_due_ns(&p->endpoints[i]) < until_ns)
			return false;
	return true;
}

static int wait_ms(uint64_t now_ns, uint64_t until_ns)
{
	uint64_t ms;

	if (until_ns <= now_ns)
		return 0;
	ms = (until_ns - now_ns - 1) / NS_PER_MS + 1;
	return ms < IDLE_MS ? (int)ms : IDLE_MS;
}

static void pager_wake(struct pager *p)
{
	/* Full it is readable, which is all that is wanted. Where somebody has closed it, its
	 * number may be another file's: the pager's next turn makes a new one. */
	int wake = atomic_load(&p->wake);

	if (descriptor_is(wake, p->wake_identity))
		(void)eventfd_write(wake, 1);
}

/* All eventfds are one inode, so the identity stays. -1: closed, and none can be had now. */
static int wake_of(struct pager *p)
{
	int fd = atomic_load(&p->wake);

	if (descriptor_is(fd, p->wake_identity))
		return fd;
	fd = descriptor_above(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	atomic_store(&p->wake, fd);
	return fd;
}

/* A submission while we are not in the poll ends the next one. */
static void pager_sleep(struct pager *p, int ms)
{
	int fd = wake_of(p);
	struct curl_waitfd wake = { .fd = fd, .events = CURL_WAIT_POLLIN };
	eventfd_t n;

	/* Without memory for the poll it goes on without libcurl's descriptors for a moment. */
	if (curl_multi_poll(p->multi, &wake, 1, ms, NULL) != CURLM_OK) {
		struct pollfd alone = { .fd = fd, .events = POLLIN };

		(void)poll(&alone, 1, ms < POLL_AGAIN_MS ? ms : POLL_AGAIN_MS);
	}
	if (descriptor_is(fd, p->wake_identity))
		(void)eventfd_read(fd, &n);
}

/* One round; false when it is over, or the process exits. */
static bool pager_turn(struct pager *p)
{
	uint64_t drain_until_ns, next_ns, now_ns;
	bool stopping;

	submitted_take(p, false, &stopping, &drain_until_ns);
	now_ns = clock_monotonic_ns();
	if (!stopping || now_ns < drain_until_ns)
		endpoints_begin(p, now_ns);
	if (!attempts_go_on(p))
		return false;
	now_ns = clock_monotonic_ns();
	if (!attempts_cut(p, now_ns))
		return false;
	next_ns = endpoints_wake_ns(p);
	if (stopping) {
		if (now_ns >= drain_until_ns || endpoints_rest_until(p, drain_until_ns))
			return false;
		if (next_ns > drain_until_ns)
			next_ns = drain_until_ns;
	}
	pager_sleep(p, wait_ms(now_ns, next_ns));
	return true;
}

static void endpoints_done(struct pager *p)
{
	for (unsigned i = 0; i < p->options.n_endpoints; i++)
		endpoint_done(&p->endpoints[i]);
	curl_multi_cleanup(p->multi);
	p->multi = NULL;
}

static void finished_tell(struct pager *p, bool resting)
{
	pthread_mutex_lock(&p->mutex);
	p->resting = resting;
	p->finished = true;
	pthread_cond_broadcast(&p->parted);
	pthread_mutex_unlock(&p->mutex);
}

static void *pager_main(void *arg)
{
	struct pager *p = arg;
	uint64_t until_ns;
	bool stopping;

	while (pager_turn(p))
		;
	if (!exit_gate_enter()) {
		/* The process exits: OpenSSL frees what libcurl's handles rest on, and even this
		 * thread's end would go through it. What is submitted now waits in the outbox. */
		finished_tell(p, true);
		for (;;)
			pause();
	}
	/* An operator's word counts to the last. */
	submitted_take(p, true, &stopping, &until_ns);
	for (unsigned i = 0; i < p->options.n_endpoints; i++)
		endpoint_give_up_current(&p->endpoints[i]);
	/* Here, so that whatever it takes is within the stop's time. */
	endpoints_done(p);
	/* It never leaves the gate: who joins it does that, for OpenSSL has its part in a thread's
	 * end. */
	finished_tell(p, false);
	return NULL;
}

/* Once nobody is left who would wake the thread. */
static void pager_destroy(struct pager *p)
{
	if (descriptor_is(p->wake, p->wake_identity))
		close(p->wake);
	free(p->endpoints);
	pthread_cond_destroy(&p->parted);
	pthread_mutex_destroy(&p->mutex);
	free(p);
}

static void cleanup_pager(struct pager **p)
{
	if (!*p)
		return;
	if ((*p)->endpoints)
		endpoints_done(*p);
	pager_destroy(*p);
}

/*
 * OpenSSL frees all it has when the process exits, and must not while a thread of ours is inside.
 * Where we are the first to use it in this process, we initialise it so that it does not: the
 * memory goes with the process anyway. Where the host was the first, its exit handler is there
 * already, and runs after the gate's, which is registered here.
 */
static int libcurl_begin(void)
{
	typedef int openssl_init(uint64_t what, const void *settings);
	static const uint64_t load_crypto_strings = 0x2, no_atexit = 0x80000;
	/* Found as libcurl finds it; NULL where it has its TLS from elsewhere. */
	openssl_init *init = (openssl_init *)(uintptr_t)dlsym(RTLD_DEFAULT, "OPENSSL_init_crypto");
	CURLcode code;
	int r;

	pager_pin_libcurl();
	if (init)
		init(load_crypto_strings | no_atexit, NULL);
	r = exit_gate_arm();
	if (r < 0)
		return r;
	if (!exit_gate_enter())
		return -ESHUTDOWN;
	code = curl_global_init(CURL_GLOBAL_DEFAULT);
	exit_gate_leave();
	return code == CURLE_OK ? 0 : -ENOMEM;
}

int pager_new(const struct pager_options *o, struct pager **ret)
{
	_cleanup_(cleanup_pager) struct pager *p = NULL;
	struct descriptor_low low;
	int r;

	r = libcurl_begin();
	if (r < 0)
		return failure_set(o->failure, r, "curl_global_init");
	p = calloc(1, sizeof *p);
	if (!p)
		return -ENOMEM;
	p->options = *o;
	p->submitted_end = &p->submitted;
	pthread_mutex_init(&p->mutex, NULL); /* of this kind neither can fail */
	cond_init(&p->parted);
	p->wake = descriptor_above(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (p->wake < 0)
		return -errno;
	p->wake_identity = descriptor_identify(p->wake);
	p->endpoints = calloc(o->n_endpoints + 1, sizeof *p->endpoints);
	descriptor_low_fill(&low);
	p->multi = curl_multi_init();
	descriptor_low_free(&low);
	if (!p->endpoints || !p->multi)
		return failure_set(o->failure, -ENOMEM, "curl_multi_init");
	for (unsigned i = 0; i < o->n_endpoints; i++) {
		r = endpoint_init(&p->endpoints[i], &p->options, i, p->multi, &p->counts);
		if (r < 0)
			return failure_set(o->failure, r, "making of the endpoint %s",
					   o->endpoints[i].name);
	}
	r = thread_start("tocsin-pager", o->cpus, pager_main, p, &p->thread);
	if (r < 0)
		return failure_set(o->failure, r, "pthread_create of tocsin-pager");
	*ret = TAKE(p);
	return 0;
}

int pager_submit(struct pager *p, struct delivery *delivery)
{
	struct pager_item *item;
	int r = 0;

	if (delivery->endpoint >= p->options.n_endpoints)
		return -EINVAL;
	item = pager_item_new(delivery);
	if (!item)
		return -ENOMEM;
	pthread_mutex_lock(&p->mutex);
	if (p->ended)
		r = -ESHUTDOWN;
	else if (atomic_load(&p->counts.pending) >= PAGER_PENDING_MAX)
		r = -ENOBUFS;
	if (r == 0) {
		bool first = !p->submitted;

		*p->submitted_end = item;
		p->submitted_end = &item->newer;
		atomic_fetch_add(&p->counts.pending, 1);
		/* The others' wake-up is still to be served. */
		if (first)
			pager_wake(p);
	}
	pthread_mutex_unlock(&p->mutex);
	if (r < 0)
		pager_item_free(item);
	return r;
}

/* Takes over the command. */
static int command_give(struct pager *p, struct command *c)
{
	int r = 0;

	pthread_mutex_lock(&p->mutex);
	if (p->ended) {
		r = -ESHUTDOWN;
	} else if (p->n_commands == PAGER_PENDING_MAX) {
		r = -ENOBUFS;
	} else {
		p->n_commands++;
		c->next = p->commands;
		p->commands = c;
		pager_wake(p);
	}
	pthread_mutex_unlock(&p->mutex);
	if (r < 0)
		command_free(c);
	return r;
}

void pager_hurry(struct pager *p, unsigned endpoint)
{
	struct command *c = calloc(1, sizeof *c);

	if (!c || endpoint >= p->options.n_endpoints) {
		free(c);
		return;
	}
	c->endpoint = endpoint;
	command_give(p, c);
}

int pager_discard(struct pager *p, const char *page_id, unsigned endpoint, const char *reason)
{
	struct command *c = calloc(1, sizeof *c);

	if (endpoint >= p->options.n_endpoints) {
		free(c);
		return -EINVAL;
	}
	if (!c)
		return -ENOMEM;
	c->endpoint = endpoint;
	c->page_id = strdup(page_id);
	c->reason = strdup(reason);
	if (!c->page_id || !c->reason) {
		command_free(c);
		return -ENOMEM;
	}
	return command_give(p, c);
}

uint64_t pager_pending(const struct pager *p)
{
	return atomic_load(&p->counts.pending);
}

uint64_t pager_parked(const struct pager *p)
{
	uint64_t parked = 0;

	for (unsigned i = 0; i < p->options.n_endpoints; i++)
		if (atomic_load(&p->endpoints[i].parked))
			parked += atomic_load(&p->endpoints[i].waiting);
	return parked;
}

uint64_t pager_failing_since(const struct pager *p, unsigned endpoint)
{
	const struct endpoint *l = &p->endpoints[endpoint];

	return atomic_load(&l->waiting) > 0 ? atomic_load(&l->since_ns) : 0;
}

uint64_t pager_dead(const struct pager *p)
{
	return atomic_load(&p->counts.dead);
}

uint64_t pager_delivered(const struct pager *p)
{
	return atomic_load(&p->counts.delivered);
}

bool pager_is_telling(const struct pager *p)
{
	return atomic_load(&p->counts.telling) > 0;
}

uint64_t pager_attempts(const struct pager *p)
{
	return atomic_load(&p->counts.attempts);
}

uint64_t pager_failures(const struct pager *p)
{
	return atomic_load(&p->counts.failures);
}

int pager_stop(struct pager *p, uint64_t drain_ns)
{
	uint64_t now_ns = clock_monotonic_ns();
	bool for_ever = drain_ns >= UINT64_MAX - now_ns - STOP_GRACE_NS;
	struct timespec until = cond_deadline(for_ever ? UINT64_MAX : drain_ns + STOP_GRACE_NS);
	int r = 0;

	if (p->joined)
		return 0;
	pthread_mutex_lock(&p->mutex);
	p->stopping = true;
	p->drain_until_ns = for_ever ? UINT64_MAX : now_ns + drain_ns;
	if (!p->ended)
		pager_wake(p);
	while (!p->finished && r == 0)
		r = -pthread_cond_timedwait(&p->parted, &p->mutex, &until);
	p->joined = p->finished;
	bool ended = p->finished && !p->resting;
	pthread_mutex_unlock(&p->mutex);
	if (ended) {
		thread_join(p->thread, UINT64_MAX);
		exit_gate_leave(); /* the thread's */
	}
	return p->joined ? 0 : r;
}

void pager_free(struct pager *p)
{
	if (!p)
		return;
	assert(p->joined);
	if (p->resting)
		return; /* the thread is still there */
	pager_destroy(p);
}

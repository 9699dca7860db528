/* SPDX-License-Identifier: MIT */
/*
 * What a hot call does not do: enter the kernel, allocate, lose count. A filter on the calling
 * thread turns each system call into a signal; this program's malloc stands before the C library's.
 */
#include "config.h"
#include "process.h"
#include "receiver.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#define CALLS 5000
#define THREADS 4

/* --- Allocations, counted on the threads that ask for it --- */

/* Volatile: a compiler knows of malloc that it looks at nobody's variables. */
static _Thread_local volatile bool allocations_count;
static atomic_ullong allocations;

#if !SANITIZED
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static void allocation(void)
{
	if (allocations_count)
		atomic_fetch_add(&allocations, 1);
}

TOCSIN_EXPORT void *malloc(size_t size)
{
	allocation();
	return __libc_malloc(size);
}

TOCSIN_EXPORT void *calloc(size_t n, size_t size)
{
	allocation();
	return __libc_calloc(n, size);
}

TOCSIN_EXPORT void *realloc(void *p, size_t size)
{
	allocation();
	return __libc_realloc(p, size);
}
#endif

/* --- System calls, caught on the threads that ask for it --- */

static atomic_int caught = -1; /* the last one's number */

static void catch (int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	atomic_store(&caught, info->si_syscall);
}

/* From here on this thread may only end, by thread_end. */
static bool syscalls_catch(void)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof program / sizeof *program, program };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/* The C library's own way out would make calls of its own. */
static void thread_end(void)
{
	syscall(SYS_exit, 0);
}

struct caller {
	struct world *world;
	tocsin_instance *instance;
	unsigned calls;
	bool filtered;
	unsigned wrong; /* answers other than OK and FULL */
	pthread_barrier_t *together;
};

static const tocsin_kv meta[] = { { STR("strategy"), STR("ma_cross") },
				  { STR("venue"), STR("okx") } };

static void call_each(struct caller *c)
{
	const tocsin_plugin *p = c->world->plugin;
	tocsin_health_event h = health_event(TOCSIN_HEALTH_FEED_PULSE);
	tocsin_session_event s = session_event(TOCSIN_SESSION_STATUS, "session", "running");
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "EXECUTION_ERROR");
	uint64_t number;

	h.kv = s.kv = a.kv = meta;
	h.n_kv = s.n_kv = a.n_kv = 2;
	for (unsigned n = 0; n < c->calls; n++) {
		tocsin_rc rc = n % 16 == 0   ? p->on_session(c->instance, &s)
			       : n % 16 == 1 ? p->on_alert(c->instance, &a, &number)
					     : p->on_health(c->instance, &h);

		c->wrong += rc != TOCSIN_OK && rc != TOCSIN_E_FULL;
	}
}

static void *call_filtered(void *arg)
{
	struct caller *c = arg;

	if (c->together)
		pthread_barrier_wait(c->together);
	c->filtered = syscalls_catch();
	if (c->filtered) {
		call_each(c);
		thread_end();
	}
	return NULL;
}

static void *look_at_the_clock(void *arg)
{
	struct caller *c = arg;
	struct timespec t;

	c->filtered = syscalls_catch();
	if (!c->filtered)
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, &t);
	thread_end();
	return NULL;
}

static void catching_begin(void)
{
	struct sigaction action = { .sa_sigaction = catch, .sa_flags = SA_SIGINFO };
	struct caller probe = { 0 };
	pthread_t thread;

	if (is_watched()) {
		print_message("# a sanitizer makes system calls of its own\n");
		skip();
	}
	assert_int_equal(sigaction(SIGSYS, &action, NULL), 0);
	atomic_store(&caught, -1);
	assert_int_equal(pthread_create(&thread, NULL, look_at_the_clock, &probe), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	if (!probe.filtered) {
		print_message("# no filter for system calls here\n");
		skip();
	}
	if (atomic_load(&caught) != -1) {
		print_message("# on this machine the clock is a system call\n");
		skip();
	}
}

static void end(struct world *w, tocsin_instance *i)
{
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
}

static void nothing_caught(const struct caller *c)
{
	assert_true(c->filtered);
	assert_int_equal(c->wrong, 0);
	if (atomic_load(&caught) != -1)
		fail_msg("a hot call made system call %d", atomic_load(&caught));
}

static void a_hot_call_makes_no_system_call_not_even_a_thread_s_first(void **state)
{
	struct world *w = *state;

	catching_begin();
	tocsin_instance *i = start(w);
	for (unsigned n = 0; n < 9; n++) {
		struct caller c = { .world = w, .instance = i, .calls = n < 8 ? 3 : CALLS };
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, call_filtered, &c), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		nothing_caught(&c);
	}
	end(w, i);
}

static void threads_that_contend_make_no_system_call(void **state)
{
	struct world *w = *state;
	struct caller callers[THREADS];
	pthread_t threads[THREADS];
	pthread_barrier_t together;

	catching_begin();
	tocsin_instance *i = start(w);
	pthread_barrier_init(&together, NULL, THREADS);
	for (unsigned n = 0; n < THREADS; n++) {
		callers[n] = (struct caller){
			.world = w, .instance = i, .calls = CALLS, .together = &together
		};
		assert_int_equal(pthread_create(&threads[n], NULL, call_filtered, &callers[n]), 0);
	}
	for (unsigned n = 0; n < THREADS; n++)
		assert_int_equal(pthread_join(threads[n], NULL), 0);
	for (unsigned n = 0; n < THREADS; n++)
		nothing_caught(&callers[n]);
	pthread_barrier_destroy(&together);
	end(w, i);
}

static void *call_counted(void *arg)
{
	allocations_count = true;
	call_each(arg);
	allocations_count = false;
	return NULL;
}

static void a_hot_call_allocates_nothing_not_even_a_thread_s_first(void **state)
{
	struct world *w = *state;

	if (is_watched()) {
		print_message("# a sanitizer has an allocator of its own\n");
		skip();
	}
	assert_ptr_equal(dlsym(RTLD_DEFAULT, "malloc"), (void *)(uintptr_t)malloc);
	tocsin_instance *i = start(w);
	allocations_count = true;
	void *volatile p = malloc(1);
	free(p);
	allocations_count = false;
	assert_int_equal(atomic_exchange(&allocations, 0), 1);
	for (unsigned n = 0; n < 4; n++) {
		struct caller c = { .world = w, .instance = i, .calls = n < 3 ? 3 : CALLS };
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, call_counted, &c), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(c.wrong, 0);
		assert_int_equal(atomic_load(&allocations), 0);
	}
	end(w, i);
}

/* --- A ring that nobody drains --- */

/* The host's log is told of refused calls on the reader's thread: who holds it holds the reader. */
static pthread_mutex_t reader_gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool reader_waits;

static void log_at_the_gate(const tocsin_host *host, uint32_t level, const char *text, size_t len)
{
	(void)host;
	(void)level;
	if (!memmem(text, len, "was refused", strlen("was refused")))
		return;
	atomic_store(&reader_waits, true);
	pthread_mutex_lock(&reader_gate);
	pthread_mutex_unlock(&reader_gate);
}

static tocsin_instance *start_held(struct world *w)
{
	tocsin_health_event unknown = health_event(99);

	w->host.log = log_at_the_gate;
	atomic_store(&reader_waits, false);
	tocsin_instance *i = start(w);
	pthread_mutex_lock(&reader_gate);
	assert_int_equal(w->plugin->on_health(i, &unknown), TOCSIN_E_ARG);
	while (!atomic_load(&reader_waits))
		usleep(100);
	return i;
}

static void reader_release(void)
{
	pthread_mutex_unlock(&reader_gate);
}

static tocsin_rc pulse(struct world *w, tocsin_instance *i)
{
	tocsin_health_event h = health_event(TOCSIN_HEALTH_FEED_PULSE);

	h.source = STR("feed");
	return w->plugin->on_health(i, &h);
}

static tocsin_stats stats_of(struct world *w, tocsin_instance *i)
{
	tocsin_stats stats = { .size = sizeof stats };

	assert_int_equal(w->plugin->stats(i, &stats), TOCSIN_OK);
	return stats;
}

static void a_full_ring_refuses_by_class_and_counts(void **state)
{
	struct world *w = *state;
	tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, "s", "");
	tocsin_alert_event p1 = alert_event(TOCSIN_ALERT_RAISE, "DATA_FEED_DOWN"), p2 = p1, p3 = p1;
	uint64_t number = 77, last, pulses = 0, p2s = 0, p1s = 0;
	tocsin_instance *i = start_held(w);

	p1.priority = 1;
	p2.priority = 2;
	p3.priority = 3;
	while (pulse(w, i) == TOCSIN_OK)
		pulses++;
	while (w->plugin->on_alert(i, &p2, NULL) == TOCSIN_OK)
		p2s++;
	assert_int_equal(w->plugin->on_alert(i, &p3, NULL), TOCSIN_E_FULL);
	assert_int_equal(w->plugin->on_session(i, &s), TOCSIN_E_FULL);
	assert_int_equal(pulse(w, i), TOCSIN_E_FULL);
	while (w->plugin->on_alert(i, &p1, &number) == TOCSIN_OK)
		p1s++;
	/* Half of what the others leave, each. */
	assert_true(pulses > 0 && p2s > 0 && p1s >= p2s);
	assert_true(pulses >= 5 * p2s);
	last = number;
	assert_int_equal(w->plugin->on_alert(i, &p1, &number), TOCSIN_E_FULL);
	assert_true(number == last);

	tocsin_stats stats = stats_of(w, i);
	assert_int_equal(stats.dropped_p1, 2);
	assert_int_equal(stats.dropped_p2, 1);
	assert_int_equal(stats.dropped_p3, 1);
	assert_int_equal(stats.dropped_other, 3);

	reader_release();
	assert_int_equal(w->plugin->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_MAX), TOCSIN_OK);
	assert_int_equal(stats_of(w, i).accepted, pulses + p2s + p1s);
	assert_int_equal(w->plugin->on_alert(i, &p1, &number), TOCSIN_OK);
	assert_true(number > last);
	end(w, i);
}

static size_t alerts_of(struct world *w, tocsin_instance *i, const char *code)
{
	json_t *json = snapshot(w, i), *alert;
	json_t *recent = json_object_get(json_object_get(json, "alerts"), "recent");
	size_t n, found = 0;

	json_array_foreach(recent, n, alert) found +=
		strcmp(json_string_value(json_object_get(alert, "code")), code) == 0;
	json_decref(json);
	return found;
}

static void pulses_that_were_refused_never_become_a_feed_alert(void **state)
{
	struct world *w = *state;
	tocsin_health_event drift = health_event(TOCSIN_HEALTH_DRIFT);
	uint64_t refused = 0;

	option(w, "rules.feed_stale_after", "1s");
	tocsin_instance *i = start_held(w);
	while (pulse(w, i) == TOCSIN_OK)
		;
	/* The feed lives and says so, and is not heard; what matters more is. */
	uint64_t from_ns = clock_monotonic_ns();
	while (clock_monotonic_ns() - from_ns < 3 * NS_PER_S / 2) {
		refused += pulse(w, i) == TOCSIN_E_FULL;
		usleep(1000);
	}
	assert_true(refused > 0);
	assert_int_equal(w->plugin->on_health(i, &drift), TOCSIN_OK);
	reader_release();
	/* As soon as there is room again, the feed is heard. */
	while (pulse(w, i) != TOCSIN_OK)
		usleep(1000);
	assert_int_equal(alerts_of(w, i, "DATA_FEED_DOWN"), 0);
	assert_int_equal(alerts_of(w, i, "EVENTS_DROPPED"), 1);
	end(w, i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(a_hot_call_makes_no_system_call_not_even_a_thread_s_first),
		in_world(threads_that_contend_make_no_system_call),
		in_world(a_hot_call_allocates_nothing_not_even_a_thread_s_first),
		in_world(a_full_ring_refuses_by_class_and_counts),
		in_world(pulses_that_were_refused_never_become_a_feed_alert),
	};

	alarm(240);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

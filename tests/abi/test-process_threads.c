/* SPDX-License-Identifier: MIT */
/*
 * The host's threads and the plugin's: one of the host's that is cancelled leaves nothing locked,
 * and a fault on one of the plugin's is the host's crash reporter's, as on any other.
 */
#include "config.h"
#include "process.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/moment.h"

/* --- Cancellation --- */

struct call {
	struct world *world;
	tocsin_instance *instance;
	tocsin_rc rc;
	atomic_bool returned;
	void (*make)(struct call *c);
};

static void calls_create(struct call *c)
{
	c->instance = make(c->world);
	c->rc = c->instance ? TOCSIN_OK : TOCSIN_E_NOMEM;
}

static void calls_start(struct call *c)
{
	c->rc = c->world->plugin->start(c->instance);
}

static void calls_flush_durable(struct call *c)
{
	c->rc = c->world->plugin->flush(c->instance, TOCSIN_FLUSH_DURABLE, UINT64_MAX);
}

static void calls_flush_delivered(struct call *c)
{
	c->rc = c->world->plugin->flush(c->instance, TOCSIN_FLUSH_DELIVERED, UINT64_MAX);
}

static void calls_snapshot(struct call *c)
{
	json_decref(snapshot(c->world, c->instance));
	c->rc = TOCSIN_OK;
}

static void calls_stats(struct call *c)
{
	tocsin_stats stats = { .size = sizeof stats };

	c->rc = c->world->plugin->stats(c->instance, &stats);
}

static void calls_on_alert(struct call *c)
{
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "GENERAL");

	c->rc = c->world->plugin->on_alert(c->instance, &a, NULL);
}

static void calls_on_health(struct call *c)
{
	tocsin_health_event h = health_event(TOCSIN_HEALTH_HEARTBEAT);

	c->rc = c->world->plugin->on_health(c->instance, &h);
}

static void calls_on_session(struct call *c)
{
	tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, "s", "");

	c->rc = c->world->plugin->on_session(c->instance, &s);
}

static void calls_stop(struct call *c)
{
	c->rc = c->world->plugin->stop(c->instance, UINT64_MAX);
}

static void calls_destroy(struct call *c)
{
	c->world->plugin->destroy(c->instance);
	c->rc = TOCSIN_OK;
}

/* In this order an instance lives from its creation to its end. */
static void (*const calls[])(struct call *) = {
	calls_create,          calls_start,    calls_flush_durable, calls_on_session,
	calls_on_health,       calls_on_alert, calls_flush_durable, calls_snapshot,
	calls_flush_delivered, calls_stats,    calls_flush_durable, calls_stop,
	calls_snapshot,        calls_destroy,
};

static void *is_cancelled_in_it(void *arg)
{
	struct call *c = arg;

	/* From here on the first point of cancellation is this thread's end. */
	pthread_cancel(pthread_self());
	c->make(c);
	atomic_store(&c->returned, true);
	for (;;)
		pthread_testcancel();
	return NULL;
}

static void no_call_is_a_point_at_which_a_thread_is_cancelled(void **state)
{
	struct call c = { .world = *state };
	void *result;

	for (size_t n = 0; n < sizeof calls / sizeof *calls; n++) {
		pthread_t thread;

		c.make = calls[n];
		atomic_store(&c.returned, false);
		assert_int_equal(pthread_create(&thread, NULL, is_cancelled_in_it, &c), 0);
		assert_int_equal(pthread_join(thread, &result), 0);
		assert_ptr_equal(result, PTHREAD_CANCELED);
		if (!atomic_load(&c.returned) || c.rc != TOCSIN_OK)
			fail_msg("call %zu: %s %d", n, c.returned ? "returned" : "cancelled", c.rc);
	}
}

static void a_thread_is_as_cancellable_as_before(void **state)
{
	static const int states[] = { PTHREAD_CANCEL_ENABLE, PTHREAD_CANCEL_DISABLE };
	struct world *w = *state;
	int before, after;

	for (unsigned n = 0; n < 2; n++) {
		pthread_setcancelstate(states[n], &before);
		tocsin_instance *i = start(w);
		assert_int_equal(w->plugin->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_MAX), TOCSIN_OK);
		assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
		w->plugin->destroy(i);
		pthread_setcancelstate(before, &after);
		assert_int_equal(after, states[n]);
	}
}

/* --- Faults --- */

static void reads_nowhere(void)
{
	static volatile char *volatile nowhere;

	*nowhere = 1;
}

/* Past the end of a file. */
static void reads_past_a_file(void)
{
	FILE *f = tmpfile();
	volatile char *p = f ? mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(f), 0) : NULL;

	if (p && p != MAP_FAILED)
		(void)*p;
}

static void divides_by_nothing(void)
{
#if defined __x86_64__ || defined __i386__
	volatile int many = 7, none = 0;

	many = many / none;
#else
	raise(SIGFPE);
#endif
}

static void is_no_instruction(void)
{
#if defined __x86_64__ || defined __i386__
	__asm__ volatile("ud2");
#else
	raise(SIGILL);
#endif
}

static const struct fault {
	int signal;
	void (*commit)(void);
} faults[] = {
	{ SIGSEGV, reads_nowhere },
	{ SIGBUS, reads_past_a_file },
	{ SIGFPE, divides_by_nothing },
	{ SIGILL, is_no_instruction },
};

static const struct fault *fault_now;
static pid_t fault_thread;

/* The log function of a host that is at fault. */
static void is_at_fault(const tocsin_host *host, uint32_t level, const char *text, size_t len)
{
	(void)host;
	(void)level;
	(void)text;
	(void)len;
	if (gettid() == getpid()) /* our own thread, in a control call */
		return;
	fault_thread = gettid();
	fault_now->commit();
}

static void reports(int signal)
{
	_exit(signal == fault_now->signal && gettid() == fault_thread ? 0 : 2);
}

/* In a child: an instance whose log function commits the fault on a thread of the plugin's. */
static void commits(struct world *w, const struct fault *fault)
{
	static const struct rlimit no_core = { 0, 0 };
	struct sigaction report = { .sa_handler = reports };
	tocsin_alert_event unreadable = { .head = { sizeof unreadable, 99, 0 } };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &no_core);
	fault_now = fault;
	w->host.log = is_at_fault;
	sigaction(fault->signal, &report, NULL);
	tocsin_instance *i = start(w);
	w->plugin->on_alert(i, &unreadable, NULL);
	/* It is told by the plugin's thread, and this process ends. */
	for (;;)
		pause();
}

static void a_fault_on_its_threads_reaches_the_host_s_handler(void **state)
{
	struct world *w = *state;

	if (is_watched()) {
		print_message("# sanitizers and valgrind handle faults themselves\n");
		skip();
	}
	for (size_t n = 0; n < sizeof faults / sizeof *faults; n++) {
		int status;

		fflush(NULL);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			commits(w, &faults[n]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			fail_msg("%s: status %#x", strsignal(faults[n].signal), (unsigned)status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(no_call_is_a_point_at_which_a_thread_is_cancelled),
		in_world(a_thread_is_as_cancellable_as_before),
		in_world(a_fault_on_its_threads_reaches_the_host_s_handler),
	};

	alarm(240);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The plugin as a guest: its threads, what signals do to it, and how it ends. */
#include "config.h"
#include "process.h"
#include "receiver.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>

static void raises(struct world *w, tocsin_instance *i, const char *session)
{
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "DATA_FEED_DOWN");

	a.priority = 1;
	a.session_id = str(session);
	assert_int_equal(w->plugin->on_alert(i, &a, NULL), TOCSIN_OK);
}

static void end(struct world *w, tocsin_instance *i)
{
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
}

/* --- Threads --- */

/* The kernel takes neither from anyone, libc keeps two for itself, and what a fault raises is the
 * host's crash reporter's. */
static bool is_open(int signal)
{
	return signal == SIGKILL || signal == SIGSTOP || (signal >= 32 && signal < SIGRTMIN) ||
	       signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL;
}

static void its_threads_are_named_and_block_every_signal_but_those_of_faults(void **state)
{
	static const char *const take[] = { STEP_TAKE };
	struct world *w = *state;
	struct receiver *r;
	struct task tasks[TASKS_MAX];
	sigset_t mine;

	if (is_under_valgrind()) {
		print_message("# valgrind takes every signal itself\n");
		skip();
	}
	r = receiver_start(take, 1);
	option(w, "webhook.url", r->url);
	size_t before = tasks_count("");
	tocsin_instance *i = start(w);
	raises(w, i, "s");
	receiver_wait(r, 1);
	size_t n = tasks_read("tocsin-", tasks);
	assert_true(n >= 4);
	/* Whatever it has made is named. */
	assert_int_equal(tasks_count(""), before + n);
	for (size_t t = 0; t < n; t++)
		for (int signal = 1; signal <= SIGRTMAX; signal++)
			if (is_open(signal) == (tasks[t].blocked >> (signal - 1) & 1))
				fail_msg("%s %s signal %d", tasks[t].name,
					 is_open(signal) ? "blocks" : "takes", signal);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mine), 0);
	assert_int_equal(sigismember(&mine, SIGTERM), 0);
	end(w, i);
	tasks_await("tocsin-", 0);
	receiver_stop(r);
}

/* How often anybody in this process has set what a signal does. */
static atomic_uint dispositions_set;

/* Every library of the process calls this one. */
__attribute__((visibility("default"))) int sigaction(int signal, const struct sigaction *act,
						     struct sigaction *old)
{
	int (*real)(int signal, const struct sigaction *act, struct sigaction *old);

	*(void **)&real = dlsym(RTLD_NEXT, "sigaction");
	if (act)
		atomic_fetch_add(&dispositions_set, 1);
	return real(signal, act, old);
}

static void what_a_signal_does_is_left_to_the_engine(void **state)
{
	static const char *const take[] = { STEP_TAKE };
	struct world *w = *state;
	struct receiver *r = receiver_start(take, 1);
	struct sigaction act = { .sa_handler = SIG_DFL };

	assert_int_equal(sigaction(SIGUSR2, &act, NULL), 0);
	unsigned before = atomic_load(&dispositions_set);
	assert_true(before > 0);
	option(w, "webhook.url", r->url);
	tocsin_instance *i = start(w);
	raises(w, i, "s");
	receiver_wait(r, 1);
	end(w, i);
	assert_int_equal(atomic_load(&dispositions_set), before);
	receiver_stop(r);
}

struct hurried {
	struct world *world;
	tocsin_instance *instance;
	int cpu;
	bool pinned, real_time;
	tocsin_rc rc;
};

/* A caller as trading engines have them: on one processor alone, and of the real-time class. */
static void *start_hurried(void *arg)
{
	struct hurried *h = arg;
	struct sched_param first = { .sched_priority = 50 };
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)h->cpu, &one);
	h->pinned = pthread_setaffinity_np(pthread_self(), sizeof one, &one) == 0;
	h->real_time = pthread_setschedparam(pthread_self(), SCHED_FIFO, &first) == 0;
	h->rc = h->world->plugin->start(h->instance);
	return NULL;
}

static void its_threads_have_the_plain_class_and_all_processors(void **state)
{
	struct world *w = *state;
	struct hurried h = { .world = w, .instance = make(w) };
	struct task tasks[TASKS_MAX];
	cpu_set_t all;
	pthread_t thread;

	assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
	while (!CPU_ISSET((size_t)h.cpu, &all))
		h.cpu++;
	assert_int_equal(pthread_create(&thread, NULL, start_hurried, &h), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(h.rc, TOCSIN_OK);
	assert_true(h.pinned);
	if (!h.real_time)
		print_message("# the real-time class is not allowed here: its part is skipped\n");
	size_t n = tasks_read("tocsin-", tasks);
	assert_true(n >= 3);
	for (size_t t = 0; t < n; t++) {
		struct sched_param param;
		cpu_set_t set;

		assert_int_equal(sched_getscheduler(tasks[t].id), SCHED_OTHER);
		assert_int_equal(sched_getparam(tasks[t].id, &param), 0);
		assert_int_equal(param.sched_priority, 0);
		assert_int_equal(sched_getaffinity(tasks[t].id, sizeof set, &set), 0);
		assert_true(CPU_COUNT(&set) >= CPU_COUNT(&all));
	}
	end(w, h.instance);
}

/* --- SIGPIPE --- */

static void a_receiver_that_resets_does_not_kill_the_engine(void **state)
{
	static const char *const resets[] = { STEP_RESET, STEP_RESET, STEP_RESET, STEP_RESET,
					      STEP_TAKE };
	struct world *w = *state;
	struct receiver *r = receiver_start(resets, 5);
	struct sigaction before;

	assert_int_equal(sigaction(SIGPIPE, NULL, &before), 0);
	assert_true(before.sa_handler == SIG_DFL);
	option(w, "webhook.url", r->url);
	tocsin_instance *i = start(w);
	raises(w, i, "s");
	receiver_wait(r, 5);
	assert_int_equal(w->plugin->flush(i, TOCSIN_FLUSH_DELIVERED, UINT64_MAX), TOCSIN_OK);
	end(w, i);
	assert_int_equal(sigaction(SIGPIPE, NULL, &before), 0);
	assert_true(before.sa_handler == SIG_DFL);
	receiver_stop(r);
}

/* An engine whose stderr nobody reads any more, where its log goes; the signal's default is death.
 */
static int engine_without_stderr(struct world *w)
{
	int fds[2];
	sigset_t pending;

	if (pipe(fds) < 0 || dup2(fds[1], STDERR_FILENO) < 0)
		return 2;
	close(fds[0]);
	tocsin_instance *i = make(w);
	if (w->plugin->start(i) != TOCSIN_OK)
		return 3;
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "GENERAL");
	tocsin_stats stats = { .size = sizeof stats };
	for (unsigned n = 0; n < 100; n++)
		if (w->plugin->on_alert(i, &a, NULL) != TOCSIN_OK)
			return 4;
	if (w->plugin->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_MAX) != TOCSIN_OK ||
	    w->plugin->stats(i, &stats) != TOCSIN_OK || stats.journal_lost < 100)
		return 5;
	if (w->plugin->stop(i, UINT64_MAX) != TOCSIN_OK)
		return 6;
	w->plugin->destroy(i);
	/* Nor is it left for the engine's own threads to find. */
	if (sigpending(&pending) < 0 || sigismember(&pending, SIGPIPE))
		return 7;
	return 0;
}

static void a_log_that_nobody_reads_does_not_kill_the_engine(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(engine_without_stderr(*state));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(WIFSIGNALED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- Its end --- */

static void a_stop_does_not_wait_for_a_receiver_that_never_answers(void **state)
{
	static const char *const hang[] = { STEP_HANG }, *const take[] = { STEP_TAKE };
	struct world *w = *state;
	struct receiver *r = receiver_start(hang, 1);

	option(w, "webhook.url", r->url);
	/* Longer than this program may run. */
	option(w, "webhook.timeout", "5m");
	tocsin_instance *i = start(w);
	raises(w, i, "s");
	receiver_wait(r, 1);
	assert_int_equal(w->plugin->stop(i, NS_PER_S), TOCSIN_OK);
	w->plugin->destroy(i);
	tasks_await("tocsin-", 0);
	assert_int_equal(receiver_seen(r), 1);

	/* What was under way waits on disk for the next start. */
	receiver_script(r, take, 1);
	i = start(w);
	receiver_wait(r, 2);
	end(w, i);
	assert_string_equal(r->seen[0].id, r->seen[1].id);
	receiver_stop(r);
}

static void a_stop_without_time_may_be_asked_again(void **state)
{
	static const char *const hang[] = { STEP_HANG };
	struct world *w = *state;
	struct receiver *r = receiver_start(hang, 1);
	tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, "s", "");
	tocsin_rc rc;

	option(w, "webhook.url", r->url);
	option(w, "webhook.timeout", "5m");
	tocsin_instance *i = start(w);
	raises(w, i, "s");
	receiver_wait(r, 1);
	while ((rc = w->plugin->stop(i, 0)) == TOCSIN_E_TIMEOUT)
		assert_int_equal(w->plugin->on_session(i, &s), TOCSIN_E_STATE);
	assert_int_equal(rc, TOCSIN_OK);
	w->plugin->destroy(i);
	tasks_await("tocsin-", 0);
	receiver_stop(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(its_threads_are_named_and_block_every_signal_but_those_of_faults),
		in_world(what_a_signal_does_is_left_to_the_engine),
		in_world(its_threads_have_the_plain_class_and_all_processors),
		in_world(a_receiver_that_resets_does_not_kill_the_engine),
		in_world(a_log_that_nobody_reads_does_not_kill_the_engine),
		in_world(a_stop_does_not_wait_for_a_receiver_that_never_answers),
		in_world(a_stop_without_time_may_be_asked_again),
	};

	signal(SIGPIPE, SIG_DFL);
	alarm(240);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/thread.h"

struct seen {
	sigset_t blocked;
	cpu_set_t cpus;
	int policy;
	struct sched_param param;
	char name[16];
	size_t stack;
};

static void *look(void *arg)
{
	struct seen *seen = arg;
	pthread_attr_t attr;

	pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
	pthread_getaffinity_np(pthread_self(), sizeof seen->cpus, &seen->cpus);
	pthread_getschedparam(pthread_self(), &seen->policy, &seen->param);
	pthread_getname_np(pthread_self(), seen->name, sizeof seen->name);
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstacksize(&attr, &seen->stack);
	pthread_attr_destroy(&attr);
	return NULL;
}

static struct seen look_from(const char *cpus)
{
	struct seen seen = { 0 };
	pthread_t thread;

	assert_int_equal(thread_start("tocsin-test", cpus, look, &seen, &thread), 0);
	assert_int_equal(thread_join(thread, UINT64_MAX), 0);
	return seen;
}

static void a_thread_has_a_name_and_a_small_stack(void **state)
{
	struct seen seen = look_from(NULL);
	pthread_attr_t attr;
	size_t usual = 0;

	(void)state;
	pthread_getattr_default_np(&attr);
	pthread_attr_getstacksize(&attr, &usual);
	pthread_attr_destroy(&attr);
	assert_string_equal(seen.name, "tocsin-test");
	assert_true(seen.stack < usual); /* sanitizers add to the 256 KiB */
}

static void a_thread_takes_no_signals_and_its_maker_still_does(void **state)
{
	sigset_t before, after;
	struct seen seen;

	(void)state;
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	seen = look_from(NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_true(sigismember(&seen.blocked, SIGTERM));
	assert_true(sigismember(&seen.blocked, SIGCHLD));
	assert_true(sigismember(&seen.blocked, SIGPIPE));
	assert_int_equal(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
}

static void a_real_time_caller_makes_a_plain_thread(void **state)
{
	struct sched_param param = { .sched_priority = 1 };
	bool real_time = pthread_setschedparam(pthread_self(), SCHED_FIFO, &param) == 0;
	struct seen seen = look_from(NULL);

	(void)state;
	if (real_time) {
		param.sched_priority = 0;
		pthread_setschedparam(pthread_self(), SCHED_OTHER, &param);
	}
	assert_int_equal(seen.policy, SCHED_OTHER);
	assert_int_equal(seen.param.sched_priority, 0);
}

/* The first processor this process may use. */
static unsigned first_cpu(void)
{
	cpu_set_t mine;
	unsigned cpu = 0;

	assert_int_equal(sched_getaffinity(0, sizeof mine, &mine), 0);
	while (!CPU_ISSET(cpu, &mine))
		cpu++;
	return cpu;
}

static void a_pinned_caller_does_not_pin_its_thread(void **state)
{
	cpu_set_t before, one;
	struct seen free_one = look_from(NULL), seen;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
	CPU_ZERO(&one);
	CPU_SET(first_cpu(), &one);
	assert_int_equal(pthread_setaffinity_np(pthread_self(), sizeof one, &one), 0);
	seen = look_from(NULL);
	pthread_setaffinity_np(pthread_self(), sizeof before, &before);
	assert_true(CPU_EQUAL(&seen.cpus, &free_one.cpus));
}

static void a_thread_stays_on_the_processors_named(void **state)
{
	char list[16];
	struct seen seen;

	(void)state;
	snprintf(list, sizeof list, "%u", first_cpu());
	seen = look_from(list);
	assert_int_equal(CPU_COUNT(&seen.cpus), 1);
	assert_true(CPU_ISSET(first_cpu(), &seen.cpus));
}

static void lists_that_name_no_processor_are_refused(void **state)
{
	static const char *const wrong[] = { "",   ",",    "0,",     "-1",   "1-0", "a", "0 ",
					     "0x", "1022", "0-2000", "0,,1", "0-",  " 0" };
	pthread_t thread;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_int_equal(thread_check_cpus(wrong[i]), -EINVAL);
		assert_int_equal(thread_start("tocsin-test", wrong[i], look, NULL, &thread),
				 -EINVAL);
	}
	assert_int_equal(thread_check_cpus(NULL), 0);
	assert_int_equal(thread_check_cpus("0"), 0);
	assert_int_equal(thread_check_cpus("0-1,0,3-900"), 0);
}

static void *wait_for_post(void *arg)
{
	sem_wait(arg);
	return NULL;
}

static void a_join_gives_up_in_time_and_may_be_asked_again(void **state)
{
	pthread_t thread;
	sem_t go;

	(void)state;
	sem_init(&go, 0, 0);
	assert_int_equal(thread_start("tocsin-test", NULL, wait_for_post, &go, &thread), 0);
	assert_int_equal(thread_join(thread, 0), -ETIMEDOUT);
	assert_int_equal(thread_join(thread, 1000000), -ETIMEDOUT);
	sem_post(&go);
	assert_int_equal(thread_join(thread, UINT64_C(60000000000)), 0);
	sem_destroy(&go);
}

static void a_deadline_that_has_passed_ends_the_wait(void **state)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	struct timespec soon = cond_deadline(1000), never = cond_deadline(UINT64_MAX);
	pthread_cond_t cond;

	(void)state;
	assert_int_equal(cond_init(&cond), 0);
	pthread_mutex_lock(&mutex);
	assert_int_equal(pthread_cond_timedwait(&cond, &mutex, &soon), ETIMEDOUT);
	pthread_mutex_unlock(&mutex);
	pthread_cond_destroy(&cond);
	assert_true(never.tv_sec > soon.tv_sec + 3600);
	assert_true(never.tv_nsec < 1000000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_has_a_name_and_a_small_stack),
		cmocka_unit_test(a_thread_takes_no_signals_and_its_maker_still_does),
		cmocka_unit_test(a_real_time_caller_makes_a_plain_thread),
		cmocka_unit_test(a_pinned_caller_does_not_pin_its_thread),
		cmocka_unit_test(a_thread_stays_on_the_processors_named),
		cmocka_unit_test(lists_that_name_no_processor_are_refused),
		cmocka_unit_test(a_join_gives_up_in_time_and_may_be_asked_again),
		cmocka_unit_test(a_deadline_that_has_passed_ends_the_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

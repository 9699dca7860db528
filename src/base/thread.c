/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/files.h"
#include "base/moment.h"

#define STACK_SIZE ((size_t)256 * 1024)
#define CPU_LIST_MAX 4096
#define JOIN_PAUSE_MIN_NS UINT64_C(50000)
#define JOIN_PAUSE_MAX_NS UINT64_C(5000000)
#define CPUS_POSSIBLE "/sys/devices/system/cpu/possible"
#define CPUS_ISOLATED "/sys/devices/system/cpu/isolated"
#define CPUS_ONLINE "/sys/devices/system/cpu/online"

/* One processor's number; *s moves past it. */
static int cpu_parse(const char **s, unsigned long *ret)
{
	unsigned long cpu;
	char *end;

	if (**s < '0' || **s > '9')
		return -EINVAL;
	errno = 0;
	cpu = strtoul(*s, &end, 10);
	if (errno != 0 || cpu >= CPU_SETSIZE)
		return -EINVAL;
	*s = end;
	*ret = cpu;
	return 0;
}

/* "0,2-3"; an empty list is an empty set. */
static int cpus_parse(const char *list, cpu_set_t *ret)
{
	const char *s = list;
	cpu_set_t set;

	CPU_ZERO(&set);
	while (*s != 0) {
		unsigned long first, last;

		if (cpu_parse(&s, &first) < 0)
			return -EINVAL;
		last = first;
		if (*s == '-') {
			s++;
			if (cpu_parse(&s, &last) < 0 || last < first)
				return -EINVAL;
		}
		for (unsigned long cpu = first; cpu <= last; cpu++)
			CPU_SET(cpu, &set);
		if (*s == 0)
			break;
		if (*s != ',' || s[1] == 0)
			return -EINVAL;
		s++;
	}
	*ret = set;
	return 0;
}

/* The kernel's list in `path`; empty when there is none. */
static void cpus_read(const char *path, cpu_set_t *ret)
{
	_cleanup_close_ int fd = descriptor_open(path, O_RDONLY);
	char list[CPU_LIST_MAX];
	ssize_t n = fd < 0 ? -1 : read(fd, list, sizeof list - 1);

	CPU_ZERO(ret);
	if (n <= 0)
		return;
	list[n] = 0;
	list[strcspn(list, "\n")] = 0;
	if (cpus_parse(list, ret) < 0)
		CPU_ZERO(ret);
}

static void cpus_possible(cpu_set_t *ret)
{
	cpus_read(CPUS_POSSIBLE, ret);
	if (CPU_COUNT(ret) > 0)
		return;
	for (long cpu = sysconf(_SC_NPROCESSORS_CONF) - 1; cpu >= 0; cpu--)
		if (cpu < CPU_SETSIZE)
			CPU_SET((size_t)cpu, ret);
}

/* Those of the list; by default all but the isolated ones, if any are left then. */
static int cpus_choose(const char *cpus, cpu_set_t *ret)
{
	cpu_set_t possible, isolated, left;
	int r;

	cpus_possible(&possible);
	if (cpus) {
		r = cpus_parse(cpus, &left);
		if (r < 0)
			return r;
		CPU_AND(ret, &left, &possible);
		return CPU_COUNT(ret) > 0 ? 0 : -EINVAL;
	}
	cpus_read(CPUS_ISOLATED, &isolated);
	CPU_AND(&left, &possible, &isolated);
	CPU_XOR(&left, &left, &possible);
	*ret = CPU_COUNT(&left) > 0 ? left : possible;
	return 0;
}

int thread_check_cpus(const char *cpus)
{
	cpu_set_t set;

	return cpus_choose(cpus, &set);
}

struct start {
	void *(*main)(void *);
	void *arg;
	char name[16];
};

static void *run(void *arg)
{
	struct start *given = arg;
	struct start start = *given;

	free(given);
	pthread_setname_np(pthread_self(), start.name);
	/* What we write is for programs too: the host's locale must not put commas into numbers.
	 * In this one nothing asks the environment for a language either, which the host may be
	 * changing. It is built into the C library: nothing is allocated, nothing to be freed. */
	uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
	return start.main(start.arg);
}

/* --- Class and processors --- */

/*
 * Filters of system calls may forbid to change them, and some kill the process for it. So each is
 * changed only where a thread would not get what it should by itself.
 */
static bool class_must_change(void)
{
	int policy = sched_getscheduler(0);
	int class = policy & ~SCHED_RESET_ON_FORK;

	if (policy < 0 || class == SCHED_OTHER)
		return false;
	return !(policy & SCHED_RESET_ON_FORK) || (class != SCHED_FIFO && class != SCHED_RR);
}

static bool cpus_must_change(const cpu_set_t *wanted)
{
	cpu_set_t mine, online, usable;

	if (sched_getaffinity(0, sizeof mine, &mine) < 0)
		return true;
	cpus_read(CPUS_ONLINE, &online);
	CPU_AND(&usable, wanted, &online);
	return !CPU_EQUAL(&mine, CPU_COUNT(&usable) > 0 ? &usable : wanted);
}

/* By default a thread inherits its maker's class and processors. cpus: NULL to leave them. */
static int attributes_set(pthread_attr_t *attr, bool class, const cpu_set_t *cpus)
{
	struct sched_param plain = { .sched_priority = 0 };
	int r;

	r = pthread_attr_setstacksize(attr, STACK_SIZE);
	if (r == 0 && class)
		r = pthread_attr_setinheritsched(attr, PTHREAD_EXPLICIT_SCHED);
	if (r == 0 && class)
		r = pthread_attr_setschedpolicy(attr, SCHED_OTHER);
	if (r == 0 && class)
		r = pthread_attr_setschedparam(attr, &plain);
	if (r == 0 && cpus)
		r = pthread_attr_setaffinity_np(attr, sizeof *cpus, cpus);
	return -r;
}

static int create(bool class, const cpu_set_t *cpus, struct start *start, pthread_t *ret)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	sigset_t all, before;
	pthread_attr_t attr;
	int r;

	r = -pthread_attr_init(&attr);
	if (r < 0)
		return r;
	r = attributes_set(&attr, class, cpus);
	if (r == 0) {
		/* The mask is inherited; set in the thread itself it would come too late. */
		sigfillset(&all);
		/* What a fault raises: blocked, it would end the process without a word of the
		 * host's crash reporter. */
		for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
			sigdelset(&all, faults[i]);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		r = -pthread_create(ret, &attr, run, start);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	pthread_attr_destroy(&attr);
	return r;
}

/* Without what only makes it better, where that is what fails. */
static int create_somehow(const char *cpus, struct start *start, pthread_t *ret)
{
	bool class = class_must_change();
	cpu_set_t wanted, possible;
	int r = cpus_choose(cpus, &wanted);

	if (r < 0)
		return r;
	const cpu_set_t *set = cpus_must_change(&wanted) ? &wanted : NULL;
	r = create(class, set, start, ret);
	if (r == -EINVAL && set && !cpus) {
		/* A cpuset may leave us isolated processors alone. */
		cpus_possible(&possible);
		set = &possible;
		r = create(class, set, start, ret);
	}
	if (r < 0 && r != -EAGAIN && r != -ENOMEM && set)
		r = create(class, NULL, start, ret);
	if (r < 0 && r != -EAGAIN && r != -ENOMEM && class && set)
		r = create(false, set, start, ret);
	if (r < 0 && r != -EAGAIN && r != -ENOMEM && class)
		r = create(false, NULL, start, ret);
	return r;
}

int thread_start(const char *name, const char *cpus, void *(*main)(void *), void *arg,
		 pthread_t *ret)
{
	_cleanup_free_ struct start *start = malloc(sizeof *start);
	pthread_t thread = 0;
	int r;

	if (!start)
		return -ENOMEM;
	*start = (struct start){ .main = main, .arg = arg };
	snprintf(start->name, sizeof start->name, "%s", name);
	r = create_somehow(cpus, start, &thread);
	if (r < 0)
		return r;
	start = NULL; /* the thread's now */
	*ret = thread;
	return 0;
}

bool thread_is_plain(void)
{
	return !class_must_change();
}

bool thread_is_placed(const char *cpus)
{
	cpu_set_t wanted, mine, astray;

	if (cpus_choose(cpus, &wanted) < 0 || sched_getaffinity(0, sizeof mine, &mine) < 0)
		return false;
	/* A cpuset may leave fewer of them. */
	CPU_AND(&astray, &mine, &wanted);
	return CPU_EQUAL(&astray, &mine);
}

int thread_join(pthread_t thread, uint64_t timeout_ns)
{
	uint64_t start = clock_monotonic_ns();
	uint64_t pause_ns = JOIN_PAUSE_MIN_NS;
	int r;

	if (timeout_ns == UINT64_MAX)
		return -pthread_join(thread, NULL);
	/* Asked in turns: a timed join runs on the real-time clock, which may be set back, and the
	 * one on the monotonic clock is unknown to the thread sanitizer. */
	while ((r = pthread_tryjoin_np(thread, NULL)) == EBUSY) {
		uint64_t spent = clock_monotonic_ns() - start;
		struct timespec pause = { 0 };

		if (spent >= timeout_ns)
			return -ETIMEDOUT;
		if (pause_ns > timeout_ns - spent)
			pause_ns = timeout_ns - spent;
		pause.tv_nsec = (long)pause_ns;
		nanosleep(&pause, NULL);
		pause_ns = pause_ns < JOIN_PAUSE_MAX_NS / 2 ? pause_ns * 2 : JOIN_PAUSE_MAX_NS;
	}
	return -r;
}

int cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	int r;

	r = -pthread_condattr_init(&attr);
	if (r < 0)
		return r;
	r = -pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (r == 0)
		r = -pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
	return r;
}

struct timespec cond_deadline(uint64_t ns)
{
	uint64_t now = clock_monotonic_ns();
	uint64_t most = (uint64_t)INT32_MAX * NS_PER_S;
	uint64_t at = ns < most - now ? now + ns : most;

	return (struct timespec){ .tv_sec = (time_t)(at / NS_PER_S),
				  .tv_nsec = (long)(at % NS_PER_S) };
}

/* SPDX-License-Identifier: MIT */
/*
 * What cannot be ended is left alone: a start that fails leaves no file, and a thread that cannot
 * be stopped is never again the host's concern. pthread_create is this program's own, which stands
 * before the C library's.
 */
#include "config.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#define THREADS_MAX 8 /* more than a start makes */

/* --- A thread that cannot be made --- */

static unsigned threads_until_failure; /* 0: none fails */

__attribute__((visibility("default"))) int pthread_create(pthread_t *restrict thread,
							  const pthread_attr_t *restrict attr,
							  void *(*main)(void *), void *restrict arg)
{
	int (*real)(pthread_t *restrict, const pthread_attr_t *restrict, void *(*)(void *),
		    void *restrict) =
		(int (*)(pthread_t *restrict, const pthread_attr_t *restrict, void *(*)(void *),
			 void *restrict))(uintptr_t)dlsym(RTLD_NEXT, "pthread_create");

	if (threads_until_failure > 0 && --threads_until_failure == 0)
		return EAGAIN;
	return real(thread, attr, main, arg);
}

/* How many recorders, and files that would become some, there are. */
static unsigned recorders(const struct world *w)
{
	_cleanup_(cleanup_dir) DIR *d = opendir(w->runtime);
	struct dirent *e;
	unsigned n = 0;

	while (d && (e = readdir(d)))
		n += strstr(e->d_name, "ring-") ||
		     (strncmp(e->d_name, "lock-", 5) == 0 && strcmp(e->d_name, "lock-engine") != 0);
	return n;
}

static bool start_fails(struct world *w, unsigned nth)
{
	tocsin_instance *i = make(w);
	tocsin_rc rc;

	threads_until_failure = nth;
	rc = w->plugin->start(i);
	threads_until_failure = 0;
	if (rc == TOCSIN_OK)
		assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	else
		assert_int_equal(recorders(w), 0);
	w->plugin->destroy(i);
	assert_int_equal(recorders(w), 0);
	tasks_await("tocsin-", 0);
	return rc != TOCSIN_OK;
}

static void a_start_that_fails_leaves_nothing(void **state)
{
	struct world *w = *state;
	unsigned nth = 1;

	while (start_fails(w, nth))
		assert_true(nth++ < THREADS_MAX);
	assert_true(nth > 4);
	unload(w);
}

/* --- A thread that cannot be ended --- */

/* A log function that does not return until it may, and then finds its host gone. */
static struct {
	atomic_uint calls;
	atomic_bool hangs, may_return, host_is_gone, called_too_late;
} logger;

static void log_hangs(const tocsin_host *host, uint32_t level, const char *text, size_t len)
{
	(void)host;
	(void)level;
	(void)text;
	(void)len;
	if (atomic_load(&logger.host_is_gone))
		atomic_store(&logger.called_too_late, true);
	if (!atomic_load(&logger.hangs) || gettid() == getpid()) /* in a control call */
		return;
	atomic_fetch_add(&logger.calls, 1);
	while (!atomic_load(&logger.may_return))
		usleep(1000);
}

/* Last: its threads live on. */
static void a_thread_that_cannot_be_stopped_calls_nothing_of_the_host_s(void **state)
{
	struct world *w = *state;
	tocsin_instance *i = make(w);
	/* Each is told of by itself. */
	tocsin_alert_event wrong_kind = { .head = { sizeof wrong_kind, 99, 0 } };
	tocsin_alert_event too_small = { .head = { 8, TOCSIN_ALERT_RAISE, 0 } };

	w->host.log = log_hangs;
	assert_int_equal(w->plugin->start(i), TOCSIN_OK);
	atomic_store(&logger.hangs, true);
	w->plugin->on_alert(i, &wrong_kind, NULL);
	while (atomic_load(&logger.calls) == 0)
		usleep(1000);
	w->plugin->on_alert(i, &too_small, NULL);
	assert_int_equal(w->plugin->stop(i, 0), TOCSIN_E_TIMEOUT);
	w->plugin->destroy(i);
	atomic_store(&logger.host_is_gone, true);
	/* Its code is still there for the thread to return to. */
	assert_int_equal(dlclose(w->so), 0);
	assert_true(is_mapped("/tocsin.so"));
	atomic_store(&logger.may_return, true);
	tasks_await("tocsin-dispatch", 0);
	assert_false(atomic_load(&logger.called_too_late));
	w->so = dlopen(NULL, RTLD_NOW);
}

#if defined(__SANITIZE_ADDRESS__)
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);

/* What cannot be freed safely is kept on purpose here. */
int __lsan_is_turned_off(void)
{
	return 1;
}
#endif

#if defined(__SANITIZE_THREAD__)
__attribute__((visibility("default"))) const char *__tsan_default_options(void);

/* Threads that cannot be stopped live on, on purpose. */
const char *__tsan_default_options(void)
{
	return "report_thread_leaks=0";
}
#endif

/* --- Both --- */

/* Standard error as a pipe that is full, so that the log's thread hangs. */
static int fill_stderr(int *ret_before)
{
	static const char zeros[4096];
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	*ret_before = dup(STDERR_FILENO);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	while (write(ends[1], zeros, sizeof zeros) > 0)
		;
	while (write(ends[1], zeros, 1) > 0)
		;
	fcntl(ends[1], F_SETFL, 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	return ends[0];
}

static void a_start_that_fails_and_cannot_clean_up_is_kept(void **state)
{
	struct world *w = *state;
	char bytes[4096];
	int before;

	tocsin_instance *i = make(w);
	fflush(stderr);
	int pipe = fill_stderr(&before);
	threads_until_failure = 4;
	tocsin_rc rc = w->plugin->start(i);
	threads_until_failure = 0;
	unsigned left = recorders(w);
	tocsin_rc again = w->plugin->start(i), stopped = w->plugin->stop(i, 0);
	w->plugin->destroy(i);
	dlclose(w->so);
	bool mapped = is_mapped("/tocsin.so");
	/* The log's thread goes on, in code and with memory that are still there. */
	fcntl(pipe, F_SETFL, O_NONBLOCK);
	while (tasks_count("tocsin-journal") > 0)
		if (read(pipe, bytes, sizeof bytes) < 0)
			usleep(1000);
	dup2(before, STDERR_FILENO);
	tasks_await("tocsin-", 0);
	assert_int_not_equal(rc, TOCSIN_OK);
	assert_int_equal(again, TOCSIN_E_STATE);
	assert_int_equal(stopped, TOCSIN_E_STATE);
	assert_int_equal(left, 0);
	assert_true(mapped);
	w->so = dlopen(NULL, RTLD_NOW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(a_start_that_fails_leaves_nothing),
		in_world(a_start_that_fails_and_cannot_clean_up_is_kept),
		in_world(a_thread_that_cannot_be_stopped_calls_nothing_of_the_host_s),
	};

	alarm(240);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

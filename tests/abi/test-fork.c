/* SPDX-License-Identifier: MIT */
/*
 * fork in an engine, as Python's multiprocessing does it every day: a child can do nothing with its
 * parent's notifier, its end harms nothing, and that it lives on does not hide its parent's death.
 */
#include "config.h"
#include "process.h"
#include "receiver.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/lockfile.h"

#define CHILDREN 40
#define CHILDREN_SLOW 3 /* under valgrind, where a fork takes seconds */
#define CALLERS 2

static tocsin_alert_event p1(const char *session)
{
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "DATA_FEED_DOWN");

	a.priority = 1;
	a.session_id = str(session);
	return a;
}

static void raises(struct world *w, tocsin_instance *i, const char *session)
{
	tocsin_alert_event a = p1(session);

	assert_int_equal(w->plugin->on_alert(i, &a, NULL), TOCSIN_OK);
}

/* In a child: 0 when every call is refused and destroy does nothing. */
static int calls_are_refused(struct world *w, tocsin_instance *i)
{
	const tocsin_plugin *p = w->plugin;
	tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, "child", "");
	tocsin_health_event h = health_event(TOCSIN_HEALTH_HEARTBEAT);
	tocsin_alert_event a = p1("child");
	tocsin_stats stats = { .size = sizeof stats };
	char text[64];
	size_t len;

	for (unsigned round = 0; round < 2; round++) {
		if (p->on_session(i, &s) != TOCSIN_E_STATE ||
		    p->on_health(i, &h) != TOCSIN_E_STATE ||
		    p->on_alert(i, &a, NULL) != TOCSIN_E_STATE)
			return 1;
		if (p->start(i) != TOCSIN_E_STATE || p->stop(i, UINT64_MAX) != TOCSIN_E_STATE ||
		    p->flush(i, TOCSIN_FLUSH_DELIVERED, UINT64_MAX) != TOCSIN_E_STATE ||
		    p->snapshot(i, text, sizeof text, &len) != TOCSIN_E_STATE ||
		    p->stats(i, &stats) != TOCSIN_E_STATE)
			return 2;
		p->destroy(i);
	}
	return 0;
}

static pid_t forked(void)
{
	/* What stdio holds is not to be written twice. */
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	return pid;
}

static void ended_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_child_s_end_harms_nothing_of_its_parent(void **state)
{
	static const char *const take[] = { STEP_TAKE };
	struct world *w = *state;
	struct receiver *r = receiver_start(take, 1);
	tocsin_stats stats = { .size = sizeof stats };

	option(w, "webhook.url", r->url);
	tocsin_instance *i = start(w);
	for (unsigned n = 0; n < 5; n++) {
		raises(w, i, "before");
		pid_t pid = forked();
		if (pid == 0) {
			int status = calls_are_refused(w, i);

			dlclose(w->so);
			/* With all that runs at a process's end; a sanitizer would then miss what
			 * the parent has. */
			SANITIZED ? _exit(status) : exit(status);
		}
		ended_well(pid);
		char session[] = { 'a', (char)('0' + n), 0 };
		raises(w, i, session);
		receiver_wait(r, n + 2);
	}
	assert_int_equal(w->plugin->flush(i, TOCSIN_FLUSH_DELIVERED, UINT64_MAX), TOCSIN_OK);
	assert_int_equal(w->plugin->stats(i, &stats), TOCSIN_OK);
	assert_int_equal(stats.accepted, 10);
	assert_int_equal(stats.pages_delivered, 6);
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
	assert_int_equal(receiver_seen(r), 6);
	receiver_stop(r);
}

/* --- What a child is told --- */

static unsigned told(const struct world *w)
{
	static const char text[] = "this process was forked from the engine";
	unsigned n = 0;

	for (const char *at = w->log; (at = strstr(at, text)); at += sizeof text - 1)
		n++;
	return n;
}

static void first_on_session(struct world *w, tocsin_instance *i)
{
	tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, "child", "");

	w->plugin->on_session(i, &s);
}

static void first_on_health(struct world *w, tocsin_instance *i)
{
	tocsin_health_event h = health_event(TOCSIN_HEALTH_HEARTBEAT);

	w->plugin->on_health(i, &h);
}

static void first_on_alert(struct world *w, tocsin_instance *i)
{
	tocsin_alert_event a = p1("child");

	w->plugin->on_alert(i, &a, NULL);
}

static void first_start(struct world *w, tocsin_instance *i)
{
	w->plugin->start(i);
}

static void first_flush(struct world *w, tocsin_instance *i)
{
	w->plugin->flush(i, TOCSIN_FLUSH_DURABLE, 0);
}

static void first_snapshot(struct world *w, tocsin_instance *i)
{
	size_t len;

	w->plugin->snapshot(i, NULL, 0, &len);
}

static void first_stats(struct world *w, tocsin_instance *i)
{
	tocsin_stats stats = { .size = sizeof stats };

	w->plugin->stats(i, &stats);
}

static void first_stop(struct world *w, tocsin_instance *i)
{
	w->plugin->stop(i, 0);
}

static void (*const first_calls[])(struct world *w, tocsin_instance *i) = {
	first_on_session, first_on_health, first_on_alert, first_start,
	first_flush,      first_snapshot,  first_stats,    first_stop,
};

/* In a child: 0 when it is told once, and its own child once more. */
static int is_told_once(struct world *w, tocsin_instance *i, tocsin_instance *other,
			void (*first)(struct world *w, tocsin_instance *i))
{
	int status;

	w->plugin->destroy(i);
	if (told(w) != 0)
		return 3;
	first(w, i);
	if (told(w) != 1)
		return 4;
	if (calls_are_refused(w, i) != 0 || calls_are_refused(w, other) != 0)
		return 5;
	if (told(w) != 1)
		return 6;
	pid_t pid = fork();
	if (pid == 0) {
		first(w, other);
		status = told(w) == 2 ? calls_are_refused(w, i) : 7;
		_exit(told(w) == 2 ? status : 8);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 9;
}

static void a_child_is_told_once_whatever_it_calls_first(void **state)
{
	struct world *w = *state;
	tocsin_instance *i = start(w), *other = start(w);

	for (size_t n = 0; n < sizeof first_calls / sizeof *first_calls; n++) {
		/* So that no thread of the plugin's is inside the log function. */
		assert_int_equal(w->plugin->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_MAX), TOCSIN_OK);
		assert_int_equal(w->plugin->flush(other, TOCSIN_FLUSH_DURABLE, UINT64_MAX),
				 TOCSIN_OK);
		pid_t pid = forked();
		if (pid == 0)
			_exit(is_told_once(w, i, other, first_calls[n]));
		ended_well(pid);
	}
	assert_int_equal(told(w), 0);
	for (unsigned n = 0; n < 2; n++) {
		tocsin_instance *each = n == 0 ? i : other;

		assert_int_equal(w->plugin->stop(each, UINT64_MAX), TOCSIN_OK);
		w->plugin->destroy(each);
	}
}

/* The log function of a host that is slow, and holds a lock meanwhile. */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool log_is_slow, log_is_called, log_may_return;

static void log_slowly(const tocsin_host *host, uint32_t level, const char *text, size_t len)
{
	(void)host;
	(void)level;
	(void)text;
	(void)len;
	if (!atomic_load(&log_is_slow))
		return;
	pthread_mutex_lock(&log_lock);
	atomic_store(&log_is_called, true);
	while (!atomic_load(&log_may_return))
		usleep(1000);
	pthread_mutex_unlock(&log_lock);
}

static void a_child_does_not_wait_for_a_lock_that_the_plugin_s_thread_held(void **state)
{
	struct world *w = *state;
	tocsin_instance *i = make(w);
	tocsin_alert_event unreadable = { .head = { sizeof unreadable, 99, 0 } };

	w->host.log = log_slowly;
	assert_int_equal(w->plugin->start(i), TOCSIN_OK);
	atomic_store(&log_is_slow, true);
	w->plugin->on_alert(i, &unreadable, NULL);
	while (!atomic_load(&log_is_called))
		usleep(1000);
	pid_t pid = forked();
	if (pid == 0)
		_exit(calls_are_refused(w, i));
	ended_well(pid);
	atomic_store(&log_may_return, true);
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
}

struct caller {
	struct world *world;
	tocsin_instance *instance;
	atomic_bool *over;
	uint64_t accepted, failed;
};

static void *call(void *arg)
{
	struct caller *c = arg;
	tocsin_health_event h = health_event(TOCSIN_HEALTH_FEED_PULSE);

	while (!atomic_load(c->over)) {
		tocsin_rc rc = c->world->plugin->on_health(c->instance, &h);

		c->accepted += rc == TOCSIN_OK;
		c->failed += rc != TOCSIN_OK && rc != TOCSIN_E_FULL;
		usleep(20);
	}
	return NULL;
}

static void children_made_while_threads_call_disturb_no_call(void **state)
{
	struct world *w = *state;
	tocsin_instance *i = start(w);
	const unsigned children = is_under_valgrind() ? CHILDREN_SLOW : CHILDREN;
	struct caller callers[CALLERS];
	pthread_t threads[CALLERS];
	tocsin_stats stats = { .size = sizeof stats };
	atomic_bool over = false;
	uint64_t accepted = 0;

	for (unsigned n = 0; n < CALLERS; n++) {
		callers[n] = (struct caller){ .world = w, .instance = i, .over = &over };
		assert_int_equal(pthread_create(&threads[n], NULL, call, &callers[n]), 0);
	}
	for (unsigned n = 0; n < children; n++) {
		pid_t pid = forked();
		if (pid == 0)
			_exit(calls_are_refused(w, i));
		ended_well(pid);
	}
	atomic_store(&over, true);
	for (unsigned n = 0; n < CALLERS; n++) {
		pthread_join(threads[n], NULL);
		assert_int_equal(callers[n].failed, 0);
		accepted += callers[n].accepted;
	}
	assert_int_equal(w->plugin->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_MAX), TOCSIN_OK);
	assert_int_equal(w->plugin->stats(i, &stats), TOCSIN_OK);
	assert_int_equal(stats.accepted, accepted);
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
}

static void skip_where(bool is_so, const char *why)
{
	if (!is_so)
		return;
	print_message("# %s\n", why);
	skip();
}

static void needs_threads_in_children(void)
{
	skip_where(THREAD_SANITIZED, "the thread sanitizer ends a child that starts threads");
}

/* In such a child the lock that another thread held when it was forked is held for ever. */
static void needs_an_allocator_that_is_forked_whole(void)
{
	skip_where(SANITIZED, "a sanitizer's allocator is not made for a child that is forked "
			      "while another thread allocates");
}

static int engine_of_a_child(struct world *w, tocsin_instance *parents)
{
	tocsin_instance *mine = NULL;
	tocsin_alert_event a = p1("child");

	option(w, "engine.name", "child");
	if (w->plugin->create(&w->host, w->options, w->n_options, NULL, 0, &mine) != TOCSIN_OK ||
	    w->plugin->start(mine) != TOCSIN_OK || w->plugin->on_alert(mine, &a, NULL) != TOCSIN_OK)
		return 10;
	if (w->plugin->flush(mine, TOCSIN_FLUSH_DELIVERED, UINT64_MAX) != TOCSIN_OK)
		return 11;
	int status = calls_are_refused(w, parents);
	if (w->plugin->stop(mine, UINT64_MAX) != TOCSIN_OK)
		return 12;
	w->plugin->destroy(mine);
	return status;
}

static void a_child_may_have_an_engine_of_its_own(void **state)
{
	static const char *const take[] = { STEP_TAKE };
	struct world *w = *state;
	needs_an_allocator_that_is_forked_whole();
	struct receiver *r = receiver_start(take, 1);

	option(w, "webhook.url", r->url);
	tocsin_instance *i = start(w);
	raises(w, i, "parent");
	receiver_wait(r, 1);
	pid_t pid = forked();
	if (pid == 0)
		_exit(engine_of_a_child(w, i));
	ended_well(pid);
	receiver_wait(r, 2);
	raises(w, i, "parent again");
	receiver_wait(r, 3);
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
	receiver_stop(r);
}

/* --- The parent is killed, the child lives on --- */

struct family {
	pid_t parent, child;
	int told;  /* read: the child's id, then, when it is asked, how its calls went */
	int asked; /* write: asks; closed: the child ends */
};

static void child_lives(struct world *w, tocsin_instance *i, int asked, int told)
{
	char c;

	while (read(asked, &c, 1) == 1) {
		c = (char)calls_are_refused(w, i);
		if (write(told, &c, 1) != 1)
			break;
	}
	_exit(0);
}

static void parent_lives(struct world *w, int asked, int told)
{
	tocsin_instance *i = NULL;

	if (w->plugin->create(&w->host, w->options, w->n_options, NULL, 0, &i) != TOCSIN_OK ||
	    w->plugin->start(i) != TOCSIN_OK)
		_exit(1);
	pid_t child = fork();
	if (child == 0)
		child_lives(w, i, asked, told);
	close(asked);
	tocsin_alert_event a = p1("s");
	if (w->plugin->on_alert(i, &a, NULL) != TOCSIN_OK ||
	    write(told, &child, sizeof child) != sizeof child)
		_exit(2);
	for (;;)
		pause();
}

static struct family family_make(struct world *w)
{
	struct family f;
	int ask[2], tell[2];

	/* The child comes to us when its parent is gone. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe(ask), 0);
	assert_int_equal(pipe(tell), 0);
	f.parent = forked();
	if (f.parent == 0) {
		close(ask[1]);
		close(tell[0]);
		parent_lives(w, ask[0], tell[1]);
	}
	close(ask[0]);
	close(tell[1]);
	f.asked = ask[1];
	f.told = tell[0];
	assert_int_equal(read(f.told, &f.child, sizeof f.child), sizeof f.child);
	return f;
}

static void parent_kill(struct family *f)
{
	int status;

	assert_int_equal(kill(f->parent, SIGKILL), 0);
	assert_int_equal(waitpid(f->parent, &status, 0), f->parent);
	assert_true(WIFSIGNALED(status));
}

/* It is there, and its calls are refused. */
static void child_ask(struct family *f)
{
	char c = 0;

	assert_int_equal(write(f->asked, &c, 1), 1);
	assert_int_equal(read(f->told, &c, 1), 1);
	assert_int_equal(c, 0);
}

static void child_end(struct family *f)
{
	child_ask(f);
	close(f->asked);
	ended_well(f->child);
	close(f->told);
}

/* The name in the runtime folder that begins so: there is one. */
static void find_one(struct world *w, const char *prefix, char ret[static 128])
{
	_cleanup_(cleanup_dir) DIR *d = opendir(w->runtime);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		if (strncmp(e->d_name, prefix, strlen(prefix)) == 0) {
			snprintf(ret, 128, "%.127s", e->d_name);
			n++;
		}
	assert_int_equal(n, 1);
}

static void await_gone(struct world *w, const char *name)
{
	char path[300];

	snprintf(path, sizeof path, "%s/%s", w->runtime, name);
	for (unsigned look = 0; access(path, F_OK) == 0; look++) {
		assert_true(look < ENDED_MAX);
		usleep(1000);
	}
}

static void a_run_s_lock_is_dead_though_a_child_of_it_lives(void **state)
{
	needs_threads_in_children();
	struct world *w = *state;
	struct family f = family_make(w);
	char ring[128], name[140];
	struct lockfile *lock = NULL;

	int folder = open(w->runtime, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	find_one(w, "ring-", ring);
	snprintf(name, sizeof name, "lock-%s", ring + strlen("ring-"));
	assert_int_equal(lockfile_open(folder, name, false, &lock), 0);
	assert_int_equal(lockfile_try(lock), -EBUSY);
	child_ask(&f);
	assert_int_equal(lockfile_try(lock), -EBUSY);

	parent_kill(&f);
	child_ask(&f);
	assert_int_equal(lockfile_try(lock), 1);
	lockfile_release(lock);
	/* Nor does the child's end change the claim of somebody else. */
	assert_int_equal(lockfile_try(lock), 0);
	child_end(&f);
	lockfile_release(lock);
	lockfile_free(lock);
	close(folder);
}

static void the_next_start_recovers_though_a_child_of_the_dead_run_lives(void **state)
{
	static const char *const busy[] = { STEP_BUSY }, *const take[] = { STEP_TAKE };
	struct world *w = *state;
	needs_threads_in_children();
	struct receiver *r = receiver_start(busy, 1);
	char ring[128], next[128];

	option(w, "webhook.url", r->url);
	struct family f = family_make(w);
	receiver_wait(r, 1);
	find_one(w, "ring-", ring);
	parent_kill(&f);
	receiver_script(r, take, 1);
	unsigned before = receiver_seen(r);

	tocsin_instance *i = start(w);
	receiver_wait(r, before + 2);
	assert_true(receiver_find(r, "-call.raised", before) >= 0);
	assert_true(receiver_find(r, "-down.raised", before) >= 0);
	assert_int_equal(w->plugin->flush(i, TOCSIN_FLUSH_DELIVERED, UINT64_MAX), TOCSIN_OK);
	/* The dead run's recorder goes when all that it held is safe; the child has no part in it.
	 */
	await_gone(w, ring);
	find_one(w, "ring-", next);
	assert_string_not_equal(ring, next);
	child_ask(&f);
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
	child_end(&f);
	receiver_stop(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(a_child_s_end_harms_nothing_of_its_parent),
		in_world(a_child_is_told_once_whatever_it_calls_first),
		in_world(a_child_does_not_wait_for_a_lock_that_the_plugin_s_thread_held),
		in_world(children_made_while_threads_call_disturb_no_call),
		in_world(a_child_may_have_an_engine_of_its_own),
		in_world(a_run_s_lock_is_dead_though_a_child_of_it_lives),
		in_world(the_next_start_recovers_though_a_child_of_the_dead_run_lives),
	};

	alarm(240);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

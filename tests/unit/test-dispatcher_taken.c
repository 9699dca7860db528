/* SPDX-License-Identifier: MIT */
/*
 * A run is killed after its receiver has taken pages, and before their files were removed or a
 * checkpoint had passed their events: the next run does not post them again.
 */
#include "config.h"
#include "dispatcher_fixture.h"
#include "http_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "record/recorder.h"
#include "record/taken_notes.h"
#include "spool/outbox.h"

#define BATCH 4
#define INCIDENTS 10
#define FORMER "-former-"

/* --- A run that never gets to a checkpoint, or never removes a file, when a test says so --- */

static bool no_checkpoint, no_removal;

int __real_recorder_checkpoint(struct recorder *r, uint64_t position, int64_t wall_offset_ns,
			       const void *state, size_t len);
int __wrap_recorder_checkpoint(struct recorder *r, uint64_t position, int64_t wall_offset_ns,
			       const void *state, size_t len);

int __wrap_recorder_checkpoint(struct recorder *r, uint64_t position, int64_t wall_offset_ns,
			       const void *state, size_t len)
{
	return no_checkpoint ? 0
			     : __real_recorder_checkpoint(r, position, wall_offset_ns, state, len);
}

int __real_outbox_remove(struct outbox *o, const struct page *p, const char *endpoint);
int __wrap_outbox_remove(struct outbox *o, const struct page *p, const char *endpoint);

int __wrap_outbox_remove(struct outbox *o, const struct page *p, const char *endpoint)
{
	return no_removal ? 0 : __real_outbox_remove(o, p, endpoint);
}

/* --- An engine and its receiver --- */

struct world {
	const struct test_folder *folder;
	struct http_server *server;
	char url[64];
	struct engine engine;
};

static const long takes[] = { 200 };

static void begin(struct world *w, void **state, const long *steps, unsigned n_steps)
{
	*w = (struct world){ .folder = *state, .server = http_start(steps, n_steps) };
	snprintf(w->url, sizeof w->url, "http://127.0.0.1:%u/", w->server->port);
}

static void start(struct world *w)
{
	engine_start(&w->engine, w->folder, "webhook.url", w->url, BATCH);
}

static void flush(struct world *w)
{
	assert_int_equal(
		dispatcher_flush(w->engine.dispatcher, TOCSIN_FLUSH_DELIVERED, FIXTURE_LIMIT_NS),
		0);
}

static void await_seen(struct world *w, unsigned n)
{
	pthread_mutex_lock(&w->server->mutex);
	while (w->server->n_seen < n)
		pthread_cond_wait(&w->server->changed, &w->server->mutex);
	pthread_mutex_unlock(&w->server->mutex);
}

/* A run that raises these and is killed once its receiver has taken them. */
static void raise_and_die(struct world *w, const char *const *instances, size_t n)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		start(w);
		for (size_t i = 0; i < n; i++)
			if (engine_say(&w->engine, TOCSIN_ALERT_RAISE, instances[i]) < 0)
				_exit(1);
		flush(w);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static unsigned times_seen(const struct world *w, const char *suffix)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->server->n_seen; i++) {
		const char *id = w->server->seen[i].id;

		n += strlen(id) > strlen(suffix) &&
		     strcmp(id + strlen(id) - strlen(suffix), suffix) == 0;
	}
	return n;
}

static void expect_each_once(const struct world *w)
{
	for (unsigned i = 0; i < w->server->n_seen; i++)
		if (times_seen(w, w->server->seen[i].id + 1) != 1)
			fail_msg("%s came more than once", w->server->seen[i].id);
}

static bool has_file(const struct world *w, const char *name)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", w->folder->path, name);
	return access(path, F_OK) == 0;
}

/* --- The tests --- */

static void needs_engines_in_children(void)
{
#if defined(__SANITIZE_THREAD__)
	print_message("# ThreadSanitizer runs no engine in a forked child\n");
	skip();
#endif
}

/* Whatever keeps the page: the event alone, the file alone, both. And the one after the next, which
 * finds what two dead runs have left. */
static void what_was_taken_comes_once(void **state)
{
	static const char *const first[] = { "a", "b", "c" }, *const second[] = { "d" };
	static const struct {
		bool no_checkpoint, no_removal;
	} rows[] = { { true, false }, { false, true }, { true, true } };

	needs_engines_in_children();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world w;

		begin(&w, state, takes, 1);
		no_checkpoint = rows[i].no_checkpoint;
		no_removal = rows[i].no_removal;
		raise_and_die(&w, first, 3);
		assert_int_equal(w.server->n_seen, 3);
		raise_and_die(&w, second, 1);
		no_checkpoint = no_removal = false;
		start(&w);
		assert_int_equal(engine_say(&w.engine, TOCSIN_ALERT_RAISE, "e"), 0);
		/* Three raisings, another, and the two deaths; then this one's. */
		await_seen(&w, 7);
		flush(&w);
		engine_end(&w.engine);
		assert_int_equal(times_seen(&w, "-call.raised"), 5);
		assert_int_equal(times_seen(&w, "-down.raised"), 2);
		expect_each_once(&w);
		http_stop(w.server);
		assert_false(has_file(&w, "run/taken"));
		/* The next row is another engine's. */
		char path[128];
		snprintf(path, sizeof path, "%s/state", w.folder->path);
		assert_int_equal(nftw(path, test_folder_unlink, 8, FTW_DEPTH | FTW_PHYS), 0);
	}
}

/* Killed after two attempts in vain, of which the first has been told for sure. */
static void refused_and_die(struct world *w)
{
	tocsin_stats stats = { .size = sizeof stats };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		start(w);
		if (engine_say(&w->engine, TOCSIN_ALERT_RAISE, "a") < 0)
			_exit(1);
		for (unsigned i = 0; i < 30000 && stats.post_failures < 2; i++) {
			usleep(1000);
			dispatcher_stats(w->engine.dispatcher, &stats);
		}
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void what_was_refused_comes_again(void **state)
{
	static const long steps[] = { 503, 503, 200 };
	struct world w;

	needs_engines_in_children();
	begin(&w, state, steps, 3);
	refused_and_die(&w);
	assert_int_equal(w.server->n_seen, 2);
	start(&w);
	/* It and the death. */
	await_seen(&w, 4);
	flush(&w);
	engine_end(&w.engine);
	assert_int_equal(times_seen(&w, "-call.raised"), 3);
	http_stop(w.server);
}

static void leave(struct outbox *o, const char *alert_id, enum page_kind kind, uint64_t wall_ns)
{
	struct page *p = fixture_page_at(alert_id, 1, kind, wall_ns);

	assert_int_equal(outbox_put(o, p, "webhook"), 0);
	page_unref(p);
}

/* Raisings and resolutions in the outbox, and notes that the raisings were taken. */
static void leave_incidents(const struct test_folder *f)
{
	char state_dir[128], alert_id[32], page_id[64];
	struct taken_notes *t;
	struct outbox *o;

	snprintf(state_dir, sizeof state_dir, "%s/state", f->path);
	assert_int_equal(mkdir(state_dir, 0700), 0);
	assert_int_equal(mkdirat(f->fd, "run", 0700), 0);
	int run = openat(f->fd, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(taken_notes_open(run, &t, NULL), 0);
	close(run);
	assert_int_equal(outbox_open(state_dir, &o), 0);
	for (unsigned i = 0; i < INCIDENTS; i++) {
		snprintf(alert_id, sizeof alert_id, FORMER "%u-feed", i);
		leave(o, alert_id, PAGE_RAISED, FIXTURE_WALL_NS + i);
		leave(o, alert_id, PAGE_RESOLVED, FIXTURE_WALL_NS + NS_PER_S);
		snprintf(page_id, sizeof page_id, "%s.raised", alert_id);
		taken_notes_add(t, page_id, "", "webhook");
	}
	outbox_free(o);
	taken_notes_free(t);
}

/* More than are read at a time: those that are read on are looked up too. */
static void files_of_what_was_taken_go_and_the_others_come(void **state)
{
	struct world w;
	char name[64];

	leave_incidents(*state);
	begin(&w, state, takes, 1);
	start(&w);
	await_seen(&w, INCIDENTS);
	engine_end(&w.engine);
	assert_int_equal(w.server->n_seen, INCIDENTS);
	assert_int_equal(times_seen(&w, ".resolved"), INCIDENTS);
	for (unsigned i = 0; i < INCIDENTS; i++) {
		snprintf(name, sizeof name, "state/outbox/" FORMER "%u-feed.raised@webhook", i);
		assert_false(has_file(&w, name));
	}
	http_stop(w.server);
}

/* A summary of so many raisings, and a page behind it. */
static void leave_summary(const struct test_folder *f, int raised)
{
	struct page *p = fixture_page_at("-former", 1, PAGE_RAISED, FIXTURE_WALL_NS);
	char state_dir[128];
	struct outbox *o;

	snprintf(state_dir, sizeof state_dir, "%s/state", f->path);
	(void)mkdir(state_dir, 0700);
	assert_int_equal(outbox_open(state_dir, &o), 0);
	p->type = PAGE_TYPE_SUMMARY;
	snprintf(p->id, sizeof p->id, "-former.summary");
	assert_int_equal(json_object_set_new(p->data, "raised", json_integer(raised)), 0);
	assert_int_equal(outbox_remove(o, p, "webhook"), 0);
	assert_int_equal(outbox_put(o, p, "webhook"), 0);
	page_unref(p);
	leave(o, "-later", PAGE_RAISED, FIXTURE_WALL_NS + 1);
	outbox_free(o);
}

/* Killed once both are taken, and so the first of them is noted. */
static void deliver_two_and_die(struct world *w)
{
	tocsin_stats stats = { .size = sizeof stats };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		no_removal = true;
		start(w);
		for (unsigned i = 0; i < 30000 && stats.pages_delivered < 2; i++) {
			usleep(1000);
			dispatcher_stats(w->engine.dispatcher, &stats);
		}
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void a_summary_comes_again_only_when_it_tells_of_more(void **state)
{
	static const struct {
		int raised;
		unsigned times;
	} rows[] = { { 3, 1 }, { 4, 2 } };

	needs_engines_in_children();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world w;

		begin(&w, state, takes, 1);
		leave_summary(*state, 3);
		deliver_two_and_die(&w);
		assert_int_equal(times_seen(&w, "former.summary"), 1);
		leave_summary(*state, rows[i].raised);
		start(&w);
		flush(&w);
		engine_end(&w.engine);
		assert_int_equal(times_seen(&w, "former.summary"), rows[i].times);
		assert_false(has_file(&w, "state/outbox/-former.summary@webhook"));
		http_stop(w.server);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(what_was_taken_comes_once),
		test_in_folder(what_was_refused_comes_again),
		test_in_folder(a_summary_comes_again_only_when_it_tells_of_more),
		test_in_folder(files_of_what_was_taken_go_and_the_others_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

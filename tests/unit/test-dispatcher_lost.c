/* SPDX-License-Identifier: MIT */
/* The recorder's file is removed under a living engine. */
#include "config.h"
#include "paged_fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "spool/disk_thread.h"
#include "post/pager.h"

/* --- Which came first: asking the disk, or the pager? --- */

static atomic_uint kept_first, not_kept_first;
static char first_page_id[PAGE_ID_SIZE];

int __real_disk_thread_keep_first(struct disk_thread *k, struct delivery *p);
int __wrap_disk_thread_keep_first(struct disk_thread *k, struct delivery *p);

int __wrap_disk_thread_keep_first(struct disk_thread *k, struct delivery *p)
{
	snprintf(first_page_id, sizeof first_page_id, "%s", p->page->id);
	atomic_fetch_add(&kept_first, 1);
	return __real_disk_thread_keep_first(k, p);
}

int __real_pager_submit(struct pager *p, struct delivery *delivery);
int __wrap_pager_submit(struct pager *p, struct delivery *delivery);

int __wrap_pager_submit(struct pager *p, struct delivery *delivery)
{
	/* Both on the dispatcher's thread. */
	if (strcmp(first_page_id, delivery->page->id) != 0)
		atomic_fetch_add(&not_kept_first, 1);
	return __real_pager_submit(p, delivery);
}

/* --- How it is lost --- */

static char recorder_path[256];

static const char *lock_path(void)
{
	static char path[256];
	const char *epoch = strstr(recorder_path, "ring-") + strlen("ring-");

	snprintf(path, sizeof path, "%.*s/lock-%s",
		 (int)(strrchr(recorder_path, '/') - recorder_path), recorder_path, epoch);
	return path;
}

static void file_removed(void)
{
	assert_int_equal(unlink(recorder_path), 0);
}
static void lock_removed(void)
{
	assert_int_equal(unlink(lock_path()), 0);
}
static void both_removed(void)
{
	file_removed();
	lock_removed();
}
static void file_renamed(void)
{
	char other[300];

	snprintf(other, sizeof other, "%s.old", recorder_path);
	assert_int_equal(rename(recorder_path, other), 0);
}
static void file_replaced(void)
{
	file_renamed();
	close(open(recorder_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}
static void folder_removed(void)
{
	char folder[256];

	snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(recorder_path, '/') - recorder_path),
		 recorder_path);
	assert_int_equal(nftw(folder, test_folder_unlink, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void find_recorder(struct world *w)
{
	snprintf(recorder_path, sizeof recorder_path, "%s/run/%s", w->folder->path,
		 recorder_name(dispatcher_recorder(w->engine.dispatcher)));
}

#define RAISED "-lost.raised"
#define RESOLVED "-lost.resolved"

/* --- The tests --- */

static void it_is_noticed_whatever_was_removed(void **state)
{
	void (*const rows[])(void) = { file_removed, lock_removed,  both_removed,
				       file_renamed, file_replaced, folder_removed };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct world w;

		world_begin(&w, state);
		find_recorder(&w);
		assert_int_equal(world_flush(&w, FIXTURE_LIMIT_NS), 0);
		expect_none(&w, "", "RECORDER_LOST");
		rows[i]();
		await_page(&w, RAISED, recorder_path);
		assert_int_equal(world_flush(&w, FIXTURE_LIMIT_NS), 0);
		/* Each P1 goes to the disk first, and a resolution in its turn. */
		unsigned kept = atomic_load(&kept_first), others = atomic_load(&not_kept_first);
		assert_int_equal(engine_say(&w.engine, TOCSIN_ALERT_RAISE, "later"), 0);
		assert_int_equal(world_flush(&w, FIXTURE_LIMIT_NS), 0);
		await_page(&w, "-call.raised", "\"later\"");
		assert_int_equal(atomic_load(&kept_first), kept + 1);
		assert_int_equal(atomic_load(&not_kept_first), others);
		assert_int_equal(engine_say(&w.engine, TOCSIN_ALERT_CLEAR, "later"), 0);
		assert_int_equal(world_flush(&w, FIXTURE_LIMIT_NS), 0);
		assert_int_equal(atomic_load(&kept_first), kept + 1);
		/* An orderly stop ends it. */
		struct http_server *server = w.server;
		engine_end(&w.engine);
		await_page(&w, RESOLVED, "RECORDER_LOST");
		http_stop(server);
	}
}

static void one_that_is_there_is_not_lost(void **state)
{
	struct world w;

	world_begin(&w, state);
	unsigned kept = atomic_load(&kept_first);
	for (unsigned i = 0; i < 60; i++) {
		assert_int_equal(engine_say(&w.engine, TOCSIN_ALERT_RAISE, "x"), 0);
		usleep(20000);
	}
	expect_none(&w, "", "RECORDER_LOST");
	assert_int_equal(atomic_load(&kept_first), kept);
	world_end(&w);
}

__attribute__((unused)) static void after_a_death_it_is_told_and_ended(void **state)
{
	static const long steps[] = { 200 };
	struct world w = { .folder = *state, .server = http_start(steps, 1) };
	char path[160];
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		world_engine_begin(&w, "5s");
		find_recorder(&w);
		both_removed();
		for (;;)
			pause();
	}
	await_page(&w, RAISED, "RECORDER_LOST");
	snprintf(path, sizeof path, "%s/state/picture", w.folder->path);
	for (unsigned n = 0;; n++) {
		static char saved[65536];
		FILE *f = fopen(path, "r");
		size_t size = f ? fread(saved, 1, sizeof saved, f) : 0;

		if (f)
			fclose(f);
		if (memmem(saved, size, "RECORDER_LOST", strlen("RECORDER_LOST")))
			break;
		assert_true(n < TRIES);
		usleep(10000);
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	world_engine_begin(&w, "5s");
	await_page(&w, "-down.raised", "had been removed while it ran");
	unsigned resolved = await_page(&w, RESOLVED, "RECORDER_LOST");
	unsigned raised = await_page(&w, RAISED, "RECORDER_LOST");
	size_t len = strcspn(w.server->seen[raised - 1].id, ".");
	assert_memory_equal(w.server->seen[raised - 1].id, w.server->seen[resolved - 1].id, len);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(it_is_noticed_whatever_was_removed),
		test_in_folder(one_that_is_there_is_not_lost),
#if !defined(__SANITIZE_THREAD__) /* it runs no engine in a forked child */
		test_in_folder(after_a_death_it_is_told_and_ended),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

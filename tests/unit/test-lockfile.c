/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/lockfile.h"

/* What comes between a lock's making and its getting its name. */
static void (*before_link)(int folder);

int __real_linkat(int from, const char *old, int to, const char *name, int flags);
int __wrap_linkat(int from, const char *old, int to, const char *name, int flags);

int __wrap_linkat(int from, const char *old, int to, const char *name, int flags)
{
	if (before_link)
		before_link(to);
	return __real_linkat(from, old, to, name, flags);
}

static void *try_it(void *arg)
{
	return (void *)(intptr_t)lockfile_try(arg);
}

/* Takes it and ends without letting go. */
static void *take_and_end(void *arg)
{
	return (void *)(intptr_t)lockfile_try(arg);
}

static int in_thread(void *(*main)(void *), struct lockfile *l)
{
	pthread_t thread;
	void *ret;

	assert_int_equal(pthread_create(&thread, NULL, main, l), 0);
	assert_int_equal(pthread_join(thread, &ret), 0);
	return (int)(intptr_t)ret;
}

static void one_holds_it_at_a_time(void **state)
{
	const struct test_folder *f = *state;
	struct lockfile *a, *b;

	assert_int_equal(lockfile_open(f->fd, "lock", false, &a), -ENOENT);
	assert_int_equal(lockfile_open(f->fd, "lock", true, &a), 0);
	assert_int_equal(lockfile_open(f->fd, "lock", true, &b), 0);
	assert_int_equal(lockfile_try(a), 0);
	assert_int_equal(in_thread(try_it, b), -EBUSY);
	lockfile_release(a);
	assert_int_equal(lockfile_try(b), 0);
	lockfile_release(b);
	lockfile_free(a);
	lockfile_free(b);
}

static void the_next_one_learns_that_the_holder_died(void **state)
{
	const struct test_folder *f = *state;
	struct lockfile *l;

	assert_int_equal(lockfile_open(f->fd, "lock", true, &l), 0);
	assert_int_equal(in_thread(take_and_end, l), 0);
	assert_int_equal(lockfile_try(l), 1);
	lockfile_release(l);
	assert_int_equal(lockfile_try(l), 0);
	lockfile_release(l);
	lockfile_free(l);
}

/* Tells that it has it, and holds it until it is killed. */
static pid_t start_holder(const struct test_folder *f)
{
	struct lockfile *l;
	int pipes[2];
	char told;

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (lockfile_open(f->fd, "lock", true, &l) < 0 || lockfile_try(l) < 0 ||
		    write(pipes[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &told, 1), 1);
	close(pipes[0]);
	return pid;
}

static void *wait_for_it(void *arg)
{
	return (void *)(intptr_t)lockfile_wait(arg);
}

static void who_waits_learns_of_a_holder_s_death(void **state)
{
	const struct test_folder *f = *state;
	pid_t pid = start_holder(f);
	struct lockfile *l;
	pthread_t thread;
	void *ret;

	assert_int_equal(lockfile_open(f->fd, "lock", false, &l), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_it, l), 0);
	assert_int_equal(lockfile_is_held(f->fd, "lock"), 1);
	kill(pid, SIGKILL);
	assert_int_equal(pthread_join(thread, &ret), 0);
	assert_int_equal((int)(intptr_t)ret, 1);
	waitpid(pid, NULL, 0);
	/* The waiter has died with it too. */
	assert_int_equal(lockfile_wait(l), 1);
	assert_int_equal(lockfile_is_held(f->fd, "lock"), 1);
	lockfile_release(l);
	assert_int_equal(lockfile_wait(l), 0);
	lockfile_release(l);
	lockfile_free(l);
}

static void to_ask_whether_it_is_held_takes_nothing(void **state)
{
	const struct test_folder *f = *state;
	struct lockfile *l;

	assert_int_equal(lockfile_is_held(f->fd, "lock"), -ENOENT);
	pid_t pid = start_holder(f);
	assert_int_equal(lockfile_is_held(f->fd, "lock"), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(lockfile_is_held(f->fd, "lock"), 0);
	/* That its holder died is still to be learnt. */
	assert_int_equal(lockfile_open(f->fd, "lock", false, &l), 0);
	assert_int_equal(lockfile_try(l), 1);
	lockfile_release(l);
	assert_int_equal(lockfile_is_held(f->fd, "lock"), 0);
	lockfile_free(l);
	_cleanup_close_ int fd = openat(f->fd, "lock", O_RDWR | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 20), 0);
	assert_int_equal(lockfile_is_held(f->fd, "lock"), -EBADMSG);
}

static void a_lock_from_before_the_last_boot_is_made_anew(void **state)
{
	const struct test_folder *f = *state;
	struct lockfile *l;

	if (folder_is_tmpfs(f->fd))
		skip(); /* which no boot survives */
	assert_int_equal(lockfile_open(f->fd, "lock", true, &l), 0);
	assert_int_equal(in_thread(take_and_end, l), 0);
	lockfile_free(l);
	_cleanup_close_ int fd = openat(f->fd, "lock", O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "00000000", 8, 16), 8); /* where the boot's id begins */
	assert_int_equal(lockfile_open(f->fd, "lock", false, &l), -EBADMSG);
	assert_int_equal(lockfile_open(f->fd, "lock", true, &l), 0);
	assert_int_equal(lockfile_try(l), 0);
	lockfile_release(l);
	lockfile_free(l);
}

/* In a sandbox that shows no boot's id, or another's. */
static void on_a_tmpfs_a_holder_lives_whatever_the_boot_s_id(void **state)
{
	struct lockfile *a, *b;
	char path[] = "/dev/shm/tocsin-test-XXXXXX";

	(void)state;
	if (!mkdtemp(path))
		skip();
	_cleanup_close_ int folder = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	bool tmpfs = folder_is_tmpfs(folder);
	assert_int_equal(lockfile_open(folder, "lock", true, &a), 0);
	assert_int_equal(lockfile_try(a), 0);
	_cleanup_close_ int fd = openat(folder, "lock", O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "00000000", 8, 16), 8);
	int opened = lockfile_open(folder, "lock", false, &b);
	int tried = opened == 0 ? in_thread(try_it, b) : 0;
	lockfile_release(a);
	lockfile_free(a);
	if (opened == 0)
		lockfile_free(b);
	unlinkat(folder, "lock", 0);
	rmdir(path);
	if (!tmpfs)
		skip();
	assert_int_equal(opened, 0);
	assert_int_equal(tried, -EBUSY);
}

static void die(int folder)
{
	(void)folder;
	kill(getpid(), SIGKILL);
}

static void what_a_killed_maker_leaves_is_tidied_with_the_folder(void **state)
{
	const struct test_folder *f = *state;
	struct lockfile *l;
	pid_t pid = fork();

	if (pid == 0) {
		before_link = die;
		_exit(lockfile_open(f->fd, "lock", true, &l) < 0);
	}
	waitpid(pid, NULL, 0);
	assert_int_equal(test_folder_count(f->fd), 1);
	folder_tidy(f->fd);
	assert_int_equal(test_folder_count(f->fd), 0);
}

static void tidy_once(int folder)
{
	before_link = NULL;
	folder_tidy(folder);
}

static void a_lock_is_made_though_others_tidy_the_folder(void **state)
{
	const struct test_folder *f = *state;
	struct lockfile *l;

	before_link = tidy_once;
	assert_int_equal(lockfile_open(f->fd, "lock", true, &l), 0);
	assert_null(before_link);
	assert_int_equal(lockfile_try(l), 0);
	lockfile_release(l);
	lockfile_free(l);
	assert_int_equal(test_folder_count(f->fd), 1);
}

static void a_short_file_is_no_lock(void **state)
{
	const struct test_folder *f = *state;
	struct lockfile *l;
	_cleanup_close_ int fd = openat(f->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, "tocsinlk", 8), 8);
	assert_int_equal(lockfile_open(f->fd, "lock", false, &l), -EBADMSG);
	assert_int_equal(lockfile_open(f->fd, "lock", true, &l), 0);
	lockfile_free(l);
}

static void what_another_may_write_is_not_mapped(void **state)
{
	static const struct {
		uid_t uid;
		mode_t mode;
	} cases[] = { { 12345, 0600 }, { 12345, 0666 }, { 0, 0620 }, { 0, 0602 }, { 12345, 0400 } };
	const struct test_folder *f = *state;
	struct lockfile *l = NULL;

	if (geteuid() != 0)
		skip();
	assert_int_equal(lockfile_open(f->fd, "lock", true, &l), 0);
	lockfile_free(TAKE(l));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(fchownat(f->fd, "lock", cases[i].uid, 0, 0), 0);
		assert_int_equal(fchmodat(f->fd, "lock", cases[i].mode, 0), 0);
		assert_int_equal(lockfile_open(f->fd, "lock", false, &l), -EPERM);
		assert_int_equal(lockfile_open(f->fd, "lock", true, &l), -EPERM);
		assert_null(l);
		/* To be read it must be the folder's owner's. */
		assert_int_equal(lockfile_is_held(f->fd, "lock"),
				 cases[i].uid == geteuid() ? 0 : -EPERM);
	}
	assert_int_equal(fchownat(f->fd, ".", 12345, 0, 0), 0);
	assert_int_equal(lockfile_is_held(f->fd, "lock"), 0);
	assert_int_equal(fchownat(f->fd, ".", 0, 0, 0), 0);
}

static void what_is_no_file_is_no_lock_and_keeps_nobody_waiting(void **state)
{
	const struct test_folder *f = *state;
	struct lockfile *l = NULL;

	assert_int_equal(mkfifoat(f->fd, "pipe", 0600), 0);
	assert_int_equal(symlinkat("lock", f->fd, "link"), 0);
	assert_int_equal(lockfile_is_held(f->fd, "pipe"), -EBADMSG);
	assert_int_equal(lockfile_open(f->fd, "pipe", false, &l), -EBADMSG);
	assert_int_equal(lockfile_is_held(f->fd, "link"), -ELOOP);
	assert_int_equal(lockfile_open(f->fd, "link", false, &l), -ELOOP);
	assert_null(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(one_holds_it_at_a_time),
		test_in_folder(the_next_one_learns_that_the_holder_died),
		test_in_folder(who_waits_learns_of_a_holder_s_death),
		test_in_folder(to_ask_whether_it_is_held_takes_nothing),
		test_in_folder(a_lock_from_before_the_last_boot_is_made_anew),
		test_in_folder(what_a_killed_maker_leaves_is_tidied_with_the_folder),
		test_in_folder(a_lock_is_made_though_others_tidy_the_folder),
		cmocka_unit_test(on_a_tmpfs_a_holder_lives_whatever_the_boot_s_id),
		test_in_folder(a_short_file_is_no_lock),
		test_in_folder(what_another_may_write_is_not_mapped),
		test_in_folder(what_is_no_file_is_no_lock_and_keeps_nobody_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/lockfile.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(one_holds_it_at_a_time),
		test_in_folder(the_next_one_learns_that_the_holder_died),
		test_in_folder(a_lock_from_before_the_last_boot_is_made_anew),
		cmocka_unit_test(on_a_tmpfs_a_holder_lives_whatever_the_boot_s_id),
		test_in_folder(a_short_file_is_no_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

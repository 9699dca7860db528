/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "record/dead_runs.h"
#include "../record_bytes.h"

/* A run in a process of its own, which is then killed unless it ends in order. */
static void run(const struct test_folder *f, uint64_t first, bool dies, bool stops_unsafe)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct recorder_options o = {
			.folder = f->fd,
			.size = 64 * RECORDER_SLOT_SIZE,
			.first_position = first,
			.engine = "shadow",
		};
		struct recorder *r;

		if (recorder_create(&o, &r) < 0 || recorder_hold(r) < 0)
			_exit(1);
		record_push(r, RECORDER_CLASS_FIRST, 0, 1, "x", 1, NULL);
		if (dies)
			raise(SIGKILL);
		recorder_release_hold(r, !stops_unsafe);
		recorder_free(r, !stops_unsafe);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(dies ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

struct bad {
	unsigned n;
	int error;
};

static void tell_bad(void *userdata, const char *name, int error)
{
	struct bad *bad = userdata;

	(void)name;
	bad->n++;
	bad->error = error;
}

static struct dead_runs claim(const struct test_folder *f, struct bad *bad)
{
	struct dead_runs runs;

	assert_int_equal(dead_runs_claim(f->fd, NULL, tell_bad, bad, &runs), 0);
	return runs;
}

static void dead_runs_are_claimed_in_the_order_they_began(void **state)
{
	const struct test_folder *f = *state;
	struct bad bad = { 0 };

	run(f, 200, true, false);
	run(f, 100, true, false);
	run(f, 300, true, false);
	run(f, 400, false, false); /* ends cleanly: it leaves nothing */
	struct dead_runs runs = claim(f, &bad);

	assert_int_equal(runs.n, 3);
	assert_int_equal(runs.busy, 0);
	assert_int_equal(bad.n, 0);
	for (size_t i = 0; i < runs.n; i++)
		assert_int_equal(runs.runs[i].first_position, 100 * (i + 1));
	for (size_t i = 0; i < runs.n; i++)
		dead_run_finish(f->fd, &runs.runs[i]);
	runs = claim(f, &bad);
	assert_int_equal(runs.n, 0);
}

static void one_that_stopped_with_something_unsafe_is_found_too(void **state)
{
	const struct test_folder *f = *state;
	struct recorder_image_facts facts;
	struct recorder_image *image;
	struct bad bad = { 0 };

	run(f, 100, false, true);
	struct dead_runs runs = claim(f, &bad);
	assert_int_equal(runs.n, 1);
	assert_int_equal(recorder_image_open(f->fd, runs.runs[0].name, &image), 0);
	recorder_image_facts(image, &facts);
	assert_true(facts.stopped_wall_ns > 0);
	recorder_image_free(image);
	dead_run_finish(f->fd, &runs.runs[0]);
}

static void what_is_claimed_nobody_else_gets_until_it_is_let_go(void **state)
{
	const struct test_folder *f = *state;
	struct bad bad = { 0 };
	int status;

	run(f, 100, true, false);
	struct dead_runs runs = claim(f, &bad);
	assert_int_equal(runs.n, 1);
	for (unsigned held = 0; held < 2; held++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct dead_runs theirs = claim(f, &bad);

			/* Dying with it in its hands gives it back. */
			_exit((int)(theirs.n * 10 + theirs.busy));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WEXITSTATUS(status), held == 0 ? 1 : 10);
		dead_runs_release(&runs);
	}
	runs = claim(f, &bad);
	assert_int_equal(runs.n, 1);
	dead_run_finish(f->fd, &runs.runs[0]);
}

/* The names of rings and their locks in the folder, for a look at one of them. */
static void only_run(const struct test_folder *f, char name[static 64])
{
	struct bad bad = { 0 };
	struct dead_runs runs = claim(f, &bad);

	assert_int_equal(runs.n, 1);
	memcpy(name, runs.runs[0].name, 64);
	dead_runs_release(&runs);
}

static void a_damaged_one_is_set_aside_when_it_is_done(void **state)
{
	const struct test_folder *f = *state;
	struct bad bad = { 0 };
	char aside[96], name[64];
	struct stat st;

	run(f, 100, true, false);
	only_run(f, name);
	_cleanup_close_ int fd = openat(f->fd, name, O_RDWR | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 100), 0);
	struct dead_runs runs = claim(f, &bad);
	assert_int_equal(runs.n, 1);
	assert_int_equal(bad.n, 0);
	runs.runs[0].damaged = true;
	dead_run_finish(f->fd, &runs.runs[0]);
	snprintf(aside, sizeof aside, "%s.corrupt", name);
	assert_int_equal(fstatat(f->fd, aside, &st, 0), 0);
	assert_int_equal(fstatat(f->fd, name, &st, 0), -1);
}

static void one_of_a_later_version_is_left_and_told(void **state)
{
	const struct test_folder *f = *state;
	uint32_t format = RECORDER_FORMAT + 1;
	struct bad bad = { 0 };
	struct stat st;
	char name[64];

	run(f, 100, true, false);
	only_run(f, name);
	_cleanup_close_ int fd = openat(f->fd, name, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, &format, sizeof format, 8), sizeof format);
	struct dead_runs runs = claim(f, &bad);
	assert_int_equal(runs.n, 0);
	assert_int_equal(bad.n, 1);
	assert_int_equal(bad.error, -EPROTONOSUPPORT);
	assert_int_equal(fstatat(f->fd, name, &st, 0), 0);
}

static void what_a_death_while_starting_has_left_is_tidied(void **state)
{
	const struct test_folder *f = *state;
	static const char *const left[] = { ".ring-0123456789abcdef0123456789abcdef.new",
					    "lock-0123456789abcdef0123456789abcdef",
					    "lock-1123456789abcdef0123456789abcdef" };
	char name[64], lock[64];
	struct stat st;

	run(f, 100, true, false);
	only_run(f, name);
	snprintf(lock, sizeof lock, "lock-%.32s", name + strlen("ring-"));
	for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
		_cleanup_close_ int fd =
			openat(f->fd, left[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		assert_true(fd >= 0);
	}
	dead_runs_tidy(f->fd, "ring-00000000000000000000000000000000");
	for (size_t i = 0; i < sizeof left / sizeof *left; i++)
		assert_int_equal(fstatat(f->fd, left[i], &st, 0), -1);
	/* A run that is there keeps its lock. */
	assert_int_equal(fstatat(f->fd, name, &st, 0), 0);
	assert_int_equal(fstatat(f->fd, lock, &st, 0), 0);
}

static void one_whose_lock_is_gone_or_damaged_is_dead(void **state)
{
	const struct test_folder *f = *state;
	struct bad bad = { 0 };
	char name[64], lock[64];

	run(f, 100, true, false);
	only_run(f, name);
	snprintf(lock, sizeof lock, "lock-%.32s", name + strlen("ring-"));
	_cleanup_close_ int fd = openat(f->fd, lock, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "X", 1, 0), 1);
	struct dead_runs runs = claim(f, &bad);
	assert_int_equal(runs.n, 1);
	dead_runs_release(&runs);
	assert_int_equal(unlinkat(f->fd, lock, 0), 0);
	runs = claim(f, &bad);
	assert_int_equal(runs.n, 1);
	dead_run_finish(f->fd, &runs.runs[0]);
}

static void names_that_only_look_like_one_are_left_alone(void **state)
{
	const struct test_folder *f = *state;
	static const char *const names[] = { "ring-", "ring-0123", "ring-x",
					     "ring-0123456789abcdef0123456789abcdef.corrupt",
					     ".ring-0123456789abcdef0123456789abcdef.new" };
	struct bad bad = { 0 };
	struct stat st;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		_cleanup_close_ int fd =
			openat(f->fd, names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		assert_true(fd >= 0);
	}
	struct dead_runs runs = claim(f, &bad);
	assert_int_equal(runs.n, 0);
	assert_int_equal(bad.n, 0);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_int_equal(fstatat(f->fd, names[i], &st, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(dead_runs_are_claimed_in_the_order_they_began),
		test_in_folder(one_that_stopped_with_something_unsafe_is_found_too),
		test_in_folder(what_is_claimed_nobody_else_gets_until_it_is_let_go),
		test_in_folder(a_damaged_one_is_set_aside_when_it_is_done),
		test_in_folder(one_of_a_later_version_is_left_and_told),
		test_in_folder(what_a_death_while_starting_has_left_is_tidied),
		test_in_folder(one_whose_lock_is_gone_or_damaged_is_dead),
		test_in_folder(names_that_only_look_like_one_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/lockfile.h"
#include "record/recorder.h"
#include "record/recorder_layout.h"
#include "../record_bytes.h"

#define SMALL (64 * RECORDER_SLOT_SIZE)

static struct recorder *make(const struct test_folder *f)
{
	struct recorder_options o = {
		.folder = f->fd, .size = SMALL, .first_position = 100, .engine = "shadow"
	};
	struct recorder *r = NULL;

	if (recorder_create(&o, &r) < 0 || recorder_hold(r) < 0)
		return NULL;
	return r;
}

/* The one recorder in the folder, opened as a reader does. */
static struct recorder_image *open_image(const struct test_folder *f, const char *name)
{
	struct recorder_image *i = NULL;

	assert_int_equal(recorder_image_open(f->fd, name, &i), 0);
	return i;
}

static unsigned count(struct recorder_image *i, uint64_t from, uint64_t *ret_torn)
{
	const uint8_t *bytes;
	uint64_t position;
	size_t len;
	unsigned n = 0;

	*ret_torn = 0;
	while (recorder_image_next(i, &from, &bytes, &len, &position, ret_torn) == 1)
		n++;
	return n;
}

static void a_file_is_read_as_it_was_written(void **state)
{
	const struct test_folder *f = *state;
	struct recorder *r = make(f);
	char long_record[1000];
	uint64_t torn, position = 0, at;
	const uint8_t *bytes;
	size_t len;

	assert_non_null(r);
	memset(long_record, 'L', sizeof long_record);
	record_push(r, RECORDER_CLASS_FIRST, 0, 1, "one", 3, NULL);
	record_push(r, RECORDER_CLASS_FIRST, 0, 1, long_record, sizeof long_record, NULL);
	record_push(r, RECORDER_CLASS_FIRST, 0, 1, "two", 3, NULL);
	assert_int_equal(recorder_checkpoint(r, 101, -5, "the state", 9), 0);

	struct recorder_image *i = open_image(f, recorder_name(r));
	struct recorder_image_facts facts;
	recorder_image_facts(i, &facts);
	assert_string_equal(facts.engine, "shadow");
	assert_int_equal(facts.head, 105);
	assert_int_equal(facts.released, 101);
	assert_int_equal(facts.checkpoint_position, 101);
	assert_int_equal(facts.wall_offset_ns, -5);
	assert_memory_equal(facts.epoch, recorder_epoch(r), RECORDER_EPOCH_SIZE);
	assert_memory_equal(recorder_image_checkpoint(i, &len), "the state", 9);
	assert_int_equal(len, 9);
	torn = 0;
	assert_int_equal(recorder_image_next(i, &position, &bytes, &len, &at, &torn), 1);
	assert_int_equal(at, 100);
	assert_memory_equal(bytes, "one", 3);
	assert_int_equal(recorder_image_next(i, &position, &bytes, &len, &at, &torn), 1);
	assert_int_equal(len, sizeof long_record);
	assert_memory_equal(bytes, long_record, len);
	assert_int_equal(count(i, position, &torn), 1);
	recorder_image_free(i);
	recorder_release_hold(r, false);
	recorder_free(r, true);
}

static void the_newer_whole_checkpoint_counts(void **state)
{
	const struct test_folder *f = *state;
	struct recorder *r = make(f);
	size_t len;

	assert_non_null(r);
	for (unsigned n = 0; n < 5; n++)
		record_push(r, RECORDER_CLASS_FIRST, 0, 1, "x", 1, NULL);
	recorder_checkpoint(r, 101, 0, "first", 5);
	recorder_checkpoint(r, 102, 0, "second", 6);
	struct recorder_image *i = open_image(f, recorder_name(r));
	assert_memory_equal(recorder_image_checkpoint(i, &len), "second", 6);
	recorder_image_free(i);

	/* One flipped byte in the newer area: the older one is taken. */
	_cleanup_close_ int fd = openat(f->fd, recorder_name(r), O_RDWR | O_CLOEXEC);
	off_t second = 2 * LAYOUT_PAGE + (off_t)sizeof(struct layout_checkpoint);
	assert_int_equal(pwrite(fd, "S", 1, second), 1);
	i = open_image(f, recorder_name(r));
	assert_memory_equal(recorder_image_checkpoint(i, &len), "first", 5);
	recorder_image_free(i);
	recorder_release_hold(r, false);
	recorder_free(r, true);
}

/* Pushes until it is killed, telling each position once its push has returned. */
static void push_for_ever(const struct test_folder *f, int told)
{
	struct recorder *r = make(f);
	char bytes[1200];
	uint64_t position;

	if (!r || write(told, recorder_name(r), 64) != 64)
		_exit(1);
	for (unsigned n = 0;; n++) {
		size_t len = 16 + n * 13 % 1100;
		const uint8_t *out;
		uint64_t at, next;

		memset(bytes, (int)(len % 251), sizeof bytes);
		if (record_push(r, RECORDER_CLASS_FIRST, 0, 1, bytes, len, &position) == 0 &&
		    write(told, &position, sizeof position) < 0)
			_exit(1);
		if (n % 16 == 0) {
			while (recorder_next(r, &out, &len, &at, &next) == 1)
				;
			/* Keeps the last records unreleased, as a living run would. */
			recorder_checkpoint(r, at, 0, "state", 5);
		}
	}
}

static void nothing_told_is_lost_or_torn_by_a_kill(void **state)
{
	const struct test_folder *f = *state;

	for (unsigned round = 0; round < 20; round++) {
		char name[64];
		uint64_t position, last = 0, torn = 0, at = 0, found = 0, from = 0;
		const uint8_t *bytes;
		size_t len;
		int pipes[2];

		assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			push_for_ever(f, pipes[1]);
		close(pipes[1]);
		assert_int_equal(read(pipes[0], name, sizeof name), sizeof name);
		for (unsigned n = 0; n < 50 + round * 37; n++)
			assert_int_equal(read(pipes[0], &last, sizeof last), sizeof last);
		kill(pid, SIGKILL);
		while (read(pipes[0], &position, sizeof position) == sizeof position)
			last = position;
		close(pipes[0]);
		waitpid(pid, NULL, 0);

		struct recorder_image *i = open_image(f, name);
		struct recorder_image_facts facts;
		recorder_image_facts(i, &facts);
		assert_true(facts.head > last);
		from = facts.released;
		while (recorder_image_next(i, &from, &bytes, &len, &at, &torn) == 1) {
			assert_int_equal(bytes[0], len % 251);
			assert_int_equal(bytes[len - 1], len % 251);
			if (at == last)
				found = 1;
		}
		/* Of one thread only the last push can be unfinished: three slots at most. */
		assert_true(torn <= 3);
		assert_true(found || last < facts.released);
		recorder_image_free(i);
	}
}

static void a_dead_holder_is_told_from_a_living_one(void **state)
{
	const struct test_folder *f = *state;
	struct lockfile *l;
	char name[64], lock[64];
	int pipes[2];

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0)
		push_for_ever(f, pipes[1]);
	close(pipes[1]);
	assert_int_equal(read(pipes[0], name, sizeof name), sizeof name);
	snprintf(lock, sizeof lock, "lock-%.40s", name + strlen("ring-"));
	assert_int_equal(lockfile_open(f->fd, lock, false, &l), 0);
	assert_int_equal(lockfile_try(l), -EBUSY);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pipes[0]);
	assert_int_equal(lockfile_try(l), 1);
	lockfile_release(l);
	lockfile_free(l);
}

/* One event that no checkpoint has, and the file open for writing. */
static struct recorder *make_with_event(const struct test_folder *f, int *ret_fd)
{
	struct recorder *r = make(f);

	assert_non_null(r);
	record_push(r, RECORDER_CLASS_FIRST, 0, 1, "x", 1, NULL);
	*ret_fd = openat(f->fd, recorder_name(r), O_RDWR | O_CLOEXEC);
	assert_true(*ret_fd >= 0);
	return r;
}

/* Its event can still be read, and that something is wrong is known. */
static void assert_salvaged(const struct test_folder *f, const char *name)
{
	struct recorder_image_facts facts;
	struct recorder_image *i;
	uint64_t torn;

	assert_int_equal(recorder_image_open(f->fd, name, &i), 0);
	assert_int_equal(count(i, 0, &torn), 1);
	recorder_image_facts(i, &facts);
	assert_true(facts.damaged);
	recorder_image_free(i);
}

static void flip(int fd, off_t at)
{
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x40;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static void a_flipped_byte_of_the_header_costs_no_event(void **state)
{
	const struct test_folder *f = *state;
	_cleanup_close_ int fd = -1;
	struct recorder *r = make_with_event(f, &fd);
	struct recorder_image *i;

	for (off_t at = 0; at < (off_t)sizeof(struct layout_header); at++) {
		flip(fd, at);
		/* A format of later is not ours to read, whatever its sum. */
		if (at >= (off_t)offsetof(struct layout_header, format) &&
		    at < (off_t)offsetof(struct layout_header, byte_order))
			assert_int_equal(recorder_image_open(f->fd, recorder_name(r), &i),
					 -EPROTONOSUPPORT);
		else
			assert_salvaged(f, recorder_name(r));
		flip(fd, at);
	}
	recorder_release_hold(r, false);
	recorder_free(r, true);
}

static void a_damaged_head_is_found_again_by_the_stamps(void **state)
{
	const struct test_folder *f = *state;
	static const uint64_t heads[] = { 0, 1, 99, 1000, UINT64_MAX - 3, UINT64_MAX };
	_cleanup_close_ int fd = -1;
	struct recorder *r = make_with_event(f, &fd);
	uint64_t was;

	assert_int_equal(pread(fd, &was, sizeof was, LAYOUT_PAGE), sizeof was);
	for (size_t n = 0; n < sizeof heads / sizeof *heads; n++) {
		assert_int_equal(pwrite(fd, &heads[n], sizeof was, LAYOUT_PAGE), sizeof was);
		assert_salvaged(f, recorder_name(r));
	}
	/* One that is behind its own records, and looks sound. */
	was--;
	assert_int_equal(pwrite(fd, &was, sizeof was, LAYOUT_PAGE), sizeof was);
	struct recorder_image *i;
	uint64_t torn;
	assert_int_equal(recorder_image_open(f->fd, recorder_name(r), &i), 0);
	assert_int_equal(count(i, 0, &torn), 1);
	recorder_image_free(i);
	recorder_release_hold(r, false);
	recorder_free(r, true);
}

static void of_a_file_that_was_cut_the_rest_is_read(void **state)
{
	const struct test_folder *f = *state;
	_cleanup_close_ int fd = -1;
	struct recorder *r = make_with_event(f, &fd);
	off_t slots = 2 * LAYOUT_PAGE + 2 * (off_t)LAYOUT_CHECKPOINT_AREA;
	struct recorder_image *i;
	uint64_t torn;

	/* Behind the record's own slot; the living mapping is not touched meanwhile. */
	assert_int_equal(ftruncate(fd, slots + 40 * RECORDER_SLOT_SIZE), 0);
	assert_salvaged(f, recorder_name(r));
	/* Without any slot: it is known that there was a record. */
	assert_int_equal(ftruncate(fd, slots), 0);
	assert_int_equal(recorder_image_open(f->fd, recorder_name(r), &i), 0);
	assert_int_equal(count(i, 0, &torn), 0);
	assert_int_equal(torn, 1);
	recorder_image_free(i);
	assert_int_equal(ftruncate(fd, LAYOUT_PAGE / 2), 0);
	assert_int_equal(recorder_image_open(f->fd, recorder_name(r), &i), 0);
	assert_int_equal(count(i, 0, &torn), 0);
	recorder_image_free(i);
	assert_int_equal(ftruncate(fd, 10), 0);
	assert_int_equal(recorder_image_open(f->fd, recorder_name(r), &i), -EBADMSG);
	recorder_free(r, true);
}

static void what_is_no_recorder_is_refused(void **state)
{
	const struct test_folder *f = *state;
	struct recorder_image *i = NULL;

	assert_int_equal(mkdirat(f->fd, "ring-0123456789abcdef0123456789abcdef", 0700), 0);
	assert_int_equal(recorder_image_open(f->fd, "ring-0123456789abcdef0123456789abcdef", &i),
			 -EBADMSG);
	assert_int_equal(symlinkat("somewhere", f->fd, "link"), 0);
	assert_int_equal(recorder_image_open(f->fd, "link", &i), -ELOOP);
	assert_int_equal(recorder_image_open(f->fd, "none", &i), -ENOENT);
	unlinkat(f->fd, "ring-0123456789abcdef0123456789abcdef", AT_REMOVEDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(a_file_is_read_as_it_was_written),
		test_in_folder(the_newer_whole_checkpoint_counts),
		test_in_folder(nothing_told_is_lost_or_torn_by_a_kill),
		test_in_folder(a_dead_holder_is_told_from_a_living_one),
		test_in_folder(a_flipped_byte_of_the_header_costs_no_event),
		test_in_folder(a_damaged_head_is_found_again_by_the_stamps),
		test_in_folder(of_a_file_that_was_cut_the_rest_is_read),
		test_in_folder(what_is_no_recorder_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

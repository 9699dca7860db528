/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "engine/saved_picture.h"

static uint8_t state_bytes[] = "what a picture looks like";

static void leave_kind(const struct test_folder *f, enum saved_picture_kind kind)
{
	struct saved_picture c = {
		.kind = kind,
		.epoch = { 1, 2, 3 },
		.first_position = 5,
		.wall_offset_ns = -7,
		.state = state_bytes,
		.len = sizeof state_bytes,
	};

	assert_int_equal(saved_picture_write(f->fd, &c), 0);
}

static void leave(const struct test_folder *f)
{
	leave_kind(f, SAVED_PICTURE_RESCUED);
}

static void a_picture_comes_back_as_it_was_left(void **state)
{
	const struct test_folder *f = *state;
	struct saved_picture c;

	assert_int_equal(saved_picture_read(f->fd, &c), -ENOENT);
	leave(f);
	assert_int_equal(saved_picture_read(f->fd, &c), 0);
	assert_int_equal(c.epoch[2], 3);
	assert_int_equal(c.first_position, 5);
	assert_int_equal(c.wall_offset_ns, -7);
	assert_false(c.other_boot);
	assert_int_equal(c.len, sizeof state_bytes);
	assert_memory_equal(c.state, state_bytes, c.len);
	free(c.state);
	assert_int_equal(saved_picture_remove(f->fd), 0);
	assert_int_equal(saved_picture_remove(f->fd), 0);
	assert_int_equal(saved_picture_read(f->fd, &c), -ENOENT);
}

static void it_says_who_wrote_it(void **state)
{
	static const enum saved_picture_kind kinds[] = { SAVED_PICTURE_RESCUED,
							 SAVED_PICTURE_STOPPED,
							 SAVED_PICTURE_RUNNING };
	const struct test_folder *f = *state;
	struct saved_picture c;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		leave_kind(f, kinds[i]);
		assert_int_equal(saved_picture_read(f->fd, &c), 0);
		assert_int_equal(c.kind, kinds[i]);
		free(c.state);
	}
}

static void a_flipped_byte_sets_it_aside(void **state)
{
	const struct test_folder *f = *state;
	struct stat st;

	leave(f);
	assert_int_equal(fstatat(f->fd, SAVED_PICTURE_FILE, &st, 0), 0);
	for (off_t at = 0; at < st.st_size; at++) {
		struct saved_picture c;
		uint8_t byte;

		leave(f);
		_cleanup_close_ int fd = openat(f->fd, SAVED_PICTURE_FILE, O_RDWR | O_CLOEXEC);
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 0x20;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		int r = saved_picture_read(f->fd, &c);
		/* A greater format is a later version's, and left for it. */
		assert_true(r == -EBADMSG || (r == -EPROTONOSUPPORT && at >= 8 && at < 12));
		assert_int_equal(faccessat(f->fd, SAVED_PICTURE_FILE, F_OK, 0),
				 r == -EBADMSG ? -1 : 0);
	}
}

static void a_cut_one_is_set_aside(void **state)
{
	const struct test_folder *f = *state;
	struct saved_picture c;

	leave(f);
	_cleanup_close_ int fd = openat(f->fd, SAVED_PICTURE_FILE, O_RDWR | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 20), 0);
	assert_int_equal(saved_picture_read(f->fd, &c), -EBADMSG);
	assert_int_equal(saved_picture_read(f->fd, &c), -ENOENT);
	assert_int_equal(faccessat(f->fd, SAVED_PICTURE_FILE ".corrupt", F_OK, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(a_picture_comes_back_as_it_was_left),
		test_in_folder(it_says_who_wrote_it),
		test_in_folder(a_flipped_byte_sets_it_aside),
		test_in_folder(a_cut_one_is_set_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

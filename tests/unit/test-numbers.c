/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>

#include "base/cleanup.h"
#include "record/numbers.h"

static void put(const struct test_folder *f, const char *text)
{
	_cleanup_close_ int fd =
		openat(f->fd, "numbers", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void they_begin_with_one(void **state)
{
	const struct test_folder *f = *state;
	uint64_t first;

	assert_int_equal(numbers_first(f->fd, &first), 0);
	assert_int_equal(first, 1);
}

static void what_was_reserved_is_never_first_again(void **state)
{
	const struct test_folder *f = *state;
	uint64_t first;

	assert_int_equal(numbers_reserve(f->fd, 1048577), 0);
	assert_int_equal(numbers_first(f->fd, &first), 0);
	assert_int_equal(first, 1048577);
}

static void a_damaged_file_is_told_and_not_believed(void **state)
{
	static const char *const bad[] = {
		"", "x\n", "12", "12x\n", "0\n", "-5\n", "99999999999999999999999\n"
	};
	uint64_t first = 7;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		put(*state, bad[i]);
		assert_int_equal(numbers_first(((struct test_folder *)*state)->fd, &first),
				 -EBADMSG);
	}
	assert_int_equal(first, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(they_begin_with_one),
		test_in_folder(what_was_reserved_is_never_first_again),
		test_in_folder(a_damaged_file_is_told_and_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

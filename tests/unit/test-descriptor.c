/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "test.h"

static int folder = -1;

static int by_open(void)
{
	return descriptor_open("/dev/null", O_RDONLY);
}

static int by_openat(void)
{
	return descriptor_openat(folder, "file", O_WRONLY | O_CREAT, 0600);
}

static int by_socket(void)
{
	return descriptor_socket(AF_UNIX, SOCK_DGRAM, 0);
}

static int by_moving(void)
{
	return descriptor_above(fcntl(folder, F_DUPFD_CLOEXEC, 0));
}

/* Runs it with those of 0, 1 and 2 closed that are named by bits. */
static int with_closed(unsigned closed, int (*run)(void))
{
	int kept[DESCRIPTOR_LOW], fd;

	for (int i = 0; i < DESCRIPTOR_LOW; i++) {
		kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
		assert_true(kept[i] >= 10);
	}
	for (int i = 0; i < DESCRIPTOR_LOW; i++)
		if (closed & 1u << i)
			close(i);
	fd = run();
	for (int i = 0; i < DESCRIPTOR_LOW; i++) {
		dup2(kept[i], i);
		close(kept[i]);
	}
	return fd;
}

static void nothing_is_opened_below_three(void **state)
{
	static int (*const ways[])(void) = { by_open, by_openat, by_socket, by_moving };
	const struct test_folder *f = *state;

	folder = f->fd;
	for (unsigned closed = 0; closed < 1u << DESCRIPTOR_LOW; closed++)
		for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
			int fd = with_closed(closed, ways[i]);

			assert_true(fd >= DESCRIPTOR_LOW);
			assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
			close(fd);
		}
}

static void what_cannot_be_opened_says_why(void **state)
{
	(void)state;
	assert_int_equal(descriptor_open("/nowhere/at/all", O_RDONLY), -1);
	assert_int_equal(errno, ENOENT);
	errno = EMFILE;
	assert_int_equal(descriptor_above(-1), -1);
	assert_int_equal(errno, EMFILE);
}

static int library_opens(void)
{
	struct descriptor_low low;
	int fd;

	descriptor_low_fill(&low);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	descriptor_low_free(&low);
	for (int i = 0; i < DESCRIPTOR_LOW; i++)
		if (low.filled[i] && fcntl(i, F_GETFD) >= 0)
			return -1;
	return fd;
}

static void a_library_opens_nothing_below_three_either(void **state)
{
	(void)state;
	for (unsigned closed = 0; closed < 1u << DESCRIPTOR_LOW; closed++) {
		int fd = with_closed(closed, library_opens);

		assert_true(fd >= DESCRIPTOR_LOW);
		close(fd);
	}
}

static int host_opens_meanwhile(void)
{
	struct descriptor_low low;
	int pair[2];

	descriptor_low_fill(&low);
	if (pipe(pair) < 0 || dup2(pair[1], 2) < 0)
		return -1;
	descriptor_low_free(&low);
	return fcntl(2, F_GETFD) < 0 ? -1 : pair[0];
}

static void what_the_host_puts_there_meanwhile_stays(void **state)
{
	(void)state;
	assert_true(with_closed(1u << 2, host_opens_meanwhile) >= DESCRIPTOR_LOW);
}

static void a_number_that_is_another_files_is_not_ours(void **state)
{
	int fd = descriptor_socket(AF_UNIX, SOCK_DGRAM, 0);
	struct descriptor_identity identity = descriptor_identify(fd);
	int other;

	(void)state;
	assert_true(descriptor_is(fd, identity));
	close(fd);
	assert_false(descriptor_is(fd, identity));
	other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (other != fd)
		assert_int_equal(dup2(other, fd), fd);
	assert_false(descriptor_is(fd, identity));
	assert_false(descriptor_is(-1, identity));
	close(fd);
	if (other != fd)
		close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_opened_below_three, test_folder_make,
						test_folder_remove),
		cmocka_unit_test(what_cannot_be_opened_says_why),
		cmocka_unit_test(a_library_opens_nothing_below_three_either),
		cmocka_unit_test(what_the_host_puts_there_meanwhile_stays),
		cmocka_unit_test(a_number_that_is_another_files_is_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

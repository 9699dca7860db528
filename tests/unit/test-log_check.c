/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/log_check.h"

#include "test.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

enum state {
	STATE_READ,     /* somebody reads there */
	STATE_STOPPED,  /* held, and nobody reads */
	STATE_FULL,     /* the same, and nothing more fits */
	STATE_LEFT,     /* the file alone is left */
	STATE_ABSENT,   /* nothing is there */
	STATE_NO_SOCKET /* a file of another kind */
};

static int bind_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static void fill(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	while (sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof address) == 1)
		;
	assert_int_equal(errno, EAGAIN);
	close(fd);
}

/* A process that reads until it is killed. */
static pid_t read_in_child(int fd)
{
	pid_t child = fork();
	char byte;

	if (child == 0)
		for (;;)
			if (recv(fd, &byte, 1, 0) < 0)
				_exit(1);
	assert_true(child > 0);
	return child;
}

/* Puts it in that state; *ret_child: a reader or 0. The holder's descriptor or -1. */
static int set_up(const char *path, enum state state, pid_t *ret_child)
{
	int fd = -1;

	*ret_child = 0;
	if (state == STATE_NO_SOCKET) {
		fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	} else if (state != STATE_ABSENT) {
		fd = bind_at(path);
	}
	if (state == STATE_FULL)
		fill(path);
	if (state == STATE_READ)
		*ret_child = read_in_child(fd);
	if (state == STATE_LEFT) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void tear_down(int fd, pid_t child)
{
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	if (fd >= 0)
		close(fd);
}

static void what_is_known_of_the_socket_is_told(void **state)
{
	static const struct {
		enum state state;
		enum verdict verdict;
		const char *told;
	} rows[] = {
		{ STATE_READ, VERDICT_OK, "journald listens on " },
		{ STATE_STOPPED, VERDICT_FAILED, "journald is stopped or hangs" },
		{ STATE_FULL, VERDICT_FAILED, "journald is stopped or hangs" },
		{ STATE_LEFT, VERDICT_FAILED, "no journald on " },
		{ STATE_ABSENT, VERDICT_FAILED, "no journald on " },
		{ STATE_NO_SOCKET, VERDICT_FAILED, "no journald on " },
	};
	struct test_folder *folder = *state;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct findings f = { 0 };
		char path[100];
		pid_t child;
		int fd;

		snprintf(path, sizeof path, "%s/socket-%zu", folder->path, i);
		fd = set_up(path, rows[i].state, &child);
		log_check_socket(&f, path, "systemd-journald", true);
		tear_down(fd, child);
		for (int v = 0; v < VERDICTS; v++)
			if (v != (int)rows[i].verdict && f.lines[v].ptr)
				fail_msg("row %zu: %s", i, f.lines[v].ptr);
		assert_non_null(f.lines[rows[i].verdict].ptr);
		if (!strstr(f.lines[rows[i].verdict].ptr, rows[i].told))
			fail_msg("row %zu: %s", i, f.lines[rows[i].verdict].ptr);
		findings_done(&f);
	}
}

/* An own want of descriptors says nothing about journald. */
static void want_of_descriptors_is_no_want_of_a_journald(void **state)
{
	struct test_folder *folder = *state;
	struct rlimit before, none;
	struct findings f = { 0 };
	char path[100];
	int fd, next;

	snprintf(path, sizeof path, "%s/socket", folder->path);
	fd = bind_at(path);
	next = dup(fd);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (int must = 0; must < 2; must++)
		log_check_socket(&f, path, "systemd-journald", must);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	close(fd);
	assert_null(f.lines[VERDICT_OK].ptr);
	assert_null(f.lines[VERDICT_WARNING].ptr);
	assert_null(strstr(f.lines[VERDICT_FAILED].ptr, "no journald"));
	assert_non_null(strstr(f.lines[VERDICT_FAILED].ptr, "is not known"));
	assert_non_null(strstr(f.lines[VERDICT_FAILED].ptr, "raise RLIMIT_NOFILE"));
	findings_done(&f);
}

#define with(test) cmocka_unit_test_setup_teardown(test, test_folder_make, test_folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with(what_is_known_of_the_socket_is_told),
		with(want_of_descriptors_is_no_want_of_a_journald),
	};

	return cmocka_run_group_tests_name("log_check", tests, NULL, NULL);
}

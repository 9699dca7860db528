/* SPDX-License-Identifier: MIT */
/* The syslog socket, with a listener of the test's own in /dev/log's place. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "journal/syslog_target.h"
#include "test.h"

#define SMALL_BUFFER 4096

static struct sockaddr_un address(const struct test_folder *f)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof a.sun_path, "%s/log", f->path);
	return a;
}

static int listen_there(const struct test_folder *f, int type)
{
	struct sockaddr_un a = address(f);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	unlink(a.sun_path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static struct syslog_socket made(const struct test_folder *f)
{
	struct sockaddr_un a = address(f);
	struct syslog_socket s;

	assert_int_equal(syslog_socket_init(&s, a.sun_path), 0);
	assert_int_equal(s.fd, -1);
	return s;
}

static int send_text(struct syslog_socket *s, const char *text)
{
	return syslog_socket_send(s, text, strlen(text), 0);
}

static void receives(int fd, const char *text, size_t len)
{
	char got[256];
	ssize_t n = recv(fd, got, sizeof got, 0);

	assert_int_equal(n, len);
	assert_memory_equal(got, text, len);
}

static void a_message_is_one_datagram(void **state)
{
	_cleanup_close_ int fd = listen_there(*state, SOCK_DGRAM);
	struct syslog_socket s = made(*state);

	assert_int_equal(send_text(&s, "<26>a"), 0);
	assert_int_equal(send_text(&s, "<26>b"), 0);
	assert_false(s.is_stream);
	receives(fd, "<26>a", 5);
	receives(fd, "<26>b", 5);
	syslog_socket_done(&s);
}

static void a_nul_ends_each_message_of_a_stream(void **state)
{
	_cleanup_close_ int fd = listen_there(*state, SOCK_STREAM);
	_cleanup_close_ int peer = -1;
	struct syslog_socket s = made(*state);

	assert_int_equal(send_text(&s, "<26>a"), 0);
	assert_int_equal(send_text(&s, "<26>b"), 0);
	assert_true(s.is_stream);
	peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(peer >= 0);
	receives(peer, "<26>a\0<26>b", 12);
	syslog_socket_done(&s);
}

static void nobody_there_is_told_and_not_waited_for(void **state)
{
	struct sockaddr_un a = address(*state);
	struct syslog_socket s = made(*state);
	int fd;

	assert_int_equal(syslog_socket_connect(&s), -ENOENT);
	assert_int_equal(send_text(&s, "x"), -ENOTCONN);
	fd = listen_there(*state, SOCK_DGRAM);
	close(fd); /* its file stays */
	assert_int_equal(syslog_socket_connect(&s), -ECONNREFUSED);
	assert_int_equal(send_text(&s, "x"), -ENOTCONN);
	unlink(a.sun_path);
	assert_int_equal(symlink("log", a.sun_path), 0);
	assert_int_equal(syslog_socket_connect(&s), -ELOOP);
	assert_int_equal(s.fd, -1);
}

static void a_listener_that_comes_back_is_found_again(void **state)
{
	static const int types[][2] = {
		{ SOCK_DGRAM, SOCK_DGRAM },
		{ SOCK_DGRAM, SOCK_STREAM },
		{ SOCK_STREAM, SOCK_DGRAM },
		{ SOCK_STREAM, SOCK_STREAM },
	};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		struct syslog_socket s = made(*state);
		int fd = listen_there(*state, types[i][0]);

		assert_int_equal(send_text(&s, "one"), 0);
		close(fd);
		assert_int_equal(send_text(&s, "two"), -ENOTCONN);
		assert_int_equal(s.fd, -1);
		fd = listen_there(*state, types[i][1]);
		assert_int_equal(send_text(&s, "two"), 0);
		assert_int_equal(s.is_stream, types[i][1] == SOCK_STREAM);
		if (!s.is_stream)
			receives(fd, "two", 3);
		syslog_socket_done(&s);
		close(fd);
	}
}

static void a_full_socket_is_not_waited_for_beyond_the_time(void **state)
{
	_cleanup_close_ int fd = listen_there(*state, SOCK_DGRAM);
	struct syslog_socket s = made(*state);
	unsigned sent = 0, got = 0;
	char byte;
	int r;

	while ((r = send_text(&s, "x")) == 0)
		sent++;
	assert_int_equal(r, -EAGAIN);
	assert_true(sent > 0);
	while (recv(fd, &byte, 1, 0) == 1)
		got++;
	assert_int_equal(got, sent);
	assert_int_equal(send_text(&s, "x"), 0);
	syslog_socket_done(&s);
}

static void a_stream_goes_on_where_it_was_full(void **state)
{
	_cleanup_close_ int fd = listen_there(*state, SOCK_STREAM);
	_cleanup_close_ int peer = -1;
	_cleanup_free_ char *text = calloc(1, 1 << 20), *got = calloc(1, 1 << 20);
	const size_t len = (1 << 20) - 1;
	struct syslog_socket s = made(*state);
	size_t n = 0;
	int r;

	assert_non_null(text);
	assert_non_null(got);
	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + i % 23);
	assert_int_equal(syslog_socket_connect(&s), 0);
	peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(peer >= 0);
	while ((r = syslog_socket_send(&s, text, len, 0)) == -EAGAIN) {
		ssize_t part = recv(peer, got + n, len + 1 - n, 0);

		assert_true(part > 0);
		n += (size_t)part;
	}
	assert_int_equal(r, 0);
	while (n < len + 1) {
		ssize_t part = recv(peer, got + n, len + 1 - n, 0);

		assert_true(part > 0);
		n += (size_t)part;
	}
	assert_memory_equal(got, text, len + 1);
	syslog_socket_done(&s);
}

static void half_a_message_is_told_whole_to_the_next_listener(void **state)
{
	int fd = listen_there(*state, SOCK_STREAM);
	_cleanup_free_ char *text = calloc(1, 1 << 20);
	const size_t len = (1 << 20) - 1;
	struct syslog_socket s = made(*state);

	assert_non_null(text);
	memset(text, 'x', len);
	assert_int_equal(syslog_socket_send(&s, text, len, 0), -EAGAIN);
	assert_true(s.done > 0);
	close(fd);
	assert_int_equal(syslog_socket_send(&s, text, len, 0), -ENOTCONN);
	assert_int_equal(s.done, 0);
}

static void a_datagram_that_never_fits_is_told(void **state)
{
	_cleanup_close_ int fd = listen_there(*state, SOCK_DGRAM);
	_cleanup_free_ char *text = calloc(1, 1 << 20);
	struct syslog_socket s = made(*state);
	int size = SMALL_BUFFER;

	assert_non_null(text);
	assert_int_equal(syslog_socket_connect(&s), 0);
	assert_int_equal(setsockopt(s.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
	assert_int_equal(syslog_socket_send(&s, text, (1 << 20) - 1, 0), -EMSGSIZE);
	assert_int_equal(send_text(&s, "x"), 0);
	syslog_socket_done(&s);
}

static void a_path_too_long_for_a_socket_is_refused(void **state)
{
	struct syslog_socket s;
	char path[200];

	(void)state;
	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = 0;
	assert_int_equal(syslog_socket_init(&s, path), -ENAMETOOLONG);
	syslog_socket_done(&s);
	assert_int_equal(syslog_socket_init(&s, NULL), 0);
	assert_string_equal(s.address.sun_path, "/dev/log");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(a_message_is_one_datagram),
		test_in_folder(a_nul_ends_each_message_of_a_stream),
		test_in_folder(nobody_there_is_told_and_not_waited_for),
		test_in_folder(a_listener_that_comes_back_is_found_again),
		test_in_folder(a_full_socket_is_not_waited_for_beyond_the_time),
		test_in_folder(a_stream_goes_on_where_it_was_full),
		test_in_folder(half_a_message_is_told_whole_to_the_next_listener),
		test_in_folder(a_datagram_that_never_fits_is_told),
		cmocka_unit_test(a_path_too_long_for_a_socket_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

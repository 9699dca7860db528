/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/journal_datagram.h"
#include "test.h"

#define FIELD(bytes)                                                                               \
	{                                                                                          \
		(void *)(uintptr_t)(bytes), sizeof(bytes) - 1                                      \
	}

static void pair_make(int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
}

static void fields_go_as_journald_reads_them(void **state)
{
	static const struct {
		struct iovec field, expected;
	} table[] = {
		{ FIELD("MESSAGE=text"), FIELD("MESSAGE=text\n") },
		{ FIELD("MESSAGE="), FIELD("MESSAGE=\n") },
		{ FIELD("A=b=c"), FIELD("A=b=c\n") },
		{ FIELD("A=b\0c"), FIELD("A=b\0c\n") },
		{ FIELD("A=\n"), FIELD("A\n\1\0\0\0\0\0\0\0\n\n") },
		{ FIELD("A=b\nPRIORITY=0"), FIELD("A\n\14\0\0\0\0\0\0\0b\nPRIORITY=0\n") },
	};
	char got[256];
	int pair[2];

	(void)state;
	pair_make(pair);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		assert_int_equal(journal_datagram_send(pair[0], &table[i].field, 1), 0);
		assert_int_equal(recv(pair[1], got, sizeof got, 0), table[i].expected.iov_len);
		assert_memory_equal(got, table[i].expected.iov_base, table[i].expected.iov_len);
	}
	close(pair[0]);
	close(pair[1]);
}

static void what_is_no_entry_is_refused(void **state)
{
	static struct iovec many[JOURNAL_DATAGRAM_FIELDS_MAX + 1];
	static const struct iovec wrong[] = { FIELD("MESSAGE"), FIELD("=text"), FIELD("") };
	int pair[2];

	(void)state;
	pair_make(pair);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(journal_datagram_send(pair[0], &wrong[i], 1), -EINVAL);
	assert_int_equal(journal_datagram_send(pair[0], wrong, 0), -EINVAL);
	for (size_t i = 0; i < sizeof many / sizeof *many; i++)
		many[i] = (struct iovec)FIELD("A=b\n");
	assert_int_equal(journal_datagram_send(pair[0], many, JOURNAL_DATAGRAM_FIELDS_MAX + 1),
			 -E2BIG);
	assert_int_equal(journal_datagram_send(pair[0], many, JOURNAL_DATAGRAM_FIELDS_MAX), 0);
	close(pair[1]);
	assert_int_equal(journal_datagram_send(pair[0], many, 1), -ECONNREFUSED);
	close(pair[0]);
}

static void a_full_socket_is_not_waited_for(void **state)
{
	static const struct iovec field = FIELD("MESSAGE=text");
	int pair[2], r = 0;

	(void)state;
	pair_make(pair);
	while (r == 0)
		r = journal_datagram_send(pair[0], &field, 1);
	assert_int_equal(r, -EAGAIN);
	close(pair[0]);
	close(pair[1]);
}

static void what_is_too_large_for_a_datagram_goes_as_a_file(void **state)
{
	size_t len = (size_t)8 * 1024 * 1024;
	char *value = malloc(len), *got = malloc(len + 2);
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr message = { .msg_control = &control, .msg_controllen = sizeof control };
	struct iovec field = { value, len };
	int pair[2], fd;

	(void)state;
	if (!value || !got) {
		fail();
		return;
	}
	memset(value, 'x', len);
	value[1] = '=';
	pair_make(pair);
	assert_int_equal(journal_datagram_send(pair[0], &field, 1), 0);
	assert_int_equal(recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC), 0);
	assert_non_null(CMSG_FIRSTHDR(&message));
	memcpy(&fd, CMSG_DATA(&control.align), sizeof fd);
	assert_int_equal(pread(fd, got, len + 2, 0), len + 1);
	assert_memory_equal(got, value, len);
	assert_int_equal(got[len], '\n');
	close(fd);
	close(pair[0]);
	close(pair[1]);
	free(value);
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_go_as_journald_reads_them),
		cmocka_unit_test(what_is_no_entry_is_refused),
		cmocka_unit_test(a_full_socket_is_not_waited_for),
		cmocka_unit_test(what_is_too_large_for_a_datagram_goes_as_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

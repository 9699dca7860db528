/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdatomic.h>

#include "journal_fixture.h"

static void post(void *userdata)
{
	sem_post(userdata);
}

static void entries_go_out_in_the_order_they_came(void **state)
{
	_cleanup_close_ int fd = listen_there(*state);
	struct journal *j = start(*state, LOG_TARGET_JOURNAL);
	char message[16];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(message, sizeof message, "%u", i);
		assert_int_equal(
			journal_submit(j, entry((enum entry_class)(i % ENTRY_CLASSES), message, 0)),
			i + 1);
	}
	assert_int_equal(journal_submit(j, NULL), 1000);
	assert_int_equal(journal_stop(j, LONG_NS), 0);
	assert_int_equal(journal_written(j), 1000);
	assert_int_equal(journal_lost(j), 0);
	assert_int_equal(journal_settled(j), 1000);
	assert_int_equal(fake.n, 1000);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(strtoul(fake.sent[i], NULL, 10), i);
	assert_int_equal(journal_stop(j, 0), 0);
	journal_free(j);
}

static void auto_asks_whether_somebody_listens(void **state)
{
	struct journal *j = start(*state, LOG_TARGET_AUTO);
	int fd;

	assert_int_equal(journal_target(j), LOG_TARGET_STDERR);
	assert_int_equal(journal_stop(j, 0), 0);
	journal_free(j);
	fd = listen_there(*state);
	j = start(*state, LOG_TARGET_AUTO);
	assert_int_equal(journal_target(j), LOG_TARGET_JOURNAL);
	assert_int_equal(journal_stop(j, 0), 0);
	journal_free(j);
	close(fd); /* its file stays */
	j = start(*state, LOG_TARGET_AUTO);
	assert_int_equal(journal_target(j), LOG_TARGET_STDERR);
	assert_int_equal(journal_stop(j, 0), 0);
	journal_free(j);
}

/* What the next calls for a socket fail with; 0: they do not. */
static atomic_int no_socket;

int __real_descriptor_socket(int domain, int type, int protocol);
int __wrap_descriptor_socket(int domain, int type, int protocol);

int __wrap_descriptor_socket(int domain, int type, int protocol)
{
	int error = atomic_load(&no_socket);

	if (error == 0)
		return __real_descriptor_socket(domain, type, protocol);
	errno = error;
	return -1;
}

static void want_of_descriptors_is_not_want_of_a_listener(void **state)
{
	static const int shortages[] = { EMFILE, ENFILE, ENOMEM, ENOBUFS };
	static const struct {
		bool journald, syslog;
		enum log_target target;
	} rows[] = {
		{ true, false, LOG_TARGET_JOURNAL },
		{ true, true, LOG_TARGET_JOURNAL },
		{ false, true, LOG_TARGET_SYSLOG },
		{ false, false, LOG_TARGET_STDERR },
	};

	for (size_t n = 0; n < 4 * sizeof rows / sizeof *rows; n++) {
		_cleanup_close_ int journald = rows[n / 4].journald ? listen_there(*state) : -1;
		_cleanup_close_ int syslog = rows[n / 4].syslog ? listen_at(*state, "log") : -1;
		enum log_target target;
		struct journal *j;

		atomic_store(&no_socket, shortages[n % 4]);
		j = start(*state, LOG_TARGET_AUTO);
		target = journal_target(j);
		assert_int_equal(target, rows[n / 4].target);
		/* What is submitted meanwhile waits until there is a socket. */
		if (target != LOG_TARGET_STDERR)
			assert_int_equal(journal_submit(j, entry(ENTRY_CLASS_FIRST, "p1", 0)), 1);
		atomic_store(&no_socket, 0);
		assert_int_equal(journal_stop(j, LONG_NS), 0);
		assert_int_equal(journal_written(j), target != LOG_TARGET_STDERR);
		assert_int_equal(journal_lost(j), 0);
		journal_free(j);
		if (rows[n / 4].journald)
			unlink_at(*state, "socket");
		if (rows[n / 4].syslog)
			unlink_at(*state, "log");
	}
}

static void a_path_too_long_for_a_socket_is_refused(void **state)
{
	char path[200];
	struct journal_options o = {
		.state = -1, .target = LOG_TARGET_AUTO, .socket = path, .context = &context
	};
	struct journal *j = NULL;

	(void)state;
	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = 0;
	assert_int_equal(journal_new(&o, &j), -ENAMETOOLONG);
	assert_null(j);
	o.syslog = path;
	o.socket = NULL;
	assert_int_equal(journal_new(&o, &j), -ENAMETOOLONG);
	assert_null(j);
}

static void entries_wait_until_somebody_listens(void **state)
{
	struct journal *j = start(*state, LOG_TARGET_JOURNAL);
	_cleanup_close_ int fd = -1;
	sem_t moved;

	sem_init(&moved, 0, 0);
	journal_on_progress(j, post, &moved);
	journal_submit(j, entry(ENTRY_CLASS_FIRST, "one", 0));
	assert_int_equal(journal_settled(j), 0);
	fd = listen_there(*state);
	sem_wait(&moved);
	assert_int_equal(journal_settled(j), 1);
	assert_int_equal(journal_written(j), 1);
	assert_string_equal(fake.sent[0], "one");
	assert_int_equal(journal_stop(j, LONG_NS), 0);
	journal_free(j);
	sem_destroy(&moved);
}

/* libsystemd says that all is well where there is no socket. */
static void a_success_without_a_socket_is_none(void **state)
{
	int fd = listen_there(*state);
	struct journal *j;

	fake_gate(true);
	j = start(*state, LOG_TARGET_JOURNAL);
	journal_submit(j, entry(ENTRY_CLASS_FIRST, "lost", 0));
	sem_wait(&fake.entered);
	unlink_at(*state, "socket"); /* after the look at it, and before the send */
	fake_gate(false);
	sem_post(&fake.go);
	while (fake_sent() < 1)
		usleep(1000);
	assert_int_equal(journal_written(j), 0);
	close(fd);
	fd = listen_there(*state);
	assert_int_equal(journal_stop(j, LONG_NS), 0);
	assert_int_equal(journal_written(j), 1);
	assert_int_equal(fake.n, 2);
	journal_free(j);
	close(fd);
	unlink_at(*state, "socket");

	/* Another's in its place counts as none too: there may have been a moment between. */
	fake_clear();
	fd = listen_there(*state);
	fake_gate(true);
	j = start(*state, LOG_TARGET_JOURNAL);
	journal_submit(j, entry(ENTRY_CLASS_FIRST, "lost", 0));
	sem_wait(&fake.entered);
	unlink_at(*state, "socket");
	int other = listen_there(*state);
	fake_gate(false);
	sem_post(&fake.go);
	assert_int_equal(journal_stop(j, LONG_NS), 0);
	assert_int_equal(journal_written(j), 1);
	assert_int_equal(fake.n, 2);
	journal_free(j);
	close(fd);
	close(other);
}

static void what_waits_at_the_end_is_counted_lost(void **state)
{
	struct journal *j = start(*state, LOG_TARGET_JOURNAL);

	for (unsigned i = 0; i < 200; i++)
		journal_submit(j, entry(ENTRY_CLASS_P2, "x", 0));
	assert_int_equal(journal_stop(j, 1000), 0);
	assert_int_equal(journal_written(j), 0);
	assert_int_equal(journal_lost(j), 200);
	assert_int_equal(journal_settled(j), 200);
	assert_int_equal(journal_submit(j, entry(ENTRY_CLASS_FIRST, "late", 0)), 201);
	assert_int_equal(journal_lost(j), 201);
	assert_int_equal(journal_settled(j), 201);
	assert_int_equal(fake.n, 0);
	journal_free(j);
}

static void nothing_is_sent_into_a_full_socket(void **state)
{
	_cleanup_close_ int fd = listen_there(*state);
	_cleanup_close_ int filler = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a = address(*state, "socket");
	struct journal *j = start(*state, LOG_TARGET_JOURNAL);
	char byte;

	while (sendto(filler, "x", 1, 0, (const struct sockaddr *)&a, sizeof a) == 1)
		continue;
	assert_int_equal(errno, EAGAIN);
	journal_submit(j, entry(ENTRY_CLASS_FIRST, "x", 0));
	assert_int_equal(journal_stop(j, 100 * NS_PER_MS), 0);
	assert_int_equal(journal_lost(j), 1);
	assert_int_equal(fake.n, 0);
	journal_free(j);

	j = start(*state, LOG_TARGET_JOURNAL);
	journal_submit(j, entry(ENTRY_CLASS_FIRST, "y", 0));
	while (recv(fd, &byte, 1, 0) >= 0)
		continue;
	assert_int_equal(journal_stop(j, LONG_NS), 0);
	assert_int_equal(journal_written(j), 1);
	journal_free(j);
}

static void the_least_go_first_and_it_is_told(void **state)
{
	_cleanup_close_ int fd = listen_there(*state);
	struct journal *j;
	const size_t mega = 1 << 20;
	unsigned first = 0, least = 0, told = 0;
	uint64_t lost;

	fake_gate(true);
	j = start(*state, LOG_TARGET_JOURNAL);
	journal_submit(j, entry(ENTRY_CLASS_P2, "blocks", 0));
	sem_wait(&fake.entered);
	for (unsigned i = 0; i < 10; i++)
		journal_submit(j, entry(ENTRY_CLASS_LEAST, i < 9 ? "least" : "last", mega));
	for (unsigned i = 0; i < 12; i++)
		journal_submit(j, entry(ENTRY_CLASS_FIRST, "first", mega));
	lost = journal_lost(j);
	assert_in_range(lost, 6, 8);
	fake_gate(false);
	sem_post(&fake.go);
	assert_int_equal(journal_stop(j, LONG_NS), 0);
	assert_int_equal(journal_lost(j), lost);
	assert_int_equal(journal_settled(j), 23 + 1); /* and what tells of them */
	for (unsigned i = 0; i < fake.n; i++) {
		first += strcmp(fake.sent[i], "first") == 0;
		least += strcmp(fake.sent[i], "least") == 0;
		told += strstr(fake.sent[i], "the log did not take entries") != NULL &&
			strstr(fake.sent[i], "of health and retry") != NULL;
	}
	assert_int_equal(first, 12);
	assert_int_equal(least, 9 - lost);
	assert_int_equal(told, 1);
	journal_free(j);
}

/* 2 MiB each: eight of them are just too many. */
static void the_classes_go_one_after_the_other_and_the_oldest_first(void **state)
{
	static const char *const names[ENTRY_CLASSES] = { NULL, "P2", "P3", "session", "least" };
	_cleanup_close_ int fd = listen_there(*state);
	char text[32];

	for (unsigned n_first = 0; n_first < 8; n_first++) {
		unsigned remain = 7 - n_first;
		struct journal *j;

		fake_gate(true);
		j = start(*state, LOG_TARGET_JOURNAL);
		journal_submit(j, entry(ENTRY_CLASS_FIRST, "blocks", 0));
		sem_wait(&fake.entered);
		for (unsigned class = ENTRY_CLASSES - 1; class > ENTRY_CLASS_FIRST; class --)
			for (unsigned i = 0; i < 2; i++) {
				snprintf(text, sizeof text, "%s %u", names[class], i);
				journal_submit(j, entry(class, text, 2 << 20));
			}
		for (unsigned i = 0; i < n_first; i++)
			journal_submit(j, entry(ENTRY_CLASS_FIRST, "first", 2 << 20));
		assert_int_equal(journal_lost(j), 8 - remain);
		fake_gate(false);
		sem_post(&fake.go);
		assert_int_equal(journal_stop(j, LONG_NS), 0);
		journal_free(j);
		/* Least first: what is left of the lesser ones is the end of that list. */
		assert_int_equal(fake.n, 1 + remain + n_first + 1);
		for (unsigned i = 0; i < remain; i++) {
			unsigned place = 8 - remain + i;

			snprintf(text, sizeof text, "%s %u", names[ENTRY_CLASSES - 1 - place / 2],
				 place % 2);
			assert_string_equal(fake.sent[1 + i], text);
		}
		for (unsigned i = 0; i < n_first; i++)
			assert_string_equal(fake.sent[1 + remain + i], "first");
		fake_clear();
	}
}

static void even_the_first_have_a_bound(void **state)
{
	_cleanup_close_ int fd = listen_there(*state);
	const size_t mega = 1 << 20;
	struct journal *j;

	fake_gate(true);
	j = start(*state, LOG_TARGET_JOURNAL);
	journal_submit(j, entry(ENTRY_CLASS_FIRST, "blocks", 0));
	sem_wait(&fake.entered);
	for (unsigned i = 0; i < 63; i++)
		journal_submit(j, entry(ENTRY_CLASS_FIRST, "first", mega));
	assert_int_equal(journal_lost(j), 0);
	for (unsigned i = 0; i < 10; i++)
		journal_submit(j, entry(ENTRY_CLASS_FIRST, "first", mega));
	assert_int_equal(journal_lost(j), 10);
	fake_gate(false);
	sem_post(&fake.go);
	assert_int_equal(journal_stop(j, LONG_NS), 0);
	assert_int_equal(journal_settled(j), 74 + 1);
	journal_free(j);
}

static void errors_that_pass_are_waited_out_and_others_are_losses(void **state)
{
	_cleanup_close_ int fd = listen_there(*state);
	struct journal *j;

	fake.answers[0] = -ENOBUFS;
	fake.answers[1] = 0;
	fake.answers[2] = -EMSGSIZE;
	fake.n_answers = 3;
	j = start(*state, LOG_TARGET_JOURNAL);
	for (unsigned i = 0; i < 3; i++)
		journal_submit(j, entry(ENTRY_CLASS_P2, i == 0 ? "a" : i == 1 ? "b" : "c", 0));
	assert_int_equal(journal_stop(j, LONG_NS), 0);
	assert_int_equal(journal_written(j), 2);
	assert_int_equal(journal_lost(j), 1);
	assert_int_equal(fake.n, 2);
	assert_string_equal(fake.sent[0], "a");
	assert_string_equal(fake.sent[1], "c");
	journal_free(j);
}

static void a_stop_gives_up_on_a_hanging_send_and_may_be_asked_again(void **state)
{
	_cleanup_close_ int fd = listen_there(*state);
	struct journal *j;

	fake_gate(true);
	j = start(*state, LOG_TARGET_JOURNAL);
	journal_submit(j, entry(ENTRY_CLASS_FIRST, "hangs", 0));
	journal_submit(j, entry(ENTRY_CLASS_FIRST, "waits", 0));
	sem_wait(&fake.entered);
	assert_int_equal(journal_stop(j, 0), -ETIMEDOUT);
	assert_int_equal(journal_settled(j), 0);
	sem_post(&fake.go);
	assert_int_equal(journal_stop(j, 0), 0);
	assert_int_equal(journal_written(j), 1);
	assert_int_equal(journal_lost(j), 1);
	journal_free(j);
}

static void syslog_takes_over_where_there_is_no_journald(void **state)
{
	_cleanup_close_ int fd = listen_at(*state, "log");
	struct journal *j = start(*state, LOG_TARGET_AUTO);
	char expected[64], got[64];
	int journald;

	assert_int_equal(journal_target(j), LOG_TARGET_SYSLOG);
	journald = listen_there(*state); /* too late: it stays with syslog */
	journal_submit(j, entry(ENTRY_CLASS_FIRST, "one", 0));
	assert_int_equal(journal_stop(j, LONG_NS), 0);
	assert_int_equal(journal_written(j), 1);
	assert_int_equal(fake.n, 0);
	journal_free(j);
	snprintf(expected, sizeof expected, "<30>tocsin[%ld]: one [tocsin]", (long)getpid());
	assert_int_equal(recv(fd, got, sizeof got, 0), strlen(expected));
	assert_memory_equal(got, expected, strlen(expected));

	j = start(*state, LOG_TARGET_AUTO);
	assert_int_equal(journal_target(j), LOG_TARGET_JOURNAL);
	assert_int_equal(journal_stop(j, 0), 0);
	journal_free(j);
	close(journald);
}

static void entries_wait_until_syslog_is_back(void **state)
{
	int fd = listen_at(*state, "log");
	struct journal *j = start(*state, LOG_TARGET_SYSLOG);
	char message[16];
	sem_t moved;

	sem_init(&moved, 0, 0);
	journal_on_progress(j, post, &moved);
	journal_submit(j, entry(ENTRY_CLASS_P2, "first", 0));
	sem_wait(&moved);
	close(fd);
	unlink_at(*state, "log");
	for (unsigned i = 0; i < 5; i++) {
		snprintf(message, sizeof message, "%u", i);
		journal_submit(j, entry(ENTRY_CLASS_P2, message, 0));
	}
	assert_int_equal(journal_settled(j), 1);
	fd = listen_at(*state, "log");
	assert_int_equal(journal_stop(j, LONG_NS), 0);
	assert_int_equal(journal_written(j), 6);
	for (unsigned i = 0; i < 5; i++) {
		char got[64] = "", *text;

		assert_true(recv(fd, got, sizeof got - 1, 0) > 0);
		text = strstr(got, "]: ");
		assert_non_null(text);
		assert_int_equal(strtoul(text + 3, NULL, 10), i);
	}
	journal_free(j);
	sem_destroy(&moved);
	close(fd);
}

static void a_syslog_that_does_not_read_holds_no_stop(void **state)
{
	_cleanup_close_ int fd = listen_at(*state, "log");
	struct journal *j = start(*state, LOG_TARGET_SYSLOG);

	for (unsigned i = 0; i < 5000; i++)
		journal_submit(j, entry(ENTRY_CLASS_P2, "x", 0));
	assert_int_equal(journal_stop(j, 1000), 0);
	assert_true(journal_lost(j) > 0);
	assert_int_equal(journal_written(j) + journal_lost(j), 5000);
	assert_int_equal(journal_settled(j), 5000);
	journal_free(j);
}

static void stderr_gets_a_line_an_entry(void **state)
{
	int saved = dup(STDERR_FILENO), ends[2];
	struct journal *j;
	char text[256];
	ssize_t n;

	assert_true(saved >= 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	dup2(ends[1], STDERR_FILENO);
	j = start(*state, LOG_TARGET_STDERR);
	journal_submit(j, entry(ENTRY_CLASS_P2, "one", 0));
	journal_submit(j, entry(ENTRY_CLASS_P2, "two", 0));
	int r = journal_stop(j, LONG_NS);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[1]);
	assert_int_equal(r, 0);
	n = read(ends[0], text, sizeof text - 1);
	assert_true(n > 0);
	text[n] = 0;
	assert_string_equal(text, "one [tocsin]\ntwo [tocsin]\n");
	assert_int_equal(journal_written(j), 2);
	assert_int_equal(fake.n, 0);
	journal_free(j);
	close(ends[0]);
}

static void a_stderr_that_nobody_reads_is_a_loss(void **state)
{
	int saved = dup(STDERR_FILENO), ends[2];
	struct journal *j;

	assert_true(saved >= 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[0]);
	j = start(*state, LOG_TARGET_STDERR);
	journal_submit(j, entry(ENTRY_CLASS_P2, "one", 0));
	int r = journal_stop(j, LONG_NS);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[1]);
	assert_int_equal(r, 0);
	assert_int_equal(journal_lost(j), 1);
	journal_free(j);
	journal_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(entries_go_out_in_the_order_they_came),
		TEST(auto_asks_whether_somebody_listens),
		TEST(want_of_descriptors_is_not_want_of_a_listener),
		TEST(a_path_too_long_for_a_socket_is_refused),
		TEST(entries_wait_until_somebody_listens),
		TEST(a_success_without_a_socket_is_none),
		TEST(what_waits_at_the_end_is_counted_lost),
		TEST(nothing_is_sent_into_a_full_socket),
		TEST(the_least_go_first_and_it_is_told),
		TEST(the_classes_go_one_after_the_other_and_the_oldest_first),
		TEST(even_the_first_have_a_bound),
		TEST(errors_that_pass_are_waited_out_and_others_are_losses),
		TEST(a_stop_gives_up_on_a_hanging_send_and_may_be_asked_again),
		TEST(syslog_takes_over_where_there_is_no_journald),
		TEST(entries_wait_until_syslog_is_back),
		TEST(a_syslog_that_does_not_read_holds_no_stop),
		TEST(stderr_gets_a_line_an_entry),
		TEST(a_stderr_that_nobody_reads_is_a_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

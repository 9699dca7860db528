/* SPDX-License-Identifier: MIT */
/*
 * The journal writer with journal_datagram_send replaced (-Wl,--wrap=journal_datagram_send) and a
 * datagram socket of the test's own in journald's place, and another in /dev/log's.
 */
#ifndef TOCSIN_TESTS_UNIT_JOURNAL_FIXTURE_H
#define TOCSIN_TESTS_UNIT_JOURNAL_FIXTURE_H

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "journal/journal.h"
#include "test.h"

#define LONG_NS (60 * NS_PER_S)
#define SENT_MAX 2048

static const struct entry_context context = { .engine = "engine", .runbooks_base_url = "" };

/* What the replaced journal_datagram_send saw and is to do. */
static struct {
	pthread_mutex_t mutex;
	char *sent[SENT_MAX]; /* MESSAGEs */
	unsigned n;
	int answers[4]; /* of the next calls; then 0 */
	unsigned n_answers;
	bool gated; /* each call posts `entered` and waits for `go` */
	sem_t entered, go;
} fake = { .mutex = PTHREAD_MUTEX_INITIALIZER };

int __wrap_journal_datagram_send(int fd, const struct iovec *fields, int n);

int __wrap_journal_datagram_send(int fd, const struct iovec *fields, int n)
{
	bool gated;
	int r = 0;

	(void)fd;
	pthread_mutex_lock(&fake.mutex);
	gated = fake.gated;
	pthread_mutex_unlock(&fake.mutex);
	if (gated) {
		sem_post(&fake.entered);
		sem_wait(&fake.go);
	}
	pthread_mutex_lock(&fake.mutex);
	if (fake.n_answers > 0) {
		r = fake.answers[0];
		memmove(fake.answers, fake.answers + 1, sizeof fake.answers - sizeof(int));
		fake.n_answers--;
	}
	for (int i = 0; i < n && r == 0; i++)
		if (fields[i].iov_len > 8 && memcmp(fields[i].iov_base, "MESSAGE=", 8) == 0 &&
		    fake.n < SENT_MAX)
			fake.sent[fake.n++] = strndup((const char *)fields[i].iov_base + 8,
						      fields[i].iov_len - 8);
	pthread_mutex_unlock(&fake.mutex);
	return r;
}

static void fake_clear(void)
{
	for (unsigned i = 0; i < fake.n; i++)
		free(fake.sent[i]);
	fake.n = fake.n_answers = 0;
	fake.gated = false;
}

__attribute__((unused)) static unsigned fake_sent(void)
{
	pthread_mutex_lock(&fake.mutex);
	unsigned n = fake.n;
	pthread_mutex_unlock(&fake.mutex);
	return n;
}

__attribute__((unused)) static void fake_gate(bool on)
{
	pthread_mutex_lock(&fake.mutex);
	fake.gated = on;
	pthread_mutex_unlock(&fake.mutex);
}

__attribute__((unused)) static int setup(void **state)
{
	sem_init(&fake.entered, 0, 0);
	sem_init(&fake.go, 0, 0);
	return test_folder_make(state);
}

__attribute__((unused)) static int teardown(void **state)
{
	fake_clear();
	sem_destroy(&fake.entered);
	sem_destroy(&fake.go);
	return test_folder_remove(state);
}

static struct sockaddr_un address(const struct test_folder *f, const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof a.sun_path, "%s/%s", f->path, name);
	return a;
}

__attribute__((unused)) static int listen_at(const struct test_folder *f, const char *name)
{
	struct sockaddr_un a = address(f, name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

/* In journald's place. */
__attribute__((unused)) static int listen_there(const struct test_folder *f)
{
	return listen_at(f, "socket");
}

__attribute__((unused)) static void unlink_at(const struct test_folder *f, const char *name)
{
	struct sockaddr_un a = address(f, name);

	assert_int_equal(unlink(a.sun_path), 0);
}

/* state: the folder for what is owed, or -1. */
__attribute__((unused)) static struct journal *start_over(const struct test_folder *f,
							  enum log_target target, int state)
{
	struct sockaddr_un journald = address(f, "socket"), syslog = address(f, "log");
	struct journal_options o = { .state = state,
				     .target = target,
				     .socket = journald.sun_path,
				     .syslog = syslog.sun_path,
				     .context = &context };
	struct journal *j = NULL;

	assert_int_equal(journal_new(&o, &j), 0);
	return j;
}

__attribute__((unused)) static struct journal *start(const struct test_folder *f,
						     enum log_target target)
{
	return start_over(f, target, -1);
}

__attribute__((unused)) static struct entry *entry(enum entry_class class, const char *message,
						   size_t more)
{
	struct entry *e = entry_new(class, 6);
	_cleanup_free_ char *bytes = calloc(1, more + 1);

	assert_non_null(e);
	assert_non_null(bytes);
	entry_add(e, "MESSAGE", str(message));
	if (more > 0)
		entry_add(e, "BYTES", (tocsin_str){ bytes, more });
	return e;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif

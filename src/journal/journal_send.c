/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "base/thread.h"
#include "journal/entry_line.h"
#include "journal/journal_parts.h"

#define PAUSE_NS (100 * NS_PER_MS) /* before a socket that failed is looked at again */
#define WAIT_MS 50                 /* for room in it, before the time is looked at */

enum log_target journal_choose_target(struct journal *j, enum log_target asked)
{
	if (asked != LOG_TARGET_AUTO)
		return asked;
	/* A process short of descriptors or memory cannot ask. The socket's file is there, so its
	 * owner is taken to listen: sends are tried again until they can be made. */
	int r = journal_socket_connect(&j->socket);
	if (r == 0 || journal_is_shortage(r))
		return LOG_TARGET_JOURNAL;
	r = syslog_socket_connect(&j->syslog);
	return r == 0 || r == -EBUSY || journal_is_shortage(r) ? LOG_TARGET_SYSLOG
							       : LOG_TARGET_STDERR;
}

static bool gave_up(const struct journal *j)
{
	uint64_t at = atomic_load_explicit(&j->give_up_at, memory_order_relaxed);

	return at != UINT64_MAX && clock_monotonic_ns() >= at;
}

/* Until a stop is asked for, PAUSE_NS at most. */
static void pause_a_while(struct journal *j)
{
	struct timespec until = cond_deadline(PAUSE_NS);

	pthread_mutex_lock(&j->mutex);
	pthread_cond_timedwait(&j->wake, &j->mutex, &until);
	pthread_mutex_unlock(&j->mutex);
}

/* Sends until it is sent, given up, or an error that stays. `line`: syslog's form of the entry. */
static int send_patiently(struct journal *j, const struct entry *e, const char *line, size_t len)
{
	for (;;) {
		int r;

		if (gave_up(j))
			return -ETIMEDOUT;
		r = j->target == LOG_TARGET_SYSLOG
			    ? syslog_socket_send(&j->syslog, line, len, WAIT_MS)
			    : journal_socket_send(&j->socket, e, WAIT_MS);
		if (r == -ENOTCONN)
			pause_a_while(j);
		else if (r != -EAGAIN)
			return r == -ETIMEDOUT ? -EIO : r;
	}
}

static int send_to_syslog(struct journal *j, const struct entry *e)
{
	size_t len = 0;
	_cleanup_free_ char *line = entry_to_syslog(e, (long)getpid(), &len);

	return line ? send_patiently(j, e, line, len) : -ENOMEM;
}

int journal_send(struct journal *j, const struct entry *e)
{
	int r;

	if (j->target == LOG_TARGET_STDERR)
		r = gave_up(j) ? -ETIMEDOUT : entry_write(e, STDERR_FILENO);
	else if (j->target == LOG_TARGET_SYSLOG)
		r = send_to_syslog(j, e);
	else
		r = send_patiently(j, e, NULL, 0);
	if (r != -ETIMEDOUT)
		atomic_fetch_add_explicit(r == 0 ? &j->written : &j->lost, 1, memory_order_relaxed);
	return r;
}

void journal_send_at_once(struct journal *j, const struct entry *e)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };
	size_t len = 0;
	_cleanup_free_ char *line = NULL;

	switch (j->target) {
	case LOG_TARGET_STDERR:
		/* A pipe that is full would hold the caller for as long as nobody reads it. */
		if (poll(&out, 1, 0) > 0)
			entry_write(e, STDERR_FILENO);
		break;
	case LOG_TARGET_SYSLOG:
		line = entry_to_syslog(e, (long)getpid(), &len);
		if (line)
			syslog_socket_send(&j->syslog, line, len, 0);
		break;
	default:
		journal_socket_send(&j->socket, e, 0);
		break;
	}
}

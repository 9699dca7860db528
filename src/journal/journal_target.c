/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "journal/journal_target.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/moment.h"
#include "journal/entry_line.h"
#include "journal/journal_datagram.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define PROBE_LIFE_NS (100 * NS_PER_MS)
#define WRITE_WAIT_MS 1000 /* for a stderr that does not block and is full */

int journal_socket_init(struct journal_socket *p, const char *path)
{
	const char *given = path ? path : JOURNAL_SOCKET;

	*p = (struct journal_socket){ .address.sun_family = AF_UNIX, .fd = -1 };
	if (strlen(given) >= sizeof p->address.sun_path)
		return -ENAMETOOLONG;
	memcpy(p->address.sun_path, given, strlen(given) + 1);
	return 0;
}

void journal_socket_done(struct journal_socket *p)
{
	if (descriptor_is(p->fd, p->identity))
		close(p->fd);
	p->fd = -1;
}

int journal_socket_connect(struct journal_socket *p)
{
	_cleanup_close_ int fd = -1;

	journal_socket_done(p);
	/* First: what is not there is told even by a process that is short of descriptors. */
	if (stat(p->address.sun_path, &p->file) < 0)
		return -errno;
	fd = descriptor_socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&p->address, sizeof p->address) < 0)
		return -errno;
	p->fd = fd;
	p->identity = descriptor_identify(fd);
	p->made_ns = clock_monotonic_ns();
	fd = -1;
	return 0;
}

int journal_socket_wait(struct journal_socket *p, int timeout_ms)
{
	struct pollfd poll_fd = { .events = POLLOUT };
	int n;

	if (!descriptor_is(p->fd, p->identity) ||
	    clock_monotonic_ns() - p->made_ns >= PROBE_LIFE_NS) {
		int r = journal_socket_connect(p);

		if (r < 0)
			return r;
	}
	poll_fd.fd = p->fd;
	n = poll(&poll_fd, 1, timeout_ms);
	if (n == 0 || (n < 0 && errno == EINTR))
		return -EAGAIN;
	if (n < 0)
		return -errno;
	if (poll_fd.revents & POLLOUT && !(poll_fd.revents & (POLLERR | POLLHUP | POLLNVAL)))
		return 0;
	journal_socket_done(p);
	return -ECONNREFUSED;
}

/* Is it still the one that was there when we connected? */
static bool socket_is_there(const struct journal_socket *p)
{
	struct stat now;

	return stat(p->address.sun_path, &now) == 0 && now.st_ino == p->file.st_ino &&
	       now.st_dev == p->file.st_dev && now.st_ctim.tv_sec == p->file.st_ctim.tv_sec &&
	       now.st_ctim.tv_nsec == p->file.st_ctim.tv_nsec;
}

bool journal_is_shortage(int error)
{
	static const int shortages[] = { EMFILE, ENFILE, ENOMEM, ENOBUFS, ETOOMANYREFS, EINTR };

	for (size_t i = 0; i < sizeof shortages / sizeof *shortages; i++)
		if (error == -shortages[i])
			return true;
	return false;
}

/* May the same entry go through a little later? */
static bool is_passing(int error)
{
	static const int passing[] = { EAGAIN, ENOENT, ECONNREFUSED, ENOTCONN, ECONNRESET };

	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
		if (error == -passing[i])
			return true;
	return journal_is_shortage(error);
}

int journal_socket_send(struct journal_socket *p, const struct entry *e, int timeout_ms)
{
	int r = journal_socket_wait(p, timeout_ms);

	if (r == -EAGAIN)
		return r;
	if (r < 0)
		return -ENOTCONN; /* whatever keeps us from journald, it may change */
	r = journal_datagram_send(p->fd, e->fields, (int)e->n_fields);
	if (r == 0 && !socket_is_there(p)) {
		journal_socket_done(p);
		return -ENOTCONN;
	}
	if (r == -EAGAIN)
		return r;
	if (is_passing(r))
		journal_socket_done(p);
	return is_passing(r) ? -ENOTCONN : r;
}

int entry_write(const struct entry *e, int fd)
{
	size_t len = 0, done = 0;
	_cleanup_free_ char *line = entry_to_line(e, &len);

	if (!line)
		return -ENOMEM;
	while (done < len) {
		ssize_t n = write(fd, line + done, len - done);

		if (n >= 0) {
			done += (size_t)n;
		} else if (errno == EAGAIN) {
			struct pollfd out = { .fd = fd, .events = POLLOUT };

			if (poll(&out, 1, WRITE_WAIT_MS) == 0)
				return -EAGAIN;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

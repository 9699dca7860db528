/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "journal/syslog_target.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"

#define SYSLOG_SOCKET "/dev/log"

int syslog_socket_init(struct syslog_socket *s, const char *path)
{
	const char *given = path ? path : SYSLOG_SOCKET;

	*s = (struct syslog_socket){ .address.sun_family = AF_UNIX, .fd = -1 };
	if (strlen(given) >= sizeof s->address.sun_path)
		return -ENAMETOOLONG;
	memcpy(s->address.sun_path, given, strlen(given) + 1);
	return 0;
}

void syslog_socket_done(struct syslog_socket *s)
{
	if (descriptor_is(s->fd, s->identity))
		close(s->fd);
	s->fd = -1;
	s->done = 0;
}

static int connect_as(struct syslog_socket *s, int type)
{
	_cleanup_close_ int fd = descriptor_socket(AF_UNIX, type | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	/* A stream's listener with a full backlog; nothing that one could poll for. */
	if (connect(fd, (const struct sockaddr *)&s->address, sizeof s->address) < 0)
		return errno == EAGAIN ? -EBUSY : -errno;
	s->fd = fd;
	s->identity = descriptor_identify(fd);
	s->is_stream = type == SOCK_STREAM;
	fd = -1;
	return 0;
}

int syslog_socket_connect(struct syslog_socket *s)
{
	struct stat there;
	int r;

	syslog_socket_done(s);
	/* First: what is not there is told even by a process that is short of descriptors. */
	if (stat(s->address.sun_path, &there) < 0)
		return -errno;
	r = connect_as(s, SOCK_DGRAM);
	return r == -EPROTOTYPE ? connect_as(s, SOCK_STREAM) : r;
}

/* -EAGAIN: no room, or a part only. */
static int send_now(struct syslog_socket *s, const char *message, size_t len)
{
	size_t whole = s->is_stream ? len + 1 : len;
	ssize_t n = send(s->fd, message + s->done, whole - s->done, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return -errno;
	s->done += (size_t)n;
	if (s->done < whole)
		return -EAGAIN;
	s->done = 0;
	return 0;
}

int syslog_socket_send(struct syslog_socket *s, const char *message, size_t len, int timeout_ms)
{
	int r;

	/* A part of an entry went over a connection that somebody has closed: it begins again. */
	if (!descriptor_is(s->fd, s->identity) && syslog_socket_connect(s) < 0)
		return -ENOTCONN;
	r = send_now(s, message, len);
	if (r == -EAGAIN) {
		struct pollfd out = { .fd = s->fd, .events = POLLOUT };

		if (poll(&out, 1, timeout_ms) > 0)
			r = send_now(s, message, len);
	}
	if (r == 0 || r == -EAGAIN || r == -EMSGSIZE)
		return r;
	if (r == -EINTR)
		return -EAGAIN;
	syslog_socket_done(s);
	return -ENOTCONN;
}

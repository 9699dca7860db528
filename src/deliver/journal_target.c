/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "deliver/journal_target.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define PROBE_LIFE_NS (100 * NS_PER_MS)
#define WRITE_WAIT_MS 1000 /* for a stderr that does not block and is full */

int journal_probe_init(struct journal_probe *p, const char *path)
{
	const char *given = path ? path : JOURNAL_SOCKET;

	*p = (struct journal_probe){ .address.sun_family = AF_UNIX, .fd = -1 };
	if (strlen(given) >= sizeof p->address.sun_path)
		return -ENAMETOOLONG;
	memcpy(p->address.sun_path, given, strlen(given) + 1);
	return 0;
}

void journal_probe_done(struct journal_probe *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

int journal_probe_connect(struct journal_probe *p)
{
	_cleanup_close_ int fd = -1;

	journal_probe_done(p);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&p->address, sizeof p->address) < 0)
		return -errno;
	p->fd = fd;
	p->made_ns = clock_monotonic_ns();
	fd = -1;
	return 0;
}

int journal_probe_wait(struct journal_probe *p, int timeout_ms)
{
	struct pollfd poll_fd = { .events = POLLOUT };
	int n;

	if (p->fd < 0 || clock_monotonic_ns() - p->made_ns >= PROBE_LIFE_NS) {
		int r = journal_probe_connect(p);

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
	journal_probe_done(p);
	return -ECONNREFUSED;
}

void journal_pin_library(void)
{
	Dl_info info;

	if (dladdr((void *)sd_journal_sendv, &info) != 0 && info.dli_fname)
		dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

/* The value of a field that is called `name`, else NULL. */
static const char *value_of(const struct iovec *field, const char *name, size_t *ret_len)
{
	size_t len = strlen(name);
	const char *bytes = field->iov_base;

	if (field->iov_len <= len || memcmp(bytes, name, len) != 0 || bytes[len] != '=')
		return NULL;
	*ret_len = field->iov_len - len - 1;
	return bytes + len + 1;
}

/* Fields that a line has no use for: journald's own, and those that only repeat. */
static bool is_for_the_journal(const struct iovec *field)
{
	static const char *const names[] = { "MESSAGE",         "MESSAGE_ID",
					     "PRIORITY",        "SYSLOG_IDENTIFIER",
					     "TOCSIN_METADATA", "TOCSIN_RAW_MESSAGE" };
	size_t len;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (value_of(field, names[i], &len))
			return true;
	return false;
}

/* name="value", the name in lower case and without TOCSIN_. */
static void add_field(struct text_buffer *b, const struct iovec *field)
{
	static const char prefix[] = "TOCSIN_";
	tocsin_str name = { field->iov_base, 0 };
	_cleanup_free_ char *value = NULL;

	while (name.len < field->iov_len && name.ptr[name.len] != '=')
		name.len++;
	value = text_to_line(
		(tocsin_str){ name.ptr + name.len + 1, field->iov_len - name.len - 1 });
	if (!value) {
		b->failed = true;
		return;
	}
	if (name.len > sizeof prefix - 1 && memcmp(name.ptr, prefix, sizeof prefix - 1) == 0) {
		name.ptr += sizeof prefix - 1;
		name.len -= sizeof prefix - 1;
	}
	text_buffer_add(b, STR(" "));
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		text_buffer_add(b, (tocsin_str){ &c, 1 });
	}
	text_buffer_add(b, STR("=\""));
	for (const char *p = value; *p; p++) {
		if (strchr("\"\\]", *p))
			text_buffer_add(b, STR("\\"));
		text_buffer_add(b, (tocsin_str){ p, 1 });
	}
	text_buffer_add(b, STR("\""));
}

char *entry_to_line(const struct entry *e, size_t *ret_len)
{
	struct text_buffer b = { 0 };

	for (size_t i = 0; i < e->n_fields; i++) {
		size_t len = 0;
		const char *message = value_of(&e->fields[i], "MESSAGE", &len);
		_cleanup_free_ char *line = NULL;

		if (!message)
			continue;
		line = text_to_line((tocsin_str){ message, len });
		text_buffer_add(&b, str(line));
		text_buffer_add(&b, STR(" "));
		break;
	}
	text_buffer_add(&b, STR("[tocsin"));
	for (size_t i = 0; i < e->n_fields; i++)
		if (!is_for_the_journal(&e->fields[i]))
			add_field(&b, &e->fields[i]);
	text_buffer_add(&b, STR("]\n"));
	if (b.failed) {
		text_buffer_done(&b);
		return NULL;
	}
	*ret_len = b.len;
	return b.ptr;
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

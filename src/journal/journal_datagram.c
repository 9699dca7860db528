/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "journal/journal_datagram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"

/* What a field becomes at most: name, newline, length, value, newline. */
#define PIECES 5

static const char newline[] = "\n";

struct message {
	struct iovec pieces[JOURNAL_DATAGRAM_FIELDS_MAX * PIECES];
	uint8_t lengths[JOURNAL_DATAGRAM_FIELDS_MAX][sizeof(uint64_t)];
	size_t n;
	size_t len;
};

static void piece_add(struct message *m, const void *bytes, size_t len)
{
	m->pieces[m->n++] = (struct iovec){ (void *)(uintptr_t)bytes, len };
	m->len += len;
}

static int field_add(struct message *m, const struct iovec *field, unsigned number)
{
	const char *name = field->iov_base;
	const char *sign = memchr(name, '=', field->iov_len);
	size_t left;

	if (!sign || sign == name)
		return -EINVAL;
	left = field->iov_len - (size_t)(sign + 1 - name);
	if (!memchr(sign + 1, '\n', left)) {
		piece_add(m, name, field->iov_len);
	} else {
		/* With a newline in it, a value is told by its length: 64 bits, little-endian. */
		for (unsigned i = 0; i < sizeof(uint64_t); i++)
			m->lengths[number][i] = (uint8_t)((uint64_t)left >> (8 * i));
		piece_add(m, name, (size_t)(sign - name));
		piece_add(m, newline, 1);
		piece_add(m, m->lengths[number], sizeof m->lengths[number]);
		piece_add(m, sign + 1, left);
	}
	piece_add(m, newline, 1);
	return 0;
}

static int send_message(int fd, struct msghdr *message)
{
	return sendmsg(fd, message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* What is too large for a datagram goes as a file, which nobody can change any more. */
static int send_as_file(int fd, const struct message *m)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct msghdr message = { .msg_control = &control, .msg_controllen = sizeof control };
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	_cleanup_close_ int file =
		descriptor_above(memfd_create("tocsin-entry", MFD_CLOEXEC | MFD_ALLOW_SEALING));

	if (file < 0)
		return -errno;
	ssize_t written = writev(file, m->pieces, (int)m->n);
	if (written < 0)
		return -errno;
	if ((size_t)written != m->len)
		return -EIO;
	if (fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof file);
	memcpy(CMSG_DATA(c), &file, sizeof file);
	return send_message(fd, &message);
}

int journal_datagram_send(int fd, const struct iovec *fields, int n)
{
	struct message m = { .n = 0 };
	struct msghdr message = { .msg_iov = m.pieces };

	if (n <= 0)
		return -EINVAL;
	if (n > JOURNAL_DATAGRAM_FIELDS_MAX)
		return -E2BIG;
	for (int i = 0; i < n; i++) {
		int r = field_add(&m, &fields[i], (unsigned)i);

		if (r < 0)
			return r;
	}
	message.msg_iovlen = m.n;
	int r = send_message(fd, &message);
	return r == -EMSGSIZE || r == -ENOBUFS ? send_as_file(fd, &m) : r;
}

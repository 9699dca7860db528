/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/line_reader.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK (256u * 1024)

int line_reader_init(struct line_reader *r, int fd, int interrupt, size_t max)
{
	/* One byte more, for the NUL after a last line without a line end. */
	char *buf = malloc(max + BLOCK + 1);

	if (!buf)
		return -ENOMEM;
	*r = (struct line_reader){
		.fd = fd, .interrupt = interrupt, .max = max, .buf = buf, .size = max + BLOCK
	};
	return 0;
}

void line_reader_done(struct line_reader *r)
{
	free(r->buf);
	r->buf = NULL;
}

static int wait_for_input(const struct line_reader *r)
{
	struct pollfd fds[] = { { .fd = r->interrupt, .events = POLLIN },
				{ .fd = r->fd, .events = POLLIN } };

	if (poll(fds, 2, -1) < 0)
		return -errno;
	return fds[0].revents ? -EINTR : 0;
}

/* Moves what is left to the front and reads behind it. There is always room for a block. */
static int fill(struct line_reader *r)
{
	ssize_t n;
	int e;

	memmove(r->buf, r->buf + r->begin, r->end - r->begin);
	r->end -= r->begin;
	r->begin = 0;
	e = wait_for_input(r);
	if (e < 0)
		return e;
	n = read(r->fd, r->buf + r->end, r->size - r->end);
	if (n < 0)
		return -errno;
	r->end += (size_t)n;
	r->eof = n == 0;
	return 0;
}

int line_reader_next(struct line_reader *r, char **ret_line, size_t *ret_len)
{
	size_t searched = 0;

	for (;;) {
		char *begin = r->buf + r->begin;
		size_t left = r->end - r->begin;
		char *newline = memchr(begin + searched, '\n', left - searched);
		size_t len = newline ? (size_t)(newline - begin) : left;
		int e;

		if (len > r->max || ((newline || r->eof) && left > 0)) {
			r->line++;
			if (len > r->max)
				return -EFBIG;
			r->begin += newline ? len + 1 : len;
			if (!newline)
				begin[len] = '\0';
			*ret_line = begin;
			*ret_len = len;
			return 1;
		}
		if (r->eof)
			return 0;
		searched = left;
		e = fill(r);
		if (e < 0)
			return e;
	}
}

/* SPDX-License-Identifier: MIT */
/* Lines of a file or a pipe, read in large blocks. A wait for input can be interrupted. */
#ifndef TOCSIN_TOOL_LINE_READER_H
#define TOCSIN_TOOL_LINE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line_reader {
	int fd;
	int interrupt; /* a descriptor that becomes readable when reading shall end; or -1 */
	size_t max;    /* bytes of a line at most */
	char *buf;
	size_t size, begin, end;
	bool eof;
	uint64_t line; /* number of the line returned last, from 1 */
};

/* fd stays the caller's. -ENOMEM. */
int line_reader_init(struct line_reader *r, int fd, int interrupt, size_t max);
void line_reader_done(struct line_reader *r);

/*
 * 1: a line of *ret_len bytes without its line end; it may be changed, ret_line[*ret_len] is a line
 * end or a NUL, and it lives until the next call. 0: the end. -EINTR: interrupted. -EFBIG: the line
 * is longer than the maximum. Else the error of reading.
 */
int line_reader_next(struct line_reader *r, char **ret_line, size_t *ret_len);

#endif

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/clean_output.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/text.h"

#define ESCAPE '\033'
#define HELD_MAX 8 /* bytes of a character or a colour that the next write completes */

struct cleaner {
	int fd;
	size_t n_held;
	char held[HELD_MAX];
};

/* What tool_colours allows the verbs to print. */
static const char *const colours[] = { "\033[0m", "\033[31m", "\033[32m", "\033[33m" };

/* Bytes of the colour that the text begins with; 0: of none; -1: it may become one. */
static int colour_at(const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++) {
		size_t n = strlen(colours[i]);

		if (memcmp(text, colours[i], len < n ? len : n) == 0)
			return len < n ? -1 : (int)n;
	}
	return 0;
}

/* Bytes at the end that are the beginning of a character. */
static size_t cut_character(const char *text, size_t len)
{
	for (size_t n = 1; n <= 3 && n <= len; n++) {
		unsigned char c = (unsigned char)text[len - n];
		size_t whole = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

		if (c >= 0x80 && c < 0xc0)
			continue;
		return whole > n ? n : 0;
	}
	return 0;
}

static void add_clean(struct text_buffer *b, const char *text, size_t len)
{
	_cleanup_free_ char *line = text_to_line((tocsin_str){ text, len });

	if (line)
		text_buffer_add(b, str(line));
	else
		b->failed = true;
}

static bool passes(char c)
{
	return c == '\n' || c == '\t';
}

/* Cleans the text but for *ret_held bytes at its end. */
static void clean(struct text_buffer *b, const char *text, size_t len, size_t *ret_held)
{
	size_t begin = 0, i = 0;

	*ret_held = 0;
	while (i < len) {
		int colour = text[i] == ESCAPE ? colour_at(text + i, len - i) : 0;

		if (!passes(text[i]) && colour == 0) {
			i++;
			continue;
		}
		add_clean(b, text + begin, i - begin);
		begin = i;
		if (colour < 0) {
			*ret_held = len - i;
			return;
		}
		i += colour > 0 ? (size_t)colour : 1;
		text_buffer_add(b, (tocsin_str){ text + begin, i - begin });
		begin = i;
	}
	*ret_held = cut_character(text + begin, len - begin);
	add_clean(b, text + begin, len - begin - *ret_held);
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* 0 is a failure, by fopencookie's rules. */
static ssize_t cleaner_write(void *cookie, const char *bytes, size_t len)
{
	_cleanup_(text_buffer_done) struct text_buffer all = { 0 }, b = { 0 };
	struct cleaner *c = cookie;
	size_t held;

	text_buffer_add(&all, (tocsin_str){ c->held, c->n_held });
	text_buffer_add(&all, (tocsin_str){ bytes, len });
	if (all.failed)
		return 0;
	clean(&b, all.ptr, all.len, &held);
	if (b.failed || held > HELD_MAX)
		return 0;
	memcpy(c->held, all.ptr + all.len - held, held);
	c->n_held = held;
	return b.len == 0 || write_all(c->fd, b.ptr, b.len) == 0 ? (ssize_t)len : 0;
}

static FILE *cleaner_open(struct cleaner *c, int fd)
{
	const cookie_io_functions_t io = { .write = cleaner_write };

	c->fd = fd;
	return fopencookie(c, "w", io);
}

void clean_output_begin(void)
{
	/* They are in use until the process has ended. */
	static struct cleaner cleaners[2];
	FILE *out = cleaner_open(&cleaners[0], STDOUT_FILENO);
	FILE *err = cleaner_open(&cleaners[1], STDERR_FILENO);

	if (out) {
		setvbuf(out, NULL, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, BUFSIZ);
		stdout = out;
	}
	if (err) {
		setvbuf(err, NULL, _IONBF, 0);
		stderr = err;
	}
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "settings/settings_table.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"

#define FILE_MAX ((off_t)1024 * 1024)
#define SECTION_SIZE (sizeof SETTINGS_SOURCE_PREFIX + TOCSIN_ID_MAX)
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* A line may have so many bytes: a URL of a hosted service has hundreds. */
#define LINE_MAX_BYTES 8192u

struct parse {
	const struct ini_reader *reader;
	unsigned line;
	char section[SECTION_SIZE]; /* the one it is in */
	bool skips;                 /* that section is wrong, which has been told */
	int error;
};

/* What is wrong in this line; the next ones are read all the same. */
static void line_refuse(struct parse *p, int error, struct text_buffer *why)
{
	if (p->error == 0)
		p->error = error;
	p->reader->bad(p->reader->userdata, p->line, why->ptr ? why->ptr : strerror(-error));
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static tocsin_str trim(tocsin_str s)
{
	/* All of the text was read: the analyzer does not follow it. */
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
	while (s.len > 0 && is_blank(*s.ptr)) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* Without what stands behind a blank and a semicolon. */
static tocsin_str uncomment(tocsin_str s)
{
	for (size_t i = 1; i < s.len; i++)
		if (s.ptr[i] == ';' && is_blank(s.ptr[i - 1]))
			return (tocsin_str){ s.ptr, i - 1 };
	return s;
}

/* [section]; what stands behind the bracket says nothing. */
static int section_read(struct parse *p, tocsin_str line, struct text_buffer *why)
{
	const char *end = memchr(line.ptr, ']', line.len);
	size_t len = end ? (size_t)(end - line.ptr) - 1 : 0;

	p->skips = true;
	if (!end) {
		text_buffer_add(why, STR("expected [section] or key = value"));
		return -EINVAL;
	}
	if (len >= sizeof p->section) {
		text_buffer_add(why, STR("the section's name is too long"));
		return -EINVAL;
	}
	memcpy(p->section, line.ptr + 1, len);
	p->section[len] = 0;
	int r = p->reader->section(p->reader->userdata, p->section, why);
	p->skips = r < 0;
	return r;
}

static int pair_read(struct parse *p, tocsin_str line, struct text_buffer *why)
{
	size_t at = 0;

	while (at < line.len && line.ptr[at] != '=' && line.ptr[at] != ':')
		at++;
	if (at == line.len) {
		text_buffer_add(why, STR("expected [section] or key = value"));
		return -EINVAL;
	}
	if (p->skips)
		return 0;
	_cleanup_free_ char *key = str_dup(trim((tocsin_str){ line.ptr, at }));
	_cleanup_free_ char *value =
		str_dup(trim((tocsin_str){ line.ptr + at + 1, line.len - at - 1 }));
	if (!key || !value)
		return -ENOMEM;
	return p->reader->set(p->reader->userdata, p->section, key, value, p->line, why);
}

static int line_read(struct parse *p, tocsin_str line, struct text_buffer *why)
{
	if (line.len > LINE_MAX_BYTES) {
		text_buffer_printf(why, "the line is longer than %u bytes", LINE_MAX_BYTES);
		return -EINVAL;
	}
	if (memchr(line.ptr, 0, line.len)) {
		text_buffer_add(why, STR("there is a NUL byte in the line"));
		return -EINVAL;
	}
	line = trim(line);
	if (line.len == 0 || *line.ptr == '#' || *line.ptr == ';')
		return 0;
	return *line.ptr == '[' ? section_read(p, line, why) : pair_read(p, uncomment(line), why);
}

/* -EINVAL: a line is wrong, or several; -ENOMEM. */
static int text_read(struct parse *p, tocsin_str text)
{
	while (text.len > 0 && p->error != -ENOMEM) {
		_cleanup_(text_buffer_done) struct text_buffer why = { 0 };
		const char *end = memchr(text.ptr, '\n', text.len);
		size_t len = end ? (size_t)(end - text.ptr) : text.len;

		p->line++;
		int r = line_read(p, (tocsin_str){ text.ptr, len }, &why);
		if (r == -ENOMEM)
			p->error = r;
		else if (r < 0)
			line_refuse(p, r, &why);
		len += end ? 1 : 0;
		text.ptr += len;
		text.len -= len;
	}
	return p->error;
}

static int read_whole(int fd, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t len = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (st.st_size > FILE_MAX)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, text + len, (size_t)st.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	text[len] = 0;
	*ret = TAKE(text);
	*ret_len = len;
	return 0;
}

int settings_read_file(const char *path, const struct ini_reader *reader)
{
	struct parse p = { .reader = reader };
	_cleanup_(text_buffer_done) struct text_buffer why = { 0 };
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	size_t len = 0, mark = sizeof BYTE_ORDER_MARK - 1;
	int r;

	/* O_NONBLOCK: a pipe must not hang the engine's start. */
	fd = descriptor_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	r = fd < 0 ? -errno : read_whole(fd, &text, &len);
	if (r < 0) {
		text_buffer_printf(&why, "cannot be read: %s",
				   r == -EINVAL ? "it is no regular file" : strerror(-r));
		line_refuse(&p, r, &why);
		return r;
	}
	if (strncmp(text, BYTE_ORDER_MARK, mark) != 0)
		mark = 0;
	return text_read(&p, (tocsin_str){ text + mark, len - mark });
}

static int is_settings_file(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return e->d_name[0] != '.' && len > 5 && strcmp(e->d_name + len - 5, ".conf") == 0;
}

/* By bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int settings_list_folder(const char *folder, char ***ret, size_t *ret_n)
{
	struct dirent **found = NULL;
	int n = scandir(folder, &found, is_settings_file, by_name);
	int r = 0;

	if (n < 0 && errno != ENOENT)
		return -errno;
	n = n < 0 ? 0 : n;
	char **files = calloc((size_t)n + 1, sizeof *files);
	if (!files)
		r = -ENOMEM;
	for (int i = 0; i < n; i++) {
		struct text_buffer path = { 0 };

		text_buffer_printf(&path, "%s/%s", folder, found[i]->d_name);
		free(found[i]);
		if (path.failed)
			r = -ENOMEM;
		if (files)
			files[i] = path.ptr;
		else
			text_buffer_done(&path);
	}
	free(found);
	if (r < 0) {
		for (int i = 0; files && i < n; i++)
			free(files[i]);
		free(files);
		return r;
	}
	*ret = files;
	*ret_n = (size_t)n;
	return 0;
}

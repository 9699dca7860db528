/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "settings_table.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"

#define FILE_MAX ((off_t)1024 * 1024)
#define SECTION_SIZE (sizeof SETTINGS_SOURCE_PREFIX + TOCSIN_ID_MAX)
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* What the reader that inih calls and the handler share. */
struct parse {
	const struct ini_reader *reader;
	char *rest, *end;           /* of the file's text */
	unsigned line;              /* the one handed out last */
	char section[SECTION_SIZE]; /* it is in: inih keeps the first 49 bytes alone */
	int error;
	struct text_buffer *why;
};

static int fail(struct parse *p, const char *reason)
{
	text_buffer_add(p->why, str(reason));
	return p->error = -EINVAL;
}

/* A [section] that says nothing more is looked at too. */
static int check_section(struct parse *p, const char *line)
{
	const char *end = strchr(line, ']');

	if (*line != '[' || !end)
		return 0; /* what inih complains of, it does by itself */
	if ((size_t)(end - line) > sizeof p->section)
		return fail(p, "the section's name is too long");
	snprintf(p->section, sizeof p->section, "%.*s", (int)(end - line - 1), line + 1);
	return p->error = p->reader->section(p->reader->userdata, p->section, p->why);
}

/*
 * inih's fgets. Blanks before a line go, because inih would take it for the last one's
 * continuation; a line that does not fit is refused, because inih would take it for two.
 */
static char *next_line(char *buf, int size, void *userdata)
{
	struct parse *p = userdata;
	char *line = p->rest, *end;
	size_t len;

	if (p->error < 0 || line == p->end)
		return NULL;
	p->line++;
	end = memchr(line, '\n', (size_t)(p->end - line));
	p->rest = end ? end + 1 : p->end;
	len = (size_t)((end ? end : p->end) - line);
	if (memchr(line, 0, len)) {
		fail(p, "there is a NUL byte in the line");
		return NULL;
	}
	while (len > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	if (len + 2 > (size_t)size) {
		text_buffer_printf(p->why, "the line is longer than %d bytes", size - 2);
		p->error = -EINVAL;
		return NULL;
	}
	memcpy(buf, line, len);
	buf[len] = 0;
	if (check_section(p, buf) < 0)
		return NULL;
	buf[len] = '\n';
	buf[len + 1] = 0;
	return buf;
}

static int take(void *userdata, const char *section, const char *name, const char *value)
{
	struct parse *p = userdata;

	(void)section;
	if (p->error == 0)
		p->error = p->reader->set(p->reader->userdata, p->section, name, value, p->line,
					  p->why);
	return p->error == 0;
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

int settings_read_file(const char *path, const struct ini_reader *reader, unsigned *ret_line,
		       struct text_buffer *why)
{
	struct parse p = { .reader = reader, .why = why };
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r;

	*ret_line = 0;
	/* O_NONBLOCK: a pipe must not hang the engine's start. */
	fd = descriptor_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	r = fd < 0 ? -errno : read_whole(fd, &text, &len);
	if (r < 0) {
		text_buffer_printf(why, "cannot be read: %s",
				   r == -EINVAL ? "it is no regular file" : strerror(-r));
		return r;
	}
	p.rest = text;
	p.end = text + len;
	if (strncmp(text, BYTE_ORDER_MARK, sizeof BYTE_ORDER_MARK - 1) == 0)
		p.rest += sizeof BYTE_ORDER_MARK - 1;
	r = ini_parse_stream(next_line, &p, take, &p);
	if (r > 0 && (p.error == 0 || (unsigned)r < p.line)) {
		/* inih's own complaint, which does not stop it, came first. */
		text_buffer_done(why);
		text_buffer_add(why, STR("expected [section] or key = value"));
		*ret_line = (unsigned)r;
		return -EINVAL;
	}
	if (p.error < 0)
		*ret_line = p.line;
	return r < 0 ? -ENOMEM : p.error;
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

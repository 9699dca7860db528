/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/runbook_check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"
#include "codes/runbook_file.h"
#include "codes/runbook_text.h"
#include "codes/runbooks.h"

#define FINDING_MAX 256 /* bytes */
#define SHOWN_MAX 60    /* bytes of a text that are shown */

static const char *const sections[] = {
	"Meaning",    "Impact", "First minutes", "Diagnosis",
	"Mitigation", "Do not", "Resolved when", "Escalation",
};
#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

struct checker {
	const char *dir;
	int fd;
	const struct settings *settings;
	runbook_finding *found;
	void *userdata;
	const char *path; /* of the file at hand */
	unsigned line;
};

_printf_(4, 5) static void tell(struct checker *c, bool error, unsigned line, const char *format,
				...)
{
	char what[FINDING_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	c->found(c->userdata, error, c->path, line, what);
}

/* --- Sections --- */

/* Where the reading of a page is: which sections came, and whether one has text yet. */
struct page {
	unsigned lines[SECTIONS]; /* 0: not yet */
	size_t last;              /* of those that came; SECTIONS: none */
	bool inside, has_text, fence;
};

static void section_end(struct checker *c, const struct page *p)
{
	if (p->inside && !p->has_text)
		tell(c, true, p->lines[p->last], "the section \"## %s\" has no text",
		     sections[p->last]);
}

static void section_begin(struct checker *c, struct page *p, tocsin_str title)
{
	size_t i = 0;

	section_end(c, p);
	while (i < SECTIONS && !str_is(title, sections[i]))
		i++;
	p->inside = i < SECTIONS && p->lines[i] == 0;
	p->has_text = false;
	if (i == SECTIONS)
		return;
	if (p->lines[i] > 0) {
		tell(c, true, c->line, "the section \"## %s\" is there already, at line %u",
		     sections[i], p->lines[i]);
		return;
	}
	if (p->last < SECTIONS && i < p->last)
		tell(c, true, c->line, "the section \"## %s\" must come before \"## %s\"",
		     sections[i], sections[p->last]);
	p->lines[i] = c->line;
	p->last = i;
}

static void sections_end(struct checker *c, const struct page *p)
{
	section_end(c, p);
	if (p->fence)
		tell(c, true, c->line, "a block of ``` has no end");
	for (size_t i = 0; i < SECTIONS; i++)
		if (p->lines[i] == 0)
			tell(c, true, c->line, "there is no section \"## %s\"", sections[i]);
}

/* --- Links --- */

static bool has_scheme(tocsin_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == ':')
			return i > 0;
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (i > 0 && ((c >= '0' && c <= '9') || strchr("+-.", c)))))
			return false;
	}
	return false;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The file's name without escapes, title and fragment; false when it is none that can be. */
static bool link_path(tocsin_str target, char path[static PATH_MAX])
{
	size_t len = 0;

	for (size_t i = 0; i < target.len && !memchr("#? \t", target.ptr[i], 4); i++) {
		char c = target.ptr[i];

		if (c == '%' && i + 2 < target.len && hex_digit(target.ptr[i + 1]) >= 0 &&
		    hex_digit(target.ptr[i + 2]) >= 0) {
			c = (char)(hex_digit(target.ptr[i + 1]) << 4 |
				   hex_digit(target.ptr[i + 2]));
			i += 2;
		}
		if (c == 0 || len == PATH_MAX - 1)
			return false;
		path[len++] = c;
	}
	path[len] = 0;
	return len > 0;
}

static void check_link(struct checker *c, tocsin_str target)
{
	_cleanup_free_ char *shown = NULL;
	char path[PATH_MAX];

	if (target.len >= 2 && target.ptr[0] == '<') {
		target.ptr++;
		target.len -= 2;
	}
	if (target.len == 0 || target.ptr[0] == '#' || target.ptr[0] == '/' || has_scheme(target))
		return;
	if (link_path(target, path) && faccessat(c->fd, path, F_OK, 0) == 0)
		return;
	shown = text_to_line(text_cut(target, SHOWN_MAX));
	tell(c, true, c->line, "the link to %s points to nothing", shown ? shown : "");
}

/* "[text](target)" anywhere but in `code`, and "[name]: target" at the beginning. */
static void check_links(struct checker *c, tocsin_str line)
{
	const char *end = line.ptr + line.len, *p, *close;
	bool code = false;

	if (line.len > 0 && line.ptr[0] == '[' && (p = memmem(line.ptr, line.len, "]: ", 3)))
		check_link(c, (tocsin_str){ p + 3, (size_t)(end - p - 3) });
	for (p = line.ptr; p < end; p++) {
		if (*p == '`')
			code = !code;
		if (code || *p != ']' || end - p < 2 || p[1] != '(')
			continue;
		close = memchr(p + 2, ')', (size_t)(end - p - 2));
		if (!close)
			return;
		check_link(c, (tocsin_str){ p + 2, (size_t)(close - p - 2) });
		p = close;
	}
}

/* --- Roles --- */

static bool next_word(const char **list, tocsin_str *ret)
{
	*list += strspn(*list, " ");
	*ret = (tocsin_str){ *list, strcspn(*list, " ") };
	*list += ret->len;
	return ret->len > 0;
}

static void gap_count(struct role_gap *gaps, unsigned *n, tocsin_str role, const char *code)
{
	unsigned i = 0;

	while (i < *n && !str_equal(gaps[i].role, role))
		i++;
	if (i == ROLE_GAPS_MAX)
		return;
	if (i == *n)
		gaps[(*n)++] = (struct role_gap){ .role = role, .first = code };
	gaps[i].n++;
}

unsigned runbook_check_contacts(const struct runbooks *set, const struct settings *settings,
				struct role_gap ret[static ROLE_GAPS_MAX])
{
	const struct runbook *all;
	unsigned n_all = runbooks_list(set, &all), n = 0;

	for (unsigned i = 0; i < n_all; i++) {
		const char *rest = all[i].roles;
		tocsin_str role;

		while (next_word(&rest, &role))
			if (!contacts_who(&settings->contacts, role))
				gap_count(ret, &n, role, all[i].code);
	}
	return n;
}

/* The line on which the text first names the role, or that of the head. */
static unsigned role_line(const struct runbook_file *f, tocsin_str role)
{
	tocsin_str rest = f->body, line, before, found;

	for (unsigned n = f->body_line; runbook_next_line(&rest, &line); n++)
		while (runbook_next_role(&line, &before, &found))
			if (str_equal(found, role))
				return n;
	return 1;
}

static void check_roles(struct checker *c, const struct runbook_file *f)
{
	const char *rest = f->runbook.roles;
	tocsin_str role;

	while (next_word(&rest, &role))
		if (!contacts_who(&c->settings->contacts, role))
			tell(c, false, role_line(f, role), "%.*s: not set, see [contacts]",
			     (int)role.len, role.ptr);
}

/* --- One file, and all --- */

static void check_page(struct checker *c, const struct runbook_file *f)
{
	struct page p = { .last = SECTIONS };
	tocsin_str rest = f->body, line;

	c->line = f->body_line - 1;
	while (runbook_next_line(&rest, &line)) {
		size_t blanks = 0;

		c->line++;
		while (blanks < line.len && memchr(" \t", line.ptr[blanks], 2))
			blanks++;
		if (line.len - blanks >= 3 && memcmp(line.ptr + blanks, "```", 3) == 0)
			p.fence = !p.fence;
		else if (!p.fence && line.len > 3 && memcmp(line.ptr, "## ", 3) == 0)
			section_begin(c, &p, (tocsin_str){ line.ptr + 3, line.len - 3 });
		else if (blanks < line.len)
			p.has_text = true;
		if (!p.fence)
			check_links(c, line);
		if (!text_is_utf8(line))
			tell(c, true, c->line, "the line is not UTF-8");
	}
	sections_end(c, &p);
}

/* That what is wrong with a head was told when the folder was loaded. */
static void told_already(void *userdata, unsigned line, const char *what)
{
	(void)userdata;
	(void)line;
	(void)what;
}

static void check_file(struct checker *c, const char *name)
{
	_cleanup_free_ char *text = NULL;
	struct text_buffer path = { 0 };
	struct runbook_file f;
	size_t len;

	text_buffer_printf(&path, "%s/%s", c->dir, name);
	c->path = path.ptr;
	if (!path.failed && file_read_followed(c->fd, name, RUNBOOK_FILE_MAX, &text, &len) == 0 &&
	    runbook_file_parse(name, (tocsin_str){ text, len }, told_already, NULL, &f) == 0) {
		check_page(c, &f);
		check_roles(c, &f);
		runbook_file_done(&f);
	}
	text_buffer_done(&path);
}

static int is_read(const struct dirent *e)
{
	return runbooks_reads(e->d_name);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void bad(void *userdata, const char *file, unsigned line, const char *what)
{
	struct checker *c = userdata;

	c->found(c->userdata, true, file, line, what);
}

int runbook_check_folder(const char *dir, const struct settings *settings, runbook_finding *found,
			 void *userdata, unsigned *ret_n)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct checker c = { dir, fd, settings, found, userdata, NULL, 0 };
	struct runbooks *set;
	struct dirent **names = NULL;
	int n, r = runbooks_load(dir, bad, &c, &set);

	if (r < 0)
		return r;
	runbooks_free(set);
	*ret_n = 0;
	n = fd < 0 ? 0 : scandirat(fd, ".", &names, is_read, by_name);
	for (int i = 0; i < n; i++) {
		if (i < RUNBOOKS_MAX)
			check_file(&c, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	*ret_n = n > 0 ? (unsigned)n : 0;
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "spool/outbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/files.h"
#include "base/text.h"
#include "spool/outbox_parts.h"

#define ASIDE_TRIES 100

DEFINE_CLEANUP(DIR *, closedir, cleanup_closedir)
DEFINE_CLEANUP(struct page *, page_unref, cleanup_page)

struct waiting {
	struct page *page;
	char *endpoint;
	uint64_t since_ns; /* when it was made, or the page before it if the clock was set back */
};

/* Pages found, room for as many as there are names. */
struct waiting_list {
	struct waiting *items;
	size_t n;
	size_t bytes; /* of their files */
};

/* The least names behind the cursor; when they were sorted last, `max` of them stayed. */
struct name_list {
	char **names; /* heap; room for twice as many as may stay */
	size_t n, max;
	uint64_t passed; /* those that did not stay */
};

/* One scan; `mend`: what is left over is removed and what is damaged is set aside. */
struct scan {
	int folder;
	bool mend;
	struct outbox_cursor *cursor;
	struct name_list names;
	struct waiting_list list;
	void (*bad)(void *userdata, const char *name, int error);
	void *userdata;
};

static void names_cut(struct name_list *l, size_t n)
{
	while (l->n > n) {
		free(l->names[--l->n]);
		l->passed++;
	}
}

static void cleanup_scan(struct scan *s)
{
	struct waiting_list *l = &s->list;

	for (size_t i = 0; i < l->n; i++) {
		page_unref(l->items[i].page);
		free(l->items[i].endpoint);
	}
	free(l->items);
	names_cut(&s->names, 0);
	free(s->names.names);
	if (s->folder >= 0)
		close(s->folder);
}

int outbox_read(int folder, const char *name, struct page **ret, char **ret_endpoint,
		size_t *ret_bytes)
{
	_cleanup_(cleanup_page) struct page *page = NULL;
	_cleanup_free_ char *bytes = NULL;
	_cleanup_free_ char *endpoint = NULL;
	char own_name[NAME_MAX + 1];
	size_t len;
	int r = file_read(folder, name, OUTBOX_FILE_MAX, &bytes, &len);

	if (r < 0)
		return r == -EFBIG ? -EBADMSG : r;
	r = page_from_file(bytes, len, &page, &endpoint);
	if (r < 0)
		return r;
	/* Under another name it could never be removed. */
	r = outbox_name(page->id, endpoint, own_name);
	if (r < 0 || strcmp(name, own_name) != 0)
		return -EBADMSG;
	*ret = TAKE(page);
	*ret_endpoint = TAKE(endpoint);
	*ret_bytes = len;
	return 0;
}

/* --- Their order --- */

static int compare_steps(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;
	int order = strcmp(x->page->alert_id, y->page->alert_id);
	uint64_t x_step = page_step(x->page), y_step = page_step(y->page);

	return order != 0 ? order : (x_step > y_step) - (x_step < y_step);
}

static int compare_ages(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;
	int order = (x->since_ns > y->since_ns) - (x->since_ns < y->since_ns);

	return order != 0 ? order : compare_steps(a, b);
}

/*
 * By age alone a resolution would go before its raising when the clock was set back between them.
 * So within an incident nobody counts as older than the page before.
 */
static void list_sort(struct waiting_list *l)
{
	if (l->n == 0)
		return;
	qsort(l->items, l->n, sizeof *l->items, compare_steps);
	for (size_t i = 1; i < l->n; i++) {
		const struct waiting *before = &l->items[i - 1];
		struct waiting *w = &l->items[i];

		if (strcmp(before->page->alert_id, w->page->alert_id) == 0 &&
		    before->since_ns > w->since_ns)
			w->since_ns = before->since_ns;
	}
	qsort(l->items, l->n, sizeof *l->items, compare_ages);
}

/* --- The order of their names --- */

/* A page's name, ALERT_ID.KIND@ENDPOINT, cut: any other one is its own incident. */
struct name_parts {
	tocsin_str alert_id;
	uint64_t step;
};

static struct name_parts name_cut(const char *name)
{
	static const char resolved[] = ".resolved@", repeat[] = ".repeat-";
	const char *at = strchr(name, '@');
	const char *dot = at ? memrchr(name, '.', (size_t)(at - name)) : NULL;
	struct name_parts parts = { str(name), 0 };

	if (!dot)
		return parts;
	parts.alert_id.len = (size_t)(dot - name);
	if (strncmp(dot, resolved, sizeof resolved - 1) == 0)
		parts.step = UINT64_MAX;
	else if (strncmp(dot, repeat, sizeof repeat - 1) == 0)
		parts.step = strtoull(dot + sizeof repeat - 1, NULL, 10);
	return parts;
}

/* Whatever else it does, it puts no page of an incident before an earlier one (page_step). */
static int compare_names(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	struct name_parts p = name_cut(x), q = name_cut(y);
	int order = str_compare(p.alert_id, q.alert_id);

	if (order == 0)
		order = (p.step > q.step) - (p.step < q.step);
	return order != 0 ? order : strcmp(x, y);
}

static void names_sort(struct name_list *l)
{
	qsort(l->names, l->n, sizeof *l->names, compare_names);
	names_cut(l, l->n < l->max ? l->n : l->max);
}

/* --- The folder --- */

static bool begins_with(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

static bool ends_with(const char *name, const char *with)
{
	size_t len = strlen(name), with_len = strlen(with);

	return len >= with_len && strcmp(name + len - with_len, with) == 0;
}

/* What is set aside before stays too: it is all there is of a page. */
static void set_aside(int folder, const char *name)
{
	char to[NAME_MAX + 1], suffix[32] = OUTBOX_CORRUPT;
	struct stat st;

	for (unsigned i = 2; i < ASIDE_TRIES; i++) {
		int room = NAME_MAX - (int)strlen(suffix);

		snprintf(to, sizeof to, "%.*s%s", room, name, suffix);
		if (fstatat(folder, to, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			(void)renameat(folder, name, folder, to); /* else it is told again */
			return;
		}
		snprintf(suffix, sizeof suffix, ".%u" OUTBOX_CORRUPT, i);
	}
}

static void tell_bad(struct scan *s, const char *name, int error)
{
	if (s->cursor->n_bad++ < OUTBOX_BAD_MAX && s->bad)
		s->bad(s->userdata, name, error);
}

static void tell_more_bad(const struct scan *s)
{
	uint64_t n_bad = s->cursor->n_bad;
	char name[40];

	if (s->cursor->left > 0 || n_bad <= OUTBOX_BAD_MAX || !s->bad)
		return;
	snprintf(name, sizeof name, "(%llu more)", (unsigned long long)(n_bad - OUTBOX_BAD_MAX));
	s->bad(s->userdata, name, -ENOBUFS);
}

/* -ENOMEM */
static int name_take(struct scan *s, const char *name)
{
	struct name_list *l = &s->names;
	const char *last = s->cursor->last;

	if (s->mend && begins_with(name, FILE_TEMPORARY_PREFIX))
		unlinkat(s->folder, name, 0);
	if (name[0] == '.' || strcmp(name, OUTBOX_DEAD) == 0 || ends_with(name, OUTBOX_CORRUPT))
		return 0;
	if (last[0] && compare_names(&name, &last) <= 0)
		return 0;
	if (l->n == 2 * l->max)
		names_sort(l);
	l->names[l->n] = strdup(name);
	if (!l->names[l->n])
		return -ENOMEM;
	l->n++;
	return 0;
}

static int names_read(struct scan *s)
{
	_cleanup_(cleanup_closedir) DIR *dir = NULL;
	int fd = descriptor_openat(s->folder, ".", O_RDONLY | O_DIRECTORY, 0), r = 0;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		return -error;
	}
	while (r == 0) {
		struct dirent *e;

		errno = 0;
		e = readdir(dir);
		if (!e) {
			r = -errno;
			break;
		}
		r = name_take(s, e->d_name);
	}
	names_sort(&s->names);
	return r;
}

static int page_read(struct scan *s, const char *name)
{
	struct waiting_list *l = &s->list;
	struct waiting *w = &l->items[l->n];
	size_t bytes;
	int r = outbox_read(s->folder, name, &w->page, &w->endpoint, &bytes);

	if (r == 0) {
		w->since_ns = w->page->due_wall_ns;
		l->bytes += bytes;
		l->n++;
		return 0;
	}
	/* Taken meanwhile, by whoever posts from here. */
	if (r == -ENOENT && !s->mend)
		return 0;
	if (r == -ENOMEM)
		return r;
	if (r == -EBADMSG && s->mend)
		set_aside(s->folder, name);
	tell_bad(s, name, r);
	return 0;
}

static int pages_read(struct scan *s)
{
	struct outbox_cursor *c = s->cursor;
	struct name_list *l = &s->names;
	size_t i = 0;

	s->list.items = calloc(l->n > 0 ? l->n : 1, sizeof *s->list.items);
	if (!s->list.items)
		return -ENOMEM;
	for (; i < l->n && s->list.bytes < OUTBOX_SCAN_BYTES; i++) {
		int r = page_read(s, l->names[i]);

		if (r < 0)
			return r;
	}
	if (i > 0)
		snprintf(c->last, sizeof c->last, "%s", l->names[i - 1]);
	c->left = l->n - i + l->passed;
	tell_more_bad(s);
	return 0;
}

static int scan(struct scan *s, void (*found)(void *userdata, struct page *p, const char *endpoint))
{
	struct waiting_list *l = &s->list;
	int r;

	s->names.max = s->cursor->max > 0 ? s->cursor->max : OUTBOX_SCAN_MAX;
	s->names.names = calloc(2 * s->names.max, sizeof *s->names.names);
	if (!s->names.names)
		return -ENOMEM;
	r = names_read(s);
	if (r == 0)
		r = pages_read(s);
	if (r < 0)
		return r;
	list_sort(l);
	for (size_t i = 0; i < l->n; i++)
		found(s->userdata, TAKE(l->items[i].page), l->items[i].endpoint);
	return (int)l->n;
}

/* Not opened again while it is claimed: the claim is another thread's to renew. -ESTALE: somebody
 * has closed the descriptor, and the number is another file's. */
static int folder_look(struct outbox *o)
{
	if (o->folder < 0 && !o->lock)
		return outbox_ready(o);
	return o->folder < 0 || descriptor_is(o->folder, o->identity) ? 0 : -ESTALE;
}

static int scan_waiting(struct outbox *o, struct outbox_cursor *c, bool mend,
			void (*found)(void *userdata, struct page *p, const char *endpoint),
			void (*bad)(void *userdata, const char *name, int error), void *userdata)
{
	_cleanup_(cleanup_scan) struct scan s = {
		.folder = -1, .mend = mend, .cursor = c, .bad = bad, .userdata = userdata
	};
	int r = folder_look(o);

	c->left = 0;
	if (r < 0)
		return r;
	s.folder = descriptor_openat(o->folder, ".", O_RDONLY | O_DIRECTORY, 0);
	/* Removed under us: it holds nothing. */
	if (s.folder < 0)
		return errno == ENOENT ? 0 : -errno;
	return scan(&s, found);
}

int outbox_scan(struct outbox *o, struct outbox_cursor *c,
		void (*found)(void *userdata, struct page *p, const char *endpoint),
		void (*bad)(void *userdata, const char *name, int error), void *userdata)
{
	return scan_waiting(o, c, true, found, bad, userdata);
}

int outbox_look(struct outbox *o, struct outbox_cursor *c,
		void (*found)(void *userdata, struct page *p, const char *endpoint),
		void (*bad)(void *userdata, const char *name, int error), void *userdata)
{
	return scan_waiting(o, c, false, found, bad, userdata);
}

int outbox_scan_dead(struct outbox *o, struct outbox_cursor *c,
		     void (*found)(void *userdata, struct page *p, const char *endpoint),
		     void (*bad)(void *userdata, const char *name, int error), void *userdata)
{
	_cleanup_(cleanup_scan) struct scan s = {
		.folder = -1, .cursor = c, .bad = bad, .userdata = userdata
	};
	int r = folder_look(o);

	c->left = 0;
	if (r == 0)
		r = outbox_dead_open(o, false, &s.folder);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : scan(&s, found);
}

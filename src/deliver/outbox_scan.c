/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "deliver/outbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "deliver/outbox_parts.h"

#define ASIDE_TRIES 100

DEFINE_CLEANUP(DIR *, closedir, cleanup_closedir)
DEFINE_CLEANUP(struct page *, page_unref, cleanup_page)

struct waiting {
	struct page *page;
	char *endpoint;
	uint64_t since_ns; /* when it was made, or the page before it if the clock was set back */
};

struct waiting_list {
	struct waiting *items;
	size_t n, size;
	size_t bytes; /* of their files */
};

/* One scan; `mend`: what is left over is removed and what is damaged is set aside. */
struct scan {
	int folder;
	bool mend;
	struct waiting_list list;
	void (*bad)(void *userdata, const char *name, int error);
	void *userdata;
	uint64_t n_bad;
};

static void cleanup_scan(struct scan *s)
{
	struct waiting_list *l = &s->list;

	for (size_t i = 0; i < l->n; i++) {
		page_unref(l->items[i].page);
		free(l->items[i].endpoint);
	}
	free(l->items);
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

static int list_add(struct waiting_list *l, int folder, const char *name)
{
	size_t bytes;
	int r;

	if (l->n == OUTBOX_SCAN_MAX || l->bytes >= OUTBOX_SCAN_BYTES)
		return -ENOBUFS;
	if (l->n == l->size) {
		size_t size = l->size > 0 ? 2 * l->size : 64;
		struct waiting *grown = reallocarray(l->items, size, sizeof *grown);

		if (!grown)
			return -ENOMEM;
		l->items = grown;
		l->size = size;
	}
	struct waiting *w = &l->items[l->n];
	r = outbox_read(folder, name, &w->page, &w->endpoint, &bytes);
	if (r < 0)
		return r;
	w->since_ns = w->page->due_wall_ns;
	l->bytes += bytes;
	l->n++;
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
	if (s->n_bad++ < OUTBOX_BAD_MAX && s->bad)
		s->bad(s->userdata, name, error);
}

static void tell_more_bad(const struct scan *s)
{
	char name[40];

	if (s->n_bad <= OUTBOX_BAD_MAX || !s->bad)
		return;
	snprintf(name, sizeof name, "(%llu more)", (unsigned long long)(s->n_bad - OUTBOX_BAD_MAX));
	s->bad(s->userdata, name, -ENOBUFS);
}

static int scan_name(struct scan *s, const char *name)
{
	int r;

	if (s->mend && begins_with(name, FILE_TEMPORARY_PREFIX))
		unlinkat(s->folder, name, 0);
	if (name[0] == '.' || strcmp(name, OUTBOX_DEAD) == 0 || ends_with(name, OUTBOX_CORRUPT))
		return 0;
	r = list_add(&s->list, s->folder, name);
	/* Taken meanwhile, by whoever posts from here. */
	if (r == 0 || r == -ENOMEM || (r == -ENOENT && !s->mend))
		return r == -ENOENT ? 0 : r;
	if (r == -EBADMSG && s->mend)
		set_aside(s->folder, name);
	tell_bad(s, name, r);
	return 0;
}

static int scan_folder(struct scan *s)
{
	_cleanup_(cleanup_closedir) DIR *dir = NULL;
	int fd = openat(s->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

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
		r = scan_name(s, e->d_name);
	}
	tell_more_bad(s);
	return r;
}

static int scan(struct scan *s, void (*found)(void *userdata, struct page *p, const char *endpoint))
{
	struct waiting_list *l = &s->list;
	int r = scan_folder(s);

	if (r < 0)
		return r;
	list_sort(l);
	for (size_t i = 0; i < l->n; i++)
		found(s->userdata, TAKE(l->items[i].page), l->items[i].endpoint);
	return (int)l->n;
}

static int scan_waiting(struct outbox *o, bool mend,
			void (*found)(void *userdata, struct page *p, const char *endpoint),
			void (*bad)(void *userdata, const char *name, int error), void *userdata)
{
	_cleanup_(cleanup_scan) struct scan s = {
		.folder = -1, .mend = mend, .bad = bad, .userdata = userdata
	};
	/* Not opened again while it is claimed: the claim is another thread's to renew. */
	int r = o->folder >= 0 || o->lock ? 0 : outbox_ready(o);

	if (r < 0)
		return r;
	s.folder = openat(o->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Removed under us: it holds nothing. */
	if (s.folder < 0)
		return errno == ENOENT ? 0 : -errno;
	return scan(&s, found);
}

int outbox_scan(struct outbox *o,
		void (*found)(void *userdata, struct page *p, const char *endpoint),
		void (*bad)(void *userdata, const char *name, int error), void *userdata)
{
	return scan_waiting(o, true, found, bad, userdata);
}

int outbox_look(struct outbox *o,
		void (*found)(void *userdata, struct page *p, const char *endpoint),
		void (*bad)(void *userdata, const char *name, int error), void *userdata)
{
	return scan_waiting(o, false, found, bad, userdata);
}

int outbox_scan_dead(struct outbox *o,
		     void (*found)(void *userdata, struct page *p, const char *endpoint),
		     void (*bad)(void *userdata, const char *name, int error), void *userdata)
{
	_cleanup_(cleanup_scan) struct scan s = { .folder = -1, .bad = bad, .userdata = userdata };
	int r = o->folder >= 0 || o->lock ? 0 : outbox_ready(o);

	if (r == 0)
		r = outbox_dead_open(o, false, &s.folder);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : scan(&s, found);
}

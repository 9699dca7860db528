/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "deliver/outbox.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"

#define FOLDER "outbox"

DEFINE_CLEANUP(DIR *, closedir, cleanup_closedir)

struct outbox {
	int folder;
};

int outbox_open(const char *state_dir, struct outbox **ret)
{
	_cleanup_free_ struct outbox *o = malloc(sizeof *o);
	_cleanup_free_ char *path = NULL;
	int r;

	if (!o || asprintf(&path, "%s/" FOLDER, state_dir) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = folder_open(path, true, &o->folder);
	if (r < 0)
		return r;
	*ret = TAKE(o);
	return 0;
}

void outbox_free(struct outbox *o)
{
	if (!o)
		return;
	close(o->folder);
	free(o);
}

/* page-id@endpoint; bytes of the endpoint's name that a file's may not have become %XX. */
static int name_make(const struct page *p, const char *endpoint, char ret[static NAME_MAX + 1])
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._-";
	int n = snprintf(ret, NAME_MAX + 1, "%s@", p->id);
	size_t len = (size_t)n;

	for (const char *c = endpoint; *c != 0; c++) {
		if (len + 3 > NAME_MAX)
			return -ENAMETOOLONG;
		if (strchr(plain, *c)) {
			ret[len++] = *c;
			ret[len] = 0;
		} else {
			snprintf(ret + len, 4, "%%%02X", (unsigned)(unsigned char)*c);
			len += 3;
		}
	}
	return 0;
}

int outbox_put(struct outbox *o, const struct page *p, const char *endpoint)
{
	_cleanup_free_ char *bytes = NULL;
	char name[NAME_MAX + 1];
	struct stat st;
	size_t len;
	int r;

	r = name_make(p, endpoint, name);
	if (r < 0)
		return r;
	if (fstatat(o->folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		/* Who made it may have died before its name was on disk. */
		return fsync(o->folder) < 0 ? -errno : 0;
	if (errno != ENOENT)
		return -errno;
	r = page_to_file(p, endpoint, &bytes, &len);
	if (r < 0)
		return r;
	assert(len <= OUTBOX_FILE_MAX);
	return file_replace(o->folder, name, bytes, len, true);
}

/* Without fsync: a file that a power cut brings back is a page sent twice under one id. */
int outbox_remove(struct outbox *o, const struct page *p, const char *endpoint)
{
	char name[NAME_MAX + 1];
	int r;

	r = name_make(p, endpoint, name);
	if (r < 0)
		return r;
	if (unlinkat(o->folder, name, 0) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

struct waiting {
	struct page *page;
	char *endpoint;
	uint64_t since_ns; /* when it was made, or the page before it if the clock was set back */
};

struct waiting_list {
	struct waiting *items;
	size_t n, size;
};

static void cleanup_waiting_list(struct waiting_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		page_unref(l->items[i].page);
		free(l->items[i].endpoint);
	}
	free(l->items);
}

static int waiting_read(struct outbox *o, const char *name, struct waiting *ret)
{
	_cleanup_free_ char *bytes = NULL, *endpoint = NULL;
	char own_name[NAME_MAX + 1];
	struct page *page;
	size_t len;
	int r;

	r = file_read(o->folder, name, OUTBOX_FILE_MAX, &bytes, &len);
	if (r < 0)
		return r == -EFBIG ? -EBADMSG : r;
	r = page_from_file(bytes, len, &page, &endpoint);
	if (r < 0)
		return r;
	r = name_make(page, endpoint, own_name);
	if (r < 0 || strcmp(name, own_name) != 0) {
		/* It could never be removed. */
		page_unref(page);
		return -EBADMSG;
	}
	*ret = (struct waiting){ page, TAKE(endpoint), page->due_wall_ns };
	return 0;
}

static int list_add(struct waiting_list *l, struct outbox *o, const char *name)
{
	if (l->n == OUTBOX_SCAN_MAX)
		return -ENOBUFS;
	if (l->n == l->size) {
		size_t size = l->size > 0 ? 2 * l->size : 64;
		struct waiting *grown = reallocarray(l->items, size, sizeof *grown);

		if (!grown)
			return -ENOMEM;
		l->items = grown;
		l->size = size;
	}
	int r = waiting_read(o, name, &l->items[l->n]);
	if (r == 0)
		l->n++;
	return r;
}

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

static int list_read(struct waiting_list *l, struct outbox *o,
		     void (*bad)(void *userdata, const char *name, int error), void *userdata)
{
	_cleanup_(cleanup_closedir) DIR *dir = NULL;
	int fd = openat(o->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		return -error;
	}
	for (;;) {
		struct dirent *e;
		int r;

		errno = 0;
		e = readdir(dir);
		if (!e)
			return -errno;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (strncmp(e->d_name, FILE_TEMPORARY_PREFIX, strlen(FILE_TEMPORARY_PREFIX)) == 0) {
			unlinkat(o->folder, e->d_name, 0);
			continue;
		}
		r = list_add(l, o, e->d_name);
		if (r == -ENOMEM)
			return r;
		if (r < 0 && bad)
			bad(userdata, e->d_name, r);
	}
}

int outbox_scan(struct outbox *o,
		void (*found)(void *userdata, struct page *p, const char *endpoint),
		void (*bad)(void *userdata, const char *name, int error), void *userdata)
{
	_cleanup_(cleanup_waiting_list) struct waiting_list l = { 0 };
	int r;

	r = list_read(&l, o, bad, userdata);
	if (r < 0)
		return r;
	list_sort(&l);
	for (size_t i = 0; i < l.n; i++)
		found(userdata, TAKE(l.items[i].page), l.items[i].endpoint);
	return (int)l.n;
}

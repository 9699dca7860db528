/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "spool/outbox.h"

#include <assert.h>
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
#include "spool/outbox_parts.h"

#define FOLDER "outbox"
#define LOCK ".lock"

/* What a file's name takes as it is. */
static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789._-";

DEFINE_CLEANUP(struct outbox *, outbox_free, cleanup_outbox)
DEFINE_CLEANUP(struct page *, page_unref, cleanup_page)

/* --- The folder --- */

static int outbox_new(const char *state_dir, bool create, struct outbox **ret)
{
	struct outbox *o = malloc(sizeof *o);

	if (!o)
		return -ENOMEM;
	*o = (struct outbox){ .create = create, .folder = -1 };
	if (asprintf(&o->path, "%s/" FOLDER, state_dir) < 0) {
		free(o);
		return -ENOMEM;
	}
	*ret = o;
	return 0;
}

int outbox_open(const char *state_dir, struct outbox **ret)
{
	int r = outbox_new(state_dir, true, ret);

	/* What keeps it from being made may pass, and whoever uses it is told then. */
	if (r == 0)
		outbox_ready(*ret);
	return r;
}

int outbox_open_existing(const char *state_dir, struct outbox **ret)
{
	_cleanup_(cleanup_outbox) struct outbox *o = NULL;
	int r = outbox_new(state_dir, false, &o);

	if (r == 0)
		r = outbox_ready(o);
	if (r == 0)
		*ret = TAKE(o);
	return r;
}

/* The number may be another file's by now, which is not ours to close. */
static void folder_forget(struct outbox *o)
{
	if (descriptor_is(o->folder, o->identity))
		close(o->folder);
	o->folder = -1;
}

void outbox_free(struct outbox *o)
{
	if (!o)
		return;
	outbox_release(o);
	folder_forget(o);
	free(o->path);
	free(o);
}

/* The lock went with the folder it lay in: to others, nobody posts from the new one. */
static void claim_renew(struct outbox *o)
{
	if (!o->lock)
		return;
	outbox_release(o);
	outbox_claim(o);
}

int outbox_ready(struct outbox *o)
{
	struct descriptor_identity before = o->identity;
	bool closed = o->folder >= 0 && !descriptor_is(o->folder, before);
	struct stat st;
	int fd, r;

	if (closed) {
		o->folder = -1;
	} else if (o->folder >= 0) {
		if (fstat(o->folder, &st) == 0 && st.st_nlink > 0)
			return 0;
		folder_forget(o);
		return -ENOENT;
	}
	r = folder_open(o->path, o->create, &fd);
	if (r < 0)
		return r;
	o->identity = descriptor_identify(fd);
	o->folder = fd;
	/* The claim lies in the folder, and holds where that is the same. */
	if (!closed || !descriptor_is(fd, before))
		claim_renew(o);
	return 0;
}

/* Not every file system tells by its count of links that a folder is removed. */
static int told(struct outbox *o, int r)
{
	if (r == -ENOENT && o->folder >= 0)
		folder_forget(o);
	return r;
}

int outbox_dead_open(const struct outbox *o, bool create, int *ret_fd)
{
	int fd;

	if (create && mkdirat(o->folder, OUTBOX_DEAD, 0700) == 0)
		(void)folder_sync(
			o->folder); /* where it cannot be synced, nothing here can do more */
	else if (create && errno != EEXIST)
		return -errno;
	fd = descriptor_openat(o->folder, OUTBOX_DEAD, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* --- Whose turn it is --- */

int outbox_claim(struct outbox *o)
{
	struct lockfile *lock = NULL;
	int r;

	if (o->lock)
		return 0;
	r = outbox_ready(o);
	if (r == -ENOENT)
		r = outbox_ready(o);
	if (r == 0)
		r = lockfile_open(o->folder, LOCK, true, &lock);
	if (r < 0)
		return r;
	r = lockfile_try(lock);
	if (r < 0)
		lockfile_free(lock);
	else
		o->lock = lock;
	return r;
}

void outbox_release(struct outbox *o)
{
	if (!o->lock)
		return;
	lockfile_release(o->lock);
	lockfile_free(TAKE(o->lock));
}

/* --- Files --- */

int outbox_name(const char *page_id, const char *endpoint, char ret[static NAME_MAX + 1])
{
	size_t len = strlen(page_id);

	if (len == 0 || len >= PAGE_ID_SIZE || page_id[0] == '.' || strspn(page_id, plain) != len)
		return -EINVAL;
	len = (size_t)snprintf(ret, NAME_MAX + 1, "%s@", page_id);
	/* Bytes of the endpoint's name that a file's may not have become %XX. */
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

static int page_write(int folder, const char *name, const struct page *p, const char *endpoint)
{
	_cleanup_free_ char *bytes = NULL;
	struct stat st;
	size_t len;
	int r;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		/* Who made it may have died before its name was on disk. */
		return folder_sync(folder);
	if (errno != ENOENT)
		return -errno;
	r = page_to_file(p, endpoint, &bytes, &len);
	if (r < 0)
		return r;
	assert(len <= OUTBOX_FILE_MAX);
	return file_replace(folder, name, bytes, len, true);
}

int outbox_put(struct outbox *o, const struct page *p, const char *endpoint)
{
	char name[NAME_MAX + 1];
	int r = outbox_name(p->id, endpoint, name);

	if (r == 0)
		r = outbox_ready(o);
	if (r < 0)
		return r;
	return told(o, page_write(o->folder, name, p, endpoint));
}

/* Without fsync: a file that a power cut brings back is a page sent twice under one id. */
int outbox_remove(struct outbox *o, const struct page *p, const char *endpoint)
{
	char name[NAME_MAX + 1];
	int r = outbox_name(p->id, endpoint, name);

	/* One that is removed under us has nothing left to remove. */
	if (r == 0 && !descriptor_is(o->folder, o->identity))
		r = outbox_ready(o);
	if (r < 0)
		return r;
	if (unlinkat(o->folder, name, 0) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

/*
 * That a name has changed its folder need not be on disk: after a power cut the page is sent once
 * more, or is dead once more. But it must never be on disk in neither.
 */
static int move(int from, int to, const char *name)
{
	if (renameat(from, name, to, name) < 0)
		return -errno;
	if (folder_sync(to) == 0)
		(void)folder_sync(from);
	return 0;
}

int outbox_bury(struct outbox *o, const struct page *p, const char *endpoint)
{
	_cleanup_close_ int dead = -1;
	char name[NAME_MAX + 1];
	int r = outbox_name(p->id, endpoint, name);

	if (r == 0)
		r = outbox_ready(o);
	if (r < 0)
		return r;
	r = outbox_dead_open(o, true, &dead);
	if (r < 0)
		return told(o, r);
	r = move(o->folder, dead, name);
	return r == -ENOENT ? page_write(dead, name, p, endpoint) : r;
}

int outbox_revive(struct outbox *o, const char *page_id, const char *endpoint, struct page **ret)
{
	_cleanup_(cleanup_page) struct page *p = NULL;
	_cleanup_free_ char *own_endpoint = NULL;
	_cleanup_close_ int dead = -1;
	char name[NAME_MAX + 1];
	size_t bytes;
	int r = outbox_name(page_id, endpoint, name);

	if (r < 0)
		return -ENOENT;
	r = outbox_ready(o);
	if (r == 0)
		r = outbox_dead_open(o, false, &dead);
	if (r == 0)
		r = outbox_read(dead, name, &p, &own_endpoint, &bytes);
	if (r == 0)
		r = move(dead, o->folder, name);
	if (r == 0)
		*ret = TAKE(p);
	return r;
}

int outbox_find(struct outbox *o, const char *page_id, const char *endpoint, struct page **ret)
{
	_cleanup_free_ char *own_endpoint = NULL;
	_cleanup_close_ int dead = -1;
	char name[NAME_MAX + 1];
	size_t bytes;
	int r = outbox_name(page_id, endpoint, name);

	if (r < 0)
		return -ENOENT;
	r = outbox_ready(o);
	if (r == 0)
		r = outbox_read(o->folder, name, ret, &own_endpoint, &bytes);
	if (r != -ENOENT)
		return r;
	r = outbox_dead_open(o, false, &dead);
	return r < 0 ? r : outbox_read(dead, name, ret, &own_endpoint, &bytes);
}

bool outbox_is_dead(struct outbox *o, const char *page_id, const char *endpoint)
{
	_cleanup_close_ int dead = -1;
	char name[NAME_MAX + 1];

	return outbox_name(page_id, endpoint, name) == 0 && outbox_ready(o) == 0 &&
	       outbox_dead_open(o, false, &dead) == 0 && faccessat(dead, name, F_OK, 0) == 0;
}

int outbox_discard(struct outbox *o, const char *page_id, const char *endpoint)
{
	_cleanup_close_ int dead = -1;
	char name[NAME_MAX + 1];
	bool found = false;
	int r = outbox_name(page_id, endpoint, name);

	if (r < 0)
		return -ENOENT;
	r = outbox_ready(o);
	if (r < 0)
		return r;
	r = outbox_dead_open(o, false, &dead);
	if (r < 0 && r != -ENOENT)
		return r;
	if (dead >= 0 && unlinkat(dead, name, 0) == 0)
		found = true;
	else if (dead >= 0 && errno != ENOENT)
		return -errno;
	if (unlinkat(o->folder, name, 0) == 0)
		found = true;
	else if (errno != ENOENT)
		return -errno;
	return found ? 0 : -ENOENT;
}

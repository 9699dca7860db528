/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "engine/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/accounts.h"
#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"
#include "picture/clearing.h"

#define CANDIDATES_MAX 3

/* Paths to try in order; NULL ones do not apply here. */
struct candidates {
	char *path[CANDIDATES_MAX];
	enum folder_trust trust[CANDIDATES_MAX];
	size_t n;
};

static void candidates_done(struct candidates *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->path[i]);
}

/* Adds base + suffix [+ "/" + name], when there is a base that is an absolute path. */
static void candidates_add(struct candidates *c, const char *base, const char *suffix,
			   const char *name)
{
	struct text_buffer b = { 0 };

	if (!base || base[0] != '/')
		return;
	text_buffer_printf(&b, "%s%s%s%s", base, suffix, name ? "/" : "", name ? name : "");
	if (b.failed) {
		text_buffer_done(&b);
		return;
	}
	c->trust[c->n] = FOLDER_SAFE;
	c->path[c->n++] = b.ptr;
}

/* A base that the environment names; root may have another user's environment. */
static void candidates_add_own(struct candidates *c, const char *base, const char *suffix,
			       const char *name)
{
	if (base && !folder_is_foreign(base))
		candidates_add(c, base, suffix, name);
}

/* With errno. Not by faccessat2, which old containers' filters refuse with EPERM. */
static bool folder_is_writable(int fd, const struct stat *st)
{
	struct statvfs fs;

	if (geteuid() == getuid() && getegid() == getgid())
		return faccessat(fd, ".", W_OK | X_OK, 0) == 0;
	errno = EROFS;
	if (fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_RDONLY))
		return false;
	errno = EACCES;
	return geteuid() == 0 || (st->st_mode & (S_IWUSR | S_IXUSR)) == (S_IWUSR | S_IXUSR);
}

/*
 * Opens the folder, made when missing; one that another user owns or may write is refused, for root
 * too where everybody could have made it. Nor may a group write it: it is to hold locks, and who
 * removes one makes two engines of one name.
 */
static int place_open(const char *path, enum folder_trust trust, int *ret_fd)
{
	struct stat st;
	_cleanup_close_ int fd = -1;
	int r = folder_open_trusted(path, trust, true, &fd);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() && geteuid() != 0)
		return -EPERM;
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return -EPERM;
	if (!folder_is_writable(fd, &st))
		return -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* "WHAT PATH PREDICATE: error; consequence" */
static char *trouble(const char *what, const char *path, const char *predicate, int error,
		     const char *consequence)
{
	struct text_buffer b = { 0 };

	text_buffer_printf(&b, "%s folder %s %s", what, path, predicate);
	if (error == -EPERM)
		text_buffer_add(&b, STR(": it or a folder above it is another user's, or others "
					"than its owner may write it"));
	else if (error < 0)
		text_buffer_printf(&b, ": %s", strerror(-error));
	text_buffer_printf(&b, "; %s", consequence);
	if (b.failed) {
		text_buffer_done(&b);
		return NULL;
	}
	return b.ptr;
}

static void runtime_take(struct folders *p, int fd, const char *path, bool tmpfs)
{
	if (p->runtime >= 0)
		close(p->runtime);
	free(p->runtime_path);
	p->runtime = fd;
	p->runtime_identity = descriptor_identify(fd);
	p->runtime_path = strdup(path);
	p->runtime_is_tmpfs = tmpfs;
}

static char *clearing_trouble(const char *path, const char *clearer)
{
	struct text_buffer b = { 0 };

	text_buffer_printf(&b,
			   "recorder folder %s is cleared by others: %s; a crash after that loses "
			   "the last moments: install tocsin's tmpfiles.d file, which makes "
			   "/run/tocsin, or set paths.runtime_dir to a folder that nobody clears",
			   path, clearer);
	if (b.failed)
		text_buffer_done(&b);
	return b.ptr;
}

static void runtime_find(const struct candidates *c, struct folders *p)
{
	int error = -ENOENT;

	_cleanup_free_ char *clearer = NULL;
	bool best = false;

	for (size_t i = 0; i < c->n && !best; i++) {
		int fd;
		int r = place_open(c->path[i], c->trust[i], &fd);

		if (r < 0) {
			error = r;
			continue;
		}
		bool tmpfs = folder_is_tmpfs(fd);
		_cleanup_free_ char *who = clearing_find("", c->path[i], geteuid());
		best = tmpfs && !who;
		/* A tmpfs that nobody clears, else any tmpfs, else any folder; the first of them.
		 */
		if (p->runtime < 0 || best || (tmpfs && !p->runtime_is_tmpfs)) {
			runtime_take(p, fd, c->path[i], tmpfs);
			free(clearer);
			clearer = TAKE(who);
		} else {
			close(fd);
		}
	}
	const char *last = c->n > 0 ? c->path[c->n - 1] : "no folder";
	if (p->runtime < 0)
		p->runtime_trouble =
			trouble("recorder", last, "cannot be used", error,
				"events will not survive a crash until paths.runtime_dir names a "
				"folder this engine may write");
	else if (!p->runtime_is_tmpfs)
		p->runtime_trouble =
			trouble("recorder", p->runtime_path, "is not a tmpfs", 0,
				"calls may stall when the disk writes back: set paths.runtime_dir "
				"to a folder on a tmpfs such as /run or /dev/shm");
	else if (clearer)
		p->runtime_trouble = clearing_trouble(p->runtime_path, clearer);
}

static void state_find(const struct candidates *c, struct folders *p)
{
	int error = -ENOENT;

	for (size_t i = 0; i < c->n && p->state < 0; i++) {
		int fd;
		int r = place_open(c->path[i], c->trust[i], &fd);

		if (r < 0) {
			error = r;
			continue;
		}
		p->state = fd;
		p->state_identity = descriptor_identify(fd);
		p->state_path = strdup(c->path[i]);
	}
	if (p->state < 0)
		p->state_trouble = trouble(
			"state", c->n > 0 ? c->path[c->n - 1] : "(none)", "cannot be used", error,
			"pages that wait are kept in memory alone until paths.state_dir "
			"names a folder this engine may write");
}

/* The system's folder when the installation has made it; an engine that runs as root makes none. */
static const char *installed(const char *path)
{
	return access(path, F_OK) == 0 ? path : NULL;
}

/* The user's home as the system knows it, for a daemon without HOME. */
static char *home_folder(const struct settings *s)
{
	char *home = NULL;

	if (s->environment.home && s->environment.home[0] == '/' &&
	    !folder_is_foreign(s->environment.home))
		return strdup(s->environment.home);
	return account_home(geteuid(), &home) == 0 ? home : NULL;
}

int folders_find(const struct settings *s, struct folders *ret)
{
	struct folders p = { .runtime = -1, .state = -1, .operators = (gid_t)-1 };
	_cleanup_(candidates_done) struct candidates runtime = { 0 };
	_cleanup_(candidates_done) struct candidates state = { 0 };
	_cleanup_free_ char *home = home_folder(s);
	struct text_buffer shm = { 0 };

	if (s->runtime_dir) {
		candidates_add(&runtime, s->runtime_dir, "", NULL);
	} else {
		candidates_add(&runtime, installed("/run/tocsin"), "", s->engine_name);
		candidates_add_own(&runtime, s->environment.runtime_dir, "/tocsin", s->engine_name);
		text_buffer_printf(&shm, "/dev/shm/tocsin-%u", (unsigned)geteuid());
		candidates_add(&runtime, shm.ptr, "", s->engine_name);
		if (runtime.n > 0)
			runtime.trust[runtime.n - 1] = FOLDER_OURS;
		text_buffer_done(&shm);
	}
	if (s->state_dir) {
		candidates_add(&state, s->state_dir, "", NULL);
	} else {
		candidates_add(&state, installed("/var/lib/tocsin"), "", s->engine_name);
		candidates_add_own(&state, s->environment.state_home, "/tocsin", s->engine_name);
		candidates_add(&state, home, "/.local/state/tocsin", s->engine_name);
	}
	runtime_find(&runtime, &p);
	state_find(&state, &p);
	if ((p.runtime >= 0 && !p.runtime_path) || (p.state >= 0 && !p.state_path)) {
		folders_done(&p);
		return -ENOMEM;
	}
	*ret = p;
	return 0;
}

void folders_share(struct folders *p, const char *group)
{
	struct stat st;
	gid_t gid;
	int r = 0;

	if (p->state < 0 || account_group(group, &gid) < 0 || fstat(p->state, &st) < 0)
		return;
	if ((st.st_mode & 0777) == 0700 &&
	    (fchown(p->state, (uid_t)-1, gid) < 0 || fchmod(p->state, 0750) < 0))
		r = -errno;
	else if ((st.st_mode & 0777) != 0700 && st.st_gid != gid)
		return;
	if (r == 0) {
		p->operators = gid;
		return;
	}
	struct text_buffer b = { 0 };
	text_buffer_printf(&b,
			   "the group %s cannot be let into %s: %s; operators see no snapshot.json "
			   "until the engine's user is in that group",
			   group, p->state_path, strerror(-r));
	p->operators_trouble = b.ptr;
}

static int place_kept(struct folders *p, _Atomic int *place, struct descriptor_identity identity,
		      const char *path)
{
	int before = atomic_load(place);

	if (before < 0 || descriptor_is(before, identity))
		return before;
	int fd = descriptor_open(path, O_RDONLY | O_DIRECTORY);
	if (!descriptor_is(fd, identity)) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	atomic_store(&p->reopened, true);
	if (atomic_compare_exchange_strong(place, &before, fd))
		return fd;
	/* Another thread was first. */
	close(fd);
	return before;
}

int folders_runtime(struct folders *p)
{
	return place_kept(p, &p->runtime, p->runtime_identity, p->runtime_path);
}

int folders_state(struct folders *p)
{
	return place_kept(p, &p->state, p->state_identity, p->state_path);
}

void folders_done(struct folders *p)
{
	if (descriptor_is(p->runtime, p->runtime_identity))
		close(p->runtime);
	if (descriptor_is(p->state, p->state_identity))
		close(p->state);
	free(p->runtime_path);
	free(p->state_path);
	free(p->runtime_trouble);
	free(p->state_trouble);
	free(p->operators_trouble);
	*p = (struct folders){ .runtime = -1, .state = -1, .operators = (gid_t)-1 };
}

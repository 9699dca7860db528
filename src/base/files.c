/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/owner.h"

#define TEMPORARY_SIZE (sizeof FILE_TEMPORARY_PREFIX + 16)
#define TEMPORARY_TRIES 16

static int folder_fsync(int folder)
{
	_cleanup_close_ int fd = descriptor_openat(folder, ".", O_RDONLY | O_DIRECTORY, 0);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static bool is_unable(int error)
{
	return error == -EINVAL || error == -EOPNOTSUPP || error == -ENOTSUP;
}

int folder_sync(int folder)
{
	int r = folder_fsync(folder);

	return is_unable(r) ? 0 : r;
}

int file_sync(int fd)
{
	int r = fsync(fd) < 0 ? -errno : 0;

	return is_unable(r) ? 0 : r;
}

#define LINKS_MAX 40

/* The way to a folder, one component at a time: no race between a look at one and its opening. */
struct walk {
	enum folder_trust trust;
	bool create;
	int fd;
	bool shared; /* everybody may make files in the folder it has come to, or in one above */
	unsigned links;
	char *rest; /* of the path; heap */
};

static void walk_done(struct walk *w)
{
	if (w->fd >= 0)
		close(w->fd);
	free(w->rest);
}

/* The system's own links (/var/run) and our own are followed, nobody else's: in a folder that
 * everyone may write, such as /dev/shm, they would lead our files elsewhere. */
static int link_follow(struct walk *w, int link, const struct stat *st, const char *behind)
{
	char target[PATH_MAX];
	char *rest;

	if ((st->st_uid != 0 && st->st_uid != geteuid()) || ++w->links > LINKS_MAX)
		return -ELOOP;
	ssize_t len = readlinkat(link, "", target, sizeof target - 1);
	if (len < 0)
		return -errno;
	target[len] = 0;
	if (asprintf(&rest, "%s/%s", target, behind) < 0)
		return -ENOMEM;
	if (*target == '/') {
		int root = descriptor_open("/", O_PATH | O_DIRECTORY);

		if (root < 0) {
			free(rest);
			return -errno;
		}
		close(w->fd);
		w->fd = root;
		w->shared = false;
	}
	free(w->rest);
	w->rest = rest;
	return 0;
}

/* May the folder stand where it does? */
static int walk_judge(struct walk *w, const struct stat *st)
{
	bool ours = st->st_uid == geteuid();

	if (w->trust == FOLDER_ANY)
		return 0;
	if (w->shared && !ours && (st->st_uid != 0 || w->trust == FOLDER_OURS))
		return -EPERM;
	if (w->shared && w->trust == FOLDER_OURS && (st->st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	if (st->st_mode & S_IWOTH)
		w->shared = true;
	else if (w->trust != FOLDER_OURS)
		w->shared = false;
	/* Without the sticky bit anybody could put another folder in the place of ours. */
	return (st->st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH ? -EPERM : 0;
}

/* Opens one component, making it when it is missing and `create`. */
static int walk_step(struct walk *w, const char *name, const char *behind)
{
	bool last = behind[strspn(behind, "/")] == 0;
	struct stat st;

	if (w->create && mkdirat(w->fd, name, 0700) == 0)
		folder_sync(w->fd); /* else a power cut may take what was made durable in it */
	else if (w->create && errno != EEXIST && errno != EROFS && errno != EACCES)
		return -errno;
	_cleanup_close_ int fd = descriptor_openat(w->fd, name, O_PATH | O_NOFOLLOW, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode) && last)
		return st.st_uid != 0 && st.st_uid != geteuid() ? -ELOOP : -ENOTDIR;
	if (S_ISLNK(st.st_mode))
		return link_follow(w, fd, &st, behind);
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	int r = walk_judge(w, &st);
	int opened = r < 0 ? r : fd;
	if (r == 0 && last && (opened = descriptor_openat(fd, ".", O_RDONLY | O_DIRECTORY, 0)) < 0)
		r = -errno;
	if (r < 0)
		return r;
	if (!last)
		fd = -1;
	close(w->fd);
	w->fd = opened;
	return 0;
}

int folder_open_trusted(const char *path, enum folder_trust trust, bool create, int *ret_fd)
{
	_cleanup_(walk_done) struct walk w = { .trust = trust, .create = create, .fd = -1 };
	int r = 0;

	if (*path == 0)
		return -ENOENT;
	w.rest = strdup(path);
	if (!w.rest)
		return -ENOMEM;
	w.fd = descriptor_open(*path == '/' ? "/" : ".", O_RDONLY | O_DIRECTORY);
	if (w.fd < 0)
		return -errno;
	while (r == 0 && w.rest[strspn(w.rest, "/")]) {
		_cleanup_free_ char *path_left = TAKE(w.rest);
		char *name = path_left + strspn(path_left, "/");
		char *behind = name + strcspn(name, "/");

		if (*behind)
			*behind++ = 0;
		w.rest = strdup(behind);
		r = w.rest ? walk_step(&w, name, behind) : -ENOMEM;
	}
	if (r < 0)
		return r;
	*ret_fd = w.fd;
	w.fd = -1;
	return 0;
}

int folder_open(const char *path, bool create, int *ret_fd)
{
	return folder_open_trusted(path, FOLDER_ANY, create, ret_fd);
}

bool folder_is_foreign(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_uid != 0 && st.st_uid != geteuid();
}

bool folder_is_tmpfs(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	return fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
}

static int temporary_create(int folder, char name[static TEMPORARY_SIZE], int *ret_fd)
{
	for (unsigned i = 0; i < TEMPORARY_TRIES; i++) {
		uint64_t random;
		int fd;

		if (getrandom(&random, sizeof random, 0) != sizeof random)
			return -errno;
		snprintf(name, TEMPORARY_SIZE, FILE_TEMPORARY_PREFIX "%016llx",
			 (unsigned long long)random);
		fd = descriptor_openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
				       0600);
		if (fd >= 0) {
			*ret_fd = fd;
			return 0;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

bool folder_can_sync(int folder)
{
	_cleanup_close_ int fd = -1;
	char temporary[TEMPORARY_SIZE];
	bool able = !is_unable(folder_fsync(folder));

	if (!able || temporary_create(folder, temporary, &fd) < 0)
		return able;
	able = fsync(fd) == 0 || !is_unable(-errno);
	unlinkat(folder, temporary, 0);
	return able;
}

static int write_whole(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_allocate(int fd, size_t size)
{
	struct rlimit limit;

	/* Beyond the limit the kernel would not only refuse, but also send SIGXFSZ. */
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	    limit.rlim_cur < size)
		return -EFBIG;
	return -posix_fallocate(fd, 0, (off_t)size);
}

#define NO_GROUP ((gid_t)-1)
#define OWN_MODE 0600

static int replace(int folder, const char *name, const void *bytes, size_t len, bool durable,
		   gid_t group, mode_t mode)
{
	_cleanup_close_ int fd = -1;
	char temporary[TEMPORARY_SIZE];
	int r;

	r = temporary_create(folder, temporary, &fd);
	if (r < 0)
		return r;
	r = write_whole(fd, bytes, len);
	if (r == 0 && group != NO_GROUP && fchown(fd, (uid_t)-1, group) < 0)
		r = -errno;
	if (r == 0 && mode != OWN_MODE && fchmod(fd, mode) < 0)
		r = -errno;
	if (r == 0 && durable)
		r = file_sync(fd);
	if (r == 0 && renameat(folder, temporary, folder, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(folder, temporary, 0);
		return r;
	}
	return durable ? folder_sync(folder) : 0;
}

int file_replace(int folder, const char *name, const void *bytes, size_t len, bool durable)
{
	return replace(folder, name, bytes, len, durable, NO_GROUP, OWN_MODE);
}

int file_replace_shared(int folder, const char *name, const void *bytes, size_t len, gid_t group)
{
	return replace(folder, name, bytes, len, false, group, 0640);
}

int file_replace_readable(int folder, const char *name, const void *bytes, size_t len)
{
	return replace(folder, name, bytes, len, false, NO_GROUP, 0644);
}

static int read_regular(int folder, const char *name, int flags, size_t max, char **ret,
			size_t *ret_len, uid_t *ret_uid)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *bytes = NULL;
	struct stat st;
	size_t room, len = 0;

	/* O_NONBLOCK: a pipe put in its place must not hang us before fstat has seen it. */
	fd = descriptor_openat(folder, name, flags | O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return -EFBIG;
	room = (size_t)st.st_size + 1;
	bytes = malloc(room);
	if (!bytes)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, bytes + len, room - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len == room) /* it grew under our hands: somebody else writes it in place */
			return -EFBIG;
	}
	bytes[len] = 0;
	*ret = TAKE(bytes);
	*ret_len = len;
	*ret_uid = st.st_uid;
	return 0;
}

int file_read_of(int folder, const char *name, size_t max, char **ret, size_t *ret_len,
		 uid_t *ret_uid)
{
	return read_regular(folder, name, O_NOFOLLOW, max, ret, ret_len, ret_uid);
}

int file_read(int folder, const char *name, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *bytes = NULL;
	struct stat st;
	size_t len;
	uid_t uid;
	int r = file_read_of(folder, name, max, &bytes, &len, &uid);

	if (r < 0)
		return r;
	if (fstat(folder, &st) < 0)
		return -errno;
	if (!owner_is_trusted(uid, st.st_uid))
		return -EPERM;
	*ret = TAKE(bytes);
	*ret_len = len;
	return 0;
}

int file_read_followed(int folder, const char *name, size_t max, char **ret, size_t *ret_len)
{
	uid_t uid;

	return read_regular(folder, name, 0, max, ret, ret_len, &uid);
}

void folder_tidy(int folder)
{
	int fd = descriptor_openat(folder, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir && fd >= 0)
		close(fd);
	while (dir && (e = readdir(dir)))
		if (strncmp(e->d_name, FILE_TEMPORARY_PREFIX, strlen(FILE_TEMPORARY_PREFIX)) == 0)
			unlinkat(folder, e->d_name, 0);
	if (dir)
		closedir(dir);
}

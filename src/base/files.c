/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"

#define TEMPORARY_SIZE (sizeof FILE_TEMPORARY_PREFIX + 16)
#define TEMPORARY_TRIES 16

static int folder_sync(int folder)
{
	_cleanup_close_ int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

/*
 * Is `name` a symbolic link that somebody else has put there? In a folder that everyone may write,
 * such as /dev/shm, it would lead our files elsewhere. The system's own links (/var/run) are fine.
 */
static bool is_foreign_link(int folder, const char *name)
{
	struct stat st;

	return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) &&
	       st.st_uid != 0 && st.st_uid != geteuid();
}

/* Opens one component, making it when it is missing and `create`. */
static int component_open(int folder, const char *name, bool create, bool last, int *ret_fd)
{
	int flags = O_DIRECTORY | O_CLOEXEC | (last ? O_RDONLY | O_NOFOLLOW : O_PATH);
	int fd;

	if (create && mkdirat(folder, name, 0700) == 0)
		folder_sync(folder); /* else a power cut may take what was made durable in it */
	else if (create && errno != EEXIST && errno != EROFS && errno != EACCES)
		return -errno;
	if (is_foreign_link(folder, name))
		return -ELOOP;
	fd = openat(folder, name, flags);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int folder_open(const char *path, bool create, int *ret_fd)
{
	_cleanup_free_ char *copy = strdup(path);
	_cleanup_close_ int fd = -1;
	char *rest = copy;

	if (!copy)
		return -ENOMEM;
	if (*path == 0)
		return -ENOENT;
	fd = open(*path == '/' ? "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (;;) {
		char *name = rest + strspn(rest, "/");
		int next = -1, r;

		if (*name == 0)
			break;
		rest = name + strcspn(name, "/");
		if (*rest != 0)
			*rest++ = 0;
		r = component_open(fd, name, create, rest[strspn(rest, "/")] == 0, &next);
		if (r < 0)
			return r;
		close(fd);
		fd = next;
	}
	*ret_fd = fd;
	fd = -1;
	return 0;
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
		fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
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
	if (r == 0 && durable && fsync(fd) < 0)
		r = -errno;
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
			size_t *ret_len)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *bytes = NULL;
	struct stat st;
	size_t room, len = 0;

	/* O_NONBLOCK: a pipe put in its place must not hang us before fstat has seen it. */
	fd = openat(folder, name, flags | O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
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
	return 0;
}

int file_read(int folder, const char *name, size_t max, char **ret, size_t *ret_len)
{
	return read_regular(folder, name, O_NOFOLLOW, max, ret, ret_len);
}

int file_read_followed(int folder, const char *name, size_t max, char **ret, size_t *ret_len)
{
	return read_regular(folder, name, 0, max, ret, ret_len);
}

void folder_tidy(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

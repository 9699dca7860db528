/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "base/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/boot.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/files.h"
#include "base/owner.h"

#define LOCKFILE_MAGIC "tocsinlk"
#define LOCKFILE_SIZE 4096
#define MAKE_TRIES 3

struct content {
	char magic[8];
	uint32_t mutex_size; /* another libc's mutex is not ours to touch */
	uint32_t reserved;
	char boot_id[BOOT_ID_SIZE]; /* a mutex word from before the last boot means nothing */
	pthread_mutex_t mutex;
};

_Static_assert(sizeof(struct content) <= LOCKFILE_SIZE, "one page");

struct lockfile {
	struct content *content;
};

static int mutex_init(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attr;
	int r = pthread_mutexattr_init(&attr);

	if (r != 0)
		return -r;
	r = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (r == 0)
		r = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	if (r == 0)
		r = pthread_mutex_init(mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	return -r;
}

static int content_init(struct content *c)
{
	memcpy(c->magic, LOCKFILE_MAGIC, sizeof c->magic);
	c->mutex_size = sizeof c->mutex;
	boot_id_read(c->boot_id);
	return mutex_init(&c->mutex);
}

/*
 * Could the file be from before the machine's last boot? Not on a tmpfs, which no boot survives,
 * and there the ids are not looked at: a sandbox may hide this machine's or show another, and a
 * living holder must never be taken for a dead one.
 */
static bool content_is_of_this_boot(const struct content *c, int folder)
{
	char boot_id[BOOT_ID_SIZE];

	if (folder_is_tmpfs(folder))
		return true;
	boot_id_read(boot_id);
	return boot_id[0] == 0 || c->boot_id[0] == 0 ||
	       memcmp(c->boot_id, boot_id, BOOT_ID_SIZE) == 0;
}

static bool content_is_usable(const struct content *c, int folder)
{
	pthread_mutex_t pristine = { 0 };

	/* What kind of mutex it is decides what the C library does with it: of a damaged one it
	 * could be anything. */
	return memcmp(c->magic, LOCKFILE_MAGIC, sizeof c->magic) == 0 &&
	       c->mutex_size == sizeof c->mutex && mutex_init(&pristine) == 0 &&
	       c->mutex.__data.__kind == pristine.__data.__kind &&
	       content_is_of_this_boot(c, folder);
}

static int content_map(int fd, struct content **ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < LOCKFILE_SIZE)
		return -EBADMSG;
	/* glibc follows the pointers in a robust mutex: who may write them may write our memory. */
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	void *p = mmap(NULL, LOCKFILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*ret = p;
	return 0;
}

/*
 * Makes a whole lock under a temporary name, then gives it its own: by link when there must be none
 * yet (-EEXIST), by rename when an unusable one is to be replaced.
 */
static int lockfile_make(int folder, const char *name, bool replace)
{
	char temporary[300];
	struct content *c;
	int r = snprintf(temporary, sizeof temporary, FILE_TEMPORARY_PREFIX "%s.%ld", name,
			 (long)getpid());

	if (r < 0 || (size_t)r >= sizeof temporary)
		return -ENAMETOOLONG;
	unlinkat(folder, temporary, 0);
	_cleanup_close_ int fd =
		descriptor_openat(folder, temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = file_allocate(fd, LOCKFILE_SIZE);
	if (r == 0)
		r = content_map(fd, &c);
	if (r == 0) {
		r = content_init(c);
		munmap(c, LOCKFILE_SIZE);
	}
	if (r == 0 && replace && renameat(folder, temporary, folder, name) < 0)
		r = -errno;
	if (r == 0 && !replace && linkat(folder, temporary, folder, name, 0) < 0)
		r = -errno;
	unlinkat(folder, temporary, 0);
	return r;
}

static int content_open(int folder, const char *name, struct content **ret)
{
	struct content *c;
	_cleanup_close_ int fd =
		descriptor_openat(folder, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);

	if (fd < 0)
		return -errno;
	int r = content_map(fd, &c);
	if (r < 0)
		return r;
	if (!content_is_usable(c, folder)) {
		munmap(c, LOCKFILE_SIZE);
		return -EBADMSG;
	}
	*ret = c;
	return 0;
}

int lockfile_open(int folder, const char *name, bool create, struct lockfile **ret)
{
	struct content *c = NULL;
	int r = content_open(folder, name, &c);

	/* -ENOENT: whoever tidied the folder has taken our file for a leftover. */
	for (unsigned i = 0; create && i < MAKE_TRIES && (r == -ENOENT || r == -EBADMSG); i++) {
		r = lockfile_make(folder, name, r == -EBADMSG);
		if (r == 0 || r == -EEXIST)
			r = content_open(folder, name, &c);
	}
	if (r < 0)
		return r;
	struct lockfile *l = malloc(sizeof *l);
	if (!l) {
		munmap(c, LOCKFILE_SIZE);
		return -ENOMEM;
	}
	l->content = c;
	*ret = l;
	return 0;
}

/* What locking gave, as ours. */
static int lockfile_taken(struct lockfile *l, int error)
{
	if (error == EOWNERDEAD) {
		pthread_mutex_consistent(&l->content->mutex);
		return 1;
	}
	return -error;
}

int lockfile_is_held(int folder, const char *name)
{
	struct content c;
	struct stat st, folder_st;
	_cleanup_close_ int fd =
		descriptor_openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);

	if (fd < 0 || fstat(fd, &st) < 0 || fstat(folder, &folder_st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if (!owner_is_trusted(st.st_uid, folder_st.st_uid))
		return -EPERM;
	ssize_t n = pread(fd, &c, sizeof c, 0);
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof c || !content_is_usable(&c, folder))
		return -EBADMSG;
	/* The kernel takes the holder's number away when it dies. */
	return ((unsigned)c.mutex.__data.__lock & FUTEX_TID_MASK) != 0;
}

int lockfile_try(struct lockfile *l)
{
	return lockfile_taken(l, pthread_mutex_trylock(&l->content->mutex));
}

int lockfile_wait(struct lockfile *l)
{
	return lockfile_taken(l, pthread_mutex_lock(&l->content->mutex));
}

void lockfile_release(struct lockfile *l)
{
	pthread_mutex_unlock(&l->content->mutex);
}

void lockfile_free(struct lockfile *l)
{
	if (!l)
		return;
	munmap(l->content, LOCKFILE_SIZE);
	free(l);
}

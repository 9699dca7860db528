/* SPDX-License-Identifier: MIT */
/*
 * A robust, process-shared mutex in a small file. Whoever holds it lives: when the holding thread
 * dies, with its process or alone, the kernel marks the mutex, and the next to ask learns it
 * together with the lock. True across forks and PID namespaces, where a stored pid or an flock is
 * not.
 */
#ifndef TOCSIN_BASE_LOCKFILE_H
#define TOCSIN_BASE_LOCKFILE_H

#include <stdbool.h>

struct lockfile;

/*
 * Opens the lock, making it when `create`. A file from before the machine's last boot, or damaged,
 * is made anew when `create`. -ENOENT, -EBADMSG without. -EPERM: the file is another user's, or
 * others may write it; it is not mapped then, for root neither.
 */
int lockfile_open(int folder, const char *name, bool create, struct lockfile **ret);

/* 0: taken; 1: taken, and the last holder died with it; -EBUSY: somebody alive has it. The calling
 * thread then holds it until it lets go or ends. */
int lockfile_try(struct lockfile *l);
/* The same, waiting for as long as it takes: returns at once when the holder dies or lets go. */
int lockfile_wait(struct lockfile *l);
/* By the thread that took it. */
void lockfile_release(struct lockfile *l);

/* Does somebody alive hold it? 1 or 0, by reading alone: nobody who asks for it meanwhile is turned
 * away, and nothing that another user may write is mapped. -errno of opening it, -EBADMSG; -EPERM:
 * it belongs neither to the folder's owner nor to root nor to us. */
int lockfile_is_held(int folder, const char *name);

/* Unmaps; not while held by a living thread of this process. Takes NULL. */
void lockfile_free(struct lockfile *l);

#endif

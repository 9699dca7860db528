/* SPDX-License-Identifier: MIT */
/*
 * Descriptors inside someone else's process. Two things can go wrong with them there:
 *
 *	Numbers below 3 are the host's. Where it has closed them, the next open gets one of them,
 *	and what the host writes to its stderr goes into our file. So everything that stays open is
 *	opened with the functions here, which return 3 or more.
 *
 *	A host that becomes a daemon closes descriptors it never opened, ours among them, and the
 *	next open of its own gets the number. So a descriptor that is kept is compared with what was
 *	opened before it is used again.
 */
#ifndef TOCSIN_BASE_DESCRIPTOR_H
#define TOCSIN_BASE_DESCRIPTOR_H

#include <stdbool.h>
#include <sys/types.h>

/* Moves a descriptor below 3 to 3 or above, with O_CLOEXEC. -1 with errno, also when fd is -1. */
int descriptor_above(int fd);
/* As open, openat and socket; O_CLOEXEC is added. -1 with errno. */
int descriptor_open(const char *path, int flags);
int descriptor_openat(int folder, const char *path, int flags, mode_t mode);
int descriptor_socket(int domain, int type, int protocol);

/* What was opened, to compare the descriptor with later. All zero: nothing. */
struct descriptor_identity {
	dev_t device;
	ino_t inode;
};

struct descriptor_identity descriptor_identify(int fd);
/* False: somebody has closed it, and the number may be another file's now: neither use it nor close
 * it. */
bool descriptor_is(int fd, struct descriptor_identity identity);

/*
 * For libraries that open descriptors of their own: fills the numbers below 3 that are free, so
 * that what is opened before descriptor_low_free is above. Not while the host may open some.
 */
#define DESCRIPTOR_LOW 3
struct descriptor_low {
	bool filled[DESCRIPTOR_LOW];
	struct descriptor_identity identity;
};

void descriptor_low_fill(struct descriptor_low *low);
void descriptor_low_free(const struct descriptor_low *low);

#endif

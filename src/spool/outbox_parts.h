/* SPDX-License-Identifier: MIT */
/* The outbox's inside, shared by its files: outbox.c changes it, outbox_scan.c reads it. */
#ifndef TOCSIN_SPOOL_OUTBOX_PARTS_H
#define TOCSIN_SPOOL_OUTBOX_PARTS_H

#include <limits.h>
#include <stdbool.h>

#include "base/descriptor.h"
#include "base/lockfile.h"
#include "spool/outbox.h"

#define OUTBOX_DEAD "dead"
#define OUTBOX_CORRUPT ".corrupt"

struct outbox {
	char *path;
	bool create;                         /* the folder, when it is missing */
	int folder;                          /* -1: not open, the next call tries */
	struct lockfile *lock;               /* held, or NULL */
	struct descriptor_identity identity; /* of the folder, while it is open */
};

/* Opens what is not open, or whose descriptor somebody has closed; made again when it was removed.
 * -errno; -ENOENT once when it was found to be removed under us. */
int outbox_ready(struct outbox *o);

/* -ENOENT: there is none. */
int outbox_dead_open(const struct outbox *o, bool create, int *ret_fd);

/* page-id@endpoint. -EINVAL: no page can have that id; -ENAMETOOLONG. */
int outbox_name(const char *page_id, const char *endpoint, char ret[static NAME_MAX + 1]);

/* Reads the file of that name. -EBADMSG when it is damaged or not under its own name. The endpoint
 * is heap. */
int outbox_read(int folder, const char *name, struct page **ret, char **ret_endpoint,
		size_t *ret_bytes);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The outbox: pages that wait, one file for each page and endpoint, named page-id@endpoint. A file
 * is whole or absent after a crash. These are plain, blocking calls; keeper.h has the thread.
 */
#ifndef TOCSIN_DELIVER_OUTBOX_H
#define TOCSIN_DELIVER_OUTBOX_H

#include "deliver/page.h"

/* Bytes of the largest file that is read; a larger one is damaged. */
#define OUTBOX_FILE_MAX 65536
/* Pages that one scan takes at most; the others stay where they are. */
#define OUTBOX_SCAN_MAX 16384

struct outbox;

/* Opens STATE_DIR/outbox, making what is missing (0700). -errno. */
int outbox_open(const char *state_dir, struct outbox **ret);
void outbox_free(struct outbox *o);

/* Writes the page's file durably (write, fsync, rename, fsync of the folder). An existing one is
 * left alone: the same id is the same page. */
int outbox_put(struct outbox *o, const struct page *p, const char *endpoint);
/* Removes it; 0 when it was not there. */
int outbox_remove(struct outbox *o, const struct page *p, const char *endpoint);

/*
 * Calls `found` for each waiting page, oldest first and those of one incident always in their
 * order, with a reference that found takes over. Leftover temporary files are removed; a file that
 * cannot be read is told through `bad` and left: -EBADMSG (damaged, or not under its own name),
 * -EPROTONOSUPPORT (a later version's), -ENOBUFS (past the maximum), or what reading it gave.
 * Returns the number found, or -errno.
 */
int outbox_scan(struct outbox *o,
		void (*found)(void *userdata, struct page *p, const char *endpoint),
		void (*bad)(void *userdata, const char *name, int error), void *userdata);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The outbox: pages that wait, one file for each page and endpoint, named page-id@endpoint. A file
 * is whole or absent after a crash. These are plain, blocking calls; disk_thread.h has the thread.
 *
 *	outbox/ID@ENDPOINT          waits
 *	outbox/dead/ID@ENDPOINT     refused twice: an operator may have it sent again
 *	outbox/NAME.corrupt         could not be read
 *	outbox/.lock                held by the process that posts from here
 *
 * When somebody removes the folder, the first call that notices it returns -ENOENT. The next call
 * makes the folder again and renews the claim.
 *
 * One thread at a time uses it. Only the process that has the claim puts, buries and revives.
 */
#ifndef TOCSIN_SPOOL_OUTBOX_H
#define TOCSIN_SPOOL_OUTBOX_H

#include <limits.h>

#include "page/page.h"

/* Bytes of the largest file that is read; a larger one is damaged. */
#define OUTBOX_FILE_MAX 65536
/* Pages that one scan takes at most; the next one takes those behind them. */
#define OUTBOX_SCAN_MAX 16384
/* Likewise bytes of their files, after which no further one is read. */
#define OUTBOX_SCAN_BYTES (64u * 1024 * 1024)
/* Unreadable files that are told by name; then how many more there are. */
#define OUTBOX_BAD_MAX 256

struct outbox;

/* Opens STATE_DIR/outbox, making what is missing (0700). Where that cannot be done now, each call
 * below tries again and gives the reason. -ENOMEM. */
int outbox_open(const char *state_dir, struct outbox **ret);
/* The same where it is to be there, and is not to be made: for those who only look. -errno. */
int outbox_open_existing(const char *state_dir, struct outbox **ret);
/* Takes NULL. Lets go of a claim of the calling thread's. */
void outbox_free(struct outbox *o);

/* Writes the page's file durably (write, fsync, rename, fsync of the folder). An existing one is
 * left alone: the same id is the same page. */
int outbox_put(struct outbox *o, const struct page *p, const char *endpoint);
/* Removes it; 0 when it was not there. */
int outbox_remove(struct outbox *o, const struct page *p, const char *endpoint);

/* Moves it to dead/, written there when it was not here. */
int outbox_bury(struct outbox *o, const struct page *p, const char *endpoint);
/* Moves the dead page of that id and endpoint back among those that wait, and reads it. -ENOENT;
 * -EBADMSG, -EPROTONOSUPPORT: it stays. */
int outbox_revive(struct outbox *o, const char *page_id, const char *endpoint, struct page **ret);
/* Reads the page of that id and endpoint, dead or waiting, and leaves it where it is. -ENOENT; as
 * outbox_revive. */
int outbox_find(struct outbox *o, const char *page_id, const char *endpoint, struct page **ret);
/* Is the page of that id and endpoint among the dead ones? */
bool outbox_is_dead(struct outbox *o, const char *page_id, const char *endpoint);
/* Removes a page, dead or waiting, by name: for when nobody posts from here. -ENOENT. */
int outbox_discard(struct outbox *o, const char *page_id, const char *endpoint);

/* The right to post from here, for the calling thread, as lockfile_try: 0, 1, -EBUSY; -errno: there
 * can be no lock here. 0 also when it has it. */
int outbox_claim(struct outbox *o);
void outbox_release(struct outbox *o);

/* How far an outbox, or its dead pages, have been read. Begins with zeros. */
struct outbox_cursor {
	unsigned max;            /* pages a scan; 0: OUTBOX_SCAN_MAX */
	uint64_t left;           /* files behind it: scan again for them */
	char last[NAME_MAX + 1]; /* the last file before it */
	uint64_t n_bad;          /* so far */
};

/*
 * Calls `found` for the waiting pages behind the cursor, and moves it: to all, when they are few;
 * else to a part, in which no page of an incident is left out before a later one of it. They come
 * oldest first and those of one incident always in their order, with a reference that found takes
 * over. Leftover temporary files are removed; a file that cannot be read is told through `bad`:
 * -EBADMSG (damaged, or not under its own name; it is renamed to NAME.corrupt), -EPROTONOSUPPORT (a
 * later version's; left), or what reading it gave (left). After OUTBOX_BAD_MAX of them, one with
 * -ENOBUFS and a name like "(17 more)" stands for the rest. Returns the number found, or -errno.
 */
int outbox_scan(struct outbox *o, struct outbox_cursor *c,
		void (*found)(void *userdata, struct page *p, const char *endpoint),
		void (*bad)(void *userdata, const char *name, int error), void *userdata);
/* The same, but nothing is removed or renamed: somebody else may post from here. */
int outbox_look(struct outbox *o, struct outbox_cursor *c,
		void (*found)(void *userdata, struct page *p, const char *endpoint),
		void (*bad)(void *userdata, const char *name, int error), void *userdata);
/* The same for dead ones: nothing is moved. */
int outbox_scan_dead(struct outbox *o, struct outbox_cursor *c,
		     void (*found)(void *userdata, struct page *p, const char *endpoint),
		     void (*bad)(void *userdata, const char *name, int error), void *userdata);

#endif

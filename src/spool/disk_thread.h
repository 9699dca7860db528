/* SPDX-License-Identifier: MIT */
/*
 * The keeper: the thread that writes pages into the outbox and removes them once taken, so that
 * neither the dispatcher nor the pager waits for a disk. A page taken before its file was begun is
 * never written.
 *
 * What is asked is done in the order it is asked. At most KEEPER_KEEPS_MAX pages wait to be
 * written, those counted whose writing failed; as many removals, burials and jobs again find room
 * beyond them. A page that cannot be written, or no longer asked for, is marked POSTING_UNKEPT.
 * What the disk has refused is tried again whenever nothing else is to do, first after a fiftieth
 * of KEEPER_RETRY_NS, then after twice as long each time up to the whole, and once more at the
 * stop. Asking about a posting takes no memory; where writing a page finds none, it is tried for a
 * second at once. A page that has ended is not written any more.
 */
#ifndef TOCSIN_SPOOL_DISK_THREAD_H
#define TOCSIN_SPOOL_DISK_THREAD_H

#include "base/failure.h"
#include "spool/outbox.h"
#include "spool/delivery.h"

#define KEEPER_KEEPS_MAX 65536
#define KEEPER_RETRY_NS UINT64_C(5000000000)

struct keeper;

struct keeper_options {
	struct outbox *outbox;        /* NULL: there is none, every page stays in memory */
	const char *const *endpoints; /* names by posting->endpoint; must outlive the keeper */
	const char *cpus;
	uint64_t retry_ns; /* instead of KEEPER_RETRY_NS; 0: that */
	/*
	 * On the keeper's thread: a posting became durable (0) or unkept: -ENOENT without an
	 * outbox, or when the outbox was removed under us (it is made again and the page written at
	 * once, but what else waited in it is in memory alone), -ECANCELED when the keeper stops
	 * first, else why it could not be written. One that fails again is not told again.
	 */
	void (*settled)(void *userdata, struct posting *p, int error);
	void *userdata;
	struct failure *failure; /* of keeper_new: the call that failed; may be NULL */
};

int keeper_new(const struct keeper_options *o, struct keeper **ret);
/* Takes a reference of its own. Any thread; does not block. -ENOBUFS (the posting is then
 * marked unkept), -ESHUTDOWN after the stop. */
int keeper_keep(struct keeper *k, struct posting *p);
/* The same, before all else that is asked: for a page that no recorder would give back. Not for a
 * resolution, which must not get to the disk before its raising. */
int keeper_keep_first(struct keeper *k, struct posting *p);
int keeper_drop(struct keeper *k, struct posting *p);
/* Moves its file to dead/ (written there, when it was not yet written). */
int keeper_bury(struct keeper *k, struct posting *p);
/* Also runs `job` on the thread, in order: for small durable files of others. */
int keeper_run(struct keeper *k, void (*job)(void *userdata), void *userdata);
/*
 * Does what is queued and ends the thread. After timeout_ns no further page is written; removals
 * and jobs still are. -ETIMEDOUT: not ended half a second later (the disk hangs); call again.
 */
int keeper_stop(struct keeper *k, uint64_t timeout_ns);
/* After a successful stop. Takes NULL. */
void keeper_free(struct keeper *k);

#endif

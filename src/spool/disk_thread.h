/* SPDX-License-Identifier: MIT */
/*
 * The disk thread: the thread that writes pages into the outbox and removes them once taken, so
 * that neither the dispatcher nor the pager waits for a disk. A page taken before its file was
 * begun is never written.
 *
 * Tasks are done in their order. At most DISK_THREAD_KEEPS_MAX pages wait to be written, including
 * those whose writing failed. There is room for as many removals, burials and jobs beside them. A
 * page that cannot be written, or whose writing was cancelled, is marked DELIVERY_UNKEPT. When the
 * disk refused a page, it is tried again while there is no other task: first after a fiftieth of
 * DISK_THREAD_RETRY_NS, then after twice as long each time up to the whole, and once more at the
 * stop. Asking about a delivery takes no memory. When there is no memory to write a page, it is
 * tried again for a second. A page that has ended is not written any more.
 */
#ifndef TOCSIN_SPOOL_DISK_THREAD_H
#define TOCSIN_SPOOL_DISK_THREAD_H

#include "base/failure.h"
#include "spool/outbox.h"
#include "spool/delivery.h"

#define DISK_THREAD_KEEPS_MAX 65536
#define DISK_THREAD_RETRY_NS UINT64_C(5000000000)

struct disk_thread;

struct disk_thread_options {
	struct outbox *outbox; /* NULL: there is none, every page stays in memory */
	const char *const
		*endpoints; /* names by delivery->endpoint; must outlive the disk thread */
	const char *cpus;
	uint64_t retry_ns; /* instead of DISK_THREAD_RETRY_NS; 0: that */
	/*
	 * On the disk thread: a delivery became durable (0) or unkept: -ENOENT without an
	 * outbox, or when the outbox was removed under us (it is made again and the page written at
	 * once, but what else waited in it is in memory alone), -ECANCELED when the disk thread
	 * stops first, else why it could not be written. One that fails again is not told again.
	 */
	void (*settled)(void *userdata, struct delivery *p, int error);
	void *userdata;
	struct failure *failure; /* of disk_thread_new: the call that failed; may be NULL */
};

int disk_thread_new(const struct disk_thread_options *o, struct disk_thread **ret);
/* Takes a reference of its own. Any thread; does not block. -ENOBUFS (the delivery is then
 * marked unkept), -ESHUTDOWN after the stop. */
int disk_thread_keep(struct disk_thread *k, struct delivery *p);
/* The same, before all else that is asked: for a page that no recorder would give back. Not for a
 * resolution, which must not get to the disk before its raising. */
int disk_thread_keep_first(struct disk_thread *k, struct delivery *p);
int disk_thread_drop(struct disk_thread *k, struct delivery *p);
/* Moves its file to dead/ (written there, when it was not yet written). */
int disk_thread_bury(struct disk_thread *k, struct delivery *p);
/* Also runs `job` on the thread, in order: for small durable files of others. */
int disk_thread_run(struct disk_thread *k, void (*job)(void *userdata), void *userdata);
/*
 * Does what is queued and ends the thread. After timeout_ns no further page is written; removals
 * and jobs still are. -ETIMEDOUT: not ended half a second later (the disk hangs); call again.
 */
int disk_thread_stop(struct disk_thread *k, uint64_t timeout_ns);
/* After a successful stop. Takes NULL. */
void disk_thread_free(struct disk_thread *k);

#endif

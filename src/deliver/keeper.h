/* SPDX-License-Identifier: MIT */
/*
 * The keeper: the thread that writes pages into the outbox and removes them once taken, so that
 * neither the dispatcher nor the pager waits for a disk. A page taken before its file was begun is
 * never written.
 */
#ifndef TOCSIN_DELIVER_KEEPER_H
#define TOCSIN_DELIVER_KEEPER_H

#include "deliver/outbox.h"
#include "deliver/posting.h"

struct keeper;

struct keeper_options {
	struct outbox *outbox;        /* NULL: there is none, every page stays in memory */
	const char *const *endpoints; /* names by posting->endpoint; must outlive the keeper */
	const char *cpus;
	/* On the keeper's thread: a posting became durable or unkept (error < 0 then). */
	void (*settled)(void *userdata, struct posting *p, int error);
	void *userdata;
};

int keeper_new(const struct keeper_options *o, struct keeper **ret);
/* Takes a reference of its own. Any thread; does not block. */
int keeper_keep(struct keeper *k, struct posting *p);
int keeper_drop(struct keeper *k, struct posting *p);
/* Also runs `job` on the thread, in order: for small durable files of others. */
int keeper_run(struct keeper *k, void (*job)(void *userdata), void *userdata);
/* Does what is queued, at most for timeout_ns, and ends the thread. -ETIMEDOUT: call again. */
int keeper_stop(struct keeper *k, uint64_t timeout_ns);
void keeper_free(struct keeper *k);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A page on its way to one endpoint, shared by the threads that keep and send it. The flags only
 * ever gain bits.
 */
#ifndef TOCSIN_SPOOL_DELIVERY_H
#define TOCSIN_SPOOL_DELIVERY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "page/page.h"

enum {
	DELIVERY_DURABLE = 1,    /* its file is on disk */
	DELIVERY_DELIVERED = 2,  /* its receiver has taken it */
	DELIVERY_UNKEPT = 4,     /* its file could not be written; it lives in memory alone */
	DELIVERY_DEAD = 8,       /* its receiver has refused it twice; its file is in dead/ */
	DELIVERY_DISCARDED = 16, /* an operator has given it up */
	/* Nothing more will be tried. */
	DELIVERY_ENDED = DELIVERY_DELIVERED | DELIVERY_DEAD | DELIVERY_DISCARDED,
};

/* What the disk thread is asked about a delivery; see disk_thread_tasks.h. */
struct task {
	enum task_kind { TASK_KEEP, TASK_DROP, TASK_BURY, TASK_RUN } kind;
	struct delivery *delivery; /* a reference; TASK_RUN: NULL */
	void (*job)(void *userdata);
	void *userdata;
	uint32_t incident; /* a hash of its alert's id */
	int error;         /* what the disk said last; 0: it was not tried */
	struct task *next;
};

/* To be kept, and then to be dropped or buried. */
enum { DELIVERY_TASKS = 2 };

struct delivery {
	atomic_uint references;
	atomic_uint flags;
	struct page *page;
	unsigned endpoint; /* index into the settings' endpoints */
	uint64_t sequence; /* order in which they fell due in this run; 0: found in the outbox */
	uint32_t id_hash;  /* of the page's id */
	uint64_t since_ns; /* CLOCK_MONOTONIC when it was made */
	/* For those who list pages; the pager writes them, and nothing hangs on their order. */
	_Atomic uint32_t attempts, http_status; /* of the last one */
	atomic_bool parked;
	/* So that asking the disk thread takes no memory; each is its asker's that has set the
	 * flag. */
	struct task tasks[DELIVERY_TASKS];
	atomic_bool asked[DELIVERY_TASKS];
	/* The dispatcher's own. */
	struct delivery *delivery_index_next; /* in its bucket of the delivery index */
	bool held;                            /* not yet given to the pager */
};

/* Takes a reference to the page. NULL without memory. */
struct delivery *delivery_new(struct page *page, unsigned endpoint, uint64_t sequence);
struct delivery *delivery_ref(struct delivery *p);
/* Returns NULL; takes NULL. */
struct delivery *delivery_unref(struct delivery *p);

#endif

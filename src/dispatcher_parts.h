/* SPDX-License-Identifier: MIT */
/* The dispatcher's inside, shared by its files: dispatcher.c has the control calls. */
#ifndef TOCSIN_DISPATCHER_PARTS_H
#define TOCSIN_DISPATCHER_PARTS_H

#include <pthread.h>
#include <semaphore.h>

#include "deliver/entry.h"
#include "deliver/journal.h"
#include "deliver/keeper.h"
#include "deliver/outbox.h"
#include "deliver/page.h"
#include "deliver/pager.h"
#include "dispatcher.h"
#include "ledger.h"
#include "picture/checkpoint.h"
#include "picture/picture.h"
#include "places.h"
#include "runbooks.h"

/* What a control call asks of the dispatcher's thread. */
enum request_kind { REQUEST_NONE, REQUEST_FLUSH, REQUEST_SNAPSHOT };

struct request {
	enum request_kind kind;
	uint32_t level;  /* of a flush */
	uint64_t target; /* position: everything before it must be applied */
	bool applied;    /* it is; the two below are then known */
	bool delivered;  /* a flush: its pages are */
	uint64_t journal_sequence, posting_sequence;
	bool done;
	int result;
	char *text; /* of a snapshot */
	size_t text_len;
};

/* A checkpoint that waits for its pages to be safe and its entries to be written. */
struct candidate {
	bool waiting;
	uint64_t position, journal_sequence, posting_sequence;
	struct checkpoint_buffer state;
};

struct dispatcher {
	const struct settings *settings;
	const tocsin_host *host;
	struct refusals *refusals;
	struct places places;
	char host_name[256];
	struct runbooks *runbooks; /* NULL: the built-in ones */

	struct recorder *recorder;
	struct journal *journal;
	struct outbox *outbox;
	struct keeper *keeper;
	struct pager *pager;
	struct entry_context entry_context;
	struct page_context page_context;
	const char *endpoint_names[SETTINGS_ENDPOINTS_MAX];

	/* The thread's own. */
	struct picture *picture; /* NULL until there is a time: see dispatcher_loop.c */
	struct ledger ledger;
	struct candidate candidate;
	uint64_t next; /* position after the last record applied */
	uint64_t checkpoint_position, checkpoint_at_ns;
	int64_t wall_offset_ns;    /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	uint64_t journal_sequence; /* of the last entry submitted by this thread */
	uint64_t losses_told, losses_told_ns;
	uint32_t refusals_told;
	bool damage_told;
	uint64_t changes, changes_shared; /* of the picture; those that snapshot.json has */
	uint64_t shared_at_ns;

	/* Numbers reserved: what may be released without using one twice. */
	_Atomic uint64_t reserved;
	atomic_bool reserving;

	_Atomic uint64_t applied; /* events, for the stats */
	atomic_bool unkept_told, unshared_told;
	_Atomic(json_t *) to_share; /* owned; what the keeper is to write next, or NULL */

	/* Between control calls and the thread. */
	pthread_mutex_t lock;
	pthread_cond_t answered;
	sem_t asked; /* posted by control calls: the thread looks at once */
	struct request request;
	bool stopping;
	uint64_t stop_by_ns; /* CLOCK_MONOTONIC: how long it may wait for pages to be safe */
	bool clean;          /* everything was safe when the thread ended */
	int hold_error;
	bool held;

	pthread_t thread;
	bool thread_runs, pager_runs, keeper_runs, journal_runs;
};

/* dispatcher_start.c: makes all the parts and starts their threads. -errno: some may run already.
 */
int dispatcher_begin(struct dispatcher *d);

/* dispatcher_loop.c: the thread. */
void *dispatcher_main(void *arg);
/* Makes the picture before the thread starts, where there is a time already. -ENOMEM. */
int dispatcher_begin_picture(struct dispatcher *d);
/* The present; with the events' clock, the latest event's. */
struct moment dispatcher_now(const struct dispatcher *d);

/* dispatcher_checkpoint.c: moves the checkpoint on; once more, when the thread ends. */
void dispatcher_checkpoint(struct dispatcher *d, uint64_t now_ns);
void dispatcher_checkpoint_last(struct dispatcher *d);

/* dispatcher_snapshot.c: the picture as JSON, for the thread, or for others once it has ended. */
int dispatcher_render(struct dispatcher *d, char **ret, size_t *ret_len);
/* On the thread: lets the keeper write snapshot.json when the picture has changed, at most once a
 * second; and a last time, when the thread ends. */
void dispatcher_share(struct dispatcher *d, uint64_t now_ns);
void dispatcher_share_last(struct dispatcher *d);

/* dispatcher_news.c. dispatcher_note tells a trouble (level: syslog's) to the log and to the host.
 */
void dispatcher_tell(void *userdata, const struct news *news);
void dispatcher_note(struct dispatcher *d, enum entry_kind kind, int level, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* On the pager's and on the keeper's thread. */
void dispatcher_attempted(void *userdata, const struct attempt *a);
void dispatcher_kept(void *userdata, struct posting *p, int error);

#endif

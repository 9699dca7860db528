/* SPDX-License-Identifier: MIT */
/*
 * The dispatcher connects the threads. Its own thread is the only reader of the recorder. It owns
 * the picture, makes log entries and pages of its changes, and advances the checkpoint. The journal
 * writer, the disk thread and the pager have threads of their own; the dispatcher waits for none.
 *
 *	hot call -> recorder -> dispatcher -> picture -> journal
 *	                                             `-> disk thread (outbox), pager (receivers)
 *
 * Functions here are for control calls, one at a time, unless they say otherwise.
 */
#ifndef TOCSIN_DISPATCH_DISPATCHER_H
#define TOCSIN_DISPATCH_DISPATCHER_H

#include <stdatomic.h>
#include "base/tick_clock.h"
#include "base/host_log.h"
#include "record/recorder.h"
#include "settings/settings.h"
#include "tocsin_plugin.h"

struct dispatcher;

/* Calls that could not be read: hot calls count and mark them, the dispatcher tells each kind once.
 */
struct refusals {
	_Atomic uint64_t count;
	_Atomic uint32_t kinds; /* bits of enum refusal */
};

/* Why a call was refused, and which. */
enum refusal { REFUSAL_KIND, REFUSAL_SIZE, REFUSAL_NULL, REFUSAL_ID, REFUSALS };
enum refusal_call {
	REFUSAL_ON_SESSION,
	REFUSAL_ON_HEALTH,
	REFUSAL_ON_ALERT,
	REFUSAL_STATS, /* marked, not counted: it is no event */
	REFUSAL_CALLS
};
#define REFUSAL_BIT(call, why) (1u << ((unsigned)(call)*REFUSALS + (unsigned)(why)))

struct rescue_options;

struct dispatcher_options {
	/* These must outlive the dispatcher. Where an engine of that name lives already, name and
	 * folders of the settings become those of NAME.2, NAME.3, ... */
	struct settings *settings;
	/* Not NULL: there is no engine, only dead runs to be told of. Then -EBUSY where the engine
	 * lives; nothing is to be pushed. */
	const struct rescue_options *rescue;
	struct refusals *refusals;
	struct tick_clock *clock;  /* all zero: what pushes are stamped with. NULL: nothing is */
	struct host_log *host_log; /* it is told of troubles */
	int unwiped_error;         /* MADV_WIPEONFORK's, to be told; 0: none */
	unsigned outbox_batch;     /* pages read from the outbox at a time; 0: OUTBOX_SCAN_MAX */
};

/*
 * Makes the recorder, the log and the outbox, and starts the threads. -errno: *ret is then NULL, or
 * what still has threads, which nothing but dispatcher_stop and then dispatcher_free is for.
 */
int dispatcher_start(const struct dispatcher_options *o, struct dispatcher **ret);

/* For pushes; lives as long as the dispatcher. */
struct recorder *dispatcher_recorder(struct dispatcher *d);
/* The codes it knows; lives as long as the dispatcher and never changes. */
const struct runbooks *dispatcher_runbooks(const struct dispatcher *d);

/* level: TOCSIN_FLUSH_*. -ETIMEDOUT. */
int dispatcher_flush(struct dispatcher *d, uint32_t level, uint64_t timeout_ns);
/* *ret: heap, JSON. -ETIMEDOUT, -ENOMEM. */
int dispatcher_snapshot(struct dispatcher *d, uint64_t timeout_ns, char **ret, size_t *ret_len);
/* The same before a start: nothing has happened yet. */
int dispatcher_snapshot_empty(const struct settings *s, char **ret, size_t *ret_len);
/* What a rescue has done so far; once a flush has returned. */
struct rescue_report;
void dispatcher_rescued(const struct dispatcher *d, struct rescue_report *ret);
/* Has a rescue given up, because somebody else is at it? At any time. */
bool dispatcher_was_refused(const struct dispatcher *d);
/* Does an engine of that name live? For a rescue, which makes room for it. */
bool dispatcher_engine_lives(const struct dispatcher *d);
/* Any thread. Fills all but refused. */
void dispatcher_stats(const struct dispatcher *d, tocsin_stats *ret);

/*
 * Applies what the recorder holds, delivers what it can, ends the threads. -ETIMEDOUT: call again.
 * -EIO: it has stopped, but could not read all events, or pages go with it that are in no file.
 */
int dispatcher_stop(struct dispatcher *d, uint64_t timeout_ns);
/*
 * Tells the log and the host a line about a control call that was refused. d: NULL before the
 * start; then, and once the log's thread has ended, the log gets it at once or not at all.
 */
void dispatcher_tell_refusal(struct dispatcher *d, const struct settings *s,
			     struct host_log *host_log, const char *text);
/* Have all threads ended? */
bool dispatcher_has_stopped(const struct dispatcher *d);
/* Once it has stopped. Takes NULL. */
void dispatcher_free(struct dispatcher *d);

#endif

/* SPDX-License-Identifier: MIT */
/* An instance's inside, shared by the boundary's files: calls.c (hot), plugin.c (control), and
 * refusals.c (what a host is told). */
#ifndef TOCSIN_PLUGIN_INSTANCE_H
#define TOCSIN_PLUGIN_INSTANCE_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/tick_clock.h"
#include "dispatch/dispatcher.h"
#include "base/host_log.h"
#include "record/record.h"
#include "record/recorder.h"
#include "settings/settings.h"
#include "tocsin_plugin.h"

/* What a struct of the first version's measures, whatever was appended since. */
#define SIZE_UP_TO(type, member) (offsetof(type, member) + sizeof(((type *)NULL)->member))

enum state { STATE_FORKED = 0, STATE_CREATED, STATE_ACTIVE, STATE_STOPPING, STATE_STOPPED };

/*
 * Lives in a page of its own that fork wipes, or else marks: in a forked child each call finds it
 * in no state at all, at no cost. What hot calls read comes first.
 */
struct tocsin_instance {
	_Atomic uint32_t state;
	struct recorder_producer producer; /* of the recorder */
	const struct runbooks *runbooks;
	struct tick_clock clock;
	struct refusals refusals;
	struct dispatcher *dispatcher;
	struct dispatcher *unstarted; /* of a start that failed: its threads could not be ended */
	struct settings *settings;
	atomic_bool fork_told;
	_Atomic uint64_t calls_told; /* refused control calls that were told: refusals.c's bits */
	void *self;                  /* the reference on this library, from start to destroy */
	int unwiped_error; /* why fork does not wipe this page, and a handler has to mark it; 0 */
};

/* What a forked child needs to say that it is one: in the next page, which fork copies. */
struct instance_kept {
	struct host_log host_log;
};

#define INSTANCE_PAGE 4096

static inline struct instance_kept *instance_kept(tocsin_instance *i)
{
	return (struct instance_kept *)(void *)((uint8_t *)i + INSTANCE_PAGE);
}

static inline enum state instance_state(const tocsin_instance *i)
{
	/* Acquire: pairs with the release in instance_enter, so active means all is there. */
	return (enum state)atomic_load_explicit(&i->state, memory_order_acquire);
}

static inline void instance_enter(tocsin_instance *i, enum state state)
{
	atomic_store_explicit(&i->state, (uint32_t)state, memory_order_release);
}

/* The one place where -errno becomes TOCSIN_E_*. */
static inline tocsin_rc rc_of(int error)
{
	switch (-error) {
	case 0:
		return TOCSIN_OK;
	case ETIMEDOUT:
		return TOCSIN_E_TIMEOUT;
	case ENOMEM:
		return TOCSIN_E_NOMEM;
	case ENOBUFS:
		return TOCSIN_E_FULL;
	default:
		return TOCSIN_E_IO;
	}
}

static inline bool str_is_readable(tocsin_str s)
{
	return s.ptr || s.len == 0;
}

/* plugin.c: TOCSIN_E_STATE, for a hot call that comes in the wrong state, or any in a forked child,
 * which is told so. */
void instance_tell_fork(tocsin_instance *i);

static inline tocsin_rc instance_refuse(tocsin_instance *i)
{
	instance_tell_fork(i);
	return TOCSIN_E_STATE;
}

/*
 * refusals.c: the result of a control call that is refused, after the host and the log were told
 * why: it comes in the wrong state; or `rc` (E_ARG, E_NOMEM) for the reason `why`, which says what
 * to do. Once for each call and reason.
 */
enum call { CALL_START, CALL_FLUSH, CALL_SNAPSHOT, CALL_STOP, CALLS };
tocsin_rc instance_refuse_state(tocsin_instance *i, enum call call);
tocsin_rc instance_refuse_call(tocsin_instance *i, enum call call, tocsin_rc rc, const char *why);

/* calls.c */
tocsin_rc calls_on_session(tocsin_instance *i, const tocsin_session_event *e);
tocsin_rc calls_on_health(tocsin_instance *i, const tocsin_health_event *e);
tocsin_rc calls_on_alert(tocsin_instance *i, const tocsin_alert_event *e, uint64_t *ret_number);

#endif

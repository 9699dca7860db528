/* SPDX-License-Identifier: MIT */
/*
 * Reports a refused control call to the host and to the log: which call, why, and what to do. This
 * is done once for each call and reason of an instance, so a host that polls gets one line.
 */
#include "config.h"
#include "instance.h"

#include <stdio.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/guest.h"

static const char *const call_names[CALLS] = {
	[CALL_START] = "start",
	[CALL_FLUSH] = "flush",
	[CALL_SNAPSHOT] = "snapshot",
	[CALL_STOP] = "stop",
};

static const char *const rc_names[] = {
	[-TOCSIN_E_ARG] = "TOCSIN_E_ARG",
	[-TOCSIN_E_STATE] = "TOCSIN_E_STATE",
	[-TOCSIN_E_NOMEM] = "TOCSIN_E_NOMEM",
};

/* Reasons are numbered by state, and past the states by result. */
#define REASONS (STATE_STOPPED + 1 + sizeof rc_names / sizeof *rc_names)
_Static_assert(CALLS *REASONS <= 64, "a bit for each call and reason");

static const char *state_text(const tocsin_instance *i)
{
	switch (instance_state(i)) {
	case STATE_CREATED:
		return i->unstarted ? "the start of this instance has failed, and threads of it "
				      "are left: destroy it and create another"
				    : "this instance has not been started: call start first, and "
				      "see that it succeeds";
	case STATE_ACTIVE:
		return "this instance is active already: start it once";
	case STATE_STOPPING:
		return "a stop of this instance was not over in its time: call stop again until "
		       "it is, then destroy it";
	default:
		return "this instance is stopped and cannot be used or started again: destroy it "
		       "and create another";
	}
}

static tocsin_rc refuse(tocsin_instance *i, enum call call, tocsin_rc rc, unsigned reason,
			const char *why)
{
	uint64_t bit = UINT64_C(1) << (call * REASONS + reason);
	char text[256];

	if (atomic_fetch_or(&i->calls_told, bit) & bit)
		return rc;
	_cleanup_(guest_leave) struct guest guest = guest_enter();
	snprintf(text, sizeof text, "%s was refused with %s: %s", call_names[call], rc_names[-rc],
		 why);
	dispatcher_tell_refusal(i->dispatcher, i->settings, &instance_kept(i)->host_log, text);
	return rc;
}

tocsin_rc instance_refuse_state(tocsin_instance *i, enum call call)
{
	if (instance_state(i) == STATE_FORKED)
		return instance_refuse(i);
	return refuse(i, call, TOCSIN_E_STATE, instance_state(i), state_text(i));
}

tocsin_rc instance_refuse_call(tocsin_instance *i, enum call call, tocsin_rc rc, const char *why)
{
	return refuse(i, call, rc, STATE_STOPPED + 1 + (unsigned)-rc, why);
}

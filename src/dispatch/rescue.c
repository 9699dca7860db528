/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "dispatch/rescue.h"

#include <errno.h>
#include <time.h>

#include "base/moment.h"
#include "dispatch/dispatcher.h"

#define LOOK_NS (5 * NS_PER_MS) /* how soon a started engine is seen */
#define STOP_NS NS_PER_S

static void sleep_ns(uint64_t ns)
{
	struct timespec t = { .tv_nsec = (long)ns };

	nanosleep(&t, NULL);
}

static uint64_t pages_pending(const struct dispatcher *d)
{
	tocsin_stats stats = { .size = sizeof stats };

	dispatcher_stats(d, &stats);
	return stats.pages_pending;
}

/* Until all pages are taken, the time is over, or the engine is there to go on with them. */
static void pages_wait(struct dispatcher *d, uint64_t drain_ns)
{
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t until_ns = drain_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + drain_ns;

	/* Answered only after the recovery. */
	while (dispatcher_flush(d, TOCSIN_FLUSH_DURABLE, LOOK_NS) == -ETIMEDOUT)
		if (clock_monotonic_ns() >= until_ns || dispatcher_was_refused(d))
			return;
	while (pages_pending(d) > 0 && clock_monotonic_ns() < until_ns &&
	       !dispatcher_engine_lives(d))
		sleep_ns(LOOK_NS);
}

int rescue_run(struct settings *s, const struct rescue_options *o, struct rescue_report *ret)
{
	static const tocsin_host nobody = { .size = sizeof nobody };
	struct host_log host_log = { .host = o->host ? o->host : &nobody };
	struct refusals refusals = { 0 };
	struct dispatcher_options options = {
		.settings = s,
		.rescue = o,
		.refusals = &refusals,
		.host_log = &host_log,
	};
	struct dispatcher *d;
	int r = dispatcher_start(&options, &d);

	if (r < 0)
		return r;
	pages_wait(d, o->drain_ns);
	/* What was not taken by now is left: this is for the disk and the log. */
	do
		r = dispatcher_stop(d, STOP_NS);
	while (r == -ETIMEDOUT);
	dispatcher_rescued(d, ret);
	dispatcher_free(d);
	return ret->refused ? -EBUSY : r;
}

/* SPDX-License-Identifier: MIT */
/*
 * What the dispatcher's thread does when there is no memory.
 *
 * An event is applied whole or not at all. It begins only when the reserve is full, or when some
 * memory could be had to fill it up: so there is memory to be had at that moment. What has begun is
 * finished: a step that finds no memory changes nothing, a piece of the reserve is given back to
 * the allocator, libraries' needs included, and the step is tried again; with no piece left it is
 * tried again every millisecond.
 *
 * Where none can be had, an event waits for a second. Then it is passed over, counted and reported
 * once, unless it is of the class that a P1 belongs to: such an event begins for as long as the
 * reserve has pieces, and waits for them for as long as it takes.
 *
 * A stop whose time is over ends the waiting. What is undone then is behind every checkpoint: the
 * recorder stays, and the next run does it.
 */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <syslog.h>

#include "codes/runbooks.h"

#define PATIENCE_NS NS_PER_S
#define LOOK_NS NS_PER_MS
#define TELL_EVERY_NS (10 * NS_PER_S)

/* Is it full, or could some of it be had? */
static bool reserve_fill(struct memory_reserve *m)
{
	bool had = m->n == MEMORY_PIECES;

	while (m->n < MEMORY_PIECES) {
		void *piece = malloc(MEMORY_PIECE_SIZE);

		if (!piece)
			break;
		m->pieces[m->n++] = piece;
		had = true;
	}
	return had;
}

void dispatcher_memory_begin(struct dispatcher *d)
{
	reserve_fill(&d->memory);
}

void dispatcher_memory_done(struct dispatcher *d)
{
	while (d->memory.n > 0)
		free(d->memory.pieces[--d->memory.n]);
}

/* False: a stop has no time left for it. */
static bool memory_pause(struct dispatcher *d)
{
	if (!d->memory.given_up && dispatcher_is_over(d))
		d->memory.given_up = true;
	if (!d->memory.given_up)
		dispatcher_pause(d, LOOK_NS);
	return !d->memory.given_up;
}

bool dispatcher_memory_wait(void *userdata)
{
	struct dispatcher *d = userdata;

	if (d->memory.given_up)
		return false;
	if (d->memory.n == 0)
		return memory_pause(d);
	free(d->memory.pieces[--d->memory.n]);
	return true;
}

/* Those for which the recorder gives its last slot too. */
static bool event_is_first(const struct dispatcher *d, const struct record *r)
{
	if (r->type == RECORD_ALERT)
		return r->kind == TOCSIN_ALERT_CLEAR ||
		       (r->priority > 0 ? r->priority
					: runbooks_find(d->runbooks, r->code)->priority) == 1;
	if (r->type == RECORD_SESSION)
		return false;
	return r->kind != TOCSIN_HEALTH_HEARTBEAT && r->kind != TOCSIN_HEALTH_FEED_PULSE &&
	       r->kind != TOCSIN_HEALTH_EXECUTION_ERROR && r->kind != TOCSIN_HEALTH_METADATA;
}

static enum recorder_loss loss_of(const struct dispatcher *d, const struct record *r)
{
	uint32_t priority = r->priority;

	if (r->type != RECORD_ALERT)
		return RECORDER_LOSS_OTHER;
	if (priority == 0)
		priority = runbooks_find(d->runbooks, r->code)->priority;
	return priority == 2 ? RECORDER_LOSS_P2 : RECORDER_LOSS_P3;
}

bool dispatcher_memory_ready(struct dispatcher *d, const struct record *r)
{
	uint64_t until_ns = 0;

	while (!d->memory.given_up && !reserve_fill(&d->memory)) {
		uint64_t now_ns = clock_monotonic_ns();

		if (until_ns == 0)
			until_ns = now_ns + PATIENCE_NS;
		if (event_is_first(d, r)) {
			if (d->memory.n > 0)
				return true;
		} else if (now_ns >= until_ns) {
			atomic_fetch_add_explicit(&d->passed_over[loss_of(d, r)], 1,
						  memory_order_relaxed);
			return false;
		}
		memory_pause(d);
	}
	return !d->memory.given_up;
}

void dispatcher_memory_tell(struct dispatcher *d, uint64_t now_ns)
{
	uint64_t passed[RECORDER_N_LOSSES], sum = 0;

	for (unsigned i = 0; i < RECORDER_N_LOSSES; i++) {
		passed[i] = atomic_load_explicit(&d->passed_over[i], memory_order_relaxed);
		sum += passed[i];
	}
	if (sum == d->memory.told ||
	    (d->memory.told_ns > 0 && now_ns - d->memory.told_ns < TELL_EVERY_NS) ||
	    !reserve_fill(&d->memory))
		return;
	dispatcher_note(
		d, ENTRY_KIND_TROUBLE, LOG_ERR,
		"%" PRIu64
		" events were skipped because there was no memory for a second (so far: P2 %" PRIu64
		", P3 %" PRIu64 ", other %" PRIu64
		"): give the engine more memory, or find out what uses it up",
		sum - d->memory.told, passed[RECORDER_LOSS_P2], passed[RECORDER_LOSS_P3],
		passed[RECORDER_LOSS_OTHER]);
	d->memory.told = sum;
	d->memory.told_ns = now_ns;
}

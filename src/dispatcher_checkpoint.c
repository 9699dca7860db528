/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "dispatcher_parts.h"

#include <syslog.h>

#include "record/numbers.h"

#define CHECKPOINT_EVERY_NS (50 * NS_PER_MS)

/* On the keeper's thread: numbers are reserved on disk before they can be used. */
static void numbers_extend(void *userdata)
{
	struct dispatcher *d = userdata;
	uint64_t end = recorder_head(d->recorder) + recorder_slots(d->recorder) + NUMBERS_AHEAD;
	int r = numbers_reserve(d->places.state, end);

	if (r < 0)
		journal_submit(
			d->journal,
			entry_of_note(&d->entry_context, ENTRY_KIND_TROUBLE, LOG_WARNING,
				      clock_realtime_ns(),
				      "the numbers of alerts cannot be reserved in the state "
				      "folder: a restart may give some a second time"));
	atomic_store(&d->reserved, end);
	atomic_store(&d->reserving, false);
}

static void numbers_look_ahead(struct dispatcher *d)
{
	uint64_t reserved = atomic_load(&d->reserved);

	if (reserved - d->next > NUMBERS_AHEAD / 2 || atomic_load(&d->reserving))
		return;
	atomic_store(&d->reserving, true);
	if (keeper_run(d->keeper, numbers_extend, d) < 0)
		atomic_store(&d->reserving, false);
}

static void candidate_take(struct dispatcher *d)
{
	struct candidate *c = &d->candidate;

	if (!d->picture || checkpoint_encode(d->picture, &c->state) < 0)
		return;
	c->waiting = true;
	c->position = d->next;
	c->journal_sequence = d->journal_sequence;
	c->posting_sequence = d->ledger.sequence;
}

/*
 * Passes events whose pages are safe and whose entries are written. When the ring runs full the log
 * is no longer waited for: what it has not taken by then may be lost to a crash, a page never.
 */
static void candidate_publish(struct dispatcher *d, bool pressed)
{
	struct candidate *c = &d->candidate;

	if (!ledger_is_safe(&d->ledger, c->posting_sequence) ||
	    (!pressed && journal_settled(d->journal) < c->journal_sequence) ||
	    c->position + recorder_slots(d->recorder) > atomic_load(&d->reserved))
		return;
	recorder_checkpoint(d->recorder, c->position, d->wall_offset_ns, c->state.ptr,
			    c->state.len);
	d->checkpoint_position = c->position;
	c->waiting = false;
}

void dispatcher_checkpoint(struct dispatcher *d, uint64_t now_ns)
{
	uint64_t slots = recorder_slots(d->recorder), used = recorder_used(d->recorder);

	if (!d->candidate.waiting && d->checkpoint_position != d->next &&
	    (used > slots / 8 || now_ns - d->checkpoint_at_ns >= CHECKPOINT_EVERY_NS)) {
		candidate_take(d);
		d->checkpoint_at_ns = now_ns;
	}
	if (d->candidate.waiting)
		candidate_publish(d, used > slots / 2);
	numbers_look_ahead(d);
}

void dispatcher_checkpoint_last(struct dispatcher *d)
{
	candidate_take(d);
	candidate_publish(d, true);
}

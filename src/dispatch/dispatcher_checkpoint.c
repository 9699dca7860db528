/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "engine/saved_picture.h"
#include "record/numbers.h"

#define CHECKPOINT_EVERY_NS (50 * NS_PER_MS)
/* How long the disk may take to keep entries before it counts as hanging. */
#define OWE_PATIENCE_NS (2 * NS_PER_S)

/* On the disk thread: numbers are reserved on disk before they can be used. */
static void numbers_extend(void *userdata)
{
	struct dispatcher *d = userdata;
	uint64_t end = recorder_head(d->recorder) + recorder_slots(d->recorder) + NUMBERS_AHEAD;
	int r = numbers_reserve(folders_state(&d->folders), end);

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
	if (disk_thread_run(d->disk_thread, numbers_extend, d) < 0)
		atomic_store(&d->reserving, false);
}

static void candidate_take(struct dispatcher *d)
{
	struct candidate *c = &d->candidate;

	/* It passes no event that is undone. */
	if (d->memory.given_up || !d->picture || checkpoint_encode(d->picture, &c->state) < 0)
		return;
	c->waiting = true;
	c->changes = d->changes;
	c->position = d->next;
	c->journal_sequence = d->journal_sequence;
	c->delivery_sequence = d->delivery_index.sequence;
}

/* On the disk thread. */
static void owed_keep(void *userdata)
{
	struct dispatcher *d = userdata;

	atomic_store(&d->owe_failed, journal_owe(d->journal, atomic_load(&d->owed_asked)) < 0);
	atomic_store(&d->owing, false);
}

/* The disk refuses to keep entries, or hangs. */
static bool owing_is_vain(struct dispatcher *d)
{
	return atomic_load(&d->owe_failed) ||
	       (atomic_load(&d->owing) &&
		clock_monotonic_ns() - d->owing_since_ns > OWE_PATIENCE_NS);
}

/*
 * Is what the log must be told up to there out of a crash's reach? While the ring has room it waits
 * for the log to be written. When it runs full, P1 entries are kept on disk instead, and the others
 * may be lost to a crash. Only where the disk does not take them either are they in memory alone,
 * since a new P1's page is worth more than an old one's entry.
 */
static bool entries_are_safe(struct dispatcher *d, uint64_t sequence, bool pressed)
{
	if (journal_settled(d->journal) >= sequence)
		return true;
	if (!pressed)
		return false;
	if (d->folders.state < 0 || journal_secured(d->journal) >= sequence)
		return true;
	bool vain = owing_is_vain(d);
	if (!atomic_exchange(&d->owing, true)) {
		d->owing_since_ns = clock_monotonic_ns();
		atomic_store(&d->owed_asked, sequence);
		int r = disk_thread_run(d->disk_thread, owed_keep, d);

		if (r < 0) {
			atomic_store(&d->owe_failed, r != -ENOMEM);
			atomic_store(&d->owing, false);
		}
	}
	return vain && recorder_used(d->recorder) > recorder_slots(d->recorder) / 8 * 7;
}

static int saved_picture_leave(struct dispatcher *d, const struct candidate *c)
{
	struct saved_picture saved_picture = {
		.kind = SAVED_PICTURE_RESCUED,
		.first_position = d->recovery.last_first_position,
		.wall_offset_ns = d->wall_offset_ns,
		.state = c->state.ptr,
		.len = c->state.len,
	};

	memcpy(saved_picture.epoch, d->recovery.last_epoch, sizeof saved_picture.epoch);
	return d->folders.state < 0
		       ? 0
		       : saved_picture_write(folders_state(&d->folders), &saved_picture);
}

/* Passes events whose pages are safe and whose entries are written. */
static void candidate_publish(struct dispatcher *d, bool pressed)
{
	struct candidate *c = &d->candidate;

	if (!delivery_index_is_safe(&d->delivery_index, c->delivery_sequence) ||
	    !entries_are_safe(d, c->journal_sequence, pressed) ||
	    c->position + recorder_slots(d->recorder) > atomic_load(&d->reserved))
		return;
	if (d->rescue) {
		if (saved_picture_leave(d, c) < 0)
			return; /* the dead runs stay, and with them the picture */
	} else {
		recorder_checkpoint(d->recorder, c->position, d->wall_offset_ns, c->state.ptr,
				    c->state.len);
	}
	d->checkpoint_position = c->position;
	d->changes_kept = c->changes;
	c->waiting = false;
	dispatcher_recovered(d);
}

void dispatcher_checkpoint(struct dispatcher *d, uint64_t now_ns)
{
	uint64_t slots = recorder_slots(d->recorder), used = recorder_used(d->recorder);

	bool change = d->changes != d->changes_kept || d->recovery.pending;

	if (!d->candidate.waiting && change &&
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
	/* With nothing left behind by anybody, a rescue leaves nothing either. */
	if (d->rescue && d->recovery.n_runs == 0 && !d->recovery.saved_picture)
		return;
	candidate_take(d);
	candidate_publish(d, true);
}

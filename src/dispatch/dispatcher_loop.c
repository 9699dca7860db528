/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/exit_gate.h"
#include "base/thread.h"
#include "codes/runbooks.h"

#define BATCH 1024                      /* records between two looks at anything else */
#define PAUSE_BUSY_NS (1 * NS_PER_MS)   /* the poll while events come */
#define PAUSE_IDLE_NS (20 * NS_PER_MS)  /* and at most */
#define PAUSE_ASKED_NS (NS_PER_MS / 4)  /* while a control call waits for an answer */
#define LOSSES_EVERY_NS (10 * NS_PER_S) /* refusals are told at most this often */

/* --- Time --- */

/* When a call was made. Nothing comes from the future: a machine that has slept may have stamped so
 * until the next look at its counter, and what is dated hours ahead would look fresh for as long.
 */
static uint64_t time_of_call(struct dispatcher *d, const struct record *r)
{
	if (r->mono_ns > d->latest_ns)
		d->latest_ns = clock_monotonic_ns();
	return r->mono_ns < d->latest_ns ? r->mono_ns : d->latest_ns;
}

/* With the events' clock both times of a moment are the event's own. */
static struct moment moment_of(struct dispatcher *d, const struct record *r)
{
	uint64_t clock_ns = time_of_call(d, r);
	uint64_t wall_ns = r->wall_ns > 0 ? r->wall_ns : clock_ns + (uint64_t)d->wall_offset_ns;
	bool by_events = d->settings->clock_source == CLOCK_SOURCE_EVENT;

	return (struct moment){ by_events ? wall_ns : clock_ns, wall_ns };
}

/* The present; with the events' clock, the latest event's. */
struct moment dispatcher_now(const struct dispatcher *d)
{
	if (d->settings->clock_source == CLOCK_SOURCE_EVENT)
		return d->picture ? picture_now(d->picture) : (struct moment){ 0, 0 };
	uint64_t clock_ns = clock_monotonic_ns();
	return (struct moment){ clock_ns, clock_ns + (uint64_t)d->wall_offset_ns };
}

int dispatcher_picture_new(struct dispatcher *d, const uint8_t epoch[static RECORDER_EPOCH_SIZE],
			   struct moment at, struct picture **ret)
{
	const struct settings *s = d->settings;
	struct picture_settings settings = {
		.alerts = {
			.repeat_interval_ns = s->repeat_interval_ns,
			.rise_again_after_ns = s->rise_again_after_ns,
			.event_expires_ns = s->event_expires_ns,
			.has_page_after = s->has_page_after,
			.page_after_ns = s->page_after_ns,
			.max_pages_per_minute = s->max_pages_per_minute,
			.lookup = runbooks_facts,
			.lookup_userdata = d->runbooks,
		},
		.heartbeat_timeout_ns = s->heartbeat_timeout_ns,
		.thresholds = s->thresholds,
		.sources = s->sources,
		.n_sources = s->n_sources,
		.risk = true,
		.execution_errors = true,
		.session_failures = true,
		.endpoints = d->endpoint_names,
		.n_endpoints = s->n_endpoints,
		.wait_for_memory = dispatcher_memory_wait,
		.wait_userdata = d,
	};
	int r;

	for (unsigned i = 0; i < s->n_endpoints; i++)
		settings.alerts.paged_priorities |= s->endpoints[i].priorities;
	memcpy(settings.alerts.epoch, epoch, RECORDER_EPOCH_SIZE);
	do
		r = picture_new(&settings, at, dispatcher_tell, d, ret);
	while (r == -ENOMEM && dispatcher_memory_wait(d));
	return r;
}

/* With the events' clock there is no time, and no picture, before the first event. */
static bool picture_begin(struct dispatcher *d, struct moment at)
{
	return d->picture ||
	       dispatcher_picture_new(d, recorder_epoch(d->recorder), at, &d->picture) == 0;
}

/* --- Records --- */

/* Of what was refused the last time is known, and of the first that it came after the last look
 * that found nothing. */
static void losses_note(struct dispatcher *d)
{
	uint64_t last_ns = recorder_last_loss(d->recorder);

	if (last_ns == d->last_loss_ns || !d->picture ||
	    d->settings->clock_source != CLOCK_SOURCE_SYSTEM)
		return;
	picture_note_loss(d->picture, d->lossless_ns < last_ns ? d->lossless_ns : last_ns, last_ns);
	d->last_loss_ns = last_ns;
}

static void record_apply(struct dispatcher *d, const uint8_t *bytes, size_t len, uint64_t position)
{
	struct record r;

	if (record_decode(bytes, len, &r) < 0) {
		if (!d->damage_told)
			dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_ERR,
					"event %" PRIu64
					" in the recorder is damaged: something in "
					"this process writes where it should not",
					position);
		d->damage_told = true;
		return;
	}
	struct moment at = moment_of(d, &r);
	/* Calls refused before this one are known by now: the stamp came after their count. What
	 * falls due before this record must not be put down to an engine that was silent. */
	losses_note(d);
	if (!dispatcher_memory_ready(d, &r)) {
		/* What is silent now is so because of us. */
		if (d->picture && d->settings->clock_source == CLOCK_SOURCE_SYSTEM)
			picture_note_loss(d->picture, at.clock_ns, at.clock_ns);
		return;
	}
	if (picture_begin(d, at)) {
		picture_apply(d->picture, &r, position, at);
		dispatcher_look_at_names(d, at);
	}
	if (at.wall_ns > d->last_event_wall_ns)
		d->last_event_wall_ns = at.wall_ns;
	d->changes++;
	atomic_fetch_add_explicit(&d->applied, 1, memory_order_relaxed);
}

/* What a batch has left. */
enum rest { REST_NONE, REST_MORE, REST_BLOCKED }; /* blocked: the next one is being written */

static unsigned records_drain(struct dispatcher *d, enum rest *ret_rest)
{
	const uint8_t *bytes;
	uint64_t position;
	size_t len;
	unsigned n;
	int r = 1;

	for (n = 0; n < BATCH && !d->memory.given_up; n++) {
		r = recorder_next(d->recorder, &bytes, &len, &position, &d->next);
		if (r <= 0)
			break;
		record_apply(d, bytes, len, position);
	}
	*ret_rest = d->memory.given_up ? REST_MORE
		    : r == 0           ? REST_NONE
		    : r == -EAGAIN     ? REST_BLOCKED
				       : REST_MORE;
	return n;
}

/* --- What went wrong in calls --- */

static void refusals_tell(struct dispatcher *d)
{
	static const char *const calls[REFUSAL_CALLS] = { "on_session", "on_health", "on_alert",
							  "stats" };
	static const char *const reasons[REFUSALS] = {
		[REFUSAL_KIND] = "this version does not know its kind",
		[REFUSAL_SIZE] = "its size is below the first version's",
		[REFUSAL_NULL] = "a pointer is NULL although it has a length, or a struct is NULL",
		[REFUSAL_ID] = "its session_id is empty",
	};
	uint32_t kinds = atomic_load_explicit(&d->refusals->kinds, memory_order_relaxed);

	for (unsigned bit = 0; kinds != d->refusals_told && bit < REFUSAL_CALLS * REFUSALS; bit++)
		if (kinds & ~d->refusals_told & (1u << bit))
			dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
					"%s %s was refused: %s; correct the engine's call (further "
					"calls like it are counted, not reported)",
					bit / REFUSALS == REFUSAL_STATS ? "a call of"
									: "an event given to",
					calls[bit / REFUSALS], reasons[bit % REFUSALS]);
	d->refusals_told = kinds;
}

static void losses_tell(struct dispatcher *d, uint64_t now_ns)
{
	static const char *const names[RECORDER_N_LOSSES] = { "P1", "P2", "P3", "other" };
	uint64_t losses[RECORDER_N_LOSSES], sum = 0;

	for (unsigned i = 0; i < RECORDER_N_LOSSES; i++) {
		losses[i] = recorder_losses(d->recorder, i);
		sum += losses[i];
	}
	if (sum == d->losses_told)
		return;
	losses_note(d);
	if (d->losses_told_ns > 0 && now_ns - d->losses_told_ns < LOSSES_EVERY_NS)
		return;
	dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
			"%" PRIu64 " events were refused because the recorder was full (so far: "
			"%s %" PRIu64 ", %s %" PRIu64 ", %s %" PRIu64 ", %s %" PRIu64
			"): make recorder.size larger, or send less",
			sum - d->losses_told, names[0], losses[0], names[1], losses[1], names[2],
			losses[2], names[3], losses[3]);
	d->losses_told = sum;
	d->losses_told_ns = now_ns;
}

/* --- Control calls --- */

static bool flush_is_done(struct dispatcher *d, struct request *r)
{
	r->waits_for = "pages are not on disk yet";
	if (!delivery_index_is_safe(&d->delivery_index, r->delivery_sequence))
		return false;
	r->waits_for = "pages are not delivered yet";
	if (r->level == TOCSIN_FLUSH_DELIVERED && !r->delivered) {
		if (!delivery_index_is_delivered(&d->delivery_index, r->delivery_sequence) ||
		    pager_is_telling(d->pager))
			return false;
		/* What the log is told of the delivery belongs to it. */
		r->delivered = true;
		r->journal_sequence = journal_submit(d->journal, NULL);
	}
	r->waits_for = "the log has not taken all entries yet";
	return journal_settled(d->journal) >= r->journal_sequence;
}

/* Called with the lock held. */
static void request_step(struct dispatcher *d)
{
	struct request *r = &d->request;

	if (r->kind == REQUEST_NONE || r->done)
		return;
	if (!r->applied && d->next >= r->target && !d->memory.given_up) {
		r->applied = true;
		r->journal_sequence = d->journal_sequence;
		r->delivery_sequence = d->delivery_index.sequence;
	}
	if (!r->applied)
		return;
	if (r->kind == REQUEST_SNAPSHOT) {
		r->result = dispatcher_render(d, &r->text, &r->text_len);
		r->done = true;
	} else {
		r->done = flush_is_done(d, r);
		/* Once the process exits nothing is delivered any more. */
		if (exit_gate_is_shut() && r->level == TOCSIN_FLUSH_DELIVERED && !r->delivered &&
		    delivery_index_is_safe(&d->delivery_index, r->delivery_sequence)) {
			r->result = -ETIMEDOUT;
			r->done = true;
		}
	}
	if (r->done)
		pthread_cond_signal(&d->answered);
}

/* --- The loop --- */

struct pace {
	bool stop_seen; /* by the turn before: what was pushed before the stop is drained in this */
	uint64_t stop_by_ns; /* once it was seen */
	uint64_t busy_at_ns;
	uint64_t pause_ns;
};

/* How long until the next look, at most. Called with the lock held. */
static uint64_t loop_pause(const struct dispatcher *d, struct pace *pace, bool busy, bool blocked,
			   uint64_t now_ns)
{
	/* Without its file the recorder is in memory alone: a P1 is not left in it for long. */
	if (busy || d->lost) {
		pace->busy_at_ns = now_ns;
		pace->pause_ns = PAUSE_BUSY_NS;
	} else if (now_ns - pace->busy_at_ns > 50 * NS_PER_MS) {
		pace->pause_ns += pace->pause_ns / 2;
		if (pace->pause_ns > PAUSE_IDLE_NS)
			pace->pause_ns = PAUSE_IDLE_NS;
	}
	bool asked = d->request.kind != REQUEST_NONE && !d->request.done;
	uint64_t pause_ns = asked || d->stopping ? PAUSE_ASKED_NS : pace->pause_ns;

	/* While the reader is blocked no deadline fires, so none is waited for. */
	if (d->picture && !blocked && d->settings->clock_source == CLOCK_SOURCE_SYSTEM) {
		uint64_t deadline = picture_next_deadline(d->picture);

		if (deadline <= now_ns)
			return 0;
		if (deadline - now_ns < pause_ns)
			pause_ns = deadline - now_ns;
	}
	return pause_ns;
}

/*
 * A control call ends the sleep, an event never does. A semaphore, because an idle engine pays for
 * each look: it is one system call where a condition variable takes several.
 */
static void loop_sleep(struct dispatcher *d, uint64_t pause_ns)
{
	struct timespec until = cond_deadline(pause_ns);

	if (pause_ns > 0)
		sem_clockwait(&d->asked, CLOCK_MONOTONIC, &until);
}

/* Is there nothing left to do, or no time left to do it? Called with the lock held. */
static bool loop_is_over(struct dispatcher *d, struct pace *pace, enum rest rest, uint64_t now_ns)
{
	bool seen = pace->stop_seen;

	pace->stop_seen = d->stopping;
	pace->stop_by_ns = d->stop_by_ns;
	if (!d->stopping || !seen)
		return false;
	bool safe = delivery_index_is_safe(&d->delivery_index, d->delivery_index.sequence);
	d->clean = rest == REST_NONE && !d->memory.given_up && safe;
	/* All calls have returned: a thread that is still inside one may never go on. */
	if (rest == REST_BLOCKED && dispatcher_blockage_is_told(d) && safe)
		return true;
	return d->clean || d->memory.given_up || now_ns >= d->stop_by_ns;
}

static bool loop_turn(struct dispatcher *d, struct pace *pace)
{
	/* Read before the ring: a record that comes later is not older than this, but for the few
	 * us by which the calls' clock may be behind. */
	uint64_t now_ns = clock_monotonic_ns();
	enum rest rest;

	if (recorder_last_loss(d->recorder) == d->last_loss_ns)
		d->lossless_ns = now_ns;
	d->wall_offset_ns = (int64_t)(clock_realtime_ns() - now_ns);
	if (d->clock)
		tick_clock_look(d->clock);
	unsigned n = records_drain(d, &rest);
	bool empty = rest == REST_NONE;

	dispatcher_watch_blockage(d, rest == REST_BLOCKED,
				  pace->stop_seen && now_ns >= pace->stop_by_ns, now_ns);
	dispatcher_watch_recorder(d, now_ns);
	refusals_tell(d);
	losses_tell(d, now_ns);
	dispatcher_memory_tell(d, now_ns);
	if (pace->stop_seen && empty && d->picture) {
		if (!d->rescue)
			picture_stop(d->picture, dispatcher_now(d));
		dispatcher_end_lost(d);
		picture_tell_summary(d->picture, dispatcher_now(d));
	}
	if (empty && d->picture && d->settings->clock_source == CLOCK_SOURCE_SYSTEM) {
		recorder_note_advance(d->recorder, now_ns);
		picture_advance(d->picture,
				(struct moment){ now_ns, now_ns + (uint64_t)d->wall_offset_ns });
	}
	dispatcher_watch_endpoints(d, now_ns);
	dispatcher_look_at_outbox(d, now_ns);
	dispatcher_checkpoint(d, now_ns);
	dispatcher_mark(d, now_ns);
	dispatcher_save(d, now_ns);
	dispatcher_look_at_control(d, now_ns);
	dispatcher_share(d, now_ns);
	dispatcher_tell_life(d, now_ns);

	pthread_mutex_lock(&d->lock);
	request_step(d);
	bool over = loop_is_over(d, pace, rest, now_ns);
	uint64_t pause_ns =
		n < BATCH ? loop_pause(d, pace, n > 0, rest == REST_BLOCKED, now_ns) : 0;
	pthread_mutex_unlock(&d->lock);
	if (!over)
		loop_sleep(d, pause_ns);
	return !over;
}

/* Takes the engine's name, then waits until the rest of the start is done. False: it is not to go
 * on. */
static bool start_await(struct dispatcher *d)
{
	int r = dispatcher_name(d);

	pthread_mutex_lock(&d->lock);
	d->plain = thread_is_plain();
	d->placed = thread_is_placed(d->settings->engine_cpus);
	d->name_error = r;
	d->named = true;
	pthread_cond_signal(&d->answered);
	while (!d->proceed && !d->stopping) {
		pthread_mutex_unlock(&d->lock);
		sem_wait(&d->asked);
		pthread_mutex_lock(&d->lock);
	}
	bool proceed = d->proceed;
	pthread_mutex_unlock(&d->lock);
	return proceed;
}

/* The recorder's lock tells that this run lives, as the name's does for the engine. */
static bool recorder_await(struct dispatcher *d)
{
	int r = recorder_hold(d->recorder);

	pthread_mutex_lock(&d->lock);
	d->hold_error = r;
	d->held = true;
	pthread_cond_signal(&d->answered);
	pthread_mutex_unlock(&d->lock);
	return r == 0;
}

static void name_release(struct dispatcher *d)
{
	if (d->engine_lock && !d->rescue && d->name_error == 0)
		lockfile_release(d->engine_lock);
}

void *dispatcher_main(void *arg)
{
	struct dispatcher *d = arg;
	struct pace pace = { .busy_at_ns = clock_monotonic_ns(), .pause_ns = PAUSE_BUSY_NS };

	if (!start_await(d) || !recorder_await(d)) {
		name_release(d);
		return NULL;
	}
	if (!d->rescue)
		dispatcher_tell_started(d);
	dispatcher_memory_begin(d);
	if (d->clock)
		tick_clock_begin(d->clock);
	if (dispatcher_recover(d)) {
		if (d->settings->clock_source == CLOCK_SOURCE_SYSTEM)
			picture_begin(d, dispatcher_now(d));
		while (loop_turn(d, &pace))
			;
		dispatcher_checkpoint_last(d);
		if (!d->rescue)
			dispatcher_share_last(d);
	}
	dispatcher_memory_done(d);
	dead_runs_release(&d->recovery.runs);
	/* In this order: a death in between is one that the next run knows everything of. Whoever
	 * finds the running file without its run and picture takes the host for dead. */
	d->recorder_stays = !d->clean || !dispatcher_save_last(d);
	if (d->clean && !d->rescue)
		dispatcher_unmark(d);
	dispatcher_reopen_recorder(d);
	recorder_release_hold(d->recorder, !d->recorder_stays);
	name_release(d);
	return NULL;
}

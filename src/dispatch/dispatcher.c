/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "dispatch/dispatcher.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/guest.h"
#include "base/text.h"
#include "base/thread.h"
#include "dispatch/dispatcher_parts.h"
#include "record/numbers.h"

/* Of a stop's time: kept back from draining, for the disk and the log. */
#define STOP_RESERVE_NS (500 * NS_PER_MS)

static uint64_t deadline_after(uint64_t timeout_ns)
{
	uint64_t now_ns = clock_monotonic_ns();

	return timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + timeout_ns;
}

static uint64_t time_left(uint64_t deadline_ns)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (deadline_ns == UINT64_MAX)
		return UINT64_MAX;
	return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}

/* --- Start --- */

int dispatcher_start(const struct dispatcher_options *o, struct dispatcher **ret)
{
	_cleanup_(guest_leave) struct guest guest = guest_enter();
	struct dispatcher *d = calloc(1, sizeof *d);

	*ret = NULL;
	if (!d) {
		struct failure failure = { 0 };

		failure_set(&failure, -ENOMEM, "allocation of the dispatcher");
		dispatcher_tell_failure_alone(o->settings, o->host_log, o->rescue != NULL,
					      failure.line);
		return -ENOMEM;
	}
	d->settings = o->settings;
	d->rescue = o->rescue;
	d->host_log = o->host_log;
	d->refusals = o->refusals;
	d->unwiped_error = o->unwiped_error;
	d->clock = o->clock;
	d->reading.cursor.max = o->outbox_batch;
	d->folders.runtime = d->folders.state = -1;
	d->mark_file.fd = -1;
	atomic_init(&d->outbox_claim, CLAIM_ASKED);
	pthread_mutex_init(&d->lock, NULL);
	pthread_mutex_init(&d->mark_lock, NULL);
	sem_init(&d->asked, 0, 0);
	cond_init(&d->answered);
	int r = dispatcher_begin(d, o->settings);
	if (r < 0) {
		if (r != -EBUSY || !o->rescue) /* that the engine lives is an answer */
			dispatcher_tell_failure(d, r);
		recorder_remove(d->recorder);
		dispatcher_stop(d, STOP_RESERVE_NS);
		if (!dispatcher_has_stopped(d))
			*ret = d;
		else
			dispatcher_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

static uint64_t pages_waiting(const struct dispatcher *d)
{
	return pager_pending(d->pager) + atomic_load_explicit(&d->behind, memory_order_relaxed);
}

bool dispatcher_was_refused(const struct dispatcher *d)
{
	return atomic_load(&d->recovery.refused);
}

void dispatcher_rescued(const struct dispatcher *d, struct rescue_report *ret)
{
	*ret = (struct rescue_report){
		.runs = (unsigned)d->recovery.n_runs,
		.events = d->recovery.events,
		.torn = d->recovery.torn,
		.delivered = pager_delivered(d->pager),
		.waiting = pages_waiting(d),
		.refused = dispatcher_was_refused(d),
	};
}

bool dispatcher_engine_lives(const struct dispatcher *d)
{
	int r = d->engine_lock ? lockfile_try(d->engine_lock) : 0;

	if (r >= 0 && d->engine_lock)
		lockfile_release(d->engine_lock);
	return r == -EBUSY;
}

struct recorder *dispatcher_recorder(struct dispatcher *d)
{
	return d->recorder;
}

const struct runbooks *dispatcher_runbooks(const struct dispatcher *d)
{
	return d->runbooks;
}

/* --- Control calls --- */

/* Asks the thread and waits for its answer, which is then in d->request; with the lock held. */
static int request_wait(struct dispatcher *d, struct request request, uint64_t timeout_ns)
{
	uint64_t deadline_ns = deadline_after(timeout_ns);
	int r = 0;

	request.target = recorder_head(d->recorder);
	free(d->request.text);
	d->request = request;
	sem_post(&d->asked);
	while (!d->request.done && r == 0) {
		uint64_t left_ns = time_left(deadline_ns);

		/* Even with no time left it is given one look: a timeout of 0 polls. */
		struct timespec until = cond_deadline(left_ns < NS_PER_MS  ? NS_PER_MS
						      : left_ns > NS_PER_S ? NS_PER_S
									   : left_ns);
		pthread_cond_timedwait(&d->answered, &d->lock, &until);
		if (!d->request.done && time_left(deadline_ns) == 0)
			r = -ETIMEDOUT;
	}
	d->request.kind = REQUEST_NONE;
	return r < 0 ? r : d->request.result;
}

/* A host that polls is told nothing: it looks at the result. */
#define POLL_NS (100 * NS_PER_MS)

static void timeout_tell(struct dispatcher *d, const char *call, uint64_t timeout_ns,
			 const char *waits_for)
{
	if (timeout_ns >= POLL_NS && !d->rescue && d->journal)
		dispatcher_note_from_afar(d, LOG_WARNING,
					  "%s was not over after %" PRIu64 " ms: %s", call,
					  timeout_ns / NS_PER_MS,
					  waits_for ? waits_for : "events are not applied yet");
}

int dispatcher_flush(struct dispatcher *d, uint32_t level, uint64_t timeout_ns)
{
	pthread_mutex_lock(&d->lock);
	int r = request_wait(d, (struct request){ .kind = REQUEST_FLUSH, .level = level },
			     timeout_ns);
	const char *waits_for = d->request.waits_for;
	pthread_mutex_unlock(&d->lock);
	if (r == -ETIMEDOUT)
		timeout_tell(d, "flush", timeout_ns, waits_for);
	return r;
}

int dispatcher_snapshot(struct dispatcher *d, uint64_t timeout_ns, char **ret, size_t *ret_len)
{
	if (!d->thread_runs)
		return dispatcher_render(d, ret, ret_len);
	pthread_mutex_lock(&d->lock);
	int r = request_wait(d, (struct request){ .kind = REQUEST_SNAPSHOT }, timeout_ns);
	if (r == 0) {
		*ret = TAKE(d->request.text);
		*ret_len = d->request.text_len;
	}
	pthread_mutex_unlock(&d->lock);
	if (r == -ETIMEDOUT)
		timeout_tell(d, "snapshot", timeout_ns, NULL);
	return r;
}

/* Refused because the recorder was full, or passed over for want of memory. */
static uint64_t dropped(const struct dispatcher *d, enum recorder_loss loss)
{
	return recorder_losses(d->recorder, loss) +
	       atomic_load_explicit(&d->passed_over[loss], memory_order_relaxed);
}

void dispatcher_stats(const struct dispatcher *d, tocsin_stats *ret)
{
	ret->accepted = atomic_load_explicit(&d->applied, memory_order_relaxed);
	ret->dropped_p1 = recorder_losses(d->recorder, RECORDER_LOSS_P1);
	ret->dropped_p2 = dropped(d, RECORDER_LOSS_P2);
	ret->dropped_p3 = dropped(d, RECORDER_LOSS_P3);
	ret->dropped_other = dropped(d, RECORDER_LOSS_OTHER);
	ret->journaled = journal_written(d->journal);
	ret->journal_lost = journal_lost(d->journal);
	ret->pages_pending = pages_waiting(d);
	ret->pages_delivered = pager_delivered(d->pager);
	ret->pages_parked = pager_parked(d->pager);
	ret->pages_dead = pager_dead(d->pager);
	ret->post_attempts = pager_attempts(d->pager);
	ret->post_failures = pager_failures(d->pager);
}

/* --- Stop --- */

static int thread_end(struct dispatcher *d, uint64_t timeout_ns)
{
	pthread_mutex_lock(&d->lock);
	d->stopping = true;
	d->stop_by_ns = deadline_after(timeout_ns / 2);
	sem_post(&d->asked);
	pthread_mutex_unlock(&d->lock);
	int r = thread_join(d->thread, timeout_ns);
	if (r == 0)
		d->thread_runs = false;
	return r;
}

/* Will others find the recorder's file? */
static bool recorder_is_kept(const struct dispatcher *d)
{
	return *recorder_name(d->recorder) != 0 && !d->lost;
}

/*
 * Events that were accepted and not read: because a thread is still inside a call, or because there
 * was no time. They are in the recorder's file, if there is one that others will find.
 */
static bool unread_tell(struct dispatcher *d)
{
	const struct blockage *b = &d->blockage;
	bool blocked = b->position != 0, kept = recorder_is_kept(d);
	char lasted[TIME_TEXT_SIZE] = "";

	if (d->next == recorder_head(d->recorder) || (!blocked && kept))
		return false;
	dispatcher_count_unread(d);
	dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_CRIT,
			"engine %s stops and %" PRIu64 " of its events, %" PRIu64
			" of them P1 alerts, could not be read: %s%s%s; %s%s%s%s%s",
			d->settings->engine_name, b->waiting, b->p1,
			blocked ? "a thread has been stopped inside a call to tocsin for "
				: "there was no time",
			blocked ? duration_to_text(b->waited_ns, lasted) : "",
			blocked ? " and is still there" : "",
			kept ? "they stay in " : "they are lost, for they are in memory alone",
			kept ? d->folders.runtime_path : "", kept ? "/" : "",
			kept ? recorder_name(d->recorder) : "",
			kept ? " for the next start, or for tocsin rescue" : "");
	return true;
}

/* Pages that neither a file nor a receiver has, nor an event in a file from which they would be
 * drawn again. */
static bool perished_tell(struct dispatcher *d)
{
	uint64_t pages, p1;

	if (recorder_is_kept(d))
		return false;
	delivery_index_count_unsafe(&d->delivery_index, &pages, &p1);
	if (pages == 0)
		return false;
	dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_CRIT,
			"engine %s stops and %" PRIu64 " of its pages, %" PRIu64
			" of them P1, are in memory alone and go with it: not every endpoint has "
			"taken them, and they could not be written to a file; tell people by hand "
			"(tocsin alerts), and repair the folders: tocsin check",
			d->settings->engine_name, pages, p1);
	return true;
}

static void stopped_tell(struct dispatcher *d)
{
	uint64_t pending = pages_waiting(d), used = recorder_head(d->recorder);

	if (!d->rescue) {
		bool unread = unread_tell(d), perished = perished_tell(d);

		d->stopped_lossy = unread || perished;
	}
	/* A run without an event takes a number too: runs are told apart by where they begin. */
	if (used == d->first_position)
		used++;
	if (d->folders.state >= 0 && d->clean && !d->rescue &&
	    numbers_reserve(folders_state(&d->folders), used) < 0)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
				"%s/numbers cannot be written: the next numbers will leave a gap",
				d->folders.state_path);
	if (d->rescue)
		return;
	dispatcher_tell_run(d, ENTRY_KIND_STOPPED, pending > 0 ? LOG_WARNING : LOG_NOTICE,
			    "tocsin stopped for engine %s: %" PRIu64 " events, %" PRIu64
			    " pages delivered, %" PRIu64 " waiting%s%s",
			    d->settings->engine_name, atomic_load(&d->applied),
			    pager_delivered(d->pager), pending,
			    pending > 0 && d->outbox ? " for the next start in " : "",
			    pending > 0 && d->outbox ? d->folders.state_path : "");
}

/* On the disk thread, which has it: nothing is posted any more, and what was taken is removed. */
static void outbox_give_back(void *userdata)
{
	struct dispatcher *d = userdata;

	/* While it is ours: whoever posts next has notes of his own. */
	if (d->clean && !d->recorder_stays)
		taken_notes_remove(d->taken, folders_runtime(&d->folders));
	if (d->outbox && atomic_load(&d->outbox_claim) >= 0 &&
	    atomic_load(&d->outbox_claim) < CLAIM_ASKED)
		outbox_release(d->outbox);
	atomic_store(&d->outbox_claim, CLAIM_ASKED);
}

static const char *stop_waits_for(const struct dispatcher *d)
{
	return d->thread_runs        ? "the dispatcher's thread is still at work"
	       : d->pager_runs       ? "the pager's thread is still at work"
	       : d->disk_thread_runs ? "the disk thread is still at work"
				     : "the log's thread is still at work";
}

int dispatcher_stop(struct dispatcher *d, uint64_t timeout_ns)
{
	_cleanup_(guest_leave) struct guest guest = guest_enter();
	uint64_t deadline_ns = deadline_after(timeout_ns);
	int r = 0;

	if (d->thread_runs)
		r = thread_end(d, timeout_ns);
	if (r == 0 && d->pager_runs) {
		uint64_t left_ns = time_left(deadline_ns);

		r = pager_stop(d->pager, left_ns > 2 * STOP_RESERVE_NS ? left_ns - STOP_RESERVE_NS
								       : left_ns / 2);
		d->pager_runs = r < 0;
	}
	if (r == 0 && d->disk_thread_runs) {
		disk_thread_run(d->disk_thread, outbox_give_back, d);
		r = disk_thread_stop(d->disk_thread, time_left(deadline_ns));
		d->disk_thread_runs = r < 0;
		if (r == 0 && d->held && d->hold_error == 0)
			stopped_tell(d);
	}
	if (r == 0 && d->journal_runs) {
		r = journal_stop(d->journal, time_left(deadline_ns));
		d->journal_runs = r < 0;
	}
	if (r == -ETIMEDOUT)
		timeout_tell(d, "stop", timeout_ns, stop_waits_for(d));
	return r == 0 && d->stopped_lossy ? -EIO : r;
}

bool dispatcher_has_stopped(const struct dispatcher *d)
{
	return !d->thread_runs && !d->pager_runs && !d->disk_thread_runs && !d->journal_runs;
}

void dispatcher_free(struct dispatcher *d)
{
	if (!d)
		return;
	pager_free(d->pager);
	taken_notes_free(d->taken);
	disk_thread_free(d->disk_thread);
	outbox_free(d->outbox);
	journal_free(d->journal);
	picture_free(d->picture);
	handed_done(&d->reading.found);
	handed_done(&d->buried);
	delivery_index_done(&d->delivery_index);
	free(d->candidate.state.ptr);
	json_decref(d->to_share);
	free(d->to_mark);
	dispatcher_saved_done(d);
	dispatcher_control_done(d);
	dispatcher_orphans_done(d);
	free(d->request.text);
	if (d->recorder)
		dispatcher_reopen_recorder(d);
	/* What is not safe elsewhere stays for the next start to find. */
	recorder_free(d->recorder, (d->clean && !d->recorder_stays) || !d->held);
	lockfile_free(d->engine_lock);
	running_file_copy_done(&d->mark_file);
	folders_done(&d->folders);
	runbooks_free(d->runbooks);
	sem_destroy(&d->asked);
	pthread_cond_destroy(&d->answered);
	pthread_mutex_destroy(&d->mark_lock);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

/* SPDX-License-Identifier: MIT */
/*
 * What former runs have left, taken over in this order:
 *
 *	taken          what receivers had taken is not posted again
 *	the outbox     one at a time posts from it. It is claimed first and read only after the
 *	               dead runs are claimed, since their pages may be on their way there
 *	STATE/picture  where a rescue or a clean stop has left a picture, it is gone on from; that
 *	               of a run that did not end so counts only where its recorder is gone
 *	ring-*         dead runs, in the order in which they began: each one's events beyond its
 *	               checkpoint are applied under its own epoch, so that ids are what they were
 *	STATE/running  a running file whose run has left nothing else: the host has died
 *
 * Nothing of it is removed before a checkpoint of this run's holds what came of it, and each page
 * is safe. Whoever dies in between leaves it to the next, who draws the same ids again.
 */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/thread.h"
#include "engine/saved_picture.h"

void dispatcher_pause(struct dispatcher *d, uint64_t ns)
{
	struct timespec until = cond_deadline(ns);

	pthread_mutex_lock(&d->lock);
	pthread_cond_timedwait(&d->answered, &d->lock, &until);
	pthread_mutex_unlock(&d->lock);
}

bool dispatcher_is_over(struct dispatcher *d)
{
	pthread_mutex_lock(&d->lock);
	bool over = d->stopping && clock_monotonic_ns() >= d->stop_by_ns;
	pthread_mutex_unlock(&d->lock);
	return over;
}

/* --- Dead runs --- */

static void run_bad(void *userdata, const char *name, int error)
{
	struct dispatcher *d = userdata;

	dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_CRIT,
			"a former run's recorder %s/%s cannot be read: %s; alerts of its last "
			"moments may be missing: %s",
			d->folders.runtime_path, name,
			error == -EPROTONOSUPPORT ? "a later version has written it"
						  : strerror(-error),
			error == -EBADMSG ? "it is kept as NAME.corrupt"
					  : "it stays where it is for that version");
}

/*
 * Claims all there are, or none: a run that was taken over without the one before it would leave
 * that one's open incidents behind. So those that somebody is at work on are waited for. False:
 * there was no time for that, or a rescue finds the engine there to do it.
 */
static bool runs_claim(struct dispatcher *d)
{
	uint64_t until_ns = clock_monotonic_ns() + ROOM_NS;
	struct dead_runs *runs = &d->recovery.runs;

	while (d->folders.runtime >= 0) {
		int r = dead_runs_claim(folders_runtime(&d->folders), recorder_name(d->recorder),
					run_bad, d, runs);

		if (r < 0)
			dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_ERR,
					"%s cannot be searched for former runs: %s",
					d->folders.runtime_path, strerror(-r));
		if (r == 0 && runs->busy == 0 && runs->left > 0)
			dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
					"%s has %zu more recorders of former runs than one start "
					"recovers; they wait for the next start",
					d->folders.runtime_path, runs->left);
		if (r < 0 || runs->busy == 0)
			return true;
		if (dispatcher_is_over(d) || (d->rescue && dispatcher_engine_lives(d))) {
			dead_runs_release(runs);
			return false;
		}
		if (clock_monotonic_ns() >= until_ns) {
			dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
					"another process has been recovering a former run for too "
					"long; this run starts without it");
			return true;
		}
		dead_runs_release(runs);
		dispatcher_pause(d, ROOM_LOOK_NS);
	}
	return true;
}

/* A picture that a former run or a rescue has left. */
static void saved_picture_find(struct dispatcher *d, struct saved_picture *ret)
{
	int r = d->folders.state >= 0 ? saved_picture_read(folders_state(&d->folders), ret)
				      : -ENOENT;

	d->recovery.saved_picture = r == 0;
	if (r < 0 && r != -ENOENT)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_ERR,
				"%s/" SAVED_PICTURE_FILE
				" of a former run cannot be read: %s; incidents that it had open "
				"are not resolved by themselves",
				d->folders.state_path, strerror(-r));
}

static void saved_picture_take(struct dispatcher *d, struct saved_picture *c)
{
	struct picture *p = NULL;
	uint8_t *state = TAKE(c->state);
	int r;

	if (!state)
		return;
	do {
		picture_free(TAKE(p));
		r = dispatcher_picture_new(d, c->epoch, dispatcher_now(d), &p);
		if (r == 0)
			r = checkpoint_decode(p, state, c->len,
					      dispatcher_clock_shift(d, c->other_boot,
								     c->wall_offset_ns, state,
								     c->len));
	} while (r == -ENOMEM && dispatcher_memory_wait(d));
	free(state);
	if (r < 0) {
		picture_free(p);
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_ERR,
				"the picture of a former run cannot be used: %s; incidents "
				"that it had open are not resolved by themselves",
				strerror(-r));
		return;
	}
	picture_free(d->picture);
	d->picture = p;
	if (c->kind == SAVED_PICTURE_STOPPED)
		alerts_expire_left(picture_alerts(p), dispatcher_now(d));
	memcpy(d->recovery.last_epoch, c->epoch, sizeof c->epoch);
	d->recovery.last_first_position = c->first_position;
}

/* Is all in it that its run has told? Then its recorder and its running file say no more. */
static bool saved_picture_is_whole(const struct saved_picture *c)
{
	return c->kind == SAVED_PICTURE_RESCUED || c->kind == SAVED_PICTURE_STOPPED;
}

static bool run_is(const struct dead_run *run, const uint8_t *epoch)
{
	char name[64] = "ring-";

	for (size_t i = 0; i < RECORDER_EPOCH_SIZE; i++)
		snprintf(name + strlen("ring-") + 2 * i, 3, "%02x", epoch[i]);
	return strcmp(run->name, name) == 0;
}

static bool run_was_taken(const struct dispatcher *d, const uint8_t *epoch)
{
	for (size_t i = 0; i < d->recovery.runs.n; i++)
		if (run_is(&d->recovery.runs.runs[i], epoch))
			return true;
	return false;
}

/* A former run's end is found when this one begins: before any event of its own. */
struct moment dispatcher_found_at(const struct dispatcher *d)
{
	if (d->settings->clock_source == CLOCK_SOURCE_EVENT)
		return dispatcher_now(d);
	return (struct moment){ d->started_wall_ns - (uint64_t)d->started_offset_ns,
				d->started_wall_ns };
}

static void run_take(struct dispatcher *d, struct dead_run *run)
{
	struct death death;
	int r;

	do
		r = dispatcher_recover_run(d, run, &death);
	while (r == -ENOMEM && dispatcher_memory_wait(d));
	if (r < 0) {
		run->unread = !run->damaged;
		run_bad(d, run->name, r);
		return;
	}
	if (run->damaged)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_CRIT,
				"a former run's recorder %s/%s is damaged: the events that could "
				"be read are logged, and it is kept as NAME.corrupt",
				d->folders.runtime_path, run->name);
	if (death.unclean) {
		dispatcher_tell_death(d, &death);
		picture_lose_sessions(d->picture, dispatcher_found_at(d));
	}
	death_done(&death);
}

/*
 * The picture that was left has in it what came before it, so it counts from its place among the
 * runs on. A run of before may still be there, when those who took it over died before they removed
 * it: it is told again, since nobody knows how far they came.
 */
static void runs_take(struct dispatcher *d, struct saved_picture *saved_picture)
{
	struct dead_runs *runs = &d->recovery.runs;

	for (size_t i = 0; i < runs->n; i++) {
		bool same =
			d->recovery.saved_picture && run_is(&runs->runs[i], saved_picture->epoch);

		if (runs->runs[i].first_position > saved_picture->first_position ||
		    (same && !saved_picture_is_whole(saved_picture)))
			saved_picture_take(d, saved_picture);
		if (!same || !saved_picture_is_whole(saved_picture))
			run_take(d, &runs->runs[i]);
	}
	saved_picture_take(d, saved_picture);
}

/* --- The running file --- */

static const char *host_story(const struct dispatcher *d, const struct running_file *m)
{
	char boot_id[BOOT_ID_SIZE];

	boot_id_read(boot_id);
	if (m->boot_id[0] && boot_id[0] && strcmp(m->boot_id, boot_id) != 0)
		return "the host was restarted since, and its recorder is lost";
	if (d->picture && alerts_find(picture_alerts(d->picture), true, STR(LOST_CODE), str(NULL),
				      str(NULL), str(NULL)))
		return "its recorder had been removed while it ran: events of its last moments are "
		       "lost";
	return "its recorder is lost";
}

static void running_file_death(const struct dispatcher *d, const struct running_file *m,
			       struct death *death)
{
	memcpy(death->epoch, m->epoch, sizeof death->epoch);
	death->unclean = true;
	death->how = host_story(d, m);
	death->pid = m->pid;
	death->started_wall_ns = m->started_wall_ns;
	death->last_event_wall_ns = m->last_event_wall_ns;
	death->sessions = m->sessions;
	for (size_t i = 0; i < m->sessions && i < SESSIONS_NAMED; i++) {
		text_buffer_add(&death->session_ids, i > 0 ? STR(", ") : STR(""));
		text_buffer_add(&death->session_ids, str(m->session_ids[i]));
	}
}

/* When they began is known by the real clock alone. */
static void running_file_lose_sessions(struct dispatcher *d, const struct running_file *m)
{
	struct moment now = dispatcher_now(d);

	for (size_t i = 0; i < m->sessions && i < RUNNING_FILE_SESSIONS_MAX; i++) {
		struct moment started = { now.clock_ns, m->session_starts_ns[i] };

		if (m->session_ids[i][0])
			picture_lose_session(d->picture, str(m->session_ids[i]), started, now);
	}
}

static void running_file_take(struct dispatcher *d, const struct saved_picture *saved_picture)
{
	_cleanup_free_ struct running_file *m = calloc(1, sizeof *m);
	struct death death = { 0 };
	int r = !m                      ? -ENOMEM
		: d->folders.state >= 0 ? running_file_read(folders_state(&d->folders), m)
					: -ENOENT;

	if (r == -ENOENT)
		return;
	d->recovery.running_file = true;
	if (r < 0)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
				"%s/" RUNNING_FILE " cannot be read: %s; a run before this one may "
				"have ended without a clean stop",
				d->folders.state_path, strerror(-r));
	if (r < 0 || m->clean || d->recovery.runs.busy > 0 || run_was_taken(d, m->epoch) ||
	    (saved_picture_is_whole(saved_picture) &&
	     memcmp(m->epoch, saved_picture->epoch, sizeof m->epoch) == 0))
		return;
	if (d->picture)
		picture_resume(d->picture, m->epoch, dispatcher_now(d));
	else if (dispatcher_picture_new(d, m->epoch, dispatcher_now(d), &d->picture) < 0)
		return;
	running_file_death(d, m, &death);
	d->recovery.n_runs++;
	d->recovery.n_told++;
	memcpy(d->recovery.last_epoch, m->epoch, sizeof m->epoch);
	dispatcher_tell_death(d, &death);
	running_file_lose_sessions(d, m);
	death_done(&death);
}

/* --- The whole --- */

/* What deaths in the middle of a file's writing or a recorder's making have left. */
static void folders_tidy(struct dispatcher *d)
{
	if (d->folders.runtime >= 0 && *recorder_name(d->recorder))
		dead_runs_tidy(folders_runtime(&d->folders), recorder_name(d->recorder));
	if (d->folders.runtime >= 0)
		folder_tidy(folders_runtime(&d->folders));
	if (d->folders.state >= 0)
		folder_tidy(folders_state(&d->folders));
}

static void recovery_tell(struct dispatcher *d)
{
	if (d->recovery.n_told > 0)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_NOTICE,
				"took over %" PRIu64 " former run%s of engine %s that did not end "
				"cleanly: %" PRIu64 " records recovered, %" PRIu64 " torn",
				d->recovery.n_told, d->recovery.n_told == 1 ? "" : "s",
				d->settings->engine_name, d->recovery.events, d->recovery.torn);
}

bool dispatcher_recover(struct dispatcher *d)
{
	struct saved_picture saved_picture = { 0 };
	struct recovery *recovery = &d->recovery;

	if (!dispatcher_outbox_claim(d)) {
		atomic_store(&recovery->refused, true);
		return false;
	}
	if (!d->rescue)
		folders_tidy(d);
	if (!runs_claim(d)) {
		atomic_store(&recovery->refused, true);
		return false;
	}
	/* Only now: whoever was at work on a run lets go of it when its pages are in the outbox. */
	recovery->active = true;
	dispatcher_taken_read(d);
	dispatcher_outbox_read(d);
	saved_picture_find(d, &saved_picture);
	runs_take(d, &saved_picture);
	running_file_take(d, &saved_picture);
	if (d->picture) {
		dispatcher_end_recorder_alerts(d);
		if (d->rescue)
			picture_page_waiting(d->picture, dispatcher_now(d));
		else
			picture_resume(d->picture, recorder_epoch(d->recorder),
				       dispatcher_found_at(d));
		dispatcher_learn_degraded(d);
	}
	recovery->active = false;
	dispatcher_submit_recovered(d);
	recovery->pending =
		recovery->runs.n > 0 || recovery->saved_picture || recovery->running_file;
	recovery_tell(d);
	return true;
}

void dispatcher_recovered(struct dispatcher *d)
{
	struct recovery *recovery = &d->recovery;

	if (!recovery->pending)
		return;
	recovery->pending = false;
	/* In this order: a run that is found again is told again, one that is not is not missed. */
	if (recovery->running_file)
		running_file_remove(folders_state(&d->folders));
	for (size_t i = 0; i < recovery->runs.n; i++)
		dead_run_finish(folders_runtime(&d->folders), &recovery->runs.runs[i]);
	recovery->runs.n = 0;
	/* What came of it is saved again; until then it stays for a crash of the host. */
	if (!d->rescue && recovery->saved_picture)
		d->page_changes++;
}

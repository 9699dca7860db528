/* SPDX-License-Identifier: MIT */
/*
 * Writes STATE/picture, the saved picture of a living run (saved_picture.h). While the engine runs,
 * the file is rewritten when a paged incident has opened or ended, at most once a second: a crash
 * of the host destroys the recorder. A clean stop writes it a last time: incidents that nobody has
 * cleared stay open in the next run.
 */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "engine/saved_picture.h"

#define SAVE_EVERY_NS NS_PER_S

static void saved_free(struct saved_picture *c)
{
	if (!c)
		return;
	free(c->state);
	free(c);
}

DEFINE_CLEANUP(struct saved_picture *, saved_free, cleanup_saved)

/* What the file is to hold; with nothing open there is no state, and no file. NULL: no memory. */
static struct saved_picture *saved_new(const struct dispatcher *d, enum saved_picture_kind kind)
{
	struct checkpoint_buffer state = { 0 };
	struct saved_picture *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->kind = kind;
	c->first_position = d->first_position;
	c->wall_offset_ns = d->wall_offset_ns;
	memcpy(c->epoch, recorder_epoch(d->recorder), sizeof c->epoch);
	if (alerts_open(picture_alerts(d->picture)) == 0)
		return c;
	if (checkpoint_encode_open(d->picture, &state) < 0) {
		free(c);
		return NULL;
	}
	c->state = state.ptr;
	c->len = state.len;
	return c;
}

static int saved_write(struct dispatcher *d, const struct saved_picture *c)
{
	return c->state ? saved_picture_write(folders_state(&d->folders), c)
			: saved_picture_remove(folders_state(&d->folders));
}

/* On the disk thread. */
static void saved_keep(void *userdata)
{
	struct dispatcher *d = userdata;

	pthread_mutex_lock(&d->mark_lock);
	_cleanup_(cleanup_saved) struct saved_picture *c = atomic_exchange(&d->to_save, NULL);
	int r = c ? saved_write(d, c) : 0;
	pthread_mutex_unlock(&d->mark_lock);
	if (r < 0 && !atomic_exchange(&d->unsaved_told, true))
		dispatcher_note_from_afar(
			d, LOG_WARNING,
			"the open incidents cannot be saved in %s/" SAVED_PICTURE_FILE
			": %s; after a "
			"crash of the host they would be lost: repair the folder",
			d->folders.state_path, strerror(-r));
	if (r == 0)
		atomic_store(&d->unsaved_told, false);
}

/* With the events' clock a picture is of the recording that is played, and of nothing else. */
static bool has_picture_to_save(const struct dispatcher *d)
{
	return !d->rescue && d->picture && d->settings->clock_source == CLOCK_SOURCE_SYSTEM;
}

void dispatcher_save(struct dispatcher *d, uint64_t now_ns)
{
	/* What a former run has left is not overwritten before a checkpoint has it. */
	if (d->memory.given_up || d->page_changes == d->page_changes_saved ||
	    !has_picture_to_save(d) || d->folders.state < 0 || d->recovery.pending ||
	    (d->saved_at_ns > 0 && now_ns - d->saved_at_ns < SAVE_EVERY_NS))
		return;
	struct saved_picture *c = saved_new(d, SAVED_PICTURE_RUNNING);

	if (!c)
		return;
	d->page_changes_saved = d->page_changes;
	d->saved_at_ns = now_ns;
	saved_free(atomic_exchange(&d->to_save, c));
	if (disk_thread_run(d->disk_thread, saved_keep, d) < 0) {
		saved_free(atomic_exchange(&d->to_save, NULL));
		d->page_changes_saved--; /* so that it is tried again */
	}
}

bool dispatcher_save_last(struct dispatcher *d)
{
	size_t n = has_picture_to_save(d) ? alerts_open(picture_alerts(d->picture)) : 0;
	int r = 0;

	if (!has_picture_to_save(d) || (d->folders.state < 0 && n == 0))
		return true;
	_cleanup_(cleanup_saved) struct saved_picture *c = saved_new(d, SAVED_PICTURE_STOPPED);
	/* One that was asked for and is not yet written is not wanted any more. */
	pthread_mutex_lock(&d->mark_lock);
	saved_free(atomic_exchange(&d->to_save, NULL));
	if (!c)
		r = -ENOMEM;
	else
		r = d->folders.state < 0 ? -ENOENT : saved_write(d, c);
	pthread_mutex_unlock(&d->mark_lock);
	if (r < 0)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
				"%zu open incidents cannot be saved for the next run: %s: %s; the "
				"recorder stays, and the next start reads them from it",
				n, d->folders.state < 0 ? "no state folder" : d->folders.state_path,
				strerror(-r));
	return r == 0;
}

void dispatcher_saved_done(struct dispatcher *d)
{
	saved_free(atomic_exchange(&d->to_save, NULL));
}

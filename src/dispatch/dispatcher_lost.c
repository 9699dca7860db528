/* SPDX-License-Identifier: MIT */
/*
 * The recorder's file may be removed while the engine runs: by logind at a user's logout, by
 * tmpfiles, by a person. Calls go on as before, but after a crash nobody finds the file. So it is
 * looked for, RECORDER_LOST tells a person, and from then on each P1 page is written to the outbox
 * before anything else.
 */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"

#define LOOK_EVERY_NS (NS_PER_S / 2)

static void lost_raise(struct dispatcher *d)
{
	_cleanup_(text_buffer_done) struct text_buffer message = { 0 };
	struct raise raise = {
		.rule = "lost",
		.by_rule = true,
		.at_once = true,
		.code = STR(LOST_CODE),
		.cause = d->first_position,
	};

	text_buffer_printf(&message,
			   "the recorder of engine %s, %s/%s, was removed from its folder: if the "
			   "engine dies now, what it reported in its last moments is lost; restart "
			   "it when you can",
			   d->settings->engine_name, d->folders.runtime_path,
			   recorder_name(d->recorder));
	raise.message = (tocsin_str){ message.ptr, message.len };
	/* Without memory, or before the first event of a recording, it is tried again. */
	if (message.failed || !d->picture ||
	    picture_raise(d->picture, &raise, dispatcher_now(d)) < 0)
		return;
	d->changes++;
	d->lost_told = true;
}

void dispatcher_reopen_recorder(struct dispatcher *d)
{
	recorder_reopen(d->recorder, folders_runtime(&d->folders));
}

int dispatcher_folders_look(struct dispatcher *d)
{
	int state = folders_state(&d->folders);

	(void)folders_runtime(&d->folders);
	if (!atomic_load(&d->folders.reopened))
		return state;
	journal_state_moved(d->journal, state);
	if (!atomic_exchange(&d->reopened_told, true))
		dispatcher_note_from_afar(
			d, LOG_WARNING,
			"somebody in this process has closed descriptors of tocsin's, that of its "
			"folder %s among them, and they were opened again: let the engine close "
			"only what it has opened, or start tocsin after it has become a daemon",
			d->folders.state_path ? d->folders.state_path : d->folders.runtime_path);
	return state;
}

void dispatcher_watch_recorder(struct dispatcher *d, uint64_t now_ns)
{
	if (d->rescue || now_ns - d->recorder_seen_ns < LOOK_EVERY_NS)
		return;
	d->recorder_seen_ns = now_ns;
	/* On this thread: whatever could make this wait would make the pushes wait too. */
	int r = recorder_is_there(d->recorder);
	if (r == -EBADF) {
		dispatcher_reopen_recorder(d);
		r = recorder_is_there(d->recorder);
	}
	if (r == -ENOENT)
		d->lost = true;
	else if (r < 0 && !d->unseen_told)
		dispatcher_note(
			d, ENTRY_KIND_TROUBLE, LOG_WARNING,
			"tocsin cannot check whether the recorder is still in %s: %s; does the "
			"engine close descriptors that are not its own?",
			d->folders.runtime_path, strerror(-r));
	d->unseen_told |= r < 0 && r != -ENOENT;
	if (d->lost && !d->lost_told)
		lost_raise(d);
}

void dispatcher_end_lost(struct dispatcher *d)
{
	if (d->lost_told)
		picture_clear(d->picture, STR(LOST_CODE), str(NULL), dispatcher_now(d));
}

/* SPDX-License-Identifier: MIT */
/* The dispatcher's running file: see running_file.h. */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/text.h"

/* Sessions come and go in bursts, and each writing is an fsync of the disk thread's. */
#define MARK_EVERY_NS NS_PER_S

/* On the disk thread. */
static void mark_write(void *userdata)
{
	struct dispatcher *d = userdata;

	pthread_mutex_lock(&d->mark_lock);
	_cleanup_free_ struct running_file *m = atomic_exchange(&d->to_mark, NULL);
	int r = m ? running_file_write(folders_state(&d->folders), m) : 0;
	if (m && r == 0)
		running_file_keep(folders_state(&d->folders),
				  &d->mark_file); /* else a stop can only remove it */
	pthread_mutex_unlock(&d->mark_lock);
	if (r < 0 && !atomic_exchange(&d->unmarked_told, true))
		dispatcher_note_from_afar(d, LOG_WARNING,
					  "the running file cannot be written into %s: %s; a crash "
					  "of the host would not be reported: repair the folder",
					  d->folders.state_path, strerror(-r));
}

static void running_file_fill(const struct dispatcher *d, struct running_file *m, uint64_t *ret_sum)
{
	const struct session *s = d->picture ? sessions_newest(picture_sessions(d->picture)) : NULL;
	uint64_t sum = 1;

	memcpy(m->epoch, recorder_epoch(d->recorder), sizeof m->epoch);
	m->pid = (uint32_t)getpid();
	m->started_wall_ns = d->started_wall_ns;
	m->last_event_wall_ns = d->last_event_wall_ns;
	for (; s; s = s->older) {
		if (!session_runs(s))
			continue;
		if (m->sessions < RUNNING_FILE_SESSIONS_MAX) {
			tocsin_str id = text_cut((tocsin_str){ s->id, s->id_len },
						 RUNNING_FILE_ID_SIZE - 1);

			/* What is not UTF-8 becomes U+FFFD in the file, and so does a NUL. */
			for (size_t i = 0; i < id.len; i++) {
				m->session_ids[m->sessions][i] = id.ptr[i];
				if (!id.ptr[i])
					memset(&m->session_ids[m->sessions][i], 0xff, 1);
			}
			m->session_starts_ns[m->sessions] = s->started.wall_ns;
		}
		m->sessions++;
		sum = sum * 31 + hash_text((tocsin_str){ s->id, s->id_len });
	}
	*ret_sum = sum;
}

void dispatcher_mark(struct dispatcher *d, uint64_t now_ns)
{
	/* What a dead run has left is not overwritten before a checkpoint has it. */
	if (d->rescue || d->folders.state < 0 || d->recovery.pending ||
	    (d->marked &&
	     (d->changes == d->changes_marked || now_ns - d->running_file_at_ns < MARK_EVERY_NS)))
		return;
	struct running_file *m = calloc(1, sizeof *m);
	uint64_t sum;

	if (!m)
		return;
	running_file_fill(d, m, &sum);
	d->changes_marked = d->changes;
	d->running_file_at_ns = now_ns;
	if (d->marked && sum == d->running_file_sum) {
		free(m);
		return;
	}
	d->marked = true;
	d->running_file_sum = sum;
	free(atomic_exchange(&d->to_mark, m));
	if (disk_thread_run(d->disk_thread, mark_write, d) < 0) {
		free(atomic_exchange(&d->to_mark, NULL));
		d->marked = false; /* so that it is tried again */
	}
}

void dispatcher_unmark(struct dispatcher *d)
{
	if (!d->marked || d->folders.state < 0)
		return;
	/* One that was asked for and is not yet written is not wanted any more. */
	pthread_mutex_lock(&d->mark_lock);
	free(atomic_exchange(&d->to_mark, NULL));
	int r = running_file_remove(folders_state(&d->folders));
	bool said = r < 0 && running_file_end(&d->mark_file) == 0;
	running_file_copy_done(&d->mark_file);
	pthread_mutex_unlock(&d->mark_lock);
	if (r < 0 && !said)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
				"%s/" RUNNING_FILE " can be neither removed nor changed: %s; the "
				"next start will take this clean stop for a crash",
				d->folders.state_path, strerror(-r));
}

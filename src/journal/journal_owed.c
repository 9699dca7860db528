/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "journal/journal_parts.h"

/* Removed at a time. */
#define CLEAR_MAX 32

void journal_owed_init(struct journal *j, int state)
{
	int r;

	pthread_mutex_init(&j->owed_mutex, NULL);
	if (state < 0)
		return;
	r = owed_open(state, &j->owed);
	if (r < 0)
		journal_submit(
			j, journal_trouble(j,
					   "the folder " OWED_FOLDER " in the state folder cannot "
					   "be used: %s; P1 entries that the log does not take "
					   "will not survive a stop: repair the folder",
					   strerror(-r)));
	j->adopting = r == 0;
}

void journal_state_moved(struct journal *j, int state)
{
	if (j->owed)
		owed_moved(j->owed, state);
}

void journal_owed_done(struct journal *j)
{
	owed_free(j->owed);
	pthread_mutex_destroy(&j->owed_mutex);
}

/* --- Keeping: all with the owed_mutex held --- */

/* Adds those of ENTRY_CLASS_FIRST in (from, upto] until the file is full. Under the mutex. */
static int collect_list(const struct journal *j, const struct entry *e, uint64_t from,
			uint64_t upto, struct text_buffer *text, uint64_t *last)
{
	for (; e && e->sequence <= upto && text->len < OWED_FILE_FULL; e = e->next) {
		int r;

		if (e->class != ENTRY_CLASS_FIRST || e->sequence <= from)
			continue;
		r = owed_text_add(j->owed, text, e);
		if (r < 0)
			return r;
		*last = e->sequence;
	}
	return 0;
}

/* The next file's entries; none: *ret_last is how far there are none. */
static int collect(struct journal *j, uint64_t from, uint64_t upto, struct text_buffer *text,
		   uint64_t *ret_last)
{
	uint64_t last = 0;
	int r;

	pthread_mutex_lock(&j->mutex);
	if (upto > j->last_sequence)
		upto = j->last_sequence;
	r = collect_list(j, j->sending, from, upto, text, &last);
	if (r == 0)
		r = collect_list(j, j->waiting[ENTRY_CLASS_FIRST].first, from, upto, text, &last);
	pthread_mutex_unlock(&j->mutex);
	*ret_last = text->len > 0 ? last : upto;
	/* What was taken before one that cannot be kept can. */
	return text->len > 0 ? 0 : r;
}

static void raise_kept(struct journal *j, uint64_t upto)
{
	if (upto > atomic_load(&j->kept))
		atomic_store(&j->kept, upto);
}

/* Another thread may have written the file's entries meanwhile: journal_clear_files sees to it. */
static void file_note(struct journal *j, uint64_t number, uint64_t last)
{
	pthread_mutex_lock(&j->mutex);
	j->files[j->n_files++] = (struct owed_file){ .number = number, .last = last };
	pthread_mutex_unlock(&j->mutex);
}

static void files_forget(struct journal *j)
{
	pthread_mutex_lock(&j->mutex);
	j->n_files = 0;
	pthread_mutex_unlock(&j->mutex);
	atomic_store(&j->kept, 0);
}

/* Keeps what is unwritten of (from, upto], in at most `max` files with those that there are. */
static int keep_from(struct journal *j, uint64_t from, uint64_t upto, size_t max)
{
	bool again = false;

	for (;;) {
		_cleanup_(text_buffer_done) struct text_buffer text = { 0 };
		uint64_t last, number;
		int r = collect(j, from, upto, &text, &last);

		if (r == 0 && text.len > 0 && j->n_files >= max)
			r = -ENOSPC;
		if (r == 0 && text.len > 0)
			r = owed_write(j->owed, &text, &number);
		if (r == -ESTALE && !again) {
			files_forget(j); /* with their folder */
			from = 0;
			again = true;
			continue;
		}
		if (r < 0)
			return r;
		if (text.len > 0)
			file_note(j, number, last);
		raise_kept(j, last);
		if (text.len == 0)
			return 0;
		from = last;
	}
}

/* Removes the files that stood before place `n`, unless they are left for the next run. */
static void files_drop(struct journal *j, size_t n)
{
	size_t kept = 0;

	pthread_mutex_lock(&j->mutex);
	for (size_t i = 0; i < j->n_files; i++) {
		struct owed_file f = j->files[i];

		if (i >= n || f.left || owed_remove(j->owed, f.number) < 0)
			j->files[kept++] = f;
	}
	j->n_files = kept;
	pthread_mutex_unlock(&j->mutex);
}

/* Keeps all that is unwritten in new files, so that each entry is in one, and none in an old one.
 */
static int keep_anew(struct journal *j)
{
	size_t before = j->n_files;
	int r = keep_from(j, 0, UINT64_MAX, JOURNAL_OWED_FILES);

	if (r == 0)
		files_drop(j, before);
	return r;
}

static int keep(struct journal *j, uint64_t upto)
{
	int r = keep_from(j, atomic_load(&j->kept), upto, JOURNAL_OWED_FILES / 2);

	return r == -ENOSPC && j->n_files >= JOURNAL_OWED_FILES / 2 ? keep_anew(j) : r;
}

/* Those whose entries are settled. */
static void files_clear(struct journal *j)
{
	uint64_t settled = atomic_load(&j->settled);

	for (;;) {
		uint64_t done[CLEAR_MAX];
		size_t n = 0, left = 0;

		pthread_mutex_lock(&j->mutex);
		for (size_t i = 0; i < j->n_files; i++) {
			struct owed_file f = j->files[i];

			if (f.left || f.last > settled || n == CLEAR_MAX)
				j->files[left++] = f;
			else
				done[n++] = f.number;
		}
		j->n_files = left;
		pthread_mutex_unlock(&j->mutex);
		for (size_t i = 0; i < n; i++)
			owed_remove(j->owed, done[i]);
		if (n < CLEAR_MAX)
			return;
	}
}

void journal_clear_files(struct journal *j)
{
	/* Whoever waits for the disk clears them when it is done. */
	if (!j->owed || pthread_mutex_trylock(&j->owed_mutex) != 0)
		return;
	files_clear(j);
	pthread_mutex_unlock(&j->owed_mutex);
}

/* Once for each time that it begins to fail. */
static struct entry *keep_judge(struct journal *j, int r)
{
	bool told = j->keep_failed;

	j->keep_failed = r < 0;
	if (r == 0 || told)
		return NULL;
	return journal_trouble(
		j,
		"P1 entries that the log does not take cannot be kept in the folder " OWED_FOLDER
		" of the state folder: %s; they are in memory alone: repair the folder or make "
		"room",
		strerror(-r));
}

int journal_owe(struct journal *j, uint64_t sequence)
{
	struct entry *complaint;
	int r;

	if (!j->owed)
		return -ENOENT;
	pthread_mutex_lock(&j->owed_mutex);
	r = keep(j, sequence);
	files_clear(j);
	complaint = keep_judge(j, r);
	pthread_mutex_unlock(&j->owed_mutex);
	if (complaint)
		journal_submit(j, complaint);
	return r;
}

void journal_keep_all(struct journal *j)
{
	if (!j->owed)
		return;
	pthread_mutex_lock(&j->owed_mutex);
	keep(j, UINT64_MAX);
	pthread_mutex_unlock(&j->owed_mutex);
}

bool journal_leave(struct journal *j, uint64_t sequence)
{
	if (sequence > atomic_load(&j->kept))
		return false;
	for (size_t i = 0; i < j->n_files; i++)
		if (sequence <= j->files[i].last) {
			j->files[i].left = true;
			return true;
		}
	return false;
}

/* --- Giving up --- */

/* Under the mutex: what is not of ENTRY_CLASS_FIRST is lost now. */
static void lose_lesser(struct journal *j)
{
	for (const struct entry *e = j->sending; e; e = e->next)
		if (e->class != ENTRY_CLASS_FIRST)
			journal_note_shed(j, e->class);
	for (unsigned i = ENTRY_CLASS_FIRST + 1; i < ENTRY_CLASSES; i++)
		for (struct entry *e; (e = queue_take(&j->waiting[i])); entry_free(e)) {
			journal_note_shed(j, e->class);
			j->bytes -= e->bytes;
		}
}

/* Under the mutex: what of ENTRY_CLASS_FIRST is not kept is lost, and nothing waits any more. */
static void lose_the_rest(struct journal *j)
{
	uint64_t kept = atomic_load(&j->kept);
	struct queue *first = &j->waiting[ENTRY_CLASS_FIRST];

	for (struct entry *e; (e = j->sending); entry_free(e)) {
		j->sending = e->next;
		if (e->class == ENTRY_CLASS_FIRST && e->sequence > kept)
			journal_note_shed(j, e->class);
	}
	for (struct entry *e; (e = queue_take(first)); entry_free(e)) {
		j->bytes -= e->bytes;
		if (e->sequence > kept)
			journal_note_shed(j, e->class);
	}
	for (size_t i = 0; i < j->n_files; i++)
		j->files[i].left = true;
	atomic_store(&j->settled, j->last_sequence);
}

void journal_give_up(struct journal *j)
{
	struct entry *report;

	pthread_mutex_lock(&j->mutex);
	lose_lesser(j);
	pthread_mutex_unlock(&j->mutex);
	report = j->owed ? journal_take_report(j, true) : NULL;
	if (report)
		journal_submit(j, report);
	pthread_mutex_lock(&j->owed_mutex);
	if (j->owed) {
		files_clear(j);
		/* Where new files cannot be made, those that there are will do. */
		if (keep_anew(j) < 0)
			keep(j, UINT64_MAX);
	}
	pthread_mutex_lock(&j->mutex);
	lose_the_rest(j);
	pthread_mutex_unlock(&j->mutex);
	pthread_mutex_unlock(&j->owed_mutex);
}

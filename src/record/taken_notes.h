/* SPDX-License-Identifier: MIT */
/*
 * Which deliveries were taken, in a file that outlives the process: without it a kill between a
 * receiver's answer and the page's removal, or the next checkpoint, would repeat the page. The file
 * "taken" lies in the runtime folder, beside the recorder and not in it: whoever posts notes here,
 * and a rescue has no recorder of its own; and what a dead run noted is still needed when its
 * recorder is gone. It is mapped, so that a note costs no system call.
 *
 * The last TAKEN_NOTES_MAX notes are kept; the next one replaces the oldest. None is ever released:
 * id and content are one page's only, so a note that nobody needs any more does no harm. When more
 * deliveries than that are taken before their files are removed and a checkpoint has passed them,
 * a kill repeats the oldest of these: posting does not wait for a disk.
 *
 * All functions take NULL: there are no notes then.
 */
#ifndef TOCSIN_RECORD_TAKEN_NOTES_H
#define TOCSIN_RECORD_TAKEN_NOTES_H

#include <stdbool.h>

#include "base/failure.h"

#define TAKEN_NOTES_MAX 16384

struct taken_notes;

/*
 * Reads what a former owner has left and puts a file of our own in its place, which begins with
 * that. Only for whoever alone posts now. *ret is set but for want of memory for it (-ENOMEM); with
 * another error what was left counts, but nothing can be noted: failure (may be NULL) says why.
 */
int taken_notes_open(int folder, struct taken_notes **ret, struct failure *failure);

/* Had a former owner noted it? `content`: what pages of one id may differ in, "" for nothing. [any]
 */
bool taken_notes_has(const struct taken_notes *t, const char *page_id, const char *content,
		     const char *endpoint);

/* Notes it: before anything else is posted there. One thread. */
void taken_notes_add(struct taken_notes *t, const char *page_id, const char *content,
		     const char *endpoint);

/* Takes the file away, if it is still ours: nothing that could be posted twice is left. */
void taken_notes_remove(const struct taken_notes *t, int folder);
void taken_notes_free(struct taken_notes *t);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Which journal files there are and which of them are really read: libsystemd passes over files
 * that it cannot open without a word, whether they are damaged, may not be read, or it has no
 * descriptor left.
 */
#ifndef TOCSIN_TOOL_JOURNAL_FILES_H
#define TOCSIN_TOOL_JOURNAL_FILES_H

#include <stddef.h>

struct journal_files {
	size_t forbidden; /* we may not read them */
	size_t skipped;   /* we may, and they are not open in this process */
};

/* To be asked while the journal is open. directory: what it was opened with, or NULL. */
void journal_files_look(const char *directory, struct journal_files *ret);

/*
 * A journal file that is shortened while it is read gives SIGBUS. From the first call on such a
 * page reads as zeros instead, which libsystemd takes for the end of what it can use. What else
 * gives SIGBUS ends the process as before.
 */
void journal_files_survive(void);
/* Has that happened since the last call? Then what was read is not all there is. */
int journal_files_were_cut(void);

#endif

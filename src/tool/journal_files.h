/* SPDX-License-Identifier: MIT */
/*
 * Which journal files there are and which of them are really read: libsystemd passes over files
 * that it cannot open without a word, whether they are damaged, may not be read, or it has no
 * descriptor left.
 */
#ifndef TOCSIN_TOOL_JOURNAL_FILES_H
#define TOCSIN_TOOL_JOURNAL_FILES_H

#include <stdbool.h>
#include <stddef.h>

/* Which journal: all of the system's where neither is given. */
struct journal_source {
	const char *directory;  /* files to read instead; NULL: the system's */
	const char *name_space; /* of the system's, as journalctl has it: "" is the default journal
				 * alone, a name that namespace, "+NAME" both; "*" or NULL: all */
};

/* Is it one of those forms? */
bool journal_namespace_is_known_form(const char *name_space);
/* May a namespace have that name? */
bool journal_namespace_is_valid(const char *name);

/* The folders, by patterns of glob(7), in which the source's files lie; at most that many. */
#define JOURNAL_FOLDERS_MAX 4
struct journal_folders {
	char patterns[JOURNAL_FOLDERS_MAX][320];
	size_t n;
};
void journal_files_folders(const struct journal_source *source, struct journal_folders *ret);

struct journal_files {
	size_t forbidden; /* we may not read them */
	size_t skipped;   /* we may, and they are not open in this process */
};

/* To be asked while the journal is open. */
void journal_files_look(const struct journal_source *source, struct journal_files *ret);

/*
 * A journal file that is shortened while it is read gives SIGBUS. From the first call on such a
 * page reads as zeros instead, which libsystemd takes for the end of what it can use. What else
 * gives SIGBUS ends the process as before.
 */
void journal_files_survive(void);
#define JOURNAL_FILE_CUT "a journal file was shortened while it was read"
/* Has that happened since the last call? Then what was read is not all there is. */
int journal_files_were_cut(void);

#endif

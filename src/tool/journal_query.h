/* SPDX-License-Identifier: MIT */
/*
 * Reading the journal by matches: entries of tocsin's, oldest first. Matches on one field are
 * alternatives, on different fields all must hold; the journal's indices answer them, no text is
 * searched.
 *
 * The journal's own times are those of writing; an event's time is in TOCSIN_TIME and is earlier,
 * by years when a recording was played. So times are compared after reading, never by seeking.
 *
 * Entries of users whose word does not count (see tool/trust.h) are passed over, and counted.
 */
#ifndef TOCSIN_TOOL_JOURNAL_QUERY_H
#define TOCSIN_TOOL_JOURNAL_QUERY_H

#include <stdbool.h>
#include <stdint.h>
#include "tocsin_plugin.h"
#include "tool/journal_files.h"

/* Bytes of a field that are read at most, and fields of an entry. */
#define JOURNAL_QUERY_FIELD_MAX (128u * 1024)
#define JOURNAL_QUERY_FIELDS_MAX 256

struct journal_query;

/* What tocsin writes is matched already. -EACCES: none of what is there may be read; -ENODATA:
 * there is none; -ENXIO: none of that namespace; -errno. */
int journal_query_open(const struct journal_source *source, struct journal_query **ret);
/* Returns NULL; takes NULL. */
struct journal_query *journal_query_free(struct journal_query *q);

int journal_query_match(struct journal_query *q, const char *name, const char *value);
/* Takes all matches back but that on what tocsin writes, and goes back to before the first entry.
 */
int journal_query_restart(struct journal_query *q);

/* Gives the entries of users that are not trusted too. */
void journal_query_show_foreign(struct journal_query *q, bool show);
/* Passes over entries of recordings that were played (TOCSIN_REPLAY). */
void journal_query_hide_recordings(struct journal_query *q, bool hide);
/* Is the current entry one of a user that is not trusted? */
bool journal_query_is_foreign(const struct journal_query *q);
/* How many such entries were met so far. */
uint64_t journal_query_foreign(const struct journal_query *q);

/* To the next entry; before the first call to the first. 1; 0: there is none; -errno. */
int journal_query_next(struct journal_query *q);
/* To the newest entry. As journal_query_next. */
int journal_query_last(struct journal_query *q);

/* The field's value, absent when the entry has none. Lives until the next move. */
tocsin_str journal_query_get(struct journal_query *q, const char *name);
/* The same with a struct journal_query as `entry`: a history_field. */
tocsin_str journal_query_field(void *entry, const char *name);
/* The time in TOCSIN_TIME, else that at which the entry was written. */
uint64_t journal_query_time(struct journal_query *q);
/* The time at which the entry was written. */
uint64_t journal_query_written(struct journal_query *q);

/* Each value that any entry has in this field, matches or not; views live for the call. */
int journal_query_values(struct journal_query *q, const char *name,
			 int (*each)(void *userdata, tocsin_str value), void *userdata);

/* What of the journal was not read, in buf for people; NULL: nothing. Once it was told it is known:
 * the next call tells only of what is new. To be asked after reading, too. */
#define JOURNAL_QUERY_GAP_SIZE 192
const char *journal_query_gap(struct journal_query *q, char *buf, size_t size);
/* A part of the journal is there that this user may not read: to be told instead of showing
 * nothing. */
bool journal_query_is_forbidden(const struct journal_source *source);
/* What to tell a person about a failure; static. */
const char *journal_query_error(int error);

#endif

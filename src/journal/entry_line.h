/* SPDX-License-Identifier: MIT */
/*
 * An entry as one line of text, for logs that know no fields. The message, made fit for a line,
 * is followed by the fields as RFC 5424 writes structured data:
 *
 *   MESSAGE [tocsin name="value" ...]
 *
 * A name is the field's in lower case without TOCSIN_. In a value control characters are made
 * visible, and ", \ and ] have a \ before them. Fields that a line has no use for, the message id
 * among them, are left out.
 */
#ifndef TOCSIN_JOURNAL_ENTRY_LINE_H
#define TOCSIN_JOURNAL_ENTRY_LINE_H

#include "journal/entry.h"

#define ENTRY_SYSLOG_MAX 8192u /* bytes: what rsyslog takes unless it is told otherwise */

/* With a newline at the end and without a maximum: heap, *ret_len long. NULL without memory. */
char *entry_to_line(const struct entry *e, size_t *ret_len);

/*
 * As a program sends it to the local syslog: "<PRI>tocsin[PID]: " before it, facility daemon, no
 * newline, at most ENTRY_SYSLOG_MAX bytes. A message of more than half of that is cut, fields that
 * do not fit are left out, and truncated="1" at the end says so. There is no time: the listener
 * puts its own, and the event's is among the fields. Heap, *ret_len long, a NUL behind. NULL
 * without memory.
 */
char *entry_to_syslog(const struct entry *e, long pid, size_t *ret_len);

#endif

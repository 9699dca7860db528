/* SPDX-License-Identifier: MIT */
/*
 * The log entries about pages on their way.
 */
#ifndef TOCSIN_POST_ATTEMPT_ENTRY_H
#define TOCSIN_POST_ATTEMPT_ENTRY_H

#include "journal/entry.h"
#include "post/pager.h"

/* The audit line of an attempt to deliver a page; NULL without memory. */
struct entry *entry_of_attempt(const struct entry_context *c, const struct attempt *a,
			       uint64_t wall_ns);
/* The audit line of a page that an endpoint had taken before its run was killed, which may have
 * lost that attempt's line; NULL without memory. */
struct entry *entry_of_taken(const struct entry_context *c, const struct page *p,
			     const char *endpoint, uint64_t wall_ns);
/* The audit line of a page that an operator has given up; NULL without memory. */
struct entry *entry_of_discard(const struct entry_context *c, const struct delivery *p,
			       const char *endpoint, const char *reason, uint64_t wall_ns);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the head of a code's runbook says. The table is made at build time from the heads of
 * runbooks/ *.md, the only list of codes that tocsin has of its own; runbooks.h looks codes up,
 * those of a site among them.
 */
#ifndef TOCSIN_CODES_RUNBOOK_H
#define TOCSIN_CODES_RUNBOOK_H

#include <stdbool.h>
#include <stdint.h>

struct runbook {
	const char *code;
	uint32_t priority;       /* 1..3 */
	const char *message_id;  /* 32 hex digits, the journal's MESSAGE_ID of its alerts */
	const char *title;       /* a few words for a person */
	const char *ack_within;  /* "5m": how soon someone must have taken it */
	const char *escalate_to; /* a role */
	const char *roles;       /* all that the page names, escalate_to first, blanks between */
	uint64_t page_after_ns;  /* how long a rule's incident stays open before it is paged */
	bool of_site;            /* from the site's folder, not built in */
};

/* Ordered by code; generated (runbook_table.c). */
extern const struct runbook runbook_table[];
extern const unsigned runbook_table_size;

#endif

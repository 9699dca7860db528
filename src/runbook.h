/* SPDX-License-Identifier: MIT */
/*
 * The codes: one runbook each. The table is made at build time from the heads of runbooks/ *.md,
 * the only list of codes there is.
 */
#ifndef TOCSIN_RUNBOOK_H
#define TOCSIN_RUNBOOK_H

#include <stdbool.h>
#include <stdint.h>
#include "tocsin_plugin.h"

struct runbook {
	const char *code;
	uint32_t priority;       /* 1..3 */
	const char *message_id;  /* 32 hex digits, the journal's MESSAGE_ID of its alerts */
	const char *title;       /* a few words for a person */
	const char *ack_within;  /* "5m": how soon someone must have taken it */
	const char *escalate_to; /* a role */
	uint64_t page_after_ns;  /* how long a rule's incident stays open before it is paged */
};

/* Ordered by code; generated (runbook_table.c). */
extern const struct runbook runbook_table[];
extern const unsigned runbook_table_size;

/* The code's runbook, or GENERAL's: never NULL. */
const struct runbook *runbook_find(tocsin_str code);
/* Has the code a runbook of its own? */
bool runbook_is_known(tocsin_str code);

struct code_facts;
/* The picture's code_lookup: what the code's runbook says. userdata is not used. */
void runbook_facts(void *userdata, tocsin_str code, struct code_facts *ret);

/* base_url + "/" + the code of its runbook in lower case + ".md". Heap; NULL without memory. */
char *runbook_link(const char *base_url, tocsin_str code);

#endif

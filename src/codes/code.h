/* SPDX-License-Identifier: MIT */
/*
 * An alert code, and what the picture has to know of one.
 */
#ifndef TOCSIN_CODES_CODE_H
#define TOCSIN_CODES_CODE_H

#include <stdbool.h>
#include <stdint.h>
#include "tocsin_plugin.h"

/* What is known of a code before anything is raised: its runbook's head. */
struct code_facts {
	uint32_t priority;      /* 1..3 */
	uint64_t page_after_ns; /* for incidents that a rule raises */
};

/* Looks `code` up; a code without a runbook gets GENERAL's facts. */
typedef void code_lookup(void *userdata, tocsin_str code, struct code_facts *ret);

/* May this code stand as it is: [A-Z][A-Z0-9_]*, at most TOCSIN_CODE_MAX bytes? */
bool code_is_usable(tocsin_str code);

#endif

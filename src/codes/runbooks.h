/* SPDX-License-Identifier: MIT */
/*
 * The codes of one engine: the built-in runbooks and those of the site's folder, in which a file
 * may stand for a built-in code too. Nothing of it changes once it is loaded, so any thread may
 * look a code up, hot calls too: a binary search over at most RUNBOOKS_MAX heads and the built-in
 * ones, no lock. Where a set is asked for, NULL is that of the built-in ones alone.
 */
#ifndef TOCSIN_CODES_RUNBOOKS_H
#define TOCSIN_CODES_RUNBOOKS_H

#include <stdbool.h>
#include "codes/code.h"
#include "codes/runbook.h"
#include "tocsin_plugin.h"

#define RUNBOOKS_MAX 1024 /* of a site; what lies past it is left out, and told */

/* Where pages are linked to unless runbooks.base_url says otherwise. */
#define RUNBOOKS_BASE_URL_DEFAULT "file://" TOCSIN_RUNBOOKS_DIR

struct runbooks;

/* Told of what is wrong: line 0 is the whole file, or the folder. */
typedef void runbooks_bad(void *userdata, const char *file, unsigned line, const char *what);

/*
 * Reads the heads of *.md in the folder, but for README.md. What is wrong is told and left out, and
 * the rest goes on; so is a folder that cannot be read. dir NULL: none. -ENOMEM.
 */
int runbooks_load(const char *dir, runbooks_bad *bad, void *userdata, struct runbooks **ret);
void runbooks_free(struct runbooks *set);

/* The code's runbook, or GENERAL's: never NULL. */
const struct runbook *runbooks_find(const struct runbooks *set, tocsin_str code);
/* The code's own runbook, or NULL. */
const struct runbook *runbooks_own(const struct runbooks *set, tocsin_str code);
/* All of them, ordered by code. */
unsigned runbooks_list(const struct runbooks *set, const struct runbook **ret);

/* The picture's code_lookup: what the code's runbook says. userdata is a set, not written to. */
void runbooks_facts(void *userdata, tocsin_str code, struct code_facts *ret);

/*
 * base_url + "/" + the code of its runbook in lower case + ".md"; for a site's own, when base_url
 * is the default, the file in its folder. Heap; NULL without memory.
 */
char *runbooks_link(const struct runbooks *set, const char *base_url, tocsin_str code);

/* The name of the code's file: in lower case, ".md" behind it. */
#define RUNBOOK_NAME_SIZE (TOCSIN_CODE_MAX + sizeof ".md")
void runbook_name(const struct runbook *r, char ret[static RUNBOOK_NAME_SIZE]);

/* Is it a name that runbooks_load reads? */
bool runbooks_reads(const char *name);

#endif

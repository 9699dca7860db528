/* SPDX-License-Identifier: MIT */
/* A close look at a site's own runbooks: heads, sections, links, and the roles they name. */
#ifndef TOCSIN_TOOL_RUNBOOK_CHECK_H
#define TOCSIN_TOOL_RUNBOOK_CHECK_H

#include <stdbool.h>
#include "settings/settings.h"

/* Told of each finding; line 0 is the whole file. An error makes the runbook unfit, what is none is
 * worth a look. */
typedef void runbook_finding(void *userdata, bool error, const char *file, unsigned line,
			     const char *what);

/*
 * Looks at each runbook of the folder; roles are held against the contacts. *ret_n is how many
 * there are. -ENOMEM.
 */
int runbook_check_folder(const char *dir, const struct settings *settings, runbook_finding *found,
			 void *userdata, unsigned *ret_n);

/* A role that runbooks name and nobody has. */
struct role_gap {
	tocsin_str role;
	unsigned n;        /* runbooks that name it */
	const char *first; /* the code of one of them */
};
#define ROLE_GAPS_MAX CONTACTS_MAX /* no more can be filled anyway */

struct runbooks;
/* Views of the set. How many there are. */
unsigned runbook_check_contacts(const struct runbooks *set, const struct settings *settings,
				struct role_gap ret[static ROLE_GAPS_MAX]);

#endif

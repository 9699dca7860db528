/* SPDX-License-Identifier: MIT */
/*
 * The text of a runbook and the roles it names: {{role}}, [a-z][a-z0-9-]*. Who has a role is the
 * site's to say, in [contacts] of the settings.
 */
#ifndef TOCSIN_CODES_RUNBOOK_TEXT_H
#define TOCSIN_CODES_RUNBOOK_TEXT_H

#include <stdbool.h>
#include "codes/contacts.h"
#include "tocsin_plugin.h"

#define RUNBOOK_ROLES_MAX 64 /* different ones in one runbook; those past it are not listed */

/* Takes the text up to and with the next {{role}} off *rest; false when there is none, and *rest is
 * left alone. Views of it. */
bool runbook_next_role(tocsin_str *rest, tocsin_str *ret_before, tocsin_str *ret_role);

/*
 * The text with each {{role}} replaced by its contact, or by "(role: not set, see [contacts])".
 * *ret_empty, which may be NULL, counts the latter. Heap; NULL without memory.
 */
char *runbook_fill(tocsin_str text, const struct contacts *contacts, unsigned *ret_empty);

/* The roles a text names, `first` before them, each once, with blanks between. Heap; NULL without
 * memory. */
char *runbook_roles(tocsin_str text, tocsin_str first);

#endif

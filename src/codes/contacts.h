/* SPDX-License-Identifier: MIT */
/*
 * Who has each role that runbooks name, and how to reach them: [contacts] of the settings,
 * role = who.
 */
#ifndef TOCSIN_CODES_CONTACTS_H
#define TOCSIN_CODES_CONTACTS_H

#include <stdbool.h>
#include "base/text.h"
#include "tocsin_plugin.h"

#define ROLE_MAX 64 /* bytes of a role's name */
#define CONTACTS_MAX 64

/* May this byte stand in a role, after the first? */
static inline bool role_has_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* May a role be named so? */
bool role_is_usable(tocsin_str role);

/* The texts are owned. */
struct contact {
	char *role;
	char *who; /* one line; "" = nobody */
};

/* All zero: none. */
struct contacts {
	struct contact list[CONTACTS_MAX];
	unsigned n;
};

/* Who has the role, or NULL. c may be NULL. */
const char *contacts_who(const struct contacts *c, tocsin_str role);
/* Sets who has the role, and copies both texts. *ret_index: its place in the list. -EINVAL, and
 * `why` gets the reason; -ENOMEM. */
int contacts_set(struct contacts *c, const char *role, tocsin_str who, unsigned *ret_index,
		 struct text_buffer *why);
void contacts_done(struct contacts *c);

#endif

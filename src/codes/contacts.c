/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "codes/contacts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WHO_MAX 512 /* bytes */

bool role_is_usable(tocsin_str role)
{
	if (role.len == 0 || role.len > ROLE_MAX || role.ptr[0] < 'a' || role.ptr[0] > 'z')
		return false;
	for (size_t i = 1; i < role.len; i++)
		if (!role_has_byte(role.ptr[i]))
			return false;
	return true;
}

static struct contact *contact_find(const struct contacts *c, tocsin_str role)
{
	for (unsigned i = 0; i < c->n; i++)
		if (str_is(role, c->list[i].role))
			return (struct contact *)(uintptr_t)&c->list[i];
	return NULL;
}

const char *contacts_who(const struct contacts *c, tocsin_str role)
{
	const struct contact *found = c ? contact_find(c, role) : NULL;

	return found && *found->who ? found->who : NULL;
}

static int contact_refuse(struct text_buffer *why, const char *text)
{
	text_buffer_add(why, str(text));
	return -EINVAL;
}

static int contact_check(const struct contacts *c, const char *role, tocsin_str who,
			 struct text_buffer *why)
{
	if (!role_is_usable(str(role)))
		return contact_refuse(why, "a role is named in lower case, such as trading-desk");
	if (who.len > WHO_MAX)
		return contact_refuse(why, "the contact is longer than 512 bytes");
	for (size_t i = 0; i < who.len; i++)
		if ((unsigned char)who.ptr[i] < 0x20 || who.ptr[i] == 0x7f)
			return contact_refuse(why, "there is a control character in the value");
	if (!text_is_utf8(who))
		return contact_refuse(why, "the value is not UTF-8");
	if (c->n == CONTACTS_MAX && !contact_find(c, str(role)))
		return contact_refuse(why, "there are more than 64 contacts");
	return 0;
}

int contacts_set(struct contacts *c, const char *role, tocsin_str who, unsigned *ret_index,
		 struct text_buffer *why)
{
	int r = contact_check(c, role, who, why);

	if (r < 0)
		return r;
	struct contact *contact = contact_find(c, str(role));
	char *copy = str_dup(who), *name = contact ? NULL : str_dup(str(role));
	if (!copy || (!contact && !name)) {
		free(copy);
		free(name);
		return -ENOMEM;
	}
	if (!contact) {
		contact = &c->list[c->n++];
		contact->role = name;
	}
	free(contact->who);
	contact->who = copy;
	*ret_index = (unsigned)(contact - c->list);
	return 0;
}

void contacts_done(struct contacts *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		free(c->list[i].role);
		free(c->list[i].who);
	}
	c->n = 0;
}

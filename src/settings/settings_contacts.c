/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "settings/settings_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codes/runbook_text.h"

#define WHO_MAX 512 /* bytes */

static struct settings_contact *find(const struct settings *s, tocsin_str role)
{
	for (unsigned i = 0; i < s->n_contacts; i++)
		if (str_is(role, s->contacts[i].role))
			return (struct settings_contact *)(uintptr_t)&s->contacts[i];
	return NULL;
}

const char *settings_contact(const struct settings *s, tocsin_str role)
{
	const struct settings_contact *c = s ? find(s, role) : NULL;

	return c && *c->who ? c->who : NULL;
}

static int refuse(struct text_buffer *why, const char *text)
{
	text_buffer_add(why, str(text));
	return -EINVAL;
}

static int check(const struct settings *s, const char *role, tocsin_str who,
		 struct text_buffer *why)
{
	if (!role_is_usable(str(role)))
		return refuse(why, "a role is named in lower case, such as trading-desk");
	if (who.len > WHO_MAX)
		return refuse(why, "the contact is longer than 512 bytes");
	for (size_t i = 0; i < who.len; i++)
		if ((unsigned char)who.ptr[i] < 0x20 || who.ptr[i] == 0x7f)
			return refuse(why, "there is a control character in the value");
	if (!text_is_utf8(who))
		return refuse(why, "the value is not UTF-8");
	if (s->n_contacts == SETTINGS_CONTACTS_MAX && !find(s, str(role)))
		return refuse(why, "there are more than 64 contacts");
	return 0;
}

int settings_set_contact(struct settings *s, const char *role, tocsin_str who, unsigned *ret_index,
			 struct text_buffer *why)
{
	struct settings_contact *c;
	char *name, *copy;
	int r = check(s, role, who, why);

	if (r < 0)
		return r;
	c = find(s, str(role));
	copy = str_dup(who);
	name = c ? NULL : str_dup(str(role));
	if (!copy || (!c && !name)) {
		free(copy);
		free(name);
		return -ENOMEM;
	}
	if (!c) {
		c = &s->contacts[s->n_contacts++];
		c->role = name;
	}
	free(c->who);
	c->who = copy;
	*ret_index = (unsigned)(c - s->contacts);
	return 0;
}

void settings_free_contacts(struct settings *s)
{
	for (unsigned i = 0; i < s->n_contacts; i++) {
		free(s->contacts[i].role);
		free(s->contacts[i].who);
	}
	s->n_contacts = 0;
}

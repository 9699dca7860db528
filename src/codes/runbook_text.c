/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "codes/runbook_text.h"

#include <string.h>

#include "base/text.h"

bool runbook_next_role(tocsin_str *rest, tocsin_str *ret_before, tocsin_str *ret_role)
{
	const char *p = rest->ptr, *end = p + rest->len, *open;

	while (p < end && (open = memmem(p, (size_t)(end - p), "{{", 2))) {
		tocsin_str role = { open + 2, 0 };

		/* One byte more than a role may have tells that it is too long. */
		while (role.ptr + role.len < end && role.len <= ROLE_MAX &&
		       role_has_byte(role.ptr[role.len]))
			role.len++;
		if (role_is_usable(role) && end - (role.ptr + role.len) >= 2 &&
		    memcmp(role.ptr + role.len, "}}", 2) == 0) {
			*ret_before = (tocsin_str){ rest->ptr, (size_t)(open - rest->ptr) };
			*ret_role = role;
			rest->ptr = role.ptr + role.len + 2;
			rest->len = (size_t)(end - rest->ptr);
			return true;
		}
		p = open + 1;
	}
	return false;
}

char *runbook_fill(tocsin_str text, const struct contacts *contacts, unsigned *ret_empty)
{
	struct text_buffer b = { 0 };
	tocsin_str before, role;
	unsigned empty = 0;

	while (runbook_next_role(&text, &before, &role)) {
		const char *who = contacts_who(contacts, role);

		text_buffer_add(&b, before);
		if (who) {
			text_buffer_add(&b, str(who));
			continue;
		}
		empty++;
		text_buffer_printf(&b, "(%.*s: not set, see [contacts])", (int)role.len, role.ptr);
	}
	text_buffer_add(&b, text.len > 0 ? text : STR(""));
	if (b.failed) {
		text_buffer_done(&b);
		return NULL;
	}
	if (ret_empty)
		*ret_empty = empty;
	return b.ptr ? b.ptr : str_dup(STR(""));
}

/* Is the word in the list, which has blanks between? */
static bool is_listed(const struct text_buffer *list, tocsin_str word)
{
	for (const char *p = list->ptr; p && *p;) {
		size_t len = strcspn(p, " ");

		if (str_equal((tocsin_str){ p, len }, word))
			return true;
		p += len + strspn(p + len, " ");
	}
	return false;
}

char *runbook_roles(tocsin_str text, tocsin_str first)
{
	struct text_buffer list = { 0 };
	tocsin_str before, role;
	unsigned n = 1;

	text_buffer_add(&list, first);
	while (n < RUNBOOK_ROLES_MAX && runbook_next_role(&text, &before, &role)) {
		if (is_listed(&list, role))
			continue;
		text_buffer_printf(&list, " %.*s", (int)role.len, role.ptr);
		n++;
	}
	if (list.failed) {
		text_buffer_done(&list);
		return NULL;
	}
	return list.ptr;
}

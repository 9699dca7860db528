/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "runbook.h"

#include <assert.h>
#include <stdlib.h>

#include "base/text.h"
#include "picture/alerts.h"

#define FALLBACK "GENERAL"

static int compare(const void *code, const void *runbook)
{
	return str_compare(*(const tocsin_str *)code, str(((const struct runbook *)runbook)->code));
}

static const struct runbook *find_own(tocsin_str code)
{
	return bsearch(&code, runbook_table, runbook_table_size, sizeof *runbook_table, compare);
}

const struct runbook *runbook_find(tocsin_str code)
{
	const struct runbook *found = find_own(code);

	if (!found)
		found = find_own(STR(FALLBACK));
	assert(found);
	return found;
}

bool runbook_is_known(tocsin_str code)
{
	return find_own(code) != NULL;
}

void runbook_facts(void *userdata, tocsin_str code, struct code_facts *ret)
{
	const struct runbook *r = runbook_find(code);

	(void)userdata;
	*ret = (struct code_facts){ .priority = r->priority, .page_after_ns = r->page_after_ns };
}

char *runbook_link(const char *base_url, tocsin_str code)
{
	struct text_buffer b = { 0 };
	size_t page;

	text_buffer_printf(&b, "%s/", base_url);
	page = b.len;
	text_buffer_printf(&b, "%s.md", runbook_find(code)->code);
	if (b.failed) {
		text_buffer_done(&b);
		return NULL;
	}
	for (char *p = b.ptr + page; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	return b.ptr;
}

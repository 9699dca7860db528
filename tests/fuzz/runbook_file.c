/* SPDX-License-Identifier: MIT */
/* A site's runbook: the first line is the file's name, the rest its text. */
#include "config.h"
#include "fuzz.h"

#include <errno.h>

#include "picture/alerts.h"
#include "codes/runbook_file.h"
#include "codes/runbook_text.h"

static void complain(void *userdata, unsigned line, const char *what)
{
	unsigned *n = userdata;

	MUST(line >= 1 && what[0] && is_one_line(what));
	MUST(++*n <= RUNBOOK_COMPLAINTS_MAX);
}

static void runbook_must(const struct runbook_file *f, tocsin_str text)
{
	const struct runbook *r = &f->runbook;
	tocsin_str rest = f->body, line, before, role;
	_cleanup_free_ char *filled = runbook_fill(f->body, NULL, NULL);
	size_t lines = 0;

	MUST(code_is_usable(str(r->code)) && r->priority >= 1 && r->priority <= 3);
	MUST(strlen(r->message_id) == 32 && r->title[0] && r->ack_within[0] && r->of_site);
	MUST(role_is_usable(str(r->escalate_to)));
	MUST(strncmp(r->roles, r->escalate_to, strlen(r->escalate_to)) == 0);
	MUST(f->body.len == 0 || f->body.ptr + f->body.len == text.ptr + text.len);
	MUST(filled);
	while (runbook_next_line(&rest, &line))
		lines++;
	MUST(lines <= f->body.len + 1);
	rest = f->body;
	while (runbook_next_role(&rest, &before, &role))
		MUST(role_is_usable(role));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *bytes = exact_copy(data, size), *name = NULL;
	tocsin_str text = { bytes, size }, first = { bytes, 0 };
	struct runbook_file f;
	unsigned complaints = 0;

	runbook_next_line(&text, &first);
	name = str_dup(first);
	MUST(name);
	int r = runbook_file_parse(name, text, complain, &complaints, &f);
	MUST(r == 0 ? complaints == 0 : r == -EBADMSG && complaints > 0);
	if (r == 0) {
		runbook_must(&f, text);
		runbook_file_done(&f);
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * A site's own runbook as a file: a head of "key: value" between two lines "---", then the page.
 * What is right is the same as for the built-in ones (runbooks/heads.awk). Any bytes may be in it.
 */
#ifndef TOCSIN_CODES_RUNBOOK_FILE_H
#define TOCSIN_CODES_RUNBOOK_FILE_H

#include <stddef.h>
#include "codes/runbook.h"
#include "tocsin_plugin.h"

#define RUNBOOK_FILE_MAX ((size_t)256 * 1024)
#define RUNBOOK_COMPLAINTS_MAX 20 /* about one file; the rest is not told */

/* Told of each thing that is wrong, lines from 1. */
typedef void runbook_complain(void *userdata, unsigned line, const char *what);

struct runbook_file {
	struct runbook runbook; /* its texts are in memory */
	char *memory, *roles;
	tocsin_str body; /* what follows the head, a view of the text parsed */
	unsigned body_line, message_id_line;
};

/* Reads the head. `name` is the file's, without folder: code in lower case and ".md".
 * -EBADMSG after complaining, -ENOMEM. */
int runbook_file_parse(const char *name, tocsin_str text, runbook_complain *complain,
		       void *userdata, struct runbook_file *ret);
void runbook_file_done(struct runbook_file *f);

/* Takes a line, without its end, off *rest; false when nothing is left. */
bool runbook_next_line(tocsin_str *rest, tocsin_str *ret_line);

#endif

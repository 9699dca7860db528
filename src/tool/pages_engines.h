/* SPDX-License-Identifier: MIT */
/*
 * Engines and the pages they have not got rid of: what a living one says in its pages.json, else
 * what lies in its outbox. For the verb pages.
 */
#ifndef TOCSIN_TOOL_PAGES_ENGINES_H
#define TOCSIN_TOOL_PAGES_ENGINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/owner.h"
#include "spool/outbox.h"
#include "engine/pages_file.h"

/* More are not looked at, and counted. */
#define PAGES_ENGINES_MAX 256

struct pages_engine {
	char *name;
	char *state_dir;
	bool lives;
	bool told;               /* the rows are from its pages.json, else from its outbox */
	struct pages_list pages; /* the oldest first, as far as they are read from the outbox */
};

struct pages_engines {
	struct pages_engine list[PAGES_ENGINES_MAX];
	size_t n;
	size_t unreadable; /* there, and not to be read by us: told on stderr */
	size_t left_out;   /* folders that were not looked at */
};

/* Of `engine` or all; state_dir: this folder alone. Either may be NULL. -ENOMEM. */
int pages_engines_read(const char *engine, const char *state_dir, struct pages_engines **ret);
/* Takes NULL. */
void pages_engines_free(struct pages_engines *e);

/*
 * Opens the outbox of a state folder to read in it with the rights of the folder's owner, until
 * owner_leave. Frees as outbox_free. -ENOENT: there is none; -EPERM: root may not become the owner.
 */
int pages_outbox_open(const char *state_dir, struct owner_rights *rights, struct outbox **ret);

/* "user live and group tocsin", those who may read what is at the path; heap, NULL when that cannot
 * be told. */
char *pages_readers(const char *path);

#endif

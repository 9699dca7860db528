/* SPDX-License-Identifier: MIT */
/*
 * The folders of one play: made for it, empty, and removed afterwards, unless pages are left in
 * them. A folder that the user named by -o is the user's and left alone.
 */
#ifndef TOCSIN_TOOL_PLAY_FOLDER_H
#define TOCSIN_TOOL_PLAY_FOLDER_H

#include <stdbool.h>
#include "tool/tool.h"

struct play_folder {
	const char *parent;    /* $TMPDIR or /tmp */
	char *path;            /* NULL: none was needed */
	char *runtime, *state; /* inside it, or runtime on a tmpfs of its own */
	bool runtime_apart;
	bool keep;
};

/* Makes what the options do not name and adds it to them. -errno. */
int play_folder_make(struct play_folder *f, struct tool_options *options);
/* Are there dead pages in the state folder that the options name? Where it cannot be looked into,
 * those that died are taken to be there. */
bool play_folder_has_dead(const struct tool_options *options);
/* Says where undelivered pages are, and leaves them there. */
void play_folder_keep(struct play_folder *f);
void play_folder_done(struct play_folder *f);

#endif

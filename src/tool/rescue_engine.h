/* SPDX-License-Identifier: MIT */
/*
 * An engine as those find it who come after its death: its folders, whose they are, and what it was
 * told. For the verbs rescue and sentinel.
 */
#ifndef TOCSIN_TOOL_RESCUE_ENGINE_H
#define TOCSIN_TOOL_RESCUE_ENGINE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "dispatch/rescue.h"
#include "settings/settings.h"
#include "tool/tool.h"

struct rescue_engine {
	char *name;
	char *runtime_path, *state_path; /* NULL: it has none, or none that we may use */
};

void rescue_engine_done(struct rescue_engine *e);

/* The engine's folders where src/engine/folders.c puts them, those that are there. -ENOENT: there
 * are none; -ENOMEM. */
int rescue_engine_find(const char *name, struct rescue_engine *ret);
/* The engine of the folders that the options name. -ENOENT, -ENOMEM. */
int rescue_engine_of_options(const struct tool_options *o, struct rescue_engine *ret);

/* Where runtime folders are, each one's parent: at most `size`, heap. -ENOMEM. */
int rescue_runtime_roots(char **roots, size_t size, size_t *ret_n);
/* The same of state folders. */
int rescue_state_roots(char **roots, size_t size, size_t *ret_n);

/*
 * Opens such a parent, or an engine's folder in it; the second lists it. In a folder that everybody
 * may write what others have made is refused, in /dev/shm all that is not ours: -EPERM. NULL with
 * errno. The caller closes.
 */
int rescue_root_open(const char *path, int *ret_fd);
DIR *rescue_root_list(const char *path);

/* More are counted alone. */
#define RESCUE_ENGINES_MAX 256
struct rescue_names {
	char *list[RESCUE_ENGINES_MAX]; /* heap */
	size_t n;
	size_t left_out; /* folders, one engine's twice where it has two */
};
/* Every engine that has a folder where src/engine/folders.c puts them. -ENOMEM leaves nothing to
 * free. */
int rescue_engine_names(struct rescue_names *ret);
void rescue_names_done(struct rescue_names *names);

/*
 * In a child process, which ends when its parent does: root becomes the user whose recorders they
 * are, else whose pages, with that user's group and groups, before anything of the engine's is read
 * or made. -EPERM: it is another user's; -ESRCH: the parent has gone.
 */
int rescue_engine_become_owner(const struct rescue_engine *e, pid_t parent);

/*
 * What the engine was told, from its settings.json; then the options, but for paths and name. Where
 * no such file can be read the installed settings count, and *ret_why says why, else NULL (static).
 * -errno as settings_load, err gets one line.
 */
int rescue_engine_settings(const struct rescue_engine *e, const struct tool_options *o, char *err,
			   size_t err_size, const char **ret_why, struct settings **ret);

/* Has it a recorder there, a dead run's or a living one's? */
bool rescue_engine_has_recorder(const struct rescue_engine *e);

/* Is it "ring-" and an epoch? Then the name of the lock beside it. */
#define RESCUE_LOCK_SIZE 64
bool rescue_lock_name(const char *recorder, char ret[static RESCUE_LOCK_SIZE]);

#endif

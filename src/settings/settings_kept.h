/* SPDX-License-Identifier: MIT */
/*
 * settings.json: what an engine was told, by options too, so that those who come after its death
 * know it: rescue, the sentinel and the tool. It lies in the state folder (durable, for after a
 * boot) and in the runtime folder beside the recorders; mode 0600, for a URL may hold a token. Of
 * secrets it has the files' names alone.
 *
 * {"format":1,"engine":NAME,"runtime_dir":PATH|null,"state_dir":PATH|null,
 *  "options":[[NAME,VALUE],...]}
 */
#ifndef TOCSIN_SETTINGS_SETTINGS_KEPT_H
#define TOCSIN_SETTINGS_SETTINGS_KEPT_H

#include "settings/settings.h"

#define SETTINGS_KEPT_FILE "settings.json"

/* Writes s->given. The paths are those in use, NULL for none. -errno. */
int settings_kept_write(int folder, bool durable, const struct settings *s, const char *runtime_dir,
			const char *state_dir);

/*
 * Reads it and loads the settings anew, as settings_load does with what was given, but for the
 * engine's name and the two paths, which are those that were in use. -ENOENT: there is none;
 * -EBADMSG: damaged; -EPROTONOSUPPORT: a later version's; else as settings_load. err gets one line.
 */
int settings_kept_load(settings_files_check *check_files, int folder, char *err, size_t err_size,
		       struct settings **ret);

#endif

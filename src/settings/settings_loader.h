/* SPDX-License-Identifier: MIT */
/* Inside the settings: takes them in, line by line and option by option, and knows where each is.
 */
#ifndef TOCSIN_SETTINGS_SETTINGS_LOADER_H
#define TOCSIN_SETTINGS_SETTINGS_LOADER_H

#include "settings/settings_table.h"

#define LOADER_OPTION "option" /* the place of what no file says */
/* The table's rows for the settings themselves and for each endpoint, then the keys of each source.
 */
#define LOADER_TABLES (2 + SETTINGS_ENDPOINTS_MAX)
#define LOADER_PLACES_MAX                                                                          \
	(LOADER_TABLES * SETTINGS_TABLE_MAX + SOURCE_THRESHOLDS_MAX * SETTINGS_SOURCE_KEYS)

/* Where a row was set last, for what is found wrong only when all is known. */
struct loader {
	struct settings *settings;
	settings_files_check *check_files;        /* NULL: nobody looks into the endpoints' files */
	const char *file;                         /* being read; NULL: options */
	bool seen[LOADER_PLACES_MAX];             /* in this file */
	unsigned contact_lines[CONTACTS_MAX];     /* in this file; 0: not in it */
	char *places[LOADER_PLACES_MAX];          /* "FILE:LINE" or LOADER_OPTION, heap */
	struct text_buffer error;                 /* the first that is wrong, for the caller */
	const struct settings_listener *listener; /* NULL: the first is all that is told */
};

/* Sets what counts where nothing is said. -ENOMEM. */
int loader_defaults(struct loader *l);
/* Each takes one in and tells what is wrong. -EINVAL, -ENOMEM, or the error of reading the file. */
int loader_file(struct loader *l, const char *path);
int loader_option(struct loader *l, const tocsin_kv *option);

/* Where it was set, NULL: nowhere. owner: the source or the endpoint that the key is of; of other
 * keys it is not looked at. */
const char *loader_place(const struct loader *l, const char *section, const char *key,
			 const void *owner);
/* Tells the listener "PLACE: NAME: WHY", cleaned; the first such is the error. place and name may
 * be NULL. */
void loader_tell(struct loader *l, const char *place, const char *name, const char *why);
void loader_done(struct loader *l);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * journald's configuration, read as journald reads it: the first journald.conf of /etc, /run,
 * /usr/local/lib and /usr/lib, then the drop-ins of all of them in the order of their names, where
 * one of an earlier folder hides those of its name in later ones. A line that journald does not
 * understand is passed over, as journald does. Of a namespace it is journald@NAME.conf instead.
 *
 * It is what journald reads when it starts next: one that runs may have read something else. Older
 * ones take the main file of /etc alone; the few sites that have another one are told too much.
 */
#ifndef TOCSIN_TOOL_JOURNALD_CONF_H
#define TOCSIN_TOOL_JOURNALD_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum journald_storage {
	JOURNALD_STORAGE_AUTO,
	JOURNALD_STORAGE_PERSISTENT,
	JOURNALD_STORAGE_VOLATILE,
	JOURNALD_STORAGE_NONE,
};

enum journald_key {
	JOURNALD_STORAGE,
	JOURNALD_MAX_LEVEL_STORE,
	JOURNALD_RATE_INTERVAL,
	JOURNALD_RATE_BURST,
	JOURNALD_FORWARD_TO_SYSLOG,
	JOURNALD_KEYS,
};

#define JOURNALD_PLACE_SIZE 320

struct journald_conf {
	enum journald_storage storage;
	unsigned max_level_store;  /* of syslog(3): 7 stores all */
	uint64_t rate_interval_us; /* UINT64_MAX: for ever; with 0 here or in the burst no limit */
	uint64_t rate_burst;
	bool forward_to_syslog;
	char place[JOURNALD_KEYS][JOURNALD_PLACE_SIZE]; /* "FILE:LINE" that set it; "": nothing */
	char unread[JOURNALD_PLACE_SIZE];               /* a file that could not be read, and why */
};

/* root: "" or a folder to look in instead of /; name: of a namespace, or NULL. -ENOMEM. */
int journald_conf_read(const char *root, const char *name, struct journald_conf *ret);

/* Calls `each` with the name of each namespace that has a configuration; names live for the call.
 * -ENOMEM. */
int journald_conf_namespaces(const char *root, void (*each)(void *userdata, const char *name),
			     void *userdata);

#endif

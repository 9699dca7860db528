/* SPDX-License-Identifier: MIT */
/* The plugin, loaded, and instances of it as the bench has them. */
#ifndef TOCSIN_BENCH_ENGINE_H
#define TOCSIN_BENCH_ENGINE_H

#include "tocsin_plugin.h"

/* NULL when it cannot be loaded, which is told. */
const tocsin_plugin *engine_load(const char *path);

struct engine_options {
	const char *name;
	const char *folder;     /* of recorder and state */
	const char *state;      /* of the state alone; NULL: in folder */
	const char *log_target; /* as in the settings */
	const char *url;        /* of the receiver; NULL: none */
	void (*log)(const tocsin_host *, uint32_t level, const char *text, size_t len);
};

/* Ends the program when it cannot be started. */
tocsin_instance *engine_start(const tocsin_plugin *plugin, const struct engine_options *o);

/* Removes what engines have left, with the folder. */
void engine_folder_remove(const char *folder);

#endif

/* SPDX-License-Identifier: MIT */
/* A plugin loaded from its file, as any engine does it: by the public header alone. */
#ifndef TOCSIN_TOOL_PLUGIN_FILE_H
#define TOCSIN_TOOL_PLUGIN_FILE_H

#include "tocsin_plugin.h"

struct plugin_file {
	void *handle;
	uint32_t abi; /* the minor version agreed on */
	const tocsin_plugin *plugin;
};

/* Loads and negotiates. -ENOENT and the like from the loader as -ELIBBAD, no entry or no version in
 * common -EPROTONOSUPPORT; err gets one line. */
int plugin_file_load(const char *path, char *err, size_t err_size, struct plugin_file *ret);
/* Unloads it: no instance of it may live. */
void plugin_file_unload(struct plugin_file *p);

/* "full", "timeout", ... for a tocsin_rc. Static. */
const char *plugin_rc_name(tocsin_rc rc);

#endif

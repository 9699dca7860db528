/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/plugin_file.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int plugin_file_load(const char *path, char *err, size_t err_size, struct plugin_file *ret)
{
	tocsin_negotiation n = { .size = sizeof(n), .abi_max = TOCSIN_ABI_MINOR };
	tocsin_plugin_entry *entry = NULL;
	void *handle, *symbol;
	tocsin_rc rc;

	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		snprintf(err, err_size, "cannot load the plugin: %s", dlerror());
		return -ELIBBAD;
	}
	symbol = dlsym(handle, TOCSIN_PLUGIN_ENTRY);
	memcpy(&entry, &symbol, sizeof(entry));
	if (!entry) {
		snprintf(err, err_size, "%s is no tocsin plugin: it has no %s", path,
			 TOCSIN_PLUGIN_ENTRY);
		dlclose(handle);
		return -EPROTONOSUPPORT;
	}
	rc = entry(&n);
	if (rc != TOCSIN_OK || !n.plugin) {
		snprintf(err, err_size,
			 "%s speaks ABI 1.%u and this program 1.0 to 1.%u: install both of one "
			 "version (%s)",
			 path, n.abi, TOCSIN_ABI_MINOR, plugin_rc_name(rc));
		dlclose(handle);
		return -EPROTONOSUPPORT;
	}
	*ret = (struct plugin_file){ handle, n.abi, n.plugin };
	return 0;
}

void plugin_file_unload(struct plugin_file *p)
{
	if (p->handle)
		dlclose(p->handle);
	*p = (struct plugin_file){ 0 };
}

const char *plugin_rc_name(tocsin_rc rc)
{
	static const char *const names[] = {
		"fine",
		"malformed",
		"ABI version not supported",
		"wrong state",
		"the recorder is full",
		"not supported",
		"timed out",
		"no memory",
		"wrong setting",
		"the system refused",
	};

	if (rc > 0 || rc <= -(tocsin_rc)(sizeof(names) / sizeof(names[0])))
		return "unknown";
	return names[-rc];
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "bench_engine.h"

#include <dlfcn.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

#define WITH_URL 9

const tocsin_plugin *engine_load(const char *path)
{
	tocsin_negotiation n = { sizeof n, 0, TOCSIN_ABI_MINOR, 0, NULL };
	void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	tocsin_plugin_entry *entry =
		so ? (tocsin_plugin_entry *)(uintptr_t)dlsym(so, TOCSIN_PLUGIN_ENTRY) : NULL;

	if (!entry || entry(&n) != TOCSIN_OK) {
		fprintf(stderr, "bench: %s cannot be loaded: %s\n", path, dlerror());
		return NULL;
	}
	return n.plugin;
}

tocsin_instance *engine_start(const tocsin_plugin *plugin, const struct engine_options *o)
{
	char err[512] = "", runtime[256], state[256];
	tocsin_instance *i = NULL;
	/* It outlives the instance, as the contract asks; a bench makes few. */
	tocsin_host *host = calloc(1, sizeof *host);

	if (!host)
		exit(1);
	*host = (tocsin_host){
		.size = sizeof *host, .name = "bench", .version = "1", .log = o->log
	};
	snprintf(runtime, sizeof runtime, "%s/run-%s", o->folder, o->name);
	snprintf(state, sizeof state, "%s/state-%s", o->state ? o->state : o->folder, o->name);
	const tocsin_kv options[WITH_URL] = {
		{ STR("config"), STR("") },
		{ STR("engine.name"), str(o->name) },
		{ STR("engine.replay"), STR("yes") },
		{ STR("log.target"), str(o->log_target) },
		{ STR("recorder.size"), STR("4M") },
		{ STR("pages.max_pages_per_minute"), STR("0") },
		{ STR("paths.runtime_dir"), str(runtime) },
		{ STR("paths.state_dir"), str(state) },
		{ STR("webhook.url"), str(o->url ? o->url : "") },
	};
	if (plugin->create(host, options, o->url ? WITH_URL : WITH_URL - 1, err, sizeof err, &i) !=
		    TOCSIN_OK ||
	    plugin->start(i) != TOCSIN_OK) {
		fprintf(stderr, "bench: %s cannot be started: %s\n", o->name, err);
		exit(1);
	}
	return i;
}

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	remove(path);
	return 0;
}

void engine_folder_remove(const char *folder)
{
	nftw(folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

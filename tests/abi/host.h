/* SPDX-License-Identifier: MIT */
/* What tests of the loaded plugin share: a host of their own. TOCSIN_PLUGIN names the file. */
#ifndef TOCSIN_TESTS_ABI_HOST_H
#define TOCSIN_TESTS_ABI_HOST_H

#include <dirent.h>
#include <dlfcn.h>
#include <jansson.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "test.h"

#define OPTIONS_MAX 12
#define TASKS_MAX 64

DEFINE_CLEANUP(DIR *, closedir, cleanup_dir)

/* A host with one plugin loaded, and what that told it. */
struct world {
	struct test_folder *folder;
	void *so;
	const tocsin_plugin *plugin;
	tocsin_host host;
	char runtime[128], state[128], log[8192];
	size_t logged;
	tocsin_kv options[OPTIONS_MAX];
	size_t n_options;
};

static void keep_log(const tocsin_host *host, uint32_t level, const char *text, size_t len)
{
	struct world *w = host->data;

	assert_true(level <= 7);
	if (len < sizeof w->log - w->logged - 1) {
		memcpy(w->log + w->logged, text, len);
		w->logged += len;
		w->log[w->logged++] = '\n';
		w->log[w->logged] = 0;
	}
}

static tocsin_plugin_entry *entry_of(void *so)
{
	return (tocsin_plugin_entry *)(uintptr_t)dlsym(so, TOCSIN_PLUGIN_ENTRY);
}

_unused_ static void option(struct world *w, const char *key, const char *value)
{
	assert_true(w->n_options < OPTIONS_MAX);
	w->options[w->n_options++] = (tocsin_kv){ str(key), str(value) };
}

_unused_ static int world_make(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	void *folder;
	tocsin_negotiation n = { sizeof n, 0, TOCSIN_ABI_MINOR, 99, NULL };

	if (!w || test_folder_make(&folder) < 0)
		return -1;
	w->folder = folder;
	w->so = dlopen(getenv("TOCSIN_PLUGIN"), RTLD_NOW | RTLD_LOCAL);
	if (!w->so) {
		fprintf(stderr, "TOCSIN_PLUGIN: %s\n", dlerror());
		return -1;
	}
	if (entry_of(w->so)(&n) != TOCSIN_OK)
		return -1;
	w->plugin = n.plugin;
	w->host = (tocsin_host){
		.size = sizeof w->host, .abi = n.abi, .data = w, .name = "test", .log = keep_log
	};
	snprintf(w->runtime, sizeof w->runtime, "%s/run", w->folder->path);
	snprintf(w->state, sizeof w->state, "%s/state", w->folder->path);
	option(w, "config", "");
	option(w, "engine.name", "contract");
	option(w, "log.target", "stderr");
	option(w, "paths.runtime_dir", w->runtime);
	option(w, "paths.state_dir", w->state);
	*state = w;
	return 0;
}

/* --- The threads of this process --- */

struct task {
	pid_t id;
	char name[32];
	unsigned long long blocked; /* signals, bit 0 is signal 1 */
};

static bool task_read(pid_t id, struct task *ret)
{
	char path[64], line[256];

	snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)id);
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	if (!f)
		return false;
	*ret = (struct task){ .id = id };
	while (fgets(line, sizeof line, f)) {
		if (strncmp(line, "Name:\t", 6) == 0)
			snprintf(ret->name, sizeof ret->name, "%.*s", (int)strcspn(line + 6, "\n"),
				 line + 6);
		if (strncmp(line, "SigBlk:\t", 8) == 0)
			ret->blocked = strtoull(line + 8, NULL, 16);
	}
	return ret->name[0] != 0;
}

/* This process's threads, those whose name begins so. */
_unused_ static size_t tasks_read(const char *prefix, struct task ret[static TASKS_MAX])
{
	_cleanup_(cleanup_dir) DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) && n < TASKS_MAX)
		if (e->d_name[0] != '.' && task_read((pid_t)strtol(e->d_name, NULL, 10), &ret[n]) &&
		    strncmp(ret[n].name, prefix, strlen(prefix)) == 0)
			n++;
	return n;
}

_unused_ static size_t tasks_count(const char *prefix)
{
	struct task tasks[TASKS_MAX];

	return tasks_read(prefix, tasks);
}

_unused_ static int world_end(void **state)
{
	struct world *w = *state;
	void *folder = w->folder;

	/* A thread that was joined may still be on its way out; but where a test has failed there
	 * may be an instance that runs, and that would crash in a plugin that is no more. */
	for (unsigned look = 0; tasks_count("tocsin-") > 0; look++) {
		if (look == 1000)
			return 0;
		usleep(1000);
	}
	dlclose(w->so);
	free(w);
	return test_folder_remove(&folder);
}

_unused_ static tocsin_instance *make(struct world *w)
{
	char err[256] = "";
	tocsin_instance *i = NULL;
	tocsin_rc rc = w->plugin->create(&w->host, w->options, w->n_options, err, sizeof err, &i);

	if (rc != TOCSIN_OK)
		fail_msg("create: %d %s", rc, err);
	return i;
}

_unused_ static tocsin_instance *start(struct world *w)
{
	tocsin_instance *i = make(w);

	assert_int_equal(w->plugin->start(i), TOCSIN_OK);
	return i;
}

_unused_ static tocsin_session_event session_event(uint32_t kind, const char *id,
						   const char *status)
{
	return (tocsin_session_event){
		.head = { sizeof(tocsin_session_event), kind, 0 },
		.session_id = str(id),
		.status = str(status),
	};
}

_unused_ static tocsin_alert_event alert_event(uint32_t kind, const char *code)
{
	return (tocsin_alert_event){
		.head = { sizeof(tocsin_alert_event), kind, 0 },
		.code = str(code),
		.message = STR("m"),
	};
}

_unused_ static tocsin_health_event health_event(uint32_t kind)
{
	return (tocsin_health_event){ .head = { sizeof(tocsin_health_event), kind, 0 } };
}

_unused_ static json_t *snapshot(struct world *w, tocsin_instance *i)
{
	char buf[65536];
	size_t len = 0;

	assert_int_equal(w->plugin->snapshot(i, buf, sizeof buf, &len), TOCSIN_OK);
	json_t *json = json_loadb(buf, len, 0, NULL);
	assert_non_null(json);
	return json;
}

#define in_world(f) cmocka_unit_test_setup_teardown(f, world_make, world_end)

#endif

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/engine_snapshots.h"

#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "snapshot_file.h"

DEFINE_CLEANUP(DIR *, closedir, cleanup_dir)

void engine_snapshots_free(struct engine_snapshots *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		free(s->list[i].folder);
		json_decref(s->list[i].json);
	}
	free(s);
}

DEFINE_CLEANUP(struct engine_snapshots *, engine_snapshots_free, cleanup_snapshots)

const char *engine_snapshot_name(const struct engine_snapshot *s)
{
	const char *name = json_string_value(json_object_get(s->json, "engine"));

	return name ? name : "";
}

static int add_folder(struct engine_snapshots *s, const char *folder, const char *engine)
{
	struct engine_snapshot *new = &s->list[s->n];
	int r;

	if (s->n == ENGINE_SNAPSHOTS_MAX)
		return 0;
	*new = (struct engine_snapshot){ 0 };
	r = snapshot_file_read(folder, &new->json, &new->alive);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		if (r != -ENOENT && r != -ENOTDIR)
			s->unreadable++;
		return 0;
	}
	if (engine && strcmp(engine_snapshot_name(new), engine) != 0) {
		json_decref(new->json);
		return 0;
	}
	if (time_from_rfc3339(str(json_string_value(json_object_get(new->json, "timestamp"))),
			      &new->time_ns) < 0)
		new->time_ns = 0;
	new->folder = strdup(folder);
	if (!new->folder) {
		json_decref(new->json);
		return -ENOMEM;
	}
	s->n++;
	s->n_alive += new->alive;
	return 0;
}

/* Each folder in base + suffix is one engine's. */
static int add_folders(struct engine_snapshots *s, const char *base, const char *suffix,
		       const char *engine)
{
	_cleanup_(text_buffer_done) struct text_buffer parent = { 0 };
	_cleanup_(cleanup_dir) DIR *dir = NULL;
	struct dirent *entry;
	int r = 0;

	if (!base || base[0] != '/')
		return 0;
	text_buffer_printf(&parent, "%s%s", base, suffix);
	if (parent.failed)
		return -ENOMEM;
	dir = opendir(parent.ptr);
	if (!dir) {
		if (errno == EACCES)
			s->unreadable++;
		return 0;
	}
	while (r == 0 && (entry = readdir(dir))) {
		_cleanup_(text_buffer_done) struct text_buffer folder = { 0 };

		if (entry->d_name[0] == '.')
			continue;
		text_buffer_printf(&folder, "%s/%s", parent.ptr, entry->d_name);
		r = folder.failed ? -ENOMEM : add_folder(s, folder.ptr, engine);
	}
	return r;
}

static int add_all_folders(struct engine_snapshots *s, const char *engine)
{
	const char *home = secure_getenv("HOME");
	const char *state_home = secure_getenv("XDG_STATE_HOME");
	int r = add_folders(s, "/var/lib/tocsin", "", engine);

	if (r == 0)
		r = add_folders(s, state_home, "/tocsin", engine);
	if (r == 0 && (!home || home[0] != '/')) {
		const struct passwd *user = getpwuid(geteuid());

		home = user ? user->pw_dir : NULL;
	}
	if (r == 0)
		r = add_folders(s, home, "/.local/state/tocsin", engine);
	return r;
}

static int compare_snapshots(const void *a, const void *b)
{
	const struct engine_snapshot *x = a, *y = b;

	if (x->alive != y->alive)
		return x->alive ? -1 : 1;
	return (x->time_ns < y->time_ns) - (x->time_ns > y->time_ns);
}

int engine_snapshots_read(const char *engine, const char *state_dir, struct engine_snapshots **ret)
{
	_cleanup_(cleanup_snapshots) struct engine_snapshots *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	r = state_dir ? add_folder(s, state_dir, NULL) : add_all_folders(s, engine);
	if (r < 0)
		return r;
	if (s->n > 0)
		qsort(s->list, s->n, sizeof(s->list[0]), compare_snapshots);
	*ret = TAKE(s);
	return 0;
}

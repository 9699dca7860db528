/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/engine_snapshots.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/files.h"
#include "base/moment.h"
#include "base/text.h"
#include "engine/snapshot_file.h"
#include "tool/rescue_engine.h"
#include "tool/tool.h"

#define ROOTS_MAX 3

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

/* May what lies in a folder of that name speak for that engine? Its own may; another engine's
 * only where it is root's or ours: else any engine's user could speak for all engines. */
static bool may_speak(const char *folder, const char *engine)
{
	_cleanup_free_ char *own = text_to_filename(str(engine), TOCSIN_ID_MAX);
	const char *slash = strrchr(folder, '/');

	return (own && slash && strcmp(slash + 1, own) == 0) || !folder_is_foreign(folder);
}

/* any_name: the folder was named by whoever asks. */
static int add_folder(struct engine_snapshots *s, const char *folder, const char *engine,
		      bool any_name)
{
	struct engine_snapshot *new = &s->list[s->n];
	int r;

	if (s->n == ENGINE_SNAPSHOTS_MAX) {
		s->left_out++;
		return 0;
	}
	*new = (struct engine_snapshot){ 0 };
	r = snapshot_file_read(folder, &new->json, &new->alive);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		if (r != -ENOENT && r != -ENOTDIR)
			s->unreadable++;
		return 0;
	}
	if (!any_name && !may_speak(folder, engine_snapshot_name(new))) {
		tool_failed("status", "%s says that it is of engine %s; that is not believed",
			    folder, engine_snapshot_name(new));
		s->unreadable++;
		json_decref(new->json);
		return 0;
	}
	if (engine && strcmp(engine_snapshot_name(new), engine) != 0) {
		json_decref(new->json);
		return 0;
	}
	if (time_from_rfc3339(str(json_string_value(json_object_get(new->json, "timestamp"))),
			      &new->time_ns) < 0)
		new->time_ns = 0;
	if (time_from_rfc3339(
		    str(json_string_value(json_object_get(new->json, "engine_signed_at"))),
		    &new->signed_ns) < 0)
		new->signed_ns = 0;
	new->folder = strdup(folder);
	if (!new->folder) {
		json_decref(new->json);
		return -ENOMEM;
	}
	s->n++;
	s->n_alive += new->alive;
	return 0;
}

/* Each folder in it is one engine's. */
static int add_root(struct engine_snapshots *s, const char *root, const char *engine)
{
	_cleanup_(cleanup_dir) DIR *dir = rescue_root_list(root);
	struct dirent *entry;
	int r = 0;

	if (!dir && (errno == EACCES || errno == EPERM))
		s->unreadable++;
	while (dir && r == 0 && (entry = readdir(dir))) {
		_cleanup_(text_buffer_done) struct text_buffer folder = { 0 };

		if (entry->d_name[0] == '.')
			continue;
		text_buffer_printf(&folder, "%s/%s", root, entry->d_name);
		r = folder.failed ? -ENOMEM : add_folder(s, folder.ptr, engine, false);
	}
	return r;
}

static int add_roots(struct engine_snapshots *s, const char *engine)
{
	char *roots[ROOTS_MAX];
	size_t n;
	int r = rescue_state_roots(roots, ROOTS_MAX, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			r = add_root(s, roots[i], engine);
		free(roots[i]);
	}
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
	r = state_dir ? add_folder(s, state_dir, NULL, true) : add_roots(s, engine);
	if (r < 0)
		return r;
	if (s->n > 0)
		qsort(s->list, s->n, sizeof(s->list[0]), compare_snapshots);
	*ret = TAKE(s);
	return 0;
}

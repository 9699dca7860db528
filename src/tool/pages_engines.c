/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/pages_engines.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <jansson.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/files.h"
#include "base/moment.h"
#include "base/text.h"
#include "engine/snapshot_file.h"
#include "tool/rescue_engine.h"
#include "tool/tool.h"

#define ROOTS_MAX 3

DEFINE_CLEANUP(DIR *, closedir, cleanup_dir)
DEFINE_CLEANUP(json_t *, json_decref, cleanup_json)
DEFINE_CLEANUP(struct outbox *, outbox_free, cleanup_outbox)
DEFINE_CLEANUP(struct pages_engines *, pages_engines_free, cleanup_engines)

static void engine_done(struct pages_engine *e)
{
	free(e->name);
	free(e->state_dir);
	pages_list_done(&e->pages);
}

void pages_engines_free(struct pages_engines *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->n; i++)
		engine_done(&e->list[i]);
	free(e);
}

/* --- Who may read --- */

char *pages_readers(const char *path)
{
	struct text_buffer b = { 0 };
	struct passwd *user;
	struct group *group;
	struct stat st;

	if (stat(path, &st) < 0)
		return NULL;
	user = getpwuid(st.st_uid);
	group = getgrgid(st.st_gid);
	if (user)
		text_buffer_printf(&b, "user %s", user->pw_name);
	else
		text_buffer_printf(&b, "user %u", (unsigned)st.st_uid);
	if ((st.st_mode & S_IRGRP) && group)
		text_buffer_printf(&b, " and group %s", group->gr_name);
	else if (st.st_mode & S_IRGRP)
		text_buffer_printf(&b, " and group %u", (unsigned)st.st_gid);
	if (b.failed)
		text_buffer_done(&b);
	return b.ptr;
}

static char *join(const char *folder, const char *name)
{
	struct text_buffer b = { 0 };

	text_buffer_printf(&b, "%s/%s", folder, name);
	if (b.failed)
		text_buffer_done(&b);
	return b.ptr;
}

static void tell_unreadable(struct pages_engines *all, const char *path, int error)
{
	_cleanup_free_ char *readers = error == -EACCES ? pages_readers(path) : NULL;

	all->unreadable++;
	if (readers)
		tool_failed("pages", "%s: it may be read by %s alone", path, readers);
	else
		tool_failed("pages", "%s cannot be read: %s", path, strerror(-error));
}

/* Where the folder itself is open to us it is what lies in it. */
static void tell_unreadable_part(struct pages_engines *all, const char *state_dir, int error)
{
	_cleanup_free_ char *outbox = join(state_dir, "outbox");
	bool enters = access(state_dir, R_OK | X_OK) == 0;

	tell_unreadable(all, enters && outbox ? outbox : state_dir, error);
}

/* --- Reading --- */

int pages_outbox_open(const char *state_dir, struct owner_rights *rights, struct outbox **ret)
{
	_cleanup_close_ int state = -1;
	int r = folder_open(state_dir, false, &state);

	if (r == 0)
		r = outbox_open_existing(state_dir, ret);
	return r < 0 ? r : owner_enter(state, rights);
}

struct looking {
	struct pages_engine *engine;
	const char *state; /* of what is found */
	int error;
};

static void looked(void *userdata, struct page *p, const char *endpoint)
{
	struct looking *l = userdata;
	struct page_row row = {
		.id = p->id,
		.endpoint = endpoint,
		.code = p->code,
		.priority = p->priority,
		.state = l->state,
		.due_wall_ns = p->due_wall_ns,
	};

	if (l->error == 0)
		l->error = pages_list_add(&l->engine->pages, &row);
	page_unref(p);
}

static void looked_bad(void *userdata, const char *name, int error)
{
	const struct looking *l = userdata;

	tool_failed("pages", "%s/outbox/%s%s cannot be read: %s", l->engine->state_dir,
		    strcmp(l->state, PAGE_STATE_DEAD) == 0 ? "dead/" : "", name,
		    error == -EPROTONOSUPPORT ? "a later version has written it"
		    : error == -ENOBUFS       ? "tell people by hand"
					      : strerror(-error));
}

/* -ENOENT: there is no outbox. */
static int look(struct pages_engine *e)
{
	_cleanup_(cleanup_outbox) struct outbox *o = NULL;
	struct looking l = { .engine = e, .state = PAGE_STATE_WAITING };
	struct outbox_cursor waiting = { 0 }, dead = { 0 };
	struct owner_rights rights = { 0 };
	int r = pages_outbox_open(e->state_dir, &rights, &o);

	do
		r = r < 0 ? r : outbox_look(o, &waiting, looked, looked_bad, &l);
	while (r >= 0 && waiting.left > 0);
	l.state = PAGE_STATE_DEAD;
	do
		r = r < 0 ? r : outbox_scan_dead(o, &dead, looked, looked_bad, &l);
	while (r >= 0 && dead.left > 0);
	owner_leave(&rights);
	return r < 0 ? r : l.error;
}

/* Does the engine of that folder live? 1: it tells; 0: there is nothing by which it tells, and it
 * is taken for dead: who posts there has the claim. -EACCES. */
static int ask_life(struct pages_engine *e)
{
	_cleanup_(cleanup_json) json_t *json = NULL;
	int r = snapshot_file_read(e->state_dir, &json, &e->lives);

	const char *name = json_string_value(json_object_get(json, "engine"));
	if (r == 0 && name) {
		char *copy = strdup(name);

		if (!copy)
			return -ENOMEM;
		free(e->name);
		e->name = copy;
	}
	return r == -EACCES || r == -ENOMEM ? r : r == 0;
}

static int read_told(struct pages_engine *e)
{
	int r = pages_file_read(e->state_dir, &e->pages);

	e->told = r == 0;
	return r;
}

/* What we may not look at ourselves it may have told. */
static int read_pages(struct pages_engine *e)
{
	int r = e->lives ? read_told(e) : -ENOENT;

	if (r == 0 || r == -ENOMEM)
		return r;
	r = look(e);
	if (r != -EACCES)
		return r;
	return read_told(e) == 0 ? 0 : r;
}

static void tell_stale(const struct pages_engine *e)
{
	char time[TIME_TEXT_SIZE];

	if (!e->lives && e->told)
		fprintf(stderr,
			"tocsin pages: engine %s does not run, and only its user may read "
			"%s/outbox; this is how it was at %s\n",
			e->name, e->state_dir, time_to_local(e->pages.wall_ns, false, time));
}

/* Takes what is there; an engine that has no pages counts, a folder that is no engine's does not.
 */
static int add_engine(struct pages_engines *all, const char *name, const char *state_dir)
{
	struct pages_engine *e = &all->list[all->n];
	int known, r;

	if (all->n == PAGES_ENGINES_MAX) {
		all->left_out++;
		return 0;
	}
	*e = (struct pages_engine){ .name = strdup(name), .state_dir = strdup(state_dir) };
	known = e->name && e->state_dir ? ask_life(e) : -ENOMEM;
	r = known < 0 ? known : read_pages(e);
	if (r == 0 || (r == -ENOENT && known > 0)) {
		tell_stale(e);
		all->n++;
		return 0;
	}
	if (r != -ENOMEM && r != -ENOENT && r != -ENOTDIR)
		tell_unreadable_part(all, state_dir, r);
	engine_done(e);
	return r == -ENOMEM ? r : 0;
}

/* --- Where they are --- */

static int add_root(struct pages_engines *all, const char *root, const char *engine)
{
	_cleanup_(cleanup_dir) DIR *dir = rescue_root_list(root);
	struct dirent *entry;
	int r = 0;

	if (!dir && (errno == EACCES || errno == EPERM))
		tell_unreadable(all, root, -errno);
	while (dir && r == 0 && (entry = readdir(dir))) {
		_cleanup_free_ char *path = NULL;

		if (entry->d_name[0] == '.' || (engine && strcmp(entry->d_name, engine) != 0))
			continue;
		path = join(root, entry->d_name);
		r = path ? add_engine(all, entry->d_name, path) : -ENOMEM;
	}
	return r;
}

static int add_roots(struct pages_engines *all, const char *engine)
{
	_cleanup_free_ char *folder = NULL;
	char *roots[ROOTS_MAX];
	size_t n;
	int r;

	/* As its folder is named. */
	if (engine && !(folder = text_to_filename(str(engine), TOCSIN_ID_MAX)))
		return -ENOMEM;
	r = rescue_state_roots(roots, ROOTS_MAX, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			r = add_root(all, roots[i], folder);
		free(roots[i]);
	}
	return r;
}

static int add_folder(struct pages_engines *all, const char *state_dir)
{
	const char *slash = strrchr(state_dir, '/');

	return add_engine(all, slash && slash[1] ? slash + 1 : state_dir, state_dir);
}

int pages_engines_read(const char *engine, const char *state_dir, struct pages_engines **ret)
{
	_cleanup_(cleanup_engines) struct pages_engines *all = calloc(1, sizeof(*all));
	int r;

	if (!all)
		return -ENOMEM;
	r = state_dir ? add_folder(all, state_dir) : add_roots(all, engine);
	if (r < 0)
		return r;
	*ret = TAKE(all);
	return 0;
}

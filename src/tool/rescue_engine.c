/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/rescue_engine.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"
#include "record/recorder.h"
#include "post/endpoint_files.h"
#include "settings/settings_kept.h"

#define RING_PREFIX "ring-"
#define LOCK_PREFIX "lock-"

DEFINE_CLEANUP(DIR *, closedir, cleanup_dir)
DEFINE_CLEANUP(struct settings *, settings_free, cleanup_settings)

void rescue_engine_done(struct rescue_engine *e)
{
	free(e->name);
	free(e->runtime_path);
	free(e->state_path);
	*e = (struct rescue_engine){ 0 };
}

/* --- Where engines are: src/engine/folders.c --- */

#define ROOTS_MAX 3

/* Folders in which each engine has one. */
struct roots {
	char *path[ROOTS_MAX];
	size_t n;
	bool failed;
};

static void roots_done(struct roots *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->path[i]);
}

static void roots_add(struct roots *r, const char *base, const char *suffix)
{
	struct text_buffer b = { 0 };

	if (!base || base[0] != '/' || folder_is_foreign(base))
		return;
	text_buffer_printf(&b, "%s%s", base, suffix);
	r->failed |= b.failed;
	if (b.failed)
		text_buffer_done(&b);
	else
		r->path[r->n++] = b.ptr;
}

static void roots_of_runtime(struct roots *r)
{
	char shm[40];

	snprintf(shm, sizeof(shm), "/dev/shm/tocsin-%u", (unsigned)geteuid());
	roots_add(r, "/run/tocsin", "");
	roots_add(r, secure_getenv("XDG_RUNTIME_DIR"), "/tocsin");
	roots_add(r, shm, "");
}

static void roots_of_state(struct roots *r)
{
	const char *home = secure_getenv("HOME");
	bool usable = home && home[0] == '/' && !folder_is_foreign(home);
	const struct passwd *user = usable ? NULL : getpwuid(geteuid());

	roots_add(r, "/var/lib/tocsin", "");
	roots_add(r, secure_getenv("XDG_STATE_HOME"), "/tocsin");
	roots_add(r, user ? user->pw_dir : home, "/.local/state/tocsin");
}

static int roots_give(void (*fill)(struct roots *r), char **roots, size_t size, size_t *ret_n)
{
	_cleanup_(roots_done) struct roots r = { 0 };
	size_t n = 0;

	fill(&r);
	if (r.failed)
		return -ENOMEM;
	for (size_t i = 0; i < r.n && n < size; i++)
		roots[n++] = TAKE(r.path[i]);
	*ret_n = n;
	return 0;
}

int rescue_runtime_roots(char **roots, size_t size, size_t *ret_n)
{
	return roots_give(roots_of_runtime, roots, size, ret_n);
}

int rescue_state_roots(char **roots, size_t size, size_t *ret_n)
{
	return roots_give(roots_of_state, roots, size, ret_n);
}

/* Where everybody may make folders ours are told from others'. */
#define SHARED_ROOT "/dev/shm/"

int rescue_root_open(const char *path, int *ret_fd)
{
	bool shared = strncmp(path, SHARED_ROOT, sizeof(SHARED_ROOT) - 1) == 0;

	return folder_open_trusted(path, shared ? FOLDER_OURS : FOLDER_SAFE, false, ret_fd);
}

/* The first that has the engine's folder, one that we may use. -ENOENT, -ENOMEM. */
static int roots_find(const struct roots *r, const char *name, char **ret)
{
	if (r->failed)
		return -ENOMEM;
	for (size_t i = 0; i < r->n; i++) {
		struct text_buffer b = { 0 };
		_cleanup_close_ int fd = -1;

		text_buffer_printf(&b, "%s/%s", r->path[i], name);
		if (b.failed) {
			text_buffer_done(&b);
			return -ENOMEM;
		}
		if (rescue_root_open(b.ptr, &fd) == 0 &&
		    faccessat(fd, ".", R_OK | X_OK, AT_EACCESS) == 0) {
			*ret = b.ptr;
			return 0;
		}
		text_buffer_done(&b);
	}
	return -ENOENT;
}

int rescue_engine_find(const char *name, struct rescue_engine *ret)
{
	_cleanup_(roots_done) struct roots runtime = { 0 };
	_cleanup_(roots_done) struct roots state = { 0 };
	_cleanup_(rescue_engine_done) struct rescue_engine e = { 0 };
	int r;

	roots_of_runtime(&runtime);
	roots_of_state(&state);
	e.name = strdup(name);
	r = e.name ? roots_find(&runtime, name, &e.runtime_path) : -ENOMEM;
	if (r == 0 || r == -ENOENT)
		r = roots_find(&state, name, &e.state_path);
	if (r < 0 && (r != -ENOENT || !e.runtime_path))
		return r;
	*ret = e;
	e = (struct rescue_engine){ 0 };
	return 0;
}

static tocsin_str option_value(const struct tool_options *o, const char *name)
{
	tocsin_str value = { 0 };

	for (size_t i = 0; i < o->n; i++)
		if (str_is(o->kv[i].key, name))
			value = o->kv[i].value;
	return value;
}

static int option_folder(const struct tool_options *o, const char *name, char **ret)
{
	tocsin_str value = option_value(o, name);
	_cleanup_free_ char *path = value.len > 0 ? str_dup(value) : NULL;
	_cleanup_close_ int fd = -1;

	if (value.len == 0)
		return 0;
	if (!path)
		return -ENOMEM;
	if (folder_open(path, false, &fd) == 0)
		*ret = TAKE(path);
	return 0;
}

int rescue_engine_of_options(const struct tool_options *o, struct rescue_engine *ret)
{
	_cleanup_(rescue_engine_done) struct rescue_engine e = { 0 };
	tocsin_str name = option_value(o, "engine.name");
	int r = option_folder(o, "paths.runtime_dir", &e.runtime_path);

	if (r == 0)
		r = option_folder(o, "paths.state_dir", &e.state_path);
	if (r < 0)
		return r;
	if (!e.runtime_path && !e.state_path)
		return -ENOENT;
	const char *path = e.runtime_path ? e.runtime_path : e.state_path;
	const char *slash = strrchr(path, '/');
	e.name = name.len > 0 ? str_dup(name) : strdup(slash && slash[1] ? slash + 1 : path);
	if (!e.name)
		return -ENOMEM;
	*ret = e;
	e = (struct rescue_engine){ 0 };
	return 0;
}

static int names_add(struct rescue_names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->list[i], name) == 0)
			return 0;
	if (names->n == RESCUE_ENGINES_MAX) {
		names->left_out++;
		return 0;
	}
	names->list[names->n] = strdup(name);
	if (!names->list[names->n])
		return -ENOMEM;
	names->n++;
	return 0;
}

DIR *rescue_root_list(const char *path)
{
	_cleanup_close_ int fd = -1;
	int r = rescue_root_open(path, &fd);
	DIR *dir = r < 0 ? NULL : fdopendir(fd);

	if (r < 0)
		errno = -r;
	if (dir)
		fd = -1;
	return dir;
}

static int names_add_root(struct rescue_names *names, const char *root)
{
	_cleanup_(cleanup_dir) DIR *dir = rescue_root_list(root);
	struct dirent *entry;
	int r = 0;

	while (dir && r == 0 && (entry = readdir(dir))) {
		_cleanup_free_ char *clean = text_to_filename(str(entry->d_name), TOCSIN_ID_MAX);

		if (!clean)
			return -ENOMEM;
		if (entry->d_type != DT_REG && strcmp(clean, entry->d_name) == 0)
			r = names_add(names, entry->d_name);
	}
	return r;
}

void rescue_names_done(struct rescue_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->list[i]);
	*names = (struct rescue_names){ 0 };
}

int rescue_engine_names(struct rescue_names *ret)
{
	_cleanup_(roots_done) struct roots runtime = { 0 };
	_cleanup_(roots_done) struct roots state = { 0 };
	int r = 0;

	*ret = (struct rescue_names){ 0 };
	roots_of_runtime(&runtime);
	roots_of_state(&state);
	for (size_t i = 0; i < runtime.n && r == 0; i++)
		r = names_add_root(ret, runtime.path[i]);
	for (size_t i = 0; i < state.n && r == 0; i++)
		r = names_add_root(ret, state.path[i]);
	if (r == 0 && !runtime.failed && !state.failed)
		return 0;
	rescue_names_done(ret);
	return -ENOMEM;
}

/* --- Whose it is --- */

/* The groups are the user's own as the system knows them: a folder may have any. */
static int become(uid_t uid, gid_t gid)
{
	const struct passwd *user = getpwuid(uid);

	if (user)
		gid = user->pw_gid;
	if ((user ? initgroups(user->pw_name, gid) : setgroups(0, NULL)) < 0)
		return -errno;
	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	/* Where src/engine/folders.c looks is now that user's. */
	if (setenv("HOME", user ? user->pw_dir : "/", 1) < 0 || unsetenv("XDG_RUNTIME_DIR") < 0 ||
	    unsetenv("XDG_STATE_HOME") < 0)
		return -errno;
	return 0;
}

int rescue_engine_become_owner(const struct rescue_engine *e, pid_t parent)
{
	_cleanup_close_ int folder = -1;
	struct stat st;
	int r = folder_open(e->runtime_path ? e->runtime_path : e->state_path, false, &folder);

	if (r < 0)
		return r;
	if (fstat(folder, &st) < 0)
		return -errno;
	r = st.st_uid == geteuid() ? 0 : geteuid() == 0 ? become(st.st_uid, st.st_gid) : -EPERM;
	/* Last: to become somebody else takes it back. */
	if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
		r = -errno;
	return r == 0 && getppid() != parent ? -ESRCH : r;
}

/* --- What it was told --- */

static int kept_load(const char *path, char *err, size_t err_size, struct settings **ret)
{
	_cleanup_close_ int folder = -1;
	int r = path ? folder_open(path, false, &folder) : -ENOENT;

	return r < 0 ? r : settings_kept_load(endpoint_files_check, folder, err, err_size, ret);
}

/* Can others tell what this could not? */
static bool kept_is_missing(int error)
{
	return error == -ENOENT || error == -EBADMSG || error == -EPROTONOSUPPORT ||
	       error == -ENOTDIR;
}

static bool option_is_ours(tocsin_str name)
{
	return str_is(name, "engine.name") || str_is(name, "paths.runtime_dir") ||
	       str_is(name, "paths.state_dir");
}

static int add_others(struct tool_options *to, const tocsin_kv *kv, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (option_is_ours(kv[i].key))
			continue;
		if (to->n == TOOL_OPTIONS_MAX)
			return -E2BIG;
		to->kv[to->n++] = kv[i];
	}
	return 0;
}

static int load(const tocsin_kv *given, size_t n_given, const struct tool_options *o,
		const char *name, const char *runtime_dir, const char *state_dir, char *err,
		size_t err_size, struct settings **ret)
{
	struct tool_options all = { 0 };
	int r = add_others(&all, given, n_given);

	if (r == 0)
		r = add_others(&all, o->kv, o->n);
	if (r == 0)
		r = tool_options_add(&all, "engine.name", name);
	if (r == 0 && runtime_dir)
		r = tool_options_add(&all, "paths.runtime_dir", runtime_dir);
	if (r == 0 && state_dir)
		r = tool_options_add(&all, "paths.state_dir", state_dir);
	if (r == 0)
		return settings_load(endpoint_files_check, all.kv, all.n, err, err_size, ret);
	snprintf(err, err_size, "more than %d settings", TOOL_OPTIONS_MAX);
	return r;
}

static bool has_others(const struct tool_options *o)
{
	for (size_t i = 0; i < o->n; i++)
		if (!option_is_ours(o->kv[i].key))
			return true;
	return false;
}

/*
 * What is installed for all has to do. Where that names nobody to page, the engine's own settings
 * may have, and its alerts must not be told to nobody and be gone.
 */
static int load_installed(const struct rescue_engine *e, const struct tool_options *o, char *err,
			  size_t err_size, struct settings **ret)
{
	_cleanup_(cleanup_settings) struct settings *s = NULL;
	int r = load(NULL, 0, o, e->name, e->runtime_path, e->state_path, err, err_size, &s);

	if (r < 0)
		return r;
	assert(s);
	if (s->n_endpoints == 0 && !has_others(o)) {
		snprintf(err, err_size,
			 "there is no " SETTINGS_KEPT_FILE " of its own that can be read, and the "
			 "installed settings name nobody to page: give its settings, -o "
			 "config=FILE");
		return -ENOENT;
	}
	*ret = TAKE(s);
	return 0;
}

int rescue_engine_settings(const struct rescue_engine *e, const struct tool_options *o, char *err,
			   size_t err_size, const char **ret_why, struct settings **ret)
{
	_cleanup_(cleanup_settings) struct settings *kept = NULL;
	int r = kept_load(e->runtime_path, err, err_size, &kept);

	if (kept_is_missing(r))
		r = kept_load(e->state_path, err, err_size, &kept);
	if (r < 0 && !kept_is_missing(r))
		return r;
	*ret_why = r == -ENOENT || r == -ENOTDIR ? "it has left no " SETTINGS_KEPT_FILE
		   : r < 0 ? SETTINGS_KEPT_FILE " is damaged or a later version's"
			   : NULL;
	if (!kept)
		return load_installed(e, o, err, err_size, ret);
	if (!has_others(o)) {
		*ret = TAKE(kept);
		return 0;
	}
	return load(kept->given, kept->n_given, o, kept->engine_name, kept->runtime_dir,
		    kept->state_dir, err, err_size, ret);
}

/* --- Its recorders --- */

bool rescue_lock_name(const char *recorder, char ret[static RESCUE_LOCK_SIZE])
{
	const char *epoch = recorder + sizeof(RING_PREFIX) - 1;

	if (strncmp(recorder, RING_PREFIX, sizeof(RING_PREFIX) - 1) != 0 ||
	    strspn(epoch, "0123456789abcdef") != (size_t)2 * RECORDER_EPOCH_SIZE ||
	    epoch[2 * RECORDER_EPOCH_SIZE])
		return false;
	snprintf(ret, RESCUE_LOCK_SIZE, LOCK_PREFIX "%s", epoch);
	return true;
}

bool rescue_engine_has_recorder(const struct rescue_engine *e)
{
	_cleanup_close_ int fd = -1;
	int r = e->runtime_path ? folder_open(e->runtime_path, false, &fd) : -ENOENT;
	_cleanup_(cleanup_dir) DIR *dir = r < 0 ? NULL : fdopendir(fd);
	char lock[RESCUE_LOCK_SIZE];
	struct dirent *entry;

	if (dir)
		fd = -1;
	while (dir && (entry = readdir(dir)))
		if (rescue_lock_name(entry->d_name, lock))
			return true;
	return false;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/clearing.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

#define SYSTEM_UID_MAX 999
#define PATH_SIZE 512
#define LINE_SIZE 2048
#define BLANK " \t\n"

DEFINE_CLEANUP(DIR *, closedir, cleanup_closedir)

static FILE *file_open(const char *root, const char *path)
{
	char whole[PATH_SIZE];

	snprintf(whole, sizeof whole, "%s%s", root, path);
	return fopen(whole, "re");
}

static bool exists(const char *root, const char *path)
{
	char whole[PATH_SIZE];

	snprintf(whole, sizeof whole, "%s%s", root, path);
	return access(whole, F_OK) == 0;
}

/* Each line of each FOLDER/NAME.conf; in which order does not matter here. */
typedef void take_line(void *userdata, char *line);

static void lines_take(const char *root, const char *path, take_line *take, void *userdata)
{
	_cleanup_(cleanup_fclose) FILE *f = file_open(root, path);
	char line[LINE_SIZE];

	while (f && fgets(line, sizeof line, f))
		take(userdata, line);
}

static void folder_take(const char *root, const char *folder, take_line *take, void *userdata)
{
	_cleanup_(cleanup_closedir) DIR *dir = NULL;
	char path[PATH_SIZE];
	struct dirent *e;

	snprintf(path, sizeof path, "%s%s", root, folder);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		size_t len = strlen(e->d_name);

		if (len < strlen(".conf") ||
		    strcmp(e->d_name + len - strlen(".conf"), ".conf") != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		lines_take(root, path, take, userdata);
	}
}

/* --- logind --- */

static void remove_ipc_take(void *userdata, char *line)
{
	static const char *const no[] = { "no", "false", "off", "0", "n", "f" };
	bool *removes = userdata;
	char *value = line + strspn(line, BLANK);

	if (strncmp(value, "RemoveIPC", strlen("RemoveIPC")) != 0)
		return;
	value += strlen("RemoveIPC");
	value += strspn(value, BLANK);
	if (*value++ != '=')
		return;
	value += strspn(value, BLANK);
	value[strcspn(value, BLANK)] = 0;
	*removes = true;
	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		if (strcasecmp(value, no[i]) == 0)
			*removes = false;
}

/* The later ones win. */
static bool logind_removes_ipc(const char *root)
{
	bool removes = true;

	folder_take(root, "/usr/lib/systemd/logind.conf.d", remove_ipc_take, &removes);
	lines_take(root, "/etc/systemd/logind.conf", remove_ipc_take, &removes);
	folder_take(root, "/run/systemd/logind.conf.d", remove_ipc_take, &removes);
	folder_take(root, "/etc/systemd/logind.conf.d", remove_ipc_take, &removes);
	return removes;
}

struct user {
	uid_t uid;
	char name[256]; /* "": not among the local ones */
};

static void user_take(void *userdata, char *line)
{
	struct user *u = userdata;
	const char *name = strsep(&line, ":"), *password = strsep(&line, ":");
	const char *number = strsep(&line, ":");
	char *end = NULL;

	if (!u->name[0] && password && number && strtoul(number, &end, 10) == u->uid && *end == 0)
		snprintf(u->name, sizeof u->name, "%s", name);
}

static bool user_lingers(const char *root, uid_t uid)
{
	struct user u = { .uid = uid };
	char path[PATH_SIZE];

	lines_take(root, "/etc/passwd", user_take, &u);
	snprintf(path, sizeof path, "/var/lib/systemd/linger/%s", u.name);
	return u.name[0] && exists(root, path);
}

static bool lies_in(const char *folder, const char *parent)
{
	size_t len = strlen(parent);

	return strncmp(folder, parent, len) == 0 && (folder[len] == '/' || folder[len] == 0);
}

static void logind_find(const char *root, const char *folder, uid_t uid, struct text_buffer *b)
{
	char of_user[32];

	snprintf(of_user, sizeof of_user, "/run/user/%u", (unsigned)uid);
	bool shm = lies_in(folder, "/dev/shm") || lies_in(folder, "/run/shm");
	bool own = lies_in(folder, of_user);

	if ((!shm && !own) || user_lingers(root, uid) ||
	    (!exists(root, "/lib/systemd/systemd-logind") &&
	     !exists(root, "/usr/lib/systemd/systemd-logind")))
		return;
	if (own)
		text_buffer_printf(b,
				   "systemd-logind removes %s when the last session of user %u "
				   "has ended",
				   of_user, (unsigned)uid);
	else if (uid > SYSTEM_UID_MAX && logind_removes_ipc(root))
		text_buffer_printf(b,
				   "systemd-logind removes what user %u owns in /dev/shm when "
				   "that user's last session has ended (RemoveIPC)",
				   (unsigned)uid);
}

/* --- tmpfiles --- */

struct tmpfiles {
	const char *folder;
	size_t depth; /* of the line that decides: the length of what it matches, 0: none */
	char path[PATH_SIZE], age[32];
	bool clears;
};

/* How much of the folder's path the line's pattern covers, from its start; 0: it is another's. */
static size_t match_length(const char *pattern, const char *folder)
{
	char part[PATH_SIZE];

	for (size_t len = strlen(folder); len > 1; len--) {
		if (folder[len] != 0 && folder[len] != '/')
			continue;
		snprintf(part, sizeof part, "%.*s", (int)len, folder);
		if (fnmatch(pattern, part, FNM_PATHNAME | FNM_PERIOD) == 0)
			return len;
	}
	return 0;
}

/* Type Path Mode User Group Age */
static void tmpfiles_take(void *userdata, char *line)
{
	struct tmpfiles *t = userdata;
	char *word[6] = { NULL };

	for (size_t i = 0; line && i < 6; i++) {
		char *rest = line + strspn(line, BLANK);

		word[i] = *rest ? strsep(&rest, BLANK) : NULL;
		line = word[i] ? rest : NULL;
	}
	if (!word[0] || !word[1] || !strchr("dDevqQxX", word[0][0]) || strchr(word[1], '%'))
		return;
	size_t depth = match_length(word[1], t->folder);
	if (depth == 0 || depth < t->depth)
		return;
	bool has_age = word[5] && strcmp(word[5], "-") != 0 && strcmp(word[5], "0") != 0;
	t->depth = depth;
	t->clears = has_age && word[0][0] != 'x' && word[0][0] != 'X';
	snprintf(t->path, sizeof t->path, "%s", word[1]);
	snprintf(t->age, sizeof t->age, "%s", has_age ? word[5] : "");
}

static void tmpfiles_find(const char *root, const char *folder, struct text_buffer *b)
{
	struct tmpfiles t = { .folder = folder };

	folder_take(root, "/usr/lib/tmpfiles.d", tmpfiles_take, &t);
	folder_take(root, "/run/tmpfiles.d", tmpfiles_take, &t);
	folder_take(root, "/etc/tmpfiles.d", tmpfiles_take, &t);
	if (t.clears)
		text_buffer_printf(b,
				   "systemd-tmpfiles removes files under %s that are older "
				   "than %s",
				   t.path, t.age);
}

char *clearing_find(const char *root, const char *folder, uid_t uid)
{
	struct text_buffer b = { 0 };

	logind_find(root, folder, uid, &b);
	if (b.len == 0)
		tmpfiles_find(root, folder, &b);
	if (b.len == 0 || b.failed)
		text_buffer_done(&b);
	return b.ptr;
}

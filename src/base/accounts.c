/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/accounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/files.h"

#define FILE_SIZE_MAX ((size_t)1024 * 1024)
#define COLUMNS 7 /* of passwd: name, password, uid, gid, comment, home, shell; group has four */

enum column { COLUMN_NAME = 0, COLUMN_ID = 2, COLUMN_HOME = 5 };

/* Calls `is_it` for each line until it returns true. */
static int lines_search(const char *path,
			bool (*is_it)(void *userdata, char *column[static COLUMNS]), void *userdata)
{
	_cleanup_free_ char *bytes = NULL;
	size_t len;
	int r = file_read_followed(AT_FDCWD, path, FILE_SIZE_MAX, &bytes, &len);

	if (r < 0)
		return r;
	for (char *rest = bytes, *line; (line = strsep(&rest, "\n"));) {
		char *column[COLUMNS] = { 0 };

		for (unsigned i = 0; i < COLUMNS && line; i++)
			column[i] = strsep(&line, ":");
		if (column[COLUMN_ID] && is_it(userdata, column))
			return 0;
	}
	return -ENOENT;
}

static bool id_parse(const char *text, uint32_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	unsigned long id = strtoul(text, &end, 10);
	if (errno != 0 || *end != 0 || id >= UINT32_MAX)
		return false;
	*ret = (uint32_t)id;
	return true;
}

struct home_wanted {
	uid_t user;
	char *home;
};

static bool is_user(void *userdata, char *column[static COLUMNS])
{
	struct home_wanted *w = userdata;
	uint32_t id;

	if (!column[COLUMN_HOME] || !id_parse(column[COLUMN_ID], &id) || id != w->user)
		return false;
	w->home = strdup(column[COLUMN_HOME]);
	return true;
}

int account_home(uid_t user, char **ret)
{
	struct home_wanted w = { .user = user };
	int r = lines_search("/etc/passwd", is_user, &w);

	if (r < 0)
		return r;
	if (!w.home)
		return -ENOMEM;
	*ret = w.home;
	return 0;
}

struct group_wanted {
	const char *name;
	uint32_t id;
};

static bool is_group(void *userdata, char *column[static COLUMNS])
{
	struct group_wanted *w = userdata;

	return strcmp(column[COLUMN_NAME], w->name) == 0 && id_parse(column[COLUMN_ID], &w->id);
}

int account_group(const char *name, gid_t *ret)
{
	struct group_wanted w = { .name = name };
	int r = lines_search("/etc/group", is_group, &w);

	if (r == 0)
		*ret = w.id;
	return r;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"
#include "settings/settings.h"
#include "tool/rescue_engine.h"
#include "tool/tool.h"

#define ROOTS_MAX 6 /* of state and of runtime folders */
#define KNOWN_MAX 64

/* What was found out about an engine and a user. */
struct known {
	char *engine;
	uid_t uid;
	bool allowed;
};

struct trust {
	uid_t uids[SETTINGS_TRUSTED_MAX];
	size_t n_uids;
	int roots[ROOTS_MAX];
	size_t n_roots;
	struct known known[KNOWN_MAX]; /* the last ones, going round */
	size_t n_known;
};

static void roots_open(struct trust *t, char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int fd;

		if (t->n_roots < ROOTS_MAX && rescue_root_open(paths[i], &fd) == 0)
			t->roots[t->n_roots++] = fd;
		free(paths[i]);
	}
}

struct trust *trust_new(void)
{
	struct trust *t = calloc(1, sizeof(*t));
	struct settings *s = NULL;
	char *paths[ROOTS_MAX];
	char err[256];
	size_t n;

	if (!t)
		return NULL;
	if (settings_read(NULL, 0, err, sizeof(err), &s) == 0) {
		memcpy(t->uids, s->trusted_uids, sizeof(t->uids));
		t->n_uids = s->n_trusted_uids;
		settings_free(s);
	}
	if (rescue_state_roots(paths, ROOTS_MAX, &n) == 0)
		roots_open(t, paths, n);
	if (rescue_runtime_roots(paths, ROOTS_MAX, &n) == 0)
		roots_open(t, paths, n);
	return t;
}

void trust_free(struct trust *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_roots; i++)
		close(t->roots[i]);
	for (size_t i = 0; i < KNOWN_MAX; i++)
		free(t->known[i].engine);
	free(t);
}

static bool owns_folder(const struct trust *t, const char *engine, uid_t uid)
{
	_cleanup_free_ char *name = text_to_filename(str(engine), TOCSIN_ID_MAX);
	struct stat st;

	for (size_t i = 0; name && i < t->n_roots; i++)
		if (fstatat(t->roots[i], name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode) && st.st_uid == uid)
			return true;
	return false;
}

bool trust_allows(struct trust *t, tocsin_str engine, tocsin_str uid)
{
	_cleanup_free_ char *digits = str_dup(uid);
	uint64_t number;

	if (!digits || strlen(digits) != uid.len ||
	    tool_parse_number(digits, 0, UINT32_MAX - 1, &number) < 0)
		return false;
	if (number == 0 || number == geteuid())
		return true;
	for (size_t i = 0; i < t->n_uids; i++)
		if (t->uids[i] == number)
			return true;
	for (size_t i = 0; i < KNOWN_MAX && t->known[i].engine; i++)
		if (t->known[i].uid == number && str_is(engine, t->known[i].engine))
			return t->known[i].allowed;
	char *name = str_dup(engine);
	if (!name)
		return false;
	struct known *k = &t->known[t->n_known++ % KNOWN_MAX];
	free(k->engine);
	*k = (struct known){ name, (uid_t)number, owns_folder(t, name, (uid_t)number) };
	return k->allowed;
}

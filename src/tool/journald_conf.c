/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/journald_conf.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/text.h"
#include "tool/tool.h"

DEFINE_CLEANUP(FILE *, fclose, cleanup_file)

/* The first ones go before the later ones. */
static const char *const folders[] = { "/etc/systemd", "/run/systemd", "/usr/local/lib/systemd",
				       "/usr/lib/systemd" };
#define FOLDERS (sizeof(folders) / sizeof(folders[0]))

#define WHITESPACE " \t\r\n"

/* --- Values --- */

static int word_index(const char *const *words, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], text) == 0)
			return (int)i;
	return -EINVAL;
}

static int set_storage(struct journald_conf *c, const char *text)
{
	static const char *const words[] = { "auto", "persistent", "volatile", "none" };
	int i = word_index(words, sizeof(words) / sizeof(words[0]), text);

	if (i >= 0)
		c->storage = (enum journald_storage)i;
	return i;
}

static int set_level(struct journald_conf *c, const char *text)
{
	static const char *const words[] = { "emerg",   "alert",  "crit", "err",
					     "warning", "notice", "info", "debug" };
	uint64_t number;
	int i = word_index(words, sizeof(words) / sizeof(words[0]), text);

	if (i < 0 && tool_parse_number(text, 0, 7, &number) == 0)
		i = (int)number;
	if (i >= 0)
		c->max_level_store = (unsigned)i;
	return i;
}

/* The microseconds of a unit's name; 0: there is no such unit. */
static uint64_t unit_us(const char *name, size_t len)
{
	static const struct {
		const char *names;
		uint64_t us;
	} units[] = {
		{ " us usec ", 1 },
		{ " ms msec ", 1000 },
		{ "  s sec second seconds ", 1000000 },
		{ " m min minute minutes ", 60 * UINT64_C(1000000) },
		{ " h hr hour hours ", 3600 * UINT64_C(1000000) },
		{ " d day days ", 86400 * UINT64_C(1000000) },
		{ " w week weeks ", 7 * 86400 * UINT64_C(1000000) },
	};
	char wanted[16];

	snprintf(wanted, sizeof(wanted), " %.*s ", (int)(len < 12 ? len : 12), name);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strstr(units[i].names, wanted))
			return units[i].us;
	return 0;
}

/* "30s", "1min 30s", "2.5h", "infinity"; a number alone is seconds. */
static int set_interval(struct journald_conf *c, const char *text)
{
	double sum = 0;

	if (strcmp(text, "infinity") == 0) {
		c->rate_interval_us = UINT64_MAX;
		return 0;
	}
	if (!*text)
		return -EINVAL;
	while (*text) {
		size_t digits = strspn(text, "0123456789."), space, letters;
		uint64_t us;
		char *end;
		double value = strtod(text, &end);

		space = strspn(text + digits, WHITESPACE);
		letters = strspn(text + digits + space, "abcdefghijklmnopqrstuvwxyz");
		us = unit_us(text + digits + space, letters);
		if (digits == 0 || end != text + digits || us == 0)
			return -EINVAL;
		sum += value * (double)us;
		text += digits + space + letters;
		text += strspn(text, WHITESPACE);
	}
	c->rate_interval_us = sum < 1e18 ? (uint64_t)sum : UINT64_MAX;
	return 0;
}

static int set_burst(struct journald_conf *c, const char *text)
{
	return tool_parse_number(text, 0, UINT32_MAX, &c->rate_burst);
}

static int set_forward(struct journald_conf *c, const char *text)
{
	static const char *const words[] = { "0", "no",  "n", "false", "f", "off",
					     "1", "yes", "y", "true",  "t", "on" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(words[i], text) == 0) {
			c->forward_to_syslog = i >= 6;
			return 0;
		}
	return -EINVAL;
}

static const struct {
	const char *name;
	enum journald_key key;
	int (*set)(struct journald_conf *c, const char *text);
} keys[] = {
	{ "Storage", JOURNALD_STORAGE, set_storage },
	{ "MaxLevelStore", JOURNALD_MAX_LEVEL_STORE, set_level },
	{ "RateLimitIntervalSec", JOURNALD_RATE_INTERVAL, set_interval },
	{ "RateLimitInterval", JOURNALD_RATE_INTERVAL, set_interval }, /* its old name */
	{ "RateLimitBurst", JOURNALD_RATE_BURST, set_burst },
	{ "ForwardToSyslog", JOURNALD_FORWARD_TO_SYSLOG, set_forward },
};

/* --- Lines --- */

static char *strip(char *text)
{
	size_t len;

	text += strspn(text, WHITESPACE);
	len = strlen(text);
	while (len > 0 && strchr(WHITESPACE, text[len - 1]))
		text[--len] = 0;
	return text;
}

static void read_line(struct journald_conf *c, char *line, const char *path, unsigned number)
{
	char *equals = strchr(line, '='), *name, *value;

	if (!equals)
		return;
	*equals = 0;
	name = strip(line);
	value = strip(equals + 1);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i].name, name) == 0 && keys[i].set(c, value) >= 0)
			snprintf(c->place[keys[i].key], JOURNALD_PLACE_SIZE, "%s:%u", path, number);
}

/* A backslash at its end joins a line with the next one, past comments. */
static int read_file(struct journald_conf *c, const char *path)
{
	_cleanup_(cleanup_file) FILE *f = fopen(path, "re");
	_cleanup_free_ char *raw = NULL;
	struct text_buffer whole = { 0 };
	bool ours = false, failed = false;
	unsigned number = 0;
	size_t size = 0;

	if (!f && errno != ENOENT && !c->unread[0])
		snprintf(c->unread, sizeof(c->unread), "%s: %s", path, strerror(errno));
	if (!f)
		return 0;
	while (getline(&raw, &size, f) >= 0) {
		char *line = strip(raw);
		size_t len = strlen(line);

		number++;
		if (line[0] == '#' || line[0] == ';')
			continue;
		if (len > 0 && line[len - 1] == '\\') {
			line[len - 1] = ' ';
			text_buffer_add(&whole, str(line));
			continue;
		}
		text_buffer_add(&whole, str(line));
		if (whole.ptr && whole.ptr[0] == '[')
			ours = strcmp(whole.ptr, "[Journal]") == 0;
		else if (whole.ptr && ours)
			read_line(c, whole.ptr, path, number);
		failed = failed || whole.failed;
		text_buffer_done(&whole);
		whole = (struct text_buffer){ 0 };
	}
	text_buffer_done(&whole);
	return failed ? -ENOMEM : 0;
}

/* --- Files --- */

static char *path_of(const char *root, size_t folder, const char *name, const char *rest)
{
	struct text_buffer b = { 0 };

	text_buffer_printf(&b, "%s%s/journald%s%s.conf%s", root, folders[folder], name ? "@" : "",
			   name ? name : "", rest);
	if (b.failed)
		text_buffer_done(&b);
	return b.ptr;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* By their names; what an earlier folder has goes first, and hides the others. */
static int compare_paths(const void *a, const void *b)
{
	return strcmp(base_of(*(char *const *)a), base_of(*(char *const *)b));
}

static int list_drop_ins(const char *root, const char *name, glob_t *found)
{
	for (size_t i = 0; i < FOLDERS; i++) {
		_cleanup_free_ char *pattern = path_of(root, i, name, ".d/*.conf");
		int r;

		if (!pattern)
			return -ENOMEM;
		r = glob(pattern, GLOB_NOSORT | (i > 0 ? GLOB_APPEND : 0), NULL, found);
		if (r == GLOB_NOSPACE)
			return -ENOMEM;
	}
	return 0;
}

static int read_drop_ins(struct journald_conf *c, const char *root, const char *name)
{
	glob_t found = { 0 };
	int r = list_drop_ins(root, name, &found);

	/* Few files: an insertion sort keeps the order of the folders among equal names. */
	for (size_t i = 1; i < found.gl_pathc; i++)
		for (size_t at = i;
		     at > 0 && compare_paths(&found.gl_pathv[at - 1], &found.gl_pathv[at]) > 0;
		     at--) {
			char *path = found.gl_pathv[at];

			found.gl_pathv[at] = found.gl_pathv[at - 1];
			found.gl_pathv[at - 1] = path;
		}
	for (size_t i = 0; i < found.gl_pathc && r == 0; i++)
		if (i == 0 || compare_paths(&found.gl_pathv[i - 1], &found.gl_pathv[i]) != 0)
			r = read_file(c, found.gl_pathv[i]);
	globfree(&found);
	return r;
}

int journald_conf_read(const char *root, const char *name, struct journald_conf *ret)
{
	struct journald_conf c = {
		.storage = name ? JOURNALD_STORAGE_PERSISTENT : JOURNALD_STORAGE_AUTO,
		.max_level_store = 7,
		.rate_interval_us = 30 * UINT64_C(1000000),
		.rate_burst = 10000,
	};
	bool found = false;
	int r = 0;

	for (size_t i = 0; i < FOLDERS && r == 0 && !found; i++) {
		_cleanup_free_ char *path = path_of(root, i, name, "");

		if (!path)
			return -ENOMEM;
		found = access(path, F_OK) == 0 || errno == EACCES;
		r = found ? read_file(&c, path) : 0;
	}
	if (r == 0)
		r = read_drop_ins(&c, root, name);
	if (r == 0)
		*ret = c;
	return r;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int journald_conf_namespaces(const char *root, void (*each)(void *userdata, const char *name),
			     void *userdata)
{
	static const char *const ends[] = { "", ".d" };
	glob_t found = { 0 };
	int r = 0;

	for (size_t i = 0; i < 2 * FOLDERS && r == 0; i++) {
		_cleanup_free_ char *pattern = path_of(root, i / 2, "*", ends[i % 2]);

		if (!pattern || glob(pattern, GLOB_NOSORT | (i > 0 ? GLOB_APPEND : 0), NULL,
				     &found) == GLOB_NOSPACE)
			r = -ENOMEM;
	}
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char *path = found.gl_pathv[i], *end = strstr(base_of(path), ".conf");
		size_t begin = (size_t)(strchr(base_of(path), '@') + 1 - path);

		*end = 0;
		memmove(path, path + begin, (size_t)(end - path) + 1 - begin);
	}
	if (found.gl_pathc > 1)
		qsort(found.gl_pathv, found.gl_pathc, sizeof(char *), compare_names);
	for (size_t i = 0; i < found.gl_pathc && r == 0; i++)
		if (i == 0 || strcmp(found.gl_pathv[i - 1], found.gl_pathv[i]) != 0)
			each(userdata, found.gl_pathv[i]);
	globfree(&found);
	return r;
}

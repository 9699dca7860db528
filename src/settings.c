/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "settings.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "settings_table.h"

#define OPTION "option"   /* the place of what no file says */
#define NAME_SHOWN_MAX 64 /* bytes of a wrong name that are shown */

/* Where a row was set last, for what is found wrong only when all is known. */
struct loader {
	struct settings *settings;
	const char *file;                 /* being read; NULL: options */
	bool seen[SETTINGS_TABLE_MAX];    /* in this file */
	char *places[SETTINGS_TABLE_MAX]; /* "FILE:LINE" or OPTION, heap */
	struct text_buffer error;         /* the line for the caller */
};

DEFINE_CLEANUP(struct settings *, settings_free, cleanup_settings)

static void loader_done(struct loader *l)
{
	for (size_t i = 0; i < SETTINGS_TABLE_MAX; i++)
		free(l->places[i]);
	text_buffer_done(&l->error);
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < SETTINGS_ENDPOINTS_MAX; i++) {
		free(s->endpoints[i].name);
		free(s->endpoints[i].url);
		free(s->endpoints[i].format);
		free(s->endpoints[i].secret_file);
	}
	free(s->engine_name);
	free(s->engine_cpus);
	free(s->runtime_dir);
	free(s->state_dir);
	free(s->runbooks_base_url);
	free(s);
}

static int row_parse(struct settings *s, const struct setting *row, tocsin_str value,
		     struct text_buffer *why)
{
	char *base = row->of == SETTING_OF_ENDPOINT ? (char *)&s->endpoints[0] : (char *)s;

	for (size_t i = 0; i < value.len; i++) {
		if ((unsigned char)value.ptr[i] >= 0x20 && value.ptr[i] != 0x7f)
			continue;
		text_buffer_add(why, STR("there is a control character in the value"));
		return -EINVAL;
	}
	return row->parse(row, value, s, base + row->offset, why);
}

static int defaults(struct settings *s)
{
	struct text_buffer why = { 0 };
	int r = 0;

	s->endpoints[0].name = str_dup(STR("webhook"));
	if (!s->endpoints[0].name)
		return -ENOMEM;
	for (size_t i = 0; i < settings_table_size() && r == 0; i++)
		if (*settings_table[i].fallback)
			r = row_parse(s, &settings_table[i], str(settings_table[i].fallback), &why);
	assert(r == 0 || r == -ENOMEM);
	text_buffer_done(&why);
	return r;
}

/* Sets one row and remembers where. */
static int set_row(struct loader *l, const struct setting *row, tocsin_str value, unsigned line,
		   struct text_buffer *why)
{
	size_t i = (size_t)(row - settings_table);
	struct text_buffer place = { 0 };
	int r;

	r = row_parse(l->settings, row, value, why);
	if (r < 0)
		return r;
	if (l->file)
		text_buffer_printf(&place, "%s:%u", l->file, line);
	else
		text_buffer_add(&place, STR(OPTION));
	if (place.failed)
		return -ENOMEM;
	free(l->places[i]);
	l->places[i] = place.ptr;
	return 0;
}

/* "FILE:LINE: name: why" or "option name: why", cleaned, as the loader's error. */
static void tell(struct loader *l, const char *place, const char *name, const char *why)
{
	_cleanup_free_ char *shown =
		name ? text_to_line(text_cut(str(name), NAME_SHOWN_MAX)) : NULL;
	struct text_buffer line = { 0 };

	if (place)
		text_buffer_printf(&line, strcmp(place, OPTION) == 0 ? "%s " : "%s: ", place);
	if (shown)
		text_buffer_printf(&line, "%s: ", shown);
	text_buffer_add(&line, str(why));
	text_buffer_done(&l->error);
	l->error = line;
}

static int file_section(void *userdata, const char *section, struct text_buffer *why)
{
	_cleanup_free_ char *shown = text_to_line(text_cut(str(section), NAME_SHOWN_MAX));

	(void)userdata;
	if (settings_has_section(section))
		return 0;
	text_buffer_printf(why, "[%s]: ", shown ? shown : "");
	settings_unknown(section, NULL, why);
	return -EINVAL;
}

static int file_set(void *userdata, const char *section, const char *key, const char *value,
		    unsigned line, struct text_buffer *why)
{
	struct loader *l = userdata;
	const struct setting *row = settings_find(section, key);
	_cleanup_free_ char *shown = text_to_line(text_cut(str(key), NAME_SHOWN_MAX));
	size_t i;

	if (*section == 0) {
		text_buffer_printf(why, "%s: it stands before any [section]", shown ? shown : "");
		return -EINVAL;
	}
	text_buffer_printf(why, "%s.%s: ", section, shown ? shown : "");
	if (!row) {
		settings_unknown(section, key, why);
		return -EINVAL;
	}
	i = (size_t)(row - settings_table);
	if (l->seen[i]) {
		text_buffer_printf(why, "it is set twice, here and at %s", l->places[i]);
		return -EINVAL;
	}
	l->seen[i] = true;
	return set_row(l, row, str(value), line, why);
}

static int load_file(struct loader *l, const char *path)
{
	const struct ini_reader reader = { file_section, file_set, l };
	struct text_buffer why = { 0 }, place = { 0 };
	unsigned line;
	int r;

	memset(l->seen, 0, sizeof l->seen);
	l->file = path;
	r = settings_read_file(path, &reader, &line, &why);
	l->file = NULL;
	if (r < 0) {
		if (line > 0)
			text_buffer_printf(&place, "%s:%u", path, line);
		else
			text_buffer_add(&place, str(path));
		tell(l, place.ptr, NULL, why.ptr);
	}
	text_buffer_done(&why);
	text_buffer_done(&place);
	return r;
}

static int is_settings_file(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return e->d_name[0] != '.' && len > 5 && strcmp(e->d_name + len - 5, ".conf") == 0;
}

/* By bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_folder(struct loader *l, const char *folder)
{
	struct dirent **files = NULL;
	int n, r = 0;

	n = scandir(folder, &files, is_settings_file, by_name);
	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0) {
		r = -errno;
		tell(l, folder, NULL, strerror(-r));
		return r;
	}
	for (int i = 0; i < n; i++) {
		struct text_buffer path = { 0 };

		text_buffer_printf(&path, "%s/%s", folder, files[i]->d_name);
		if (path.failed)
			r = -ENOMEM;
		if (r == 0)
			r = load_file(l, path.ptr);
		text_buffer_done(&path);
		free(files[i]);
	}
	free(files);
	return r;
}

static int load_default_files(struct loader *l, const char *sysconfdir)
{
	struct text_buffer file = { 0 }, folder = { 0 };
	int r;

	text_buffer_printf(&file, "%s/" SETTINGS_FILE_DEFAULT, sysconfdir);
	text_buffer_printf(&folder, "%s/" SETTINGS_FILE_DEFAULT ".d", sysconfdir);
	r = file.failed || folder.failed ? -ENOMEM : 0;
	if (r == 0 && access(file.ptr, F_OK) == 0)
		r = load_file(l, file.ptr);
	if (r == 0)
		r = load_folder(l, folder.ptr);
	text_buffer_done(&file);
	text_buffer_done(&folder);
	return r;
}

static int load_config(struct loader *l, const char *sysconfdir, const tocsin_kv *options, size_t n)
{
	const tocsin_kv *config = NULL;
	_cleanup_free_ char *path = NULL;

	for (size_t i = 0; i < n; i++)
		if (str_is(options[i].key, "config"))
			config = &options[i];
	if (!config)
		return load_default_files(l, sysconfdir);
	if (config->value.len == 0 || str_is(config->value, "/dev/null"))
		return 0;
	if (memchr(config->value.ptr, 0, config->value.len)) {
		tell(l, OPTION, "config", "there is a NUL byte in the file's name");
		return -EINVAL;
	}
	path = str_dup(config->value);
	return path ? load_file(l, path) : -ENOMEM;
}

static int load_option(struct loader *l, const tocsin_kv *option)
{
	_cleanup_free_ char *name = str_dup(option->key);
	struct text_buffer why = { 0 };
	const struct setting *row = NULL;
	char *key;
	int r = -EINVAL;

	if (!name)
		return -ENOMEM;
	/* The last dot parts them: a section may have one of its own. */
	key = strrchr(name, '.');
	if (strlen(name) != option->key.len || !key) {
		text_buffer_add(&why, STR("an option is named section.key, such as webhook.url"));
	} else {
		*key = 0;
		row = settings_find(name, key + 1);
		if (row)
			r = set_row(l, row, option->value, 0, &why);
		else
			settings_unknown(name, key + 1, &why);
		*key = '.';
	}
	if (r < 0)
		tell(l, OPTION, name, why.ptr);
	text_buffer_done(&why);
	return r;
}

static int check_endpoints(struct loader *l)
{
	struct settings_endpoint *e = &l->settings->endpoints[0];
	struct text_buffer why = { 0 }, name = { 0 };
	const char *key;
	int r;

	l->settings->n_endpoints = 0;
	if (!e->url)
		return 0;
	l->settings->n_endpoints = 1;
	r = settings_check_endpoint(e, &key, &why);
	if (r < 0) {
		const struct setting *row = settings_find("webhook", key);

		text_buffer_printf(&name, "webhook.%s", key);
		tell(l, row ? l->places[row - settings_table] : NULL, name.ptr, why.ptr);
	}
	text_buffer_done(&why);
	text_buffer_done(&name);
	return r;
}

/* What an empty value took away comes back. */
static int complete(struct settings *s)
{
	char *name = settings_engine_name(s->engine_name);

	if (!name)
		return -ENOMEM;
	free(s->engine_name);
	s->engine_name = name;
	if (!s->runbooks_base_url)
		s->runbooks_base_url = str_dup(STR("file://" TOCSIN_RUNBOOKS_DIR));
	if (!s->runbooks_base_url)
		return -ENOMEM;
	for (size_t n = strlen(s->runbooks_base_url); n > 0 && s->runbooks_base_url[n - 1] == '/';)
		s->runbooks_base_url[--n] = 0;
	return 0;
}

int settings_load_from(const char *sysconfdir, const tocsin_kv *options, size_t n_options,
		       char *err, size_t err_size, struct settings **ret)
{
	_cleanup_(cleanup_settings) struct settings *s = calloc(1, sizeof *s);
	_cleanup_(loader_done) struct loader l = { .settings = s };
	int r;

	r = s ? defaults(s) : -ENOMEM;
	if (r == 0)
		r = load_config(&l, sysconfdir, options, n_options);
	for (size_t i = 0; i < n_options && r == 0; i++)
		if (!str_is(options[i].key, "config"))
			r = load_option(&l, &options[i]);
	if (r == 0)
		r = complete(s);
	if (r == 0)
		r = check_endpoints(&l);
	if (r == 0) {
		*ret = TAKE(s);
		return 0;
	}
	if (err && err_size > 0)
		snprintf(err, err_size, "%s",
			 r != -ENOMEM && l.error.ptr ? l.error.ptr : strerror(-r));
	return r;
}

int settings_load(const tocsin_kv *options, size_t n_options, char *err, size_t err_size,
		  struct settings **ret)
{
	return settings_load_from(TOCSIN_SYSCONFDIR, options, n_options, err, err_size, ret);
}

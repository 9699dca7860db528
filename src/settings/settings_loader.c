/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "settings/settings_loader.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define NAME_SHOWN_MAX 64 /* bytes of a wrong name that are shown */

void loader_done(struct loader *l)
{
	for (size_t i = 0; i < LOADER_PLACES_MAX; i++)
		free(l->places[i]);
	text_buffer_done(&l->error);
}

/* owner: the structure that the row's field is in. */
static int row_parse(struct settings *s, const struct setting *row, void *owner, tocsin_str value,
		     struct text_buffer *why)
{
	for (size_t i = 0; i < value.len; i++) {
		if ((unsigned char)value.ptr[i] >= 0x20 && value.ptr[i] != 0x7f)
			continue;
		text_buffer_add(why, STR("there is a control character in the value"));
		return -EINVAL;
	}
	return row->parse(row, value, s, (char *)owner + row->offset, why);
}

int loader_defaults(struct loader *l)
{
	struct settings *s = l->settings;
	struct text_buffer why = { 0 };
	struct settings_endpoint *plain;
	int r = 0;

	for (size_t i = 0; i < settings_table_size() && r == 0; i++)
		if (settings_table[i].of == SETTING_OF_SETTINGS && *settings_table[i].fallback)
			r = row_parse(s, &settings_table[i], s, str(settings_table[i].fallback),
				      &why);
	if (r == 0)
		r = settings_endpoint(s, SETTINGS_ENDPOINT, &plain, &why);
	assert(r == 0 || r == -ENOMEM);
	text_buffer_done(&why);
	return r;
}

/* The number of a row's place. */
static size_t place_of(const struct loader *l, const struct setting *row, const void *owner)
{
	size_t i = (size_t)(row - settings_table);

	if (row->of == SETTING_OF_ENDPOINT) {
		const struct settings_endpoint *e = owner;

		return i + (size_t)(1 + (e - l->settings->endpoints)) * SETTINGS_TABLE_MAX;
	}
	if (row->of == SETTING_OF_SETTINGS)
		return i;
	const struct source_thresholds *source = owner;
	i -= (size_t)(settings_find(SETTINGS_SOURCE, "feed_stale_after") - settings_table);
	assert(i < SETTINGS_SOURCE_KEYS);
	return (size_t)LOADER_TABLES * SETTINGS_TABLE_MAX +
	       (size_t)(source - l->settings->sources) * SETTINGS_SOURCE_KEYS + i;
}

/* Finds or makes what a section's rows are of. -EINVAL, -ENOMEM. */
static int owner_find(struct loader *l, const struct setting *row, const char *section, void **ret,
		      struct text_buffer *why)
{
	struct source_thresholds *source = NULL;
	struct settings_endpoint *endpoint = NULL;
	int r = 0;

	switch (row->of) {
	case SETTING_OF_SETTINGS:
		*ret = l->settings;
		break;
	case SETTING_OF_SOURCE:
		r = settings_source(l->settings, section, &source, why);
		*ret = source;
		break;
	case SETTING_OF_ENDPOINT:
		r = settings_endpoint(l->settings, section, &endpoint, why);
		*ret = endpoint;
		break;
	}
	return r;
}

/* Sets one row and remembers where. */
static int set_row(struct loader *l, const struct setting *row, void *owner, tocsin_str value,
		   unsigned line, struct text_buffer *why)
{
	size_t i = place_of(l, row, owner);
	struct text_buffer place = { 0 };
	int r;

	r = row_parse(l->settings, row, owner, value, why);
	if (r < 0)
		return r;
	if (l->file)
		text_buffer_printf(&place, "%s:%u", l->file, line);
	else
		text_buffer_add(&place, STR(LOADER_OPTION));
	if (place.failed)
		return -ENOMEM;
	free(l->places[i]);
	l->places[i] = place.ptr;
	return 0;
}

void loader_tell(struct loader *l, const char *place, const char *name, const char *why)
{
	_cleanup_free_ char *shown =
		name ? text_to_line(text_cut(str(name), NAME_SHOWN_MAX)) : NULL;
	_cleanup_free_ char *clean = NULL;
	struct text_buffer line = { 0 };

	if (place)
		text_buffer_printf(&line,
				   strcmp(place, LOADER_OPTION) == 0 ? "%s " : "%s: ", place);
	if (shown)
		text_buffer_printf(&line, "%s: ", shown);
	text_buffer_add(&line, str(why));
	/* A file's name may be anything. */
	clean = line.failed ? NULL : text_to_line((tocsin_str){ line.ptr, line.len });
	text_buffer_done(&line);
	if (clean && l->listener && l->listener->wrong)
		l->listener->wrong(l->listener->userdata, clean);
	if (clean && l->error.len == 0)
		text_buffer_add(&l->error, str(clean));
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

/* A role is not in the table: any will do. */
static int set_contact(struct loader *l, const char *role, tocsin_str who, unsigned line,
		       struct text_buffer *why)
{
	unsigned i;
	int r = contacts_set(&l->settings->contacts, role, who, &i, why);

	if (r < 0 || !l->file)
		return r;
	if (l->contact_lines[i] > 0) {
		text_buffer_printf(why, "it is set twice, here and at %s:%u", l->file,
				   l->contact_lines[i]);
		return -EINVAL;
	}
	l->contact_lines[i] = line;
	return 0;
}

static int file_set(void *userdata, const char *section, const char *key, const char *value,
		    unsigned line, struct text_buffer *why)
{
	struct loader *l = userdata;
	const struct setting *row = settings_find(section, key);
	_cleanup_free_ char *shown = text_to_line(text_cut(str(key), NAME_SHOWN_MAX));
	_cleanup_free_ char *in = text_to_line(text_cut(str(section), NAME_SHOWN_MAX));
	void *owner;
	size_t i;
	int r;

	if (*section == 0) {
		text_buffer_printf(why, "%s: it comes before any [section]", shown ? shown : "");
		return -EINVAL;
	}
	text_buffer_printf(why, "%s.%s: ", in ? in : "", shown ? shown : "");
	if (strcmp(section, SETTINGS_CONTACTS) == 0)
		return set_contact(l, key, str(value), line, why);
	if (!row) {
		settings_unknown(section, key, why);
		return -EINVAL;
	}
	r = owner_find(l, row, section, &owner, why);
	if (r < 0)
		return r;
	i = place_of(l, row, owner);
	if (l->seen[i]) {
		text_buffer_printf(why, "it is set twice, here and at %s", l->places[i]);
		return -EINVAL;
	}
	l->seen[i] = true;
	return set_row(l, row, owner, str(value), line, why);
}

static void file_bad(void *userdata, unsigned line, const char *why)
{
	struct loader *l = userdata;
	struct text_buffer place = { 0 };

	if (line > 0)
		text_buffer_printf(&place, "%s:%u", l->file, line);
	else
		text_buffer_add(&place, str(l->file));
	loader_tell(l, place.ptr, NULL, why);
	text_buffer_done(&place);
}

int loader_file(struct loader *l, const char *path)
{
	const struct ini_reader reader = { file_section, file_set, file_bad, l };

	memset(l->seen, 0, sizeof l->seen);
	memset(l->contact_lines, 0, sizeof l->contact_lines);
	l->file = path;
	int r = settings_read_file(path, &reader);
	l->file = NULL;
	if (l->listener && l->listener->file)
		l->listener->file(l->listener->userdata, path);
	return r;
}

static int set_option(struct loader *l, const char *section, const char *key, tocsin_str value,
		      struct text_buffer *why)
{
	const struct setting *row = settings_find(section, key);
	void *owner;
	int r;

	if (strcmp(section, SETTINGS_CONTACTS) == 0)
		return set_contact(l, key, value, 0, why);
	if (!row) {
		settings_unknown(section, key, why);
		return -EINVAL;
	}
	r = owner_find(l, row, section, &owner, why);
	return r < 0 ? r : set_row(l, row, owner, value, 0, why);
}

int loader_option(struct loader *l, const tocsin_kv *option)
{
	_cleanup_free_ char *name = str_dup(option->key);
	struct text_buffer why = { 0 };
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
		r = set_option(l, name, key + 1, option->value, &why);
		*key = '.';
	}
	if (r < 0)
		loader_tell(l, LOADER_OPTION, name, why.ptr);
	text_buffer_done(&why);
	return r;
}

const char *loader_place(const struct loader *l, const char *section, const char *key,
			 const void *owner)
{
	const struct setting *row = settings_find(section, key);

	return row ? l->places[place_of(l, row, owner)] : NULL;
}

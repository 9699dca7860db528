/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "settings/settings_table.h"

#include <stdio.h>
#include <string.h>

#define OF_SETTINGS SETTING_OF_SETTINGS
#define OF_ENDPOINT SETTING_OF_ENDPOINT
#define IN_SETTINGS struct settings
#define IN_ENDPOINT struct settings_endpoint
#define OF_SOURCE SETTING_OF_SOURCE
#define IN_SOURCE struct source_thresholds

const struct setting settings_table[] = {
#define SETTING(section, key, type, of, field, fallback, bounds, help)                             \
	{ section, key, OF_##of, offsetof(IN_##of, field), fallback, bounds, setting_parse_##type },
#include "settings/settings.def"
#undef SETTING
};

static const struct settings_row rows[] = {
#define SETTING(section, key, type, of, field, fallback, bounds, help)                             \
	{ section "." key, fallback, help },
#include "settings/settings.def"
#undef SETTING
};

#define N_ROWS (sizeof rows / sizeof *rows)
_Static_assert(N_ROWS <= SETTINGS_TABLE_MAX, "there is room for each row's place");

size_t settings_table_size(void)
{
	return N_ROWS;
}

size_t settings_rows(const struct settings_row **ret)
{
	*ret = rows;
	return N_ROWS;
}

const char settings_help[] =
#define SETTING(section, key, type, of, field, fallback, bounds, help)                             \
	section "." key " = " fallback "  (" bounds ")\n    " help "\n"
#include "settings/settings.def"
#undef SETTING
	"contacts.ROLE =   ()\n"
	"    Who has a role that runbooks name, such as trading-desk, and how to reach them.\n";

const char *settings_section(const char *section)
{
	size_t len = sizeof SETTINGS_SOURCE_PREFIX - 1;

	if (strncmp(section, SETTINGS_SOURCE_PREFIX, len) == 0 && section[len])
		return SETTINGS_SOURCE;
	len = sizeof SETTINGS_ENDPOINT_PREFIX - 1;
	if (strncmp(section, SETTINGS_ENDPOINT_PREFIX, len) == 0 && section[len])
		return SETTINGS_ENDPOINT;
	return section;
}

const struct setting *settings_find(const char *section, const char *key)
{
	section = settings_section(section);
	for (size_t i = 0; i < N_ROWS; i++)
		if (strcmp(settings_table[i].section, section) == 0 &&
		    strcmp(settings_table[i].key, key) == 0)
			return &settings_table[i];
	return NULL;
}

bool settings_has_section(const char *section)
{
	section = settings_section(section);
	for (size_t i = 0; i < N_ROWS; i++)
		if (strcmp(settings_table[i].section, section) == 0)
			return true;
	return strcmp(section, SETTINGS_CONTACTS) == 0;
}

/* Of a section with a name of the site's own the kind alone is compared. */
static unsigned section_distance(const struct setting *row, const char *section)
{
	char kind[16];

	if (strcmp(row->section, SETTINGS_SOURCE) != 0 || strcmp(section, SETTINGS_SOURCE) == 0)
		return text_distance(row->section, section, 1000);
	snprintf(kind, sizeof kind, "%.*s", (int)strcspn(section, "."), section);
	return text_distance("source", kind, 1000);
}

static const struct setting *nearest(const char *section, const char *key)
{
	bool has_section = settings_has_section(section);
	const struct setting *best = &settings_table[0];
	unsigned least = ~0u;

	for (size_t i = 0; i < N_ROWS; i++) {
		const struct setting *row = &settings_table[i];
		unsigned distance;

		if (has_section && strcmp(row->section, section) != 0)
			continue;
		distance = section_distance(row, section);
		if (key)
			distance += text_distance(row->key, key, 1000);
		if (distance < least) {
			least = distance;
			best = row;
		}
	}
	return best;
}

void settings_unknown(const char *section, const char *key, struct text_buffer *why)
{
	const struct setting *row = nearest(settings_section(section), key);

	if (key)
		text_buffer_printf(why, "there is no such setting; the nearest is %s.%s",
				   row->section, row->key);
	else
		text_buffer_printf(why, "there is no such section; the nearest is [%s]",
				   text_distance(section, SETTINGS_CONTACTS, 3) < 3
					   ? SETTINGS_CONTACTS
					   : row->section);
}

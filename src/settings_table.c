/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "settings_table.h"

#include <string.h>

#define OF_SETTINGS SETTING_OF_SETTINGS
#define OF_ENDPOINT SETTING_OF_ENDPOINT
#define IN_SETTINGS struct settings
#define IN_ENDPOINT struct settings_endpoint

const struct setting settings_table[] = {
#define SETTING(section, key, type, of, field, fallback, bounds, help)                             \
	{ section, key, OF_##of, offsetof(IN_##of, field), fallback, bounds, setting_parse_##type },
#include "settings.def"
#undef SETTING
};

static const struct settings_row rows[] = {
#define SETTING(section, key, type, of, field, fallback, bounds, help)                             \
	{ section "." key, fallback, help },
#include "settings.def"
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
#include "settings.def"
#undef SETTING
	;

const struct setting *settings_find(const char *section, const char *key)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (strcmp(settings_table[i].section, section) == 0 &&
		    strcmp(settings_table[i].key, key) == 0)
			return &settings_table[i];
	return NULL;
}

bool settings_has_section(const char *section)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (strcmp(settings_table[i].section, section) == 0)
			return true;
	return false;
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
		distance = text_distance(row->section, section, 1000);
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
	const struct setting *row = nearest(section, key);

	if (key)
		text_buffer_printf(why, "there is no such setting; the nearest is %s.%s",
				   row->section, row->key);
	else
		text_buffer_printf(why, "there is no such section; the nearest is [%s]",
				   row->section);
}

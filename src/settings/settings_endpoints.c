/* SPDX-License-Identifier: MIT */
/* The endpoints among the settings: [webhook], and [webhook.NAME] for more. */
#include "config.h"

#include "settings/settings_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 64
#define PLAIN "webhook"

static int name_check(const char *name, struct text_buffer *why)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-";
	size_t len = strlen(name);

	if (len > 0 && len <= NAME_MAX_LEN && strspn(name, allowed) == len &&
	    strcmp(name, PLAIN) != 0)
		return 0;
	text_buffer_printf(why,
			   "an endpoint's name is of letters, digits, _ and -, %d at most, and "
			   "not " PLAIN,
			   NAME_MAX_LEN);
	return -EINVAL;
}

static int endpoint_add(struct settings *s, const char *name, struct settings_endpoint **ret)
{
	struct settings_endpoint *e = &s->endpoints[s->n_endpoints];
	struct text_buffer why = { 0 };
	int r = 0;

	*e = (struct settings_endpoint){ .name = strdup(name) };
	if (!e->name)
		return -ENOMEM;
	s->n_endpoints++;
	for (size_t i = 0; r == 0 && i < settings_table_size(); i++) {
		const struct setting *row = &settings_table[i];

		if (row->of == SETTING_OF_ENDPOINT && *row->fallback)
			r = row->parse(row, str(row->fallback), s, (char *)e + row->offset, &why);
	}
	text_buffer_done(&why);
	*ret = e;
	return r;
}

static void say_too_many(struct text_buffer *why)
{
	text_buffer_printf(why, "there are more than %d endpoints", SETTINGS_ENDPOINTS_MAX);
}

int settings_endpoint(struct settings *s, const char *section, struct settings_endpoint **ret,
		      struct text_buffer *why)
{
	size_t prefix = sizeof SETTINGS_ENDPOINT_PREFIX - 1;
	const char *name =
		strncmp(section, SETTINGS_ENDPOINT_PREFIX, prefix) == 0 ? section + prefix : PLAIN;

	if (strcmp(section, PLAIN) != 0 && name_check(name, why) < 0)
		return -EINVAL;
	for (unsigned i = 0; i < s->n_endpoints; i++) {
		if (strcmp(s->endpoints[i].name, name) != 0)
			continue;
		*ret = &s->endpoints[i];
		return 0;
	}
	if (s->n_endpoints == SETTINGS_ENDPOINTS_MAX + 1) {
		say_too_many(why);
		return -EINVAL;
	}
	return endpoint_add(s, name, ret);
}

void settings_free_endpoint(struct settings_endpoint *e)
{
	free(e->name);
	free(e->url);
	free(e->format);
	free(e->secret_file);
	free(e->token_file);
	free(e->ca_file);
	free(e->cert_file);
	free(e->key_file);
	free(e->proxy);
	free(e->no_proxy);
	*e = (struct settings_endpoint){ 0 };
}

void settings_endpoint_section(const struct settings_endpoint *e, struct text_buffer *ret)
{
	text_buffer_printf(ret, PLAIN "%s%s", strcmp(e->name, PLAIN) == 0 ? "" : ".",
			   strcmp(e->name, PLAIN) == 0 ? "" : e->name);
}

/* The plain one may be left out; one with a name is there for a url. */
int settings_keep_endpoints(struct settings *s, const struct settings_endpoint **ret,
			    struct text_buffer *why)
{
	unsigned kept = 0, backups = 0;

	for (unsigned i = 0; i < s->n_endpoints; i++) {
		struct settings_endpoint *e = &s->endpoints[i];

		*ret = e;
		if (!e->url && strcmp(e->name, PLAIN) != 0) {
			text_buffer_add(why, STR("is missing: without it nothing is posted there"));
			return -EINVAL;
		}
		backups += e->url && e->backup;
	}
	for (unsigned i = 0; i < s->n_endpoints; i++) {
		if (!s->endpoints[i].url) {
			settings_free_endpoint(&s->endpoints[i]);
			continue;
		}
		if (kept != i) {
			s->endpoints[kept] = s->endpoints[i];
			s->endpoints[i] = (struct settings_endpoint){ 0 };
		}
		kept++;
	}
	s->n_endpoints = kept;
	if (kept > SETTINGS_ENDPOINTS_MAX) {
		*ret = &s->endpoints[SETTINGS_ENDPOINTS_MAX];
		say_too_many(why);
		return -EINVAL;
	}
	if (kept > 0 && backups == kept) {
		*ret = &s->endpoints[0];
		text_buffer_add(why,
				STR("is a backup, as all are: at least one endpoint must not be"));
		return -EINVAL;
	}
	return 0;
}

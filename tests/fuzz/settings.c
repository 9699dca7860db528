/* SPDX-License-Identifier: MIT */
/* Settings: a file's text, then, after a line "%%", options "section.key=value" a line each. */
#include "config.h"
#include "fuzz.h"

#include "post/endpoint_files.h"
#include "settings/settings_table.h"

#define OPTIONS_MAX 16
static const char parting[] = "\n%%\n";

static size_t options_read(const char *text, size_t len, tocsin_kv *ret)
{
	size_t n = 0;

	while (len > 0 && n < OPTIONS_MAX) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;
		const char *equals = memchr(text, '=', line);
		size_t key = equals ? (size_t)(equals - text) : line;

		ret[n].key = (tocsin_str){ text, key };
		ret[n].value = (tocsin_str){ text + key, line - key };
		if (equals) {
			ret[n].value.ptr++;
			ret[n].value.len--;
		}
		n++;
		text += line + (end != NULL);
		len -= line + (end != NULL);
	}
	return n;
}

static void settings_must(const struct settings *s, size_t n_options)
{
	MUST(s->engine_name && s->engine_name[0]);
	MUST(s->runbooks_base_url);
	MUST(s->n_given == n_options);
	MUST(s->n_endpoints <= SETTINGS_ENDPOINTS_MAX && s->n_sources <= SOURCE_THRESHOLDS_MAX &&
	     s->contacts.n <= CONTACTS_MAX);
	for (unsigned i = 0; i < s->n_endpoints; i++)
		MUST(s->endpoints[i].name && s->endpoints[i].url && s->endpoints[i].priorities);
	for (unsigned i = 0; i < s->n_sources; i++) {
		const struct source_thresholds *t = &s->sources[i];

		MUST(t->source.len > 0 && t->source.len <= TOCSIN_ID_MAX);
		MUST(t->source.ptr[t->source.len] == 0);
		MUST(t->thresholds.drift_high >= 0 && t->thresholds.drift_critical >= 0);
	}
	for (unsigned i = 0; i < s->contacts.n; i++)
		MUST(s->contacts.list[i].role && s->contacts.list[i].who &&
		     is_one_line(s->contacts.list[i].who));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = exact_copy(data, size);
	const char *end = memmem(text, size, parting, sizeof parting - 1);
	size_t len = end ? (size_t)(end - text) + 1 : size;
	size_t skip = end ? len + sizeof parting - 2 : size;
	tocsin_kv options[OPTIONS_MAX];
	size_t n = options_read(text + skip, size - skip, options);
	struct settings *s = NULL;
	char err[512] = "";

	fuzz_file(SETTINGS_FILE_DEFAULT, text, len);
	int r = settings_load_from(endpoint_files_check, fuzz_folder_path(), options, n, err,
				   sizeof err, &s);
	MUST((r == 0) == (s != NULL));
	if (r == 0)
		settings_must(s, n);
	else
		MUST(err[0] && is_one_line(err));
	settings_free(s);
	free((void *)(uintptr_t)text);
	return 0;
}

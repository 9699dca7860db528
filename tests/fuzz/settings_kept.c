/* SPDX-License-Identifier: MIT */
/* settings.json: what a dead engine was told. */
#include "config.h"
#include "fuzz.h"

#include "post/endpoint_files.h"
#include "settings/settings_kept.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings *s = NULL, *again = NULL;
	char err[512] = "";

	fuzz_file(SETTINGS_KEPT_FILE, data, size);
	int r = settings_kept_load(endpoint_files_check, fuzz_folder(), err, sizeof err, &s);
	MUST((r == 0) == (s != NULL));
	if (r < 0) {
		MUST(err[0] && is_one_line(err));
		return 0;
	}
	MUST(s->engine_name && s->engine_name[0]);
	MUST(settings_kept_write(fuzz_folder(), false, s, s->runtime_dir, s->state_dir) == 0);
	MUST(settings_kept_load(endpoint_files_check, fuzz_folder(), err, sizeof err, &again) == 0);
	MUST(strcmp(again->engine_name, s->engine_name) == 0);
	MUST(again->n_endpoints == s->n_endpoints && again->n_sources == s->n_sources &&
	     again->contacts.n == s->contacts.n && again->recorder_size == s->recorder_size);
	settings_free(again);
	settings_free(s);
	return 0;
}

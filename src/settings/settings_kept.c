/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "settings/settings_kept.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/json_bytes.h"
#include "base/text.h"

#define KEPT_FORMAT 1
#define KEPT_MAX ((size_t)1024 * 1024)
#define KEPT_NESTING_MAX 4
#define KEPT_OPTIONS_MAX 4096

DEFINE_CLEANUP(json_t *, json_decref, cleanup_json)

static json_t *path_json(const char *path)
{
	return path ? json_string(path) : json_null();
}

int settings_kept_write(int folder, bool durable, const struct settings *s, const char *runtime_dir,
			const char *state_dir)
{
	_cleanup_(cleanup_json) json_t *root = NULL;
	_cleanup_free_ char *bytes = NULL;
	json_t *options = json_array();

	for (size_t i = 0; i < s->n_given; i++) {
		const tocsin_kv *o = &s->given[i];

		/* What was not UTF-8 no setting can be that matters after a death. */
		json_array_append_new(
			options,
			json_pack("[o,o]", json_stringn(o->key.ptr, o->key.len),
				  json_stringn(o->value.ptr ? o->value.ptr : "", o->value.len)));
	}
	root = json_pack("{s:i,s:s,s:o,s:o,s:o}", "format", KEPT_FORMAT, "engine", s->engine_name,
			 "runtime_dir", path_json(runtime_dir), "state_dir", path_json(state_dir),
			 "options", options);
	bytes = root ? json_dumps(root, JSON_COMPACT) : NULL;
	if (!bytes)
		return -ENOMEM;
	return file_replace(folder, SETTINGS_KEPT_FILE, bytes, strlen(bytes), durable);
}

static int kept_read(int folder, json_t **ret)
{
	_cleanup_(cleanup_json) json_t *root = NULL;
	_cleanup_free_ char *bytes = NULL;
	json_int_t format = 0;
	size_t len;
	int r = file_read(folder, SETTINGS_KEPT_FILE, KEPT_MAX, &bytes, &len);

	if (r < 0)
		return r == -EFBIG || r == -EINVAL ? -EBADMSG : r;
	r = json_from_bytes(bytes, len, KEPT_NESTING_MAX, &root);
	if (r < 0)
		return r;
	if (json_unpack(root, "{s:I}", "format", &format) < 0 || format < 1)
		return -EBADMSG;
	if (format > KEPT_FORMAT)
		return -EPROTONOSUPPORT;
	*ret = TAKE(root);
	return 0;
}

/* Views into the JSON: what was given, then name and paths as they were in use. */
static int options_make(json_t *root, tocsin_kv **ret, size_t *ret_n)
{
	static const char *const in_use[][2] = {
		{ "engine", "engine.name" },
		{ "runtime_dir", "paths.runtime_dir" },
		{ "state_dir", "paths.state_dir" },
	};
	json_t *options = json_object_get(root, "options");
	size_t n = 0, given = json_array_size(options);

	if (!json_is_array(options) || !json_is_string(json_object_get(root, "engine")) ||
	    given > KEPT_OPTIONS_MAX)
		return -EBADMSG;
	_cleanup_free_ tocsin_kv *kv = calloc(given + 3, sizeof *kv);
	if (!kv)
		return -ENOMEM;
	for (size_t i = 0; i < given; i++) {
		const char *key, *value;

		if (json_unpack(json_array_get(options, i), "[s,s!]", &key, &value) < 0)
			return -EBADMSG;
		kv[n++] = (tocsin_kv){ str(key), str(value) };
	}
	for (size_t i = 0; i < sizeof in_use / sizeof *in_use; i++) {
		json_t *value = json_object_get(root, in_use[i][0]);

		if (json_is_string(value))
			kv[n++] = (tocsin_kv){ str(in_use[i][1]), str(json_string_value(value)) };
	}
	*ret = TAKE(kv);
	*ret_n = n;
	return 0;
}

int settings_kept_load(settings_files_check *check_files, int folder, char *err, size_t err_size,
		       struct settings **ret)
{
	_cleanup_(cleanup_json) json_t *root = NULL;
	_cleanup_free_ tocsin_kv *kv = NULL;
	size_t n;
	int r = kept_read(folder, &root);

	if (r == 0)
		r = options_make(root, &kv, &n);
	if (r < 0) {
		snprintf(err, err_size, SETTINGS_KEPT_FILE ": %s",
			 r == -EPROTONOSUPPORT ? "a later version has written it" : strerror(-r));
		return r;
	}
	return settings_load(check_files, kv, n, err, err_size, ret);
}

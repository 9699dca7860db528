/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "settings/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/failure.h"
#include "base/guest.h"
#include "base/text.h"
#include "settings/settings_loader.h"

DEFINE_CLEANUP(struct settings *, settings_free, cleanup_settings)

void settings_free(struct settings *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i <= SETTINGS_ENDPOINTS_MAX; i++)
		settings_free_endpoint(&s->endpoints[i]);
	for (size_t i = 0; i < s->n_given; i++) {
		free((char *)(uintptr_t)s->given[i].key.ptr);
		free((char *)(uintptr_t)s->given[i].value.ptr);
	}
	free(s->given);
	free(s->engine_name);
	free(s->engine_cpus);
	free(s->runtime_dir);
	free(s->state_dir);
	free(s->runbooks_base_url);
	free(s->runbooks_dir);
	settings_free_environment(s);
	contacts_done(&s->contacts);
	settings_free_sources(s);
	free(s);
}

/* All is looked at, and the first error is what comes of it. */
static void first_error(int *r, int error)
{
	if (error < 0 && (*r == 0 || error == -ENOMEM))
		*r = error;
}

static int load_folder(struct loader *l, const char *folder)
{
	char **files;
	size_t n;
	int r = settings_list_folder(folder, &files, &n);

	if (r < 0 && r != -ENOMEM)
		loader_tell(l, folder, NULL, strerror(-r));
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		first_error(&r, r == -ENOMEM ? r : loader_file(l, files[i]));
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
		r = loader_file(l, file.ptr);
	if (r != -ENOMEM)
		first_error(&r, load_folder(l, folder.ptr));
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
		loader_tell(l, LOADER_OPTION, "config", "there is a NUL byte in the file's name");
		return -EINVAL;
	}
	path = str_dup(config->value);
	return path ? loader_file(l, path) : -ENOMEM;
}

static void endpoint_tell(struct loader *l, const struct settings_endpoint *e, const char *key,
			  const char *why)
{
	struct text_buffer section = { 0 }, name = { 0 };

	settings_endpoint_section(e, &section);
	text_buffer_printf(&name, "%s.%s", section.ptr, key);
	loader_tell(l, loader_place(l, SETTINGS_ENDPOINT, key, e), name.ptr, why);
	text_buffer_done(&section);
	text_buffer_done(&name);
}

/* Credentials that only the unit has, where somebody listens: told, and left out. The name is not
 * shown, for it may be the secret itself, put there by mistake. */
static int unknown_told(struct loader *l, struct settings_endpoint *e)
{
	const char *key;

	if (!l->listener || !l->listener->unknown)
		return 0;
	while (settings_unknown_credential(e, l->settings->engine_name, &key)) {
		_cleanup_(text_buffer_done) struct text_buffer line = { 0 };

		settings_endpoint_section(e, &line);
		text_buffer_printf(&line,
				   ".%s: it is a credential, which is known only inside the unit; "
				   "what it is for is not tried here",
				   key);
		if (line.failed)
			return -ENOMEM;
		l->listener->unknown(l->listener->userdata, line.ptr);
		settings_forget_file(e, key);
	}
	return 0;
}

static int check_endpoint(struct loader *l, struct settings_endpoint *e)
{
	struct text_buffer why = { 0 };
	const char *key = "url";
	int r = unknown_told(l, e);

	if (r == 0)
		r = settings_check_endpoint(e, l->settings->engine_name, l->check_files, &key,
					    &why);
	if (r < 0 && r != -ENOMEM)
		endpoint_tell(l, e, key, why.ptr);
	text_buffer_done(&why);
	return r;
}

/* Before those without a url are taken out: places are by number. */
static int check_endpoints(struct loader *l)
{
	struct settings *s = l->settings;
	const struct settings_endpoint *wrong = NULL;
	struct text_buffer why = { 0 };
	int r = 0;

	for (unsigned i = 0; i < s->n_endpoints && r != -ENOMEM; i++)
		if (s->endpoints[i].url)
			first_error(&r, check_endpoint(l, &s->endpoints[i]));
	if (r == 0) {
		r = settings_keep_endpoints(s, &wrong, &why);
		if (r < 0)
			endpoint_tell(l, wrong, wrong->url ? "backup" : "url", why.ptr);
	}
	text_buffer_done(&why);
	return r;
}

static void forget_endpoints(struct settings *s)
{
	for (unsigned i = 0; i < s->n_endpoints; i++)
		settings_free_endpoint(&s->endpoints[i]);
	s->n_endpoints = 0;
}

/* As it is named from any folder: who reads the settings after the engine's death stands elsewhere.
 * The other settings that name files are absolute, or credentials. */
static char *absolute(tocsin_str path, size_t *ret_len)
{
	_cleanup_free_ char *folder = path.len > 0 && *path.ptr != '/' ? getcwd(NULL, 0) : NULL;
	struct text_buffer b = { 0 };

	if (!folder || *folder != '/') /* none, or one that cannot be reached */
		return str_dup(path);
	text_buffer_add(&b, str(folder));
	text_buffer_add(&b, STR("/"));
	text_buffer_add(&b, path);
	if (b.failed)
		text_buffer_done(&b);
	*ret_len = b.len;
	return b.ptr;
}

static int remember_options(struct settings *s, const tocsin_kv *options, size_t n)
{
	s->given = calloc(n > 0 ? n : 1, sizeof *s->given);
	if (!s->given)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const char *key = str_dup(options[i].key);
		size_t len = options[i].value.len;
		const char *value = str_is(options[i].key, "config")
					    ? absolute(options[i].value, &len)
					    : str_dup(options[i].value);

		s->given[s->n_given++] = (tocsin_kv){ { key, options[i].key.len }, { value, len } };
		if (!key || !value)
			return -ENOMEM;
	}
	return 0;
}

static int check_thresholds(struct loader *l)
{
	const struct source_thresholds *source;
	struct text_buffer why = { 0 }, name = { 0 };
	int r = settings_check_thresholds(l->settings, &source, &why);

	if (r < 0) {
		const char *section = source ? SETTINGS_SOURCE : "rules";
		const char *high = loader_place(l, section, "drift_high", source);
		const char *critical = loader_place(l, section, "drift_critical", source);

		if (source)
			text_buffer_printf(&name, SETTINGS_SOURCE_PREFIX "%s", source->source.ptr);
		else
			text_buffer_add(&name, STR("rules"));
		text_buffer_add(&name, high ? STR(".drift_high") : STR(".drift_critical"));
		loader_tell(l, high ? high : critical, name.ptr, why.ptr);
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
	settings_complete_sources(s);
	for (size_t n = strlen(s->runbooks_base_url); n > 0 && s->runbooks_base_url[n - 1] == '/';)
		s->runbooks_base_url[--n] = 0;
	return 0;
}

static int load_all(struct loader *l, const char *sysconfdir, const tocsin_kv *options,
		    size_t n_options, bool with_endpoints)
{
	struct settings *s = l->settings;
	int r = loader_defaults(l);

	if (r == 0)
		r = settings_read_environment(s);
	if (r == 0)
		r = remember_options(s, options, n_options);
	if (r == 0)
		r = load_config(l, sysconfdir, options, n_options);
	for (size_t i = 0; i < n_options && r != -ENOMEM; i++)
		if (!str_is(options[i].key, "config"))
			first_error(&r, loader_option(l, &options[i]));
	if (r != -ENOMEM)
		first_error(&r, complete(s));
	if (r != -ENOMEM)
		first_error(&r, check_thresholds(l));
	if (r != -ENOMEM && with_endpoints)
		first_error(&r, check_endpoints(l));
	else if (r != -ENOMEM)
		forget_endpoints(s);
	return r;
}

static int load(settings_files_check *check_files, const char *sysconfdir, const tocsin_kv *options,
		size_t n_options, bool with_endpoints, const struct settings_listener *listener,
		char *err, size_t err_size, struct settings **ret)
{
	_cleanup_(cleanup_settings) struct settings *s = calloc(1, sizeof *s);
	_cleanup_(loader_done) struct loader l = { .settings = s,
						   .check_files = check_files,
						   .listener = listener };
	_cleanup_(guest_leave) struct guest guest = guest_enter();
	int r = s ? load_all(&l, sysconfdir, options, n_options, with_endpoints) : -ENOMEM;

	if (r == 0) {
		*ret = TAKE(s);
		return 0;
	}
	struct failure failure = { 0 };
	failure_set(&failure, r, "reading of the settings");
	if (err && err_size > 0)
		snprintf(err, err_size, "%s",
			 r != -ENOMEM && l.error.ptr ? l.error.ptr : failure.line);
	return r;
}

int settings_load_from(settings_files_check *check_files, const char *sysconfdir,
		       const tocsin_kv *options, size_t n_options, char *err, size_t err_size,
		       struct settings **ret)
{
	return load(check_files, sysconfdir, options, n_options, true, NULL, err, err_size, ret);
}

int settings_read(const tocsin_kv *options, size_t n_options, char *err, size_t err_size,
		  struct settings **ret)
{
	return load(NULL, TOCSIN_SYSCONFDIR, options, n_options, false, NULL, err, err_size, ret);
}

int settings_load(settings_files_check *check_files, const tocsin_kv *options, size_t n_options,
		  char *err, size_t err_size, struct settings **ret)
{
	return settings_load_from(check_files, TOCSIN_SYSCONFDIR, options, n_options, err, err_size,
				  ret);
}

int settings_load_told(settings_files_check *check_files, const tocsin_kv *options,
		       size_t n_options, const struct settings_listener *listener,
		       struct settings **ret)
{
	return load(check_files, TOCSIN_SYSCONFDIR, options, n_options, true, listener, NULL, 0,
		    ret);
}

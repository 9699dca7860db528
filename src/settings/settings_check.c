/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "settings/settings_table.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/cleanup.h"

#define ENGINE_NAME_MAX 128
#define UNIT_SUFFIX ".service"
#define SECRET_PREFIX "whsec_"

DEFINE_CLEANUP(CURLU *, curl_url_cleanup, cleanup_url)
DEFINE_CLEANUP(char *, curl_free, cleanup_url_part)

static bool is_loopback(const char *host)
{
	struct in_addr v4;

	if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
		return true;
	return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

/* The URL itself is not shown: some receivers keep their secret in it. */
static int check_url(const struct settings_endpoint *e, struct text_buffer *why)
{
	_cleanup_(cleanup_url) CURLU *url = curl_url();
	_cleanup_(cleanup_url_part) char *scheme = NULL, *host = NULL;
	CURLUcode code;

	if (!url)
		return -ENOMEM;
	code = curl_url_set(url, CURLUPART_URL, e->url, 0);
	if (code == CURLUE_OK)
		code = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
	if (code == CURLUE_OK)
		code = curl_url_get(url, CURLUPART_HOST, &host, 0);
	if (code == CURLUE_OUT_OF_MEMORY)
		return -ENOMEM;
	if (code == CURLUE_BAD_SCHEME || code == CURLUE_UNSUPPORTED_SCHEME ||
	    (code == CURLUE_OK && strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)) {
		text_buffer_add(why, STR("must begin with https://, or http:// for this host"));
		return -EINVAL;
	}
	if (code != CURLUE_OK || !host || *host == 0) {
		text_buffer_printf(why, "is no URL to post to: %s",
				   code == CURLUE_OK ? "no host" : curl_url_strerror(code));
		return -EINVAL;
	}
	if (strcmp(scheme, "http") == 0 && !e->allow_insecure && !is_loopback(host)) {
		text_buffer_add(why, STR("is http:// to another host, which anybody between may "
					 "read; use https:// or set allow_insecure = yes"));
		return -EINVAL;
	}
	return 0;
}

/* Where systemd keeps the credentials of units that run. */
#define UNITS_CREDENTIALS "/run/credentials"

/* The file of a credential; an empty text: it is known only inside the unit. Heap. */
static char *credential_path(const char *name, const char *engine)
{
	const char *folder = secure_getenv("CREDENTIALS_DIRECTORY");
	struct text_buffer path = { 0 };

	if (folder)
		text_buffer_printf(&path, "%s/%s", folder, name);
	else
		text_buffer_printf(&path, UNITS_CREDENTIALS "/%s" UNIT_SUFFIX "/%s", engine, name);
	if (path.failed)
		text_buffer_done(&path);
	else if (!folder && access(path.ptr, R_OK) < 0)
		*path.ptr = 0;
	return path.ptr;
}

static bool is_credential(const char *file)
{
	return *file != '/' && !strchr(file, '/') &&
	       strncmp(file, SECRET_PREFIX, sizeof SECRET_PREFIX - 1) != 0;
}

/* A bare name is a credential that systemd has laid out for the unit. */
static int resolve_credential(char **file, const char *engine, struct text_buffer *why)
{
	if (**file == '/')
		return 0;
	/* Not shown, as the name of a file that is not there would be. */
	if (strncmp(*file, SECRET_PREFIX, sizeof SECRET_PREFIX - 1) == 0) {
		text_buffer_add(why, STR("is a secret; it wants the name of a file that holds it"));
		return -EINVAL;
	}
	if (!is_credential(*file)) {
		text_buffer_add(why, STR("does not begin with /"));
		return -EINVAL;
	}
	char *path = credential_path(*file, engine);
	if (!path)
		return -ENOMEM;
	if (!*path) {
		text_buffer_printf(
			why,
			"does not begin with /, and there is no $CREDENTIALS_DIRECTORY "
			"it could be in: a credential of a unit is known only inside the "
			"unit, and here while %s" UNIT_SUFFIX " runs and we may read it",
			engine);
		free(path);
		return -EINVAL;
	}
	free(*file);
	*file = path;
	return 0;
}

#define SECRETS_MAX 5

struct named_file {
	const char *key;
	char **file;
};

static void files_of(struct settings_endpoint *e, struct named_file ret[static SECRETS_MAX])
{
	const struct named_file files[SECRETS_MAX] = {
		{ "secret_file", &e->secret_file }, { "token_file", &e->token_file },
		{ "ca_file", &e->ca_file },         { "cert_file", &e->cert_file },
		{ "key_file", &e->key_file },
	};

	memcpy(ret, files, sizeof files);
}

bool settings_unknown_credential(struct settings_endpoint *e, const char *engine,
				 const char **ret_key)
{
	struct named_file files[SECRETS_MAX];

	files_of(e, files);
	for (size_t i = 0; i < SECRETS_MAX; i++) {
		const char *file = *files[i].file;
		_cleanup_free_ char *path =
			file && is_credential(file) ? credential_path(file, engine) : NULL;

		*ret_key = files[i].key;
		if (path && !*path)
			return true;
	}
	return false;
}

void settings_forget_file(struct settings_endpoint *e, const char *key)
{
	struct named_file files[SECRETS_MAX];

	files_of(e, files);
	for (size_t i = 0; i < SECRETS_MAX; i++)
		if (strcmp(files[i].key, key) == 0) {
			free(*files[i].file);
			*files[i].file = NULL;
		}
}

static int resolve_files(struct settings_endpoint *e, const char *engine, const char **ret_key,
			 struct text_buffer *why)
{
	struct named_file files[SECRETS_MAX];

	files_of(e, files);
	for (size_t i = 0; i < SECRETS_MAX; i++) {
		int r = *files[i].file ? resolve_credential(files[i].file, engine, why) : 0;

		*ret_key = files[i].key;
		if (r < 0)
			return r;
	}
	return 0;
}

int settings_check_endpoint(struct settings_endpoint *e, const char *engine,
			    settings_files_check *check_files, const char **ret_key,
			    struct text_buffer *why)
{
	*ret_key = "url";
	int r = check_url(e, why);
	if (r == 0)
		r = resolve_files(e, engine, ret_key, why);
	return r < 0 || !check_files ? r : check_files(e, ret_key, why);
}

/* The drop-in tells it to the unit's processes. */
#define ENGINE_VARIABLE "TOCSIN_ENGINE"

char *settings_engine_name(const char *given)
{
	const char *told = secure_getenv(ENGINE_VARIABLE);
	const char *name = given ? given : told && *told ? told : NULL;
	_cleanup_free_ char *unit = name ? NULL : cgroup_unit("");

	if (!name)
		name = unit ? unit : program_invocation_short_name;
	return text_to_filename(str(name), ENGINE_NAME_MAX);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "post/endpoint_files.h"

#include <errno.h>
#include <string.h>

#include "post/credentials.h"
#include "post/signature.h"

static const char *secret_trouble(int error)
{
	switch (error) {
	case -EINVAL:
		return "a secret is whsec_ and the base64 of 24 to 64 bytes";
	case -E2BIG:
		return "there are too many secrets";
	case -ENODATA:
		return "there is no secret in it";
	default:
		return strerror(-error);
	}
}

static int check_secret(const struct settings_endpoint *e, struct text_buffer *why)
{
	struct signature_secrets secrets = { 0 };
	unsigned line = 0;
	int r;

	r = signature_load(e->secret_file, &secrets, &line);
	signature_forget(&secrets);
	if (r == 0 || r == -ENOMEM)
		return r;
	text_buffer_add(why, str(e->secret_file));
	if (line > 0)
		text_buffer_printf(why, ":%u", line);
	text_buffer_printf(why, ": %s", secret_trouble(r));
	return r;
}

/* Of the other files it is enough that they can be read and look like what they should be. */
static int check_file(const struct settings_endpoint *alone, struct text_buffer *why)
{
	struct credentials *c;
	char trouble[512];
	int r = credentials_load(alone, trouble, sizeof trouble, &c);

	if (r == 0)
		credentials_free(c);
	else if (r != -ENOMEM)
		text_buffer_add(why, str(trouble));
	return r;
}

int endpoint_files_check(const struct settings_endpoint *e, const char **ret_key,
			 struct text_buffer *why)
{
	const struct {
		const char *key;
		char *file;
		struct settings_endpoint alone;
	} files[] = {
		{ "token_file", e->token_file, { .token_file = e->token_file } },
		{ "ca_file", e->ca_file, { .ca_file = e->ca_file } },
		{ "cert_file", e->cert_file, { .cert_file = e->cert_file } },
		{ "key_file", e->key_file, { .key_file = e->key_file } },
	};

	*ret_key = "secret_file";
	int secret = e->secret_file ? check_secret(e, why) : 0;
	if (secret < 0)
		return secret;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		int r = files[i].file ? check_file(&files[i].alone, why) : 0;

		*ret_key = files[i].key;
		if (r < 0)
			return r;
	}
	*ret_key = "key_file";
	if (e->key_file && !e->cert_file) {
		text_buffer_add(why, STR("is a key without a certificate: set cert_file too"));
		return -EINVAL;
	}
	return 0;
}

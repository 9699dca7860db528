/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "settings/settings_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/cleanup.h"

/* NULL also when it is not set. */
static int variable_copy(const char *name, char **ret)
{
	const char *value = secure_getenv(name);

	*ret = value ? strdup(value) : NULL;
	return value && !*ret ? -ENOMEM : 0;
}

int settings_read_environment(struct settings *s)
{
	struct settings_environment *e = &s->environment;
	const time_t any = 0;
	struct tm tm;
	int r = variable_copy("HOME", &e->home);

	if (r == 0)
		r = variable_copy("XDG_RUNTIME_DIR", &e->runtime_dir);
	if (r == 0)
		r = variable_copy("XDG_STATE_HOME", &e->state_home);
	/* The C library reads TZ at its first conversion: let it be now. */
	gmtime_r(&any, &tm);
	return r;
}

void settings_free_environment(struct settings *s)
{
	free(s->environment.home);
	free(s->environment.runtime_dir);
	free(s->environment.state_home);
	s->environment = (struct settings_environment){ 0 };
}

/* The first that is set to something. */
static int first_copy(const char *const names[], char **ret)
{
	int r = 0;

	for (size_t i = 0; names[i] && r == 0 && !*ret; i++) {
		r = variable_copy(names[i], ret);
		if (*ret && **ret == 0)
			free(TAKE(*ret));
	}
	return r;
}

int settings_read_proxies(struct settings_endpoint *e)
{
	/* HTTP_PROXY is what a client of a web server's may set by a header, so nobody reads it. */
	static const char *const http[] = { "http_proxy", "all_proxy", "ALL_PROXY", NULL };
	static const char *const https[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
					     NULL };
	static const char *const none[] = { "no_proxy", "NO_PROXY", NULL };
	bool plain = strncasecmp(e->url, "http://", 7) == 0;
	int r = first_copy(plain ? http : https, &e->proxy);

	return r < 0 ? r : first_copy(none, &e->no_proxy);
}

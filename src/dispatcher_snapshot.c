/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "dispatcher_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "picture/snapshot.h"
#include "runbook.h"

static char *link_runbook(void *userdata, tocsin_str code)
{
	const struct settings *s = userdata;

	return runbook_link(s->runbooks_base_url, code);
}

static int picture_render(struct picture *p, const struct settings *s, struct moment now,
			  char **ret, size_t *ret_len)
{
	/* The linker's userdata is not written to. */
	json_t *json = picture_snapshot(p, s->engine_name, now, link_runbook, (void *)(uintptr_t)s);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	if (!text)
		return -ENOMEM;
	*ret = text;
	*ret_len = strlen(text);
	return 0;
}

int dispatcher_render(struct dispatcher *d, char **ret, size_t *ret_len)
{
	if (!d->picture)
		return dispatcher_snapshot_empty(d->settings, ret, ret_len);
	return picture_render(d->picture, d->settings, dispatcher_now(d), ret, ret_len);
}

static void tell_nobody(void *userdata, const struct news *news)
{
	(void)userdata;
	(void)news;
}

int dispatcher_snapshot_empty(const struct settings *s, char **ret, size_t *ret_len)
{
	struct picture_settings settings = { .alerts = { .lookup = runbook_facts } };
	struct moment now = { clock_monotonic_ns(), clock_realtime_ns() };
	struct picture *p;
	int r = picture_new(&settings, now, tell_nobody, NULL, &p);

	if (r < 0)
		return r;
	r = picture_render(p, s, now, ret, ret_len);
	picture_free(p);
	return r;
}

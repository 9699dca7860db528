/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "page/page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"

DEFINE_CLEANUP(json_t *, json_decref, cleanup_json)

/* Fifteen digits show milliseconds as they are: 12.345, not 12.345000000000001. */
#define BODY_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

#define MINIMAL_MESSAGE_MAX 512

/* What somebody woken must know, and nothing that a receiver could choke on. */
static json_t *minimal_data(const struct page *p)
{
	static const char *const kept[] = {
		"alert_id", "code", "priority", "state", "title", "engine", "host", "runbook_url",
	};
	json_t *data = json_object();
	const char *message = json_string_value(json_object_get(p->data, "message"));
	int r = data ? 0 : -1;

	for (size_t i = 0; r == 0 && i < sizeof kept / sizeof *kept; i++) {
		json_t *value = json_object_get(p->data, kept[i]);

		if (value)
			r = json_object_set(data, kept[i], value);
	}
	if (r == 0 && message) {
		tocsin_str cut = text_cut(str(message), MINIMAL_MESSAGE_MAX);

		r = json_object_set_new(data, "message", json_stringn(cut.ptr, cut.len));
	}
	if (r == 0)
		return data;
	json_decref(data);
	return NULL;
}

static int generic_render(const struct page *p, bool minimal, uint64_t late_ns, char **ret,
			  size_t *ret_len)
{
	/* Members are shared with the page, whose data other threads may read meanwhile; jansson
	 * counts references atomically. */
	_cleanup_(cleanup_json) json_t *data = minimal ? minimal_data(p) : json_copy(p->data);
	_cleanup_(cleanup_json) json_t *body = NULL;
	/* NOLINTNEXTLINE(bugprone-integer-division): in whole milliseconds. */
	double late_s = (double)(late_ns / NS_PER_MS) / 1000.0;
	char timestamp[TIME_TEXT_SIZE];
	char *bytes;

	if (!data || json_object_set_new(data, "delayed_by_s", json_real(late_s)) < 0)
		return -ENOMEM;
	body = json_pack("{s:s,s:s,s:O}", "type", page_type_name(p->type), "timestamp",
			 time_to_rfc3339(p->event_wall_ns, timestamp), "data", data);
	if (!body)
		return -ENOMEM;
	bytes = json_dumps(body, BODY_FLAGS);
	if (!bytes)
		return -ENOMEM;
	*ret_len = strlen(bytes);
	*ret = bytes;
	return 0;
}

static bool generic_taken(long http_status, const char *body, size_t len)
{
	(void)body;
	(void)len;
	return http_status >= 200 && http_status <= 299;
}

static const struct page_format formats[] = {
	{ "generic", "application/json", generic_render, generic_taken },
};

const struct page_format *page_format_find(const char *name)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}

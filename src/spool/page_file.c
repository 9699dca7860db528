/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "page/page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json_bytes.h"
#include "base/text.h"

#define FILE_FORMAT 1
/* A page is an object of objects of texts; the parser recurses, and our stacks are small. */
#define NESTING_MAX 8

DEFINE_CLEANUP(json_t *, json_decref, cleanup_json)
DEFINE_CLEANUP(struct page *, page_unref, cleanup_page)

static const char *const type_names[] = {
	[PAGE_TYPE_RAISED] = "alert.raised",
	[PAGE_TYPE_RESOLVED] = "alert.resolved",
	[PAGE_TYPE_SUMMARY] = "alert.summary",
	[PAGE_TYPE_TEST] = "test",
};
#define TYPES (sizeof type_names / sizeof *type_names)

const char *page_type_name(enum page_type type)
{
	return type_names[type];
}

static int type_find(const char *name, enum page_type *ret)
{
	for (size_t i = 0; i < TYPES; i++)
		if (strcmp(type_names[i], name) == 0) {
			*ret = (enum page_type)i;
			return 0;
		}
	return -EBADMSG;
}

int page_to_file(const struct page *p, const char *endpoint, char **ret, size_t *ret_len)
{
	_cleanup_(cleanup_json) json_t *root = NULL;
	char *bytes;

	root = json_pack("{s:i,s:o,s:s,s:s,s:s,s:s,s:i,s:I,s:I,s:O}", "format", FILE_FORMAT,
			 "endpoint", text_to_json(str(endpoint)), "id", p->id, "alert_id",
			 p->alert_id, "code", p->code, "type", page_type_name(p->type), "priority",
			 (int)p->priority, "event_wall_ns", json_number(p->event_wall_ns),
			 "due_wall_ns", json_number(p->due_wall_ns), "data", p->data);
	if (!root)
		return -ENOMEM;
	bytes = json_dumps(root, JSON_COMPACT);
	if (!bytes)
		return -ENOMEM;
	*ret_len = strlen(bytes);
	*ret = bytes;
	return 0;
}

/* Into ids go what header values and file names can carry. */
static int copy_name(char *to, size_t size, const char *from)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t len = strlen(from);

	if (len == 0 || len >= size || from[0] == '.' || strspn(from, allowed) != len)
		return -EBADMSG;
	memcpy(to, from, len + 1);
	return 0;
}

static int root_load(const char *bytes, size_t len, json_t **ret)
{
	_cleanup_(cleanup_json) json_t *root = NULL;
	json_int_t format = 0;
	int r = json_from_bytes(bytes, len, NESTING_MAX, &root);

	if (r < 0)
		return r;
	if (json_unpack(root, "{s:I}", "format", &format) < 0 || format < FILE_FORMAT)
		return -EBADMSG;
	if (format > FILE_FORMAT)
		return -EPROTONOSUPPORT;
	*ret = TAKE(root);
	return 0;
}

int page_from_file(const char *bytes, size_t len, struct page **ret, char **ret_endpoint)
{
	_cleanup_(cleanup_json) json_t *root = NULL;
	_cleanup_(cleanup_page) struct page *p = NULL;
	const char *endpoint, *id, *alert_id, *code, *type;
	json_int_t priority, event_wall_ns, due_wall_ns;
	json_t *data;
	char *copy;
	int r;

	r = root_load(bytes, len, &root);
	if (r < 0)
		return r;
	if (json_unpack(root, "{s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:o}", "endpoint", &endpoint, "id",
			&id, "alert_id", &alert_id, "code", &code, "type", &type, "priority",
			&priority, "event_wall_ns", &event_wall_ns, "due_wall_ns", &due_wall_ns,
			"data", &data) < 0)
		return -EBADMSG;
	/* Earlier versions wrote a time past 2262 as a negative number. */
	if (due_wall_ns < 0)
		due_wall_ns = INT64_MAX;
	if (event_wall_ns < 0)
		event_wall_ns = due_wall_ns;
	if (priority < 1 || priority > 3 || endpoint[0] == 0 || !json_is_object(data) ||
	    json_dumpb(data, NULL, 0, JSON_COMPACT) > PAGE_DATA_MAX)
		return -EBADMSG;
	p = calloc(1, sizeof *p);
	if (!p)
		return -ENOMEM;
	atomic_init(&p->references, 1);
	if (copy_name(p->id, sizeof p->id, id) < 0 ||
	    copy_name(p->alert_id, sizeof p->alert_id, alert_id) < 0 ||
	    copy_name(p->code, sizeof p->code, code) < 0 || type_find(type, &p->type) < 0)
		return -EBADMSG;
	p->priority = (uint32_t)priority;
	p->event_wall_ns = (uint64_t)event_wall_ns;
	p->due_wall_ns = (uint64_t)due_wall_ns;
	p->data = json_incref(data);
	copy = strdup(endpoint);
	if (!copy)
		return -ENOMEM;
	*ret_endpoint = copy;
	*ret = TAKE(p);
	return 0;
}

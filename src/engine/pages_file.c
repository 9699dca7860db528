/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "engine/pages_file.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/json_bytes.h"
#include "base/moment.h"
#include "base/owner.h"
#include "base/text.h"

#define FORMAT 1
#define NESTING_MAX 4

DEFINE_CLEANUP(json_t *, json_decref, cleanup_json)

static json_t *time_json(uint64_t wall_ns)
{
	char text[TIME_TEXT_SIZE];

	return json_string(time_to_rfc3339(wall_ns, text));
}

static json_t *text_json(const char *text)
{
	_cleanup_free_ char *utf8 = NULL;
	size_t len;

	utf8 = text_to_utf8(str(text), &len);
	return utf8 ? json_stringn(utf8, len) : NULL;
}

static json_t *row_json(const struct page_row *row)
{
	char priority[4];

	snprintf(priority, sizeof priority, "P%u", (unsigned)row->priority % 10);
	return json_pack("{s:o, s:s, s:o, s:o, s:s, s:I, s:I, s:o}", "page_id", text_json(row->id),
			 "priority", priority, "code", text_json(row->code), "endpoint",
			 text_json(row->endpoint), "state", row->state, "attempts",
			 (json_int_t)row->attempts, "http_status", (json_int_t)row->http_status,
			 "since", time_json(row->due_wall_ns));
}

int pages_file_write(int state, gid_t group, const struct page_row *rows, size_t n,
		     uint64_t wall_ns)
{
	_cleanup_(cleanup_json) json_t *root = NULL;
	_cleanup_free_ char *text = NULL;
	json_t *pages = json_array();
	size_t written = n < PAGES_FILE_ROWS_MAX ? n : PAGES_FILE_ROWS_MAX;

	for (size_t i = 0; i < written; i++)
		if (json_array_append_new(pages, row_json(&rows[i])) < 0) {
			json_decref(pages);
			return -ENOMEM;
		}
	root = json_pack("{s:i, s:o, s:I, s:o}", "format", FORMAT, "timestamp", time_json(wall_ns),
			 "left_out", json_number(n - written), "pages", pages);
	text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	if (!text)
		return -ENOMEM;
	if (group == (gid_t)-1)
		return file_replace(state, PAGES_FILE, text, strlen(text), false);
	return file_replace_shared(state, PAGES_FILE, text, strlen(text), group);
}

/* --- Reading --- */

void pages_list_done(struct pages_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free((void *)(uintptr_t)l->rows[i].id);
	free(l->rows);
	*l = (struct pages_list){ 0 };
}

/* All three texts in one piece of memory, which the first begins. */
static int row_copy(const struct page_row *row, struct page_row *ret)
{
	size_t id = strlen(row->id) + 1, endpoint = strlen(row->endpoint) + 1;
	size_t code = strlen(row->code) + 1;
	char *texts = malloc(id + endpoint + code);

	if (!texts)
		return -ENOMEM;
	memcpy(texts, row->id, id);
	memcpy(texts + id, row->endpoint, endpoint);
	memcpy(texts + id + endpoint, row->code, code);
	*ret = *row;
	ret->id = texts;
	ret->endpoint = texts + id;
	ret->code = texts + id + endpoint;
	return 0;
}

int pages_list_add(struct pages_list *l, const struct page_row *row)
{
	/* Grows by doubling, whenever n is a power of two. */
	if ((l->n & (l->n - 1)) == 0) {
		size_t size = l->n > 0 ? 2 * l->n : 1;
		struct page_row *grown = reallocarray(l->rows, size, sizeof *grown);

		if (!grown)
			return -ENOMEM;
		l->rows = grown;
	}
	int r = row_copy(row, &l->rows[l->n]);
	if (r == 0)
		l->n++;
	return r;
}

static const char *state_find(const char *name)
{
	static const char *const states[] = { PAGE_STATE_WAITING, PAGE_STATE_PARKED,
					      PAGE_STATE_DEAD, PAGE_STATE_ORPHANED };

	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (strcmp(states[i], name) == 0)
			return states[i];
	return NULL;
}

static int row_read(json_t *json, struct pages_list *l)
{
	const char *priority, *state, *since;
	json_int_t attempts, http_status;
	struct page_row row;

	if (json_unpack(json, "{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s}", "page_id", &row.id,
			"priority", &priority, "code", &row.code, "endpoint", &row.endpoint,
			"state", &state, "attempts", &attempts, "http_status", &http_status,
			"since", &since) < 0)
		return -EBADMSG;
	row.state = state_find(state);
	if (!row.state || priority[0] != 'P' || priority[1] < '1' || priority[1] > '3' ||
	    priority[2] != 0 || attempts < 0 || attempts > UINT32_MAX || http_status < 0 ||
	    http_status > UINT32_MAX || time_from_rfc3339(str(since), &row.due_wall_ns) < 0)
		return -EBADMSG;
	row.priority = (uint32_t)(priority[1] - '0');
	row.attempts = (uint32_t)attempts;
	row.http_status = (uint32_t)http_status;
	return pages_list_add(l, &row);
}

static int list_read(json_t *root, struct pages_list *l)
{
	json_int_t format = 0, left_out;
	const char *timestamp;
	json_t *pages, *row;
	size_t i;
	int r = 0;

	if (json_unpack(root, "{s:I}", "format", &format) < 0 || format < FORMAT)
		return -EBADMSG;
	if (format > FORMAT)
		return -EPROTONOSUPPORT;
	if (json_unpack(root, "{s:s, s:I, s:o}", "timestamp", &timestamp, "left_out", &left_out,
			"pages", &pages) < 0 ||
	    !json_is_array(pages) || json_array_size(pages) > PAGES_FILE_ROWS_MAX || left_out < 0 ||
	    time_from_rfc3339(str(timestamp), &l->wall_ns) < 0)
		return -EBADMSG;
	l->left_out = (uint64_t)left_out;
	json_array_foreach(pages, i, row) if (r == 0) r = row_read(row, l);
	return r;
}

int pages_file_read(const char *state_dir, struct pages_list *ret)
{
	_cleanup_(cleanup_json) json_t *root = NULL;
	_cleanup_(pages_list_done) struct pages_list l = { 0 };
	struct owner_rights rights = { 0 };
	_cleanup_close_ int folder = -1;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = folder_open(state_dir, false, &folder);

	if (r == 0)
		r = owner_enter(folder, &rights);
	if (r == 0)
		r = file_read(folder, PAGES_FILE, PAGES_FILE_BYTES_MAX, &text, &len);
	owner_leave(&rights);
	if (r < 0)
		return r == -EFBIG || r == -EINVAL || r == -ELOOP ? -EBADMSG : r;
	r = json_from_bytes(text, len, NESTING_MAX, &root);
	if (r == 0)
		r = list_read(root, &l);
	if (r < 0)
		return r;
	*ret = l;
	l = (struct pages_list){ 0 };
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/session_list.h"

#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/text.h"
#include "tool/incident_view.h"
#include "tool/table.h"
#include "tool/time_style.h"
#include "tool/tool.h"

#define RED 31

json_t *session_view_object(const struct session_row *s)
{
	return json_pack("{s:o*, s:o*, s:o*, s:o*, s:o*, s:O}", "session_id", view_text(s->id),
			 "status", view_text(s->status), "started_at", view_time(s->started_ns),
			 "last_update", view_time(s->updated_ns), "engine", view_text(s->engine),
			 "metadata", s->metadata);
}

int session_view_json(FILE *f, const struct session_row *const *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = view_json_line(f, session_view_object(rows[i]));

		if (r < 0)
			return r;
	}
	return 0;
}

/* "mode=live desk=4"; heap, NULL without memory. */
static char *metadata_text(const json_t *metadata)
{
	struct text_buffer b = { 0 };
	json_t *read_only = (json_t *)(uintptr_t)metadata;

	text_buffer_add(&b, STR(""));
	for (void *i = json_object_iter(read_only); i; i = json_object_iter_next(read_only, i)) {
		const char *value = json_string_value(json_object_iter_value(i));

		text_buffer_printf(&b, "%s%s=%s", b.len > 0 ? " " : "", json_object_iter_key(i),
				   value ? value : "");
	}
	if (b.failed)
		text_buffer_done(&b);
	return b.ptr;
}

static int add_row(struct table *t, const struct session_row *s, const struct time_style *style,
		   bool metadata, bool engines)
{
	_cleanup_free_ char *text = metadata ? metadata_text(s->metadata) : NULL;
	char started[TIME_TEXT_SIZE], updated[TIME_TEXT_SIZE];
	tocsin_str cells[6];
	unsigned n = 0;

	cells[n++] = str(s->id);
	cells[n++] = str(s->status);
	cells[n++] = time_style_text(style, s->started_ns, started);
	cells[n++] = time_style_text(style, s->updated_ns, updated);
	if (engines)
		cells[n++] = str(s->engine);
	if (metadata)
		cells[n++] = text ? str(text) : STR("");
	return table_add(t, cells, strcmp(s->status, "failed") == 0 ? RED : 0);
}

int session_view_table(FILE *f, const struct session_row *const *rows, size_t n, bool utc)
{
	struct time_style style = { .utc = utc };
	char title[TIME_TEXT_SIZE];
	struct table_column columns[6] = {
		{ "SESSION", 12 }, { "STATUS", 9 }, { title, 0 }, { "LAST UPDATE", 0 }
	};
	unsigned n_columns = 4;
	bool engines = false, metadata = false;
	struct table *t;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		time_style_add(&style, rows[i]->started_ns);
		time_style_add(&style, rows[i]->updated_ns);
		engines = engines || strcmp(rows[i]->engine, rows[0]->engine) != 0;
		metadata = metadata || json_object_size(rows[i]->metadata) > 0;
	}
	time_style_title(&style, "STARTED", title);
	/* A column that says the same in every row only takes room. */
	if (engines)
		columns[n_columns++] = (struct table_column){ "ENGINE", 6 };
	if (metadata)
		columns[n_columns++] = (struct table_column){ "METADATA", 12 };
	t = table_new(columns, n_columns);
	if (!t)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_row(t, rows[i], &style, metadata, engines);
	if (r == 0)
		table_print(t, f, tool_columns(f), tool_colours(f));
	table_free(t);
	return r;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/session_list.h"

#include <errno.h>
#include <string.h>
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

static int add_row(struct table *t, const struct session_row *s, const struct time_style *style)
{
	char started[TIME_TEXT_SIZE], updated[TIME_TEXT_SIZE];
	const tocsin_str cells[] = { str(s->id), str(s->status),
				     time_style_text(style, s->started_ns, started),
				     time_style_text(style, s->updated_ns, updated),
				     str(s->engine) };

	return table_add(t, cells, strcmp(s->status, "failed") == 0 ? RED : 0);
}

int session_view_table(FILE *f, const struct session_row *const *rows, size_t n, bool utc)
{
	struct time_style style = { .utc = utc };
	char title[TIME_TEXT_SIZE];
	const struct table_column columns[] = { { "SESSION", 12 },
						{ "STATUS", 9 },
						{ title, 0 },
						{ "LAST UPDATE", 0 },
						{ "ENGINE", 6 } };
	bool engines = false;
	struct table *t;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		time_style_add(&style, rows[i]->started_ns);
		time_style_add(&style, rows[i]->updated_ns);
		engines = engines || strcmp(rows[i]->engine, rows[0]->engine) != 0;
	}
	time_style_title(&style, "STARTED", title);
	/* A column that says the same in every row only takes room. */
	t = table_new(columns, engines ? 5 : 4);
	if (!t)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_row(t, rows[i], &style);
	if (r == 0)
		table_print(t, f, tool_columns(f), tool_colours(f));
	table_free(t);
	return r;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/incident_view.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "tool/table.h"
#include "tool/time_style.h"
#include "tool/tool.h"

json_t *view_text(const char *text)
{
	_cleanup_free_ char *utf8 = NULL;
	size_t len;

	if (!text || !text[0])
		return json_null();
	utf8 = text_to_utf8(str(text), &len);
	return utf8 ? json_stringn(utf8, len) : NULL;
}

json_t *view_time(uint64_t wall_ns)
{
	char text[TIME_TEXT_SIZE];

	return wall_ns ? json_string(time_to_rfc3339(wall_ns, text)) : json_null();
}

json_t *view_seconds(uint64_t ns)
{
	uint64_t ms = ns / NS_PER_MS;

	return ms % 1000 ? json_real((double)ms / 1000.0) : json_integer((json_int_t)(ms / 1000));
}

/* null of an empty text and of what is not finite. */
static json_t *view_figure(const char *text)
{
	double value = text[0] ? strtod(text, NULL) : (double)NAN;

	return isfinite(value) ? json_real(value) : json_null();
}

json_t *incident_view_object(const struct history_incident *i)
{
	char priority[4] = { 'P', (char)('0' + i->priority), '\0' };
	char worst[4] = { 'P', (char)('0' + i->worst), '\0' };

	/* s*: a member whose value could not be had is left out. */
	return json_pack(
		"{s:o*, s:I, s:s, s:s, s:o*, s:o*, s:o*, s:s, s:I, s:o*, s:o*, s:o*, s:o*, s:o*, "
		"s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:b}",
		"alert_id", view_text(i->alert_id), "number", (json_int_t)i->number, "priority",
		priority, "worst", worst, "resolution", view_text(i->resolution), "code",
		view_text(i->code), "raw_code", view_text(i->raw_code), "state",
		i->firing ? "firing" : "resolved", "count", (json_int_t)i->count, "engine",
		view_text(i->engine), "session_id", view_text(i->session), "source",
		view_text(i->source), "instance", view_text(i->instance), "message",
		view_text(i->message), "value", view_figure(i->value), "limit",
		view_figure(i->limit), "runbook_link", view_text(i->runbook), "raised_at",
		view_time(i->raised_ns), "resolved_at", view_time(i->resolved_ns), "metadata",
		i->metadata ? json_incref(i->metadata) : json_object(), "replay", i->replay);
}

int view_json_line(FILE *f, json_t *object)
{
	if (!object)
		return -ENOMEM;
	json_dumpf(object, f, JSON_COMPACT | JSON_ENSURE_ASCII);
	fputc('\n', f);
	json_decref(object);
	return 0;
}

int incident_view_json(FILE *f, const struct history_incident *const *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = view_json_line(f, incident_view_object(rows[i]));

		if (r < 0)
			return r;
	}
	return 0;
}

static uint64_t shown_time(const struct history_incident *i)
{
	return i->raised_ns ? i->raised_ns : i->changed_ns;
}

static int add_row(struct table *t, const struct history_incident *i,
		   const struct time_style *style, bool sessions)
{
	char time[TIME_TEXT_SIZE], priority[4], count[24];
	tocsin_str cells[7];
	unsigned n = 0;

	snprintf(priority, sizeof(priority), "P%u", i->priority % 10);
	snprintf(count, sizeof(count), "%" PRIu64, i->count);
	cells[n++] = time_style_text(style, shown_time(i), time);
	cells[n++] = str(priority);
	cells[n++] = str(i->code);
	cells[n++] = i->firing ? STR("firing") : STR("resolved");
	cells[n++] = str(count);
	if (sessions)
		cells[n++] = str(i->session);
	cells[n++] = str(i->message);
	return table_add(t, cells, !i->firing ? 0 : i->priority == 1 ? 31 : 33);
}

int incident_view_table(FILE *f, const struct history_incident *const *rows, size_t n, bool utc)
{
	struct time_style style = { .utc = utc };
	char title[TIME_TEXT_SIZE];
	struct table_column columns[7] = {
		{ title, 0 }, { "PRI", 0 }, { "CODE", 12 }, { "STATE", 0 }, { "COUNT", 0 }
	};
	unsigned n_columns = 5;
	bool sessions = false;
	struct table *t;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		time_style_add(&style, shown_time(rows[i]));
		sessions = sessions || rows[i]->session[0];
	}
	time_style_title(&style, "RAISED", title);
	/* A column that is empty in every row only takes room from the messages. */
	if (sessions)
		columns[n_columns++] = (struct table_column){ "SESSION", 8 };
	columns[n_columns++] = (struct table_column){ "MESSAGE", 12 };
	t = table_new(columns, n_columns);
	if (!t)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_row(t, rows[i], &style, sessions);
	if (r == 0)
		table_print(t, f, tool_columns(f), tool_colours(f));
	table_free(t);
	return r;
}

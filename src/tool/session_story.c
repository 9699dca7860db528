/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/session_story.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "tool/incident_view.h"
#include "tool/table.h"
#include "tool/time_style.h"
#include "tool/tool.h"

#define RED 31
#define YELLOW 33

void session_story_free(struct session_story *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		free(s->list[i].event);
		free(s->list[i].message);
	}
	free(s->list);
	session_list_free(s->sessions);
	free(s);
}

DEFINE_CLEANUP(struct session_story *, session_story_free, cleanup_story)

/* What is being read, and the alerts whose pages will be. */
struct reading {
	const struct query *query;
	struct journal_query *journal;
	struct session_story *story;
	char *alerts[SESSION_STORY_ALERTS_MAX];
	size_t n_alerts;
};

static int add_happening(struct reading *r, uint64_t time_ns, bool engine_wide)
{
	struct session_story *s = r->story;
	struct happening *h;

	if (s->n == SESSION_STORY_MAX) {
		s->left_out++;
		return 0;
	}
	if (s->n == s->size) {
		size_t size = s->size ? s->size * 2 : 64;
		struct happening *list = reallocarray(s->list, size, sizeof(*list));

		if (!list)
			return -ENOMEM;
		s->list = list;
		s->size = size;
	}
	h = &s->list[s->n];
	*h = (struct happening){
		.time_ns = time_ns,
		.order = s->n++,
		.event = str_dup(journal_query_get(r->journal, "TOCSIN_EVENT")),
		.message = str_dup(journal_query_get(r->journal, "MESSAGE")),
		.priority = history_priority(journal_query_get(r->journal, "TOCSIN_PRIORITY")),
		.firing = str_is(journal_query_get(r->journal, "TOCSIN_STATE"), "firing"),
		.engine_wide = engine_wide,
	};
	return h->event && h->message ? 0 : -ENOMEM;
}

/* Remembers the entry's alert, once. */
static int note_alert(struct reading *r)
{
	tocsin_str id = journal_query_get(r->journal, "TOCSIN_ALERT_ID");

	if (id.len == 0)
		return 0;
	for (size_t i = 0; i < r->n_alerts; i++)
		if (str_is(id, r->alerts[i]))
			return 0;
	if (r->n_alerts == SESSION_STORY_ALERTS_MAX) {
		r->story->pages_left_out = true;
		return 0;
	}
	r->alerts[r->n_alerts] = str_dup(id);
	return r->alerts[r->n_alerts++] ? 0 : -ENOMEM;
}

/* What the engine itself had meanwhile: not before it began, nor after its end. */
static bool is_meanwhile(const struct session_row *row, uint64_t time_ns)
{
	return session_row_runs(row) || time_ns <= row->updated_ns;
}

static int read_one(struct reading *r, bool engine_wide)
{
	uint64_t time_ns = journal_query_time(r->journal);
	bool alert = str_is(journal_query_get(r->journal, "TOCSIN_EVENT"), "alert");
	int error = 0;

	if (!query_covers(r->query, time_ns) ||
	    !session_row_has(r->story->row, journal_query_field, r->journal, time_ns))
		return 0;
	if (engine_wide && (journal_query_get(r->journal, "TOCSIN_SESSION").len > 0 ||
			    !is_meanwhile(r->story->row, time_ns)))
		return 0;
	if (alert)
		error = note_alert(r);
	return error < 0 ? error : add_happening(r, time_ns, engine_wide);
}

/* Matches that are pairs of name and value, up to a NULL. */
static int read_all(struct reading *r, const char *const (*matches)[2], bool engine_wide)
{
	int error = journal_query_restart(r->journal);

	for (; (*matches)[0] && error >= 0; matches++)
		error = journal_query_match(r->journal, (*matches)[0], (*matches)[1]);
	while (error >= 0 && (error = journal_query_next(r->journal)) > 0)
		error = read_one(r, engine_wide);
	return error;
}

static int read_pages(struct reading *r)
{
	int error = journal_query_restart(r->journal);

	if (r->n_alerts == 0)
		return error;
	if (error >= 0)
		error = journal_query_match(r->journal, "TOCSIN_EVENT", "page");
	for (size_t i = 0; i < r->n_alerts && error >= 0; i++)
		error = journal_query_match(r->journal, "TOCSIN_ALERT_ID", r->alerts[i]);
	while (error >= 0 && (error = journal_query_next(r->journal)) > 0)
		error = add_happening(r, journal_query_time(r->journal), false);
	return error;
}

static int read_happenings(struct reading *r)
{
	const struct session_row *row = r->story->row;
	const char *const own[][2] = {
		{ "TOCSIN_EVENT", "session" }, { "TOCSIN_EVENT", "alert" },
		{ "TOCSIN_EVENT", "health" },  { "TOCSIN_ENGINE", row->engine },
		{ "TOCSIN_SESSION", row->id }, { NULL, NULL }
	};
	const char *const wide[][2] = { { "TOCSIN_EVENT", "alert" },
					{ "TOCSIN_ENGINE", row->engine },
					{ NULL, NULL } };
	int error = read_all(r, own, false);

	if (error >= 0)
		error = read_all(r, wide, true);
	return error < 0 ? error : read_pages(r);
}

static int compare_time(const void *a, const void *b)
{
	const struct happening *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

int session_story_read(const struct query *q, struct journal_query *j, struct session_story **ret)
{
	_cleanup_(cleanup_story) struct session_story *s = calloc(1, sizeof(*s));
	_cleanup_free_ struct reading *reading = calloc(1, sizeof(*reading));
	int r = -ENOMEM;

	if (s && reading && (s->sessions = session_list_new()))
		r = session_list_read(s->sessions, j, q->engine, q->session);
	if (r < 0)
		return tool_failed(q->verb->name, "cannot read the journal: %s",
				   journal_query_error(r));
	s->row = session_list_choose(s->sessions, q->until_ns, &s->others);
	if (!s->row) {
		int status = query_explain_nothing(q, j);

		return status != TOOL_FINE
			       ? status
			       : tool_failed(q->verb->name,
					     "the journal has no session %s in that time",
					     q->session);
	}
	*reading = (struct reading){ .query = q, .journal = j, .story = s };
	r = read_happenings(reading);
	for (size_t i = 0; i < reading->n_alerts; i++)
		free(reading->alerts[i]);
	if (r < 0)
		return tool_failed(q->verb->name, "cannot read the journal: %s",
				   journal_query_error(r));
	if (s->n > 0)
		qsort(s->list, s->n, sizeof(s->list[0]), compare_time);
	*ret = TAKE(s);
	return TOOL_FINE;
}

static int add_row(struct table *t, const struct happening *h, const struct time_style *style)
{
	char time[TIME_TEXT_SIZE];
	const tocsin_str cells[] = { time_style_text(style, h->time_ns, time),
				     h->engine_wide ? STR("engine") : str(h->event),
				     str(h->message) };

	return table_add(t, cells,
			 !h->firing || strcmp(h->event, "alert") != 0 ? 0
			 : h->priority == 1                           ? RED
								      : YELLOW);
}

static void print_head(FILE *f, const struct session_story *s, bool utc)
{
	char started[TIME_TEXT_SIZE], updated[TIME_TEXT_SIZE];
	const struct session_row *row = s->row;
	const char *name;
	json_t *value;

	fputs("session   ", f);
	tool_print_text(f, str(row->id));
	fputs(" of engine ", f);
	tool_print_text(f, str(row->engine));
	fprintf(f, "\nstatus    ");
	tool_print_text(f, str(row->status));
	fprintf(f, "\nstarted   %s\nupdated   %s\n", time_to_local(row->started_ns, utc, started),
		time_to_local(row->updated_ns, utc, updated));
	json_object_foreach(row->metadata, name, value)
	{
		fputs("          ", f);
		tool_print_text(f, str(name));
		fputs(" = ", f);
		tool_print_text(f, str(json_is_string(value) ? json_string_value(value) : "null"));
		fputc('\n', f);
	}
	if (s->others > 0)
		fprintf(f,
			"others    %zu more of this id: tocsin sessions lists them, --until "
			"chooses\n",
			s->others);
	fputc('\n', f);
}

int session_story_print(FILE *f, const struct session_story *s, bool utc)
{
	struct time_style style = { .utc = utc };
	char title[TIME_TEXT_SIZE];
	const struct table_column columns[] = { { title, 0 }, { "WHAT", 0 }, { "MESSAGE", 20 } };
	struct table *t;
	int r = 0;

	print_head(f, s, utc);
	for (size_t i = 0; i < s->n; i++)
		time_style_add(&style, s->list[i].time_ns);
	time_style_title(&style, "TIME", title);
	t = table_new(columns, 3);
	if (!t)
		return -ENOMEM;
	for (size_t i = 0; i < s->n && r == 0; i++)
		r = add_row(t, &s->list[i], &style);
	if (r == 0)
		table_print(t, f, tool_columns(f), tool_colours(f));
	table_free(t);
	return r;
}

int session_story_json(FILE *f, const struct session_story *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct happening *h = &s->list[i];
		int r = view_json_line(f, json_pack("{s:o*, s:s, s:o*, s:b}", "time",
						    view_time(h->time_ns), "event", h->event,
						    "message", view_text(h->message), "engine_wide",
						    h->engine_wide));

		if (r < 0)
			return r;
	}
	return 0;
}

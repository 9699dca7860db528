/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/text.h"
#include "engine/control.h"
#include "spool/outbox.h"
#include "tool/incident_view.h"
#include "tool/pages_change.h"
#include "tool/pages_engines.h"
#include "tool/query.h"
#include "tool/table.h"
#include "tool/time_style.h"
#include "tool/tool.h"

static const struct query_verb verb = {
	.name = "pages",
	.usage = "pages [list | show ID[@ENDPOINT] | resend ID[@ENDPOINT] | resend --all |\n"
		 "                    discard --reason TEXT ID[@ENDPOINT]] [OPTION]...",
	.about = "Lists the pages that no receiver has taken: those that wait, those that are\n"
		 "parked until their endpoint is mended, and dead ones, which their receiver has\n"
		 "refused. resend tries at once, a dead one too; discard gives one up, for good.\n"
		 "A living engine is asked to do it; for a dead one, this command does it.\n",
	.options =
		QUERY_ENGINE | QUERY_STATE_DIR | QUERY_ALL | QUERY_REASON | QUERY_JSON | QUERY_UTC,
	.arguments_max = 2,
};

DEFINE_CLEANUP(struct pages_engines *, pages_engines_free, cleanup_engines)
DEFINE_CLEANUP(struct outbox *, outbox_free, cleanup_outbox)
DEFINE_CLEANUP(struct page *, page_unref, cleanup_page)

/* --- Showing --- */

/* not_listed: how many pages the engine has beside those that it lists. */
static json_t *row_object(const struct pages_engine *e, const struct page_row *row)
{
	char priority[4] = { 'P', (char)('0' + row->priority % 10), 0 };

	return json_pack(
		"{s:o*, s:o*, s:s, s:o*, s:o*, s:s, s:o, s:o, s:o, s:I}", "engine",
		view_text(e->name), "page_id", view_text(row->id), "priority", priority, "code",
		view_text(row->code), "endpoint", view_text(row->endpoint), "state", row->state,
		"attempts",
		row->attempts > 0 ? json_integer((json_int_t)row->attempts) : json_null(),
		"http_status",
		row->http_status > 0 ? json_integer((json_int_t)row->http_status) : json_null(),
		"since", view_time(row->due_wall_ns), "not_listed", (json_int_t)e->pages.left_out);
}

static tocsin_str figure(uint32_t n, char *buf, size_t size)
{
	if (n == 0)
		return STR("-");
	snprintf(buf, size, "%" PRIu32, n);
	return str(buf);
}

#define COLUMNS_MAX 9

static int add_row(struct table *t, const struct pages_engine *e, const struct page_row *row,
		   const struct time_style *style, bool engines)
{
	char time[TIME_TEXT_SIZE], priority[4], attempts[16], answer[16];
	tocsin_str cells[COLUMNS_MAX];
	unsigned n = 0;

	snprintf(priority, sizeof(priority), "P%u", (unsigned)row->priority % 10);
	cells[n++] = time_style_text(style, row->due_wall_ns, time);
	cells[n++] = str(priority);
	cells[n++] = str(row->code);
	cells[n++] = str(row->state);
	cells[n++] = figure(row->attempts, attempts, sizeof(attempts));
	cells[n++] = figure(row->http_status, answer, sizeof(answer));
	if (engines)
		cells[n++] = str(e->name);
	cells[n++] = str(row->endpoint);
	cells[n++] = str(row->id);
	return table_add(t, cells,
			 strcmp(row->state, PAGE_STATE_WAITING) == 0 ? 0
			 : row->priority == 1                        ? 31
								     : 33);
}

/* No id is ever cut: it is what the other words of this verb take. */
static int print_table(const struct pages_engines *all, bool engines, bool utc)
{
	struct time_style style = { .utc = utc };
	char title[TIME_TEXT_SIZE];
	struct table_column columns[COLUMNS_MAX] = {
		{ title, 0 },   { "PRI", 0 },   { "CODE", 10 },
		{ "STATE", 0 }, { "TRIES", 0 }, { "ANSWER", 0 }
	};
	unsigned n = 6;
	struct table *t;
	int r = 0;

	for (size_t i = 0; i < all->n; i++)
		for (size_t j = 0; j < all->list[i].pages.n; j++)
			time_style_add(&style, all->list[i].pages.rows[j].due_wall_ns);
	time_style_title(&style, "SINCE", title);
	if (engines)
		columns[n++] = (struct table_column){ "ENGINE", 6 };
	columns[n++] = (struct table_column){ "ENDPOINT", 8 };
	columns[n++] = (struct table_column){ "PAGE", 0 };
	t = table_new(columns, n);
	if (!t)
		return -ENOMEM;
	for (size_t i = 0; i < all->n; i++)
		for (size_t j = 0; j < all->list[i].pages.n && r == 0; j++)
			r = add_row(t, &all->list[i], &all->list[i].pages.rows[j], &style, engines);
	if (r == 0)
		table_print(t, stdout, tool_columns(stdout), tool_colours(stdout));
	table_free(t);
	return r;
}

static int print_json(const struct pages_engines *all)
{
	int r = 0;

	for (size_t i = 0; i < all->n; i++)
		for (size_t j = 0; j < all->list[i].pages.n && r == 0; j++)
			r = view_json_line(stdout,
					   row_object(&all->list[i], &all->list[i].pages.rows[j]));
	return r;
}

static int list(const struct pages_engines *all, const struct query *q)
{
	uint64_t left_out = 0;
	size_t n = 0, engines = 0;
	int r = 0;

	for (size_t i = 0; i < all->n; i++) {
		n += all->list[i].pages.n;
		engines += all->list[i].pages.n > 0;
		left_out += all->list[i].pages.left_out;
	}
	if (q->json)
		r = print_json(all);
	else if (n > 0)
		r = print_table(all, engines > 1, q->utc);
	else
		puts("no page waits, and none is dead");
	if (left_out > 0)
		fprintf(stderr, "tocsin pages: %" PRIu64 " more are not listed\n", left_out);
	return r < 0 ? tool_failed("pages", "%s", strerror(-r)) : TOOL_FINE;
}

/* What the page says, where we may read it; else NULL. */
static struct page *page_read(const struct pages_engine *e, const struct page_row *row)
{
	_cleanup_(cleanup_outbox) struct outbox *o = NULL;
	struct owner_rights rights = { 0 };
	struct page *page = NULL;

	if (pages_outbox_open(e->state_dir, &rights, &o) < 0 ||
	    outbox_find(o, row->id, row->endpoint, &page) < 0)
		page = NULL;
	owner_leave(&rights);
	return page;
}

static void print_fact(const char *name, const char *value)
{
	if (!value || !value[0])
		return;
	printf("%-9s ", name);
	tool_print_text(stdout, str(value));
	putchar('\n');
}

static void print_page(const struct pages_engine *e, const struct page_row *row,
		       const struct page *page, bool utc)
{
	char since[TIME_TEXT_SIZE], priority[4], figures[16];

	snprintf(priority, sizeof(priority), "P%u", (unsigned)row->priority % 10);
	print_fact("page", row->id);
	print_fact("engine", e->name);
	print_fact("endpoint", row->endpoint);
	print_fact("state", row->state);
	print_fact("priority", priority);
	print_fact("code", row->code);
	print_fact("since", time_to_local(row->due_wall_ns, utc, since));
	print_fact("attempts", figure(row->attempts, figures, sizeof(figures)).ptr);
	print_fact("answer", figure(row->http_status, figures, sizeof(figures)).ptr);
	if (!page)
		return;
	print_fact("message", json_string_value(json_object_get(page->data, "message")));
	print_fact("do", json_string_value(json_object_get(page->data, "runbook_url")));
}

static int show_one(const struct pages_engine *e, const struct page_row *row, const struct query *q)
{
	_cleanup_(cleanup_page) struct page *page = page_read(e, row);
	json_t *object;

	if (!q->json) {
		print_page(e, row, page, q->utc);
		return 0;
	}
	object = row_object(e, row);
	if (object && page)
		json_object_set(object, "data", page->data);
	return view_json_line(stdout, object);
}

/* --- Which --- */

/* Splits ID[@ENDPOINT] in place: no id has an @. */
static void split(char *argument, struct control_request *want)
{
	char *at = strchr(argument, '@');

	want->page_id = argument;
	if (at) {
		*at = 0;
		want->endpoint = at + 1;
	}
}

static int show(const struct pages_engines *all, const struct query *q,
		const struct control_request *want)
{
	bool first = true;
	int r = 0;

	for (size_t i = 0; i < all->n; i++)
		for (size_t j = 0; j < all->list[i].pages.n && r == 0; j++) {
			const struct page_row *row = &all->list[i].pages.rows[j];

			if (!pages_wanted(want, row))
				continue;
			if (!first && !q->json)
				putchar('\n');
			first = false;
			r = show_one(&all->list[i], row, q);
		}
	return r < 0 ? tool_failed("pages", "%s", strerror(-r)) : TOOL_FINE;
}

static size_t count_wanted(const struct pages_engine *e, const struct control_request *want)
{
	size_t n = 0;

	for (size_t i = 0; i < e->pages.n; i++)
		n += pages_wanted(want, &e->pages.rows[i]);
	return n;
}

/* One that lives and does not list all it has may still know it. */
static bool may_have(const struct pages_engine *e, const struct control_request *want)
{
	return count_wanted(e, want) > 0 || (e->lives && (!e->told || e->pages.left_out > 0));
}

static int change_all(const struct pages_engines *all, const struct control_request *want)
{
	int status = TOOL_FINE;

	for (size_t i = 0; i < all->n; i++)
		if (may_have(&all->list[i], want) && pages_change(&all->list[i], want) != TOOL_FINE)
			status = TOOL_FAILED;
	return status;
}

static int nothing_wanted(const struct control_request *want)
{
	if (!want->page_id) {
		puts("no page waits, and none is dead");
		return TOOL_FINE;
	}
	return tool_failed(
		"pages", "page %s%s%s does not wait and is not dead; tocsin pages lists them",
		want->page_id, want->endpoint ? "@" : "", want->endpoint ? want->endpoint : "");
}

/* --- Words --- */

enum word { WORD_LIST, WORD_SHOW, WORD_RESEND, WORD_DISCARD };

static const char *const words[] = { "list", "show", "resend", "discard" };
#define WORDS (sizeof(words) / sizeof(words[0]))

/* -1: go on; else the exit status. */
static int check_use(const struct query *q, enum word word)
{
	bool named = q->n_arguments == 2;

	if (word == WORD_LIST && named)
		return tool_wrong_use("pages", "unexpected argument %s", q->arguments[1]);
	if (q->all && word != WORD_RESEND)
		return tool_wrong_use("pages", "--all is for resend");
	if (q->reason && word != WORD_DISCARD)
		return tool_wrong_use("pages", "--reason is for discard");
	if (word == WORD_RESEND && named == q->all)
		return tool_wrong_use("pages", "resend: expected a page's ID or --all");
	if ((word == WORD_SHOW || word == WORD_DISCARD) && !named)
		return tool_wrong_use("pages", "%s: expected a page's ID", words[word]);
	if (word == WORD_DISCARD && (!q->reason || !q->reason[0]))
		return tool_wrong_use("pages", "discard: expected --reason, for the audit");
	if (q->reason && strlen(q->reason) > CONTROL_REASON_MAX)
		return tool_wrong_use("pages", "--reason: expected %d bytes at most",
				      CONTROL_REASON_MAX);
	return -1;
}

static int parse_word(const struct query *q, enum word *ret)
{
	size_t i = 0;

	*ret = WORD_LIST;
	if (q->n_arguments == 0)
		return check_use(q, WORD_LIST);
	while (i < WORDS && strcmp(words[i], q->arguments[0]) != 0)
		i++;
	if (i == WORDS)
		return tool_wrong_use("pages", "%s: expected list, show, resend or discard",
				      q->arguments[0]);
	*ret = (enum word)i;
	return check_use(q, *ret);
}

static int do_word(const struct pages_engines *all, const struct query *q, enum word word)
{
	struct control_request want = { .reason = q->reason };
	bool known = false;

	if (word == WORD_LIST)
		return list(all, q);
	want.verb = word == WORD_DISCARD ? CONTROL_DISCARD : CONTROL_RESEND;
	if (q->n_arguments == 2)
		split(q->arguments[1], &want);
	for (size_t i = 0; i < all->n; i++)
		known = known || (word == WORD_SHOW ? count_wanted(&all->list[i], &want) > 0
						    : may_have(&all->list[i], &want));
	if (!known)
		return nothing_wanted(&want);
	return word == WORD_SHOW ? show(all, q, &want) : change_all(all, &want);
}

int pages_main(int argc, char **argv)
{
	struct query q;
	_cleanup_(cleanup_engines) struct pages_engines *all = NULL;
	enum word word;
	int status = query_parse(&q, &verb, argc, argv), r;

	if (status < 0)
		status = parse_word(&q, &word);
	if (status >= 0)
		return status;
	r = pages_engines_read(q.engine, q.state_dir, &all);
	if (r < 0)
		return tool_failed("pages", "%s", strerror(-r));
	if (all->n == 0 && all->unreadable > 0)
		return TOOL_FAILED;
	if (all->n == 0)
		return tool_failed("pages", "there is no engine%s%s here", q.engine ? " " : "",
				   q.engine ? q.engine : "");
	status = do_word(all, &q, word);
	/* A page that was not found may be theirs. */
	if (all->left_out > 0)
		status = tool_failed("pages",
				     "%zu folders of engines past the first %d were not looked at: "
				     "name an engine",
				     all->left_out, PAGES_ENGINES_MAX);
	return status;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/query.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/text.h"
#include "codes/runbooks.h"
#include "tool/tool.h"

#define NEAR_MAX 3
/* A name's bytes that are compared and shown. */
#define NAME_SIZE 128

/* The search for one name among those there are. */
struct names {
	char wanted[NAME_SIZE]; /* in lower case */
	bool exact;
	const char *given;
	struct near {
		char name[NAME_SIZE];
		unsigned distance;
	} near[NEAR_MAX]; /* the nearest first */
	size_t n_near;
	size_t n_all;
};

static void to_lower(char buf[static NAME_SIZE], const char *text)
{
	size_t i = 0;

	for (; i < NAME_SIZE - 1 && text[i]; i++)
		buf[i] = (char)tolower((unsigned char)text[i]);
	buf[i] = '\0';
}

static bool is_among(const struct names *n, const char *name)
{
	for (size_t i = 0; i < n->n_near; i++)
		if (strcmp(n->near[i].name, name) == 0)
			return true;
	return false;
}

static void add_near(struct names *n, const char *name, unsigned distance)
{
	size_t at = n->n_near;

	if (is_among(n, name))
		return;
	while (at > 0 &&
	       (n->near[at - 1].distance > distance ||
		(n->near[at - 1].distance == distance && strcmp(n->near[at - 1].name, name) > 0)))
		at--;
	if (at == NEAR_MAX)
		return;
	if (n->n_near < NEAR_MAX)
		n->n_near++;
	memmove(&n->near[at + 1], &n->near[at], (n->n_near - 1 - at) * sizeof(n->near[0]));
	snprintf(n->near[at].name, NAME_SIZE, "%s", name);
	n->near[at].distance = distance;
}

static int look_at(void *userdata, tocsin_str value)
{
	struct names *n = userdata;
	_cleanup_free_ char *name = text_to_line(text_cut(value, NAME_SIZE - 1));
	char lower[NAME_SIZE];
	unsigned limit = 2 + (unsigned)strlen(n->wanted) / 4, distance;

	if (!name)
		return -ENOMEM;
	n->n_all++;
	if (str_is(value, n->given))
		n->exact = true;
	to_lower(lower, name);
	/* A part of a name is near it, however long the rest is. */
	distance = strstr(lower, n->wanted) ? 1 : text_distance(lower, n->wanted, limit);
	if (distance < limit)
		add_near(n, name, distance);
	return 0;
}

static int tell_unknown(const struct query *q, const struct names *n, const char *what)
{
	struct text_buffer b = { 0 };

	for (size_t i = 0; i < n->n_near; i++)
		text_buffer_printf(&b, "%s%s", i > 0 ? ", " : "; near it: ", n->near[i].name);
	if (n->n_near == 0 && n->n_all == 0)
		text_buffer_printf(&b, "; it knows none at all");
	else if (n->n_near == 0)
		text_buffer_printf(&b, "; none of the %zu it knows is near", n->n_all);
	tool_failed(q->verb->name, "the journal knows no %s %s%s", what, n->given,
		    b.ptr ? b.ptr : "");
	text_buffer_done(&b);
	return TOOL_FAILED;
}

static int explain(const struct query *q, struct journal_query *j, const char *given,
		   const char *field, const char *what)
{
	struct names n = { .given = given };
	bool codes = strcmp(field, "TOCSIN_CODE") == 0;
	int r;

	if (!given)
		return TOOL_FINE;
	to_lower(n.wanted, given);
	if (codes && runbooks_own(NULL, str(given)))
		return TOOL_FINE;
	r = journal_query_values(j, field, look_at, &n);
	for (unsigned i = 0; codes && i < runbook_table_size; i++)
		look_at(&n, str(runbook_table[i].code));
	if (r < 0)
		return tool_failed(q->verb->name, "cannot read the journal: %s",
				   journal_query_error(r));
	return n.exact ? TOOL_FINE : tell_unknown(q, &n, what);
}

int query_explain_nothing(const struct query *q, struct journal_query *j)
{
	int status;

	if (journal_query_is_forbidden(&q->journal))
		return tool_failed(q->verb->name, "%s", journal_query_error(-EACCES));
	status = explain(q, j, q->engine, "TOCSIN_ENGINE", "engine");
	if (status == TOOL_FINE)
		status = explain(q, j, q->session, "TOCSIN_SESSION", "session");
	if (status == TOOL_FINE)
		status = explain(q, j, q->code, "TOCSIN_CODE", "code");
	return status;
}

void query_tell_foreign(const struct query *q, struct journal_query *j)
{
	uint64_t n = journal_query_foreign(j);

	if (n > 0)
		tool_failed(q->verb->name,
			    "%" PRIu64
			    " entr%s of other users that name%s an engine do%s not count; "
			    "log.trusted_uids names the users to believe",
			    n, n == 1 ? "y" : "ies", n == 1 ? "s" : "", n == 1 ? "es" : "");
}

int query_open(const struct query *q, struct journal_query **ret)
{
	int r = journal_query_open(&q->journal, ret);

	if (r == -EACCES || r == -ENODATA || r == -ENXIO)
		return tool_failed(q->verb->name, "%s", journal_query_error(r));
	if (r < 0)
		return tool_failed(q->verb->name, "cannot read the journal%s%s: %s",
				   q->journal.directory ? " in " : "",
				   q->journal.directory ? q->journal.directory : "",
				   journal_query_error(r));
	query_tell_gap(q, *ret);
	return TOOL_FINE;
}

void query_tell_gap(const struct query *q, struct journal_query *j)
{
	char text[JOURNAL_QUERY_GAP_SIZE];

	if (journal_query_gap(j, text, sizeof(text)))
		tool_failed(q->verb->name, "%s; what follows is not all", text);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/session_list.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"

struct session_list {
	void *by_key; /* a tree of rows */
	struct session_row **list;
	size_t n, size, told; /* told: rows so far, those left out too */
	uint64_t left_out;
};

static int compare_key(const void *a, const void *b)
{
	const struct session_row *x = a, *y = b;
	int order = strcmp(x->id, y->id);

	if (order == 0)
		order = strcmp(x->engine, y->engine);
	if (order == 0)
		order = strcmp(x->process, y->process);
	if (order == 0 && x->started_known != y->started_known)
		order = x->started_known ? 1 : -1;
	if (order == 0 && x->started_known && x->started_ns != y->started_ns)
		order = x->started_ns < y->started_ns ? -1 : 1;
	return order;
}

static int compare_newest(const void *a, const void *b)
{
	const struct session_row *x = *(struct session_row *const *)a;
	const struct session_row *y = *(struct session_row *const *)b;

	if (x->started_ns != y->started_ns)
		return x->started_ns > y->started_ns ? -1 : 1;
	return x->order > y->order ? -1 : 1;
}

static void row_free(struct session_row *s)
{
	if (!s)
		return;
	free(s->engine);
	free(s->id);
	free(s->status);
	free(s->process);
	json_decref(s->metadata);
	free(s);
}

DEFINE_CLEANUP(struct session_row *, row_free, cleanup_row)

/* What is to be kept comes first. */
static int compare_worth(const void *a, const void *b)
{
	const struct session_row *x = *(struct session_row *const *)a;
	const struct session_row *y = *(struct session_row *const *)b;
	bool x_runs = session_row_runs(x), y_runs = session_row_runs(y);

	if (x_runs != y_runs)
		return x_runs ? -1 : 1;
	return compare_newest(a, b);
}

/* An eighth at once, so that the sorting is seldom. */
static void leave_out(struct session_list *l)
{
	size_t keep = SESSION_LIST_MAX - SESSION_LIST_MAX / 8;

	qsort(l->list, l->n, sizeof(struct session_row *), compare_worth);
	for (size_t i = keep; i < l->n; i++) {
		tdelete(l->list[i], &l->by_key, compare_key);
		row_free(l->list[i]);
	}
	l->left_out += l->n - keep;
	l->n = keep;
}

struct session_list *session_list_new(void)
{
	return calloc(1, sizeof(struct session_list));
}

static void keep_row(void *row)
{
	(void)row;
}

void session_list_free(struct session_list *l)
{
	if (!l)
		return;
	tdestroy(l->by_key, keep_row);
	for (size_t i = 0; i < l->n; i++)
		row_free(l->list[i]);
	free(l->list);
	free(l);
}

static struct session_row *row_new(history_field *field, void *entry, uint64_t time_ns)
{
	bool replay = field(entry, "TOCSIN_REPLAY").len > 0;
	_cleanup_(cleanup_row) struct session_row *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->id = str_dup(field(entry, "TOCSIN_SESSION"));
	s->engine = str_dup(field(entry, "TOCSIN_ENGINE"));
	s->process = str_dup(replay ? field(entry, "_PID") : STR(""));
	s->status = str_dup(STR("started"));
	s->metadata = json_object();
	s->started_known = time_from_rfc3339(field(entry, "TOCSIN_STARTED"), &s->started_ns) == 0;
	if (!s->started_known)
		s->started_ns = time_ns;
	return s->id && s->engine && s->process && s->status && s->metadata ? TAKE(s) : NULL;
}

static int make_room(struct session_list *l)
{
	size_t size = l->size ? l->size * 2 : 64;
	struct session_row **list;

	if (l->n < l->size)
		return 0;
	list = reallocarray(l->list, size, sizeof(struct session_row *));
	if (!list)
		return -ENOMEM;
	l->list = list;
	l->size = size;
	return 0;
}

static int find_or_add(struct session_list *l, history_field *field, void *entry, uint64_t time_ns,
		       struct session_row **ret)
{
	_cleanup_(cleanup_row) struct session_row *new = row_new(field, entry, time_ns);
	struct session_row **found = new ? tfind(new, &l->by_key, compare_key) : NULL;

	if (!new)
		return -ENOMEM;
	if (found) {
		*ret = *found;
		return 0;
	}
	if (l->n == SESSION_LIST_MAX)
		leave_out(l);
	if (make_room(l) < 0 || !tsearch(new, &l->by_key, compare_key))
		return -ENOMEM;
	new->order = l->told++;
	*ret = l->list[l->n++] = TAKE(new);
	return 0;
}

int session_list_add(struct session_list *l, history_field *field, void *entry, uint64_t time_ns)
{
	tocsin_str status = field(entry, "TOCSIN_STATUS");
	tocsin_str metadata = field(entry, "TOCSIN_METADATA");
	struct session_row *s;

	if (field(entry, "TOCSIN_SESSION").len == 0)
		return 0;
	if (find_or_add(l, field, entry, time_ns, &s) < 0)
		return -ENOMEM;
	if (time_ns > s->updated_ns)
		s->updated_ns = time_ns;
	if (metadata.len > 0) {
		json_t *more = json_loadb(metadata.ptr, metadata.len, JSON_ALLOW_NUL, NULL);

		if (json_is_object(more))
			json_object_update(s->metadata, more);
		json_decref(more);
	}
	if (status.len > 0) {
		char *copy = str_dup(status);

		if (!copy)
			return -ENOMEM;
		free(s->status);
		s->status = copy;
	}
	return 0;
}

size_t session_list_sorted(struct session_list *l, struct session_row *const **ret)
{
	if (l->n > 0)
		qsort(l->list, l->n, sizeof(struct session_row *), compare_newest);
	*ret = l->list;
	return l->n;
}

size_t session_list_running(const struct session_list *l)
{
	size_t running = 0;

	for (size_t i = 0; i < l->n; i++)
		running += session_row_runs(l->list[i]);
	return running;
}

uint64_t session_list_left_out(const struct session_list *l)
{
	return l->left_out;
}

int session_list_read(struct session_list *l, struct journal_query *j, const char *engine,
		      const char *id)
{
	int r = journal_query_match(j, "TOCSIN_EVENT", "session");

	if (r >= 0 && engine)
		r = journal_query_match(j, "TOCSIN_ENGINE", engine);
	if (r >= 0 && id)
		r = journal_query_match(j, "TOCSIN_SESSION", id);
	while (r >= 0 && (r = journal_query_next(j)) > 0)
		r = session_list_add(l, journal_query_field, j, journal_query_time(j));
	return r;
}

const struct session_row *session_list_choose(struct session_list *l, uint64_t until_ns,
					      size_t *ret_others)
{
	struct session_row *const *list;
	size_t n = session_list_sorted(l, &list);

	uint64_t next_ns = UINT64_MAX;

	for (size_t i = 0; i < n; i++) {
		if (list[i]->started_ns <= until_ns) {
			list[i]->next_started_ns = next_ns;
			*ret_others = n - 1;
			return list[i];
		}
		next_ns = list[i]->started_ns;
	}
	return NULL;
}

bool session_row_runs(const struct session_row *s)
{
	return strcmp(s->status, "started") == 0 || strcmp(s->status, "running") == 0;
}

bool session_row_has(const struct session_row *s, history_field *field, void *entry,
		     uint64_t time_ns)
{
	uint64_t started;

	if (s->process[0] && !str_is(field(entry, "_PID"), s->process))
		return false;
	if (time_from_rfc3339(field(entry, "TOCSIN_STARTED"), &started) == 0)
		return started == s->started_ns;
	return time_ns >= s->started_ns && time_ns < s->next_started_ns;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/history.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"

struct history {
	void *by_id; /* a tree of incidents */
	struct history_incident **list;
	size_t n, size;
	uint64_t left_out, open[4]; /* open: by priority */
	history_wanted *wanted;     /* NULL: all are */
	const void *wanted_userdata;
};

static int compare_id(const void *a, const void *b)
{
	const struct history_incident *x = a, *y = b;

	return strcmp(x->alert_id, y->alert_id);
}

static int compare_time(const void *a, const void *b)
{
	const struct history_incident *x = *(struct history_incident *const *)a;
	const struct history_incident *y = *(struct history_incident *const *)b;
	uint64_t x_ns = x->raised_ns ? x->raised_ns : x->changed_ns;
	uint64_t y_ns = y->raised_ns ? y->raised_ns : y->changed_ns;

	if (x_ns != y_ns)
		return x_ns < y_ns ? -1 : 1;
	return strcmp(x->alert_id, y->alert_id);
}

/* What is to be kept comes first. */
static int compare_worth(const void *a, const void *b, void *history)
{
	const struct history_incident *x = *(struct history_incident *const *)a;
	const struct history_incident *y = *(struct history_incident *const *)b;
	const struct history *h = history;
	bool x_wanted = !h->wanted || h->wanted(h->wanted_userdata, x);
	bool y_wanted = !h->wanted || h->wanted(h->wanted_userdata, y);

	if (x_wanted != y_wanted)
		return x_wanted ? -1 : 1;
	if (x->firing != y->firing)
		return x->firing ? -1 : 1;
	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return compare_time(b, a);
}

struct history *history_new(void)
{
	return calloc(1, sizeof(struct history));
}

static void incident_free(struct history_incident *i)
{
	if (!i)
		return;
	free(i->alert_id);
	free(i->code);
	free(i->engine);
	free(i->session);
	free(i->source);
	free(i->instance);
	free(i->message);
	free(i->resolution);
	free(i->runbook);
	free(i->raw_code);
	free(i->value);
	free(i->limit);
	json_decref(i->metadata);
	free(i);
}

static void keep_incident(void *incident)
{
	(void)incident;
}

void history_free(struct history *h)
{
	if (!h)
		return;
	tdestroy(h->by_id, keep_incident);
	for (size_t i = 0; i < h->n; i++)
		incident_free(h->list[i]);
	free(h->list);
	free(h);
}

void history_prefer(struct history *h, history_wanted *wanted, const void *userdata)
{
	h->wanted = wanted;
	h->wanted_userdata = userdata;
}

/* An eighth at once, so that the sorting is seldom. */
static void leave_out(struct history *h)
{
	size_t keep = HISTORY_MAX - HISTORY_MAX / 8;

	qsort_r(h->list, h->n, sizeof(struct history_incident *), compare_worth, h);
	for (size_t i = keep; i < h->n; i++) {
		tdelete(h->list[i], &h->by_id, compare_id);
		incident_free(h->list[i]);
	}
	h->left_out += h->n - keep;
	h->n = keep;
}

unsigned history_priority(tocsin_str text)
{
	if (text.len == 2 && (text.ptr[0] == 'P' || text.ptr[0] == 'p'))
		text = (tocsin_str){ text.ptr + 1, 1 };
	if (text.len != 1 || text.ptr[0] < '1' || text.ptr[0] > '3')
		return 0;
	return (unsigned)(text.ptr[0] - '0');
}

static uint64_t number_of(tocsin_str text)
{
	uint64_t value = 0;

	for (size_t i = 0; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
		value = value * 10 + (uint64_t)(text.ptr[i] - '0');
	return value;
}

tocsin_str history_bare_message(tocsin_str message, tocsin_str code)
{
	tocsin_str rest = message;

	if (rest.len < code.len + 7 || rest.ptr[0] != '[' || memcmp(rest.ptr + 3, "] ", 2) != 0 ||
	    memcmp(rest.ptr + 5, code.ptr, code.len) != 0)
		return message;
	rest.ptr += 5 + code.len;
	rest.len -= 5 + code.len;
	if (memcmp(rest.ptr, ": ", 2) != 0)
		return message;
	return (tocsin_str){ rest.ptr + 2, rest.len - 2 };
}

/* Replaces a text; an absent one keeps what there is. */
static int set_text(char **text, tocsin_str value)
{
	char *copy;

	if (*text && value.len == 0)
		return 0;
	copy = str_dup(value);
	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

static int set_identity(struct history_incident *i, history_field *field, void *entry)
{
	const struct {
		char **text;
		const char *name;
	} texts[] = {
		{ &i->code, "TOCSIN_CODE" },
		{ &i->engine, "TOCSIN_ENGINE" },
		{ &i->session, "TOCSIN_SESSION" },
		{ &i->source, "TOCSIN_SOURCE" },
		{ &i->runbook, "DOCUMENTATION" },
		{ &i->instance, "TOCSIN_INSTANCE" },
		{ &i->raw_code, "TOCSIN_RAW_CODE" },
		{ &i->value, "TOCSIN_VALUE" },
		{ &i->limit, "TOCSIN_LIMIT" },
		{ &i->message, "" },
		{ &i->resolution, "" },
	};

	for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
		tocsin_str value = texts[t].name[0] ? field(entry, texts[t].name) : STR("");

		if (set_text(texts[t].text, value) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int find_or_add(struct history *h, tocsin_str id, struct history_incident **ret)
{
	struct history_incident *new = calloc(1, sizeof(*new)), **found;

	if (!new || !(new->alert_id = str_dup(id))) {
		free(new);
		return -ENOMEM;
	}
	found = tfind(new, &h->by_id, compare_id);
	if (found) {
		incident_free(new);
		*ret = *found;
		return 0;
	}
	if (h->n == HISTORY_MAX)
		leave_out(h);
	if (h->n == h->size) {
		size_t size = h->size ? h->size * 2 : 64;
		struct history_incident **list =
			reallocarray(h->list, size, sizeof(struct history_incident *));

		if (!list) {
			incident_free(new);
			return -ENOMEM;
		}
		h->list = list;
		h->size = size;
	}
	if (!tsearch(new, &h->by_id, compare_id)) {
		incident_free(new);
		return -ENOMEM;
	}
	h->list[h->n++] = new;
	*ret = new;
	return 0;
}

static void set_metadata(struct history_incident *i, tocsin_str text)
{
	json_t *metadata = NULL;

	if (text.len > 0)
		metadata = json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, NULL);
	if (!json_is_object(metadata)) {
		json_decref(metadata);
		return;
	}
	json_decref(i->metadata);
	i->metadata = metadata;
}

tocsin_str history_resolution_text(tocsin_str message)
{
	static const char after[] = " resolved after ";
	const char *at =
		message.len > 0 ? memmem(message.ptr, message.len, after, sizeof(after) - 1) : NULL;
	const char *colon =
		at ? memmem(at, message.len - (size_t)(at - message.ptr), ": ", 2) : NULL;

	if (!colon)
		return (tocsin_str){ 0 };
	return (tocsin_str){ colon + 2, message.len - (size_t)(colon + 2 - message.ptr) };
}

static int fold(struct history_incident *i, history_field *field, void *entry, uint64_t time_ns)
{
	unsigned priority = history_priority(field(entry, "TOCSIN_PRIORITY"));
	unsigned worst = history_priority(field(entry, "TOCSIN_WORST"));
	uint64_t number = number_of(field(entry, "TOCSIN_NUMBER"));
	uint64_t count = number_of(field(entry, "TOCSIN_COUNT"));

	if (set_identity(i, field, entry) < 0)
		return -ENOMEM;
	bool resolved = str_is(field(entry, "TOCSIN_STATE"), "resolved");

	if (priority && (i->priority == 0 || !resolved))
		i->priority = priority;
	/* The entry's own word counts too: the journal may have forgotten the raise. */
	if (!worst || (priority && priority < worst))
		worst = priority;
	if (worst && (i->worst == 0 || worst < i->worst))
		i->worst = worst;
	if (count > i->count)
		i->count = count;
	if (number > i->number)
		i->number = number;
	if (time_ns > i->changed_ns)
		i->changed_ns = time_ns;
	i->replay = i->replay || field(entry, "TOCSIN_REPLAY").len > 0;
	if (resolved) {
		i->resolved_ns = time_ns;
		i->firing = false;
		if (i->message[0]) {
			tocsin_str text = history_resolution_text(field(entry, "MESSAGE"));

			/* A resolution that says nothing of its own repeats the raise's message. */
			return str_is(text, i->message) ? 0 : set_text(&i->resolution, text);
		}
	} else {
		/* An id never fires again once it is resolved. */
		i->firing = i->resolved_ns == 0;
		if (i->raised_ns == 0 || time_ns < i->raised_ns)
			i->raised_ns = time_ns;
		if (time_ns > i->last_raised_ns)
			i->last_raised_ns = time_ns;
		set_metadata(i, field(entry, "TOCSIN_METADATA"));
	}
	return set_text(&i->message, history_bare_message(field(entry, "MESSAGE"), str(i->code)));
}

int history_add(struct history *h, history_field *field, void *entry, uint64_t time_ns)
{
	tocsin_str id = field(entry, "TOCSIN_ALERT_ID");
	struct history_incident *i;
	int r;

	if (id.len == 0)
		return 0;
	r = find_or_add(h, id, &i);
	if (r < 0)
		return r;
	if (i->firing)
		h->open[i->priority]--;
	r = fold(i, field, entry, time_ns);
	if (i->firing)
		h->open[i->priority]++;
	return r;
}

size_t history_sorted(struct history *h, struct history_incident *const **ret)
{
	if (h->n > 0)
		qsort(h->list, h->n, sizeof(struct history_incident *), compare_time);
	*ret = h->list;
	return h->n;
}

uint64_t history_left_out(const struct history *h)
{
	return h->left_out;
}

uint64_t history_open(const struct history *h, unsigned priority)
{
	return priority < 4 ? h->open[priority] : 0;
}

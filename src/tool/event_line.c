/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/event_line.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "tool/json_line.h"

enum member {
	MEMBER_AT,
	MEMBER_SESSION,
	MEMBER_HEALTH,
	MEMBER_ALERT,
	MEMBER_SESSION_ID,
	MEMBER_STATUS,
	MEMBER_SOURCE,
	MEMBER_VALUE,
	MEMBER_LIMIT,
	MEMBER_CODE,
	MEMBER_PRIORITY,
	MEMBER_MESSAGE,
	MEMBER_INSTANCE,
	MEMBER_META,
};
#define MEMBERS 14

#define IN_SESSION (1u << EVENT_LINE_SESSION)
#define IN_HEALTH (1u << EVENT_LINE_HEALTH)
#define IN_ALERT (1u << EVENT_LINE_ALERT)
#define IN_ALL (IN_SESSION | IN_HEALTH | IN_ALERT)

static const struct {
	const char *name;
	unsigned families; /* which events may have it */
} member_table[MEMBERS] = {
	[MEMBER_AT] = { "at", IN_ALL },
	[MEMBER_SESSION] = { "session", IN_SESSION },
	[MEMBER_HEALTH] = { "health", IN_HEALTH },
	[MEMBER_ALERT] = { "alert", IN_ALERT },
	[MEMBER_SESSION_ID] = { "session_id", IN_ALL },
	[MEMBER_STATUS] = { "status", IN_SESSION },
	[MEMBER_SOURCE] = { "source", IN_HEALTH },
	[MEMBER_VALUE] = { "value", IN_HEALTH },
	[MEMBER_LIMIT] = { "limit", IN_HEALTH },
	[MEMBER_CODE] = { "code", IN_ALERT },
	[MEMBER_PRIORITY] = { "priority", IN_ALERT },
	[MEMBER_MESSAGE] = { "message", IN_ALERT },
	[MEMBER_INSTANCE] = { "instance", IN_ALERT },
	[MEMBER_META] = { "meta", IN_ALL },
};

static const struct kind {
	enum event_line_family family;
	const char *name;
	uint32_t kind;
} kind_table[] = {
	{ EVENT_LINE_HEALTH, "feed_pulse", TOCSIN_HEALTH_FEED_PULSE },
	{ EVENT_LINE_HEALTH, "heartbeat", TOCSIN_HEALTH_HEARTBEAT },
	{ EVENT_LINE_HEALTH, "start", TOCSIN_HEALTH_START },
	{ EVENT_LINE_HEALTH, "feed_up", TOCSIN_HEALTH_FEED_UP },
	{ EVENT_LINE_HEALTH, "feed_down", TOCSIN_HEALTH_FEED_DOWN },
	{ EVENT_LINE_HEALTH, "feed_reconnect", TOCSIN_HEALTH_FEED_RECONNECT },
	{ EVENT_LINE_HEALTH, "drift", TOCSIN_HEALTH_DRIFT },
	{ EVENT_LINE_HEALTH, "risk", TOCSIN_HEALTH_RISK },
	{ EVENT_LINE_HEALTH, "execution_error", TOCSIN_HEALTH_EXECUTION_ERROR },
	{ EVENT_LINE_HEALTH, "metadata", TOCSIN_HEALTH_METADATA },
	{ EVENT_LINE_SESSION, "created", TOCSIN_SESSION_CREATED },
	{ EVENT_LINE_SESSION, "status", TOCSIN_SESSION_STATUS },
	{ EVENT_LINE_ALERT, "raise", TOCSIN_ALERT_RAISE },
	{ EVENT_LINE_ALERT, "clear", TOCSIN_ALERT_CLEAR },
};
#define KINDS (sizeof(kind_table) / sizeof(kind_table[0]))

const char *event_line_kind(enum event_line_family family, uint32_t kind, const char **ret_member)
{
	for (size_t i = 0; i < KINDS; i++) {
		if (kind_table[i].family != family || kind_table[i].kind != kind)
			continue;
		*ret_member = member_table[MEMBER_SESSION + family].name;
		return kind_table[i].name;
	}
	return NULL;
}

/* What the members of one line say. */
struct members {
	unsigned present; /* bit per enum member */
	size_t column[MEMBERS];
	tocsin_str text[MEMBERS];
	const struct kind *kind;
	uint32_t priority;
	double value, limit;
	size_t n_kv;
};

static bool has(const struct members *m, enum member member)
{
	return m->present & 1u << member;
}

_printf_(3, 4) static int fail(struct event_line *e, size_t column, const char *format, ...)
{
	va_list ap;

	e->error_column = column;
	va_start(ap, format);
	vsnprintf(e->error, sizeof(e->error), format, ap);
	va_end(ap);
	return -EINVAL;
}

static int fail_json(struct event_line *e, const struct json_line *j)
{
	return fail(e, j->error_column, "expected %s", j->expected);
}

/* Fails with what was found instead, made fit for one line and cut. */
static int fail_found(struct event_line *e, size_t column, const char *expected, tocsin_str found)
{
	_cleanup_free_ char *shown = text_to_line(text_cut(found, 40));

	return fail(e, column, "expected %s, found \"%s\"%s", expected, shown ? shown : "?",
		    found.len > 40 ? "..." : "");
}

static int find_member(tocsin_str name)
{
	for (int i = 0; i < MEMBERS; i++)
		if (str_is(name, member_table[i].name))
			return i;
	return -1;
}

/* The name nearest to `given` of those at most two edits away, or NULL. */
static const char *nearest(tocsin_str given, const char *best, const char *candidate,
			   unsigned *distance)
{
	_cleanup_free_ char *text = str_dup(given);
	unsigned d = text ? text_distance(text, candidate, 3) : 3;

	if (d >= *distance)
		return best;
	*distance = d;
	return candidate;
}

static int fail_unknown_member(struct event_line *e, size_t column, tocsin_str name)
{
	const char *near = "one of at, session, health, alert, session_id, status, source, value, "
			   "limit, code, priority, message, instance, meta";
	_cleanup_free_ char *shown = text_to_line(text_cut(name, 40));
	unsigned distance = 3;

	for (int i = 0; i < MEMBERS; i++)
		near = nearest(text_cut(name, 40), near, member_table[i].name, &distance);
	return fail(e, column, "unknown member \"%s\": expected %s", shown ? shown : "?", near);
}

/*
 * Seconds with a fraction, taken from the text itself: a double holds no more than about a
 * microsecond of today's dates, and its noise would show in every entry.
 */
static bool seconds_to_ns(tocsin_str s, uint64_t *ret)
{
	uint64_t seconds = 0, ns = 0, unit = NS_PER_S / 10;
	size_t i = 0;

	for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++) {
		seconds = seconds * 10 + (uint64_t)(s.ptr[i] - '0');
		if (seconds >= UINT64_MAX / NS_PER_S)
			return false;
	}
	if (i < s.len && s.ptr[i] == '.')
		for (i++; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++, unit /= 10)
			ns += unit * (uint64_t)(s.ptr[i] - '0');
	if (i < s.len) /* a sign or an exponent */
		return false;
	ns += seconds * NS_PER_S;
	if (ns == 0)
		return false;
	*ret = ns;
	return true;
}

static int read_at(struct event_line *e, const struct json_line_value *v)
{
	if (v->type == JSON_LINE_NUMBER && seconds_to_ns(v->text, &e->wall_ns))
		return 0;
	if (v->type == JSON_LINE_STRING && time_from_rfc3339(v->text, &e->wall_ns) == 0)
		return 0;
	return fail_found(e, v->column,
			  "a time: seconds since 1970 such as 1785750996.58, or RFC 3339 such as "
			  "\"2026-08-03T09:56:36.58Z\"",
			  v->text);
}

static int fail_unknown_kind(struct event_line *e, enum event_line_family family,
			     const struct json_line_value *v)
{
	static const char *const expected[] = {
		[EVENT_LINE_SESSION] = "created or status",
		[EVENT_LINE_HEALTH] = ("start, heartbeat, feed_up, feed_down, feed_reconnect, "
				       "feed_pulse, drift, risk, execution_error or metadata"),
		[EVENT_LINE_ALERT] = "raise or clear",
	};
	const char *near = expected[family];
	unsigned distance = 3;

	for (size_t i = 0; i < KINDS; i++)
		if (kind_table[i].family == family)
			near = nearest(text_cut(v->text, 40), near, kind_table[i].name, &distance);
	return fail_found(e, v->column, near, v->text);
}

static int read_kind(struct event_line *e, struct members *m, enum event_line_family family,
		     const struct json_line_value *v)
{
	if (m->kind)
		return fail(e, m->column[MEMBER_SESSION + family],
			    "expected one of session, health and alert in an event, found two");
	for (size_t i = 0; i < KINDS && v->type == JSON_LINE_STRING; i++) {
		if (kind_table[i].family == family && str_is(v->text, kind_table[i].name)) {
			m->kind = &kind_table[i];
			e->family = family;
			return 0;
		}
	}
	return fail_unknown_kind(e, family, v);
}

static int read_figure(struct event_line *e, const struct json_line_value *v, double *ret)
{
	if (v->type == JSON_LINE_NULL) {
		*ret = NAN;
		return 0;
	}
	if (v->type != JSON_LINE_NUMBER)
		return fail_found(e, v->column, "a number, or null for one that is none", v->text);
	/* What follows a number on its line is never part of one, so strtod stops there. */
	*ret = strtod(v->text.ptr, NULL);
	return 0;
}

static int read_priority(struct event_line *e, const struct json_line_value *v, uint32_t *ret)
{
	tocsin_str s = v->text;

	if (v->type == JSON_LINE_STRING && s.len == 2 && s.ptr[0] == 'P')
		s = (tocsin_str){ s.ptr + 1, 1 };
	else if (v->type != JSON_LINE_NUMBER)
		s.len = 0;
	if (s.len != 1 || s.ptr[0] < '1' || s.ptr[0] > '3')
		return fail_found(e, v->column, "\"P1\", \"P2\" or \"P3\"", v->text);
	*ret = (uint32_t)(s.ptr[0] - '0');
	return 0;
}

static int read_meta(struct event_line *e, struct members *m, struct json_line *j,
		     const struct json_line_value *object)
{
	struct json_line_value v;
	tocsin_str name;
	int r;

	if (object->type != JSON_LINE_OBJECT)
		return fail_found(e, object->column, "an object of scalars", object->text);
	r = json_line_open(j);
	if (r < 0)
		return fail_json(e, j);
	while ((r = json_line_member(j, &name, &v)) > 0) {
		if (v.type == JSON_LINE_OBJECT || v.type == JSON_LINE_ARRAY)
			return fail(e, v.column,
				    "expected a string, a number, true, false or null in meta: "
				    "values do not nest");
		if (m->n_kv == EVENT_LINE_KV_MAX)
			return fail(e, j->member_column, "expected at most %d members in meta",
				    EVENT_LINE_KV_MAX);
		if (v.type == JSON_LINE_NULL)
			v.text.len = 0;
		e->kv[m->n_kv++] = (tocsin_kv){ name, v.text };
	}
	return r < 0 ? fail_json(e, j) : 0;
}

static int read_member(struct event_line *e, struct members *m, struct json_line *j,
		       enum member member, const struct json_line_value *v)
{
	if (member == MEMBER_AT)
		return read_at(e, v);
	if (member == MEMBER_SESSION || member == MEMBER_HEALTH || member == MEMBER_ALERT)
		return read_kind(e, m, (enum event_line_family)(member - MEMBER_SESSION), v);
	if (member == MEMBER_VALUE || member == MEMBER_LIMIT)
		return read_figure(e, v, member == MEMBER_VALUE ? &m->value : &m->limit);
	if (member == MEMBER_PRIORITY)
		return read_priority(e, v, &m->priority);
	if (member == MEMBER_META)
		return read_meta(e, m, j, v);
	if (v->type != JSON_LINE_STRING)
		return fail_found(e, v->column, "a string", v->text);
	m->text[member] = v->text;
	return 0;
}

static int read_members(struct event_line *e, struct members *m, struct json_line *j)
{
	struct json_line_value v;
	tocsin_str name;
	int r;

	r = json_line_open(j);
	if (r < 0)
		return fail_json(e, j);
	while ((r = json_line_member(j, &name, &v)) > 0) {
		size_t column = j->member_column;
		int member = find_member(name);

		if (member < 0)
			return fail_unknown_member(e, column, name);
		if (has(m, (enum member)member))
			return fail(e, column, "expected \"%s\" once, found it twice",
				    member_table[member].name);
		m->present |= 1u << member;
		m->column[member] = column;
		r = read_member(e, m, j, (enum member)member, &v);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = json_line_end(j);
	return r < 0 ? fail_json(e, j) : 0;
}

/* Is everything there that this kind needs, and nothing that it cannot have? */
static int check_members(struct event_line *e, const struct members *m, size_t end)
{
	if (!has(m, MEMBER_AT))
		return fail(e, end, "expected \"at\", the event's time");
	if (!m->kind)
		return fail(e, end, "expected one of \"session\", \"health\" and \"alert\"");
	for (int i = 0; i < MEMBERS; i++)
		if (has(m, (enum member)i) && !(member_table[i].families & 1u << e->family))
			return fail(e, m->column[i], "expected no \"%s\" in this kind of event",
				    member_table[i].name);
	if (e->family == EVENT_LINE_SESSION && m->text[MEMBER_SESSION_ID].len == 0)
		return fail(e, has(m, MEMBER_SESSION_ID) ? m->column[MEMBER_SESSION_ID] : end,
			    "expected a \"session_id\" that is not empty");
	if (e->family == EVENT_LINE_HEALTH && m->kind->kind == TOCSIN_HEALTH_RISK &&
	    !(has(m, MEMBER_VALUE) && has(m, MEMBER_LIMIT)))
		return fail(e, end, "expected \"value\" and \"limit\" with a risk");
	return 0;
}

static void make_event(struct event_line *e, const struct members *m)
{
	static const uint32_t sizes[] = { sizeof(e->session), sizeof(e->health), sizeof(e->alert) };

	assert(m->kind);
	tocsin_event head = { sizes[e->family], m->kind->kind, e->wall_ns };
	bool no_figure = m->kind->kind == TOCSIN_HEALTH_DRIFT && !has(m, MEMBER_VALUE);
	double limit = no_figure ? NAN : m->limit;
	const tocsin_str *t = m->text;
	tocsin_str id = t[MEMBER_SESSION_ID];

	if (e->family == EVENT_LINE_SESSION)
		e->session = (tocsin_session_event){ head, id, t[MEMBER_STATUS], e->kv, m->n_kv };
	else if (e->family == EVENT_LINE_HEALTH)
		e->health = (tocsin_health_event){ head,  t[MEMBER_SOURCE], id, m->value, limit,
						   e->kv, m->n_kv };
	else
		e->alert = (tocsin_alert_event){ .head = head,
						 .priority = m->priority,
						 .code = t[MEMBER_CODE],
						 .message = t[MEMBER_MESSAGE],
						 .session_id = id,
						 .instance = t[MEMBER_INSTANCE],
						 .kv = e->kv,
						 .n_kv = m->n_kv };
}

static bool is_blank(const char *line, size_t len)
{
	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r'))
		len--;
	return len == 0;
}

int event_line_read(struct event_line *e, char *line, size_t len)
{
	struct members m = { 0 };
	struct json_line j;
	int r;

	if (is_blank(line, len))
		return 0;
	json_line_begin(&j, line, len);
	r = read_members(e, &m, &j);
	if (r == 0)
		r = check_members(e, &m, len + 1);
	if (r < 0)
		return r;
	make_event(e, &m);
	return 1;
}

/* SPDX-License-Identifier: MIT */
/*
 * Events as lines: one JSON object a line becomes one call of the plugin.
 *
 *	{"at":1785750996.58,"session":"created","session_id":"shadow_001","meta":{"mode":"shadow"}}
 *	{"at":"2026-08-03T09:56:37Z","health":"feed_pulse","source":"okx:ETH-USD"}
 *	{"at":1785751000,"alert":"raise","code":"DATA_FEED_DOWN","message":"...","instance":"a"}
 *
 * `at` is seconds since the epoch, exact to the nanosecond as written, or RFC 3339. Exactly one of
 * session, health and alert says what it is. Unknown and doubled members are refused. Scalars in
 * `meta` become text as they were written, null becomes empty; nesting is refused. A `value` or
 * `limit` of null is not a number; a drift without `value` is a report without a figure.
 */
#ifndef TOCSIN_TOOL_EVENT_LINE_H
#define TOCSIN_TOOL_EVENT_LINE_H

#include "tocsin_plugin.h"

/* Bytes of a line at most, its end excluded. */
#define EVENT_LINE_MAX (1024u * 1024)
/* Key-values of one event at most; the plugin keeps fewer. */
#define EVENT_LINE_KV_MAX 256

enum event_line_family { EVENT_LINE_SESSION, EVENT_LINE_HEALTH, EVENT_LINE_ALERT };
#define EVENT_LINE_FAMILIES 3

/* A reader of lines, to be used again and again. */
struct event_line {
	/* The last line's event; undefined after a failure. Views point into the line. */
	enum event_line_family family;
	uint64_t wall_ns;
	union {
		tocsin_session_event session;
		tocsin_health_event health;
		tocsin_alert_event alert;
	};
	tocsin_kv kv[EVENT_LINE_KV_MAX];
	/* What was wrong with the last line: column from 1, one clean line of text. */
	size_t error_column;
	char error[320];
};

/* Decodes the line in place; line[len] is readable, its line end or a NUL. 1: an event; 0: a blank
 * line; -EINVAL: see error. */
int event_line_read(struct event_line *e, char *line, size_t len);

/* How a kind is written, and in which member; static. NULL: there is no such kind. */
const char *event_line_kind(enum event_line_family family, uint32_t kind, const char **ret_member);

#endif

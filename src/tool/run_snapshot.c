/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/run_snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "journal/entry_fields.h"
#include "picture/alerts.h"
#include "tool/incident_view.h"
#include "tool/session_list.h"

DEFINE_CLEANUP(json_t *, json_decref, cleanup_json)

/* Members that had no memory are missing: `ok` is then false. */
static bool add(json_t *object, const char *name, json_t *value)
{
	return json_object_set_new(object, name, value) == 0;
}

static bool count_status(json_t *by_status, const char *status)
{
	_cleanup_(cleanup_json) json_t *word = view_text(status);
	const char *name = json_is_string(word) ? json_string_value(word) : "";
	json_int_t n = json_integer_value(json_object_get(by_status, name));

	return add(by_status, name, json_integer(n + 1));
}

static json_t *registry(struct session_list *l)
{
	_cleanup_(cleanup_json) json_t *sessions = json_array();
	_cleanup_(cleanup_json) json_t *by_status = json_pack(
		"{s:i, s:i, s:i, s:i}", "started", 0, "running", 0, "completed", 0, "failed", 0);
	struct session_row *const *rows;
	size_t n = session_list_sorted(l, &rows);

	for (size_t i = 0; i < n; i++) {
		json_t *row = session_view_object(rows[i]);

		json_object_del(row, "engine");
		if (json_array_append_new(sessions, row) < 0 ||
		    !count_status(by_status, rows[i]->status))
			return NULL;
	}
	return json_pack("{s:{s:I, s:O}, s:O}", "summary", "total_sessions", (json_int_t)n,
			 "by_status", by_status, "sessions", sessions);
}

static json_t *status_of(const struct run_picture *p, uint64_t now_ns)
{
	json_t *uptime = json_null();

	if (p->state == RUN_RUNNING && now_ns > p->started_ns)
		uptime = view_seconds(now_ns - p->started_ns);
	return json_pack("{s:o, s:n, s:n, s:n, s:n, s:{}, s:[]}", "system_uptime_s", uptime,
			 "data_feed_uptime_s", "last_reconnect_ts", "last_drift_report_ts",
			 "last_heartbeat_ts", "metadata", "feeds");
}

/* As snapshot.c has it: `timestamp` of the raise, and when it was opened and resolved. */
static json_t *incident(const struct history_incident *i)
{
	_cleanup_(cleanup_json) json_t *o = incident_view_object(i);

	if (!o || !add(o, "timestamp", view_time(i->last_raised_ns)) ||
	    !add(o, "opened_at", view_time(i->raised_ns)))
		return NULL;
	json_object_del(o, "raised_at");
	json_object_del(o, "engine");
	json_object_del(o, "replay");
	return TAKE(o);
}

static json_t *alerts(struct history *h, uint64_t now_ns)
{
	_cleanup_(cleanup_json) json_t *recent = json_array();
	struct history_incident *const *list;
	size_t n = history_sorted(h, &list), open = 0;
	uint64_t raised[4] = { 0 };

	/* The newest first. */
	for (size_t i = n; i-- > 0;) {
		raised[list[i]->priority] += list[i]->count;
		open += list[i]->firing;
		if (!list[i]->firing && list[i]->resolved_ns + ALERTS_RECENT_NS < now_ns)
			continue;
		if (json_array_append_new(recent, incident(list[i])) < 0)
			return NULL;
	}
	return json_pack("{s:{s:I, s:I, s:I}, s:I, s:O}", "by_priority", "P1",
			 (json_int_t)raised[1], "P2", (json_int_t)raised[2], "P3",
			 (json_int_t)raised[3], "open", (json_int_t)open, "recent", recent);
}

json_t *run_snapshot(struct run_picture *p, uint64_t now_ns)
{
	/* A replay's own time is that of its events. */
	uint64_t recent_ns = p->replay ? p->last_event_ns : now_ns;

	return json_pack("{s:o, s:o, s:s, s:s, s:o, s:o, s:b, s:o, s:o, s:o}", "timestamp",
			 view_time(now_ns), "engine", view_text(p->engine), "source", "journal",
			 "state", run_state_name(p->state), "started_at", view_time(p->started_ns),
			 "last_event_at", view_time(p->last_event_ns), "replay", p->replay,
			 "registry", registry(p->sessions), "status", status_of(p, now_ns),
			 "alerts", alerts(p->history, recent_ns));
}

/* A member of a snapshot seen as an entry of the log. */
struct member {
	json_t *object;
	const char *engine;
	const char *state; /* of an incident, as it is to be folded now */
	char number[DOUBLE_TEXT_SIZE];
	char process[24]; /* of a replay; else "" */
	char *metadata;
};

static tocsin_str text_of(const json_t *value)
{
	return json_is_string(value)
		       ? (tocsin_str){ json_string_value(value), json_string_length(value) }
		       : (tocsin_str){ 0 };
}

static tocsin_str member_field(void *entry, const char *name)
{
	enum { FIGURES = 4 }; /* the first ones are numbers */
	static const char *const members[][2] = {
		{ "TOCSIN_NUMBER", "number" },      { "TOCSIN_COUNT", "count" },
		{ "TOCSIN_VALUE", "value" },        { "TOCSIN_LIMIT", "limit" },
		{ "TOCSIN_SESSION", "session_id" }, { "TOCSIN_STATUS", "status" },
		{ "TOCSIN_STARTED", "started_at" }, { "TOCSIN_ALERT_ID", "alert_id" },
		{ "TOCSIN_PRIORITY", "priority" },  { "TOCSIN_CODE", "code" },
		{ "TOCSIN_WORST", "worst" },        { "TOCSIN_SOURCE", "source" },
		{ "TOCSIN_RAW_CODE", "raw_code" },  { "TOCSIN_INSTANCE", "instance" },
		{ "MESSAGE", "message" },           { "DOCUMENTATION", "runbook_link" },
	};
	struct member *m = entry;
	const json_t *value = NULL;
	size_t i = 0;

	if (strcmp(name, "TOCSIN_ENGINE") == 0)
		return str(m->engine);
	if (strcmp(name, "TOCSIN_STATE") == 0)
		return str(m->state);
	if (strcmp(name, "TOCSIN_METADATA") == 0)
		return str(m->metadata);
	if (strcmp(name, "TOCSIN_REPLAY") == 0)
		return str(m->process[0] ? "1" : "");
	if (strcmp(name, "_PID") == 0)
		return str(m->process);
	while (i < sizeof(members) / sizeof(members[0]) && strcmp(members[i][0], name) != 0)
		i++;
	if (i < sizeof(members) / sizeof(members[0]))
		value = json_object_get(m->object, members[i][1]);
	if (i >= FIGURES || !json_is_number(value))
		return text_of(value);
	/* Each is used before the next is asked for. */
	if (json_is_integer(value))
		snprintf(m->number, sizeof(m->number), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
	else
		double_to_text(json_real_value(value), m->number);
	return str(m->number);
}

static uint64_t time_of(const json_t *object, const char *name)
{
	uint64_t ns;

	return time_from_rfc3339(text_of(json_object_get(object, name)), &ns) == 0 ? ns : 0;
}

static int take_session(struct run_picture *p, struct member *m)
{
	uint64_t updated = time_of(m->object, "last_update");

	return session_list_add(p->sessions, member_field, m,
				updated ? updated : time_of(m->object, "started_at"));
}

static int take_incident(struct run_picture *p, struct member *m)
{
	bool resolved = str_is(text_of(json_object_get(m->object, "state")), "resolved");
	uint64_t opened = time_of(m->object, "opened_at");
	int r;

	m->state = "firing";
	r = history_add(p->history, member_field, m,
			opened ? opened : time_of(m->object, "timestamp"));
	if (r < 0 || !resolved)
		return r;
	m->state = "resolved";
	return history_add(p->history, member_field, m, time_of(m->object, "resolved_at"));
}

static int take_all(struct run_picture *p, const json_t *array,
		    int (*take)(struct run_picture *p, struct member *m))
{
	int r = 0;

	/* A snapshot has the newest first, the log the oldest. */
	for (size_t i = json_array_size(array); i-- > 0 && r >= 0;) {
		struct member m = { .object = json_array_get(array, i), .engine = p->engine };

		if (p->replay)
			snprintf(m.process, sizeof(m.process), "%" PRIu64, p->pid);
		m.metadata = json_dumps(json_object_get(m.object, "metadata"), JSON_COMPACT);
		r = take(p, &m);
		free(m.metadata);
	}
	return r;
}

/* A row of the journal's list seen as an entry. */
struct row_entry {
	const struct session_row *row;
	char started[TIME_TEXT_SIZE];
	char *metadata;
};

static tocsin_str row_field(void *entry, const char *name)
{
	const struct row_entry *e = entry;
	const struct {
		const char *name, *value;
	} fields[] = {
		{ "TOCSIN_SESSION", e->row->id },
		{ "TOCSIN_ENGINE", e->row->engine },
		{ "TOCSIN_STATUS", e->row->status },
		{ "TOCSIN_STARTED", e->row->started_known ? e->started : "" },
		{ "TOCSIN_METADATA", e->metadata },
		{ "TOCSIN_REPLAY", e->row->process[0] ? "1" : "" },
		{ "_PID", e->row->process },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strcmp(fields[i].name, name) == 0)
			return str(fields[i].value);
	return (tocsin_str){ 0 };
}

static int add_sessions(struct session_list *sessions, struct session_list *journals)
{
	struct session_row *const *rows;
	size_t n = session_list_sorted(journals, &rows);
	int r = 0;

	for (size_t i = n; i-- > 0 && r >= 0;) {
		struct row_entry e = { .row = rows[i] };

		time_to_rfc3339(rows[i]->started_ns, e.started);
		e.metadata = json_dumps(rows[i]->metadata, JSON_COMPACT);
		r = session_list_add(sessions, row_field, &e, rows[i]->updated_ns);
		free(e.metadata);
	}
	return r;
}

/* A snapshot follows within a second or so what the journal is told. */
#define LATE_NS (10 * NS_PER_S)

int run_picture_take(struct run_picture *p, json_t *snapshot)
{
	const json_t *registry_member = json_object_get(snapshot, "registry");
	const json_t *alerts_member = json_object_get(snapshot, "alerts");
	struct session_list *journals = p->sessions;
	uint64_t signed_ns = time_of(snapshot, "engine_signed_at");
	bool newer = p->last_told_ns > signed_ns;
	int r;

	/* What the engine says of itself is the whole truth, unless the journal knows newer things.
	 */
	p->sessions = session_list_new();
	if (!newer) {
		history_free(p->history);
		p->history = history_new();
	}
	if (!p->history || !p->sessions) {
		session_list_free(journals);
		return -ENOMEM;
	}
	p->snapshot = json_incref(snapshot);
	p->snapshot_ns = time_of(snapshot, "timestamp");
	p->snapshot_is_stale = signed_ns > 0 && newer && p->last_told_ns - signed_ns > LATE_NS;
	p->state = RUN_RUNNING;
	p->missing = (struct run_missing){ 0 };
	if (json_is_integer(json_object_get(snapshot, "engine_pid")))
		p->pid = (uint64_t)json_integer_value(json_object_get(snapshot, "engine_pid"));
	r = take_all(p, json_object_get(registry_member, "sessions"), take_session);
	if (r >= 0 && newer)
		r = add_sessions(p->sessions, journals);
	session_list_free(journals);
	return r < 0 ? r : take_all(p, json_object_get(alerts_member, "recent"), take_incident);
}

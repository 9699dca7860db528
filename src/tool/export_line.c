/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/export_line.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/text.h"
#include "tool/incident_view.h"

struct export_line {
	bool created; /* the session's first line was made */
	size_t converted;
	/* "KIND SOURCE" of the health events there are. */
	char *judged[EXPORT_SOURCES_MAX];
	size_t n_judged;
};

/* The rules that judge a session's health, by the last part of the alert ids they give. */
static const struct {
	const char *rule, *health;
} judges[] = {
	{ "drift-critical", "drift" },
	{ "drift-high", "drift" },
	{ "risk", "risk" },
	{ "execution", "execution_error" },
};

struct export_line *export_line_new(void)
{
	return calloc(1, sizeof(struct export_line));
}

void export_line_free(struct export_line *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n_judged; i++)
		free(l->judged[i]);
	free(l);
}

size_t export_line_converted(const struct export_line *l)
{
	return l->converted;
}

/* Of "health KIND SOURCE: ..." */
static tocsin_str health_kind(tocsin_str message)
{
	static const char prefix[] = "health ";
	tocsin_str kind = { 0 };

	if (message.len < sizeof(prefix) || memcmp(message.ptr, prefix, sizeof(prefix) - 1) != 0)
		return kind;
	kind.ptr = message.ptr + sizeof(prefix) - 1;
	while (kind.ptr + kind.len < message.ptr + message.len &&
	       !memchr(" :,", kind.ptr[kind.len], 3))
		kind.len++;
	return kind;
}

static bool is_judged(const struct export_line *l, const char *health, tocsin_str source)
{
	size_t len = strlen(health);

	for (size_t i = 0; i < l->n_judged; i++)
		if (strncmp(l->judged[i], health, len) == 0 && l->judged[i][len] == ' ' &&
		    str_is(source, l->judged[i] + len + 1))
			return true;
	return false;
}

int export_line_learn(struct export_line *l, history_field *field, void *entry)
{
	tocsin_str kind = health_kind(field(entry, "MESSAGE"));
	tocsin_str source = field(entry, "TOCSIN_SOURCE");
	_cleanup_free_ char *kind_text = NULL;
	struct text_buffer b = { 0 };

	if (!str_is(field(entry, "TOCSIN_EVENT"), "health") || kind.len == 0)
		return 0;
	kind_text = str_dup(kind);
	if (!kind_text)
		return -ENOMEM;
	if (l->n_judged == EXPORT_SOURCES_MAX || is_judged(l, kind_text, source))
		return 0;
	text_buffer_add(&b, kind);
	text_buffer_add(&b, STR(" "));
	text_buffer_add(&b, source);
	if (b.failed) {
		text_buffer_done(&b);
		return -ENOMEM;
	}
	l->judged[l->n_judged++] = b.ptr;
	return 0;
}

/* A line under way. Absent texts are left out. */
struct line {
	json_t *json;
	history_field *field;
	void *entry;
	bool failed;
};

static void set(struct line *l, const char *name, json_t *value)
{
	if (!l->json || json_object_set_new(l->json, name, value) < 0)
		l->failed = true;
}

static void set_text(struct line *l, const char *name, tocsin_str text)
{
	_cleanup_free_ char *utf8 = NULL;
	size_t len;

	if (text.len == 0)
		return;
	utf8 = text_to_utf8(text, &len);
	set(l, name, utf8 ? json_stringn(utf8, len) : NULL);
}

static void set_field(struct line *l, const char *name, const char *field)
{
	set_text(l, name, l->field(l->entry, field));
}

/* What is not finite is null, as play reads it. */
static void set_figure(struct line *l, const char *name, const char *field)
{
	tocsin_str text = l->field(l->entry, field);
	double value;

	if (text.len == 0)
		return;
	value = strtod(text.ptr, NULL);
	set(l, name, isfinite(value) ? json_real(value) : json_null());
}

static void set_metadata(struct line *l)
{
	tocsin_str text = l->field(l->entry, "TOCSIN_METADATA");
	json_t *metadata =
		text.len > 0 ? json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, NULL) : NULL;

	if (json_is_object(metadata))
		set(l, "meta", metadata);
	else
		json_decref(metadata);
}

static void make_session(struct export_line *l, struct line *line)
{
	/* An entry of its metadata alone is of less importance than one of its status. */
	bool metadata_alone = str_is(line->field(line->entry, "PRIORITY"), "6");

	set(line, "session", json_string(l->created ? "status" : "created"));
	set_field(line, "session_id", "TOCSIN_SESSION");
	if (!l->created || !metadata_alone)
		set_field(line, "status", "TOCSIN_STATUS");
	set_metadata(line);
	l->created = true;
}

static void make_health(struct line *line)
{
	set_text(line, "health", health_kind(line->field(line->entry, "MESSAGE")));
	set_field(line, "source", "TOCSIN_SOURCE");
	set_field(line, "session_id", "TOCSIN_SESSION");
	set_figure(line, "value", "TOCSIN_VALUE");
	set_figure(line, "limit", "TOCSIN_LIMIT");
	set_metadata(line);
}

/* The last part of EPOCH-POSITION-RULE. */
static const char *rule_of(tocsin_str alert_id)
{
	const char *dash = alert_id.ptr ? strchr(alert_id.ptr, '-') : NULL;

	dash = dash ? strchr(dash + 1, '-') : NULL;
	return dash ? dash + 1 : "call";
}

/* Will play's own rules raise it from the other lines? */
static bool comes_by_itself(const struct export_line *l, const struct line *line, const char *rule)
{
	if (strcmp(rule, "session") == 0)
		return true;
	for (size_t i = 0; i < sizeof(judges) / sizeof(judges[0]); i++)
		if (strcmp(rule, judges[i].rule) == 0)
			return is_judged(l, judges[i].health,
					 line->field(line->entry, "TOCSIN_SOURCE"));
	return false;
}

/* The message as it was given, without what the entry's has in front. */
static tocsin_str raised_message(const struct line *line)
{
	tocsin_str raw = line->field(line->entry, "TOCSIN_RAW_MESSAGE");

	if (raw.len > 0)
		return raw;
	return history_bare_message(line->field(line->entry, "MESSAGE"),
				    line->field(line->entry, "TOCSIN_CODE"));
}

static bool make_alert(struct export_line *l, struct line *line)
{
	bool clear = str_is(line->field(line->entry, "TOCSIN_STATE"), "resolved");
	const char *rule = rule_of(line->field(line->entry, "TOCSIN_ALERT_ID"));
	bool raw = line->field(line->entry, "TOCSIN_RAW_CODE").len > 0;
	bool by_call = strcmp(rule, "call") == 0;

	if (comes_by_itself(l, line, rule))
		return false;
	l->converted += !by_call && !clear;
	set(line, "alert", json_string(clear ? "clear" : "raise"));
	set_field(line, "code", raw ? "TOCSIN_RAW_CODE" : "TOCSIN_CODE");
	set_field(line, "session_id", "TOCSIN_SESSION");
	set_field(line, "instance", by_call ? "TOCSIN_INSTANCE" : "TOCSIN_SOURCE");
	if (!clear)
		set_field(line, "priority", "TOCSIN_PRIORITY");
	/* What was said at the end is said again, by whomever it was. */
	set_text(line, "message",
		 clear ? history_resolution_text(line->field(line->entry, "MESSAGE"))
		       : raised_message(line));
	set_metadata(line);
	return true;
}

int export_line_make(struct export_line *l, history_field *field, void *entry, json_t **ret)
{
	struct line line = { .json = json_object(), .field = field, .entry = entry };
	tocsin_str event = field(entry, "TOCSIN_EVENT");
	bool made = true;

	set_field(&line, "at", "TOCSIN_TIME");
	if (str_is(event, "session"))
		make_session(l, &line);
	else if (str_is(event, "health"))
		make_health(&line);
	else
		made = make_alert(l, &line);
	if (line.failed || !made) {
		json_decref(line.json);
		return line.failed ? -ENOMEM : 0;
	}
	*ret = line.json;
	return 1;
}

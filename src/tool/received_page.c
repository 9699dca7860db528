/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/received_page.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/text.h"
#include "tool/incident_view.h"
#include "tool/tool.h"

void received_page_header(struct received_page *p, const char *name, const char *value)
{
	_cleanup_free_ char *lower = strdup(name);

	if (!p->headers)
		p->headers = json_object();
	if (!lower || !value)
		return;
	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	json_object_set_new_nocheck(p->headers, lower, view_text(value));
}

void received_page_done(struct received_page *p)
{
	json_decref(p->headers);
	p->headers = NULL;
}

static const char *signature_text(enum received_signature signature)
{
	static const char *const texts[] = {
		[RECEIVED_NONE] = "none",
		[RECEIVED_NOT_CHECKED] = "not checked (no --secret-file)",
		[RECEIVED_VERIFIED] = "verified",
		[RECEIVED_WRONG] = "WRONG",
	};

	return texts[signature];
}

static void print_json(FILE *f, const struct received_page *p, json_t *body)
{
	size_t len;
	_cleanup_free_ char *text = text_to_utf8(p->body, &len);
	json_t *o = json_pack("{s:O*, s:s, s:o*}", "headers", p->headers, "signature",
			      signature_text(p->signature), "body",
			      body   ? json_incref(body)
			      : text ? json_stringn(text, len)
				     : NULL);

	view_json_line(f, o);
}

/* The member's text, a number as text, or absent. Views live as long as the object and buf. */
static tocsin_str member(const json_t *object, const char *name, char buf[static 32])
{
	const json_t *value = json_object_get(object, name);

	if (json_is_string(value))
		return (tocsin_str){ json_string_value(value), json_string_length(value) };
	if (!json_is_integer(value))
		return (tocsin_str){ 0 };
	snprintf(buf, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return str(buf);
}

static void print_line(FILE *f, const char *title, tocsin_str text)
{
	if (text.len == 0)
		return;
	fprintf(f, "  %-11s ", title);
	tool_print_text(f, text);
	fputc('\n', f);
}

/* What is over asks nobody to do anything. */
static void print_rows(FILE *f, const json_t *data, bool over)
{
	static const struct {
		const char *title, *name;
		enum { SHOWN_ALWAYS, SHOWN_OPEN, SHOWN_OVER } when;
	} rows[] = {
		{ "message", "message", SHOWN_ALWAYS },
		{ "session", "session_id", SHOWN_ALWAYS },
		{ "instance", "instance", SHOWN_ALWAYS },
		{ "engine", "engine", SHOWN_ALWAYS },
		{ "host", "host", SHOWN_ALWAYS },
		{ "since", "raised_at", SHOWN_OPEN },
		{ "raised", "raised_at", SHOWN_OVER },
		{ "resolved", "resolved_at", SHOWN_ALWAYS },
		{ "count", "count", SHOWN_ALWAYS },
		{ "do", "runbook_url", SHOWN_OPEN },
		{ "ack within", "ack_within", SHOWN_OPEN },
		{ "escalate to", "escalate_to", SHOWN_OPEN },
	};
	char buf[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].when == (over ? SHOWN_OPEN : SHOWN_OVER))
			continue;
		print_line(f, rows[i].title, member(data, rows[i].name, buf));
	}
}

static void print_readable(FILE *f, const struct received_page *p, const json_t *body, bool refused)
{
	const json_t *data = json_object_get(body, "data");
	bool red = tool_colours(f);
	char buf[32];

	fprintf(f, "\n%s%s", red && refused ? "\033[31m" : "", refused ? "REFUSED page" : "page");
	if (!refused)
		fprintf(f, " %" PRIu64, p->number);
	if (data) {
		static const char *const head[] = { "priority", "code", "state" };

		for (size_t i = 0; i < 3; i++) {
			fputs(i == 0 ? ": " : " ", f);
			tool_print_text(f, member(data, head[i], buf));
		}
	}
	fputs(red && refused ? "\033[0m\n" : "\n", f);
	if (data)
		print_rows(f, data, str_is(member(data, "state", buf), "resolved"));
	else
		print_line(f, "body", text_cut(p->body, 2000));
	print_line(f, "page id", member(p->headers, "webhook-id", buf));
	print_line(f, "signature", str(signature_text(p->signature)));
}

void received_page_print(FILE *f, const struct received_page *p, bool json, bool refused)
{
	json_t *body = json_loadb(p->body.ptr, p->body.len, JSON_ALLOW_NUL, NULL);

	if (json)
		print_json(f, p, body);
	else
		print_readable(f, p, body, refused);
	json_decref(body);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/verbs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"
#include "codes/runbook_file.h"
#include "codes/runbook_text.h"
#include "codes/runbooks.h"
#include "settings/settings.h"
#include "tool/table.h"
#include "tool/tool.h"

#define NEAR_MAX 3

static const char help[] =
	"usage: tocsin runbook [OPTION]... [CODE]\n"
	"\n"
	"Shows what to do about an alert: the runbook of its code, with the contacts of the\n"
	"settings filled in. Without a code, lists the codes and where their runbooks are.\n"
	"\n"
	"      --config FILE         the settings file (default: the installed ones)\n"
	"  -o SECTION.KEY=VALUE      a setting, as the engine gives it\n"
	"      --json                the head as one JSON object a line\n"
	"  -h, --help                this text\n";

struct verb_runbook {
	struct tool_options options;
	const char *code;
	bool json;
	struct settings *settings; /* NULL: they cannot be read */
	struct runbooks *set;
};

DEFINE_CLEANUP(struct table *, table_free, cleanup_table)

/* -1: go on; else the exit status. */
static int parse_arguments(struct verb_runbook *v, int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		if (option == 'c' && tool_options_add(&v->options, "config", optarg) == 0)
			continue;
		if (option == 'o' && tool_options_parse(&v->options, optarg) == 0)
			continue;
		if (option == 'j') {
			v->json = true;
			continue;
		}
		if (option == 'h') {
			fputs(help, stdout);
			return TOOL_FINE;
		}
		if (option == 'o')
			return tool_wrong_use("runbook", "-o %s: expected section.key=value",
					      optarg);
		return tool_wrong_use("runbook", "unknown option");
	}
	if (argc - optind > 1)
		return tool_wrong_use("runbook", "unexpected argument %s", argv[optind + 1]);
	v->code = argv[optind];
	return -1;
}

static void bad(void *userdata, const char *file, unsigned line, const char *what)
{
	char place[16] = "";

	(void)userdata;
	if (line > 0)
		snprintf(place, sizeof(place), ":%u", line);
	tool_failed("runbook", "%s%s: %s", file, place, what);
}

static const struct contacts *contacts_of(const struct verb_runbook *v)
{
	return v->settings ? &v->settings->contacts : NULL;
}

/*
 * Whoever asks for a runbook is in need of it: settings that cannot be read cost the contacts, not
 * the page, unless they were named on the command line.
 */
static int load(struct verb_runbook *v)
{
	char err[512] = "";
	int r = settings_read(v->options.kv, v->options.n, err, sizeof(err), &v->settings);

	if (r < 0 && v->options.n > 0)
		return tool_failed("runbook", "%s", err[0] ? err : strerror(-r));
	if (r < 0)
		tool_failed("runbook", "%s; going on without contacts and a site's own runbooks",
			    err[0] ? err : strerror(-r));
	r = runbooks_load(v->settings ? v->settings->runbooks_dir : NULL, bad, NULL, &v->set);
	return r < 0 ? tool_failed("runbook", "no memory") : -1;
}

/* Where its file is. Heap; NULL without memory. */
static char *path_of(const struct verb_runbook *v, const struct runbook *r)
{
	const char *folder = secure_getenv("TOCSIN_RUNBOOKS");
	struct text_buffer path = { 0 };
	char name[RUNBOOK_NAME_SIZE];

	if (!folder || !*folder)
		folder = TOCSIN_RUNBOOKS_DIR;
	assert(!r->of_site || v->settings);
	if (r->of_site)
		folder = v->settings->runbooks_dir;
	runbook_name(r, name);
	text_buffer_printf(&path, "%s/%s", folder, name);
	if (path.failed)
		text_buffer_done(&path);
	return path.ptr;
}

/* --- The list, and JSON --- */

static int add_row(const struct verb_runbook *v, struct table *t, const struct runbook *r)
{
	static const int colours[] = { 31, 33, 0 };
	_cleanup_free_ char *path = path_of(v, r);
	char priority[] = { 'P', (char)('0' + r->priority % 10), 0 };
	tocsin_str cells[] = { str(r->code), str(priority), str(r->title), str(path) };

	return path ? table_add(t, cells, colours[r->priority - 1]) : -ENOMEM;
}

static int list_table(const struct verb_runbook *v)
{
	static const struct table_column columns[] = {
		{ "CODE", 0 },
		{ "PRIORITY", 0 },
		{ "TITLE", 12 },
		{ "FILE", 12 },
	};
	_cleanup_(cleanup_table) struct table *t =
		table_new(columns, sizeof(columns) / sizeof(columns[0]));
	const struct runbook *all;
	unsigned n = runbooks_list(v->set, &all);
	int r = t ? 0 : -ENOMEM;

	for (unsigned priority = 1; priority <= 3; priority++)
		for (unsigned i = 0; i < n && r == 0; i++)
			if (all[i].priority == priority)
				r = add_row(v, t, &all[i]);
	if (r < 0)
		return tool_failed("runbook", "no memory");
	table_print(t, stdout, tool_columns(stdout), tool_colours(stdout));
	return TOOL_FINE;
}

static int print_json(const struct verb_runbook *v, const struct runbook *r)
{
	const char *base = v->settings ? v->settings->runbooks_base_url : RUNBOOKS_BASE_URL_DEFAULT;
	_cleanup_free_ char *path = path_of(v, r);
	_cleanup_free_ char *link = runbooks_link(v->set, base, str(r->code));
	char priority[] = { 'P', (char)('0' + r->priority % 10), 0 };
	json_t *json = NULL;
	int error = -ENOMEM;

	if (path && link)
		json = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s?,s:f,s:b,s:s,s:s}", "code", r->code,
				 "priority", priority, "message_id", r->message_id, "title",
				 r->title, "ack_within", r->ack_within, "escalate_to",
				 r->escalate_to, "contact",
				 contacts_who(contacts_of(v), str(r->escalate_to)), "page_after_s",
				 (double)r->page_after_ns / 1e9, "of_site", (int)r->of_site, "file",
				 path, "link", link);
	if (json)
		error = json_dumpf(json, stdout, JSON_COMPACT);
	json_decref(json);
	putchar('\n');
	return error < 0 ? tool_failed("runbook", "no memory") : TOOL_FINE;
}

static int list(const struct verb_runbook *v)
{
	const struct runbook *all;
	unsigned n = runbooks_list(v->set, &all);
	int status = TOOL_FINE;

	if (!v->json)
		return list_table(v);
	for (unsigned i = 0; i < n && status == TOOL_FINE; i++)
		status = print_json(v, &all[i]);
	return status;
}

/* --- One code --- */

/* A code as people type it: in capitals. */
static char *code_of(const char *text)
{
	char *code = str_dup(str(text));

	for (char *p = code; p && *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p -= 'a' - 'A';
	return code;
}

static int tell_unknown(const struct verb_runbook *v, const char *code)
{
	struct text_buffer near = { 0 };
	const struct runbook *all;
	unsigned n = runbooks_list(v->set, &all), limit = 2 + (unsigned)strlen(code) / 4, found = 0;

	/* The nearest first: by distance, a part of a code being one edit away. */
	for (unsigned distance = 0; distance < limit; distance++)
		for (unsigned i = 0; i < n && found < NEAR_MAX; i++) {
			unsigned edits = strstr(all[i].code, code)
						 ? 1
						 : text_distance(all[i].code, code, limit);

			if (edits == distance)
				text_buffer_printf(&near, "%s%s", found++ > 0 ? ", " : "",
						   all[i].code);
		}
	tool_failed("runbook", "there is no runbook for %s; %s%s", code,
		    near.ptr ? "near it: " : "tocsin runbook lists them; GENERAL is for all others",
		    near.ptr ? near.ptr : "");
	text_buffer_done(&near);
	return TOOL_FAILED;
}

static void told_elsewhere(void *userdata, unsigned line, const char *what)
{
	(void)userdata;
	(void)line;
	(void)what;
}

/* On a terminal nothing of it but its text comes through. */
static void print_page(tocsin_str text, bool clean)
{
	tocsin_str line;

	if (!clean) {
		fwrite(text.ptr, 1, text.len, stdout);
		return;
	}
	while (runbook_next_line(&text, &line)) {
		while (line.len > 0) {
			const char *tab = memchr(line.ptr, '\t', line.len);
			size_t len = tab ? (size_t)(tab - line.ptr) : line.len;

			tool_print_text(stdout, (tocsin_str){ line.ptr, len });
			if (tab)
				fputs("    ", stdout);
			len += tab ? 1 : 0;
			line.ptr += len;
			line.len -= len;
		}
		putchar('\n');
	}
}

static int show(const struct verb_runbook *v, const struct runbook *r)
{
	const char *who = contacts_who(contacts_of(v), str(r->escalate_to));
	_cleanup_free_ char *path = path_of(v, r);
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *filled = NULL;
	struct runbook_file f = { 0 };
	unsigned empty = 0;
	size_t len;
	int error;

	if (!path)
		return tool_failed("runbook", "no memory");
	error = file_read_followed(AT_FDCWD, path, RUNBOOK_FILE_MAX, &text, &len);
	if (error < 0)
		return tool_failed("runbook", "%s cannot be read: %s", path, strerror(-error));
	/* One whose head is wrong is shown whole. */
	if (runbook_file_parse(strrchr(path, '/') + 1, (tocsin_str){ text, len }, told_elsewhere,
			       NULL, &f) < 0)
		f.body = (tocsin_str){ text, len };
	filled = runbook_fill(f.body, contacts_of(v), &empty);
	runbook_file_done(&f);
	if (!filled)
		return tool_failed("runbook", "no memory");
	printf("%s, P%u: acknowledge within %s, then escalate to %s%s", r->code,
	       (unsigned)r->priority, r->ack_within, r->escalate_to, who ? ": " : "");
	tool_print_text(stdout, str(who ? who : ""));
	fputs("\n\n", stdout);
	print_page(str(filled), tool_columns(stdout) > 0);
	fflush(stdout);
	if (empty > 0)
		tool_failed("runbook",
			    "who to turn to is not set in %u places: see [contacts] in "
			    "tocsin.conf(5)",
			    empty);
	return TOOL_FINE;
}

static int run(const struct verb_runbook *v)
{
	_cleanup_free_ char *code = NULL;
	const struct runbook *r;

	if (!v->code)
		return list(v);
	code = code_of(v->code);
	if (!code)
		return tool_failed("runbook", "no memory");
	r = runbooks_own(v->set, str(code));
	if (!r)
		return tell_unknown(v, code);
	return v->json ? print_json(v, r) : show(v, r);
}

int runbook_main(int argc, char **argv)
{
	struct verb_runbook v = { 0 };
	int status = parse_arguments(&v, argc, argv);

	if (status < 0)
		status = load(&v);
	if (status < 0)
		status = run(&v);
	runbooks_free(v.set);
	settings_free(v.settings);
	return status;
}

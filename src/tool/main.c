/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/verbs.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/text.h"
#include "tool/clean_output.h"
#include "tool/journal_files.h"
#include "tool/tool.h"

const struct verb verb_table[] = {
	{ "play", "play events from a file through the plugin, as an engine would", play_main },
	{ "receive", "receive pages, show them and verify their signatures", receive_main },
	{ "alerts", "list the incidents in the journal", alerts_main },
	{ "status", "show the state of each engine: sessions, open alerts, pages", status_main },
	{ "runbook", "show what to do about an alert", runbook_main },
	{ "sessions", "list the sessions in the journal, or show one session", sessions_main },
	{ "snapshot", "print an engine's picture as JSON, or write it all as evidence",
	  snapshot_main },
	{ "export", "write a session as lines that play takes", export_main },
	{ "pages", "list the pages that wait or are dead, send or discard them", pages_main },
	{ "page-test", "send a test page to each endpoint", page_test_main },
	{ "check", "check settings, journal, folders and endpoints", check_main },
	{ "rescue", "finish for engines that died: report it and send their pages", rescue_main },
	{ "sentinel", "watch engines, and rescue one at once when it dies", sentinel_main },
	{ "blackbox", "print a recorder's last events, of an engine living or dead",
	  blackbox_main },
};
const size_t verb_table_size = sizeof(verb_table) / sizeof(verb_table[0]);

static void print_help(FILE *f)
{
	fputs("usage: tocsin VERB [OPTION]...\n"
	      "\n"
	      "The operators' tool of the tocsin notifier plugin.\n"
	      "\n",
	      f);
	for (size_t i = 0; i < verb_table_size; i++)
		fprintf(f, "  %-9s  %s\n", verb_table[i].name, verb_table[i].help);
	fputs("\n"
	      "  --help     this text; tocsin VERB --help tells of one verb\n"
	      "  --version  the version\n"
	      "\n"
	      "Exit status: 0 fine, 1 could not, 2 wrong use.\n",
	      f);
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < verb_table_size; i++)
		if (strcmp(verb_table[i].name, name) == 0)
			return &verb_table[i];
	return NULL;
}

static int refuse_verb(const char *name)
{
	_cleanup_free_ char *shown = text_to_line(text_cut(str(name), 60));
	unsigned best = 4;
	const char *near = NULL;

	for (size_t i = 0; i < verb_table_size; i++) {
		unsigned distance = text_distance(name, verb_table[i].name, best);

		if (distance < best) {
			best = distance;
			near = verb_table[i].name;
		}
	}
	fprintf(stderr, "tocsin: there is no verb \"%s\"", shown ? shown : "?");
	if (near)
		fprintf(stderr, "; did you mean \"%s\"?\n", near);
	else
		fputs("; tocsin --help lists them\n", stderr);
	return TOOL_WRONG_USE;
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
	struct text_buffer name = { 0 };
	int status;

	/* What getopt puts before its own complaints. */
	text_buffer_printf(&name, "tocsin %s", verb->name);
	if (!name.failed)
		argv[0] = name.ptr;
	status = verb->main(argc, argv);
	text_buffer_done(&name);
	/* Whichever verb has read it, and not told so itself. */
	if (journal_files_were_cut())
		tool_failed(verb->name, JOURNAL_FILE_CUT "; this is not all");
	if (fflush(stdout) != 0 && status == TOOL_FINE) {
		perror("tocsin: cannot write the output");
		return TOOL_FAILED;
	}
	return status;
}

int main(int argc, char **argv)
{
	const struct verb *verb;

	setlocale(LC_CTYPE, "");
	clean_output_begin();
	if (argc < 2) {
		print_help(stderr);
		return TOOL_WRONG_USE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return TOOL_FINE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("tocsin " PACKAGE_VERSION);
		return TOOL_FINE;
	}
	verb = find_verb(argv[1]);
	return verb ? run_verb(verb, argc - 1, argv + 1) : refuse_verb(argv[1]);
}

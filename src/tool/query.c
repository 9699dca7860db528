/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/query.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include "base/moment.h"
#include "base/text.h"
#include "tool/history.h"
#include "tool/tool.h"

/* The field of struct query that the option fills: a text, or a flag where it has no argument. */
static const struct row {
	unsigned bit;
	const char *name;
	const char *argument;
	const char *help; /* lines */
	size_t field;
} rows[] = {
	{ QUERY_SINCE, "since", "TIME",
	  "at or after TIME, by the events' own times:\n"
	  "RFC 3339, \"2026-11-22 10:00\", today, yesterday, -24h",
	  offsetof(struct query, since_text) },
	{ QUERY_UNTIL, "until", "TIME", "at or before TIME", offsetof(struct query, until_text) },
	{ QUERY_PRIORITY, "priority", "P1",
	  "P1, P2 or P3: alerts that have it now, or had it at their worst",
	  offsetof(struct query, priority_text) },
	{ QUERY_CODE, "code", "CODE", "of this code", offsetof(struct query, code) },
	{ QUERY_SESSION, "session", "ID", "of this session", offsetof(struct query, session) },
	{ QUERY_STATUS, "status", "STATUS", "sessions that have this status now",
	  offsetof(struct query, status) },
	{ QUERY_ENGINE, "engine", "NAME", "of this engine", offsetof(struct query, engine) },
	{ QUERY_STATE_DIR, "state-dir", "DIR",
	  "the engine's paths.state_dir, where it is not the usual one",
	  offsetof(struct query, state_dir) },
	{ QUERY_DIRECTORY, "directory", "DIR",
	  "read the journal files in DIR, and no engine's snapshot",
	  offsetof(struct query, journal.directory) },
	{ QUERY_NAMESPACE, "namespace", "NAME",
	  "read the journal of this namespace; \"\" is the default one, +NAME\n"
	  "both, and * all, as without it",
	  offsetof(struct query, journal.name_space) },
	{ QUERY_EVIDENCE, "evidence", "DIR",
	  "write all of it as files into DIR, which must be empty or new",
	  offsetof(struct query, evidence) },
	{ QUERY_CHECK, "check", NULL,
	  "answer as a monitoring plugin: one line, and the exit status\n"
	  "0 OK, 1 warning, 2 critical, 3 unknown",
	  offsetof(struct query, check) },
	{ QUERY_ALL, "all", NULL, "each page there is", offsetof(struct query, all) },
	{ QUERY_REASON, "reason", "TEXT", "why; it is logged", offsetof(struct query, reason) },
	{ QUERY_JSON, "json", NULL, "JSON, one object a line", offsetof(struct query, json) },
	{ QUERY_UTC, "utc", NULL, "times in UTC instead of local time",
	  offsetof(struct query, utc) },
	{ QUERY_HELP, "help", NULL, "this text", offsetof(struct query, help) },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Columns of an option with its argument in the help. */
#define OPTION_WIDTH 18

static void print_row(const struct row *row)
{
	char option[64];
	const char *line = row->help;

	snprintf(option, sizeof(option), "%s--%s%s%s", row->bit == QUERY_HELP ? "-h, " : "",
		 row->name, row->argument ? " " : "", row->argument ? row->argument : "");
	for (const char *name = option; line; name = "") {
		const char *end = strchrnul(line, '\n');

		printf("  %-*s %.*s\n", OPTION_WIDTH, name, (int)(end - line), line);
		line = *end ? end + 1 : NULL;
	}
}

static int print_help(const struct query_verb *verb)
{
	printf("usage: tocsin %s\n\n%s\n", verb->usage, verb->about);
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].bit & (verb->options | QUERY_HELP))
			print_row(&rows[i]);
	return TOOL_FINE;
}

/* Both kinds of fields, by where they are. */
static void set_field(struct query *q, const struct row *row, const char *argument)
{
	char *field = (char *)q + row->field;

	if (row->argument)
		memcpy(field, &argument, sizeof(argument));
	else
		memcpy(field, &(bool){ true }, sizeof(bool));
}

/* From the earlier of two meanings until the later of two: rather too much than too little. */
static int parse_time(const struct query *q, const char *text, enum time_side side, uint64_t *ret)
{
	if (!text || tool_parse_time(text, clock_realtime_ns(), q->utc, side, ret) == 0)
		return -1;
	return tool_wrong_use(q->verb->name,
			      "%s is no time: expected RFC 3339, \"2026-11-22 10:00\", today, "
			      "yesterday or -24h",
			      text);
}

static int parse_values(struct query *q)
{
	int status;

	q->until_ns = UINT64_MAX;
	status = parse_time(q, q->since_text, TIME_EARLIER, &q->since_ns);
	if (status < 0)
		status = parse_time(q, q->until_text, TIME_LATER, &q->until_ns);
	if (status >= 0)
		return status;
	if (q->priority_text) {
		q->priority = history_priority(str(q->priority_text));
		if (q->priority == 0)
			return tool_wrong_use(q->verb->name, "--priority %s: expected P1, P2 or P3",
					      q->priority_text);
	}
	if (q->journal.name_space && !journal_namespace_is_known_form(q->journal.name_space))
		return tool_wrong_use(q->verb->name,
				      "--namespace %s: expected a journal namespace's name, +NAME "
				      "or *",
				      q->journal.name_space);
	if (q->journal.name_space && q->journal.directory)
		return tool_wrong_use(q->verb->name,
				      "--namespace is of the system's journal, and --directory "
				      "names other files: expected one of them");
	return -1;
}

int query_parse(struct query *q, const struct query_verb *verb, int argc, char **argv)
{
	struct option options[ROWS + 1] = { 0 };
	size_t n = 0;
	int option;

	*q = (struct query){ .verb = verb };
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].bit & (verb->options | QUERY_HELP))
			options[n++] =
				(struct option){ rows[i].name,
						 rows[i].argument ? required_argument : no_argument,
						 NULL, 256 + (int)i };
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h')
			q->help = true;
		else if (option >= 256)
			set_field(q, &rows[option - 256], optarg);
		else
			return tool_wrong_use(verb->name, "unknown option");
	}
	if (q->help)
		return print_help(verb);
	if (argc - optind > verb->arguments_max)
		return tool_wrong_use(verb->name, "unexpected argument %s",
				      argv[optind + verb->arguments_max]);
	q->arguments = argv + optind;
	q->n_arguments = argc - optind;
	return parse_values(q);
}

bool query_covers(const struct query *q, uint64_t time_ns)
{
	return time_ns >= q->since_ns && time_ns <= q->until_ns;
}

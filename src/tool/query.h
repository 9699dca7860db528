/* SPDX-License-Identifier: MIT */
/*
 * What verbs that look things up are asked: one table of their options, which parses them and
 * writes the help. A verb says which it takes.
 */
#ifndef TOCSIN_TOOL_QUERY_H
#define TOCSIN_TOOL_QUERY_H

#include <stdbool.h>
#include <stdint.h>
#include "tool/journal_query.h"

enum {
	QUERY_SINCE = 1 << 0,
	QUERY_PRIORITY = 1 << 1,
	QUERY_CODE = 1 << 2,
	QUERY_SESSION = 1 << 3,
	QUERY_STATUS = 1 << 4,
	QUERY_ENGINE = 1 << 5,
	QUERY_DIRECTORY = 1 << 6,
	QUERY_STATE_DIR = 1 << 7,
	QUERY_EVIDENCE = 1 << 8,
	QUERY_CHECK = 1 << 9,
	QUERY_JSON = 1 << 10,
	QUERY_UTC = 1 << 11,
	QUERY_UNTIL = 1 << 12,
	QUERY_HELP = 1 << 13, /* always taken */
	QUERY_ALL = 1 << 14,
	QUERY_REASON = 1 << 15,
	QUERY_NAMESPACE = 1 << 16,
};

/* A verb that asks. */
struct query_verb {
	const char *name;
	const char *usage; /* what comes behind "usage: tocsin " */
	const char *about; /* lines, the last one ended */
	unsigned options;  /* QUERY_ bits */
	int arguments_max; /* that are no options */
};

/* Texts are views of the arguments; NULL: not given. */
struct query {
	const struct query_verb *verb;
	const char *since_text, *until_text;
	uint64_t since_ns, until_ns; /* 0 and UINT64_MAX when not given */
	const char *priority_text;
	unsigned priority; /* 1..3; 0: not given */
	const char *code, *session, *status, *engine, *state_dir, *evidence;
	struct journal_source journal;
	const char *reason;
	bool all, check, json, utc, help;
	char **arguments;
	int n_arguments;
};

/* -1: go on; else the exit status, told already. */
int query_parse(struct query *q, const struct query_verb *verb, int argc, char **argv);

/* Was it within since and until? */
bool query_covers(const struct query *q, uint64_t time_ns);

/* Tells on stderr what of the journal was not read, if anything. */
void query_tell_gap(const struct query *q, struct journal_query *j);
/* Opens the journal for it and tells on stderr why not, or that a part may not be read.
 * TOOL_FINE or TOOL_FAILED. */
int query_open(const struct query *q, struct journal_query **ret);

/* Tells on stderr how many entries were passed over because their users are not trusted. */
void query_tell_foreign(const struct query *q, struct journal_query *j);

/*
 * To be asked when nothing was found: is it because the journal has no such session, code or
 * engine? Then it tells, with the nearest ones, and returns TOOL_FAILED; or TOOL_FAILED because a
 * part of the journal may not be read; else TOOL_FINE.
 */
int query_explain_nothing(const struct query *q, struct journal_query *j);

#endif

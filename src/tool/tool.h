/* SPDX-License-Identifier: MIT */
/* What the verbs share: how they fail, how they read arguments, what the terminal can show. */
#ifndef TOCSIN_TOOL_TOOL_H
#define TOCSIN_TOOL_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "tocsin_plugin.h"

/* Exit statuses. */
enum { TOOL_FINE = 0, TOOL_FAILED = 1, TOOL_WRONG_USE = 2 };

/* Each prints "tocsin VERB: " and the message on stderr and returns its exit status; wrong use adds
 * where help is. The message is made clean for a terminal. */
int tool_failed(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));
int tool_wrong_use(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Settings given as -o section.key=value, at most TOOL_OPTIONS_MAX. Views of the arguments. */
#define TOOL_OPTIONS_MAX 128
struct tool_options {
	tocsin_kv kv[TOOL_OPTIONS_MAX];
	size_t n;
};

/* -EINVAL: not of that form; -E2BIG: too many. */
int tool_options_parse(struct tool_options *o, const char *argument);
/* -E2BIG. */
int tool_options_add(struct tool_options *o, const char *name, const char *value);
/* Was the setting given? */
bool tool_options_has(const struct tool_options *o, const char *name);

/* Which of two meanings of a local time counts, in the hour that comes twice and in the one that is
 * left out when clocks change. */
enum time_side { TIME_EARLIER, TIME_LATER };

/*
 * A time as people write it: RFC 3339; "2026-11-22 10:00[:30]" or "2026-11-22", local or UTC;
 * "now", "today", "yesterday"; "-24h" before now, "+5m" after. -EINVAL.
 */
int tool_parse_time(const char *text, uint64_t now_wall_ns, bool utc, enum time_side side,
		    uint64_t *ret_wall_ns);
/* A whole number from min to max. -EINVAL. */
int tool_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* The terminal's columns (80 where it does not tell), or 0 when f is none. */
unsigned tool_columns(FILE *f);
/* May it be coloured? A terminal, and NO_COLOR is not set. */
bool tool_colours(FILE *f);
/* Prints a text from elsewhere, fit for one line. */
void tool_print_text(FILE *f, tocsin_str text);

#endif

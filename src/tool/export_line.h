/* SPDX-License-Identifier: MIT */
/* An entry of the log turned back into the line of an event, as tool/event_line.h reads it. */
#ifndef TOCSIN_TOOL_EXPORT_LINE_H
#define TOCSIN_TOOL_EXPORT_LINE_H

#include <jansson.h>
#include <stddef.h>
#include "tool/history.h"

/* Sources of health events that are remembered at most; the alerts of more become calls, which
 * are counted. */
#define EXPORT_SOURCES_MAX 1024

/* What must be known of one session's entries to turn them into lines. */
struct export_line;

struct export_line *export_line_new(void);
/* Takes NULL. */
void export_line_free(struct export_line *l);

/* Every entry first: which alerts will the rules raise again by themselves? -ENOMEM. */
int export_line_learn(struct export_line *l, history_field *field, void *entry);
/* Then every entry again, in order. 1: a line; 0: none comes of it; -ENOMEM. */
int export_line_make(struct export_line *l, history_field *field, void *entry, json_t **ret);
/* How many raises of rules became calls. */
size_t export_line_converted(const struct export_line *l);

#endif

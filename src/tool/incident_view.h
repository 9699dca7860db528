/* SPDX-License-Identifier: MIT */
/* Incidents shown: as a table for people, as JSON for programs. */
#ifndef TOCSIN_TOOL_INCIDENT_VIEW_H
#define TOCSIN_TOOL_INCIDENT_VIEW_H

#include <jansson.h>
#include <stdio.h>
#include "tool/history.h"

/* Times local or UTC; no column of sessions where no row has one. -ENOMEM. */
int incident_view_table(FILE *f, const struct history_incident *const *rows, size_t n, bool utc);
/* One object a line. -ENOMEM. */
int incident_view_json(FILE *f, const struct history_incident *const *rows, size_t n);
/* NULL without memory; the caller owns it. */
json_t *incident_view_object(const struct history_incident *i);

/* A JSON string of any bytes, null of an empty text. NULL without memory. */
json_t *view_text(const char *text);
/* One object, one line, plain ASCII; takes the reference. -ENOMEM for NULL. */
int view_json_line(FILE *f, json_t *object);
/* RFC 3339 in UTC; null for 0. */
json_t *view_time(uint64_t wall_ns);
/* Seconds with milliseconds, as the engine's own snapshot has them: whole ones are an integer. */
json_t *view_seconds(uint64_t ns);

#endif

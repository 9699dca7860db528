/* SPDX-License-Identifier: MIT */
/*
 * Incidents, read from the log: entries go in, the oldest first, and become one incident for each
 * alert id. A repeated entry changes nothing.
 */
#ifndef TOCSIN_TOOL_HISTORY_H
#define TOCSIN_TOOL_HISTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tocsin_plugin.h"

/*
 * Incidents kept at most. When there are more, those go that matter least: first those that nobody
 * asked for, then those that are over before those that are open, then the lesser priority, then
 * the older. They are counted.
 */
#define HISTORY_MAX 100000u

/* Texts are as they were logged, NUL-terminated, never NULL. */
struct history_incident {
	char *alert_id, *code, *engine, *session, *source, *instance;
	char *message;       /* of the last raise, without its "[P1] CODE: " */
	char *runbook;       /* its link */
	char *raw_code;      /* as it was given, where it was unusable; else "" */
	char *value, *limit; /* numbers, of the last raise; "" when it had none */
	char *resolution;    /* what the engine said when it was over; "" when nothing else */
	unsigned priority;   /* of the last raise, 1..3; 0: not known */
	unsigned worst;      /* the highest of all raises; likewise */
	bool firing, replay;
	uint64_t number, count;
	uint64_t raised_ns;      /* wall time at which it opened; 0: not in the log */
	uint64_t last_raised_ns; /* of its last raise; 0: likewise */
	uint64_t changed_ns;     /* of the last entry */
	uint64_t resolved_ns;    /* 0: not yet */
	json_t *metadata;        /* of the last raise; NULL: none */
};

/* A field of the entry to fold; absent when it has none. */
typedef tocsin_str history_field(void *entry, const char *name);

struct history;

/* Was it asked for? */
typedef bool history_wanted(const void *userdata, const struct history_incident *i);

struct history *history_new(void);
/* Which are to be kept rather than others; until then all are alike. */
void history_prefer(struct history *h, history_wanted *wanted, const void *userdata);
/* Takes NULL. */
void history_free(struct history *h);

/* time_ns: of the event. Entries without an alert id change nothing. -ENOMEM. */
int history_add(struct history *h, history_field *field, void *entry, uint64_t time_ns);

/* By the time they opened, oldest first. */
size_t history_sorted(struct history *h, struct history_incident *const **ret);
/* How many did not fit. */
uint64_t history_left_out(const struct history *h);
/* How many of that priority are open by what was folded so far, those that did not fit too. */
uint64_t history_open(const struct history *h, unsigned priority);

/* "P1", "p1" or "1" is 1, and so on; 0: none of them. */
unsigned history_priority(tocsin_str text);
/* The text after "[P1] CODE: ", or the whole where it does not begin so. */
tocsin_str history_bare_message(tocsin_str message, tocsin_str code);
/* Of "[P1] CODE resolved after 25.0 s: text" the text; absent where there is none. */
tocsin_str history_resolution_text(tocsin_str message);

#endif

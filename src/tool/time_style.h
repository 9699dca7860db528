/* SPDX-License-Identifier: MIT */
/*
 * Times in a table's column: to the second, with the offset from UTC in the title where it is one
 * for all of them, else in each row. Zero-initialise but for utc, add all times, then use it.
 */
#ifndef TOCSIN_TOOL_TIME_STYLE_H
#define TOCSIN_TOOL_TIME_STYLE_H

#include <stdbool.h>
#include "base/moment.h"

struct time_style {
	bool utc;
	bool each;                 /* offsets differ: each row has its own */
	char zone[TIME_TEXT_SIZE]; /* "+02:00", "UTC", "local" when they differ; "" before any */
};

void time_style_add(struct time_style *s, uint64_t wall_ns);
/* "NAME (+02:00)". Returns buf. */
char *time_style_title(const struct time_style *s, const char *name,
		       char buf[static TIME_TEXT_SIZE]);
/* View of buf. */
tocsin_str time_style_text(const struct time_style *s, uint64_t wall_ns,
			   char buf[static TIME_TEXT_SIZE]);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A recorder's events as lines: what an engine did last, read from its flight recorder whether it
 * lives or has died. What a living one writes over meanwhile is left out.
 */
#ifndef TOCSIN_TOOL_BLACKBOX_H
#define TOCSIN_TOOL_BLACKBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "record/record.h"

struct blackbox_options {
	uint64_t last; /* at most so many, the newest; 0: all */
	bool json;     /* the facts are the first line of the output, as JSON */
	bool utc;
};

/* Lines to out, facts to facts (unless json). -errno of opening the file, as recorder_image_open;
 * -EIO of writing. */
int blackbox_print(int folder, const char *name, const struct blackbox_options *o, FILE *out,
		   FILE *facts);

/* blackbox_line.c: an event as tool/event_line.h reads it. 1: written; 0: no line comes of it, for
 * play would refuse it; -ENOMEM, -EIO. */
int blackbox_line_write(FILE *f, const struct record *r, uint64_t wall_ns);

#endif

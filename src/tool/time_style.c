/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/time_style.h"

#include <stdio.h>
#include <string.h>
#include "base/text.h"

/* Of "2026-08-03 11:56:36.584 +02:00": its seconds end and its offset begins here. */
#define SECONDS_END 19
#define OFFSET_BEGIN 24

void time_style_add(struct time_style *s, uint64_t wall_ns)
{
	char text[TIME_TEXT_SIZE];
	const char *zone = "UTC";

	if (!s->utc)
		zone = time_to_local(wall_ns, false, text) + OFFSET_BEGIN;
	if (!s->zone[0]) {
		snprintf(s->zone, sizeof(s->zone), "%s", zone);
	} else if (strcmp(s->zone, zone) != 0) {
		s->each = true;
		snprintf(s->zone, sizeof(s->zone), "local");
	}
}

char *time_style_title(const struct time_style *s, const char *name,
		       char buf[static TIME_TEXT_SIZE])
{
	snprintf(buf, TIME_TEXT_SIZE, "%s (%.12s)", name, s->zone);
	return buf;
}

tocsin_str time_style_text(const struct time_style *s, uint64_t wall_ns,
			   char buf[static TIME_TEXT_SIZE])
{
	tocsin_str text = str(time_to_local(wall_ns, s->utc, buf));

	if (!s->each)
		text.len = SECONDS_END;
	return text;
}

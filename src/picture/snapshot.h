/* SPDX-License-Identifier: MIT */
/* The picture as JSON, for operators and their tools. */
#ifndef TOCSIN_PICTURE_SNAPSHOT_H
#define TOCSIN_PICTURE_SNAPSHOT_H

#include "picture/picture.h"

/* Gives the runbook's link of a code as heap memory, or NULL without memory. */
typedef char *runbook_linker(void *userdata, tocsin_str code);

/*
 * { timestamp, engine, registry{summary{total_sessions, by_status{}}, sessions[]}, status{},
 * alerts{} }; times RFC 3339 UTC, null where there is none; members are documented in tocsin(7).
 * NULL without memory; the caller owns the reference.
 */
json_t *picture_snapshot(struct picture *p, const char *engine, struct moment now,
			 runbook_linker *link, void *userdata);

#endif

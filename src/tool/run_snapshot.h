/* SPDX-License-Identifier: MIT */
/* A run's picture as the snapshot's JSON, and back. */
#ifndef TOCSIN_TOOL_RUN_SNAPSHOT_H
#define TOCSIN_TOOL_RUN_SNAPSHOT_H

#include <jansson.h>
#include "tool/run_picture.h"

/*
 * The members are those of picture/snapshot.h, as far as the journal tells: an uptime is null
 * unless the engine is known to run, and what is not logged is null. Two more say what it is:
 * `source`, "journal", and `state`, run_state_name's. now_ns: wall. NULL without memory.
 */
json_t *run_snapshot(struct run_picture *p, uint64_t now_ns);

/* Takes sessions and incidents over from what an engine says of itself. -ENOMEM. */
int run_picture_take(struct run_picture *p, json_t *snapshot);

#endif

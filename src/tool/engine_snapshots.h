/* SPDX-License-Identifier: MIT */
/*
 * The snapshots that engines keep in their state folders: where src/engine/folders.c puts those,
 * for every engine's name that has a folder there.
 */
#ifndef TOCSIN_TOOL_ENGINE_SNAPSHOTS_H
#define TOCSIN_TOOL_ENGINE_SNAPSHOTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More are not looked at, and counted. */
#define ENGINE_SNAPSHOTS_MAX 256

struct engine_snapshot {
	char *folder;
	json_t *json;
	bool alive;         /* the engine that wrote it lives */
	uint64_t time_ns;   /* of its making, by the engine's clock */
	uint64_t signed_ns; /* likewise by the time of day; 0: an older version's */
};

struct engine_snapshots {
	struct engine_snapshot list[ENGINE_SNAPSHOTS_MAX]; /* the living first, then the newest */
	size_t n, n_alive;
	size_t unreadable; /* there, and not to be read by us or damaged */
	size_t left_out;   /* folders that were not looked at */
};

/* Of `engine` or all; state_dir: look in this folder alone, whatever the engine; either may be
 * NULL. -ENOMEM. */
int engine_snapshots_read(const char *engine, const char *state_dir, struct engine_snapshots **ret);
/* Takes NULL. */
void engine_snapshots_free(struct engine_snapshots *s);

/* The engine it is of; "" when it does not say. */
const char *engine_snapshot_name(const struct engine_snapshot *s);

#endif

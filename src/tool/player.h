/* SPDX-License-Identifier: MIT */
/*
 * The player: reads events as lines and calls a started plugin with them, at once or with the
 * recording's own time between them. When the plugin's recorder is full it waits and calls again:
 * a recording loses nothing.
 */
#ifndef TOCSIN_TOOL_PLAYER_H
#define TOCSIN_TOOL_PLAYER_H

#include <stdbool.h>
#include "tool/event_line.h"

struct player {
	const tocsin_plugin *plugin;
	tocsin_instance *instance;
	const char *name; /* of the input, for messages */
	int interrupt;    /* a descriptor that becomes readable when playing shall end */
	double speed;     /* 1: real time, 2: twice as fast; 0: as fast as possible */
	bool progress;    /* tell on stderr how it goes, once a second */

	/* What came of it. */
	uint64_t events[EVENT_LINE_FAMILIES];
	uint64_t refused;           /* events that the plugin refused as malformed */
	uint64_t waits;             /* times the recorder was full */
	uint64_t first_ns, last_ns; /* earliest and latest time of an event; 0: none */
	uint64_t took_ns;
};

/* Plays all of fd. What is wrong is told on stderr: -EINVAL a line or a call, -EINTR interrupted,
 * else the error of reading. Everything before that line was given to the plugin. */
int player_play(struct player *p, int fd);

uint64_t player_events(const struct player *p);

#endif

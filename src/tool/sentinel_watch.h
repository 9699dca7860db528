/* SPDX-License-Identifier: MIT */
/* One run of an engine, watched by a process of its own until it has ended and is settled. */
#ifndef TOCSIN_TOOL_SENTINEL_WATCH_H
#define TOCSIN_TOOL_SENTINEL_WATCH_H

#include <sys/types.h>

/*
 * In a child process: as the owner of the folder, with the engine's settings loaded beforehand,
 * waits for the end of the run that the recorder is of. After a clean stop there is nothing to do;
 * else rescues it, at once, and again while pages wait and no engine of that name is there to take
 * them over. Returns an exit status: 0: it is settled; 1: it could not be, and why is told.
 */
int sentinel_watch(const char *runtime_path, const char *recorder, pid_t parent);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * snapshot.json in the state folder: the picture as the engine last had it, for operators. Beside
 * the picture it says whose it is: engine_pid and engine_start_ticks (the process's start, as
 * /proc tells it), runtime_dir and recorder (the run's file there, null: in memory alone) and
 * stopped_at (null: not stopped, or not cleanly). engine_signed_at is the time of day at which it
 * was made, once a minute at least while the engine lives; null: a rescue has made it.
 */
#ifndef TOCSIN_ENGINE_SNAPSHOT_FILE_H
#define TOCSIN_ENGINE_SNAPSHOT_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SNAPSHOT_FILE "snapshot.json"
#define SNAPSHOT_FILE_MAX (64u << 20) /* bytes that are read */

/* Adds to a picture's JSON whose it is. stopped_ns: CLOCK_REALTIME, 0 while it runs. -ENOMEM. */
int snapshot_file_sign(json_t *json, const char *runtime_dir, const char *recorder,
		       uint64_t stopped_ns);
/* Replaces the file at once, without waiting for the disk. group: who may read it, (gid_t)-1: only
 * the engine's user. */
int snapshot_file_write(int state, gid_t group, const json_t *json);

/*
 * Reads the file; the caller owns *ret. Root reads it with the rights of the folder's owner, whose
 * or root's it must be. -ENOENT: no engine has been here; -EACCES; -EPERM: it is another user's;
 * -EBADMSG: it is no snapshot.
 *
 * *ret_alive: does the engine live? Its recorder's lock tells, which is read and never mapped or
 * locked. Where it may not be read or there is no such file, the process's number and start must
 * do, which holds in one PID namespace alone.
 */
int snapshot_file_read(const char *state_dir, json_t **ret, bool *ret_alive);

#endif

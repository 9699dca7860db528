/* SPDX-License-Identifier: MIT */
/*
 * The marker: a small durable file in the state folder that says that a run goes on, and is removed
 * by a clean stop. It tells of a death that took the recorder along: the host's.
 */
#ifndef TOCSIN_ENGINE_RUNNING_FILE_H
#define TOCSIN_ENGINE_RUNNING_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/boot.h"
#include "base/descriptor.h"
#include "record/recorder.h"

#define MARKER_FILE "running"
#define MARKER_SESSIONS_MAX 256 /* all that the picture keeps */
#define MARKER_ID_SIZE 256      /* of a session's id, cut and made clean */

/* Some 70 kB: not for a thread's stack. */
struct marker {
	uint8_t epoch[RECORDER_EPOCH_SIZE];
	char boot_id[BOOT_ID_SIZE]; /* marker_write fills this in by itself */
	uint32_t pid;
	uint64_t started_wall_ns, last_event_wall_ns;
	bool clean;        /* the run has ended cleanly, and could not remove the file */
	uint64_t sessions; /* running ones */
	char session_ids[MARKER_SESSIONS_MAX][MARKER_ID_SIZE];
	uint64_t session_starts_ns[MARKER_SESSIONS_MAX]; /* on the wall; 0: not known */
};

/* The file that marker_write has made, kept open: an engine may lose the right to remove it. */
struct marker_file {
	int fd; /* -1: none */
	struct descriptor_identity identity;
	off_t clean_at; /* where it says whether the run has ended cleanly */
};

/* Replaces the file, durably. -errno. */
int marker_write(int folder, const struct marker *m);
/* -ENOENT; -EBADMSG: damaged (it still tells that a run did not end cleanly); -EPROTONOSUPPORT. */
int marker_read(int folder, struct marker *ret);
/* Keeps it open, in place of one that was kept before. -errno: none is kept. */
int marker_keep(int folder, struct marker_file *f);
/* Writes into it, durably, that the run has ended cleanly. -EBADF: none is kept. */
int marker_end(const struct marker_file *f);
void marker_file_done(struct marker_file *f);
/* 0 also when there was none. */
int marker_remove(int folder);

#endif

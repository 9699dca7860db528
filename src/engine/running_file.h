/* SPDX-License-Identifier: MIT */
/*
 * The running file: a small durable file in the state folder. It says that a run has not ended, and
 * a clean stop removes it. It reveals a death that destroyed the recorder too: that of the host.
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

#define RUNNING_FILE "running"
#define RUNNING_FILE_SESSIONS_MAX 256 /* all that the picture keeps */
#define RUNNING_FILE_ID_SIZE 256      /* of a session's id, cut and made clean */

/* Some 70 kB: not for a thread's stack. */
struct running_file {
	uint8_t epoch[RECORDER_EPOCH_SIZE];
	char boot_id[BOOT_ID_SIZE]; /* running_file_write fills this in by itself */
	uint32_t pid;
	uint64_t started_wall_ns, last_event_wall_ns;
	bool clean;        /* the run has ended cleanly, and could not remove the file */
	uint64_t sessions; /* running ones */
	char session_ids[RUNNING_FILE_SESSIONS_MAX][RUNNING_FILE_ID_SIZE];
	uint64_t session_starts_ns[RUNNING_FILE_SESSIONS_MAX]; /* on the wall; 0: not known */
};

/* The file that running_file_write has made, kept open: an engine may lose the right to remove it.
 */
struct running_file_copy {
	int fd; /* -1: none */
	struct descriptor_identity identity;
	off_t clean_at; /* where it says whether the run has ended cleanly */
};

/* Replaces the file, durably. -errno. */
int running_file_write(int folder, const struct running_file *m);
/* -ENOENT; -EBADMSG: damaged (it still tells that a run did not end cleanly); -EPROTONOSUPPORT. */
int running_file_read(int folder, struct running_file *ret);
/* Keeps it open, in place of one that was kept before. -errno: none is kept. */
int running_file_keep(int folder, struct running_file_copy *f);
/* Writes into it, durably, that the run has ended cleanly. -EBADF: none is kept. */
int running_file_end(const struct running_file_copy *f);
void running_file_copy_done(struct running_file_copy *f);
/* 0 also when there was none. */
int running_file_remove(int folder);

#endif

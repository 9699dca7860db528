/* SPDX-License-Identifier: MIT */
/*
 * The saved picture: what a run knows that the next one needs when the recorder is gone. It is one
 * file in the state folder, and the next run goes on from it.
 */
#ifndef TOCSIN_ENGINE_SAVED_PICTURE_H
#define TOCSIN_ENGINE_SAVED_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "record/recorder.h"

#define SAVED_PICTURE_FILE "picture"

/* Who wrote it, and so what it is worth beside a recorder of the same run. */
enum saved_picture_kind {
	SAVED_PICTURE_RESCUED =
		1, /* by a rescue, at the end of a dead run: all of that run is in it */
	SAVED_PICTURE_STOPPED =
		2, /* by a clean stop: all of that run that is still open is in it */
	SAVED_PICTURE_RUNNING =
		3, /* by a living run, for a crash of the host: the recorder knows more */
};

struct saved_picture {
	enum saved_picture_kind kind;
	uint8_t epoch[RECORDER_EPOCH_SIZE]; /* of the last run it has in it */
	uint64_t first_position;            /* of that run: later ones are not in it */
	int64_t wall_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC when it was written */
	bool other_boot;        /* the monotonic clock has begun anew since */
	uint8_t *state;         /* as picture/checkpoint.h writes it; heap */
	size_t len;
};

/* Replaces what there was, durably; other_boot is not looked at. -errno. */
int saved_picture_write(int folder, const struct saved_picture *c);
/* The caller frees ret->state. -ENOENT; -EBADMSG: damaged, and renamed to picture.corrupt;
 * -EPROTONOSUPPORT: a later version's, left. */
int saved_picture_read(int folder, struct saved_picture *ret);
/* 0 also when there was none. */
int saved_picture_remove(int folder);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A dead run's picture that a rescue has brought up to date, kept in the state folder until the
 * engine's next run goes on from it. It is the checkpoint of a recorder that is gone.
 */
#ifndef TOCSIN_RECORD_CARRIED_H
#define TOCSIN_RECORD_CARRIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "record/recorder.h"

#define CARRIED_FILE "picture"

struct carried {
	uint8_t epoch[RECORDER_EPOCH_SIZE]; /* of the last run it has in it */
	uint64_t first_position;            /* of that run: later ones are not in it */
	int64_t wall_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC when it was written */
	bool other_boot;        /* the monotonic clock has begun anew since */
	uint8_t *state;         /* as picture/checkpoint.h writes it; heap */
	size_t len;
};

/* Replaces what there was, durably; other_boot is not looked at. -errno. */
int carried_write(int folder, const struct carried *c);
/* The caller frees ret->state. -ENOENT; -EBADMSG: damaged, and renamed to picture.corrupt;
 * -EPROTONOSUPPORT: a later version's, left. */
int carried_read(int folder, struct carried *ret);
/* 0 also when there was none. */
int carried_remove(int folder);

#endif

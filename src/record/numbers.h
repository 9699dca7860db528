/* SPDX-License-Identifier: MIT */
/*
 * The numbers of an engine name's events: positions that no later run may use again. The state
 * folder keeps how far they are reserved; a run reserves ahead, durably, before it uses them, and
 * gives the rest back when it stops cleanly.
 */
#ifndef TOCSIN_RECORD_NUMBERS_H
#define TOCSIN_RECORD_NUMBERS_H

#include <stdint.h>

/* Positions reserved at a time. */
#define NUMBERS_AHEAD (UINT64_C(1) << 20)

/* The first position never reserved before: 1 where nothing is kept yet. -errno; -EBADMSG. */
int numbers_first(int folder, uint64_t *ret);
/* Reserves everything before `end`, durably. */
int numbers_reserve(int folder, uint64_t end);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The picture as bytes, for the recorder's checkpoint: sessions, status, feeds, open incidents and
 * counts. A sequence of tagged, length-prefixed items, so that a later version can add some and an
 * earlier one step over them. The maxima of the picture make it fit RECORDER_CHECKPOINT_MAX.
 */
#ifndef TOCSIN_PICTURE_CHECKPOINT_H
#define TOCSIN_PICTURE_CHECKPOINT_H

#include "picture/picture.h"

/* Zero-initialise it; its room is reused from call to call, and whoever owns it frees ptr. */
struct checkpoint_buffer {
	uint8_t *ptr;
	size_t len, size;
};

/* Writes the picture over what `buf` held. -ENOMEM: it holds nothing then. */
int checkpoint_encode(const struct picture *p, struct checkpoint_buffer *buf);
/* Writes only what outlives the run when nothing else of it is left: open incidents, and the feeds
 * and pages that they wait for. Sessions and counts end with their run. -ENOMEM as above. */
int checkpoint_encode_open(const struct picture *p, struct checkpoint_buffer *buf);
/*
 * Into a new picture that nothing was applied to. clock_shift_ns is added to every time on the
 * clock: 0, unless the clock began anew since (the machine was booted). -EBADMSG: damaged; the
 * picture is then unusable.
 */
int checkpoint_decode(struct picture *p, const uint8_t *bytes, size_t len, int64_t clock_shift_ns);
/* The latest time on the clock that the picture had seen; 0: none, or it is damaged. */
uint64_t checkpoint_latest(const uint8_t *bytes, size_t len);

#endif

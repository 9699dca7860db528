/* SPDX-License-Identifier: MIT */
/* What the parts of checkpoint_decode share: reading items, and what is put back on the way. */
#ifndef TOCSIN_PICTURE_RESTORE_H
#define TOCSIN_PICTURE_RESTORE_H

#include "picture/picture.h"

/* Bits of an incident's `endpoints`. */
#define ENDPOINT_BITS 32

/* Where the decoder stands; `left` never grows. */
struct cursor {
	const uint8_t *at;
	size_t left;
};

struct item {
	uint16_t tag;
	tocsin_str content; /* a view into the checkpoint */
};

struct cursor cursor_of(tocsin_str s);
/* False: there are not so many bytes. */
bool cursor_take(struct cursor *c, size_t len, tocsin_str *ret);
bool cursor_copy(struct cursor *c, void *to, size_t len);
/* 1 with an item, 0 at the end, -EBADMSG. */
int cursor_next(struct cursor *c, struct item *ret);
/* A fixed part: a later version's may be longer, an earlier one's as short as `least`. */
bool read_fixed(tocsin_str content, void *to, size_t size, size_t least);

/* A picture that is being put back. */
struct restoring {
	struct picture *picture;
	int64_t shift_ns; /* of the clock */
	/* What each saved bit of `endpoints` is in this run, 0 for one there is no more. */
	bool endpoints_named; /* else they are as they were */
	uint32_t endpoints[ENDPOINT_BITS];
};

/* Times on the clock as they are in this run; what was none stays none. */
uint64_t restored_time(const struct restoring *to, uint64_t clock_ns);
struct moment restored_moment(const struct restoring *to, struct moment at);
uint32_t restored_endpoints(const struct restoring *to, uint32_t saved);

/* -EBADMSG, -ENOMEM. */
int restore_rate_limit(struct restoring *to, tocsin_str content);

#endif

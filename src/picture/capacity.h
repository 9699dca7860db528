/* SPDX-License-Identifier: MIT */
/*
 * What a picture has room for is limited. Each limit that is hit is an alert of its own,
 * CAPACITY_REACHED, whose instance names it: at once, then once a minute while it goes on.
 */
#ifndef TOCSIN_PICTURE_CAPACITY_H
#define TOCSIN_PICTURE_CAPACITY_H

#include "picture/picture.h"

/* Raises it of the limits that were hit since it was called last. `r`: the event just applied, or
 * NULL. -ENOMEM: one of the alerts is missing. */
int capacity_look(struct picture *p, const struct record *r, struct moment at);
/* The same of one limit. */
int capacity_raise(struct picture *p, const char *limit, uint32_t priority, const char *text,
		   struct moment at);

#endif

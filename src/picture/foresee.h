/* SPDX-License-Identifier: MIT */
/*
 * Which P1 an event would raise if it were applied now, without applying it: for events that have
 * to wait, so that a person hears of them all the same.
 */
#ifndef TOCSIN_PICTURE_FORESEE_H
#define TOCSIN_PICTURE_FORESEE_H

#include <stdbool.h>
#include "base/text.h"
#include "picture/picture.h"

struct foreseen {
	bool by_rule;
	bool open; /* its incident is open already */
	/* Views of the record. A rule's `instance` is the source. */
	tocsin_str code, session_id, instance;
	struct text_buffer message;
};

/*
 * False, with nothing to free, when it raises no P1. An event that raises several P1s by rules is
 * told by the first one. What events before it would change is not known: an alert that they clear
 * still counts as open.
 */
bool picture_foresee_p1(const struct picture *p, const struct record *r, struct foreseen *ret);
void foreseen_done(struct foreseen *f);

#endif

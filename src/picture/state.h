/* SPDX-License-Identifier: MIT */
/* The inside of a picture, for the checkpoint that saves and restores it. */
#ifndef TOCSIN_PICTURE_STATE_H
#define TOCSIN_PICTURE_STATE_H

#include "picture/picture.h"
#include "picture/rules.h"
#include "picture/storm.h"

struct picture {
	struct picture_settings settings;
	picture_tell *tell;
	void *userdata;
	struct moment now;           /* the latest seen: the clock never goes back */
	uint64_t position;           /* of the event applied last */
	const struct record *record; /* being applied; NULL while deadlines fire */
	bool page_due;               /* the alert told of is one whose first page fell due */
	struct sessions *sessions;
	struct status status;
	struct alerts *alerts;
	struct rules rules;
	struct storm storm;
};

#endif

/* SPDX-License-Identifier: MIT */
/* The inside of a picture, for the checkpoint that saves and restores it. */
#ifndef TOCSIN_PICTURE_STATE_H
#define TOCSIN_PICTURE_STATE_H

#include "picture/picture.h"
#include "picture/rules.h"
#include "picture/rate_limit.h"

/* Codes of which it is said that a CLEAR met nothing. */
#define VAIN_CLEARS_MAX 256

/* What had found no place at the last look. */
struct capacity_seen {
	uint64_t feeds, sessions, running, incidents; /* forgotten */
	uint64_t metadata;                            /* merges that left something out */
	uint64_t unlisted;                            /* pages that a summary does not name */
};

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
	struct rate_limit rate_limit;
	struct capacity_seen capacity;
	uint64_t unlisted; /* pages of incidents that a summary told has not named */
	uint32_t vain_clears[VAIN_CLEARS_MAX]; /* hashes of codes that were cleared in vain */
	size_t n_vain_clears;
};

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a checkpoint: a head, then items of tag, length and content; sessions, feeds and
 * incidents hold items in turn. An unknown tag is stepped over. A fixed part may grow at its end:
 * a reader takes what it knows, and what an earlier version did not write is 0. Numbers are the
 * machine's; tags are never given again.
 */
#ifndef TOCSIN_PICTURE_CHECKPOINT_FORMAT_H
#define TOCSIN_PICTURE_CHECKPOINT_FORMAT_H

#include <stddef.h>
#include "picture/picture.h"
#include "picture/rules.h"
#include "picture/rate_limit.h"

#define CHECKPOINT_MAGIC 0x74706963u /* "tpic" */
#define CHECKPOINT_VERSION 1u

struct checkpoint_head {
	uint32_t magic, version;
};

/* The length follows the tag without a hole. */
struct item_head {
	uint16_t tag;
	uint16_t len[2]; /* a uint32_t */
};

/* Before the bytes of each key and value. */
struct kv_head {
	uint16_t key_len, value_len;
};

enum checkpoint_tag {
	TAG_PICTURE = 1, /* struct picture_fixed */
	TAG_METADATA = 2,
	TAG_SESSION = 3, /* newest first */
	TAG_FEED = 4,
	TAG_INCIDENT = 5,  /* the open ones, newest raise first */
	TAG_ENDPOINTS = 6, /* an item TAG_ID for each bit; before all that has such bits */

	TAG_RATE_LIMIT = 7, /* the limit's: TAG_ID and TAG_CODE are the waiting summary's own */

	TAG_FIXED = 16, /* within those above: their struct below */
	TAG_ID = 17,
	TAG_STATUS = 18,
	TAG_SOURCE = 19,
	TAG_CODE = 20,
	TAG_RAW_CODE = 21,
	TAG_MESSAGE = 22,
	TAG_SESSION_ID = 23,
	TAG_INSTANCE = 24,
	TAG_WENT = 25, /* rate limit: a struct rate_limit_group, oldest first */
	TAG_HELD = 26, /* rate limit: an incident held: struct held_fixed, its id, its code */
	TAG_WENT_URGENT = 27, /* rate limit: as TAG_WENT, of the urgent ones */
	TAG_URGENT = 28,      /* rate limit: a u64, how many urgent ones are held */
};

enum { PICTURE_STARTED = 1, PICTURE_STALLED = 2 };
enum { SESSION_FORMER = 1 };
enum { FEED_UP = 1, FEED_PULSED = 2, FEED_ALARMED = 4 };
enum {
	INCIDENT_BY_RULE = 1,
	INCIDENT_HAS_VALUE = 2,
	INCIDENT_HAS_LIMIT = 4,
	INCIDENT_TRUNCATED = 8,
	INCIDENT_HELD = 16,
	INCIDENT_UNPAGED = 32,
};

struct picture_fixed {
	struct moment now;
	uint64_t position;
	struct moment started_at, last_reconnect, last_drift_report, last_heartbeat;
	uint64_t last_heartbeat_position;
	struct moment running_since;
	uint64_t beat_from_ns;
	struct loss_time losses[2];
	uint64_t raised[3];
	uint64_t flags;
	uint64_t beat_position; /* since 1.1 */
};
#define PICTURE_FIXED_LEAST offsetof(struct picture_fixed, beat_position)

struct session_fixed {
	struct moment started, updated;
	uint64_t flags; /* since 1.1 */
};
#define SESSION_FIXED_LEAST offsetof(struct session_fixed, flags)

struct feed_fixed {
	struct moment up_since, last_pulse, last_sign;
	uint64_t last_sign_position, stale_at_ns, heard_position, flags;
};

struct incident_fixed {
	double value, limit;
	uint64_t number, count;
	struct moment opened, raised;
	uint64_t page_at_ns, paged_at_ns;
	uint32_t priority, paged_priority, repeats, endpoints;
	uint64_t flags, summary;
	/* since 1.1 */
	uint64_t lower_since_ns[2], expires_at_ns, worst;
};
#define INCIDENT_FIXED_LEAST offsetof(struct incident_fixed, lower_since_ns)

struct rate_limit_fixed {
	struct moment since;
	uint64_t raised, resolved, by_priority[3];
	uint64_t unlisted, last_position;
	uint32_t priority, endpoints;
};

struct held_fixed {
	uint16_t id_len, code_len;
	uint8_t ended, priority; /* the priority, 0 in older ones */
	uint16_t pages;          /* likewise */
};

_Static_assert(sizeof(struct item_head) == 6, "no hole");
_Static_assert(sizeof(struct picture_fixed) == 192, "no hole");
_Static_assert(sizeof(struct session_fixed) == 40, "no hole");
_Static_assert(sizeof(struct feed_fixed) == 80, "no hole");
_Static_assert(sizeof(struct incident_fixed) == 144, "no hole");
_Static_assert(sizeof(struct rate_limit_fixed) == 80, "no hole");
_Static_assert(sizeof(struct rate_limit_group) == 16, "no hole");
_Static_assert(sizeof(struct held_fixed) == 8, "no hole");

#endif

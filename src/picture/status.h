/* SPDX-License-Identifier: MIT */
/*
 * The engine's and its feeds' state: uptimes, last reconnect, last drift report, metadata. At most
 * STATUS_FEEDS_MAX feeds are kept. Of those that nothing is awaited of, the least recently heard of
 * goes first; when all are watched, the most recently heard of, so that one that is silent stays.
 */
#ifndef TOCSIN_PICTURE_STATUS_H
#define TOCSIN_PICTURE_STATUS_H

#include <stdbool.h>
#include "base/moment.h"
#include "picture/metadata.h"
#include "record/record.h"

#define STATUS_FEEDS_MAX 256

/* A feed, and what the rules must remember of it. Zero wall_ns in a moment = never. */
struct feed {
	char *source; /* NUL-terminated, source_len tells of a NUL inside */
	size_t source_len;
	bool up;
	struct moment up_since;
	struct moment last_pulse;
	/* The feed rule's: */
	struct moment last_sign;     /* pulse, feed_up or reconnect, whichever came last */
	uint64_t last_sign_position; /* its event */
	uint64_t stale_at_ns;        /* deadline on the clock, 0 = not armed */
	bool pulsed;                 /* a pulse has come once */
	bool alarmed;                /* an incident of its own may be open */
	uint64_t heard_position;     /* of the last event that named it */
	uint32_t hash;               /* of the source */
};

struct status {
	bool started;                 /* a health `start` came */
	struct moment started_at;     /* that, or the plugin's own start */
	struct moment last_reconnect; /* zero: never */
	struct moment last_drift_report;
	struct moment last_heartbeat;
	uint64_t last_heartbeat_position;
	struct metadata metadata;
	uint64_t metadata_cut; /* events whose metadata did not all fit */
	struct feed *feeds;    /* STATUS_FEEDS_MAX of room, heap */
	size_t n_feeds;
	struct feed *last_used; /* the feed asked for last: most events name the same one again */
	uint64_t forgotten;     /* feeds that made room for another, since the picture was made */
	uint16_t *index;        /* of the feeds by hash, private */
};

int status_init(struct status *s, struct moment at);
void status_done(struct status *s);
/* A later run begins: uptimes count anew, a feed's from when it comes up. */
void status_resume(struct status *s, struct moment at);

/* Takes what a health event says about the state; the rules are judged elsewhere. -ENOMEM: the same
 * once more makes it whole. */
int status_apply(struct status *s, const struct record *r, uint64_t position, struct moment at);

/* NULL when it is not known; status_feed makes it (NULL then: no memory). */
struct feed *status_find_feed(const struct status *s, tocsin_str source);
struct feed *status_feed(struct status *s, tocsin_str source);

/* Seconds with milliseconds, 0 before the start or while no feed is up. */
double status_system_uptime(const struct status *s, struct moment now);
double feed_uptime(const struct feed *f, struct moment now);
/* One that is silent for too long is not up, whatever it said last. */
bool feed_is_up(const struct feed *f);
/* Of the feed that came up last, of those that are up. */
double status_feed_uptime(const struct status *s, struct moment now);

#endif

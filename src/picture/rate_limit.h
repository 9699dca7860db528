/* SPDX-License-Identifier: MIT */
/*
 * The rate limit: the most pages in a minute. A page of a single incident is sent while fewer than
 * the limit were sent within the last minute of the clock. The others are held back. As soon as a
 * page may be sent again, one summary replaces them all. Until then every further page is held too,
 * so that none overtakes: a resolution never comes before the page of its raise.
 *
 * - The raise of a P1, a repeat too, is urgent. It is never held for lesser pages, only when as
 * many urgent pages as the limit were sent within the minute. The summary then waits for these
 * alone.
 * - A held incident counts as paged: its repeats and its resolution are held or paged as others.
 *   An incident that is raised and resolved within one summary is counted in both.
 * - The summary counts as one page. It is made at the deadline, after all else that is due then.
 * - ENGINE_DOWN, EVENTS_BLOCKED and PAGER_DEGRADED of a rule are never held and are not counted:
 *   they say that pages may be missing, and EVENTS_BLOCKED quotes alerts that have no page yet.
 *   Pages that nobody gets (paged_priorities) are not counted either.
 * - The minute is exact for limits up to RATE_LIMIT_GROUPS_MAX - 1. Above, pages are counted in
 *   groups that leave the minute together with their last page, so the limit is never exceeded.
 */
#ifndef TOCSIN_PICTURE_RATE_LIMIT_H
#define TOCSIN_PICTURE_RATE_LIMIT_H

#include <stddef.h>
#include <stdint.h>
#include "picture/alerts.h"

/* Ids that a summary carries; those past it are counted alone. */
#define RATE_LIMIT_IDS_MAX 64
#define RATE_LIMIT_GROUPS_MAX 1025
#define RATE_LIMIT_MINUTE_NS (60 * NS_PER_S)
/* Where a summary stands among deadlines of one time: behind every code. */
#define RATE_LIMIT_KEY "storm"

/* What one summary page tells. */
struct rate_limit_summary {
	/* Its alert_id: epoch - position of the first event held - rate limit; where a summary has
	 * that position already, the number after the last one's. */
	char id[ALERT_ID_SIZE];
	uint64_t raised, resolved;      /* pages held, repeats among those raised */
	uint64_t urgent;                /* of those raised */
	uint64_t by_priority[3];        /* of both, P1, P2, P3 */
	uint64_t unlisted;              /* of both, those whose incident found no room in ids */
	uint32_t priority;              /* the gravest of them */
	char code[TOCSIN_CODE_MAX + 1]; /* of the first one held of that priority */
	/* Those where what is resolved here was paged; the listener adds where this page goes, and
	 * the incidents raised here are then taken to have been paged there. */
	uint32_t endpoints;
	uint64_t limit;      /* in force: pages a minute */
	struct moment since; /* the first one held */
	size_t n_ids;
	/* Of the incidents: first held first; once it is arranged, open ones first, then the
	 * gravest. Where there is no room the least of them makes it. */
	char ids[RATE_LIMIT_IDS_MAX][ALERT_ID_SIZE];
	char codes[RATE_LIMIT_IDS_MAX][TOCSIN_CODE_MAX + 1];
	bool ended[RATE_LIMIT_IDS_MAX];         /* its resolution is among what was held */
	uint8_t priorities[RATE_LIMIT_IDS_MAX]; /* 1..3; 0: not known, an older version has saved it
						 */
	uint16_t pages[RATE_LIMIT_IDS_MAX];     /* so many of those held are its */
};

/* Pages that went; they leave the minute when the last one does. */
struct rate_limit_group {
	uint64_t last_ns; /* on the clock */
	uint64_t n;
};

/* The pages of the last minute. */
struct rate_limit_window {
	struct rate_limit_group went[RATE_LIMIT_GROUPS_MAX]; /* a ring, oldest at `first` */
	size_t first, n_groups;
	uint64_t n_went; /* in all groups */
};

/* The limiter's state. */
struct rate_limit {
	uint64_t limit;
	struct rate_limit_window all, urgent; /* the latter are among the former */
	uint64_t last_position;               /* in the last summary's id */
	struct rate_limit_summary held;       /* raised + resolved is 0: nothing waits */
};

/* The number in a summary's alert_id; 0: it is none's. */
uint64_t rate_limit_number(const char *alert_id);

void rate_limit_init(struct rate_limit *s, uint64_t limit);

/* Is it what lesser pages never hold up? */
bool rate_limit_is_urgent(const struct incident *incident, enum page_kind kind);
/* Must a page that falls due now be held? */
bool rate_limit_holds(struct rate_limit *s, bool urgent, struct moment at);
/* One went out. */
void rate_limit_note(struct rate_limit *s, bool urgent, struct moment at);
/* Holds a page, not PAGE_NONE; epoch is the text new ids begin with. */
void rate_limit_hold(struct rate_limit *s, struct incident *incident, enum page_kind kind,
		     const char *epoch, uint64_t position, struct moment at);

bool rate_limit_waits(const struct rate_limit *s);
/* When the summary of what is held may go; UINT64_MAX: nothing is. */
uint64_t rate_limit_due(const struct rate_limit *s);
/* Puts the incidents of what is held into the order in which people want to read of them. */
void rate_limit_arrange(struct rate_limit_summary *held);
/* It went out: nothing is held any more. */
void rate_limit_told(struct rate_limit *s, struct moment at);

/* For the checkpoint: groups oldest first. -EBADMSG for what cannot have been there. */
int rate_limit_restore_group(struct rate_limit_window *w, const struct rate_limit_group *group);
int rate_limit_restore_held(struct rate_limit *s, const struct rate_limit_summary *held,
			    uint64_t last_position);

#endif

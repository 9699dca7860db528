/* SPDX-License-Identifier: MIT */
/*
 * The rules that turn health into alerts: one table of events that raise and clear, and two
 * deadlines, a feed's next pulse and the engine's next heartbeat.
 *
 * When the recorder refused events before a deadline, the deadline raises EVENTS_DROPPED instead
 * and a new interval begins: a feed that is silent in that one too is judged without our losses.
 */
#ifndef TOCSIN_PICTURE_RULES_H
#define TOCSIN_PICTURE_RULES_H

#include "picture/incident.h"
#include "picture/picture.h"

/* Refusals at most that far apart count as one time of losses. */
#define RULES_LOSS_GAP_NS NS_PER_S

/* Four places a source: probes stay short. A power of two. */
#define RULES_INDEX_SIZE (4 * SOURCE_THRESHOLDS_MAX)

struct loss_time {
	uint64_t first_ns, last_ns; /* on the clock; 0: there was none */
};

/* What the rules remember beside sessions, status and alerts, which belong to the picture. */
struct rules {
	const struct picture_settings *settings;
	const struct sessions *sessions;
	struct status *status;
	struct alerts *alerts;
	uint64_t feeds_due_ns;      /* no feed's deadline is earlier; UINT64_MAX: none is armed */
	bool stalled;               /* no heartbeat is awaited until one comes */
	uint64_t beat_position;     /* of the event since which it is awaited anew, else 0 */
	bool down;                  /* an ENGINE_DOWN may be open: the next sign of life looks */
	uint64_t beat_from_ns;      /* where the interval begins after one with losses, else 0 */
	struct loss_time losses[2]; /* the latest, and the one before it */
	/* settings->sources by hash: their number + 1, 0 = none */
	uint16_t index[RULES_INDEX_SIZE];
};

/* A deadline that is due. */
struct rules_deadline {
	uint64_t at_ns;
	struct feed *feed;           /* NULL: the heartbeat's */
	char key[INCIDENT_KEY_SIZE]; /* of the incident it opens */
};

void rules_init(struct rules *rules, const struct picture_settings *settings,
		const struct sessions *sessions, struct status *status, struct alerts *alerts);

/* What counts for that source: its own thresholds, or everybody's. */
const struct thresholds *rules_thresholds(const struct rules *rules, tocsin_str source);
const struct thresholds *rules_feed_thresholds(const struct rules *rules, const struct feed *f);

void rules_note_loss(struct rules *rules, uint64_t first_ns, uint64_t last_ns);
/* Nothing is awaited any more until it gives a sign of life again. */
void rules_disarm(struct rules *rules);
/* No session runs any more: no heartbeat is awaited, and what was raised for want of one ends. */
void rules_end_sessions(struct rules *rules, uint64_t position, struct moment at);
/* A session has ended without completing: what rules opened in it expires. */
void rules_expire_session(struct rules *rules, tocsin_str session_id, struct moment at);
/* The engine is stopped: what watches the engine itself ends, saying so. */
void rules_end_engine(struct rules *rules, struct moment at);
/* No deadline is earlier than that. */
void rules_put_off(struct rules *rules, uint64_t clock_ns);

/* Judges an event that sessions and status have taken already. -ENOMEM: an alert is missing. */
int rules_judge(struct rules *rules, const struct record *r, uint64_t position, struct moment at);

/*
 * What the event would raise, were it judged now: by the first rule at or after *rule, which then
 * moves past that rule. False: by none. The caller frees ret->message.
 */
struct foreseen;
bool rules_foresee(const struct rules *rules, const struct record *r, size_t *rule,
		   struct foreseen *ret);

/* No deadline is earlier; cheap. UINT64_MAX: none is armed. */
uint64_t rules_due(const struct rules *rules);
/* The earliest deadline, exactly. */
uint64_t rules_next_deadline(const struct rules *rules);
/* The first deadline, in order of (time, key), that is not after clock_ns; false: there is none. */
bool rules_take_due(struct rules *rules, uint64_t clock_ns, struct rules_deadline *ret);
/* Raises what that deadline raises. -ENOMEM. */
int rules_fire(struct rules *rules, const struct rules_deadline *d, struct moment at);

/* Is a figure beyond its threshold, or none at all? For drift and risk. */
bool drift_breaches(double drift, double threshold);
bool risk_breaches(double value, double limit);

#endif

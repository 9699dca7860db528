/* SPDX-License-Identifier: MIT */
/*
 * Alerts and the incidents that they open. A key identifies an incident; a raise of an open one
 * adds to its count. This module decides which changes are paged: the opening (or staying open for
 * page_after), a repeat after repeat_interval, and the resolution when the incident was paged. The
 * priority is that of the last raise. A rise is paged at once when it is above the priority that
 * was last paged, or when the priority had been lower for rise_again_after.
 *
 * An event, and an incident that nothing else can end, expires event_expires after its last raise.
 *
 * At most ALERTS_OPEN_MAX incidents are open. When one more comes, the oldest of the least priority
 * is dropped, but never an open P1. A P1 that finds no room is logged and paged at once and not
 * kept. At most ALERTS_RECENT_MAX resolved incidents are kept, for 24 hours.
 */
#ifndef TOCSIN_PICTURE_ALERTS_H
#define TOCSIN_PICTURE_ALERTS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/moment.h"
#include "codes/code.h"
#include "picture/metadata.h"
#include "record/recorder.h"

#define ALERTS_OPEN_MAX 256
/* Places beyond those, for what says that a limit was hit: feeds, sessions, incidents, events,
 * metadata, names, summary. */
#define ALERTS_OPEN_RESERVED 7
#define ALERTS_CAPACITY "CAPACITY_REACHED"
#define ALERTS_RECENT_MAX 512
#define ALERTS_RECENT_NS (UINT64_C(86400) * NS_PER_S)
/* epoch (32 hex digits) - position - rule, and a NUL */
#define ALERT_ID_SIZE 80

enum page_kind { PAGE_NONE, PAGE_RAISED, PAGE_REPEAT, PAGE_RESOLVED };

struct incident {
	char id[ALERT_ID_SIZE]; /* alert_id */
	char *key;              /* CODE session=S source=S instance=I, those that apply */
	char *code;
	char *raw_code; /* as given, when `code` became GENERAL; else NULL */
	char *message;  /* of the last raise; all texts as given, but with U+FFFD for each NUL */
	/* What was said when it ended, by whoever ended it; NULL: nothing. */
	char *resolution;
	char *session_id, *source, *instance; /* NULL when absent */
	struct metadata metadata;             /* of the last raise, or what its end was told with */
	double value, limit;
	bool has_value, has_limit, truncated;
	bool open;
	bool by_rule;
	bool held;         /* its first page is told by a summary that is due: see rate_limit.h */
	bool unpaged;      /* nobody is paged for it */
	uint32_t priority; /* of the last raise, 1..3 */
	uint32_t worst;    /* the gravest raised */
	uint64_t lower_since_ns[2]; /* since when it is below P1, P2; 0: it is not, or never was */
	uint64_t number; /* of the last raise: its event's position; for a deadline its cause's */
	uint64_t count;  /* raises */
	struct moment opened, raised, resolved; /* raised: the last time */
	uint64_t page_at_ns;     /* deadline of its first page on the clock, 0 = none */
	uint64_t expires_at_ns;  /* when it ends by itself unless it is raised again, 0 = never */
	uint32_t paged_priority; /* of the last page, 0 = never paged */
	uint64_t paged_at_ns;    /* on the clock */
	uint32_t repeats;        /* .repeat-N pages so far */
	uint32_t endpoints;      /* bit per endpoint that was given a page; set by the dispatcher */
	uint64_t summary;        /* the number in the id of the last summary that paged it, or 0 */
	struct incident *next;   /* in order of `raised`, newest first */
};

/* The gravest priority it ever had. */
static inline uint32_t incident_worst(const struct incident *i)
{
	return i->worst > 0 && i->worst < i->priority ? i->worst : i->priority;
}

/* What a raise says, whoever makes it. */
struct raise {
	const char *rule; /* "call", "feed", "stall", ...: part of the alert_id */
	bool by_rule;
	bool at_once;    /* whatever page_after says */
	bool page_again; /* an open incident is paged again at once: this is a change of its own */
	bool unpaged;    /* for the log alone */
	bool expires;    /* it ends by itself when it is not raised again for event_expires */
	tocsin_str code; /* as given; unusable ones become GENERAL */
	uint32_t priority; /* 0 = the code's own; above 3 is 3 */
	tocsin_str message, session_id, source, instance;
	const tocsin_kv *kv;
	size_t n_kv;
	double value, limit;
	bool has_value, has_limit, truncated;
	uint64_t cause; /* position of the event that opens it */
};

/* Told for each change of an incident. */
typedef void alerts_tell(void *userdata, struct incident *incident, enum page_kind page,
			 struct moment at);

struct alerts_settings {
	uint8_t epoch[RECORDER_EPOCH_SIZE];
	uint64_t repeat_interval_ns; /* 0: never again */
	uint64_t rise_again_after_ns;
	uint64_t event_expires_ns; /* 0: never */
	bool has_page_after;       /* page_after_ns overrides every code's */
	uint64_t page_after_ns;
	uint64_t max_pages_per_minute; /* 0: no limit; see rate_limit.h */
	/* Incidents of which priorities somebody is paged for, a bit each from P1 = 1; the others
	 * count for no limit. 0: of all. */
	uint32_t paged_priorities;
	code_lookup *lookup;
	void *lookup_userdata;
};

struct alerts;

struct alerts *alerts_new(const struct alerts_settings *settings, alerts_tell *tell,
			  void *userdata);
void alerts_free(struct alerts *a);

/* What the ids of new incidents begin with from now on. */
void alerts_set_epoch(struct alerts *a, const uint8_t epoch[static RECORDER_EPOCH_SIZE]);

/* Opens an incident or counts it up, and tells. -ENOMEM. */
int alerts_raise(struct alerts *a, const struct raise *raise, struct moment at);
/* Resolves the incident of that key, and tells; -ENOENT when none is open. */
int alerts_clear(struct alerts *a, bool by_rule, tocsin_str code, tocsin_str session_id,
		 tocsin_str source, tocsin_str instance, struct moment at);
/*
 * The same of the incident that this would raise again, saying so: its message and its metadata,
 * where it has any, are the resolution's. Without memory a rule's is resolved all the same; one by
 * call is left as it is: -ENOMEM.
 */
int alerts_clear_saying(struct alerts *a, const struct raise *clear, struct moment at);
/* Resolves each open incident of that code that a rule opened, that raised longest ago first, and
 * tells; how many there were. `why` may be absent. */
size_t alerts_clear_all(struct alerts *a, tocsin_str code, tocsin_str why, struct moment at);
/* The same of those in that session alone. */
size_t alerts_clear_session(struct alerts *a, tocsin_str code, tocsin_str session_id,
			    tocsin_str why, struct moment at);
/* The summary of that number told of those `held`, at these endpoints: they are held no more. */
void alerts_note_summary(struct alerts *a, uint64_t number, uint32_t endpoints);
/* A page with that alert_id, an incident's or a summary's, goes to these endpoints as well. */
void alerts_note_endpoints(struct alerts *a, const char *alert_id, uint32_t endpoints);
/* What the ids of new incidents begin with. */
const char *alerts_epoch(const struct alerts *a);
/* The remembered incident of that alert_id, or NULL. */
struct incident *alerts_find_id(struct alerts *a, const char *id);
/* The open incident of that key, or NULL. */
const struct incident *alerts_find(const struct alerts *a, bool by_rule, tocsin_str code,
				   tocsin_str session_id, tocsin_str source, tocsin_str instance);

/* Those of a rule in a session that has ended otherwise expire, unless they are raised again. */
void alerts_expire_session(struct alerts *a, tocsin_str code, tocsin_str session_id,
			   struct moment at);
/* A clean stop has left these open: what this run neither raises nor clears expires. ENGINE_DOWN
 * and PAGER_DEGRADED end otherwise. */
void alerts_expire_left(struct alerts *a, struct moment at);

/* The earliest deadline, of a first page or an end, and whose it is; UINT64_MAX, NULL when there is
 * none. */
uint64_t alerts_next_deadline(const struct alerts *a, const char **ret_key);
/* Is it that of a page? */
bool alerts_next_is_page(const struct alerts *a);
/* Pages the incident whose deadline that is, or ends it. `at` is the deadline's moment. */
void alerts_fire(struct alerts *a, struct moment at);
/* Pages the one whose page is due first, whenever that is; false: none waits. */
bool alerts_page_waiting(struct alerts *a, struct moment at);

/* Newest raise first: open ones and those resolved within 24 h of `now`. Follow ->next. */
const struct incident *alerts_recent(struct alerts *a, struct moment now);
/* Raises so far of priority 1..3, since the engine's first start under this checkpoint. */
uint64_t alerts_raised(const struct alerts *a, uint32_t priority);
size_t alerts_open(const struct alerts *a);
/* Open incidents that made room for another, or found none. */
uint64_t alerts_forgotten(const struct alerts *a);

/*
 * For the checkpoint: an open incident with the lengths of its identifiers.
 * Walk them from alerts_newest by ->next, resolved ones among them, and restore in that order.
 */
struct alerts_saved {
	const struct incident *incident;
	size_t session_len, source_len, instance_len;
};

const struct incident *alerts_newest(const struct alerts *a);
struct alerts_saved alerts_save(const struct incident *incident);
/* Copies; -EBADMSG for what cannot have been there. */
int alerts_restore(struct alerts *a, const struct alerts_saved *saved);
/* Raises so far of P1, P2, P3. */
void alerts_restore_raised(struct alerts *a, const uint64_t raised[static 3]);

/* Could it be an alert_id? */
bool alert_id_is_usable(const char *id);

#endif

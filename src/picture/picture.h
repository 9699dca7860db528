/* SPDX-License-Identifier: MIT */
/*
 * The operators' picture: sessions, status and alerts, with the rules that turn health into alerts.
 * It depends on nothing else: records and time go in, changes come out through one callback. The
 * same records at the same times give the same changes. One thread uses it.
 *
 * A deadline at or before a record's time fires before that record, at the deadline's own time;
 * deadlines fire in the order of (time, key).
 */
#ifndef TOCSIN_PICTURE_PICTURE_H
#define TOCSIN_PICTURE_PICTURE_H

#include <jansson.h>
#include "base/moment.h"
#include "picture/alerts.h"
#include "picture/sessions.h"
#include "picture/status.h"
#include "settings/thresholds.h"
#include "record/record.h"

enum change_kind {
	CHANGE_SESSION, /* a session was created or changed: `record`, `session` */
	CHANGE_HEALTH,  /* a health event came: `record` */
	CHANGE_ALERT,   /* an incident changed: `incident`, `page` */
	CHANGE_TROUBLE, /* something told cannot be right: `text`, `record` */
	CHANGE_NOTE,    /* something told may not be what was meant: `text`, `record` */
	CHANGE_SUMMARY, /* pages were held back by the limit: `summary` is due as one page */
};

/* One thing worth telling. Pointers live for the call. */
struct change {
	enum change_kind kind;
	struct moment at;
	uint64_t position; /* of the event it comes from; of a deadline: the one applied last */
	const struct record *record;
	const struct session *session;
	struct incident *incident; /* its `endpoints` may be set by the listener */
	enum page_kind page;
	bool page_only;   /* CHANGE_ALERT: all that changed is that the first page fell due */
	const char *text; /* CHANGE_TROUBLE, CHANGE_NOTE: one line for a person */
	struct rate_limit_summary
		*summary; /* CHANGE_SUMMARY: see rate_limit.h; its `endpoints` may be set */
};

typedef void picture_tell(void *userdata, const struct change *change);

struct picture_settings {
	struct alerts_settings alerts;
	uint64_t heartbeat_timeout_ns; /* 0: off */
	struct thresholds thresholds;
	/* Those of sources that have their own, at most SOURCE_THRESHOLDS_MAX, no source twice;
	 * they must outlive the picture. */
	const struct source_thresholds *sources;
	size_t n_sources;
	bool risk, execution_errors, session_failures; /* rules without a setting of their own */
	/* What each bit of an incident's `endpoints` stands for, so that a checkpoint is right for
	 * a run whose settings name them in another order. They must outlive the picture. */
	const char *const *endpoints;
	unsigned n_endpoints;
	/*
	 * Asked whenever a step has found no memory and has changed nothing: may take its time, and
	 * true means that the step is to be tried again. False, or NULL: the step is left out, and
	 * told.
	 */
	bool (*wait_for_memory)(void *userdata);
	void *wait_userdata;
};

/* Is a step that ended with that result to be tried again? */
bool picture_tries_again(const struct picture_settings *settings, int result);

struct picture;

/* tell may be NULL: nobody listens. -ENOMEM. */
int picture_new(const struct picture_settings *settings, struct moment at, picture_tell *tell,
		void *userdata, struct picture **ret);
void picture_free(struct picture *p);

/*
 * The recorder refused events between these times on the clock: the last one at last_ns, the first
 * not before first_ns. A feed or heartbeat deadline whose interval contains a loss raises
 * EVENTS_DROPPED instead.
 */
void picture_note_loss(struct picture *p, uint64_t first_ns, uint64_t last_ns);

/* Fires what is due at or before `at`, then applies the record. */
void picture_apply(struct picture *p, const struct record *r, uint64_t position, struct moment at);
/* Fires what is due at or before `now`. */
void picture_advance(struct picture *p, struct moment now);
/* When picture_advance has something to do, at the latest; UINT64_MAX: nothing is armed. */
uint64_t picture_next_deadline(const struct picture *p);
/* The latest moment it has seen. */
struct moment picture_now(const struct picture *p);

/*
 * A later run goes on from here: its incidents are named by its own epoch and its uptime counts
 * from `at`. Counts and open incidents stay, and sessions as those of a former run; what watches
 * for silence is armed again by the first sign of life, since a dead run's silence is told as
 * ENGINE_DOWN. Pages that fell due at or before `at` are told, each at its own time.
 */
void picture_resume(struct picture *p, const uint8_t epoch[static RECORDER_EPOCH_SIZE],
		    struct moment at);
/*
 * The run has ended without a clean stop: each session that ran is lost, and told, and nothing is
 * awaited of them.
 */
void picture_lose_sessions(struct picture *p, struct moment at);
/* The same of one that is known from elsewhere: since `started`, which may be zero. -ENOMEM. */
int picture_lose_session(struct picture *p, tocsin_str id, struct moment started, struct moment at);
/* The engine is stopped cleanly: incidents of what watches the engine itself end. */
void picture_stop(struct picture *p, struct moment at);
/*
 * Incidents of tocsin's own (raise->by_rule is set). As alerts_raise and alerts_clear. They come
 * from beside the events, so no deadline fires first and the clock stays where it is. The first
 * heartbeat or sign of a feed that is applied afterwards resolves each ENGINE_DOWN.
 */
int picture_raise(struct picture *p, const struct raise *raise, struct moment at);
int picture_clear(struct picture *p, tocsin_str code, tocsin_str instance, struct moment at);
/* Raises CAPACITY_REACHED of a limit beside the picture: see capacity.h. */
int picture_raise_capacity(struct picture *p, const char *limit, uint32_t priority,
			   const char *text, struct moment at);
/* Tells a summary that is due later, because the engine stops. */
void picture_tell_summary(struct picture *p, struct moment at);
/* Pages at once what still waits for its page_after, and tells a summary that is due later: nobody
 * will be there to do so then. */
void picture_page_waiting(struct picture *p, struct moment at);

const struct sessions *picture_sessions(const struct picture *p);
const struct status *picture_status(const struct picture *p);
struct alerts *picture_alerts(struct picture *p);

#endif

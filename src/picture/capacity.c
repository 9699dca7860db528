/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/capacity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "picture/state.h"

/* How often it is said that a limit is still being hit. */
#define CAPACITY_AGAIN_NS (60 * NS_PER_S)

int capacity_raise(struct picture *p, const char *limit, uint32_t priority, const char *text,
		   struct moment at)
{
	static const tocsin_str none;
	char rule[32];
	const struct incident *open =
		alerts_find(p->alerts, true, STR(ALERTS_CAPACITY), none, none, str(limit));
	struct raise raise = {
		.rule = rule,
		.by_rule = true,
		.at_once = true,
		.expires = true,
		.code = STR(ALERTS_CAPACITY),
		.priority = priority,
		.message = str(text),
		.instance = str(limit),
		.cause = p->position,
	};

	if (open && open->priority <= priority &&
	    at.clock_ns - open->raised.clock_ns < CAPACITY_AGAIN_NS)
		return 0;
	snprintf(rule, sizeof rule, "capacity-%s", limit);
	return alerts_raise(p->alerts, &raise, at);
}

/* What the event is about, for people: heap, or NULL. */
static char *subject_of(const struct record *r)
{
	tocsin_str id = !r                      ? (tocsin_str){ NULL, 0 }
			: r->source.len > 0     ? r->source
			: r->session_id.len > 0 ? r->session_id
						: r->code;

	return id.len > 0 ? text_to_line(id) : NULL;
}

static int look_at_feeds(struct picture *p, const char *subject, struct moment at)
{
	char text[512];

	snprintf(text, sizeof text,
		 "more than %d feeds report: for %.255s another one is not watched any more, and "
		 "its silence would raise no alert",
		 STATUS_FEEDS_MAX, subject ? subject : "one without a name");
	return capacity_raise(p, "feeds", 1, text, at);
}

static int look_at_sessions(struct picture *p, bool runs, struct moment at)
{
	char text[256];

	snprintf(text, sizeof text,
		 "more than %d sessions are known: one that %s is not shown any more%s",
		 SESSIONS_MAX, runs ? "runs" : "has ended",
		 runs ? ", and no rule watches it" : "; the log still has it");
	return capacity_raise(p, "sessions", runs ? 2 : 3, text, at);
}

static int look_at_incidents(struct picture *p, struct moment at)
{
	char text[256];

	snprintf(text, sizeof text,
		 "more than %d incidents are open: one of the least priority is not kept any more, "
		 "and its end will not be paged",
		 ALERTS_OPEN_MAX);
	return capacity_raise(p, "incidents", 1, text, at);
}

static int look_at_event(struct picture *p, const char *subject, struct moment at)
{
	char text[640];

	snprintf(text, sizeof text,
		 "event #%" PRIu64 " (%.255s) did not fit: of an event at most %u bytes of text, "
		 "%u bytes of each id and %d keys are kept; the rest of it is in no log and on no "
		 "page",
		 p->position, subject ? subject : "health of the engine", TOCSIN_TEXT_MAX,
		 TOCSIN_ID_MAX, RECORD_KV_MAX);
	return capacity_raise(p, "events", 3, text, at);
}

static int look_at_metadata(struct picture *p, const char *subject, struct moment at)
{
	char text[512];

	snprintf(text, sizeof text,
		 "the metadata of %.255s has no more room: at most %d keys and %u bytes are kept; "
		 "the log has what was left out, the picture has not",
		 subject ? subject : "the engine", METADATA_MAX, TOCSIN_TEXT_MAX);
	return capacity_raise(p, "metadata", 3, text, at);
}

static int look_at_summary(struct picture *p, uint64_t unlisted, struct moment at)
{
	char text[256];

	snprintf(text, sizeof text,
		 "a summary page names at most %d incidents: %" PRIu64
		 " pages that it replaces are of others; the log has an entry of each",
		 RATE_LIMIT_IDS_MAX, unlisted);
	return capacity_raise(p, "summary", 3, text, at);
}

/* An alert whose text was cut says so itself, in the log and on its page; that keys of its metadata
 * are missing nobody would see. */
static bool event_is_cut(const struct record *r)
{
	return r && r->truncated && (r->type != RECORD_ALERT || r->n_kv == RECORD_KV_MAX);
}

int capacity_look(struct picture *p, const struct record *r, struct moment at)
{
	uint64_t running, sessions = sessions_forgotten(p->sessions, &running);
	const struct capacity_seen seen = p->capacity;
	struct capacity_seen now = {
		.feeds = p->status.forgotten,
		.sessions = sessions,
		.running = running,
		.incidents = alerts_forgotten(p->alerts),
		.metadata = p->status.metadata_cut + sessions_metadata_cut(p->sessions),
		.unlisted = p->unlisted,
	};
	_cleanup_free_ char *subject = NULL;
	bool cut = event_is_cut(r);
	int error = 0;

	p->capacity = now;
	if (cut || now.feeds > seen.feeds || now.metadata > seen.metadata)
		subject = subject_of(r);
	if (now.feeds > seen.feeds)
		error |= look_at_feeds(p, subject, at);
	if (now.sessions > seen.sessions)
		error |= look_at_sessions(p, now.running > seen.running, at);
	if (now.incidents > seen.incidents)
		error |= look_at_incidents(p, at);
	if (cut)
		error |= look_at_event(p, subject, at);
	if (now.metadata > seen.metadata)
		error |= look_at_metadata(p, subject, at);
	if (now.unlisted > seen.unlisted)
		error |= look_at_summary(p, now.unlisted - seen.unlisted, at);
	/* CAPACITY_REACHED has slots of its own, and takes none from others. */
	return error < 0 ? -ENOMEM : 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The reader waits for a record that a thread of the engine has begun and not finished: events are
 * applied in their order, so all that others push waits behind it. When that has lasted, a person
 * hears of it: EVENTS_BLOCKED says since when, how much waits, and quotes each P1 among it. Nothing
 * of what waits is applied before its turn, so no announcement can be wrong about the picture. Once
 * the record is there, everything behind it is applied as usual and EVENTS_BLOCKED is resolved.
 */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "picture/foresee.h"

#define PATIENCE_NS (500 * NS_PER_MS) /* before it is announced */
#define LOOK_NS (100 * NS_PER_MS)     /* between two looks behind it, and so two pages */
/* No limit of pages holds an announcement back, so these have their own: behind one hole the first
 * ones come with each look, the others that far apart; each quotes what has come meanwhile. */
#define PAGES_AT_ONCE 16
#define LATER_PAGES_NS (5 * NS_PER_S)
#define QUOTE_MAX 160    /* bytes of each text in a quote */
#define QUOTES_ROOM 1900 /* bytes of a page's message that begin no further quote */

/* --- What waits behind it --- */

static bool was_seen(struct blockage *b, const struct foreseen *f)
{
	/* One that rules raise at each event is the same as long as its incident would be. */
	const tocsin_str parts[] = {
		f->code,
		f->session_id,
		f->instance,
		f->by_rule ? STR("") : (tocsin_str){ f->message.ptr, f->message.len },
	};
	uint32_t hash = f->by_rule;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		hash = (hash ^ hash_text(parts[i])) * 16777619u;
	for (size_t i = 0; i < b->n_seen; i++)
		if (b->seen[i] == hash)
			return true;
	/* When there is no more room a page too many goes out, not one too few. */
	if (b->n_seen < BLOCKAGE_QUOTES_MAX)
		b->seen[b->n_seen++] = hash;
	return false;
}

_Static_assert(QUOTES_ROOM + 4 * (QUOTE_MAX + 32) + 256 < TOCSIN_TEXT_MAX,
	       "a message, with the facts beside it, is not cut");

static void note_found(struct dispatcher *d, const struct record *r, uint64_t position)
{
	struct blockage *b = &d->blockage;
	struct foreseen f;

	if (b->waiting++ == 0)
		b->behind_wall_ns =
			r->wall_ns > 0 ? r->wall_ns : r->mono_ns + (uint64_t)d->wall_offset_ns;
	if (!d->picture || !picture_foresee_p1(d->picture, r, &f))
		return;
	b->p1++;
	if (!(f.by_rule && f.open) && !was_seen(b, &f) && b->n_unquoted < BLOCKAGE_QUOTES_MAX)
		b->unquoted[b->n_unquoted++] = position;
	foreseen_done(&f);
}

/* Looks at one position, for the first time or once more. As recorder_look. */
static int position_look(struct dispatcher *d, uint64_t position, uint64_t *ret_next)
{
	const uint8_t *bytes;
	struct record record;
	size_t len;
	int r = recorder_look(d->recorder, position, &bytes, &len, ret_next);

	if (r == 1 && record_decode(bytes, len, &record) == 0)
		note_found(d, &record, position);
	return r;
}

/* Others may be held too, or just be writing: they are looked at again each time. */
static void gaps_look(struct dispatcher *d)
{
	struct blockage *b = &d->blockage;
	size_t kept = 0;

	for (size_t i = 0; i < b->n_gaps; i++) {
		uint64_t next;

		if (position_look(d, b->gaps[i], &next) == -EAGAIN)
			b->gaps[kept++] = b->gaps[i];
	}
	b->n_gaps = kept;
}

static void look_behind(struct dispatcher *d)
{
	struct blockage *b = &d->blockage;
	uint64_t head = recorder_head(d->recorder);

	gaps_look(d);
	while (b->cursor < head && b->n_gaps < BLOCKAGE_GAPS_MAX) {
		uint64_t next = b->cursor + 1;

		if (position_look(d, b->cursor, &next) == -EAGAIN)
			b->gaps[b->n_gaps++] = b->cursor;
		b->cursor = next;
	}
}

/* --- The announcement --- */

/* What is cut is cut after it was made fit for a line, which makes it longer. */
static void quote_part(struct text_buffer *b, const char *before, tocsin_str part,
		       const char *after)
{
	_cleanup_free_ char *line = text_to_line(part);
	tocsin_str cut = text_cut(str(line), QUOTE_MAX);

	if (part.len == 0)
		return;
	text_buffer_add(b, str(before));
	text_buffer_add(b, cut);
	text_buffer_add(b, str(line && cut.len < strlen(line) ? "..." : ""));
	text_buffer_add(b, str(after));
	b->failed |= !line;
}

/* CODE in session S (I): message */
static void quote(struct dispatcher *d, uint64_t position, struct text_buffer *b)
{
	const uint8_t *bytes;
	struct record record;
	struct foreseen f;
	uint64_t next;
	size_t len;

	if (recorder_look(d->recorder, position, &bytes, &len, &next) != 1 ||
	    record_decode(bytes, len, &record) < 0 || !picture_foresee_p1(d->picture, &record, &f))
		return;
	text_buffer_printf(b, "; #%" PRIu64 " ", position);
	quote_part(b, "", f.code.len > 0 ? f.code : STR("GENERAL"), "");
	quote_part(b, " in session ", f.session_id, "");
	quote_part(b, " (", f.instance, ")");
	quote_part(b, ": ", (tocsin_str){ f.message.ptr, f.message.len }, "");
	foreseen_done(&f);
}

/* Returns how many of those unquoted it quotes. */
static size_t message_make(struct dispatcher *d, struct text_buffer *m)
{
	const struct blockage *b = &d->blockage;
	char lasted[TIME_TEXT_SIZE], from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
	uint64_t from_ns = d->last_event_wall_ns > 0 ? d->last_event_wall_ns : d->started_wall_ns;
	size_t n = 0;

	text_buffer_printf(m, "a thread of engine %s %s stopped inside a call to tocsin for %s",
			   d->settings->engine_name, b->told ? "is still" : "has been",
			   duration_to_text(b->waited_ns, lasted));
	text_buffer_printf(m, " (event #%" PRIu64 ", begun after %s", b->position,
			   time_to_rfc3339(from_ns, from));
	if (b->waiting > 0)
		text_buffer_printf(m, " and before about %s",
				   time_to_rfc3339(b->behind_wall_ns, to));
	/* Behind so many that are not written either nobody has looked. */
	text_buffer_printf(m,
			   "); behind it wait %s%" PRIu64 " events, %" PRIu64 " of them P1 alerts",
			   b->n_gaps == BLOCKAGE_GAPS_MAX ? "at least " : "", b->waiting, b->p1);
	while (n < b->n_unquoted && m->len < QUOTES_ROOM && !m->failed)
		quote(d, b->unquoted[n++], m);
	text_buffer_add(m,
			STR("; until that call continues, no event is applied, no rule is judged "
			    "and no feed or heartbeat is watched"));
	return n;
}

static void announce_without_picture(struct dispatcher *d)
{
	dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_CRIT,
			"a thread of engine %s is stopped inside its first call to tocsin: no "
			"event is applied until it continues",
			d->settings->engine_name);
	d->blockage.told = true;
}

static void announce(struct dispatcher *d)
{
	_cleanup_(text_buffer_done) struct text_buffer message = { 0 };
	struct blockage *b = &d->blockage;
	char position[24], waiting[24], p1[24], since[TIME_TEXT_SIZE];

	if (!d->picture) {
		announce_without_picture(d);
		return;
	}
	size_t quoted = message_make(d, &message);
	snprintf(position, sizeof position, "%" PRIu64, b->position);
	snprintf(waiting, sizeof waiting, "%" PRIu64, b->waiting);
	snprintf(p1, sizeof p1, "%" PRIu64, b->p1);
	const tocsin_kv facts[] = {
		{ STR("blocked_at"), str(position) },
		{ STR("blocked_since"), str(time_to_rfc3339(b->since_wall_ns, since)) },
		{ STR("events_waiting"), str(waiting) },
		{ STR("p1_waiting"), str(p1) },
	};
	struct raise raise = {
		.rule = "blocked",
		.by_rule = true,
		.at_once = true,
		.page_again = true,
		.code = STR(BLOCKED_CODE),
		.message = { message.ptr, message.len },
		.kv = facts,
		.n_kv = sizeof facts / sizeof *facts,
		.cause = b->position,
	};
	if (!b->told)
		recorder_note_blocked(d->recorder, b->position);
	/* Without memory it is tried again at the next look. */
	if (message.failed || picture_raise(d->picture, &raise, dispatcher_now(d)) < 0)
		return;
	d->changes++;
	b->told = true;
	b->n_pages++;
	b->paged_ns = b->looked_ns;
	b->n_unquoted -= quoted;
	memmove(b->unquoted, b->unquoted + quoted, b->n_unquoted * sizeof *b->unquoted);
}

/* --- Each turn --- */

static void blockage_end(struct dispatcher *d)
{
	struct blockage *b = &d->blockage;
	char lasted[TIME_TEXT_SIZE];

	if (b->told) {
		if (d->picture)
			picture_clear(d->picture, STR(BLOCKED_CODE), str(NULL), dispatcher_now(d));
		dispatcher_note(
			d, ENTRY_KIND_TROUBLE, LOG_NOTICE,
			"the thread that was stopped inside a call to tocsin (event #%" PRIu64
			") continued after %s: the events that waited behind it are applied",
			b->position, duration_to_text(b->waited_ns, lasted));
		d->changes++;
	}
	*b = (struct blockage){ 0 };
}

static void blockage_begin(struct dispatcher *d, uint64_t now_ns)
{
	d->blockage = (struct blockage){
		.position = d->next,
		.cursor = d->next,
		.since_wall_ns = now_ns + (uint64_t)d->wall_offset_ns,
		.turn_ns = now_ns,
	};
}

void dispatcher_watch_blockage(struct dispatcher *d, bool blocked, bool hurry, uint64_t now_ns)
{
	struct blockage *b = &d->blockage;

	if (b->position != 0 && (!blocked || b->position != d->next))
		blockage_end(d);
	if (!blocked)
		return;
	if (b->position == 0)
		blockage_begin(d, now_ns);
	/* Where the whole process was stopped, its threads go on in any order: what counts is how
	 * long this one has been looking. */
	uint64_t turn_ns = now_ns - b->turn_ns;
	b->waited_ns += turn_ns < LOOK_NS ? turn_ns : LOOK_NS;
	b->turn_ns = now_ns;
	if (!hurry && (b->waited_ns < PATIENCE_NS || now_ns - b->looked_ns < LOOK_NS))
		return;
	b->looked_ns = now_ns;
	look_behind(d);
	if (!hurry && b->n_pages >= PAGES_AT_ONCE && now_ns - b->paged_ns < LATER_PAGES_NS)
		return;
	for (bool first = !b->told; first || (b->told && b->n_unquoted > 0); first = false) {
		size_t before = b->n_unquoted;

		announce(d);
		/* One page a look; all that is left only where there is no other look. */
		if (!hurry || b->n_unquoted == before)
			break;
	}
}

bool dispatcher_blockage_is_told(const struct dispatcher *d)
{
	return d->blockage.told && d->blockage.n_unquoted == 0;
}

void dispatcher_count_unread(struct dispatcher *d)
{
	struct blockage *b = &d->blockage;

	*b = (struct blockage){ .position = b->position,
				.since_wall_ns = b->since_wall_ns,
				.waited_ns = b->waited_ns,
				.cursor = d->next };
	look_behind(d);
}

/* --- In a recovery --- */

void dispatcher_end_recorder_alerts(struct dispatcher *d)
{
	static const char *const codes[] = { BLOCKED_CODE, LOST_CODE };

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		alerts_clear_all(picture_alerts(d->picture), str(codes[i]),
				 STR("that run has ended"), picture_now(d->picture));
}

/*
 * What waits behind a record that will never be there is applied by a recovery, so that run's
 * announcements end. One that was paged after the last checkpoint is in no picture: it is drawn
 * again, under its own id, so that it ends for whoever received it.
 */
void dispatcher_end_blockages(struct dispatcher *d, const struct recorder_image_facts *facts)
{
	struct alerts *alerts = picture_alerts(d->picture);
	char id[ALERT_ID_SIZE];

	dispatcher_end_recorder_alerts(d);
	for (size_t i = 0; i < RECORDER_BLOCKED_NOTED; i++) {
		uint64_t position = facts->blocked[i];
		struct raise raise = {
			.rule = "blocked",
			.by_rule = true,
			.at_once = true,
			.code = STR(BLOCKED_CODE),
			.message = STR("a thread of the engine was stopped inside a call to tocsin "
				       "when that run ended; the events that waited behind it were "
				       "applied afterwards"),
			.cause = position,
		};

		snprintf(id, sizeof id, "%s-%" PRIu64 "-%s", alerts_epoch(alerts), position,
			 raise.rule);
		if (position == 0 || position < facts->checkpoint_position ||
		    position >= facts->head || alerts_find_id(alerts, id))
			continue;
		if (picture_raise(d->picture, &raise, picture_now(d->picture)) == 0)
			picture_clear(d->picture, STR(BLOCKED_CODE), str(NULL),
				      picture_now(d->picture));
	}
}

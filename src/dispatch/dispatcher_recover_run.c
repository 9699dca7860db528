/* SPDX-License-Identifier: MIT */
/* One dead run: its records applied to its picture, and what is known of its end. */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"

DEFINE_CLEANUP(struct recorder_image *, recorder_image_free, cleanup_image)

struct reading {
	struct dispatcher *d;
	struct recorder_image *image;
	struct recorder_image_facts facts;
	int64_t clock_shift_ns; /* from the dead run's clock to ours */
	uint64_t latest_ns;     /* the present, on the dead run's clock; no limit to the events' */
};

static uint64_t shifted(uint64_t ns, int64_t by)
{
	if (by < 0 && ns < -(uint64_t)by)
		return 0;
	return ns + (uint64_t)by;
}

int64_t dispatcher_clock_shift(const struct dispatcher *d, bool other_boot, int64_t wall_offset_ns,
			       const uint8_t *state, size_t len)
{
	if (d->settings->clock_source == CLOCK_SOURCE_EVENT)
		return 0;
	int64_t shift = other_boot ? wall_offset_ns - d->wall_offset_ns : 0;
	uint64_t latest_ns = state ? shifted(checkpoint_latest(state, len), shift) : 0;
	uint64_t now_ns = clock_monotonic_ns();

	return latest_ns > now_ns ? (int64_t)((uint64_t)shift - (latest_ns - now_ns)) : shift;
}

/* As dispatcher_loop.c does for the living, and nothing comes from the future here either; with the
 * clock as it was then. */
static struct moment moment_then(const struct reading *x, const struct record *r)
{
	uint64_t mono_ns = r->mono_ns < x->latest_ns ? r->mono_ns : x->latest_ns;
	uint64_t wall_ns = r->wall_ns > 0 ? r->wall_ns : shifted(mono_ns, x->facts.wall_offset_ns);

	if (x->d->settings->clock_source == CLOCK_SOURCE_EVENT)
		return (struct moment){ wall_ns, wall_ns };
	return (struct moment){ shifted(mono_ns, x->clock_shift_ns), wall_ns };
}

static struct moment moment_started(const struct reading *x)
{
	uint64_t wall_ns = x->facts.started_wall_ns;
	uint64_t mono_ns = shifted(wall_ns, -x->facts.wall_offset_ns);

	if (x->d->settings->clock_source == CLOCK_SOURCE_EVENT)
		return (struct moment){ wall_ns, wall_ns };
	if (mono_ns > x->latest_ns)
		mono_ns = x->latest_ns;
	return (struct moment){ shifted(mono_ns, x->clock_shift_ns), wall_ns };
}

/* Where the run had got to: its checkpoint's picture; without one that of the run before it. */
static int picture_prepare(struct reading *x)
{
	struct dispatcher *d = x->d;
	struct picture *p = NULL;
	size_t len;
	const uint8_t *state = recorder_image_checkpoint(x->image, &len);
	int r;

	if (!state && d->picture) {
		picture_resume(d->picture, x->facts.epoch, moment_started(x));
		return 0;
	}
	r = dispatcher_picture_new(d, x->facts.epoch, moment_started(x), &p);
	if (r == 0 && state)
		r = checkpoint_decode(p, state, len, x->clock_shift_ns);
	if (r == -EBADMSG) {
		/* Its sum is right, so a later version or a fault of ours has written it. */
		dispatcher_note(
			d, ENTRY_KIND_TROUBLE, LOG_ERR,
			"the checkpoint of a dead run cannot be read: incidents that it had "
			"open are not resolved by themselves");
		picture_free(p);
		r = dispatcher_picture_new(d, x->facts.epoch, moment_started(x), &p);
	}
	if (r < 0) {
		picture_free(p);
		return r;
	}
	picture_free(d->picture);
	d->picture = p;
	return 0;
}

static void later(uint64_t *latest, uint64_t wall_ns)
{
	if (wall_ns > *latest)
		*latest = wall_ns;
}

static void records_apply(struct reading *x, struct death *death)
{
	uint64_t at = x->facts.checkpoint_position, position;
	const uint8_t *bytes;
	size_t len;

	while (recorder_image_next(x->image, &at, &bytes, &len, &position, &death->torn) > 0) {
		struct record r;

		if (record_decode(bytes, len, &r) < 0) {
			death->torn++;
			continue;
		}
		struct moment then = moment_then(x, &r);

		later(&death->last_event_wall_ns, then.wall_ns);
		picture_apply(x->d->picture, &r, position, then);
		dispatcher_look_at_names(x->d, then);
		death->recovered++;
	}
	death->position = at;
	/* What fell due after the last record, while the run still lived. A time beyond the present
	 * is a damaged one. */
	uint64_t advanced_ns = x->facts.advanced_ns;

	if (x->d->settings->clock_source == CLOCK_SOURCE_SYSTEM && advanced_ns > 0 &&
	    advanced_ns <= x->latest_ns)
		picture_advance(x->d->picture,
				(struct moment){ shifted(advanced_ns, x->clock_shift_ns),
						 shifted(advanced_ns, x->facts.wall_offset_ns) });
}

static void sessions_tell(const struct picture *p, struct death *death)
{
	for (const struct session *s = sessions_newest(picture_sessions(p)); s; s = s->older) {
		later(&death->last_event_wall_ns, s->updated.wall_ns);
		if (!session_runs(s))
			continue;
		if (death->sessions < SESSIONS_NAMED) {
			text_buffer_add(&death->session_ids,
					death->sessions > 0 ? STR(", ") : STR(""));
			text_buffer_add(&death->session_ids, (tocsin_str){ s->id, s->id_len });
		}
		death->sessions++;
	}
}

int dispatcher_recover_run(struct dispatcher *d, struct dead_run *run, struct death *ret)
{
	_cleanup_(cleanup_image) struct recorder_image *image = NULL;
	struct reading x = { .d = d };
	struct death death = { .unclean = true };
	int r = recorder_image_open(folders_runtime(&d->folders), run->name, &image);

	run->damaged |= r == -EBADMSG;
	if (r < 0)
		return r;
	x.image = image;
	recorder_image_facts(image, &x.facts);
	run->damaged |= x.facts.damaged;
	size_t len;
	const uint8_t *state = recorder_image_checkpoint(image, &len);
	x.clock_shift_ns =
		dispatcher_clock_shift(d, run->other_boot, x.facts.wall_offset_ns, state, len);
	x.latest_ns = d->settings->clock_source == CLOCK_SOURCE_EVENT
			      ? UINT64_MAX
			      : shifted(clock_monotonic_ns(), -x.clock_shift_ns);
	r = picture_prepare(&x);
	if (r < 0)
		return r;
	memcpy(death.epoch, x.facts.epoch, sizeof death.epoch);
	death.unclean = x.facts.stopped_wall_ns == 0;
	death.pid = x.facts.pid;
	death.started_wall_ns = x.facts.started_wall_ns;
	for (unsigned i = 0; i < RECORDER_N_LOSSES; i++)
		death.refused += x.facts.losses[i];
	records_apply(&x, &death);
	dispatcher_end_blockages(d, &x.facts);
	const struct status *status = picture_status(d->picture);
	death.last_heartbeat_wall_ns = status->last_heartbeat.wall_ns;
	later(&death.last_event_wall_ns, death.last_heartbeat_wall_ns);
	for (size_t i = 0; i < status->n_feeds; i++)
		later(&death.last_event_wall_ns, status->feeds[i].last_sign.wall_ns);
	const struct incident *newest = alerts_newest(picture_alerts(d->picture));
	if (newest)
		later(&death.last_event_wall_ns, newest->raised.wall_ns);
	sessions_tell(d->picture, &death);
	d->recovery.n_runs++;
	d->recovery.n_told += death.unclean || death.recovered > 0 || death.torn > 0;
	memcpy(d->recovery.last_epoch, death.epoch, sizeof death.epoch);
	d->recovery.last_first_position = run->first_position;
	d->recovery.events += death.recovered;
	d->recovery.torn += death.torn;
	*ret = death;
	return 0;
}

/* --- ENGINE_DOWN --- */

#define FACTS_MAX 16

/* What the page says beside its message, for programs and for filters. */
struct facts {
	tocsin_kv kv[FACTS_MAX];
	char text[FACTS_MAX][64];
	size_t n;
};

static void fact_text(struct facts *f, const char *name, const char *value)
{
	if (value && *value && f->n < FACTS_MAX)
		f->kv[f->n++] = (tocsin_kv){ str(name), str(value) };
}

static void fact_number(struct facts *f, const char *name, uint64_t value)
{
	if (f->n == FACTS_MAX)
		return;
	snprintf(f->text[f->n], sizeof f->text[f->n], "%" PRIu64, value);
	fact_text(f, name, f->text[f->n]);
}

static void fact_time(struct facts *f, const char *name, uint64_t wall_ns)
{
	if (wall_ns == 0 || f->n == FACTS_MAX)
		return;
	time_to_rfc3339(wall_ns, f->text[f->n]);
	fact_text(f, name, f->text[f->n]);
}

static void add_end(struct text_buffer *b, const struct rescue_options *o)
{
	if (!o || !o->service_result || !*o->service_result)
		return;
	text_buffer_printf(b, "; systemd says: %s", o->service_result);
	if (o->exit_code && *o->exit_code)
		text_buffer_printf(b, ", %s", o->exit_code);
	if (o->exit_status && *o->exit_status)
		text_buffer_printf(b, " %s", o->exit_status);
	if (strcmp(o->service_result, "success") == 0)
		text_buffer_add(b, STR("; it was stopped without stopping its notifier: let it "
				       "call stop on SIGTERM"));
}

static const char *time_or_none(uint64_t wall_ns, char buf[static TIME_TEXT_SIZE])
{
	return wall_ns > 0 ? time_to_rfc3339(wall_ns, buf) : "none";
}

static void message_make(const struct dispatcher *d, const struct death *death,
			 struct text_buffer *b)
{
	char last[TIME_TEXT_SIZE];

	text_buffer_printf(b, "engine %s ended without a clean stop", d->settings->engine_name);
	if (death->how)
		text_buffer_printf(b, " (%s)", death->how);
	text_buffer_printf(b, ": last event %s", time_or_none(death->last_event_wall_ns, last));
	text_buffer_printf(b, ", last heartbeat %s",
			   time_or_none(death->last_heartbeat_wall_ns, last));
	text_buffer_printf(b, ", %" PRIu64 " session%s ran", death->sessions,
			   death->sessions == 1 ? "" : "s");
	if (death->session_ids.len > 0)
		text_buffer_printf(b, " (%s%s)", death->session_ids.ptr,
				   death->sessions > SESSIONS_NAMED ? ", ..." : "");
	if (death->sessions > 0)
		text_buffer_printf(b, " and %s lost", death->sessions == 1 ? "is" : "are");
	if (!death->how)
		text_buffer_printf(b, ", %" PRIu64 " records recovered, %" PRIu64 " torn",
				   death->recovered, death->torn);
	add_end(b, d->rescue);
}

static void facts_make(const struct dispatcher *d, const struct death *death, struct facts *f)
{
	const struct rescue_options *o = d->rescue;

	fact_time(f, "started", death->started_wall_ns);
	fact_time(f, "last_event", death->last_event_wall_ns);
	fact_time(f, "last_heartbeat", death->last_heartbeat_wall_ns);
	fact_number(f, "sessions_running", death->sessions);
	fact_text(f, "sessions", death->session_ids.len > 0 ? death->session_ids.ptr : NULL);
	fact_number(f, "records_recovered", death->recovered);
	fact_number(f, "records_torn", death->torn);
	if (death->refused > 0)
		fact_number(f, "events_refused", death->refused);
	fact_number(f, "pid", death->pid);
	fact_text(f, "service_result", o ? o->service_result : NULL);
	fact_text(f, "exit_code", o ? o->exit_code : NULL);
	fact_text(f, "exit_status", o ? o->exit_status : NULL);
}

/* systemd counts an end by SIGTERM, and one with status 0, as a success. */
static bool was_asked_to_stop(const struct rescue_options *o)
{
	return o && o->service_result && strcmp(o->service_result, "success") == 0;
}

void dispatcher_tell_death(struct dispatcher *d, const struct death *death)
{
	struct text_buffer message = { 0 };
	struct facts facts = { 0 };
	char instance[9];

	for (size_t i = 0; i < 4; i++)
		snprintf(instance + 2 * i, 3, "%02x", death->epoch[i]);
	while (message_make(d, death, &message), message.failed && dispatcher_memory_wait(d)) {
		text_buffer_done(&message);
		message = (struct text_buffer){ 0 };
	}
	facts_make(d, death, &facts);
	struct raise raise = {
		.rule = "down",
		.by_rule = true,
		.at_once = true,
		.code = STR("ENGINE_DOWN"),
		.message = str(message.ptr),
		.instance = str(instance),
		.kv = facts.kv,
		.n_kv = facts.n,
		.cause = death->position,
	};
	/* Somebody has stopped it: worth a line, and no reason to wake anybody. */
	if (was_asked_to_stop(d->rescue)) {
		raise.unpaged = true;
		raise.priority = 2;
	}
	/* Found now, by whoever it is that looks; when it happened is between last event and this.
	 */
	if (message.failed || picture_raise(d->picture, &raise, dispatcher_found_at(d)) < 0)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_CRIT,
				"engine %s ended without a clean stop, and there is no memory to "
				"page it: tell people by hand",
				d->settings->engine_name);
	text_buffer_done(&message);
}

void death_done(struct death *death)
{
	text_buffer_done(&death->session_ids);
}

/* SPDX-License-Identifier: MIT */
/*
 * The hot calls over a recorder in memory, without the threads: each call's answer is foretold, and
 * what was accepted comes out of the recorder, is applied and told. The input: events, and before
 * each a byte whose lowest bits tell what is done first.
 */
#include "config.h"
#include "fuzz.h"

#include "events.h"
#include "instance.h"
#include "pictures.h"
#include "record/recorder_layout.h"

#define EVENTS_AT_ONCE 12

enum { DO_CHECKPOINT = 1, DO_NULL = 2, DO_STATE = 4, DO_NUMBER = 8 };

struct run {
	tocsin_instance *instance;
	struct recorder *recorder;
	struct picture *picture;
	uint64_t accepted, refused, dropped, applied, told;
};

/* Slots that the event takes, and may be in use already. */
static bool has_room(const struct recorder *r, const struct event *e)
{
	struct layout_record record;
	uint64_t slots = recorder_slots(r), limit = slots - slots / 8;
	uint64_t used = recorder_used(r);
	size_t len;

	if (e->family == EVENT_SESSION) {
		len = record_encode_session((const tocsin_session_event *)(void *)e->head, 1,
					    &record);
	} else if (e->family == EVENT_HEALTH) {
		uint32_t kind = e->head->kind;

		len = record_encode_health((const tocsin_health_event *)(void *)e->head, 1,
					   &record);
		if (kind == TOCSIN_HEALTH_HEARTBEAT || kind == TOCSIN_HEALTH_FEED_PULSE ||
		    kind == TOCSIN_HEALTH_METADATA)
			limit = slots - slots / 4;
		else if (kind != TOCSIN_HEALTH_EXECUTION_ERROR)
			limit = slots;
	} else {
		const tocsin_alert_event *a = (const tocsin_alert_event *)(void *)e->head;
		uint32_t priority =
			a->priority ? a->priority : runbooks_find(NULL, a->code)->priority;

		len = record_encode_alert(a, 1, &record);
		if (priority == 1 || a->head.kind == TOCSIN_ALERT_CLEAR)
			limit = slots;
	}
	return used + layout_parts(len) <= limit;
}

static tocsin_rc foretell(const struct run *run, const struct event *e, uint8_t how)
{
	if (how & DO_STATE)
		return TOCSIN_E_STATE;
	if ((how & DO_NULL) || !event_is_sound(e))
		return TOCSIN_E_ARG;
	return has_room(run->recorder, e) ? TOCSIN_OK : TOCSIN_E_FULL;
}

static tocsin_rc call(tocsin_instance *i, const struct event *e, uint8_t how, uint64_t *number)
{
	tocsin_event *head = how & DO_NULL ? NULL : e->head;

	if (e->family == EVENT_SESSION)
		return calls_on_session(i, (const tocsin_session_event *)(void *)head);
	if (e->family == EVENT_HEALTH)
		return calls_on_health(i, (const tocsin_health_event *)(void *)head);
	return calls_on_alert(i, (const tocsin_alert_event *)(void *)head,
			      how & DO_NUMBER ? number : NULL);
}

static void call_once(struct run *run, const struct event *e, uint8_t how)
{
	const uint64_t untouched = UINT64_MAX;
	uint64_t head = recorder_head(run->recorder), number = untouched;
	tocsin_rc want = foretell(run, e, how), got;

	instance_enter(run->instance, how & DO_STATE ? STATE_STOPPED : STATE_ACTIVE);
	got = call(run->instance, e, how, &number);
	MUST(got == want);
	run->accepted += got == TOCSIN_OK;
	run->refused += got == TOCSIN_E_ARG;
	run->dropped += got == TOCSIN_E_FULL;
	if (e->family != EVENT_ALERT || !(how & DO_NUMBER) || got != TOCSIN_OK)
		MUST(number == untouched);
	else
		MUST(number == (e->head->kind == TOCSIN_ALERT_RAISE ? head : 0));
}

static void apply_all(struct run *run, bool checkpoint)
{
	struct recorder *recorder = run->recorder;
	uint64_t position, next = 0;
	const uint8_t *bytes;
	size_t len;

	while (recorder_next(recorder, &bytes, &len, &position, &next) == 1) {
		struct record r;

		MUST(record_decode(bytes, len, &r) == 0);
		picture_apply(run->picture, &r, position,
			      picture_moment(PICTURE_START_NS + position * NS_PER_S));
		run->applied++;
	}
	MUST(run->applied == run->accepted);
	if (checkpoint && next > 0)
		MUST(recorder_checkpoint(recorder, next, 0, NULL, 0) == 0);
}

static struct recorder *recorder_in_memory(void)
{
	struct recorder_options o = {
		.folder = -1,
		.size = LAYOUT_SLOTS_MIN * RECORDER_SLOT_SIZE,
		.first_position = 1,
		.engine = "engine",
	};
	struct recorder *r = NULL;

	MUST(recorder_create(&o, &r) == 0);
	return r;
}

/* Each input finds the recorder empty; its positions go on. */
static struct recorder *recorder_emptied(void)
{
	static struct recorder *r;
	uint64_t position, next;
	const uint8_t *bytes;
	size_t len;

	if (!r)
		r = recorder_in_memory();
	while (recorder_next(r, &bytes, &len, &position, &next) == 1)
		continue;
	MUST(recorder_checkpoint(r, recorder_head(r), 0, NULL, 0) == 0);
	return r;
}

static uint64_t losses(const struct recorder *r)
{
	uint64_t n = 0;

	for (enum recorder_loss loss = 0; loss < RECORDER_N_LOSSES; loss++)
		n += recorder_losses(r, loss);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct recorder *recorder = recorder_emptied();
	tocsin_instance instance = { .producer = *recorder_producer(recorder) };
	struct run run = { .instance = &instance, .recorder = recorder };
	uint64_t lost = losses(recorder);

	run.picture = picture_make(picture_hear, &run.told);
	for (unsigned n = 0; n < EVENTS_AT_ONCE && in.left > 0; n++) {
		uint8_t how = input_byte(&in);
		struct event e;

		if (how & DO_CHECKPOINT)
			apply_all(&run, true);
		/* Rarely, or nothing would ever come to anything. */
		how &= how >= 0xf0 ? DO_NULL | DO_STATE | DO_NUMBER : DO_NUMBER;
		event_make(&e, &in);
		call_once(&run, &e, how);
		event_done(&e);
	}
	apply_all(&run, false);
	MUST(run.refused == atomic_load(&instance.refusals.count));
	MUST(run.dropped == losses(recorder) - lost);
	picture_free(run.picture);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The hot calls: each reads the state word, checks the event, encodes it on the stack (the host's
 * memory may fault or block: never between reserve and commit) and pushes it. No syscall, lock,
 * allocation or thread-local word. record/recorder_push.c says what a push costs and why it is
 * correct; base/tick_clock.h says how the time is read.
 */
#include "config.h"
#include "instance.h"

#include "base/cleanup.h"
#include "base/tick_clock.h"
#include "record/recorder_layout.h"
#include "codes/runbooks.h"

/* What is done in each call is one piece; what hardly ever happens lies elsewhere. */
#define INLINE static inline __attribute__((always_inline))

static __attribute__((cold, noinline)) tocsin_rc refuse(tocsin_instance *i, enum refusal_call call,
							enum refusal why)
{
	uint32_t bit = REFUSAL_BIT(call, why);

	atomic_fetch_add_explicit(&i->refusals.count, 1, memory_order_relaxed);
	atomic_fetch_or_explicit(&i->refusals.kinds, bit, memory_order_relaxed);
	return TOCSIN_E_ARG;
}

/* What each event is checked for first; kinds count from 1. */
INLINE tocsin_rc head_check(tocsin_instance *i, enum refusal_call call, const tocsin_event *head,
			    size_t least_size, uint32_t last_kind)
{
	if (!i)
		return TOCSIN_E_ARG;
	if (instance_state(i) != STATE_ACTIVE)
		return instance_refuse(i);
	recorder_expect(&i->producer);
	if (!head)
		return refuse(i, call, REFUSAL_NULL);
	if (head->size < least_size)
		return refuse(i, call, REFUSAL_SIZE);
	if (head->kind < 1 || head->kind > last_kind)
		return refuse(i, call, REFUSAL_KIND);
	return TOCSIN_OK;
}

INLINE bool kv_is_readable(const tocsin_kv *kv, size_t n)
{
	if (n > 0 && !kv)
		return false;
	for (size_t i = 0; i < n && i <= RECORD_KV_MAX; i++)
		if (!str_is_readable(kv[i].key) || !str_is_readable(kv[i].value))
			return false;
	return true;
}

_hot_ tocsin_rc calls_on_session(tocsin_instance *i, const tocsin_session_event *e)
{
	struct layout_record record;
	tocsin_rc rc;

	rc = head_check(i, REFUSAL_ON_SESSION, e ? &e->head : NULL,
			SIZE_UP_TO(tocsin_session_event, n_kv), TOCSIN_SESSION_STATUS);
	if (rc != TOCSIN_OK)
		return rc;
	if (!str_is_readable(e->session_id) || !str_is_readable(e->status) ||
	    !kv_is_readable(e->kv, e->n_kv))
		return refuse(i, REFUSAL_ON_SESSION, REFUSAL_NULL);
	if (e->session_id.len == 0)
		return refuse(i, REFUSAL_ON_SESSION, REFUSAL_ID);

	uint64_t mono_ns = tick_clock_ns(&i->clock);
	size_t len = record_encode_session(e, mono_ns, &record);
	return rc_of(recorder_push(&i->producer, RECORDER_CLASS_MIDDLE, RECORDER_LOSS_OTHER,
				   mono_ns, record.slots, len, NULL));
}

_hot_ tocsin_rc calls_on_health(tocsin_instance *i, const tocsin_health_event *e)
{
	static const uint8_t classes[] = {
		[TOCSIN_HEALTH_START] = RECORDER_CLASS_FIRST,
		[TOCSIN_HEALTH_HEARTBEAT] = RECORDER_CLASS_LEAST,
		[TOCSIN_HEALTH_FEED_UP] = RECORDER_CLASS_FIRST,
		[TOCSIN_HEALTH_FEED_DOWN] = RECORDER_CLASS_FIRST,
		[TOCSIN_HEALTH_FEED_RECONNECT] = RECORDER_CLASS_FIRST,
		[TOCSIN_HEALTH_FEED_PULSE] = RECORDER_CLASS_LEAST,
		[TOCSIN_HEALTH_DRIFT] = RECORDER_CLASS_FIRST,
		[TOCSIN_HEALTH_RISK] = RECORDER_CLASS_FIRST,
		[TOCSIN_HEALTH_EXECUTION_ERROR] = RECORDER_CLASS_MIDDLE,
		[TOCSIN_HEALTH_METADATA] = RECORDER_CLASS_LEAST,
	};
	struct layout_record record;
	tocsin_rc rc;

	rc = head_check(i, REFUSAL_ON_HEALTH, e ? &e->head : NULL,
			SIZE_UP_TO(tocsin_health_event, n_kv), TOCSIN_HEALTH_METADATA);
	if (rc != TOCSIN_OK)
		return rc;
	if (!str_is_readable(e->session_id) || !str_is_readable(e->source) ||
	    !kv_is_readable(e->kv, e->n_kv))
		return refuse(i, REFUSAL_ON_HEALTH, REFUSAL_NULL);

	uint64_t mono_ns = tick_clock_ns(&i->clock);
	size_t len = record_encode_health(e, mono_ns, &record);
	enum recorder_class class = (enum recorder_class)classes[e->head.kind];
	enum recorder_loss loss =
		class == RECORDER_CLASS_FIRST ? RECORDER_LOSS_P1 : RECORDER_LOSS_OTHER;
	return rc_of(recorder_push(&i->producer, class, loss, mono_ns, record.slots, len, NULL));
}

/* A P1, and each clear, may use the whole ring. */
static enum recorder_class alert_class(const tocsin_instance *i, const tocsin_alert_event *e,
				       enum recorder_loss *ret_loss)
{
	uint32_t priority =
		e->priority > 0 ? e->priority : runbooks_find(i->runbooks, e->code)->priority;

	*ret_loss = priority == 1   ? RECORDER_LOSS_P1
		    : priority == 2 ? RECORDER_LOSS_P2
				    : RECORDER_LOSS_P3;
	return priority == 1 || e->head.kind == TOCSIN_ALERT_CLEAR ? RECORDER_CLASS_FIRST
								   : RECORDER_CLASS_MIDDLE;
}

_hot_ tocsin_rc calls_on_alert(tocsin_instance *i, const tocsin_alert_event *e,
			       uint64_t *ret_number)
{
	struct layout_record record;
	tocsin_rc rc;
	enum recorder_loss loss;
	uint64_t position;

	rc = head_check(i, REFUSAL_ON_ALERT, e ? &e->head : NULL,
			SIZE_UP_TO(tocsin_alert_event, n_kv), TOCSIN_ALERT_CLEAR);
	if (rc != TOCSIN_OK)
		return rc;
	if (!str_is_readable(e->code) || !str_is_readable(e->message) ||
	    !str_is_readable(e->session_id) || !str_is_readable(e->instance) ||
	    !kv_is_readable(e->kv, e->n_kv))
		return refuse(i, REFUSAL_ON_ALERT, REFUSAL_NULL);

	enum recorder_class class = alert_class(i, e, &loss);
	uint64_t mono_ns = tick_clock_ns(&i->clock);
	size_t len = record_encode_alert(e, mono_ns, &record);
	int r = recorder_push(&i->producer, class, loss, mono_ns, record.slots, len, &position);
	if (r == 0 && ret_number)
		*ret_number = e->head.kind == TOCSIN_ALERT_RAISE ? position : 0;
	return rc_of(r);
}

/* SPDX-License-Identifier: MIT */
/*
 * An event encoded and decoded: what comes back is what was given, cut where it is marked as cut.
 * With an odd first byte the rest is taken for an encoded event itself.
 */
#include "config.h"
#include "fuzz.h"

#include <errno.h>

#include "events.h"
#include "../record_bytes.h"

static void same_cut(tocsin_str got, tocsin_str given, size_t max, const struct record *r)
{
	MUST(str_equal(got, text_cut(given, max)));
	MUST(r->truncated || given.len <= max);
}

static size_t same_kv(const struct record *r, const tocsin_kv *kv, size_t n)
{
	size_t bytes = 0;

	MUST(r->n_kv <= n && (r->truncated || r->n_kv == n));
	for (size_t i = 0; i < r->n_kv; i++) {
		MUST(str_equal(r->kv[i].key, kv[i].key));
		MUST(r->kv[i].value.len <= kv[i].value.len);
		MUST(str_equal(r->kv[i].value, text_cut(kv[i].value, r->kv[i].value.len)));
		MUST(r->truncated || r->kv[i].value.len == kv[i].value.len);
		bytes += r->kv[i].key.len + r->kv[i].value.len;
	}
	return bytes;
}

static void session_same(const tocsin_session_event *e, const struct record *r)
{
	same_cut(r->session_id, e->session_id, TOCSIN_ID_MAX, r);
	same_cut(r->status, e->status, TOCSIN_ID_MAX, r);
	MUST(same_kv(r, e->kv, e->n_kv) <= TOCSIN_TEXT_MAX);
}

static void health_same(const tocsin_health_event *e, const struct record *r)
{
	same_cut(r->session_id, e->session_id, TOCSIN_ID_MAX, r);
	same_cut(r->source, e->source, TOCSIN_ID_MAX, r);
	MUST(memcmp(&r->value, &e->value, sizeof r->value) == 0 &&
	     memcmp(&r->limit, &e->limit, sizeof r->limit) == 0);
	MUST(same_kv(r, e->kv, e->n_kv) <= TOCSIN_TEXT_MAX);
}

static void alert_same(const tocsin_alert_event *e, const struct record *r)
{
	same_cut(r->session_id, e->session_id, TOCSIN_ID_MAX, r);
	same_cut(r->instance, e->instance, TOCSIN_ID_MAX, r);
	same_cut(r->message, e->message, TOCSIN_TEXT_MAX, r);
	same_cut(r->code, e->code, 255, r);
	MUST(r->priority == (e->priority > 3 ? 3 : e->priority));
	MUST(r->message.len + same_kv(r, e->kv, e->n_kv) <= TOCSIN_TEXT_MAX);
}

static void round_trip(const struct event *e)
{
	uint8_t bytes[RECORD_SIZE_MAX], *exact;
	struct record r;
	size_t len;

	if (e->family == EVENT_SESSION)
		len = record_of_session((const tocsin_session_event *)(void *)e->head, 77, bytes);
	else if (e->family == EVENT_HEALTH)
		len = record_of_health((const tocsin_health_event *)(void *)e->head, 77, bytes);
	else
		len = record_of_alert((const tocsin_alert_event *)(void *)e->head, 77, bytes);
	MUST(len <= RECORD_SIZE_MAX);
	exact = exact_copy(bytes, len);
	MUST(record_decode(exact, len, &r) == 0);
	MUST(r.kind == e->head->kind && r.wall_ns == e->head->wall_ns && r.mono_ns == 77);
	if (e->family == EVENT_SESSION)
		session_same((const tocsin_session_event *)(void *)e->head, &r);
	else if (e->family == EVENT_HEALTH)
		health_same((const tocsin_health_event *)(void *)e->head, &r);
	else
		alert_same((const tocsin_alert_event *)(void *)e->head, &r);
	free(exact);
}

static void decode(const struct input *in)
{
	_cleanup_free_ uint8_t *bytes = exact_copy(in->at, in->left);
	struct record r;
	int error = record_decode(bytes, in->left, &r);

	MUST(error == 0 || error == -EBADMSG);
	if (error == 0)
		MUST(r.kind >= 1 && r.priority <= 3 && r.n_kv <= RECORD_KV_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct event e;

	if (input_byte(&in) & 1) {
		decode(&in);
		return 0;
	}
	event_make(&e, &in);
	if (event_is_sound(&e))
		round_trip(&e);
	event_done(&e);
	return 0;
}

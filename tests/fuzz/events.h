/* SPDX-License-Identifier: MIT */
/* Events as an engine might make them, out of an input's bytes: see event_make. */
#ifndef TOCSIN_TESTS_FUZZ_EVENTS_H
#define TOCSIN_TESTS_FUZZ_EVENTS_H

#include "fuzz.h"
#include "tocsin_plugin.h"

#define EVENT_BLOCKS_MAX 256
#define EVENT_KV_MAX 80

enum event_family { EVENT_SESSION, EVENT_HEALTH, EVENT_ALERT, EVENT_FAMILIES };

/* One event, as a host holds it: each text and the struct itself in memory of just its size. */
struct event {
	enum event_family family;
	tocsin_event *head; /* the struct, of head->size bytes where that is enough to be read */
	void *blocks[EVENT_BLOCKS_MAX];
	size_t n_blocks;
	bool readable; /* no text is NULL with a length */
	bool has_id;   /* its session_id is not empty */
};

_unused_ static void *event_block(struct event *e, const void *bytes, size_t len)
{
	MUST(e->n_blocks < EVENT_BLOCKS_MAX);
	return e->blocks[e->n_blocks++] = exact_copy(bytes, len);
}

/*
 * A text: a byte that tells its length, and the bytes. 255: NULL with a length; 254: absent; 253:
 * empty but not NULL; 252: a long one, of two bytes' length, filled with the next four bytes.
 */
_unused_ static tocsin_str event_text(struct event *e, struct input *in)
{
	uint8_t how = input_byte(in);
	char filled[4096];
	tocsin_str s;

	if (how == 255) {
		e->readable = false;
		return (tocsin_str){ NULL, 1 + (size_t)input_byte(in) };
	}
	if (how == 254)
		return (tocsin_str){ NULL, 0 };
	if (how == 253)
		return (tocsin_str){ "", 0 };
	if (how == 252) {
		size_t len = input_short(in) % sizeof filled;
		tocsin_str with = input_bytes(in, 4);

		for (size_t i = 0; i < len; i++)
			filled[i] = with.len > 0 ? with.ptr[i % with.len] : 'x';
		s = (tocsin_str){ filled, len };
	} else {
		s = input_bytes(in, how);
	}
	return (tocsin_str){ event_block(e, s.ptr, s.len), s.len };
}

_unused_ static const tocsin_kv *event_kv(struct event *e, struct input *in, size_t *ret_n)
{
	tocsin_kv kv[EVENT_KV_MAX];
	size_t n = input_byte(in);
	bool readable = e->readable;

	*ret_n = n;
	if (n == 0)
		return NULL;
	if (n > EVENT_KV_MAX) {
		/* None at all, though it says so. */
		e->readable = false;
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		kv[i].key = event_text(e, in);
		kv[i].value = event_text(e, in);
		/* Those that are not kept are not looked at. */
		if (i < 65)
			readable &= e->readable;
		e->readable = true;
	}
	e->readable = readable;
	return event_block(e, kv, n * sizeof *kv);
}

_unused_ static double event_figure(struct input *in)
{
	tocsin_str bytes = input_bytes(in, sizeof(double));
	double figure = 0;

	if (bytes.len > 0)
		memcpy(&figure, bytes.ptr, bytes.len);
	return figure;
}

/* The struct in memory of the size it says, so that no reader can go past that unseen. */
_unused_ static void event_place(struct event *e, tocsin_event *made, size_t size, uint8_t claim)
{
	uint8_t room[512] = { 0 };

	memcpy(room, made, size);
	/* Mostly its own size; else a later minor's, which is larger, or too small a one. */
	made->size = (uint32_t)(claim < 192 ? size : claim < 224 ? size + claim : claim - 224u);
	memcpy(room, &made->size, sizeof made->size);
	/* A size and nothing else is the least that can be read at all. */
	e->head = event_block(e, room,
			      made->size < sizeof made->size ? sizeof made->size : made->size);
}

/* The input: family, kind and claimed size in a byte each, times and figures, texts, key-values. */
_unused_ static void event_make(struct event *e, struct input *in)
{
	tocsin_event head = { 0, 0, 0 };
	uint8_t claim;

	*e = (struct event){ .family = input_byte(in) % EVENT_FAMILIES, .readable = true };
	head.kind = input_byte(in);
	claim = input_byte(in);
	head.wall_ns = input_short(in);
	if (e->family == EVENT_SESSION) {
		tocsin_session_event s = { .head = head };

		s.session_id = event_text(e, in);
		s.status = event_text(e, in);
		s.kv = event_kv(e, in, &s.n_kv);
		e->has_id = s.session_id.len > 0;
		event_place(e, &s.head, sizeof s, claim);
	} else if (e->family == EVENT_HEALTH) {
		tocsin_health_event h = { .head = head };

		h.value = event_figure(in);
		h.limit = event_figure(in);
		h.source = event_text(e, in);
		h.session_id = event_text(e, in);
		h.kv = event_kv(e, in, &h.n_kv);
		event_place(e, &h.head, sizeof h, claim);
	} else {
		tocsin_alert_event a = { .head = head };

		a.priority = input_byte(in);
		a.code = event_text(e, in);
		a.message = event_text(e, in);
		a.session_id = event_text(e, in);
		a.instance = event_text(e, in);
		a.kv = event_kv(e, in, &a.n_kv);
		event_place(e, &a.head, sizeof a, claim);
	}
}

_unused_ static void event_done(struct event *e)
{
	for (size_t i = 0; i < e->n_blocks; i++)
		free(e->blocks[i]);
}

/* May a plugin take it? */
_unused_ static bool event_is_sound(const struct event *e)
{
	static const struct {
		size_t size;
		uint32_t last_kind;
	} families[EVENT_FAMILIES] = {
		[EVENT_SESSION] = { sizeof(tocsin_session_event), TOCSIN_SESSION_STATUS },
		[EVENT_HEALTH] = { sizeof(tocsin_health_event), TOCSIN_HEALTH_METADATA },
		[EVENT_ALERT] = { sizeof(tocsin_alert_event), TOCSIN_ALERT_CLEAR },
	};

	return e->head->size >= families[e->family].size && e->head->kind >= 1 &&
	       e->head->kind <= families[e->family].last_kind && e->readable &&
	       (e->family != EVENT_SESSION || e->has_id);
}

#endif

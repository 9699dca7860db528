/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "record/record.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "record/recorder_layout.h"

/* What stands before the texts of an encoded event, wherever that is. Lengths are in bytes. */
struct __attribute__((packed, may_alias)) head {
	uint8_t type, kind, priority, flags;
	uint16_t n_kv, message_len;
	uint64_t mono_ns, wall_ns;
	double value, limit;
	uint8_t session_len, second_len, instance_len, code_len;
	uint32_t reserved;
};

enum { FLAG_TRUNCATED = 1 };

/* Before the texts of each key-value. */
struct kv_head {
	uint16_t key_len, value_len;
};

#define CODE_KEPT_MAX 255u /* of a raw code, so that an over-long one can be told */

_Static_assert(sizeof(struct head) == 48, "the encoding has no holes");
_Static_assert(sizeof(struct head) <= LAYOUT_PAYLOAD, "it lies in the first slot");
_Static_assert(sizeof(struct head) + 3 * TOCSIN_ID_MAX + CODE_KEPT_MAX + TOCSIN_TEXT_MAX +
			       RECORD_KV_MAX * sizeof(struct kv_head) <=
		       RECORD_SIZE_MAX,
	       "the largest event fits");

/*
 * Where the encoder stands; handed on by value, to stay in registers. Each fact goes to its place
 * at once: put together on the side and moved as a whole, the wide loads of that would have to wait
 * until the narrow stores before them are in the cache, which takes longer than all the rest.
 */
struct writer {
	struct head *head;
	uint8_t *at;
	bool truncated;
};

/* The same for what the host has likely just stored: no wide load of this and its neighbour. */
#define LOAD_ALONE(x) __asm__("" : "+r"(x))

/* Where a call's stack frame, or a struct through memory, would cost as much as what is done. */
#define INLINE static inline __attribute__((always_inline))

/* What is left of the slot that `at` lies in, or ends. Slots lie at multiples of their size. */
INLINE size_t slot_room(const uint8_t *at)
{
	return -(uintptr_t)at % RECORDER_SLOT_SIZE;
}

/* Puts what goes on in the next slots; returns where it ends. */
static __attribute__((noinline)) uint8_t *bytes_spread(uint8_t *at, const char *from, size_t n)
{
	size_t room = slot_room(at), put = room;

	for (;;) {
		/* Knowing that it is little, gcc would make a `rep movs` of it, slow to start. */
		__asm__("" : "+r"(put));
		memcpy(at, from, put);
		n -= put;
		if (n == 0)
			return at + put;
		at += put + LAYOUT_SLOT_HEAD;
		from += put;
		put = n < LAYOUT_PAYLOAD ? n : LAYOUT_PAYLOAD;
	}
}

/*
 * Returns where it ends. Most texts are of a dozen bytes: two moves that may overlap, never beyond
 * either's end.
 */
INLINE uint8_t *bytes_put(uint8_t *at, const char *from, size_t n)
{
	if (__builtin_expect(n > slot_room(at), 0))
		return bytes_spread(at, from, n);
	if (n >= 8 && n <= 16) {
		memcpy(at, from, 8);
		memcpy(at + n - 8, from + n - 8, 8);
	} else if (n >= 4 && n < 8) {
		memcpy(at, from, 4);
		memcpy(at + n - 4, from + n - 4, 4);
	} else if (n > 0) {
		memcpy(at, from, n);
	}
	return at + n;
}

/* As much of the text as fits into `max` bytes. */
INLINE tocsin_str writer_cut(struct writer *w, tocsin_str s, size_t max)
{
	if (__builtin_expect(s.len > max, 0)) {
		s = text_cut(s, max);
		w->truncated = true;
	}
	return s;
}

/* Adds what fits into `max` bytes; *ret_len: how much that was. */
INLINE struct writer writer_add(struct writer w, tocsin_str s, size_t max, size_t *ret_len)
{
	s = writer_cut(&w, s, max);
	w.at = bytes_put(w.at, s.ptr, s.len);
	*ret_len = s.len;
	return w;
}

/* Adds what fits of the key-values into `room` bytes. */
INLINE struct writer writer_add_kv(struct writer w, const tocsin_kv *kv, size_t n, size_t room)
{
	uint16_t added = 0;

	for (size_t i = 0; i < n; i++) {
		tocsin_str key = kv[i].key, value;

		if (added == RECORD_KV_MAX || key.len > room) {
			w.truncated = true;
			break;
		}
		room -= key.len;
		value = writer_cut(&w, kv[i].value, room);
		room -= value.len;

		struct kv_head h = { (uint16_t)key.len, (uint16_t)value.len };
		char head[sizeof h];
		memcpy(head, &h, sizeof h);
		w.at = bytes_put(w.at, head, sizeof head);
		w.at = bytes_put(w.at, key.ptr, key.len);
		w.at = bytes_put(w.at, value.ptr, value.len);
		added++;
	}
	w.head->n_kv = added;
	return w;
}

INLINE struct writer writer_begin(struct layout_record *record, enum record_type type,
				  const tocsin_event *e, uint64_t mono_ns)
{
	struct head *h = (struct head *)(void *)record->slots[0].payload;
	uint64_t wall_ns = e->wall_ns;

	LOAD_ALONE(wall_ns);
	*h = (struct head){ 0 };
	h->type = (uint8_t)type;
	h->kind = (uint8_t)e->kind;
	h->mono_ns = mono_ns;
	h->wall_ns = wall_ns;
	return (struct writer){ h, (uint8_t *)h + sizeof *h, false };
}

INLINE size_t writer_finish(struct writer w, const tocsin_kv *kv, size_t n_kv, size_t room)
{
	if (n_kv > 0)
		w = writer_add_kv(w, kv, n_kv, room);
	if (w.truncated)
		w.head->flags = FLAG_TRUNCATED;
	/* Without the heads of those slots that it goes on in. */
	size_t spread = (size_t)(w.at - (uint8_t *)w.head);
	return spread - (spread + LAYOUT_SLOT_HEAD - 1) / RECORDER_SLOT_SIZE * LAYOUT_SLOT_HEAD;
}

_hot_ size_t record_encode_session(const tocsin_session_event *e, uint64_t mono_ns,
				   struct layout_record *ret)
{
	struct writer w = writer_begin(ret, RECORD_SESSION, &e->head, mono_ns);
	size_t session_len, status_len;

	w = writer_add(w, e->session_id, TOCSIN_ID_MAX, &session_len);
	w = writer_add(w, e->status, TOCSIN_ID_MAX, &status_len);
	w.head->session_len = (uint8_t)session_len;
	w.head->second_len = (uint8_t)status_len;
	return writer_finish(w, e->kv, e->n_kv, TOCSIN_TEXT_MAX);
}

_hot_ size_t record_encode_health(const tocsin_health_event *e, uint64_t mono_ns,
				  struct layout_record *ret)
{
	struct writer w = writer_begin(ret, RECORD_HEALTH, &e->head, mono_ns);
	size_t session_len, source_len;
	uint64_t value, limit;

	memcpy(&value, &e->value, sizeof value);
	LOAD_ALONE(value);
	memcpy(&limit, &e->limit, sizeof limit);
	LOAD_ALONE(limit);
	memcpy(&w.head->value, &value, sizeof value);
	memcpy(&w.head->limit, &limit, sizeof limit);
	w = writer_add(w, e->session_id, TOCSIN_ID_MAX, &session_len);
	w = writer_add(w, e->source, TOCSIN_ID_MAX, &source_len);
	w.head->session_len = (uint8_t)session_len;
	w.head->second_len = (uint8_t)source_len;
	return writer_finish(w, e->kv, e->n_kv, TOCSIN_TEXT_MAX);
}

_hot_ size_t record_encode_alert(const tocsin_alert_event *e, uint64_t mono_ns,
				 struct layout_record *ret)
{
	struct writer w = writer_begin(ret, RECORD_ALERT, &e->head, mono_ns);
	size_t session_len, instance_len, code_len, message_len;

	w = writer_add(w, e->session_id, TOCSIN_ID_MAX, &session_len);
	w = writer_add(w, e->instance, TOCSIN_ID_MAX, &instance_len);
	w = writer_add(w, e->code, CODE_KEPT_MAX, &code_len);
	w = writer_add(w, e->message, TOCSIN_TEXT_MAX, &message_len);
	w.head->priority = (uint8_t)(e->priority > 3 ? 3 : e->priority);
	w.head->session_len = (uint8_t)session_len;
	w.head->instance_len = (uint8_t)instance_len;
	w.head->code_len = (uint8_t)code_len;
	w.head->message_len = (uint16_t)message_len;
	return writer_finish(w, e->kv, e->n_kv, TOCSIN_TEXT_MAX - message_len);
}

/* Where the decoder stands; `left` never grows. */
struct reader {
	const uint8_t *at;
	size_t left;
};

static bool reader_take(struct reader *r, size_t len, tocsin_str *ret)
{
	if (len > r->left)
		return false;
	*ret = len > 0 ? (tocsin_str){ (const char *)r->at, len } : (tocsin_str){ NULL, 0 };
	r->at += len;
	r->left -= len;
	return true;
}

static bool reader_take_kv(struct reader *r, tocsin_kv *ret)
{
	struct kv_head h;

	if (r->left < sizeof h)
		return false;
	memcpy(&h, r->at, sizeof h);
	r->at += sizeof h;
	r->left -= sizeof h;
	return reader_take(r, h.key_len, &ret->key) && reader_take(r, h.value_len, &ret->value);
}

static bool kind_is_known(const struct head *h)
{
	static const uint8_t last[] = {
		[RECORD_SESSION] = TOCSIN_SESSION_STATUS,
		[RECORD_HEALTH] = TOCSIN_HEALTH_METADATA,
		[RECORD_ALERT] = TOCSIN_ALERT_CLEAR,
	};

	return h->type >= RECORD_SESSION && h->type <= RECORD_ALERT && h->kind >= 1 &&
	       h->kind <= last[h->type];
}

int record_decode(const uint8_t *bytes, size_t len, struct record *ret)
{
	struct head h;

	if (len < sizeof h || len > RECORD_SIZE_MAX)
		return -EBADMSG;
	memcpy(&h, bytes, sizeof h);
	if (!kind_is_known(&h) || h.priority > 3 || h.n_kv > RECORD_KV_MAX)
		return -EBADMSG;

	struct record r = {
		.type = h.type,
		.kind = h.kind,
		.priority = h.priority,
		.truncated = (h.flags & FLAG_TRUNCATED) != 0,
		.mono_ns = h.mono_ns,
		/* No clock shows such a time, and most of what we write holds 63 bits. */
		.wall_ns = h.wall_ns > INT64_MAX ? 0 : h.wall_ns,
		.value = h.value,
		.limit = h.limit,
		.n_kv = h.n_kv,
	};
	struct reader in = { bytes + sizeof h, len - sizeof h };
	tocsin_str *second = h.type == RECORD_SESSION ? &r.status : &r.source;

	if (!reader_take(&in, h.session_len, &r.session_id) ||
	    !reader_take(&in, h.second_len, second) ||
	    !reader_take(&in, h.instance_len, &r.instance) ||
	    !reader_take(&in, h.code_len, &r.code) || !reader_take(&in, h.message_len, &r.message))
		return -EBADMSG;
	for (size_t i = 0; i < r.n_kv; i++)
		if (!reader_take_kv(&in, &r.kv[i]))
			return -EBADMSG;
	if (in.left > 0)
		return -EBADMSG;
	r.has_value =
		h.type == RECORD_HEALTH && (h.kind == TOCSIN_HEALTH_RISK ||
					    (h.kind == TOCSIN_HEALTH_DRIFT && !isnan(h.limit)));
	*ret = r;
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "record/record.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/text.h"

/* What stands before the texts of an encoded event. Lengths are in bytes. */
struct head {
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
_Static_assert(sizeof(struct head) + 3 * TOCSIN_ID_MAX + CODE_KEPT_MAX + TOCSIN_TEXT_MAX +
			       RECORD_KV_MAX * sizeof(struct kv_head) <=
		       RECORD_SIZE_MAX,
	       "the largest event fits");

/* Where the encoder stands. */
struct writer {
	uint8_t *start, *at;
	bool truncated;
};

static tocsin_str writer_cut(struct writer *w, tocsin_str s, size_t max)
{
	if (s.len <= max)
		return s;
	w->truncated = true;
	return text_cut(s, max);
}

static void writer_add(struct writer *w, tocsin_str s)
{
	if (s.len > 0)
		memcpy(w->at, s.ptr, s.len);
	w->at += s.len;
}

static uint8_t writer_add_id(struct writer *w, tocsin_str s, size_t max)
{
	tocsin_str cut = writer_cut(w, s, max);

	writer_add(w, cut);
	return (uint8_t)cut.len;
}

/* Adds what fits of the key-values into `room` bytes; returns how many. */
static uint16_t writer_add_kv(struct writer *w, const tocsin_kv *kv, size_t n, size_t room)
{
	uint16_t added = 0;

	for (size_t i = 0; i < n; i++) {
		if (added == RECORD_KV_MAX || kv[i].key.len > room) {
			w->truncated = true;
			break;
		}
		room -= kv[i].key.len;
		tocsin_str value = writer_cut(w, kv[i].value, room);
		struct kv_head h = { (uint16_t)kv[i].key.len, (uint16_t)value.len };

		memcpy(w->at, &h, sizeof h);
		w->at += sizeof h;
		writer_add(w, kv[i].key);
		writer_add(w, value);
		room -= value.len;
		added++;
	}
	return added;
}

static size_t writer_finish(struct writer *w, struct head *h)
{
	h->flags = w->truncated ? FLAG_TRUNCATED : 0;
	memcpy(w->start, h, sizeof *h);
	return (size_t)(w->at - w->start);
}

static struct head head_of(enum record_type type, const tocsin_event *e, uint64_t mono_ns)
{
	return (struct head){
		.type = (uint8_t)type,
		.kind = (uint8_t)e->kind,
		.mono_ns = mono_ns,
		.wall_ns = e->wall_ns,
	};
}

size_t record_encode_session(const tocsin_session_event *e, uint64_t mono_ns,
			     uint8_t buf[static RECORD_SIZE_MAX])
{
	struct head h = head_of(RECORD_SESSION, &e->head, mono_ns);
	struct writer w = { buf, buf + sizeof h, false };

	h.session_len = writer_add_id(&w, e->session_id, TOCSIN_ID_MAX);
	h.second_len = writer_add_id(&w, e->status, TOCSIN_ID_MAX);
	h.n_kv = writer_add_kv(&w, e->kv, e->n_kv, TOCSIN_TEXT_MAX);
	return writer_finish(&w, &h);
}

size_t record_encode_health(const tocsin_health_event *e, uint64_t mono_ns,
			    uint8_t buf[static RECORD_SIZE_MAX])
{
	struct head h = head_of(RECORD_HEALTH, &e->head, mono_ns);
	struct writer w = { buf, buf + sizeof h, false };

	h.value = e->value;
	h.limit = e->limit;
	h.session_len = writer_add_id(&w, e->session_id, TOCSIN_ID_MAX);
	h.second_len = writer_add_id(&w, e->source, TOCSIN_ID_MAX);
	h.n_kv = writer_add_kv(&w, e->kv, e->n_kv, TOCSIN_TEXT_MAX);
	return writer_finish(&w, &h);
}

size_t record_encode_alert(const tocsin_alert_event *e, uint64_t mono_ns,
			   uint8_t buf[static RECORD_SIZE_MAX])
{
	struct head h = head_of(RECORD_ALERT, &e->head, mono_ns);
	struct writer w = { buf, buf + sizeof h, false };

	h.priority = (uint8_t)(e->priority > 3 ? 3 : e->priority);
	h.session_len = writer_add_id(&w, e->session_id, TOCSIN_ID_MAX);
	h.instance_len = writer_add_id(&w, e->instance, TOCSIN_ID_MAX);
	h.code_len = writer_add_id(&w, e->code, CODE_KEPT_MAX);

	tocsin_str message = writer_cut(&w, e->message, TOCSIN_TEXT_MAX);
	writer_add(&w, message);
	h.message_len = (uint16_t)message.len;
	h.n_kv = writer_add_kv(&w, e->kv, e->n_kv, TOCSIN_TEXT_MAX - message.len);
	return writer_finish(&w, &h);
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
		.wall_ns = h.wall_ns,
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

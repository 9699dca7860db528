/* SPDX-License-Identifier: MIT */
/*
 * Records as plain bytes, for tests: a recorder takes them in the shape of its slots, and gives
 * them back as bytes.
 */
#ifndef TOCSIN_TESTS_RECORD_BYTES_H
#define TOCSIN_TESTS_RECORD_BYTES_H

#include "record/recorder_layout.h"

/* With something in each place: what was there before an event is encoded must not matter. */
static struct layout_record *record_soil(struct layout_record *record)
{
	return memset(record, 0xa5, sizeof *record);
}

/* Slots for `len` bytes. */
__attribute__((unused)) static void record_shape(const void *bytes, size_t len,
						 struct layout_record *ret)
{
	record_soil(ret);
	for (size_t part = 0; part < layout_parts(len); part++) {
		size_t from = part * LAYOUT_PAYLOAD, left = len - from;

		memcpy(ret->slots[part].payload, (const uint8_t *)bytes + from,
		       left < LAYOUT_PAYLOAD ? left : LAYOUT_PAYLOAD);
	}
}

/* Returns `len`, so that an encoder's call can stand in its place. */
__attribute__((unused)) static size_t record_flatten(const struct layout_record *record, size_t len,
						     uint8_t ret[static RECORD_SIZE_MAX])
{
	for (size_t part = 0; part < layout_parts(len); part++) {
		size_t from = part * LAYOUT_PAYLOAD, left = len - from;

		memcpy(ret + from, record->slots[part].payload,
		       left < LAYOUT_PAYLOAD ? left : LAYOUT_PAYLOAD);
	}
	return len;
}

/* As recorder_push, of plain bytes. */
__attribute__((unused)) static int record_push(const struct recorder *r, enum recorder_class class,
					       enum recorder_loss loss, uint64_t mono_ns,
					       const void *bytes, size_t len,
					       uint64_t *ret_position)
{
	struct layout_record record;

	record_shape(bytes, len, &record);
	return recorder_push(recorder_producer(r), class, loss, mono_ns, record.slots, len,
			     ret_position);
}

/* As record_encode_*, into plain bytes. */
__attribute__((unused)) static size_t record_of_session(const tocsin_session_event *e,
							uint64_t mono_ns,
							uint8_t ret[static RECORD_SIZE_MAX])
{
	struct layout_record record;

	return record_flatten(&record, record_encode_session(e, mono_ns, record_soil(&record)),
			      ret);
}

__attribute__((unused)) static size_t record_of_health(const tocsin_health_event *e,
						       uint64_t mono_ns,
						       uint8_t ret[static RECORD_SIZE_MAX])
{
	struct layout_record record;

	return record_flatten(&record, record_encode_health(e, mono_ns, record_soil(&record)), ret);
}

__attribute__((unused)) static size_t record_of_alert(const tocsin_alert_event *e, uint64_t mono_ns,
						      uint8_t ret[static RECORD_SIZE_MAX])
{
	struct layout_record record;

	return record_flatten(&record, record_encode_alert(e, mono_ns, record_soil(&record)), ret);
}

#endif

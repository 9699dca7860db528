/* SPDX-License-Identifier: MIT */
/*
 * The recorder's file, format 1, as its writer and its readers see it:
 *
 *	header      one page, written once
 *	counters    one page, the only words that producers share
 *	checkpoints two areas, used in turn
 *	slots       a power of two of them
 *
 * A position counts slots from the run's first; position p lives in slot p mod slots. A record
 * takes one slot or several in a row, each with a header of its own, so that payload is never taken
 * for a record. Numbers are in the machine's byte order, which the header tells.
 */
#ifndef TOCSIN_RECORD_RECORDER_LAYOUT_H
#define TOCSIN_RECORD_RECORDER_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/checksum.h"
#include "record/record.h"
#include "record/recorder.h"

#define LAYOUT_MAGIC "tocsin\nR"
#define LAYOUT_BYTE_ORDER 0x01020304u
#define LAYOUT_PAGE 4096u
#define LAYOUT_SLOTS_MIN 64u
#define LAYOUT_SLOTS_MAX (1u << 22)

struct layout_header {
	char magic[8];
	uint32_t format;
	uint32_t byte_order;
	uint32_t slot_size;
	uint32_t pid; /* for people; proves nothing */
	uint64_t slots;
	uint64_t checkpoint_offset[2];
	uint64_t checkpoint_size; /* of an area, its head included */
	uint64_t slots_offset;
	uint64_t file_size;
	uint64_t first_position;
	uint64_t started_wall_ns, started_mono_ns;
	uint8_t epoch[RECORDER_EPOCH_SIZE];
	char engine[256];
	uint64_t checksum; /* of everything above */
};

#define LAYOUT_LINE 64 /* bytes of a cache line: words of different writers lie apart */

struct layout_counters {
	_Alignas(LAYOUT_LINE) _Atomic uint64_t head;     /* next position; producers */
	_Alignas(LAYOUT_LINE) _Atomic uint64_t released; /* first position in use; the reader */
	_Alignas(LAYOUT_LINE) _Atomic uint64_t losses[RECORDER_N_LOSSES];
	_Atomic uint64_t last_loss_ns;
	/* CLOCK_REALTIME of an orderly stop that left something unsafe; 0: none, or it is gone. */
	_Alignas(LAYOUT_LINE) _Atomic uint64_t stopped_wall_ns;
	_Atomic uint64_t advanced_ns; /* CLOCK_MONOTONIC up to which deadlines have fired */
	/* Positions at which the reader has announced that it is blocked, in turn; 0: none. Files
	 * of earlier versions have zeros here. */
	_Alignas(LAYOUT_LINE) _Atomic uint64_t blocked[RECORDER_BLOCKED_NOTED];
};

struct layout_checkpoint {
	_Atomic uint64_t mark; /* 0: being written; the greater of the two areas' is the newer */
	uint64_t position;
	int64_t wall_offset_ns;
	uint64_t length;
	uint64_t checksum; /* of mark, position, wall_offset_ns, length and the state */
	uint8_t state[];
};

#define LAYOUT_CHECKPOINT_AREA                                                                     \
	((sizeof(struct layout_checkpoint) + RECORDER_CHECKPOINT_MAX + LAYOUT_PAGE - 1) /          \
	 LAYOUT_PAGE * LAYOUT_PAGE)

#define LAYOUT_SLOT_HEAD 16
#define LAYOUT_PAYLOAD (RECORDER_SLOT_SIZE - LAYOUT_SLOT_HEAD)

struct layout_slot {
	/* The position once everything else is written; an older lap's, or 0, before. */
	_Atomic uint64_t stamp;
	uint16_t part, parts;
	uint32_t length; /* of the whole record */
	uint8_t payload[LAYOUT_PAYLOAD];
};

#define LAYOUT_PARTS_MAX ((RECORD_SIZE_MAX + LAYOUT_PAYLOAD - 1) / LAYOUT_PAYLOAD)

/*
 * A record before it is pushed, in the shape that it will have in the ring: its bytes are the
 * slots' payloads, one after the other. Aligned, so that an address alone tells where its slot
 * ends.
 */
struct layout_record {
	_Alignas(RECORDER_SLOT_SIZE) struct layout_slot slots[LAYOUT_PARTS_MAX];
};

_Static_assert(sizeof(struct layout_header) <= LAYOUT_PAGE, "the header is a page");
_Static_assert(sizeof(struct layout_counters) <= LAYOUT_PAGE, "the counters are a page");
_Static_assert(sizeof(struct layout_slot) == RECORDER_SLOT_SIZE, "slots have no holes");
_Static_assert(offsetof(struct layout_slot, payload) == LAYOUT_SLOT_HEAD, "nor has their head");
_Static_assert(sizeof(_Atomic uint64_t) == sizeof(uint64_t), "atomics are plain words in the file");

static inline uint64_t layout_checkpoint_checksum(uint64_t mark, const struct layout_checkpoint *c,
						  const void *state)
{
	uint64_t head[] = { mark, c->position, (uint64_t)c->wall_offset_ns, c->length };

	return checksum_add(checksum_add(0, head, sizeof head), state, c->length);
}

/* CLOCK_REALTIME - CLOCK_MONOTONIC of a run: none is so large that two could not be subtracted. */
static inline bool layout_offset_is_sound(int64_t wall_offset_ns)
{
	return wall_offset_ns >= -(INT64_MAX / 2) && wall_offset_ns <= INT64_MAX / 2;
}

/* Slots that a record of `len` bytes takes. */
static inline uint64_t layout_parts(size_t len)
{
	return (len + LAYOUT_PAYLOAD - 1) / LAYOUT_PAYLOAD;
}

/* Whether a slot, stamped, is a record's first and makes sense as that. */
static inline bool layout_slot_begins_record(const struct layout_slot *s)
{
	return s->part == 0 && s->length > 0 && s->length <= RECORD_SIZE_MAX &&
	       s->parts == layout_parts(s->length);
}

#endif

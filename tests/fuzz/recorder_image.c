/* SPDX-License-Identifier: MIT */
/*
 * A dead run's ring file. A real small ring is made once; the input is a list of changes to it,
 * after which the sums are made right unless it says otherwise. What is read is gone through as a
 * recovery does.
 */
#include "config.h"
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pictures.h"
#include "../record_bytes.h"

#define STATE_REACH 8192 /* bytes of a checkpoint area that changes reach */
#define RUN_EVENTS 30

enum part { PART_HEADER, PART_COUNTERS, PART_AREA_0, PART_AREA_1, PART_SLOTS, PARTS };

/* What a change may do beside: bytes written to a part. */
enum {
	CHANGE_RECORD = PARTS, /* a sound record of any bytes at a position */
	CHANGE_CUT,            /* the file ends within the slots */
	CHANGE_SUMS,           /* the sums stay as they are */
	CHANGE_NAME,           /* the name is none of a run's */
	CHANGES,
};

static struct {
	char name[64];
	int fd;
	uint8_t *bytes; /* the file, mapped */
	size_t size;
	uint64_t slots, slots_offset;
	struct {
		size_t offset, size;
		uint8_t *kept;
		bool dirty;
	} parts[PARTS];
} ring;

/* --- The ring as it is without a change --- */

static void push_record(struct recorder *r, struct picture *p, unsigned i)
{
	char long_text[1500];
	tocsin_kv kv = { STR("figures"), { long_text, sizeof long_text } };
	uint64_t mono_ns = PICTURE_START_NS + i * NS_PER_S, position;
	struct layout_record record;
	uint8_t bytes[RECORD_SIZE_MAX];
	struct record decoded;
	tocsin_alert_event alert = {
		.head = { sizeof alert, 1 + i % 2, 0 },
		.code = STR("DATA_FEED_DOWN"),
		.message = STR("no data"),
		.instance = STR("a"),
		.kv = &kv,
		.n_kv = 1,
	};
	tocsin_health_event health = {
		.head = { sizeof health, 1 + i % TOCSIN_HEALTH_METADATA, 0 },
		.source = STR("feed:b"),
		.value = 0.3,
		.limit = 0.1,
	};
	tocsin_session_event session = {
		.head = { sizeof session, 1 + i % 2, 0 },
		.session_id = STR("s1"),
		.status = STR("running"),
	};

	memset(long_text, 'x', sizeof long_text);
	size_t len = i % 7 == 3   ? record_encode_alert(&alert, mono_ns, &record)
		     : i % 7 == 5 ? record_encode_session(&session, mono_ns, &record)
				  : record_encode_health(&health, mono_ns, &record);
	MUST(recorder_push(recorder_producer(r), RECORDER_CLASS_FIRST, RECORDER_LOSS_P1, mono_ns,
			   record.slots, len, &position) == 0);
	MUST(record_decode(bytes, record_flatten(&record, len, bytes), &decoded) == 0);
	picture_apply(p, &decoded, position, picture_moment(mono_ns));
}

static void run_live(struct recorder *r)
{
	struct picture *p = picture_make(NULL, NULL);
	struct checkpoint_buffer state = { 0 };

	for (unsigned i = 0; i < RUN_EVENTS; i++) {
		push_record(r, p, i);
		if (i % 10 == 9 && i + 10 < 2 * RUN_EVENTS) {
			MUST(checkpoint_encode(p, &state) == 0);
			MUST(recorder_checkpoint(r, recorder_head(r) - (i > 20 ? 10 : 0),
						 (int64_t)PICTURE_WALL_NS, state.ptr,
						 state.len) == 0);
		}
	}
	free(state.ptr);
	picture_free(p);
}

static void part_keep(enum part part, uint64_t offset, size_t size)
{
	ring.parts[part].offset = offset;
	ring.parts[part].size = size;
	ring.parts[part].kept = exact_copy(ring.bytes + offset, size);
}

static void ring_make(void)
{
	struct recorder_options o = {
		.folder = fuzz_folder(),
		.size = LAYOUT_SLOTS_MIN * RECORDER_SLOT_SIZE,
		.first_position = 1,
		.engine = "engine",
	};
	struct recorder *r = NULL;
	struct stat st;

	MUST(recorder_create(&o, &r) == 0 && recorder_hold(r) == 0);
	run_live(r);
	snprintf(ring.name, sizeof ring.name, "%s", recorder_name(r));
	recorder_free(r, false);
	ring.fd = openat(o.folder, ring.name, O_RDWR | O_CLOEXEC);
	MUST(ring.fd >= 0 && fstat(ring.fd, &st) == 0);
	ring.size = (size_t)st.st_size;
	ring.bytes = mmap(NULL, ring.size, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0);
	MUST(ring.bytes != MAP_FAILED);

	const struct layout_header *h = (const struct layout_header *)(void *)ring.bytes;
	ring.slots = h->slots;
	ring.slots_offset = h->slots_offset;
	part_keep(PART_HEADER, 0, sizeof *h);
	part_keep(PART_COUNTERS, LAYOUT_PAGE, sizeof(struct layout_counters));
	part_keep(PART_AREA_0, h->checkpoint_offset[0], STATE_REACH);
	part_keep(PART_AREA_1, h->checkpoint_offset[1], STATE_REACH);
	part_keep(PART_SLOTS, h->slots_offset, h->slots * RECORDER_SLOT_SIZE);
}

static void ring_restore(bool was_cut)
{
	if (was_cut)
		MUST(ftruncate(ring.fd, (off_t)ring.size) == 0);
	for (unsigned i = 0; i < PARTS; i++) {
		if (ring.parts[i].dirty || (was_cut && i == PART_SLOTS))
			memcpy(ring.bytes + ring.parts[i].offset, ring.parts[i].kept,
			       ring.parts[i].size);
		ring.parts[i].dirty = false;
	}
}

/* --- The changes --- */

struct changed {
	bool sums, cut, other_name;
	size_t size;
};

static void change_bytes(struct input *in, enum part part)
{
	size_t at = input_short(in) % ring.parts[part].size;
	size_t room = ring.parts[part].size - at;
	tocsin_str bytes = input_bytes(in, input_byte(in));

	if (bytes.len > room)
		bytes.len = room;
	if (bytes.len > 0)
		memcpy(ring.bytes + ring.parts[part].offset + at, bytes.ptr, bytes.len);
	ring.parts[part].dirty = true;
}

static void change_record(struct input *in)
{
	uint64_t position = input_short(in);
	tocsin_str bytes = input_bytes(in, 1 + input_short(in) % RECORD_SIZE_MAX);
	uint64_t parts = layout_parts(bytes.len);

	for (uint64_t part = 0; part < parts; part++) {
		struct layout_slot s = {
			.stamp = position + part,
			.part = (uint16_t)part,
			.parts = (uint16_t)parts,
			.length = (uint32_t)bytes.len,
		};
		size_t from = part * LAYOUT_PAYLOAD;
		size_t n = bytes.len - from < LAYOUT_PAYLOAD ? bytes.len - from : LAYOUT_PAYLOAD;

		memcpy(s.payload, bytes.ptr + from, n);
		memcpy(ring.bytes + ring.slots_offset +
			       (position + part) % ring.slots * RECORDER_SLOT_SIZE,
		       &s, sizeof s);
	}
	ring.parts[PART_SLOTS].dirty = true;
}

static struct changed changes_make(struct input *in)
{
	struct changed c = { .sums = true, .size = ring.size };

	while (in->left > 0) {
		unsigned what = input_byte(in) % CHANGES;

		if (what < PARTS)
			change_bytes(in, (enum part)what);
		else if (what == CHANGE_RECORD)
			change_record(in);
		else if (what == CHANGE_CUT)
			c.size = ring.slots_offset +
				 input_short(in) % (ring.slots * RECORDER_SLOT_SIZE);
		else if (what == CHANGE_SUMS)
			c.sums = false;
		else
			c.other_name = true;
	}
	c.cut = c.size < ring.size;
	return c;
}

static void sums_mend(void)
{
	struct layout_header *h = (struct layout_header *)(void *)ring.bytes;

	h->checksum = checksum_add(0, h, offsetof(struct layout_header, checksum));
	for (unsigned i = PART_AREA_0; i <= PART_AREA_1; i++) {
		struct layout_checkpoint *c =
			(struct layout_checkpoint *)(void *)(ring.bytes + ring.parts[i].offset);

		/* What is longer than changes reach would take long to sum. */
		if (ring.parts[i].dirty && c->length <= STATE_REACH)
			c->checksum = layout_checkpoint_checksum(c->mark, c, c->state);
	}
}

/* --- The reading --- */

static struct picture *picture_of(const struct recorder_image *i, uint64_t *told)
{
	struct picture *p = picture_make(picture_hear, told);
	size_t len;
	const uint8_t *state = recorder_image_checkpoint(i, &len);

	MUST(state || len == 0);
	MUST(len <= RECORDER_CHECKPOINT_MAX);
	if (state && checkpoint_decode(p, state, len, 0) < 0) {
		picture_free(p);
		p = picture_make(picture_hear, told);
	}
	return p;
}

/* p NULL: they are only looked at. */
static void walk(struct recorder_image *i, const struct recorder_image_facts *f, uint64_t from,
		 struct picture *p)
{
	uint64_t position = from, last = 0, torn = 0, records = 0;
	const uint8_t *bytes;
	uint64_t found;
	size_t len;

	while (recorder_image_next(i, &position, &bytes, &len, &found, &torn) == 1) {
		struct record r;

		MUST(len > 0 && len <= RECORD_SIZE_MAX);
		MUST(found >= last && position > found && position <= f->head);
		last = position;
		records++;
		if (record_decode(bytes, len, &r) == 0 && p)
			picture_apply(p, &r, found, picture_moment(r.mono_ns));
	}
	MUST(records <= f->slots && torn <= f->slots);
}

static void image_read(const struct changed *c)
{
	const char *name = c->other_name ? "other" : ring.name;
	struct recorder_image *i = NULL;
	struct recorder_image_facts f;
	struct picture *p;
	uint64_t told = 0;
	int r;

	if (c->other_name)
		MUST(linkat(fuzz_folder(), ring.name, fuzz_folder(), name, 0) == 0);
	r = recorder_image_open(fuzz_folder(), name, &i);
	if (c->other_name)
		unlinkat(fuzz_folder(), name, 0);
	MUST(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
	if (r < 0)
		return;
	recorder_image_facts(i, &f);
	MUST(f.slots >= LAYOUT_SLOTS_MIN && f.slots <= LAYOUT_SLOTS_MAX);
	MUST(memchr(f.engine, 0, sizeof f.engine));
	MUST(layout_offset_is_sound(f.wall_offset_ns));
	walk(i, &f, 0, NULL);
	p = picture_of(i, &told);
	walk(i, &f, f.checkpoint_position, p);
	picture_advance(p, picture_moment(f.advanced_ns));
	picture_free(p);
	recorder_image_free(i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct changed c;

	if (!ring.bytes)
		ring_make();
	c = changes_make(&in);
	if (c.sums)
		sums_mend();
	if (c.cut)
		MUST(ftruncate(ring.fd, (off_t)c.size) == 0);
	image_read(&c);
	ring_restore(c.cut);
	if (c.sums) /* those of parts that no change reached are as they were */
		memcpy(ring.bytes, ring.parts[PART_HEADER].kept, ring.parts[PART_HEADER].size);
	return 0;
}

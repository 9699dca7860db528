/* SPDX-License-Identifier: MIT */
/*
 * A checkpoint, and what happens after it. The input: a byte of flags, a byte that tells how many
 * events follow, three bytes each (which, how, when), and then the checkpoint.
 */
#include "config.h"
#include "fuzz.h"

#include <errno.h>

#include "picture/checkpoint_format.h"
#include "pictures.h"

#define EVENTS_MAX 32

enum { FLAG_BACK = 1, FLAG_AHEAD = 2, FLAG_RESUME = 4 };

static int64_t shift_of(uint8_t flags)
{
	return flags & FLAG_BACK    ? -(int64_t)(3000 * NS_PER_S)
	       : flags & FLAG_AHEAD ? (int64_t)(3000 * NS_PER_S)
				    : 0;
}

/* Reads what is in the buffer and writes it there again. */
static void pass(struct checkpoint_buffer *b)
{
	struct picture *p = picture_make(NULL, NULL);

	MUST(checkpoint_decode(p, b->ptr, b->len, 0) == 0);
	MUST(checkpoint_encode(p, b) == 0);
	picture_free(p);
}

/*
 * What is written is read as that. The first time, bits of endpoints that there are not may go;
 * from then on it is the same bytes.
 */
static void same_again(const struct picture *p)
{
	struct checkpoint_buffer b = { 0 };
	_cleanup_free_ uint8_t *first = NULL;
	size_t len;

	MUST(checkpoint_encode(p, &b) == 0);
	MUST(b.len <= RECORDER_CHECKPOINT_MAX);
	pass(&b);
	len = b.len;
	first = exact_copy(b.ptr, len);
	pass(&b);
	MUST(b.len == len && memcmp(first, b.ptr, len) == 0);
	free(b.ptr);
}

static void go_on(struct picture *p, struct input script, uint8_t flags)
{
	static const uint8_t epoch[RECORDER_EPOCH_SIZE] = { 0x12 };
	uint64_t clock_ns = picture_now(p).clock_ns, position = 1000000;

	if (flags & FLAG_RESUME)
		picture_resume(p, epoch, picture_moment(clock_ns));
	while (script.left >= 3) {
		uint8_t which = input_byte(&script), how = input_byte(&script);
		struct record r = picture_record(which, how);
		uint64_t by = input_byte(&script) * (NS_PER_S / 8);

		clock_ns = clock_ns > UINT64_MAX - by ? UINT64_MAX : clock_ns + by;
		picture_apply(p, &r, ++position, picture_moment(clock_ns));
	}
	picture_page_waiting(p, picture_now(p));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t flags = input_byte(&in);
	size_t n = input_byte(&in) % EVENTS_MAX;
	tocsin_str script = input_bytes(&in, 3 * n);
	_cleanup_free_ uint8_t *bytes = exact_copy(in.at, in.left);
	uint64_t told = 0;
	struct picture *p = picture_make(picture_hear, &told);
	int r = checkpoint_decode(p, bytes, in.left, shift_of(flags));

	MUST(r == 0 || r == -EBADMSG);
	if (r == 0) {
		same_again(p);
		go_on(p, (struct input){ (const uint8_t *)script.ptr, script.len }, flags);
		same_again(p);
	}
	picture_free(p);
	return 0;
}

/*
 * A change by chance breaks the lengths. So mostly one item, or one inside of it, is taken out,
 * doubled or changed, and the lengths are made right.
 */
#define ITEMS_MAX 512

struct place {
	size_t at;     /* of the item's head */
	size_t parent; /* of the item it is in, 0: none */
};

static uint32_t len_at(const uint8_t *data, size_t at)
{
	uint32_t len;

	memcpy(&len, data + at + sizeof(uint16_t), sizeof len);
	return len;
}

static void len_add(uint8_t *data, size_t at, size_t by)
{
	uint32_t len = len_at(data, at) + (uint32_t)by;

	memcpy(data + at + sizeof(uint16_t), &len, sizeof len);
}

static bool holds_items(const uint8_t *data, size_t at)
{
	uint16_t tag;

	memcpy(&tag, data + at, sizeof tag);
	return tag >= TAG_SESSION && tag <= TAG_RATE_LIMIT;
}

static size_t items_find(const uint8_t *data, size_t from, size_t end, size_t parent,
			 struct place *ret, size_t n)
{
	const size_t head = sizeof(struct item_head);

	while (end - from >= head && n < ITEMS_MAX && len_at(data, from) <= end - from - head) {
		size_t next = from + head + len_at(data, from);

		ret[n++] = (struct place){ from, parent };
		if (parent == 0 && holds_items(data, from))
			n = items_find(data, from + head, next, from, ret, n);
		from = next;
	}
	return n;
}

/* Puts `len` bytes in the place of `old` ones at `at`; the new size. */
static size_t splice(uint8_t *data, size_t size, size_t at, size_t old, const uint8_t *bytes,
		     size_t len)
{
	memmove(data + at + len, data + at + old, size - at - old);
	memcpy(data + at, bytes, len);
	return size - old + len;
}

static size_t item_mutate(uint8_t *data, size_t size, size_t max, struct place item, unsigned seed)
{
	const size_t head = sizeof(struct item_head);
	size_t content = len_at(data, item.at), whole = head + content, len;
	size_t room = max - size < 64 ? max - size : 64;
	uint8_t *copy = malloc(whole + 64);

	MUST(copy);
	memcpy(copy, data + item.at, whole);
	switch (seed % 8) {
	case 0: /* out */
		if (item.parent)
			len_add(data, item.parent, -whole);
		size = splice(data, size, item.at, whole, copy, 0);
		break;
	case 1: /* doubled */
		if (whole > max - size)
			break;
		if (item.parent)
			len_add(data, item.parent, whole);
		size = splice(data, size, item.at, 0, copy, whole);
		break;
	case 2: /* its tag */
		LLVMFuzzerMutate(data + item.at, sizeof(uint16_t), sizeof(uint16_t));
		break;
	default:
		if (content + room == 0)
			break;
		len = LLVMFuzzerMutate(copy + head, content, content + room);
		if (item.parent)
			len_add(data, item.parent, len - content);
		len_add(data, item.at, len - content);
		size = splice(data, size, item.at + head, content, copy + head, len);
	}
	free(copy);
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct place items[ITEMS_MAX];
	size_t begin = 2, n;

	if (size < 2 || seed % 5 == 0)
		return LLVMFuzzerMutate(data, size, max);
	begin += (size_t)3 * (data[1] % EVENTS_MAX) + sizeof(struct checkpoint_head);
	if (seed % 5 == 1 || begin >= size) {
		size_t front = begin < size ? begin - sizeof(struct checkpoint_head) : size;

		LLVMFuzzerMutate(data, front, front);
		return size;
	}
	n = items_find(data, begin, size, 0, items, 0);
	if (n == 0)
		return LLVMFuzzerMutate(data, size, max);
	return item_mutate(data, size, max, items[seed / 5 % n], seed / 7);
}

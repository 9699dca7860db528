/* SPDX-License-Identifier: MIT */
/*
 * A carried picture's file. The first byte says what of its head is made right, since no chance
 * finds a checksum: 1 the magic, 2 the length, 4 the sum.
 */
#include "config.h"
#include "fuzz.h"

#include <errno.h>

#include "base/boot.h"
#include "base/checksum.h"
#include "engine/saved_picture.h"

/* As in saved_picture.c, whose format it is. */
struct head {
	char magic[8];
	uint32_t format, byte_order;
	uint8_t epoch[RECORDER_EPOCH_SIZE];
	char boot_id[BOOT_ID_SIZE];
	int64_t wall_offset_ns;
	uint64_t first_position, length, checksum;
};

static void head_mend(uint8_t *bytes, size_t size, uint8_t what)
{
	struct head h;

	if (size < sizeof h)
		return;
	memcpy(&h, bytes, sizeof h);
	if (what & 1) {
		memcpy(h.magic, "tocsin\nP", sizeof h.magic);
		h.byte_order = 0x01020304;
	}
	if (what & 2)
		h.length = size - sizeof h;
	if (what & 4)
		h.checksum = checksum_add(checksum_add(0, &h, offsetof(struct head, checksum)),
					  bytes + sizeof h, size - sizeof h);
	memcpy(bytes, &h, sizeof h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t what = input_byte(&in);
	_cleanup_free_ uint8_t *bytes = exact_copy(in.at, in.left);
	struct saved_picture c = { .state = NULL };

	head_mend(bytes, in.left, what);
	fuzz_file(SAVED_PICTURE_FILE, bytes, in.left);
	int r = saved_picture_read(fuzz_folder(), &c);
	MUST(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
	if (r == 0) {
		MUST(c.len == in.left - sizeof(struct head));
		MUST(c.wall_offset_ns != INT64_MIN);
		MUST(memcmp(c.state, bytes + sizeof(struct head), c.len) == 0);
	}
	free(c.state);
	return 0;
}

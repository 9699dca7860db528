/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "engine/saved_picture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/boot.h"
#include "base/cleanup.h"
#include "base/files.h"
#include "record/recorder_layout.h"

#define SAVED_PICTURE_MAGIC "tocsin\nP"
#define SAVED_PICTURE_FORMAT_MAX SAVED_PICTURE_RUNNING

struct saved_picture_header {
	char magic[8];
	uint32_t format; /* an enum saved_picture_kind: all kinds have the same header */
	uint32_t byte_order;
	uint8_t epoch[RECORDER_EPOCH_SIZE];
	char boot_id[BOOT_ID_SIZE];
	int64_t wall_offset_ns;
	uint64_t first_position;
	uint64_t length;   /* of the state behind this */
	uint64_t checksum; /* of everything above and the state */
};

static uint64_t checksum_of(const struct saved_picture_header *h, const void *state)
{
	uint64_t sum = checksum_add(0, h, offsetof(struct saved_picture_header, checksum));

	return checksum_add(sum, state, h->length);
}

int saved_picture_write(int folder, const struct saved_picture *c)
{
	struct saved_picture_header h = {
		.magic = SAVED_PICTURE_MAGIC,
		.format = c->kind,
		.byte_order = LAYOUT_BYTE_ORDER,
		.wall_offset_ns = c->wall_offset_ns,
		.first_position = c->first_position,
		.length = c->len,
	};
	_cleanup_free_ uint8_t *bytes = malloc(sizeof h + c->len);

	if (!bytes)
		return -ENOMEM;
	memcpy(h.epoch, c->epoch, sizeof h.epoch);
	boot_id_read(h.boot_id);
	h.checksum = checksum_of(&h, c->state);
	memcpy(bytes, &h, sizeof h);
	if (c->len > 0)
		memcpy(bytes + sizeof h, c->state, c->len);
	return file_replace(folder, SAVED_PICTURE_FILE, bytes, sizeof h + c->len, true);
}

static int saved_picture_check(const struct saved_picture_header *h, const uint8_t *state,
			       size_t len)
{
	if (memcmp(h->magic, SAVED_PICTURE_MAGIC, sizeof h->magic) != 0)
		return -EBADMSG;
	if (h->format > SAVED_PICTURE_FORMAT_MAX)
		return -EPROTONOSUPPORT;
	return h->format >= SAVED_PICTURE_RESCUED && h->byte_order == LAYOUT_BYTE_ORDER &&
			       h->length == len && layout_offset_is_sound(h->wall_offset_ns) &&
			       h->checksum == checksum_of(h, state)
		       ? 0
		       : -EBADMSG;
}

int saved_picture_read(int folder, struct saved_picture *ret)
{
	_cleanup_free_ char *bytes = NULL;
	char boot_id[BOOT_ID_SIZE];
	struct saved_picture_header h = { 0 };
	size_t len;
	int r = file_read(folder, SAVED_PICTURE_FILE, sizeof h + RECORDER_CHECKPOINT_MAX, &bytes,
			  &len);

	if (r == 0 && len < sizeof h)
		r = -EBADMSG;
	if (r == 0) {
		memcpy(&h, bytes, sizeof h);
		len -= sizeof h;
		memmove(bytes, bytes + sizeof h, len);
		r = saved_picture_check(&h, (const uint8_t *)bytes, len);
	}
	if (r == -EBADMSG || r == -EFBIG) {
		/* Else the next run tells it again. */
		(void)renameat(folder, SAVED_PICTURE_FILE, folder, SAVED_PICTURE_FILE ".corrupt");
		return -EBADMSG;
	}
	if (r < 0)
		return r;
	boot_id_read(boot_id);
	*ret = (struct saved_picture){
		.kind = (enum saved_picture_kind)h.format,
		.wall_offset_ns = h.wall_offset_ns,
		.first_position = h.first_position,
		.other_boot = memcmp(boot_id, h.boot_id, sizeof boot_id) != 0,
		.state = (uint8_t *)TAKE(bytes),
		.len = len,
	};
	memcpy(ret->epoch, h.epoch, sizeof ret->epoch);
	return 0;
}

int saved_picture_remove(int folder)
{
	return unlinkat(folder, SAVED_PICTURE_FILE, 0) < 0 && errno != ENOENT ? -errno : 0;
}

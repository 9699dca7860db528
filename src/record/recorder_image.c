/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "record/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "record/recorder_layout.h"

/*
 * Everything is read with pread into memory of ours: a mapping of a file that somebody cuts short
 * would be a SIGBUS. Nothing read is believed before it is checked.
 */

#define CHUNK 64u                      /* slots read at a time */
#define POSITIONS_MAX (UINT64_MAX / 2) /* no run comes near */

struct recorder_image {
	int fd;
	struct layout_header header;
	uint64_t head, released;
	uint64_t losses[RECORDER_N_LOSSES];
	uint64_t stopped_wall_ns, advanced_ns;
	uint64_t blocked[RECORDER_BLOCKED_NOTED];
	bool damaged;

	uint64_t checkpoint_position; /* 0: none */
	int64_t wall_offset_ns;
	uint8_t *checkpoint;
	size_t checkpoint_len;

	uint64_t chunk;      /* index of the first slot in `slots`, UINT64_MAX: none */
	uint64_t first_head; /* the head as it stood in the file at first, sound or not */
	uint64_t reserved;   /* by a living run, once `slots` was read; 0: nothing has moved */
	struct layout_slot slots[CHUNK];
	uint8_t gathered[LAYOUT_PARTS_MAX * LAYOUT_PAYLOAD];
};

DEFINE_CLEANUP(struct recorder_image *, recorder_image_free, cleanup_image)

static int image_read(const struct recorder_image *i, void *buf, size_t len, uint64_t offset)
{
	uint8_t *at = buf;

	while (len > 0) {
		ssize_t n = pread(i->fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EBADMSG;
		at += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static bool header_is_sound(const struct layout_header *h)
{
	return h->byte_order == LAYOUT_BYTE_ORDER && h->slot_size == RECORDER_SLOT_SIZE &&
	       h->slots >= LAYOUT_SLOTS_MIN && h->slots <= LAYOUT_SLOTS_MAX &&
	       (h->slots & (h->slots - 1)) == 0 && h->checkpoint_size == LAYOUT_CHECKPOINT_AREA &&
	       h->checkpoint_offset[0] == 2 * LAYOUT_PAGE &&
	       h->checkpoint_offset[1] == h->checkpoint_offset[0] + LAYOUT_CHECKPOINT_AREA &&
	       h->slots_offset == h->checkpoint_offset[1] + LAYOUT_CHECKPOINT_AREA &&
	       layout_offset_is_sound((int64_t)(h->started_wall_ns - h->started_mono_ns)) &&
	       h->first_position > 0 && memchr(h->engine, 0, sizeof h->engine) != NULL;
}

static int image_read_header(struct recorder_image *i)
{
	struct layout_header *h = &i->header;
	int r = image_read(i, h, sizeof *h, 0);

	if (r < 0)
		return r;
	if (memcmp(h->magic, LAYOUT_MAGIC, sizeof h->magic) != 0)
		return -EBADMSG;
	if (h->format > RECORDER_FORMAT)
		return -EPROTONOSUPPORT;
	if (h->checksum != checksum_add(0, h, offsetof(struct layout_header, checksum)))
		return -EBADMSG;
	return header_is_sound(h) ? 0 : -EBADMSG;
}

static void image_read_counters(struct recorder_image *i)
{
	struct layout_counters c;

	if (image_read(i, &c, sizeof c, LAYOUT_PAGE) < 0) {
		i->damaged = true;
		return;
	}
	i->head = atomic_load_explicit(&c.head, memory_order_relaxed);
	i->first_head = i->head;
	i->released = atomic_load_explicit(&c.released, memory_order_relaxed);
	i->advanced_ns = atomic_load_explicit(&c.advanced_ns, memory_order_relaxed);
	i->stopped_wall_ns = atomic_load_explicit(&c.stopped_wall_ns, memory_order_relaxed);
	for (size_t n = 0; n < RECORDER_N_LOSSES; n++)
		i->losses[n] = atomic_load_explicit(&c.losses[n], memory_order_relaxed);
	for (size_t n = 0; n < RECORDER_BLOCKED_NOTED; n++)
		i->blocked[n] = atomic_load_explicit(&c.blocked[n], memory_order_relaxed);
}

/* Takes the area's checkpoint when it is whole and newer than *mark. */
static int image_read_checkpoint(struct recorder_image *i, unsigned area, uint64_t *mark)
{
	struct layout_checkpoint c;
	uint64_t offset = i->header.checkpoint_offset[area];
	int r = image_read(i, &c, sizeof c, offset);

	if (r < 0)
		return r;
	uint64_t own = atomic_load_explicit(&c.mark, memory_order_relaxed);
	if (own <= *mark || c.length > RECORDER_CHECKPOINT_MAX)
		return 0;
	_cleanup_free_ uint8_t *state = malloc(c.length > 0 ? c.length : 1);
	if (!state)
		return -ENOMEM;
	r = image_read(i, state, c.length, offset + sizeof c);
	if (r < 0)
		return r;
	if (c.checksum != layout_checkpoint_checksum(own, &c, state) ||
	    c.position < i->header.first_position || !layout_offset_is_sound(c.wall_offset_ns))
		return 0;
	free(i->checkpoint);
	i->checkpoint = TAKE(state);
	i->checkpoint_len = c.length;
	i->checkpoint_position = c.position;
	i->wall_offset_ns = c.wall_offset_ns;
	*mark = own;
	return 0;
}

/*
 * What the file's name and size tell when its header does not: everything but the slots' number is
 * the same in each file of this format. Of a file that was cut the number comes out too small, and
 * still each slot that is left is found by its own stamp.
 */
static int header_guess(struct recorder_image *i, const char *name, uint64_t size)
{
	static const char prefix[] = "ring-";
	struct layout_header *h = &i->header;
	uint64_t slots = LAYOUT_SLOTS_MIN, offset = 2 * LAYOUT_PAGE + 2 * LAYOUT_CHECKPOINT_AREA;
	const char *hex = name + sizeof prefix - 1;

	if (strncmp(name, prefix, sizeof prefix - 1) != 0 ||
	    strspn(hex, "0123456789abcdef") < 2 * RECORDER_EPOCH_SIZE || size <= offset)
		return -EBADMSG;
	*h = (struct layout_header){
		.slot_size = RECORDER_SLOT_SIZE,
		.checkpoint_size = LAYOUT_CHECKPOINT_AREA,
		.checkpoint_offset = { 2 * LAYOUT_PAGE, 2 * LAYOUT_PAGE + LAYOUT_CHECKPOINT_AREA },
		.slots_offset = offset,
		.first_position = 1,
	};
	while (slots < LAYOUT_SLOTS_MAX && slots * RECORDER_SLOT_SIZE < size - offset)
		slots *= 2;
	h->slots = slots;
	for (size_t n = 0; n < RECORDER_EPOCH_SIZE; n++) {
		unsigned byte;

		/* NOLINTNEXTLINE(cert-err34-c): they are hexadecimal digits. */
		if (sscanf(hex + 2 * n, "%2x", &byte) != 1)
			return -EBADMSG;
		h->epoch[n] = (uint8_t)byte;
	}
	i->damaged = true;
	return 0;
}

static uint64_t slot_stamp(const struct layout_slot *s)
{
	return atomic_load_explicit(&s->stamp, memory_order_relaxed);
}

/*
 * The head, when it has moved since the file was opened: the run lives, and may write into what is
 * read meanwhile.
 */
static uint64_t image_reserved(const struct recorder_image *i)
{
	uint64_t head;

	if (image_read(i, &head, sizeof head,
		       LAYOUT_PAGE + offsetof(struct layout_counters, head)) < 0)
		return 0;
	return head == i->first_head ? 0 : head;
}

/* Of a file that ends within the chunk, the slots behind its end are as if never written. */
static bool image_read_slots(struct recorder_image *i, uint64_t chunk)
{
	uint64_t offset = i->header.slots_offset + chunk * RECORDER_SLOT_SIZE;
	ssize_t n;

	do
		n = pread(i->fd, i->slots, sizeof i->slots, (off_t)offset);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	memset((uint8_t *)i->slots + n, 0, sizeof i->slots - (size_t)n);
	/* What is read next is read later, on machines too that would turn reads around. */
	atomic_thread_fence(memory_order_acquire);
	return true;
}

/*
 * Reads the slots from index `chunk` on. A living run may write into them meanwhile, and a read
 * copies in no order that could be relied on: a new stamp may come with an old payload, though the
 * stamp was written last. So they are read twice. What was stamped before the second read began was
 * whole then, and is so still, unless the head, read last, tells that the slot was taken again
 * (recorder_push: the head goes before the copy). The others count as never written.
 */
static bool image_read_chunk(struct recorder_image *i, uint64_t chunk)
{
	uint64_t stamped[CHUNK];

	if (chunk == i->chunk)
		return true;
	i->chunk = UINT64_MAX;
	if (!image_read_slots(i, chunk))
		return false;
	for (uint64_t n = 0; n < CHUNK; n++)
		stamped[n] = slot_stamp(&i->slots[n]);
	if (!image_read_slots(i, chunk))
		return false;
	for (uint64_t n = 0; n < CHUNK; n++)
		if (slot_stamp(&i->slots[n]) != stamped[n])
			atomic_store_explicit(&i->slots[n].stamp, 0, memory_order_relaxed);
	i->reserved = image_reserved(i);
	i->chunk = chunk;
	return true;
}

/*
 * Where the records end, as their stamps tell: the counter may be damaged. Records that count lie
 * within one lap of `from`; without a place to begin (0) the greatest stamp ends them.
 */
static uint64_t image_find_head(struct recorder_image *i, uint64_t from)
{
	uint64_t head = from, slots = i->header.slots;

	for (uint64_t index = 0; index < slots; index++) {
		uint64_t stamp;

		if (!image_read_chunk(i, index - index % CHUNK))
			break;
		stamp = slot_stamp(&i->slots[index % CHUNK]);
		if ((stamp & (slots - 1)) != index || stamp < head || stamp >= POSITIONS_MAX ||
		    (from > 0 && stamp - from >= slots))
			continue;
		head = stamp + 1;
	}
	return head;
}

static void image_settle_head(struct recorder_image *i)
{
	uint64_t from = i->checkpoint             ? i->checkpoint_position
			: i->header.checksum != 0 ? i->header.first_position
						  : 0;
	uint64_t head = image_find_head(i, from);

	/* Reserved slots that were never stamped count too, as torn ones. */
	if (from > 0 && i->head >= head && i->head - from <= i->header.slots)
		return;
	/* Alive, it may have written and released meanwhile: then the stamps are just newer. */
	i->damaged |= from == 0 || i->head < from || i->head - from > i->header.slots;
	i->head = head;
}

int recorder_image_open(int folder, const char *name, struct recorder_image **ret)
{
	_cleanup_(cleanup_image) struct recorder_image *i = calloc(1, sizeof *i);
	uint64_t mark = 0;
	struct stat st;

	if (!i)
		return -ENOMEM;
	i->chunk = UINT64_MAX;
	i->fd = descriptor_openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (i->fd < 0)
		return -errno;
	if (fstat(i->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	int r = image_read_header(i);
	if (r == -EBADMSG)
		r = header_guess(i, name, (uint64_t)st.st_size);
	if (r < 0)
		return r;
	if ((uint64_t)st.st_size < i->header.slots_offset + i->header.slots * RECORDER_SLOT_SIZE)
		i->damaged = true;
	for (unsigned area = 0; area < 2; area++) {
		r = image_read_checkpoint(i, area, &mark);
		if (r == -ENOMEM)
			return r;
		i->damaged |= r < 0;
	}
	/* Of a living run these move on: never behind the checkpoint that was read before them. */
	image_read_counters(i);
	image_settle_head(i);
	*ret = TAKE(i);
	return 0;
}

int recorder_image_begin(int folder, const char *name, uint64_t *ret_first_position,
			 uint64_t *ret_started_wall_ns)
{
	_cleanup_(cleanup_image) struct recorder_image *i = calloc(1, sizeof *i);
	int r;

	if (!i)
		return -ENOMEM;
	i->fd = descriptor_openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	/* A pipe in its place gives nothing, at once: it was opened without waiting. */
	r = i->fd < 0 ? -errno : image_read_header(i);
	if (r == -EPROTONOSUPPORT)
		return r;
	*ret_first_position = r < 0 ? 0 : i->header.first_position;
	*ret_started_wall_ns = r < 0 ? 0 : i->header.started_wall_ns;
	return 0;
}

void recorder_image_free(struct recorder_image *i)
{
	if (!i)
		return;
	if (i->fd >= 0)
		close(i->fd);
	free(i->checkpoint);
	free(i);
}

void recorder_image_facts(const struct recorder_image *i, struct recorder_image_facts *ret)
{
	*ret = (struct recorder_image_facts){
		.head = i->head,
		.released = i->released,
		.slots = i->header.slots,
		.checkpoint_position = i->checkpoint_position,
		.wall_offset_ns = i->wall_offset_ns,
		.first_position = i->header.first_position,
		.stopped_wall_ns = i->stopped_wall_ns,
		.advanced_ns = i->advanced_ns,
		.damaged = i->damaged,
		.started_wall_ns = i->header.started_wall_ns,
		.pid = i->header.pid,
	};
	if (!i->checkpoint)
		ret->wall_offset_ns =
			(int64_t)(i->header.started_wall_ns - i->header.started_mono_ns);
	memcpy(ret->epoch, i->header.epoch, sizeof ret->epoch);
	memcpy(ret->engine, i->header.engine, sizeof ret->engine);
	memcpy(ret->losses, i->losses, sizeof ret->losses);
	memcpy(ret->blocked, i->blocked, sizeof ret->blocked);
}

const uint8_t *recorder_image_checkpoint(const struct recorder_image *i, size_t *ret_len)
{
	*ret_len = i->checkpoint_len;
	return i->checkpoint;
}

/* The slot of that position, or NULL when it cannot be read. Valid until the next call. */
static const struct layout_slot *image_slot(struct recorder_image *i, uint64_t position)
{
	uint64_t index = position & (i->header.slots - 1);
	uint64_t chunk = index - index % CHUNK;

	if (!image_read_chunk(i, chunk))
		return NULL;
	/* Reserved for the next lap: the old stamp stands there until the new record does. */
	if (i->reserved > i->header.slots && position < i->reserved - i->header.slots)
		return NULL;
	const struct layout_slot *s = &i->slots[index - chunk];
	return slot_stamp(s) == position ? s : NULL;
}

/* Gathers the record that begins at `position`; false when it is not whole. */
static bool image_gather(struct recorder_image *i, uint64_t position, size_t *ret_len)
{
	const struct layout_slot *s = image_slot(i, position);

	if (!s || !layout_slot_begins_record(s) || s->parts > i->head - position)
		return false;
	uint16_t parts = s->parts;
	uint32_t length = s->length;
	for (uint16_t part = 0; part < parts; part++) {
		s = image_slot(i, position + part);
		if (!s || s->part != part || s->parts != parts || s->length != length)
			return false;
		memcpy(i->gathered + (size_t)part * LAYOUT_PAYLOAD, s->payload, LAYOUT_PAYLOAD);
	}
	*ret_len = length;
	return true;
}

int recorder_image_next(struct recorder_image *i, uint64_t *position, const uint8_t **ret_bytes,
			size_t *ret_len, uint64_t *ret_position, uint64_t *torn)
{
	uint64_t oldest = i->header.first_position;

	if (i->head > i->header.slots && i->head - i->header.slots > oldest)
		oldest = i->head - i->header.slots;
	if (*position < oldest)
		*position = oldest;
	while (*position < i->head) {
		size_t len;

		if (image_gather(i, *position, &len)) {
			*ret_bytes = i->gathered;
			*ret_len = len;
			*ret_position = *position;
			*position += layout_parts(len);
			return 1;
		}
		(*position)++;
		(*torn)++;
	}
	return 0;
}

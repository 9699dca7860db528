/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "record/recorder.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/files.h"
#include "base/lockfile.h"
#include "base/moment.h"
#include "record/recorder_layout.h"

#define NAME_SIZE 64

struct recorder {
	struct recorder_producer producer;

	/* The reader's own. */
	uint64_t next; /* position it reads next */
	uint64_t mark; /* of the last checkpoint */
	unsigned n_blocked;
	uint8_t gathered[LAYOUT_PARTS_MAX * LAYOUT_PAYLOAD];

	struct layout_header *header; /* the whole mapping */
	size_t size;
	int folder; /* -1: in memory */
	bool published;
	struct descriptor_identity folder_identity;
	ino_t inode; /* the file's */
	char name[NAME_SIZE], temporary[NAME_SIZE], lock_name[NAME_SIZE];
	struct lockfile *lock;
};

const struct recorder_producer *recorder_producer(const struct recorder *r)
{
	return &r->producer;
}

/* --- Counters --- */

uint64_t recorder_head(const struct recorder *r)
{
	/* Acquire, so that whoever learns the head and then asks the reader asks in that order. */
	return atomic_load_explicit(&r->producer.counters->head, memory_order_acquire);
}

uint64_t recorder_losses(const struct recorder *r, enum recorder_loss loss)
{
	return atomic_load_explicit(&r->producer.counters->losses[loss], memory_order_relaxed);
}

uint64_t recorder_last_loss(const struct recorder *r)
{
	return atomic_load_explicit(&r->producer.counters->last_loss_ns, memory_order_relaxed);
}

uint64_t recorder_slots(const struct recorder *r)
{
	return r->producer.mask + 1;
}

uint64_t recorder_used(const struct recorder *r)
{
	uint64_t released =
		atomic_load_explicit(&r->producer.counters->released, memory_order_relaxed);
	uint64_t head = atomic_load_explicit(&r->producer.counters->head, memory_order_relaxed);

	return head - released;
}

const uint8_t *recorder_epoch(const struct recorder *r)
{
	return r->header->epoch;
}

const char *recorder_name(const struct recorder *r)
{
	return r->name;
}

/* Not closed by somebody, and its number given to something else. */
static bool folder_is_ours(const struct recorder *r)
{
	return descriptor_is(r->folder, r->folder_identity);
}

bool recorder_reopen(struct recorder *r, int folder)
{
	if (r->folder < 0 || folder_is_ours(r))
		return true;
	if (!descriptor_is(folder, r->folder_identity))
		return false;
	int fd = fcntl(folder, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return false;
	r->folder = fd;
	return true;
}

int recorder_is_there(const struct recorder *r)
{
	struct stat st;

	if (!r->published)
		return 0;
	if (!folder_is_ours(r))
		return -EBADF;
	if (fstatat(r->folder, r->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (st.st_ino != r->inode || st.st_nlink == 0)
		return -ENOENT;
	/* Without its lock it would pass for a dead run's. */
	return fstatat(r->folder, r->lock_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* --- Making --- */

static uint64_t slots_for(size_t size)
{
	uint64_t slots = LAYOUT_SLOTS_MIN;

	while (slots < LAYOUT_SLOTS_MAX && slots * RECORDER_SLOT_SIZE < size)
		slots *= 2;
	return slots;
}

static void header_fill(struct layout_header *h, const struct recorder_options *o, uint64_t slots,
			const uint8_t epoch[static RECORDER_EPOCH_SIZE])
{
	memcpy(h->magic, LAYOUT_MAGIC, sizeof h->magic);
	h->format = RECORDER_FORMAT;
	h->byte_order = LAYOUT_BYTE_ORDER;
	h->slot_size = RECORDER_SLOT_SIZE;
	h->pid = (uint32_t)getpid();
	h->slots = slots;
	h->checkpoint_size = LAYOUT_CHECKPOINT_AREA;
	h->checkpoint_offset[0] = 2 * LAYOUT_PAGE;
	h->checkpoint_offset[1] = h->checkpoint_offset[0] + LAYOUT_CHECKPOINT_AREA;
	h->slots_offset = h->checkpoint_offset[1] + LAYOUT_CHECKPOINT_AREA;
	h->file_size = h->slots_offset + slots * RECORDER_SLOT_SIZE;
	h->first_position = o->first_position;
	h->started_wall_ns = clock_realtime_ns();
	h->started_mono_ns = clock_monotonic_ns();
	memcpy(h->epoch, epoch, RECORDER_EPOCH_SIZE);
	snprintf(h->engine, sizeof h->engine, "%s", o->engine);
	h->checksum = checksum_add(0, h, offsetof(struct layout_header, checksum));
}

/*
 * Every page backed, mapped for writing and stored into, so that no push faults or finds no room.
 * Asking the kernel alone is not enough: where the machine is a virtual one whose host backs memory
 * lazily, the first store into each page costs some microseconds all the same. Nor is storing: the
 * kernel tells that it has no page, where a store would be a SIGBUS.
 */
static int mapping_populate(void *p, size_t size, struct failure *f)
{
#ifdef MADV_POPULATE_WRITE
	/* Other errors are those of kernels, or filters, that do not know it. */
	if (madvise(p, size, MADV_POPULATE_WRITE) < 0 && (errno == ENOMEM || errno == EFAULT))
		return failure_set(f, -errno, "madvise of %zu bytes", size);
#endif
	for (size_t at = 0; at < size; at += LAYOUT_PAGE)
		((volatile uint8_t *)p)[at] = 0;
	return 0;
}

/* The file, under its temporary name. */
static int file_make(const struct recorder *r, size_t size, struct failure *f, int *ret_fd)
{
	_cleanup_close_ int fd = descriptor_openat(r->folder, r->temporary,
						   O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);

	if (fd < 0)
		return failure_set(f, -errno, "open of the recorder's file");
	/* A clean ENOSPC here, where a store into an unbacked page would be a SIGBUS. */
	int e = file_allocate(fd, size);
	if (e < 0)
		return failure_set(f, e, "posix_fallocate of %zu bytes for the recorder", size);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* The file's memory; anonymous memory without a folder. */
static int mapping_make(struct recorder *r, size_t size, struct failure *f)
{
	_cleanup_close_ int fd = -1;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	uint64_t left = cgroup_memory_left("");

	/* Touched without room for it, it would be the end of the process. */
	if (left < size)
		return failure_set(f, -ENOMEM,
				   "recorder.size: %zu bytes, and the control group has %" PRIu64
				   " left",
				   size, left);
	if (r->folder >= 0) {
		int e = file_make(r, size, f, &fd);

		if (e < 0)
			return e;
		flags = MAP_SHARED;
	}
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (p == MAP_FAILED)
		return failure_set(f, -errno, "mmap of %zu bytes for the recorder", size);
	r->header = p;
	r->size = size;
	/* A forked child does not need it, and must not touch it. */
	madvise(p, size, MADV_DONTFORK);
	return mapping_populate(p, size, f);
}

static void names_fill(struct recorder *r, const uint8_t epoch[static RECORDER_EPOCH_SIZE])
{
	char hex[2 * RECORDER_EPOCH_SIZE + 1];

	for (size_t i = 0; i < RECORDER_EPOCH_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", epoch[i]);
	snprintf(r->name, sizeof r->name, "ring-%s", hex);
	snprintf(r->temporary, sizeof r->temporary, ".ring-%s.new", hex);
	snprintf(r->lock_name, sizeof r->lock_name, "lock-%s", hex);
}

static void recorder_discard(struct recorder *r)
{
	recorder_free(r, true);
}

DEFINE_CLEANUP(struct recorder *, recorder_discard, cleanup_recorder)

int recorder_create(const struct recorder_options *o, struct recorder **ret)
{
	uint8_t epoch[RECORDER_EPOCH_SIZE];
	uint64_t slots = slots_for(o->size);
	struct layout_header shape = { 0 };

	if (getrandom(epoch, sizeof epoch, 0) != (ssize_t)sizeof epoch)
		return failure_set(o->failure, -errno, "getrandom");
	_cleanup_(cleanup_recorder) struct recorder *r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	r->folder = -1;
	if (o->folder >= 0) {
		r->folder = fcntl(o->folder, F_DUPFD_CLOEXEC, 3);
		if (r->folder < 0)
			return failure_set(o->failure, -errno, "fcntl(F_DUPFD_CLOEXEC)");
		r->folder_identity = descriptor_identify(r->folder);
		names_fill(r, epoch);
	}
	header_fill(&shape, o, slots, epoch);
	int e = mapping_make(r, shape.file_size, o->failure);
	if (e < 0)
		return e;
	assert(r->header);
	if (r->folder >= 0) {
		e = lockfile_open(r->folder, r->lock_name, true, &r->lock);
		if (e < 0)
			return failure_set(o->failure, e, "making of the recorder's lock file");
	}
	*r->header = shape;

	uint8_t *base = (uint8_t *)r->header;
	r->producer.counters = (struct layout_counters *)(void *)(base + LAYOUT_PAGE);
	r->producer.slots = (struct layout_slot *)(void *)(base + shape.slots_offset);
	r->producer.mask = slots - 1;
	r->producer.limit[RECORDER_CLASS_FIRST] = slots;
	r->producer.limit[RECORDER_CLASS_MIDDLE] = slots - slots / 8;
	r->producer.limit[RECORDER_CLASS_LEAST] = slots - slots / 4;
	r->next = o->first_position;
	atomic_store_explicit(&r->producer.counters->released, o->first_position,
			      memory_order_relaxed);
	atomic_store_explicit(&r->producer.counters->head, o->first_position, memory_order_relaxed);
	*ret = TAKE(r);
	return 0;
}

void recorder_remove(struct recorder *r)
{
	if (!r || !folder_is_ours(r))
		return;
	unlinkat(r->folder, r->published ? r->name : r->temporary, 0);
	unlinkat(r->folder, r->lock_name, 0);
}

void recorder_free(struct recorder *r, bool remove)
{
	if (!r)
		return;
	if (r->header)
		munmap(r->header, r->size);
	lockfile_free(r->lock);
	if (remove)
		recorder_remove(r);
	if (folder_is_ours(r))
		close(r->folder);
	free(r);
}

/* --- The reader --- */

int recorder_hold(struct recorder *r)
{
	if (r->folder < 0)
		return 0;
	int e = lockfile_try(r->lock);
	if (e < 0)
		return e;
	/* Only now may others see the file: one without a living holder is a dead run. */
	if (renameat(r->folder, r->temporary, r->folder, r->name) < 0)
		return -errno;
	struct stat file;
	if (fstatat(r->folder, r->name, &file, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	r->inode = file.st_ino;
	r->published = true;
	return 0;
}

void recorder_release_hold(struct recorder *r, bool remove)
{
	if (r->folder < 0)
		return;
	/* Also when it goes: whoever may not remove it any more, after a setuid, says it so. */
	atomic_store_explicit(&r->producer.counters->stopped_wall_ns, clock_realtime_ns(),
			      memory_order_relaxed);
	if (remove && folder_is_ours(r))
		unlinkat(r->folder, r->name, 0);
	lockfile_release(r->lock);
}

void recorder_note_advance(struct recorder *r, uint64_t mono_ns)
{
	/* Relaxed: a kill leaves a prefix of this thread's stores, and the file is read after it.
	 */
	atomic_store_explicit(&r->producer.counters->advanced_ns, mono_ns, memory_order_relaxed);
}

void recorder_note_blocked(struct recorder *r, uint64_t position)
{
	struct layout_counters *c = r->producer.counters;

	/* Relaxed: as in recorder_note_advance. */
	atomic_store_explicit(&c->blocked[r->n_blocked++ % RECORDER_BLOCKED_NOTED], position,
			      memory_order_relaxed);
}

/* Copies the record's parts together; they are all there, for the first slot is stamped last. */
static const uint8_t *recorder_gather(struct recorder *r, uint64_t position,
				      const struct layout_slot *first)
{
	if (first->parts == 1)
		return first->payload;
	for (uint64_t part = 0; part < first->parts; part++)
		memcpy(r->gathered + part * LAYOUT_PAYLOAD,
		       r->producer.slots[(position + part) & r->producer.mask].payload,
		       LAYOUT_PAYLOAD);
	return r->gathered;
}

int recorder_look(struct recorder *r, uint64_t position, const uint8_t **ret_bytes, size_t *ret_len,
		  uint64_t *ret_next)
{
	const struct layout_slot *s = &r->producer.slots[position & r->producer.mask];
	/* Pairs with the stamp's release store in recorder_push. */
	uint64_t stamp = atomic_load_explicit(&s->stamp, memory_order_acquire);

	if (stamp != position)
		return position == recorder_head(r) ? 0 : -EAGAIN;
	*ret_next = position + 1;
	if (!layout_slot_begins_record(s))
		return -ESPIPE;
	*ret_bytes = recorder_gather(r, position, s);
	*ret_len = s->length;
	*ret_next = position + s->parts;
	return 1;
}

int recorder_next(struct recorder *r, const uint8_t **ret_bytes, size_t *ret_len,
		  uint64_t *ret_position, uint64_t *ret_next)
{
	uint64_t next = r->next;
	int found;

	/* Only a stray write of the host's can leave what begins no record: step over the slot. */
	while ((found = recorder_look(r, r->next, ret_bytes, ret_len, &next)) == -ESPIPE)
		r->next = next;
	if (found <= 0)
		return found;
	*ret_position = r->next;
	r->next = *ret_next = next;
	return 1;
}

int recorder_checkpoint(struct recorder *r, uint64_t position, int64_t wall_offset_ns,
			const void *state, size_t len)
{
	if (len > RECORDER_CHECKPOINT_MAX)
		return -E2BIG;

	uint64_t mark = r->mark + 1;
	uint8_t *base = (uint8_t *)r->header;
	struct layout_checkpoint *c =
		(struct layout_checkpoint *)(void *)(base + r->header->checkpoint_offset[mark & 1]);

	/*
	 * Only this thread writes here, and readers come after its death, when the mapping holds a
	 * prefix of its stores. The fences keep the compiler, and the machine, from moving the
	 * content before "being written" or after "valid".
	 */
	atomic_store_explicit(&c->mark, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	c->position = position;
	c->wall_offset_ns = wall_offset_ns;
	c->length = len;
	if (len > 0)
		memcpy(c->state, state, len);
	c->checksum = layout_checkpoint_checksum(mark, c, c->state);
	atomic_store_explicit(&c->mark, mark, memory_order_release);
	atomic_thread_fence(memory_order_seq_cst);
	r->mark = mark;
	/* Pairs with the acquire load in recorder_push: this thread's reads of the slots are over.
	 */
	atomic_store_explicit(&r->producer.counters->released, position, memory_order_release);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The recorder: a ring of events in a file that survives the process. Any number of threads push;
 * one reader takes records in order. A push is one compare-and-swap, a copy and a release-store: no
 * syscall, lock, allocation or wake-up, and it never waits for another push.
 *
 * The file holds a header page, a page of counters, two checkpoint areas used in turn and the
 * slots. A slot is reused only when the checkpoint has passed it: released <= checkpoint <=
 * durable. Beside the file is a small lock file with a robust mutex that the reader holds. When the
 * mutex's owner has died, the run is dead.
 */
#ifndef TOCSIN_RECORD_RECORDER_H
#define TOCSIN_RECORD_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/failure.h"

#define RECORDER_FORMAT 1
#define RECORDER_SLOT_SIZE 512
/* Bytes of a checkpoint area: the picture's maxima fit into it (see picture/checkpoint.h). */
#define RECORDER_CHECKPOINT_MAX (2304 * 1024)
#define RECORDER_EPOCH_SIZE 16
/* Announcements of a blocked reader that are remembered: more than one checkpoint can owe. */
#define RECORDER_BLOCKED_NOTED 8

/* How much of the ring an event may use: all, seven eighths, three quarters. */
enum recorder_class { RECORDER_CLASS_FIRST, RECORDER_CLASS_MIDDLE, RECORDER_CLASS_LEAST };
/* Which counter a refusal goes to. */
enum recorder_loss {
	RECORDER_LOSS_P1,
	RECORDER_LOSS_P2,
	RECORDER_LOSS_P3,
	RECORDER_LOSS_OTHER,
	RECORDER_N_LOSSES,
};

struct recorder;

struct recorder_options {
	int folder;              /* where ring-<epoch> is made; -1: in memory only */
	size_t size;             /* bytes of all slots, rounded up to a power of two */
	uint64_t first_position; /* of the first slot, at least 1 */
	const char *engine;      /* name kept in the header, at most 255 bytes */
	struct failure *failure; /* gets the call that failed; may be NULL */
};

/*
 * Makes the file whole (allocated and touched, so that no push can fault) and its lock file. The
 * epoch is drawn at random. -ENOMEM where the control group has no room for it, before the kernel
 * would have to kill for it; -ENOSPC and others of open, fallocate, mmap. Nothing is left behind.
 */
int recorder_create(const struct recorder_options *o, struct recorder **ret);

/* Takes its files away at once, before those who may use it have ended. Takes NULL. */
void recorder_remove(struct recorder *r);
/* Unmaps; with `remove` the files go too (a clean stop). Takes NULL. */
void recorder_free(struct recorder *r, bool remove);

const uint8_t *recorder_epoch(const struct recorder *r);
/* The file's name in its folder, "" when in memory. */
const char *recorder_name(const struct recorder *r);

/*
 * What a push reads, in one cache line, never changed and valid as long as the recorder: a copy can
 * lie where its caller looks anyway.
 */
struct recorder_producer {
	struct layout_counters *counters;
	struct layout_slot *slots;
	uint64_t mask;
	uint64_t limit[RECORDER_CLASS_LEAST + 1]; /* slots in use at most, by class */
};

const struct recorder_producer *recorder_producer(const struct recorder *r);

/*
 * [hot] Pushes a record of `len` bytes (1..RECORD_SIZE_MAX), which lie in slots as they will in the
 * ring (struct layout_record); what is not payload there is filled in. *ret_position (unless NULL)
 * gets the event's position. -ENOBUFS when the class's share of the ring is used: counted under
 * `loss`, with mono_ns kept as the time of the last loss.
 */
int recorder_push(const struct recorder_producer *p, enum recorder_class class,
		  enum recorder_loss loss, uint64_t mono_ns, struct layout_slot *record, size_t len,
		  uint64_t *ret_position);

/*
 * [hot] Says that a push is coming: the word that all pushes contend for then leaves another
 * processor's cache while the event is encoded, and not while the push waits. For writing, which
 * compilers do not say unasked: a processor that knows it not ignores it.
 */
static inline void recorder_expect(const struct recorder_producer *p)
{
	/* It is the first of the counters. */
#ifdef __x86_64__
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p->counters));
#else
	__builtin_prefetch(p->counters, 1);
#endif
}

/* Where the next push will go: everything before it was accepted. [any] */
uint64_t recorder_head(const struct recorder *r);
/* Refusals so far under `loss`, and when (CLOCK_MONOTONIC) the last one of any kind was. [any] */
uint64_t recorder_losses(const struct recorder *r, enum recorder_loss loss);
uint64_t recorder_last_loss(const struct recorder *r);
/* Slots in all, and slots in use now. [any] */
uint64_t recorder_slots(const struct recorder *r);
uint64_t recorder_used(const struct recorder *r);

/*
 * Are the file and its lock where others would look for them after a crash? 0: they are, or it is
 * in memory only, or not yet visible. -ENOENT: one of them was removed, replaced or renamed. Other
 * errors: the folder cannot be asked; -EBADF: its descriptor was closed by somebody. [any]
 */
int recorder_is_there(const struct recorder *r);
/* After -EBADF, and before the file is removed: goes on with a copy of `folder`, if that is the
 * same folder. False: it is not. [reader] */
bool recorder_reopen(struct recorder *r, int folder);

/* --- the reader: one thread, which holds the lock --- */

/* Takes the lock file's mutex for the calling thread, for as long as it lives. */
int recorder_hold(struct recorder *r);
/*
 * Lets it go: the run has ended in order. With `remove` its file goes first, so that nobody takes
 * it for a dead run's; else it stays for the next run, marked as stopped.
 */
void recorder_release_hold(struct recorder *r, bool remove);

/*
 * The next record, copied out (valid until the next call). *ret_next is the position after it. 0
 * when the ring is empty, 1 with a record, -EAGAIN when the next one is reserved but not yet
 * written.
 */
int recorder_next(struct recorder *r, const uint8_t **ret_bytes, size_t *ret_len,
		  uint64_t *ret_position, uint64_t *ret_next);

/*
 * Looks at `position`, which recorder_next has not passed and which is at most the head, and takes
 * nothing: 1 with the record that begins there (valid until the next call of this or of
 * recorder_next), -EAGAIN when the slot is reserved but not yet written, -ESPIPE when it belongs to
 * a record that begins before it, 0 at the head. *ret_next (not at 0 and -EAGAIN) is where to look
 * next. A record is whole when its first slot is written, so what is found behind a slot that a
 * slow producer holds can be read.
 */
int recorder_look(struct recorder *r, uint64_t position, const uint8_t **ret_bytes, size_t *ret_len,
		  uint64_t *ret_next);

/*
 * Writes a checkpoint that has passed everything before `position`, then lets pushes reuse the
 * slots before it. wall_offset_ns: CLOCK_REALTIME - CLOCK_MONOTONIC now, kept to date events later.
 * -E2BIG.
 */
int recorder_checkpoint(struct recorder *r, uint64_t position, int64_t wall_offset_ns,
			const void *state, size_t len);

/* Before the reader lets deadlines up to that time on the clock fire: so that whoever goes on after
 * its death lets the same ones fire. */
void recorder_note_advance(struct recorder *r, uint64_t mono_ns);

/* Before the reader announces that it waits for the record at that position: so that whoever goes
 * on after its death ends the same announcement. */
void recorder_note_blocked(struct recorder *r, uint64_t position);

/* --- a run's file, dead or alive, read without trusting it --- */

struct recorder_image;

/*
 * Reads what can be read: of a file whose header or counters are damaged, or which was cut, what
 * its slots tell by themselves. -EBADMSG when nothing of it can be a recorder's, -EPROTONOSUPPORT
 * for a format of a later version.
 */
int recorder_image_open(int folder, const char *name, struct recorder_image **ret);
void recorder_image_free(struct recorder_image *i);
/* A look at the header alone: where the run began; 0 and 0 when it is damaged. -EPROTONOSUPPORT. */
int recorder_image_begin(int folder, const char *name, uint64_t *ret_first_position,
			 uint64_t *ret_started_wall_ns);

struct recorder_image_facts {
	uint8_t epoch[RECORDER_EPOCH_SIZE];
	char engine[256];
	uint64_t head, released, slots;
	uint64_t checkpoint_position; /* 0: none was written */
	int64_t wall_offset_ns;
	uint64_t losses[RECORDER_N_LOSSES];
	uint64_t first_position;
	uint64_t started_wall_ns;
	uint64_t advanced_ns;                     /* see recorder_note_advance */
	uint64_t blocked[RECORDER_BLOCKED_NOTED]; /* see recorder_note_blocked; 0: none */
	uint64_t stopped_wall_ns; /* of an orderly stop; 0: the run died, or lives */
	uint32_t pid;
	bool damaged; /* header or counters are not what they were: the slots alone were asked */
};

void recorder_image_facts(const struct recorder_image *i, struct recorder_image_facts *ret);
/* The newest whole checkpoint's state, or NULL with 0. Lives as long as the image. */
const uint8_t *recorder_image_checkpoint(const struct recorder_image *i, size_t *ret_len);
/*
 * The record at or after *position, which then moves past it; slots reserved but never written are
 * stepped over and counted in *torn. 0 at the end, 1 with a record (valid until the next call).
 */
int recorder_image_next(struct recorder_image *i, uint64_t *position, const uint8_t **ret_bytes,
			size_t *ret_len, uint64_t *ret_position, uint64_t *torn);

#endif

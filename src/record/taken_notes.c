/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "record/taken_notes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/files.h"

#define NAME "taken"
#define TEMPORARY FILE_TEMPORARY_PREFIX NAME
#define MAGIC "tocsin\nT"
#define FORMAT 1
#define BYTE_ORDER_MARK 0x01020304u
#define STAMP_LIMIT (UINT64_MAX / 2) /* no owner comes near */

/* Of a page's id, what else it is told apart by, and its endpoint. */
struct hash {
	uint64_t word[2];
};

struct note {
	_Atomic uint64_t stamp; /* counts notes from 1; 0: there is none, or it is being written */
	struct hash hash;
};

/* The file. The note with stamp s lies at s mod TAKEN_NOTES_MAX. */
struct notes {
	char magic[8];
	uint32_t format, byte_order;
	uint64_t n; /* TAKEN_NOTES_MAX */
	struct note note[TAKEN_NOTES_MAX];
};

_Static_assert(sizeof(struct note) == 24 && sizeof(struct notes) == 24 + 24 * TAKEN_NOTES_MAX,
	       "the file has no holes");

struct taken_notes {
	struct hash *known; /* of former owners, sorted */
	size_t n_known;
	uint64_t next;       /* stamp of the next note */
	struct notes *notes; /* the mapping; NULL: nothing can be noted */
	struct descriptor_identity identity;
};

/*
 * Two sums of 64 bits that have nothing in common: were two ids taken for one, a page would be
 * lost. FNV-1a, and a multiplication that each byte's high bits are folded into.
 */
static void hash_add(struct hash *h, const char *text)
{
	/* The NUL too: it parts one text from the next. */
	for (const char *c = text;; c++) {
		uint8_t byte = (uint8_t)*c;

		h->word[0] = (h->word[0] ^ byte) * UINT64_C(0x100000001b3);
		h->word[1] = (h->word[1] + byte + 1) * UINT64_C(0x9e3779b97f4a7c15);
		h->word[1] ^= h->word[1] >> 32;
		if (byte == 0)
			break;
	}
}

static struct hash hash_of(const char *page_id, const char *content, const char *endpoint)
{
	struct hash h = { { UINT64_C(0xcbf29ce484222325), UINT64_C(0x746f6373696e0001) } };

	hash_add(&h, page_id);
	hash_add(&h, content);
	hash_add(&h, endpoint);
	return h;
}

static int hash_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct hash));
}

/* --- What was left --- */

static bool head_is_sound(const struct notes *n)
{
	return memcmp(n->magic, MAGIC, sizeof n->magic) == 0 && n->format == FORMAT &&
	       n->byte_order == BYTE_ORDER_MARK && n->n == TAKEN_NOTES_MAX;
}

/* Nothing read is believed before it is checked: a note that was being written goes. */
static void notes_check(struct taken_notes *t, struct notes *n)
{
	for (size_t i = 0; i < TAKEN_NOTES_MAX; i++) {
		uint64_t stamp = atomic_load_explicit(&n->note[i].stamp, memory_order_relaxed);

		if (stamp == 0 || stamp % TAKEN_NOTES_MAX != i || stamp > STAMP_LIMIT) {
			n->note[i] = (struct note){ 0 };
			continue;
		}
		t->known[t->n_known++] = n->note[i].hash;
		if (stamp >= t->next)
			t->next = stamp + 1;
	}
	qsort(t->known, t->n_known, sizeof *t->known, hash_compare);
}

/* Read and not mapped: a mapping of a file that somebody cuts short would be a SIGBUS. What cannot
 * be read is as if it were not there. */
static int left_read(struct taken_notes *t, int folder, struct notes **ret)
{
	_cleanup_free_ char *bytes = NULL;
	size_t len;
	int r = file_read(folder, NAME, sizeof(struct notes), &bytes, &len);

	if (r == -ENOMEM)
		return r;
	if (r == 0 && len == sizeof(struct notes)) {
		struct notes *n = (struct notes *)(void *)bytes;

		if (head_is_sound(n)) {
			t->known = calloc(TAKEN_NOTES_MAX, sizeof *t->known);
			if (!t->known)
				return -ENOMEM;
			notes_check(t, n);
			bytes = NULL;
			*ret = n;
			return 0;
		}
	}
	struct notes *n = calloc(1, sizeof *n);
	if (!n)
		return -ENOMEM;
	memcpy(n->magic, MAGIC, sizeof n->magic);
	n->format = FORMAT;
	n->byte_order = BYTE_ORDER_MARK;
	n->n = TAKEN_NOTES_MAX;
	*ret = n;
	return 0;
}

/* --- Our own --- */

static int file_fill(int fd, const struct notes *n)
{
	const uint8_t *at = (const uint8_t *)n;
	size_t left = sizeof *n;
	/* A clean ENOSPC here, where a store into an unbacked page would be a SIGBUS. */
	int r = file_allocate(fd, sizeof *n);

	while (r == 0 && left > 0) {
		ssize_t done = write(fd, at, left);

		if (done < 0 && errno != EINTR)
			r = -errno;
		if (done > 0) {
			at += done;
			left -= (size_t)done;
		}
	}
	return r;
}

/* With the notes that were left in it, before anybody finds it under its name. */
static int file_make(struct taken_notes *t, int folder, const struct notes *n, struct failure *f)
{
	/* Touched without room for it, it would be the end of the process. */
	if (cgroup_memory_left("") < sizeof *n)
		return failure_set(f, -ENOMEM, "memory of the control group");
	unlinkat(folder, TEMPORARY, 0);
	_cleanup_close_ int fd =
		descriptor_openat(folder, TEMPORARY, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0)
		return failure_set(f, -errno, "open of the file " NAME);
	int r = file_fill(fd, n);
	if (r < 0)
		return failure_set(f, r, "write of the file " NAME);
	void *p = mmap(NULL, sizeof *n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return failure_set(f, -errno, "mmap of the file " NAME);
	t->notes = p;
	/* A forked child does not need it, and must not touch it. */
	madvise(p, sizeof *n, MADV_DONTFORK);
	t->identity = descriptor_identify(fd);
	if (renameat(folder, TEMPORARY, folder, NAME) < 0)
		return failure_set(f, -errno, "rename of the file " NAME);
	return 0;
}

static void notes_unmap(struct taken_notes *t)
{
	if (t->notes)
		munmap(t->notes, sizeof *t->notes);
	t->notes = NULL;
}

int taken_notes_open(int folder, struct taken_notes **ret, struct failure *failure)
{
	struct taken_notes *t = calloc(1, sizeof *t);
	_cleanup_free_ struct notes *left = NULL;

	if (!t)
		return -ENOMEM;
	t->next = 1;
	int r = left_read(t, folder, &left);
	if (r < 0) {
		taken_notes_free(t);
		return r;
	}
	*ret = t;
	r = file_make(t, folder, left, failure);
	if (r < 0) {
		notes_unmap(t);
		unlinkat(folder, TEMPORARY, 0);
	}
	return r;
}

bool taken_notes_has(const struct taken_notes *t, const char *page_id, const char *content,
		     const char *endpoint)
{
	if (!t || t->n_known == 0)
		return false;
	struct hash h = hash_of(page_id, content, endpoint);
	return bsearch(&h, t->known, t->n_known, sizeof h, hash_compare) != NULL;
}

/*
 * Only this thread writes here, and readers come after its death, when the mapping holds a prefix
 * of its stores. So the stamp goes first and comes last: whatever lies between, a kill there leaves
 * no note, and at worst the page that was just taken is repeated. The fence and the release keep
 * the compiler, and the machine, from moving the hash out of there.
 */
void taken_notes_add(struct taken_notes *t, const char *page_id, const char *content,
		     const char *endpoint)
{
	if (!t || !t->notes)
		return;
	struct note *n = &t->notes->note[t->next % TAKEN_NOTES_MAX];

	atomic_store_explicit(&n->stamp, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	n->hash = hash_of(page_id, content, endpoint);
	atomic_store_explicit(&n->stamp, t->next++, memory_order_release);
}

void taken_notes_remove(const struct taken_notes *t, int folder)
{
	struct stat st;

	if (t && t->notes && fstatat(folder, NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_dev == t->identity.device && st.st_ino == t->identity.inode)
		unlinkat(folder, NAME, 0);
}

void taken_notes_free(struct taken_notes *t)
{
	if (!t)
		return;
	notes_unmap(t);
	free(t->known);
	free(t);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "journal/owed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/files.h"
#include "base/lockfile.h"
#include "base/moment.h"
#include "journal/owed_parts.h"

#define LOCK ".lock"
#define NAME_FORMAT "%018" PRIu64 "-%016" PRIx64
#define NAME_LEN 35
#define NUMBER_LEN 18
#define NUMBER_MAX UINT64_C(999999999999999999)
/* Ours follow on numbers up to here only, so that no crafted name makes them run out. */
#define NUMBER_SOUND (NUMBER_MAX / 2)
#define CORRUPT ".corrupt"
/* Names held at a time; those behind them are read when these are done. */
#define SCAN_MAX 1024
/* A younger temporary file may be one that another run is writing just now. */
#define TEMPORARY_AGE_S 3600

DEFINE_CLEANUP(DIR *, closedir, cleanup_closedir)

struct owed {
	_Atomic int state;
	int folder;
	struct descriptor_identity state_identity, folder_identity;
	uint64_t tag;
	struct lockfile *lock;
	uint64_t next_number; /* 0: the folder was not looked through yet */
	size_t n_files;
	/* The least names of other runs behind `last`, in order from `at`. */
	struct owed_name names[2 * SCAN_MAX], last;
	size_t n_names, at;
};

char *owed_name_text(const struct owed_name *n, char buf[static OWED_NAME_SIZE])
{
	snprintf(buf, OWED_NAME_SIZE, NAME_FORMAT, n->number, n->tag);
	return buf;
}

static bool name_parse(const char *text, struct owed_name *ret)
{
	char again[OWED_NAME_SIZE];

	if (strlen(text) != NAME_LEN || text[NUMBER_LEN] != '-')
		return false;
	ret->number = strtoull(text, NULL, 10);
	ret->tag = strtoull(text + NUMBER_LEN + 1, NULL, 16);
	return strcmp(owed_name_text(ret, again), text) == 0;
}

static int name_compare(const void *a, const void *b)
{
	const struct owed_name *x = a, *y = b;
	int order = (x->number > y->number) - (x->number < y->number);

	return order != 0 ? order : (x->tag > y->tag) - (x->tag < y->tag);
}

static int folder_make(struct owed *o)
{
	int fd;

	if (mkdirat(o->state, OWED_FOLDER, 0700) == 0)
		(void)folder_sync(
			o->state); /* where it cannot be synced, nothing here can do more */
	else if (errno != EEXIST && errno != EROFS && errno != EACCES)
		return -errno;
	fd = descriptor_openat(o->state, OWED_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return -errno;
	if (o->folder >= 0)
		close(o->folder);
	o->folder = fd;
	o->folder_identity = descriptor_identify(fd);
	return 0;
}

/* The folder; opened again where somebody has closed the descriptor, whose number may be another
 * file's by now. -1: that is not possible. */
static int folder_of(struct owed *o)
{
	if (descriptor_is(o->folder, o->folder_identity))
		return o->folder;
	o->folder = -1;
	if (descriptor_is(o->state, o->state_identity))
		folder_make(o);
	return o->folder;
}

int owed_open(int state, struct owed **ret)
{
	_cleanup_free_ struct owed *o = calloc(1, sizeof *o);
	int r;

	if (!o)
		return -ENOMEM;
	o->state = state;
	o->state_identity = descriptor_identify(state);
	o->folder = -1;
	if (getrandom(&o->tag, sizeof o->tag, 0) != sizeof o->tag)
		return -errno;
	r = folder_make(o);
	if (r < 0)
		return r;
	*ret = TAKE(o);
	return 0;
}

void owed_moved(struct owed *o, int state)
{
	atomic_store(&o->state, state);
}

void owed_free(struct owed *o)
{
	if (!o)
		return;
	lockfile_free(o->lock);
	if (descriptor_is(o->folder, o->folder_identity))
		close(o->folder);
	free(o);
}

int owed_claim(struct owed *o)
{
	int r = o->lock ? 0 : lockfile_open(folder_of(o), LOCK, true, &o->lock);

	return r < 0 ? r : lockfile_try(o->lock);
}

void owed_release(struct owed *o)
{
	lockfile_release(o->lock);
}

/* --- The folder --- */

static void temporary_clear(struct owed *o, const char *name)
{
	time_t now = (time_t)(clock_realtime_ns() / NS_PER_S);
	struct stat st;

	if (fstatat(o->folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    now - st.st_mtime > TEMPORARY_AGE_S)
		unlinkat(o->folder, name, 0);
}

static void name_take(struct owed *o, const struct owed_name *n)
{
	if (n->number >= o->next_number && n->number <= NUMBER_SOUND)
		o->next_number = n->number + 1;
	o->n_files++;
	if (n->tag == o->tag || name_compare(n, &o->last) <= 0)
		return;
	if (o->n_names == 2 * (size_t)SCAN_MAX) {
		qsort(o->names, o->n_names, sizeof *o->names, name_compare);
		o->n_names = SCAN_MAX;
	}
	o->names[o->n_names++] = *n;
}

static int scan(struct owed *o)
{
	int fd = descriptor_openat(folder_of(o), ".", O_RDONLY | O_DIRECTORY, 0);
	_cleanup_(cleanup_closedir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int error = errno;
	struct owed_name n;
	struct dirent *e;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -error;
	}
	o->n_names = o->at = o->n_files = 0;
	if (o->next_number == 0)
		o->next_number = 1;
	while (errno = 0, (e = readdir(dir))) {
		if (name_parse(e->d_name, &n))
			name_take(o, &n);
		else if (strncmp(e->d_name, FILE_TEMPORARY_PREFIX, strlen(FILE_TEMPORARY_PREFIX)) ==
			 0)
			temporary_clear(o, e->d_name);
	}
	if (errno != 0)
		return -errno;
	qsort(o->names, o->n_names, sizeof *o->names, name_compare);
	if (o->n_names > SCAN_MAX)
		o->n_names = SCAN_MAX;
	return 0;
}

int owed_next(struct owed *o, struct owed_name *ret)
{
	if (o->at == o->n_names) {
		int r = scan(o);

		if (r < 0)
			return r;
		if (o->n_names == 0)
			return 0;
	}
	*ret = o->last = o->names[o->at++];
	return 1;
}

int owed_forget(struct owed *o, const struct owed_name *n)
{
	char name[OWED_NAME_SIZE];

	if (unlinkat(folder_of(o), owed_name_text(n, name), 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (o->n_files > 0)
		o->n_files--;
	return 0;
}

int owed_remove(struct owed *o, uint64_t number)
{
	return owed_forget(o, &(struct owed_name){ number, o->tag });
}

int owed_set_aside(struct owed *o, const struct owed_name *n)
{
	char name[OWED_NAME_SIZE], aside[OWED_NAME_SIZE + sizeof CORRUPT];

	snprintf(aside, sizeof aside, "%s" CORRUPT, owed_name_text(n, name));
	int folder = folder_of(o);
	if (renameat(folder, name, folder, aside) < 0)
		return -errno;
	if (o->n_files > 0)
		o->n_files--;
	return 0;
}

/* --- Files --- */

int owed_text_add(const struct owed *o, struct text_buffer *text, const struct entry *e)
{
	return owed_encode(o->tag, text, e);
}

/* Was the folder removed under us? Then it is made again. The lock stays the one that is held. */
static bool folder_is_gone(struct owed *o)
{
	struct stat st;

	return fstat(o->folder, &st) == 0 && st.st_nlink == 0 && folder_make(o) == 0;
}

int owed_write(struct owed *o, struct text_buffer *text, uint64_t *ret_number)
{
	char name[OWED_NAME_SIZE];
	int r = o->next_number == 0 ? scan(o) : 0;

	if (r < 0)
		return r;
	if (o->n_files >= OWED_FILES_MAX)
		return -ENOSPC;
	owed_encode_end(o->tag, text);
	if (text->failed)
		return -ENOMEM;
	owed_name_text(&(struct owed_name){ o->next_number, o->tag }, name);
	r = file_replace(folder_of(o), name, text->ptr, text->len, true);
	if (r < 0)
		return folder_is_gone(o) ? -ESTALE : r;
	o->n_files++;
	*ret_number = o->next_number++;
	return 0;
}

int owed_read(struct owed *o, const struct owed_name *n, struct owed_reader *ret)
{
	_cleanup_free_ char *bytes = NULL;
	char name[OWED_NAME_SIZE];
	size_t len;
	int r = file_read(folder_of(o), owed_name_text(n, name), OWED_FILE_MAX, &bytes, &len);

	if (r < 0)
		return r == -EFBIG || r == -EINVAL || r == -ELOOP ? -EBADMSG : r;
	r = owed_reader_init(ret, n->tag, bytes, len);
	if (r == 0)
		bytes = NULL;
	return r;
}

int owed_shorten(struct owed *o, const struct owed_name *n, const struct owed_reader *r, size_t at)
{
	_cleanup_(text_buffer_done) struct text_buffer text = { 0 };
	char name[OWED_NAME_SIZE];

	text_buffer_add(&text, STR(OWED_FIRST_LINE));
	text_buffer_add(&text, (tocsin_str){ r->bytes + at, r->len - at });
	if (text.failed)
		return -ENOMEM;
	return file_replace(folder_of(o), owed_name_text(n, name), text.ptr, text.len, true);
}

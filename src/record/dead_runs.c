/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "record/dead_runs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"

#define RING_PREFIX "ring-"
#define LOCK_PREFIX "lock-"
#define SET_ASIDE ".corrupt"
#define FOUND_MAX 4096 /* files that are looked at */
#define EPOCH_DIGITS ((size_t)2 * RECORDER_EPOCH_SIZE)

DEFINE_CLEANUP(DIR *, closedir, cleanup_closedir)

static bool name_is_ring(const char *name)
{
	const char *epoch = name + sizeof RING_PREFIX - 1;

	return strncmp(name, RING_PREFIX, sizeof RING_PREFIX - 1) == 0 &&
	       strspn(epoch, "0123456789abcdef") == EPOCH_DIGITS && epoch[EPOCH_DIGITS] == 0;
}

static void lock_name_of(const char *ring, char ret[static 64])
{
	snprintf(ret, 64, LOCK_PREFIX "%.32s", ring + sizeof RING_PREFIX - 1);
}

static void set_aside(int folder, const char *name)
{
	char aside[96];

	snprintf(aside, sizeof aside, "%s" SET_ASIDE, name);
	(void)renameat(folder, name, folder, aside); /* else the next run tells it again */
}

/* Takes the run's lock. -EBUSY: it lives, or somebody is at it. */
static int run_lock(int folder, struct dead_run *run)
{
	char name[64];
	int r;

	lock_name_of(run->name, name);
	r = lockfile_open(folder, name, false, &run->lock);
	if (r == -ENOENT)
		return 0;
	if (r == -EBADMSG) {
		/* Of before the boot, or damaged: either way its mutex means nothing. */
		run->other_boot = true;
		return 0;
	}
	if (r < 0)
		return r;
	r = lockfile_try(run->lock);
	if (r < 0) {
		lockfile_free(run->lock);
		run->lock = NULL;
		return r;
	}
	return 0;
}

static void run_let_go(struct dead_run *run)
{
	if (!run->lock)
		return;
	lockfile_release(run->lock);
	lockfile_free(run->lock);
	run->lock = NULL;
}

/* What is in the folder, and where it belongs in the order. */
struct found_run {
	char name[64];
	uint64_t first_position, started_wall_ns;
	int error; /* of its header */
};

struct found_runs {
	size_t left;            /* that were not looked at */
	struct found_run *runs; /* heap */
	size_t n, size;
};

static void found_runs_done(struct found_runs *f)
{
	free(f->runs);
}

/* Numbers go up from run to run; where they could not be kept they are times, which do too. */
static int compare_runs(const void *a, const void *b)
{
	const struct found_run *x = a, *y = b;

	if (x->first_position != y->first_position)
		return x->first_position < y->first_position ? -1 : 1;
	return (x->started_wall_ns > y->started_wall_ns) -
	       (x->started_wall_ns < y->started_wall_ns);
}

static int runs_add(struct found_runs *f, int folder, const char *name)
{
	struct found_run run = { .first_position = 0 };

	if (f->n == FOUND_MAX) {
		f->left++;
		return 0;
	}
	if (f->n == f->size) {
		size_t size = f->size > 0 ? 2 * f->size : 16;
		struct found_run *grown = reallocarray(f->runs, size, sizeof *grown);

		if (!grown)
			return -ENOMEM;
		f->runs = grown;
		f->size = size;
	}
	snprintf(run.name, sizeof run.name, "%.63s", name);
	run.error = recorder_image_begin(folder, name, &run.first_position, &run.started_wall_ns);
	f->runs[f->n++] = run;
	return 0;
}

static int runs_find(int folder, const char *own, struct found_runs *f)
{
	_cleanup_(cleanup_closedir) DIR *dir = NULL;
	int fd = descriptor_openat(folder, ".", O_RDONLY | O_DIRECTORY, 0);
	struct dirent *e;
	int r = 0;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r == 0 && (e = readdir(dir)))
		if (name_is_ring(e->d_name) && !(own && strcmp(e->d_name, own) == 0))
			r = runs_add(f, folder, e->d_name);
	if (f->n > 0)
		qsort(f->runs, f->n, sizeof *f->runs, compare_runs);
	return r;
}

int dead_runs_claim(int folder, const char *own,
		    void (*bad)(void *userdata, const char *name, int error), void *userdata,
		    struct dead_runs *ret)
{
	_cleanup_(found_runs_done) struct found_runs found = { 0 };
	int r = runs_find(folder, own, &found);

	ret->n = ret->busy = ret->left = 0;
	if (r < 0)
		return r;
	ret->left = found.left;
	for (size_t i = 0; i < found.n; i++) {
		struct dead_run *run = &ret->runs[ret->n];

		if (ret->n == DEAD_RUNS_MAX) {
			ret->left += found.n - i;
			break;
		}

		*run = (struct dead_run){
			.first_position = found.runs[i].first_position,
			.started_wall_ns = found.runs[i].started_wall_ns,
		};
		memcpy(run->name, found.runs[i].name, sizeof run->name);
		if (found.runs[i].error == -EPROTONOSUPPORT) {
			bad(userdata, run->name, -EPROTONOSUPPORT);
			continue;
		}
		r = run_lock(folder, run);
		if (r == -EBUSY)
			ret->busy++;
		else if (r < 0)
			bad(userdata, run->name, r);
		else if (faccessat(folder, run->name, F_OK, 0) < 0)
			run_let_go(run); /* somebody has finished with it since */
		else
			ret->n++;
	}
	return 0;
}

/* The epoch's digits in a name of that form, or NULL. */
static const char *epoch_within(const char *name, const char *prefix, const char *suffix)
{
	const char *epoch = name + strlen(prefix);

	return strncmp(name, prefix, strlen(prefix)) == 0 &&
			       strspn(epoch, "0123456789abcdef") == EPOCH_DIGITS &&
			       strcmp(epoch + EPOCH_DIGITS, suffix) == 0
		       ? epoch
		       : NULL;
}

/* Removes lock and unpublished recorder of an epoch that has no recorder, unless somebody holds it.
 */
static void epoch_tidy(int folder, const char *epoch)
{
	char ring[64], unpublished[64];
	struct dead_run run = { 0 };

	snprintf(ring, sizeof ring, RING_PREFIX "%.32s", epoch);
	snprintf(unpublished, sizeof unpublished, "." RING_PREFIX "%.32s.new", epoch);
	if (faccessat(folder, ring, F_OK, 0) == 0)
		return;
	snprintf(run.name, sizeof run.name, "%s", ring);
	if (run_lock(folder, &run) < 0)
		return;
	unlinkat(folder, unpublished, 0);
	dead_run_finish(folder, &run);
}

void dead_runs_tidy(int folder, const char *own)
{
	_cleanup_(cleanup_closedir) DIR *dir = NULL;
	int fd = descriptor_openat(folder, ".", O_RDONLY | O_DIRECTORY, 0);
	struct dirent *e;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(dir))) {
		const char *epoch = epoch_within(e->d_name, "." RING_PREFIX, ".new");

		if (!epoch)
			epoch = epoch_within(e->d_name, LOCK_PREFIX, "");
		if (epoch && strncmp(epoch, own + sizeof RING_PREFIX - 1, EPOCH_DIGITS) != 0)
			epoch_tidy(folder, epoch);
	}
}

void dead_run_finish(int folder, struct dead_run *run)
{
	char name[64];

	/* What has not been read is for the next one to try. */
	if (run->unread) {
		run_let_go(run);
		return;
	}
	if (run->damaged)
		set_aside(folder, run->name);
	else
		unlinkat(folder, run->name, 0);
	lock_name_of(run->name, name);
	unlinkat(folder, name, 0);
	run_let_go(run);
}

void dead_runs_release(struct dead_runs *runs)
{
	for (size_t i = 0; i < runs->n; i++)
		run_let_go(&runs->runs[i]);
	runs->n = 0;
}

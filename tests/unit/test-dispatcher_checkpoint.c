/* SPDX-License-Identifier: MIT */
/*
 * The recorder runs full while the log takes nothing: its room is not given away before its P1
 * entries are on disk, unless the disk does not take them either.
 */
#include "config.h"
#include "dispatcher_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>

#include "base/cleanup.h"
#include "journal/journal_parts.h"

#define TRIES 3000 /* a hundredth of a second apart */

/* --- A log that takes nothing, a disk that does as it is told, a clock that stands --- */

enum disk { DISK_WORKS, DISK_HANGS, DISK_REFUSES };

static atomic_bool log_takes;
static atomic_int disk;
static atomic_uint kept; /* times that the disk was asked */
static _Atomic uint64_t now_ns;

static void pause_a_little(void)
{
	usleep(10000);
}

int __wrap_journal_send(struct journal *j, const struct entry *e);
int __real_journal_send(struct journal *j, const struct entry *e);

int __wrap_journal_send(struct journal *j, const struct entry *e)
{
	while (!atomic_load(&log_takes))
		pause_a_little();
	return __real_journal_send(j, e);
}

int __wrap_journal_owe(struct journal *j, uint64_t sequence);
int __real_journal_owe(struct journal *j, uint64_t sequence);

int __wrap_journal_owe(struct journal *j, uint64_t sequence)
{
	atomic_fetch_add(&kept, 1);
	while (atomic_load(&disk) == DISK_HANGS)
		pause_a_little();
	return atomic_load(&disk) == DISK_REFUSES ? -ENOSPC : __real_journal_owe(j, sequence);
}

uint64_t __wrap_clock_monotonic_ns(void);

uint64_t __wrap_clock_monotonic_ns(void)
{
	return atomic_load(&now_ns);
}

/* --- An engine with the smallest recorder --- */

struct world {
	struct test_folder *folder;
	struct engine engine;
	unsigned raised;
};

static void begin(struct world *w, void **state, enum disk what)
{
	*w = (struct world){ .folder = *state };
	atomic_store(&log_takes, false);
	atomic_store(&disk, (int)what);
	atomic_store(&kept, 0);
	atomic_store(&now_ns, NS_PER_S);
	engine_start(&w->engine, w->folder, "recorder.size", "256K", 0);
}

static void end(struct world *w)
{
	atomic_store(&disk, DISK_WORKS);
	atomic_store(&log_takes, true);
	engine_end(&w->engine);
}

/* Raises one more P1. False: there is no room. */
static bool raises(struct world *w)
{
	char instance[16];

	snprintf(instance, sizeof instance, "%u", w->raised);
	int r = engine_say(&w->engine, TOCSIN_ALERT_RAISE, instance);
	assert_true(r == 0 || r == -ENOBUFS);
	w->raised += r == 0;
	return r == 0;
}

static void fill(struct world *w)
{
	uint64_t slots = recorder_slots(dispatcher_recorder(w->engine.dispatcher));

	while (raises(w))
		assert_true(w->raised <= slots);
}

static void await_asked(void)
{
	for (unsigned n = 0; atomic_load(&kept) == 0; n++) {
		assert_true(n < TRIES);
		pause_a_little();
	}
}

static void await_room(struct world *w)
{
	for (unsigned n = 0; !raises(w); n++) {
		assert_true(n < TRIES);
		pause_a_little();
	}
}

static unsigned files_owed(const struct world *w)
{
	char path[128];
	unsigned n = 0;

	snprintf(path, sizeof path, "%s/state/owed", w->folder->path);
	DIR *d = opendir(path);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* --- The tests --- */

static void there_is_room_again_when_entries_are_on_disk(void **state)
{
	struct world w;

	begin(&w, state, DISK_WORKS);
	fill(&w);
	await_room(&w);
	assert_true(files_owed(&w) > 0);
	end(&w);
}

static void a_disk_at_work_is_waited_for(void **state)
{
	struct world w;

	begin(&w, state, DISK_HANGS);
	fill(&w);
	await_asked();
	for (unsigned n = 0; n < 20; n++) {
		assert_false(raises(&w));
		pause_a_little();
	}
	atomic_store(&disk, DISK_WORKS);
	await_room(&w);
	assert_true(files_owed(&w) > 0);
	end(&w);
}

static void a_disk_that_hangs_is_not_waited_for(void **state)
{
	struct world w;

	begin(&w, state, DISK_HANGS);
	fill(&w);
	await_asked();
	atomic_fetch_add(&now_ns, 3 * NS_PER_S);
	await_room(&w);
	end(&w);
}

static void a_disk_that_refuses_is_not_waited_for(void **state)
{
	struct world w;

	begin(&w, state, DISK_REFUSES);
	fill(&w);
	await_room(&w);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(there_is_room_again_when_entries_are_on_disk),
		test_in_folder(a_disk_at_work_is_waited_for),
		test_in_folder(a_disk_that_hangs_is_not_waited_for),
		test_in_folder(a_disk_that_refuses_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

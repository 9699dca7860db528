/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "deliver_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <sys/resource.h>

#include "base/thread.h"
#include "spool/disk_thread.h"

static const char *const endpoints[] = { "webhook" };

/* What the disk says; 0: all is well. */
static atomic_int disk_error;
/* So often, and then all is well; 0: for ever. */
static atomic_uint disk_refuses;
/* Is asked for a job when the disk refuses for the last time. */
static _Atomic(struct disk_thread *) disk_interrupts;
static atomic_uint interrupts;

static void interrupt(void *userdata)
{
	atomic_fetch_add((atomic_uint *)userdata, 1);
}

static void disk_refused(void)
{
	if (atomic_load(&disk_refuses) == 0 || atomic_fetch_sub(&disk_refuses, 1) > 1)
		return;
	atomic_store(&disk_error, 0);
	struct disk_thread *k = atomic_exchange(&disk_interrupts, NULL);
	if (k)
		assert_int_equal(disk_thread_run(k, interrupt, &interrupts), 0);
}

int __wrap_fsync(int fd);
int __real_fsync(int fd);

int __wrap_fsync(int fd)
{
	int error = atomic_load(&disk_error);

	if (error == 0)
		return __real_fsync(fd);
	disk_refused();
	errno = error;
	return -1;
}

/* What the disk thread has told, and a gate at which a job can hold it. */
struct watch {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	unsigned kept, unkept, jobs;
	int last_error;
	const struct delivery *kept_in_order[8];
	bool held, gate_open;
};

static void watch_init(struct watch *w)
{
	*w = (struct watch){ 0 };
	pthread_mutex_init(&w->mutex, NULL);
	assert_int_equal(cond_init(&w->changed), 0);
}

static void watch_done(struct watch *w)
{
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->mutex);
}

static void watch_settled(void *userdata, struct delivery *p, int error)
{
	struct watch *w = userdata;

	pthread_mutex_lock(&w->mutex);
	if (error == 0 && (fixture_flags(p) & DELIVERY_DURABLE))
		w->kept_in_order[w->kept++ % 8] = p;
	if (error < 0 && (fixture_flags(p) & DELIVERY_UNKEPT))
		w->unkept++;
	w->last_error = error;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->mutex);
}

static void watch_job(void *userdata)
{
	struct watch *w = userdata;

	pthread_mutex_lock(&w->mutex);
	w->jobs++;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->mutex);
}

static void watch_hold(void *userdata)
{
	struct watch *w = userdata;

	pthread_mutex_lock(&w->mutex);
	w->held = true;
	pthread_cond_broadcast(&w->changed);
	while (!w->gate_open)
		pthread_cond_wait(&w->changed, &w->mutex);
	pthread_mutex_unlock(&w->mutex);
}

static void watch_open_gate(struct watch *w)
{
	pthread_mutex_lock(&w->mutex);
	w->gate_open = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->mutex);
}

static void watch_wait(struct watch *w, const unsigned *count, unsigned least)
{
	struct timespec until = cond_deadline(FIXTURE_LIMIT_NS);

	pthread_mutex_lock(&w->mutex);
	while (*count < least)
		assert_int_equal(pthread_cond_timedwait(&w->changed, &w->mutex, &until), 0);
	pthread_mutex_unlock(&w->mutex);
}

static void watch_wait_held(struct watch *w)
{
	struct timespec until = cond_deadline(FIXTURE_LIMIT_NS);

	pthread_mutex_lock(&w->mutex);
	while (!w->held)
		assert_int_equal(pthread_cond_timedwait(&w->changed, &w->mutex, &until), 0);
	pthread_mutex_unlock(&w->mutex);
}

static struct disk_thread *disk_thread_with(struct outbox *o, struct watch *w, uint64_t retry_ns)
{
	struct disk_thread_options options = {
		.outbox = o,
		.endpoints = endpoints,
		.retry_ns = retry_ns,
		.settled = watch_settled,
		.userdata = w,
	};
	struct disk_thread *k = NULL;

	assert_int_equal(disk_thread_new(&options, &k), 0);
	return k;
}

static void disk_thread_end(struct disk_thread *k)
{
	assert_int_equal(disk_thread_stop(k, FIXTURE_LIMIT_NS), 0);
	assert_int_equal(disk_thread_stop(k, 0), 0);
	disk_thread_free(k);
}

static struct outbox *outbox_in(const struct test_folder *f)
{
	struct outbox *o = NULL;

	assert_int_equal(outbox_open(f->path, &o), 0);
	return o;
}

static unsigned files_in(const struct test_folder *f)
{
	char path[128];
	unsigned n = 0;
	struct dirent *e;

	snprintf(path, sizeof path, "%s/outbox", f->path);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	while ((e = readdir(dir)))
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void end(struct delivery *p, unsigned how)
{
	atomic_fetch_or_explicit(&p->flags, how, memory_order_release);
}

static void deliver(struct delivery *p)
{
	end(p, DELIVERY_DELIVERED);
}

static void a_page_kept_is_on_disk_when_it_is_told(void **state)
{
	struct outbox *o = outbox_in(*state);
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct watch w;

	watch_init(&w);
	struct disk_thread *k = disk_thread_with(o, &w, 0);
	assert_int_equal(disk_thread_keep(k, p), 0);
	watch_wait(&w, &w.kept, 1);
	assert_int_equal(fixture_flags(p), DELIVERY_DURABLE);
	assert_int_equal(files_in(*state), 1);
	deliver(p);
	assert_int_equal(disk_thread_drop(k, p), 0);
	disk_thread_end(k);
	assert_int_equal(files_in(*state), 0);
	assert_int_equal(w.unkept, 0);
	delivery_unref(p);
	outbox_free(o);
	watch_done(&w);
}

static void a_page_taken_before_its_turn_is_never_written(void **state)
{
	struct outbox *o = outbox_in(*state);
	struct delivery *early = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct delivery *late = fixture_delivery("b-2-feed", 1, PAGE_RAISED, 2);
	struct watch w;

	watch_init(&w);
	struct disk_thread *k = disk_thread_with(o, &w, 0);
	assert_int_equal(disk_thread_run(k, watch_hold, &w), 0);
	/* The drop may come before the keep, which another thread asks for. */
	deliver(early);
	assert_int_equal(disk_thread_drop(k, early), 0);
	assert_int_equal(disk_thread_keep(k, early), 0);
	assert_int_equal(disk_thread_keep(k, late), 0);
	deliver(late);
	assert_int_equal(disk_thread_drop(k, late), 0);
	watch_open_gate(&w);
	disk_thread_end(k);
	assert_int_equal(w.kept + w.unkept, 0);
	assert_int_equal(fixture_flags(early), DELIVERY_DELIVERED);
	assert_int_equal(fixture_flags(late), DELIVERY_DELIVERED);
	assert_int_equal(files_in(*state), 0);
	delivery_unref(early);
	delivery_unref(late);
	outbox_free(o);
	watch_done(&w);
}

static void what_must_be_kept_first_goes_before_what_was_asked_earlier(void **state)
{
	struct outbox *o = outbox_in(*state);
	struct delivery *p[4];
	struct watch w;

	watch_init(&w);
	struct disk_thread *k = disk_thread_with(o, &w, 0);
	assert_int_equal(disk_thread_run(k, watch_hold, &w), 0);
	watch_wait_held(&w);
	for (unsigned i = 0; i < 4; i++) {
		char id[] = { 'a', '-', (char)('1' + i), '-', 'f', 0 };

		p[i] = fixture_delivery(id, 1, PAGE_RAISED, i + 1);
		assert_int_equal((i < 2 ? disk_thread_keep : disk_thread_keep_first)(k, p[i]), 0);
	}
	watch_open_gate(&w);
	watch_wait(&w, &w.kept, 4);
	static const unsigned order[] = { 2, 3, 0, 1 };
	for (unsigned i = 0; i < 4; i++)
		assert_ptr_equal(w.kept_in_order[i], p[order[i]]);
	disk_thread_end(k);
	for (unsigned i = 0; i < 4; i++)
		delivery_unref(p[i]);
	outbox_free(o);
	watch_done(&w);
}

static void a_page_of_an_earlier_run_is_removed(void **state)
{
	struct outbox *o = outbox_in(*state);
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 0);
	struct watch w;

	watch_init(&w);
	assert_int_equal(outbox_put(o, p->page, endpoints[0]), 0);
	struct disk_thread *k = disk_thread_with(o, &w, 0);
	deliver(p);
	assert_int_equal(disk_thread_drop(k, p), 0);
	disk_thread_end(k);
	assert_int_equal(files_in(*state), 0);
	delivery_unref(p);
	outbox_free(o);
	watch_done(&w);
}

static void without_an_outbox_pages_are_unkept(void **state)
{
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct watch w;

	(void)state;
	watch_init(&w);
	struct disk_thread *k = disk_thread_with(NULL, &w, 1);
	assert_int_equal(disk_thread_keep(k, p), 0);
	watch_wait(&w, &w.unkept, 1);
	assert_int_equal(w.last_error, -ENOENT);
	assert_int_equal(fixture_flags(p), DELIVERY_UNKEPT);
	assert_int_equal(disk_thread_drop(k, p), 0);
	disk_thread_end(k);
	delivery_unref(p);
	watch_done(&w);
}

/* While the folder has no more files left to give out: a limit that holds for root as well. */
static void what_could_not_be_written_is_written_once_it_can(void **state)
{
	struct outbox *o = outbox_in(*state);
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct rlimit before, none;
	struct watch w;

	watch_init(&w);
	struct disk_thread *k = disk_thread_with(o, &w, NS_PER_MS);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(disk_thread_keep(k, p), 0);
	watch_wait(&w, &w.unkept, 1);
	assert_int_equal(w.last_error, -EMFILE);
	assert_int_equal(fixture_flags(p), DELIVERY_UNKEPT);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	watch_wait(&w, &w.kept, 1);
	disk_thread_end(k);
	assert_int_equal(fixture_flags(p), DELIVERY_UNKEPT | DELIVERY_DURABLE);
	assert_int_equal(w.unkept, 1);
	assert_int_equal(files_in(*state), 1);
	delivery_unref(p);
	outbox_free(o);
	watch_done(&w);
}

static void whatever_the_disk_says_is_told_and_tried_again(void **state)
{
	static const int errors[] = { ENOSPC, EROFS, EACCES, EIO, EDQUOT, EPERM };
	const struct test_folder *f = *state;

	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		struct outbox *o = outbox_in(f);
		struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
		struct watch w;

		watch_init(&w);
		atomic_store(&disk_error, errors[i]);
		struct disk_thread *k = disk_thread_with(o, &w, NS_PER_MS);
		assert_int_equal(disk_thread_keep(k, p), 0);
		watch_wait(&w, &w.unkept, 1);
		assert_int_equal(w.last_error, -errors[i]);
		assert_int_equal(fixture_flags(p), DELIVERY_UNKEPT);
		atomic_store(&disk_error, 0);
		watch_wait(&w, &w.kept, 1);
		assert_int_equal(files_in(f), 1);
		deliver(p);
		assert_int_equal(disk_thread_drop(k, p), 0);
		disk_thread_end(k);
		assert_int_equal(files_in(f), 0);
		delivery_unref(p);
		outbox_free(o);
		watch_done(&w);
	}
}

/* A file where the folder is to be: nothing can be written, by root neither. */
static void outbox_block(const struct test_folder *f)
{
	assert_int_equal(unlinkat(f->fd, "outbox", AT_REMOVEDIR), 0);
	int fd = openat(f->fd, "outbox", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void outbox_unblock(const struct test_folder *f)
{
	assert_int_equal(unlinkat(f->fd, "outbox", 0), 0);
}

static void what_cannot_be_written_is_told_once(void **state)
{
	const struct test_folder *f = *state;
	struct outbox *o = outbox_in(f);
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct watch w;

	watch_init(&w);
	outbox_block(f);
	struct disk_thread *k = disk_thread_with(o, &w, 1);
	for (unsigned i = 1; i <= 20; i++) {
		/* A job every time, so that the thread has been idle in between. */
		assert_int_equal(
			i == 1 ? disk_thread_keep(k, p) : disk_thread_run(k, watch_job, &w), 0);
		watch_wait(&w, i == 1 ? &w.unkept : &w.jobs, i == 1 ? 1 : i - 1);
	}
	disk_thread_end(k);
	assert_int_equal(w.last_error, -ENOENT);
	assert_int_equal(w.unkept, 1);
	assert_int_equal(fixture_flags(p), DELIVERY_UNKEPT);
	delivery_unref(p);
	outbox_free(o);
	watch_done(&w);
}

static void an_outbox_removed_under_us_is_told_and_made_again_at_once(void **state)
{
	const struct test_folder *f = *state;
	struct outbox *o = outbox_in(f);
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct watch w;

	watch_init(&w);
	assert_int_equal(unlinkat(f->fd, "outbox", AT_REMOVEDIR), 0);
	struct disk_thread *k = disk_thread_with(o, &w, UINT64_C(1) << 60);
	assert_int_equal(disk_thread_keep(k, p), 0);
	watch_wait(&w, &w.kept, 1);
	assert_int_equal(w.unkept, 1);
	assert_int_equal(files_in(f), 1);
	disk_thread_end(k);
	delivery_unref(p);
	outbox_free(o);
	watch_done(&w);
}

static void what_the_disk_refused_is_tried_once_more_at_the_stop(void **state)
{
	const struct test_folder *f = *state;
	struct outbox *o = outbox_in(f);
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct watch w;

	watch_init(&w);
	outbox_block(f);
	struct disk_thread *k = disk_thread_with(o, &w, UINT64_C(1) << 60);
	assert_int_equal(disk_thread_keep(k, p), 0);
	watch_wait(&w, &w.unkept, 1);
	/* Once this has run, the thread is no longer at the page. */
	assert_int_equal(disk_thread_run(k, watch_job, &w), 0);
	watch_wait(&w, &w.jobs, 1);
	outbox_unblock(f);
	disk_thread_end(k);
	assert_int_equal(w.kept, 1);
	assert_int_equal(files_in(f), 1);
	delivery_unref(p);
	outbox_free(o);
	watch_done(&w);
}

static void a_page_that_ended_while_the_disk_refused_it_is_never_written(void **state)
{
	static const unsigned ends[] = { DELIVERY_DELIVERED, DELIVERY_DISCARDED };
	const struct test_folder *f = *state;

	for (unsigned i = 0; i < 2; i++) {
		struct outbox *o = outbox_in(f);
		struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
		struct watch w;

		watch_init(&w);
		outbox_block(f);
		struct disk_thread *k = disk_thread_with(o, &w, UINT64_C(1) << 60);
		assert_int_equal(disk_thread_keep(k, p), 0);
		watch_wait(&w, &w.unkept, 1);
		end(p, ends[i]);
		assert_int_equal(disk_thread_drop(k, p), 0);
		assert_int_equal(disk_thread_run(k, watch_job, &w), 0);
		watch_wait(&w, &w.jobs, 1);
		outbox_unblock(f);
		disk_thread_end(k);
		assert_int_equal(w.kept, 0);
		assert_int_equal(fixture_flags(p), ends[i] | DELIVERY_UNKEPT);
		outbox_free(o);
		o = outbox_in(f);
		assert_int_equal(files_in(f), 0);
		delivery_unref(p);
		outbox_free(o);
		watch_done(&w);
	}
}

static void what_could_not_be_removed_is_removed_once_it_can(void **state)
{
	const struct test_folder *f = *state;
	struct outbox *o = NULL;
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 0);
	struct watch w;

	watch_init(&w);
	o = outbox_in(f);
	assert_int_equal(outbox_put(o, p->page, endpoints[0]), 0);
	outbox_free(o);
	assert_int_equal(renameat(f->fd, "outbox", f->fd, "elsewhere"), 0);
	int fd = openat(f->fd, "outbox", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	o = outbox_in(f);
	struct disk_thread *k = disk_thread_with(o, &w, UINT64_C(1) << 60);
	end(p, DELIVERY_DELIVERED);
	assert_int_equal(disk_thread_drop(k, p), 0);
	assert_int_equal(disk_thread_run(k, watch_job, &w), 0);
	watch_wait(&w, &w.jobs, 1);
	assert_int_equal(renameat(f->fd, "elsewhere", f->fd, "outbox"), -1);
	outbox_unblock(f);
	assert_int_equal(renameat(f->fd, "elsewhere", f->fd, "outbox"), 0);
	assert_int_equal(files_in(f), 1);
	disk_thread_end(k);
	assert_int_equal(files_in(f), 0);
	delivery_unref(p);
	outbox_free(o);
	watch_done(&w);
}

static int dead_in(const struct test_folder *f)
{
	struct stat st;

	return fstatat(f->fd, "outbox/dead/a-1-feed.raised@webhook", &st, 0) == 0;
}

static void what_keeps_a_raising_from_the_disk_keeps_its_resolution(void **state)
{
	struct outbox *o = outbox_in(*state);
	struct delivery *raised = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct delivery *resolved = fixture_delivery("a-1-feed", 1, PAGE_RESOLVED, 2);
	struct delivery *other = fixture_delivery("b-2-feed", 1, PAGE_RESOLVED, 3);
	struct watch w;

	watch_init(&w);
	atomic_store(&disk_refuses, 1);
	atomic_store(&disk_error, ENOSPC);
	struct disk_thread *k = disk_thread_with(o, &w, UINT64_C(1) << 60);
	assert_int_equal(disk_thread_keep(k, raised), 0);
	assert_int_equal(disk_thread_keep(k, resolved), 0);
	assert_int_equal(disk_thread_keep(k, other), 0);
	watch_wait(&w, &w.kept, 1);
	assert_ptr_equal(w.kept_in_order[0], other);
	assert_int_equal(w.unkept, 2);
	assert_int_equal(files_in(*state), 1);
	disk_thread_end(k);
	assert_int_equal(w.kept, 3);
	assert_ptr_equal(w.kept_in_order[1], raised);
	assert_ptr_equal(w.kept_in_order[2], resolved);
	delivery_unref(raised);
	delivery_unref(resolved);
	delivery_unref(other);
	outbox_free(o);
	watch_done(&w);
}

static void a_raising_that_was_taken_keeps_nobody_waiting(void **state)
{
	struct outbox *o = outbox_in(*state);
	struct delivery *raised = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct delivery *resolved = fixture_delivery("a-1-feed", 1, PAGE_RESOLVED, 2);
	struct watch w;

	watch_init(&w);
	atomic_store(&disk_refuses, 1);
	atomic_store(&disk_error, ENOSPC);
	struct disk_thread *k = disk_thread_with(o, &w, UINT64_C(1) << 60);
	assert_int_equal(disk_thread_keep(k, raised), 0);
	watch_wait(&w, &w.unkept, 1);
	deliver(raised);
	assert_int_equal(disk_thread_keep(k, resolved), 0);
	watch_wait(&w, &w.kept, 1);
	assert_ptr_equal(w.kept_in_order[0], resolved);
	disk_thread_end(k);
	assert_int_equal(files_in(*state), 1);
	delivery_unref(raised);
	delivery_unref(resolved);
	outbox_free(o);
	watch_done(&w);
}

/* The disk refuses two, and the first once more: then it is mended, and something is asked. */
static void a_round_broken_off_keeps_the_order(void **state)
{
	struct outbox *o = outbox_in(*state);
	struct delivery *raised = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct delivery *other = fixture_delivery("b-2-feed", 1, PAGE_RAISED, 2);
	struct delivery *resolved = fixture_delivery("a-1-feed", 1, PAGE_RESOLVED, 3);
	struct watch w;

	watch_init(&w);
	struct disk_thread *k = disk_thread_with(o, &w, NS_PER_MS);
	assert_int_equal(disk_thread_run(k, watch_hold, &w), 0);
	assert_int_equal(disk_thread_keep(k, raised), 0);
	assert_int_equal(disk_thread_keep(k, other), 0);
	assert_int_equal(disk_thread_keep(k, resolved), 0);
	atomic_store(&interrupts, 0);
	atomic_store(&disk_interrupts, k);
	atomic_store(&disk_refuses, 3);
	atomic_store(&disk_error, ENOSPC);
	watch_open_gate(&w);
	watch_wait(&w, &w.kept, 3);
	assert_ptr_equal(w.kept_in_order[0], other);
	assert_ptr_equal(w.kept_in_order[1], raised);
	assert_ptr_equal(w.kept_in_order[2], resolved);
	assert_int_equal(atomic_load(&interrupts), 1);
	assert_int_equal(w.unkept, 3);
	disk_thread_end(k);
	assert_int_equal(files_in(*state), 3);
	delivery_unref(raised);
	delivery_unref(other);
	delivery_unref(resolved);
	outbox_free(o);
	watch_done(&w);
}

static void a_dead_page_is_buried_written_before_or_not(void **state)
{
	const struct test_folder *f = *state;

	for (unsigned written = 0; written < 2; written++) {
		struct outbox *o = outbox_in(f);
		struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
		struct page *again;
		struct watch w;

		watch_init(&w);
		struct disk_thread *k = disk_thread_with(o, &w, 0);
		if (written)
			assert_int_equal(disk_thread_keep(k, p), 0);
		if (written)
			watch_wait(&w, &w.kept, 1);
		end(p, DELIVERY_DEAD);
		assert_int_equal(disk_thread_bury(k, p), 0);
		/* What was asked by another thread before comes after. */
		assert_int_equal(disk_thread_keep(k, p), 0);
		disk_thread_end(k);
		assert_true(dead_in(f));
		assert_int_equal(outbox_revive(o, p->page->id, endpoints[0], &again), 0);
		assert_int_equal(outbox_remove(o, again, endpoints[0]), 0);
		page_unref(again);
		delivery_unref(p);
		outbox_free(o);
		watch_done(&w);
	}
}

static void what_is_asked_is_done_in_order(void **state)
{
	struct outbox *o = outbox_in(*state);
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct watch w;

	watch_init(&w);
	struct disk_thread *k = disk_thread_with(o, &w, 0);
	assert_int_equal(disk_thread_run(k, watch_hold, &w), 0);
	assert_int_equal(disk_thread_keep(k, p), 0);
	assert_int_equal(disk_thread_run(k, watch_job, &w), 0);
	watch_open_gate(&w);
	watch_wait(&w, &w.jobs, 1);
	assert_int_equal(w.kept, 1);
	assert_int_equal(disk_thread_run(k, watch_job, &w), 0);
	disk_thread_end(k);
	assert_int_equal(w.jobs, 2);
	delivery_unref(p);
	outbox_free(o);
	watch_done(&w);
}

static void more_than_the_maximum_is_refused_and_marked(void **state)
{
	struct outbox *o = outbox_in(*state);
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct delivery *one_more = fixture_delivery("b-2-feed", 1, PAGE_RAISED, 2);
	struct watch w;

	watch_init(&w);
	struct disk_thread *k = disk_thread_with(o, &w, 0);
	assert_int_equal(disk_thread_run(k, watch_hold, &w), 0);
	for (unsigned i = 0; i < DISK_THREAD_KEEPS_MAX; i++)
		assert_int_equal(disk_thread_keep(k, p), 0);
	assert_int_equal(disk_thread_keep(k, one_more), -ENOBUFS);
	assert_int_equal(fixture_flags(one_more), DELIVERY_UNKEPT);
	assert_int_equal(disk_thread_drop(k, one_more), 0);
	watch_open_gate(&w);
	disk_thread_end(k);
	/* Asked for often, written once. */
	assert_int_equal(w.kept, 1);
	assert_int_equal(atomic_load(&p->references), 1);
	delivery_unref(p);
	delivery_unref(one_more);
	outbox_free(o);
	watch_done(&w);
}

static void a_stop_without_time_writes_nothing_more_but_removes(void **state)
{
	struct outbox *o = outbox_in(*state);
	struct delivery *old = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 0);
	struct delivery *new = fixture_delivery("b-2-feed", 1, PAGE_RAISED, 1);
	struct watch w;

	watch_init(&w);
	assert_int_equal(outbox_put(o, old->page, endpoints[0]), 0);
	struct disk_thread *k = disk_thread_with(o, &w, 0);
	assert_int_equal(disk_thread_run(k, watch_hold, &w), 0);
	watch_wait_held(&w);
	assert_int_equal(disk_thread_keep(k, new), 0);
	assert_int_equal(disk_thread_drop(k, old), 0);
	/* What the thread is in the middle of holds it. */
	assert_int_equal(disk_thread_stop(k, 0), -ETIMEDOUT);
	watch_open_gate(&w);
	while (disk_thread_stop(k, 0) == -ETIMEDOUT)
		;
	assert_int_equal(disk_thread_keep(k, new), -ESHUTDOWN);
	disk_thread_free(k);
	assert_int_equal(files_in(*state), 0);
	assert_int_equal(w.unkept, 1);
	assert_int_equal(w.last_error, -ECANCELED);
	assert_int_equal(fixture_flags(new), DELIVERY_UNKEPT);
	delivery_unref(old);
	delivery_unref(new);
	outbox_free(o);
	watch_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(a_page_kept_is_on_disk_when_it_is_told),
		test_in_folder(a_page_taken_before_its_turn_is_never_written),
		test_in_folder(what_must_be_kept_first_goes_before_what_was_asked_earlier),
		test_in_folder(a_page_of_an_earlier_run_is_removed),
		cmocka_unit_test(without_an_outbox_pages_are_unkept),
		test_in_folder(what_could_not_be_written_is_written_once_it_can),
		test_in_folder(what_cannot_be_written_is_told_once),
		test_in_folder(whatever_the_disk_says_is_told_and_tried_again),
		test_in_folder(an_outbox_removed_under_us_is_told_and_made_again_at_once),
		test_in_folder(what_the_disk_refused_is_tried_once_more_at_the_stop),
		test_in_folder(a_page_that_ended_while_the_disk_refused_it_is_never_written),
		test_in_folder(what_could_not_be_removed_is_removed_once_it_can),
		test_in_folder(what_keeps_a_raising_from_the_disk_keeps_its_resolution),
		test_in_folder(a_raising_that_was_taken_keeps_nobody_waiting),
		test_in_folder(a_round_broken_off_keeps_the_order),
		test_in_folder(a_dead_page_is_buried_written_before_or_not),
		test_in_folder(what_is_asked_is_done_in_order),
		test_in_folder(more_than_the_maximum_is_refused_and_marked),
		test_in_folder(a_stop_without_time_writes_nothing_more_but_removes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/cgroup.h"
#include "base/cleanup.h"
#include "record/recorder.h"
#include "record/recorder_layout.h"
#include "../record_bytes.h"

#define SMALL (64 * RECORDER_SLOT_SIZE)

static uint64_t group_leaves = UINT64_MAX;
uint64_t __wrap_cgroup_memory_left(const char *root);

/* NOLINTNEXTLINE(readability-identifier-naming): the linker's name */
uint64_t __wrap_cgroup_memory_left(const char *root)
{
	assert_string_equal(root, "");
	return group_leaves;
}

static bool populates_nothing;
int __real_madvise(void *at, size_t size, int advice);
int __wrap_madvise(void *at, size_t size, int advice);

/* NOLINTNEXTLINE(readability-identifier-naming): the linker's name */
int __wrap_madvise(void *at, size_t size, int advice)
{
	return populates_nothing ? 0 : __real_madvise(at, size, advice);
}

static struct recorder *make(const struct test_folder *f, size_t size, uint64_t first)
{
	struct recorder_options o = {
		.folder = f ? f->fd : -1, .size = size, .first_position = first, .engine = "test"
	};
	struct recorder *r = NULL;

	assert_int_equal(recorder_create(&o, &r), 0);
	assert_int_equal(recorder_hold(r), 0);
	return r;
}

static void end(struct recorder *r, bool remove)
{
	recorder_release_hold(r, false);
	recorder_free(r, remove);
}

static int push(struct recorder *r, enum recorder_class class, const void *bytes, size_t len,
		uint64_t *ret)
{
	return record_push(r, class, RECORDER_LOSS_OTHER, 1, bytes, len, ret);
}

/* A record of `len` bytes that tells its own length in each. */
static const uint8_t *pattern(size_t len)
{
	static uint8_t buf[RECORD_SIZE_MAX];

	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(len * 7 + i);
	return buf;
}

static void records_come_back_in_order_with_their_positions(void **state)
{
	static const size_t lengths[] = { 1, 495, 496, 497, 992, 993, RECORD_SIZE_MAX, 3 };
	struct recorder *r = make(*state, SMALL, 7);
	uint64_t expected = 7;

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		uint64_t position;

		assert_int_equal(
			push(r, RECORDER_CLASS_FIRST, pattern(lengths[i]), lengths[i], &position),
			0);
		assert_int_equal(position, expected);
		expected += (lengths[i] + 495) / 496;
	}
	assert_int_equal(recorder_head(r), expected);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		const uint8_t *bytes;
		uint64_t position, next;
		size_t len;

		assert_int_equal(recorder_next(r, &bytes, &len, &position, &next), 1);
		assert_int_equal(len, lengths[i]);
		assert_memory_equal(bytes, pattern(len), len);
	}
	const uint8_t *bytes;
	uint64_t position, next;
	size_t len;
	assert_int_equal(recorder_next(r, &bytes, &len, &position, &next), 0);
	end(r, true);
}

static void a_full_ring_refuses_by_class_and_counts(void **state)
{
	struct recorder *r = make(*state, SMALL, 1);
	unsigned n = 0;

	while (push(r, RECORDER_CLASS_LEAST, "x", 1, NULL) == 0)
		n++;
	assert_int_equal(n, 48);
	while (push(r, RECORDER_CLASS_MIDDLE, "x", 1, NULL) == 0)
		n++;
	assert_int_equal(n, 56);
	while (push(r, RECORDER_CLASS_FIRST, "x", 1, NULL) == 0)
		n++;
	assert_int_equal(n, 64);
	assert_int_equal(recorder_losses(r, RECORDER_LOSS_OTHER), 3);
	assert_int_equal(record_push(r, RECORDER_CLASS_FIRST, RECORDER_LOSS_P1, 77, "x", 1, NULL),
			 -ENOBUFS);
	assert_int_equal(recorder_losses(r, RECORDER_LOSS_P1), 1);
	assert_int_equal(recorder_last_loss(r), 77);
	end(r, true);
}

static void slots_are_reused_only_when_the_checkpoint_has_passed(void **state)
{
	struct recorder *r = make(*state, SMALL, 1);
	const uint8_t *bytes;
	uint64_t position, next = 1;
	size_t len;

	while (push(r, RECORDER_CLASS_FIRST, "x", 1, NULL) == 0)
		;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(recorder_next(r, &bytes, &len, &position, &next), 1);
	assert_int_equal(push(r, RECORDER_CLASS_FIRST, "x", 1, NULL), -ENOBUFS);
	assert_int_equal(recorder_checkpoint(r, next, 5, "state", 5), 0);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(push(r, RECORDER_CLASS_FIRST, "y", 1, NULL), 0);
	assert_int_equal(push(r, RECORDER_CLASS_FIRST, "y", 1, NULL), -ENOBUFS);
	end(r, true);
}

/*
 * A push that is stopped in the middle: a page that it copies from or to cannot be touched until
 * the reader has looked, so that the signal comes when all before it is done and nothing after it.
 */
static struct {
	struct recorder *r;
	void *page;
	size_t size;
	int found; /* what the reader gets meanwhile */
} stopped;

static void read_while_stopped(int signal _unused_)
{
	const uint8_t *bytes;
	uint64_t position, next;
	size_t len;

	if (stopped.found != -1)
		_exit(1); /* it was another page, and would be for ever */
	stopped.found = recorder_next(stopped.r, &bytes, &len, &position, &next);
	mprotect(stopped.page, stopped.size, PROT_READ | PROT_WRITE);
}

static int read_amid_push(struct recorder *r, struct layout_slot *record, size_t len, void *page)
{
	struct sigaction look = { .sa_handler = read_while_stopped }, before;

	stopped.r = r;
	stopped.page = page;
	stopped.size = (size_t)sysconf(_SC_PAGESIZE);
	stopped.found = -1;
	assert_int_equal(mprotect(page, stopped.size, PROT_NONE), 0);
	assert_int_equal(sigaction(SIGSEGV, &look, &before), 0);
	int pushed = recorder_push(recorder_producer(r), RECORDER_CLASS_FIRST, RECORDER_LOSS_OTHER,
				   1, record, len, NULL);
	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
	assert_int_equal(pushed, 0);
	return stopped.found;
}

static void assert_next(struct recorder *r, const uint8_t *want, size_t want_len)
{
	const uint8_t *bytes;
	uint64_t position, next;
	size_t len;

	assert_int_equal(recorder_next(r, &bytes, &len, &position, &next), 1);
	assert_int_equal(len, want_len);
	assert_memory_equal(bytes, want, len);
	assert_int_equal(recorder_checkpoint(r, next, 0, "", 0), 0);
}

static void a_record_is_there_when_its_last_byte_is(void **state)
{
	struct recorder *r = make(*state, SMALL, 64);
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *two =
		mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct layout_slot *within = (struct layout_slot *)(void *)(two + size - 64);

	assert_true(two != MAP_FAILED);
	memcpy(within->payload, pattern(100), 100);
	assert_int_equal(read_amid_push(r, within, 100, two + size), -EAGAIN);
	assert_next(r, pattern(100), 100);
	munmap(two, 2 * size);
	end(r, true);
}

/* The ring's slots lie in pages, so that between those of a long record it can be stopped. */
static void a_long_record_is_there_when_its_last_slot_is(void **state)
{
	struct recorder *r = make(*state, SMALL, 64);
	struct layout_slot *slots = recorder_producer(r)->slots;
	size_t in_page = (size_t)sysconf(_SC_PAGESIZE) / sizeof *slots;
	struct layout_record record;

	/* Once in the ring, once where it goes on at the ring's begin. */
	for (unsigned slot = 0; slot < 64; slot++) {
		if (slot != in_page - 1 && slot != 63) {
			assert_int_equal(push(r, RECORDER_CLASS_FIRST, "x", 1, NULL), 0);
			assert_next(r, (const uint8_t *)"x", 1);
			continue;
		}
		record_shape(pattern(600), 600, &record);
		assert_int_equal(read_amid_push(r, record.slots, 600, &slots[(slot + 1) % 64]),
				 -EAGAIN);
		assert_next(r, pattern(600), 600);
		slot++;
	}
	assert_int_equal(recorder_head(r), 64 + 65);
	end(r, true);
}

struct producer {
	struct recorder *r;
	uint32_t id;
	uint32_t count;
	pthread_t thread;
};

static void *produce(void *arg)
{
	struct producer *p = arg;

	for (uint32_t n = 0; n < p->count;) {
		uint32_t words[300];
		size_t used = 2 + n % 298;

		for (size_t i = 0; i < used; i++)
			words[i] = i % 2 == 0 ? p->id : n;
		if (push(p->r, RECORDER_CLASS_FIRST, words, used * sizeof *words, NULL) == 0)
			n++;
		else
			sched_yield();
	}
	return NULL;
}

static void each_thread_s_records_arrive_whole_and_in_its_order(void **state)
{
	struct recorder *r = make(*state, SMALL, 1);
	struct producer p[3];
	uint32_t seen[3] = { 0 }, total = 0;

	for (uint32_t i = 0; i < 3; i++) {
		p[i] = (struct producer){ .r = r, .id = i, .count = 5000 };
		assert_int_equal(pthread_create(&p[i].thread, NULL, produce, &p[i]), 0);
	}
	while (total < 3 * 5000) {
		const uint8_t *bytes;
		uint64_t position, next;
		size_t len;

		if (recorder_next(r, &bytes, &len, &position, &next) != 1) {
			sched_yield();
			continue;
		}
		uint32_t words[300];
		memcpy(words, bytes, len);
		assert_in_range(words[0], 0, 2);
		assert_int_equal(words[1], seen[words[0]]);
		assert_int_equal(len, (2 + words[1] % 298) * sizeof *words);
		for (size_t i = 0; i < len / sizeof *words; i++)
			assert_int_equal(words[i], words[i % 2]);
		seen[words[0]]++;
		total++;
		if (total % 7 == 0)
			recorder_checkpoint(r, next, 0, "", 0);
		if (total % 7 != 0 && recorder_used(r) > 48)
			recorder_checkpoint(r, next, 0, "", 0);
	}
	for (unsigned i = 0; i < 3; i++)
		pthread_join(p[i].thread, NULL);
	end(r, true);
}

static void a_clean_end_leaves_no_file(void **state)
{
	const struct test_folder *f = *state;
	struct recorder *r = make(f, SMALL, 1);

	assert_int_equal(faccessat(f->fd, recorder_name(r), F_OK, 0), 0);
	end(r, true);
	assert_int_equal(rmdir(f->path), 0);
	assert_int_equal(mkdir(f->path, 0700), 0);
}

static void a_file_is_not_seen_before_its_reader_holds_it(void **state)
{
	const struct test_folder *f = *state;
	struct recorder_options o = {
		.folder = f->fd, .size = SMALL, .first_position = 1, .engine = "t"
	};
	struct recorder *r;

	assert_int_equal(recorder_create(&o, &r), 0);
	assert_int_equal(faccessat(f->fd, recorder_name(r), F_OK, 0), -1);
	assert_int_equal(recorder_hold(r), 0);
	assert_int_equal(faccessat(f->fd, recorder_name(r), F_OK, 0), 0);
	end(r, true);
}

static void without_a_folder_it_works_in_memory(void **state)
{
	(void)state;
	struct recorder *r = make(NULL, SMALL, 1);
	const uint8_t *bytes;
	uint64_t position, next;
	size_t len;

	assert_string_equal(recorder_name(r), "");
	assert_int_equal(push(r, RECORDER_CLASS_FIRST, "x", 1, NULL), 0);
	assert_int_equal(recorder_next(r, &bytes, &len, &position, &next), 1);
	end(r, true);
}

/* A page that the kernel has populated may still cost its first store dearly, on a virtual machine:
 * here it has populated none. */
static void each_page_is_stored_into_at_the_start(void **state)
{
	const size_t size = 4 * 1024 * 1024, page_size = (size_t)sysconf(_SC_PAGESIZE);

	for (unsigned with_file = 0; with_file < 2; with_file++) {
		populates_nothing = true;
		struct recorder *r = make(with_file ? *state : NULL, size, 1);
		populates_nothing = false;
		/* Somewhere within it. */
		uintptr_t at = (uintptr_t)recorder_producer(r)->counters / page_size * page_size;
		unsigned char there[256];

		assert_int_equal(mincore((void *)at, sizeof there * page_size, there), 0);
		for (size_t i = 0; i < sizeof there; i++)
			assert_int_equal(there[i] & 1, 1);
		end(r, true);
	}
}

static void without_room_for_the_file_it_is_an_error_and_leaves_nothing(void **state)
{
	const struct test_folder *f = *state;
	struct recorder_options o = {
		.folder = f->fd, .size = SMALL, .first_position = 1, .engine = "t"
	};
	struct recorder *r = NULL;
	struct rlimit was, small;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small = (struct rlimit){ 65536, was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int e = recorder_create(&o, &r);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(e, -EFBIG);
	assert_null(r);
	assert_int_equal(rmdir(f->path), 0);
	assert_int_equal(mkdir(f->path, 0700), 0);
}

/* A store into memory that the group does not leave would be the end of the process. */
static void a_ring_that_the_control_group_has_no_room_for_is_refused_with_the_reason(void **state)
{
	const struct test_folder *f = *state;
	const int folders[] = { f->fd, -1 };
	char room[64];

	for (size_t n = 0; n < sizeof folders / sizeof *folders; n++) {
		struct failure failure = { 0 };
		struct recorder_options o = { .folder = folders[n],
					      .size = SMALL,
					      .first_position = 1,
					      .engine = "t",
					      .failure = &failure };
		struct recorder *r = NULL;

		group_leaves = SMALL;
		assert_int_equal(recorder_create(&o, &r), -ENOMEM);
		snprintf(room, sizeof room, "the control group has %zu left", (size_t)SMALL);
		assert_non_null(strstr(failure.line, "recorder.size"));
		assert_non_null(strstr(failure.line, room));
		assert_non_null(strstr(failure.line, "MemoryMax="));
		assert_null(r);
		assert_int_equal(test_folder_count(f->fd), 0);
		group_leaves = UINT64_C(1) << 30;
		assert_int_equal(recorder_create(&o, &r), 0);
		recorder_free(r, true);
		group_leaves = UINT64_MAX;
	}
}

static void a_folder_whose_descriptor_was_closed_is_neither_used_nor_closed(void **state)
{
	const struct test_folder *f = *state;

	assert_int_equal(mkdirat(f->fd, "run", 0700), 0);
	int folder = openat(f->fd, "run", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	struct test_folder run = { .fd = folder };
	struct recorder *r = make(&run, SMALL, 1), *other = make(&run, SMALL, 1);

	close(folder);
	close(test_descriptor_reuse(f, "run"));
	/* One of the two is somebody's now, the other nobody's. */
	assert_int_equal(recorder_is_there(r), -EBADF);
	assert_int_equal(recorder_is_there(other), -EBADF);
	assert_false(recorder_reopen(r, -1));
	assert_false(recorder_reopen(r, f->fd));
	folder = openat(f->fd, "run", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	assert_true(recorder_reopen(r, folder));
	assert_int_equal(recorder_is_there(r), 0);
	end(r, true);
	end(other, true);
	/* Its ring and its lock are all that is left. */
	assert_int_equal(test_folder_count(folder), 2);
	close(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(records_come_back_in_order_with_their_positions),
		test_in_folder(a_full_ring_refuses_by_class_and_counts),
		test_in_folder(slots_are_reused_only_when_the_checkpoint_has_passed),
		test_in_folder(a_record_is_there_when_its_last_byte_is),
		test_in_folder(a_long_record_is_there_when_its_last_slot_is),
		test_in_folder(each_thread_s_records_arrive_whole_and_in_its_order),
		test_in_folder(a_clean_end_leaves_no_file),
		test_in_folder(a_file_is_not_seen_before_its_reader_holds_it),
		cmocka_unit_test(without_a_folder_it_works_in_memory),
		test_in_folder(each_page_is_stored_into_at_the_start),
		test_in_folder(without_room_for_the_file_it_is_an_error_and_leaves_nothing),
		test_in_folder(
			a_ring_that_the_control_group_has_no_room_for_is_refused_with_the_reason),
		test_in_folder(a_folder_whose_descriptor_was_closed_is_neither_used_nor_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

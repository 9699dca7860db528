/* SPDX-License-Identifier: MIT */
/* Allocations of the picture fail, each in its turn, and it waits for memory: nothing changes. */
#include "config.h"
#include "picture_fixture.h"

#include "picture/checkpoint.h"

#define RECORDS 60

/* The nth allocation fails while `armed`, and those behind it as well, `times` in all. */
static struct {
	bool armed;
	unsigned calls, nth, times, waits;
} memory;

static bool fails(void)
{
	if (!memory.armed)
		return false;
	memory.calls++;
	return memory.calls >= memory.nth && memory.calls < memory.nth + memory.times;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

static bool wait_for_memory(void *userdata)
{
	(void)userdata;
	memory.waits++;
	return true;
}

/* What it is told is not the picture's to find room for. */
static void tell(void *userdata, const struct change *n)
{
	memory.armed = false;
	fixture_tell(userdata, n);
	memory.armed = true;
}

static void run(struct fixture *f, uint64_t seed, struct checkpoint_buffer *ret_state)
{
	struct picture_settings settings = fixture_settings();
	double s = 0;

	*f = (struct fixture){ .endpoints = 5, .with_ids = true };
	settings.wait_for_memory = wait_for_memory;
	assert_int_equal(picture_new(&settings, at_s(0), tell, f, &f->picture), 0);
	for (unsigned i = 0; i < RECORDS; i++) {
		struct record r = random_record(&seed);

		r.kv[0] = (tocsin_kv){ STR("key"), STR("value") };
		r.kv[1] = (tocsin_kv){ STR("other"), STR("value") };
		r.n_kv = 2;
		s += random_next(&seed, 1000) / 100.0;
		memory.armed = true;
		apply_at(f, s, &r);
		memory.armed = false;
	}
	memory.armed = true;
	picture_page_waiting(f->picture, at_s(s + 100));
	memory.armed = false;
	assert_int_equal(checkpoint_encode(f->picture, ret_state), 0);
}

/* What is told is longer than what cmocka prints. */
static void assert_told_the_same(const struct fixture *f, const struct fixture *want)
{
	size_t i = 0;

	while (f->told.ptr[i] && f->told.ptr[i] == want->told.ptr[i])
		i++;
	if (f->told.ptr[i] != want->told.ptr[i])
		fail_msg("from byte %zu on, with allocation %u failing: \"%.200s\", not \"%.200s\"",
			 i, memory.nth, f->told.ptr + i, want->told.ptr + i);
}

static void an_event_is_applied_whole_whichever_allocation_fails(void **state)
{
	unsigned waits = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct checkpoint_buffer want = { 0 }, got = { 0 };
		struct fixture whole, f;
		unsigned calls;

		memset(&memory, 0, sizeof memory);
		run(&whole, seed, &want);
		calls = memory.calls;
		assert_true(calls > RECORDS);
		for (unsigned n = 1; n <= calls; n++) {
			memset(&memory, 0, sizeof memory);
			memory.nth = n;
			memory.times = 1 + n % 3;
			run(&f, seed, &got);
			assert_told_the_same(&f, &whole);
			assert_int_equal(got.len, want.len);
			assert_memory_equal(got.ptr, want.ptr, want.len);
			waits += memory.waits;
			fixture_done(&f);
		}
		fixture_done(&whole);
		free(want.ptr);
		free(got.ptr);
	}
	assert_true(waits > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_applied_whole_whichever_allocation_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

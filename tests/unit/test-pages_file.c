/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>

#include "base/files.h"
#include "engine/pages_file.h"

#define WALL_NS UINT64_C(1785750996584631000)
#define NO_GROUP ((gid_t)-1)

static const struct page_row rows[] = {
	{ "a-1-feed.raised", "webhook", "DATA_FEED_DOWN", 1, PAGE_STATE_WAITING, 3, 503, WALL_NS },
	{ "b-2-feed.raised", "webhook.\xff", "GENERAL", 3, PAGE_STATE_PARKED, 1, 401,
	  WALL_NS + 7000 },
	{ "c-3-call.resolved", "other", "GENERAL", 2, PAGE_STATE_DEAD, 0, 0, WALL_NS },
};

static void what_is_written_is_read_back(void **state)
{
	const struct test_folder *f = *state;
	struct pages_list l;
	struct stat st;

	assert_int_equal(pages_file_write(f->fd, NO_GROUP, rows, 3, WALL_NS), 0);
	assert_int_equal(fstatat(f->fd, PAGES_FILE, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(pages_file_read(f->path, &l), 0);
	assert_int_equal(l.n, 3);
	assert_int_equal(l.left_out, 0);
	assert_true(l.wall_ns == WALL_NS);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(l.rows[i].id, rows[i].id);
		assert_string_equal(l.rows[i].code, rows[i].code);
		assert_string_equal(l.rows[i].state, rows[i].state);
		assert_int_equal(l.rows[i].priority, rows[i].priority);
		assert_int_equal(l.rows[i].attempts, rows[i].attempts);
		assert_int_equal(l.rows[i].http_status, rows[i].http_status);
		assert_true(l.rows[i].due_wall_ns == rows[i].due_wall_ns);
	}
	assert_string_equal(l.rows[1].endpoint, "webhook.\xef\xbf\xbd");
	pages_list_done(&l);
}

/* To the microsecond, which is what the file has. */
static void every_number_comes_back(void **state)
{
	static const uint64_t times[] = {
		0,
		1,
		(UINT64_C(1) << 53) + 1,
		UINT64_C(1785750996584631000),
		INT64_MAX,
		INT64_MAX + UINT64_C(1),
		UINT64_MAX - 1,
		UINT64_MAX,
	};
	const struct test_folder *f = *state;

	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		struct page_row row = rows[0];
		struct pages_list l;

		row.due_wall_ns = times[i];
		row.attempts = row.http_status = (uint32_t)times[i];
		assert_int_equal(pages_file_write(f->fd, NO_GROUP, &row, 1, times[i]), 0);
		assert_int_equal(pages_file_read(f->path, &l), 0);
		assert_true(l.wall_ns == times[i] - times[i] % 1000);
		assert_true(l.rows[0].due_wall_ns == times[i] - times[i] % 1000);
		assert_int_equal(l.rows[0].attempts, (uint32_t)times[i]);
		assert_int_equal(l.rows[0].http_status, (uint32_t)times[i]);
		pages_list_done(&l);
	}
}

static void no_pages_are_a_list_too(void **state)
{
	const struct test_folder *f = *state;
	struct pages_list l;
	struct stat st;

	assert_int_equal(pages_file_read(f->path, &l), -ENOENT);
	assert_int_equal(pages_file_write(f->fd, getegid(), NULL, 0, WALL_NS), 0);
	assert_int_equal(fstatat(f->fd, PAGES_FILE, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(pages_file_read(f->path, &l), 0);
	assert_int_equal(l.n, 0);
	pages_list_done(&l);
}

static void those_past_the_maximum_are_counted(void **state)
{
	const struct test_folder *f = *state;
	struct page_row *many = calloc(PAGES_FILE_ROWS_MAX + 5, sizeof *many);
	struct pages_list l;

	assert_non_null(many);
	for (size_t i = 0; i < PAGES_FILE_ROWS_MAX + 5; i++)
		many[i] = rows[i % 3];
	assert_int_equal(pages_file_write(f->fd, NO_GROUP, many, PAGES_FILE_ROWS_MAX + 5, WALL_NS),
			 0);
	assert_int_equal(pages_file_read(f->path, &l), 0);
	assert_int_equal(l.n, PAGES_FILE_ROWS_MAX);
	assert_int_equal(l.left_out, 5);
	pages_list_done(&l);
	free(many);
}

static void a_damaged_file_is_refused(void **state)
{
	static const char *const damaged[] = {
		"",
		"[]",
		"[[[[[[[[[[",
		"{\"format\":1}",
		"{\"format\":1,\"timestamp\":\"x\",\"left_out\":0,\"pages\":[]}",
		"{\"format\":1,\"timestamp\":\"2026-08-03T09:56:36Z\",\"left_out\":-1,\"pages\":[]"
		"}",
		"{\"format\":1,\"timestamp\":\"2026-08-03T09:56:36Z\",\"left_out\":0,\"pages\":{}}",
		"{\"format\":1,\"timestamp\":\"2026-08-03T09:56:36Z\",\"left_out\":0,\"pages\":[1]"
		"}",
	};
	const struct test_folder *f = *state;
	struct pages_list l;

	for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
		assert_int_equal(
			file_replace(f->fd, PAGES_FILE, damaged[i], strlen(damaged[i]), false), 0);
		assert_int_equal(pages_file_read(f->path, &l), -EBADMSG);
	}
	assert_int_equal(file_replace(f->fd, PAGES_FILE, "{\"format\":2}", 12, false), 0);
	assert_int_equal(pages_file_read(f->path, &l), -EPROTONOSUPPORT);
}

static void a_flipped_or_cut_byte_crashes_nobody(void **state)
{
	const struct test_folder *f = *state;
	struct pages_list l;
	char *bytes;
	size_t len;

	assert_int_equal(pages_file_write(f->fd, NO_GROUP, rows, 3, WALL_NS), 0);
	assert_int_equal(file_read(f->fd, PAGES_FILE, 1 << 16, &bytes, &len), 0);
	for (size_t at = 0; at < len; at++) {
		bytes[at] ^= 1;
		assert_int_equal(file_replace(f->fd, PAGES_FILE, bytes, len, false), 0);
		bytes[at] ^= 1;
		int r = pages_file_read(f->path, &l);
		assert_true(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
		if (r == 0)
			pages_list_done(&l);
		assert_int_equal(file_replace(f->fd, PAGES_FILE, bytes, at, false), 0);
		assert_int_equal(pages_file_read(f->path, &l), -EBADMSG);
	}
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(what_is_written_is_read_back),
		test_in_folder(every_number_comes_back),
		test_in_folder(no_pages_are_a_list_too),
		test_in_folder(those_past_the_maximum_are_counted),
		test_in_folder(a_damaged_file_is_refused),
		test_in_folder(a_flipped_or_cut_byte_crashes_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

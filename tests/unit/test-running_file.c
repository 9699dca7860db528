/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "engine/running_file.h"

static void a_running_file_comes_back_as_it_was_written(void **state)
{
	const struct test_folder *f = *state;
	struct running_file m = {
		.epoch = { 0xab, 0xcd },
		.pid = 17,
		.started_wall_ns = 5,
		.last_event_wall_ns = 9,
		.sessions = RUNNING_FILE_SESSIONS_MAX + 3,
	};
	struct running_file back;
	char boot_id[BOOT_ID_SIZE];

	for (unsigned i = 0; i < RUNNING_FILE_SESSIONS_MAX; i++)
		snprintf(m.session_ids[i], sizeof m.session_ids[i], "session \"%u\"\xff", i);
	assert_int_equal(running_file_read(f->fd, &back), -ENOENT);
	assert_int_equal(running_file_write(f->fd, &m), 0);
	assert_int_equal(running_file_read(f->fd, &back), 0);
	assert_memory_equal(back.epoch, m.epoch, sizeof m.epoch);
	assert_int_equal(back.pid, 17);
	assert_int_equal(back.started_wall_ns, 5);
	assert_int_equal(back.last_event_wall_ns, 9);
	assert_int_equal(back.sessions, RUNNING_FILE_SESSIONS_MAX + 3);
	assert_string_equal(back.session_ids[3], "session \"3\"\xef\xbf\xbd");
	boot_id_read(boot_id);
	assert_string_equal(back.boot_id, boot_id);
	assert_int_equal(running_file_remove(f->fd), 0);
	assert_int_equal(running_file_remove(f->fd), 0);
	assert_int_equal(running_file_read(f->fd, &back), -ENOENT);
}

static void every_number_comes_back(void **state)
{
	static const uint64_t numbers[] = {
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

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		uint64_t n = numbers[i], expected = n > INT64_MAX ? INT64_MAX : n;
		struct running_file back, m = { .pid = (uint32_t)n,
						.started_wall_ns = n,
						.last_event_wall_ns = n,
						.sessions = n };

		assert_int_equal(running_file_write(f->fd, &m), 0);
		assert_int_equal(running_file_read(f->fd, &back), 0);
		assert_int_equal(back.pid, (uint32_t)n);
		assert_true(back.started_wall_ns == expected);
		assert_true(back.last_event_wall_ns == expected);
		assert_true(back.sessions == expected);
	}
}

/* As version 1.0 wrote times past 2262. */
static void a_negative_time_of_an_older_version_is_unknown(void **state)
{
	static const char text[] =
		"{\"format\":1,\"epoch\":\"00112233445566778899aabbccddeeff\",\"boot_id\":\"\","
		"\"pid\":1,\"started_wall_ns\":7,\"last_event_wall_ns\":-1,\"sessions\":0,"
		"\"session_ids\":[]}";
	const struct test_folder *f = *state;
	struct running_file m;

	assert_int_equal(file_replace(f->fd, RUNNING_FILE, text, strlen(text), false), 0);
	assert_int_equal(running_file_read(f->fd, &m), 0);
	assert_int_equal(m.started_wall_ns, 7);
	assert_int_equal(m.last_event_wall_ns, 0);
}

static void a_clean_end_is_said_in_a_file_that_cannot_be_removed(void **state)
{
	const struct test_folder *f = *state;
	struct running_file m = { .sessions = 1, .session_ids = { "\"clean\":0" } }, back;
	struct running_file_copy kept = { .fd = -1 };

	assert_int_equal(running_file_end(&kept), -EBADF);
	assert_int_equal(running_file_keep(f->fd, &kept), -ENOENT);
	assert_int_equal(running_file_write(f->fd, &m), 0);
	assert_int_equal(running_file_keep(f->fd, &kept), 0);
	assert_int_equal(running_file_read(f->fd, &back), 0);
	assert_false(back.clean);
	assert_int_equal(running_file_end(&kept), 0);
	assert_int_equal(running_file_read(f->fd, &back), 0);
	assert_true(back.clean);
	assert_string_equal(back.session_ids[0], m.session_ids[0]);
	/* A descriptor that somebody has closed is another file's now. */
	int other = openat(f->fd, "other", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(dup2(other, kept.fd), kept.fd);
	assert_int_equal(running_file_end(&kept), -EBADF);
	assert_int_equal(lseek(other, 0, SEEK_END), 0);
	int number = kept.fd;
	running_file_copy_done(&kept);
	assert_true(fcntl(number, F_GETFD) >= 0);
	close(number);
	close(other);
}

static void damaged_ones_are_refused(void **state)
{
	const struct test_folder *f = *state;
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{ "", -EBADMSG },
		{ "{", -EBADMSG },
		{ "[]", -EBADMSG },
		{ "{\"format\":2}", -EPROTONOSUPPORT },
		{ "{\"format\":0}", -EBADMSG },
		{ "{\"format\":1}", -EBADMSG },
		{ "{\"format\":1,\"epoch\":\"zz\",\"boot_id\":\"\",\"pid\":1,\"started_wall_ns\":1,"
		  "\"last_event_wall_ns\":1,\"sessions\":0,\"session_ids\":[]}",
		  -EBADMSG },
		{ "{\"format\":1,\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", -EBADMSG },
	};
	struct running_file m;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(file_replace(f->fd, RUNNING_FILE, cases[i].text,
					      strlen(cases[i].text), false),
				 0);
		assert_int_equal(running_file_read(f->fd, &m), cases[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(a_running_file_comes_back_as_it_was_written),
		test_in_folder(every_number_comes_back),
		test_in_folder(a_negative_time_of_an_older_version_is_unknown),
		test_in_folder(a_clean_end_is_said_in_a_file_that_cannot_be_removed),
		test_in_folder(damaged_ones_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "marker.h"

static void a_marker_comes_back_as_it_was_written(void **state)
{
	const struct test_folder *f = *state;
	struct marker m = {
		.epoch = { 0xab, 0xcd },
		.pid = 17,
		.started_wall_ns = 5,
		.last_event_wall_ns = 9,
		.sessions = MARKER_SESSIONS_MAX + 3,
	};
	struct marker back;
	char boot_id[BOOT_ID_SIZE];

	for (unsigned i = 0; i < MARKER_SESSIONS_MAX; i++)
		snprintf(m.session_ids[i], sizeof m.session_ids[i], "session \"%u\"\xff", i);
	assert_int_equal(marker_read(f->fd, &back), -ENOENT);
	assert_int_equal(marker_write(f->fd, &m), 0);
	assert_int_equal(marker_read(f->fd, &back), 0);
	assert_memory_equal(back.epoch, m.epoch, sizeof m.epoch);
	assert_int_equal(back.pid, 17);
	assert_int_equal(back.started_wall_ns, 5);
	assert_int_equal(back.last_event_wall_ns, 9);
	assert_int_equal(back.sessions, MARKER_SESSIONS_MAX + 3);
	assert_string_equal(back.session_ids[3], "session \"3\"\xef\xbf\xbd");
	boot_id_read(boot_id);
	assert_string_equal(back.boot_id, boot_id);
	assert_int_equal(marker_remove(f->fd), 0);
	assert_int_equal(marker_remove(f->fd), 0);
	assert_int_equal(marker_read(f->fd, &back), -ENOENT);
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
	struct marker m;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(file_replace(f->fd, MARKER_FILE, cases[i].text,
					      strlen(cases[i].text), false),
				 0);
		assert_int_equal(marker_read(f->fd, &m), cases[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(a_marker_comes_back_as_it_was_written),
		test_in_folder(damaged_ones_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

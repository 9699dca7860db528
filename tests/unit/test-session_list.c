/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/session_list.h"

#include "test.h"
#include "base/moment.h"
#include "log_entry.h"

#define DAY_1 "2026-03-01T10:00:00.000000Z"
#define DAY_2 "2026-03-02T10:00:00.000000Z"

static uint64_t ns(const char *text)
{
	uint64_t wall_ns;

	assert_int_equal(time_from_rfc3339(str(text), &wall_ns), 0);
	return wall_ns;
}

static void add(struct session_list *l, const char *id, const char *status, const char *started,
		const char *metadata, uint64_t time_ns)
{
	const char **entry =
		LOG_ENTRY("TOCSIN_SESSION", id, "TOCSIN_ENGINE", "e", "TOCSIN_STATUS", status,
			  "TOCSIN_METADATA", metadata, "TOCSIN_STARTED", started);

	assert_int_equal(session_list_add(l, log_entry_field, entry, time_ns), 0);
}

static void a_session_is_folded_from_its_entries(void **state)
{
	struct session_list *l = session_list_new();
	struct session_row *const *rows;

	(void)state;
	add(l, "s", "started", DAY_1, "{\"mode\":\"shadow\",\"n\":\"1\"}", ns(DAY_1));
	add(l, "s", "running", DAY_1, "", ns(DAY_1) + 1000);
	add(l, "s", "completed", DAY_1, "{\"n\":\"2\"}", ns(DAY_1) + 2000);
	assert_int_equal(session_list_sorted(l, &rows), 1);
	assert_string_equal(rows[0]->status, "completed");
	assert_int_equal(rows[0]->started_ns, ns(DAY_1));
	assert_int_equal(rows[0]->updated_ns, ns(DAY_1) + 2000);
	assert_string_equal(json_string_value(json_object_get(rows[0]->metadata, "mode")),
			    "shadow");
	assert_string_equal(json_string_value(json_object_get(rows[0]->metadata, "n")), "2");
	assert_false(session_row_runs(rows[0]));
	session_list_free(l);
}

static void an_id_that_starts_again_is_another_session(void **state)
{
	struct session_list *l = session_list_new();
	struct session_row *const *rows;

	(void)state;
	add(l, "s", "completed", DAY_1, "", ns(DAY_1));
	add(l, "s", "started", DAY_2, "", ns(DAY_2));
	assert_int_equal(session_list_sorted(l, &rows), 2);
	assert_int_equal(rows[0]->started_ns, ns(DAY_2));
	assert_int_equal(rows[1]->started_ns, ns(DAY_1));
	session_list_free(l);
}

static void a_recording_played_twice_is_two_sessions(void **state)
{
	struct session_list *l = session_list_new();
	struct session_row *const *rows;

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char **entry =
			LOG_ENTRY("TOCSIN_SESSION", "s", "TOCSIN_ENGINE", "e", "TOCSIN_STARTED",
				  DAY_1, "TOCSIN_REPLAY", "1", "_PID", i ? "8" : "7");

		assert_int_equal(session_list_add(l, log_entry_field, entry, ns(DAY_1)), 0);
	}
	assert_int_equal(session_list_sorted(l, &rows), 2);
	session_list_free(l);
}

static void entries_without_a_start_are_one_session_by_their_id(void **state)
{
	struct session_list *l = session_list_new();
	struct session_row *const *rows;

	(void)state;
	add(l, "s", "started", "", "", 1000);
	add(l, "s", "running", "nonsense", "not json", 2000);
	assert_int_equal(session_list_sorted(l, &rows), 1);
	assert_int_equal(rows[0]->started_ns, 1000);
	assert_int_equal(rows[0]->updated_ns, 2000);
	session_list_free(l);
}

static void an_entry_without_a_session_changes_nothing(void **state)
{
	struct session_list *l = session_list_new();
	struct session_row *const *rows;

	(void)state;
	assert_int_equal(
		session_list_add(l, log_entry_field, LOG_ENTRY("TOCSIN_STATUS", "running"), 5), 0);
	assert_int_equal(session_list_sorted(l, &rows), 0);
	session_list_free(l);
}

static void the_newest_that_had_begun_is_chosen(void **state)
{
	struct session_list *l = session_list_new();
	const struct session_row *row;
	size_t others;

	(void)state;
	add(l, "s", "completed", DAY_1, "", ns(DAY_1));
	add(l, "s", "started", DAY_2, "", ns(DAY_2));
	row = session_list_choose(l, UINT64_MAX, &others);
	assert_int_equal(row->started_ns, ns(DAY_2));
	assert_int_equal(others, 1);
	row = session_list_choose(l, ns(DAY_2) - 1, &others);
	assert_int_equal(row->started_ns, ns(DAY_1));
	assert_null(session_list_choose(l, ns(DAY_1) - 1, &others));
	/* What comes once the next one has begun is not of this one. */
	assert_true(session_row_has(row, log_entry_field, LOG_ENTRY("a", "b"), ns(DAY_1) + 5));
	assert_false(session_row_has(row, log_entry_field, LOG_ENTRY("a", "b"), ns(DAY_2)));
	assert_false(session_row_has(row, log_entry_field, LOG_ENTRY("TOCSIN_STARTED", DAY_2),
				     ns(DAY_1) + 5));
	session_list_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_folded_from_its_entries),
		cmocka_unit_test(an_id_that_starts_again_is_another_session),
		cmocka_unit_test(a_recording_played_twice_is_two_sessions),
		cmocka_unit_test(entries_without_a_start_are_one_session_by_their_id),
		cmocka_unit_test(an_entry_without_a_session_changes_nothing),
		cmocka_unit_test(the_newest_that_had_begun_is_chosen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture_fixture.h"

#include <errno.h>

#include "picture/sessions.h"

static const tocsin_str none;

static int make(void **state)
{
	*state = sessions_new();
	return *state ? 0 : -1;
}

static int drop(void **state)
{
	sessions_free(*state);
	return 0;
}

static const struct session *create(struct sessions *s, const char *id, const char *status,
				    double at)
{
	const struct session *session = NULL;

	assert_int_equal(sessions_create(s, str(id), str(status), NULL, 0, at_s(at), &session), 0);
	return session;
}

static int update(struct sessions *s, const char *id, const char *status, double at)
{
	return sessions_update(s, str(id), str(status), NULL, 0, at_s(at), NULL);
}

static size_t count_with(struct sessions *s, const char *status)
{
	size_t n = 0;

	for (const struct session *i = sessions_with_status(sessions_newest(s), str(status)); i;
	     i = sessions_with_status(i->older, str(status)))
		n++;
	return n;
}

static void a_session_is_created_as_started(void **state)
{
	const tocsin_kv kv = { STR("strategy"), STR("ma_cross") };
	const struct session *s;

	assert_int_equal(sessions_create(*state, STR("shadow_001"), none, &kv, 1, at_s(1), &s), 0);
	assert_string_equal(s->id, "shadow_001");
	assert_string_equal(s->status, "started");
	assert_int_equal(s->started.clock_ns, SECONDS(1));
	assert_int_equal(s->updated.clock_ns, SECONDS(1));
	assert_int_equal(s->metadata.n, 1);
	assert_int_equal(sessions_count(*state), 1);
}

static void a_session_is_got_by_its_id(void **state)
{
	create(*state, "a", NULL, 1);
	const struct session *b = create(*state, "b", NULL, 2);
	create(*state, "c", NULL, 3);
	assert_ptr_equal(sessions_get(*state, STR("b")), b);
}

static void a_session_unknown_is_not_found(void **state)
{
	assert_null(sessions_get(*state, STR("a")));
	create(*state, "a", NULL, 1);
	assert_null(sessions_get(*state, STR("b")));
	assert_null(sessions_get(*state, STR("a\0")));
	assert_null(sessions_get(*state, none));
}

static void a_session_is_updated_to_any_word(void **state)
{
	const tocsin_kv first[] = { { STR("a"), STR("1") }, { STR("b"), STR("2") } };
	const tocsin_kv later = { STR("a"), STR("9") };
	const struct session *s;

	assert_int_equal(sessions_create(*state, STR("x"), none, first, 2, at_s(1), NULL), 0);
	assert_int_equal(sessions_update(*state, STR("x"), STR("half-way"), &later, 1, at_s(5), &s),
			 0);
	assert_string_equal(s->status, "half-way");
	assert_int_equal(s->started.clock_ns, SECONDS(1));
	assert_int_equal(s->updated.clock_ns, SECONDS(5));
	assert_true(str_is(s->metadata.kv[0].value, "9"));
	assert_int_equal(s->metadata.n, 2);
	assert_int_equal(sessions_update(*state, STR("x"), none, NULL, 0, at_s(6), &s), 0);
	assert_string_equal(s->status, "half-way");
}

static void sessions_are_listed(void **state)
{
	assert_null(sessions_newest(*state));
	create(*state, "a", NULL, 1);
	create(*state, "b", NULL, 2);
	size_t n = 0;
	for (const struct session *s = sessions_newest(*state); s; s = s->older)
		n++;
	assert_int_equal(n, 2);
}

static void sessions_are_filtered_by_status(void **state)
{
	create(*state, "a", "running", 1);
	create(*state, "b", "failed", 2);
	create(*state, "c", "running", 3);
	const struct session *s = sessions_with_status(sessions_newest(*state), STR("running"));
	assert_string_equal(s->id, "c");
	s = sessions_with_status(s->older, STR("running"));
	assert_string_equal(s->id, "a");
	assert_null(sessions_with_status(s->older, STR("running")));
}

static void the_summary_counts_by_status(void **state)
{
	create(*state, "a", NULL, 1);
	create(*state, "b", NULL, 2);
	create(*state, "c", "paused", 3);
	assert_int_equal(update(*state, "b", "completed", 4), 0);
	assert_int_equal(sessions_count(*state), 3);
	assert_int_equal(count_with(*state, "started"), 1);
	assert_int_equal(count_with(*state, "completed"), 1);
	assert_int_equal(count_with(*state, "paused"), 1);
	assert_int_equal(count_with(*state, "failed"), 0);
}

static void sessions_are_listed_newest_first(void **state)
{
	create(*state, "a", NULL, 1);
	create(*state, "b", NULL, 2);
	create(*state, "c", NULL, 2);
	update(*state, "a", "running", 9);
	const struct session *s = sessions_newest(*state);
	assert_string_equal(s->id, "c");
	assert_string_equal(s->older->id, "b");
	assert_string_equal(s->older->older->id, "a");
}

static void creating_an_id_again_leaves_it_as_it_was(void **state)
{
	const tocsin_kv kv = { STR("k"), STR("v") };
	const struct session *first = create(*state, "a", "running", 1), *again;

	assert_int_equal(sessions_create(*state, STR("a"), STR("failed"), &kv, 1, at_s(2), &again),
			 -EEXIST);
	assert_ptr_equal(first, again);
	assert_string_equal(first->status, "running");
	assert_int_equal(first->updated.clock_ns, SECONDS(1));
	assert_int_equal(first->metadata.n, 0);
	assert_int_equal(sessions_count(*state), 1);
}

static void updating_an_unknown_id_is_refused(void **state)
{
	assert_int_equal(update(*state, "a", "running", 1), -ENOENT);
	assert_int_equal(sessions_count(*state), 0);
}

static void a_nul_in_an_id_makes_another_session(void **state)
{
	create(*state, "a", NULL, 1);
	assert_int_equal(sessions_create(*state, STR("a\0b"), none, NULL, 0, at_s(2), NULL), 0);
	assert_int_equal(sessions_count(*state), 2);
	assert_int_equal(sessions_get(*state, STR("a\0b"))->id_len, 3);
}

static void an_id_far_too_long_is_cut_and_found_again(void **state)
{
	static char id[65536];

	memset(id, 'x', sizeof id);
	tocsin_str s = { id, sizeof id };
	assert_int_equal(sessions_create(*state, s, s, NULL, 0, at_s(1), NULL), 0);
	assert_int_equal(sessions_create(*state, s, s, NULL, 0, at_s(1), NULL), -EEXIST);
	assert_int_equal(sessions_get(*state, s)->id_len, TOCSIN_ID_MAX);
	assert_int_equal(sessions_get(*state, s)->status_len, TOCSIN_ID_MAX);
}

static void fill(struct sessions *s, const char *status)
{
	char id[16];

	for (unsigned i = 0; i < SESSIONS_MAX; i++) {
		snprintf(id, sizeof id, "s%u", i);
		create(s, id, status, 1 + i);
	}
}

static void of_too_many_the_longest_ended_goes(void **state)
{
	fill(*state, "running");
	update(*state, "s7", "completed", 1000);
	update(*state, "s9", "failed", 900);
	create(*state, "new", NULL, 2000);
	assert_int_equal(sessions_count(*state), SESSIONS_MAX);
	assert_null(sessions_get(*state, STR("s9")));
	assert_non_null(sessions_get(*state, STR("s7")));
	assert_non_null(sessions_get(*state, STR("s0")));
}

static void when_all_run_the_one_updated_longest_ago_goes(void **state)
{
	fill(*state, "running");
	update(*state, "s0", NULL, 1000);
	create(*state, "new", NULL, 2000);
	assert_null(sessions_get(*state, STR("s1")));
	assert_non_null(sessions_get(*state, STR("s0")));
	assert_string_equal(sessions_newest(*state)->id, "new");
}

static void running_since_is_unbroken(void **state)
{
	struct moment since;

	assert_false(sessions_running_since(*state, &since));
	create(*state, "a", NULL, 1);
	create(*state, "b", "running", 2);
	update(*state, "a", "completed", 3);
	assert_true(sessions_running_since(*state, &since));
	assert_int_equal(since.clock_ns, SECONDS(1));
	update(*state, "b", "paused", 4);
	assert_false(sessions_running_since(*state, &since));
	update(*state, "a", "running", 5);
	assert_true(sessions_running_since(*state, &since));
	assert_int_equal(since.clock_ns, SECONDS(5));
}

static void a_forgotten_session_runs_no_more(void **state)
{
	struct moment since;

	fill(*state, "running");
	for (unsigned i = 0; i < SESSIONS_MAX; i++) {
		char id[16];

		snprintf(id, sizeof id, "over%u", i);
		create(*state, id, "completed", 5000 + i);
		update(*state, id, "running", 6000 + i);
		update(*state, id, "done", 6000 + i);
	}
	/* Each of those pushed out the one before it, which had ended: one running one is gone. */
	assert_true(sessions_running_since(*state, &since));
	assert_int_equal(count_with(*state, "running"), SESSIONS_MAX - 1);
	assert_int_equal(since.clock_ns, SECONDS(1));
}

static void a_session_of_a_former_run_runs_no_more_until_it_is_told_of_again(void **state)
{
	struct moment since;
	const struct session *s;

	create(*state, "a", "running", 1);
	create(*state, "b", "running", 2);
	create(*state, "c", "completed", 3);
	sessions_end_run(*state);
	assert_false(sessions_running_since(*state, &since));
	assert_false(session_runs(sessions_get(*state, STR("a"))));
	assert_null(sessions_lose_one(*state, at_s(4)));
	/* Each of the two ways to tell of it again; another one of its id begins anew. */
	assert_int_equal(update(*state, "a", "running", 5), 0);
	assert_true(sessions_running_since(*state, &since));
	assert_int_equal(since.clock_ns, SECONDS(5));
	create(*state, "c", "running", 6);
	s = sessions_newest(*state);
	assert_string_equal(s->id, "c");
	assert_int_equal(s->started.clock_ns, SECONDS(6));
	assert_int_equal(sessions_count(*state), 3);
}

static void the_sessions_of_a_run_that_ended_uncleanly_are_lost(void **state)
{
	static const struct {
		const char *status, *after;
	} rows[] = {
		{ "started", "lost" },    { "running", "lost" },  { "completed", "completed" },
		{ "failed", "failed" },   { "paused", "paused" }, { "lost", "lost" },
		{ "run\xff", "run\xff" },
	};
	char id[2] = "0";
	unsigned lost = 0;
	struct moment since;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, id[0]++)
		create(*state, id, rows[i].status, 1);
	while (sessions_lose_one(*state, at_s(9)))
		lost++;
	assert_int_equal(lost, 2);
	assert_false(sessions_running_since(*state, &since));
	id[0] = '0';
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, id[0]++) {
		const struct session *s = sessions_get(*state, str(id));

		assert_string_equal(s->status, rows[i].after);
		assert_int_equal(s->status_len, strlen(rows[i].after));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define with(test) cmocka_unit_test_setup_teardown(test, make, drop)
		with(a_session_is_created_as_started),
		with(a_session_is_got_by_its_id),
		with(a_session_unknown_is_not_found),
		with(a_session_is_updated_to_any_word),
		with(sessions_are_listed),
		with(sessions_are_filtered_by_status),
		with(the_summary_counts_by_status),
		with(sessions_are_listed_newest_first),
		with(creating_an_id_again_leaves_it_as_it_was),
		with(updating_an_unknown_id_is_refused),
		with(a_nul_in_an_id_makes_another_session),
		with(an_id_far_too_long_is_cut_and_found_again),
		with(of_too_many_the_longest_ended_goes),
		with(when_all_run_the_one_updated_longest_ago_goes),
		with(running_since_is_unbroken),
		with(a_forgotten_session_runs_no_more),
		with(a_session_of_a_former_run_runs_no_more_until_it_is_told_of_again),
		with(the_sessions_of_a_run_that_ended_uncleanly_are_lost),
#undef with
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

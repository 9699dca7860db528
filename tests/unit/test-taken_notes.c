/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <signal.h>
#include <sys/wait.h>

#include "record/taken_notes.h"

#define FILE_SIZE (24 + 24 * (long)TAKEN_NOTES_MAX)
#define STAMP_AT(i) (24 + 24 * (long)(i))

static struct taken_notes *open_in(const struct test_folder *f)
{
	struct failure failure = { 0 };
	struct taken_notes *t;

	assert_int_equal(taken_notes_open(f->fd, &t, &failure), 0);
	assert_string_equal(failure.line, "");
	return t;
}

/* Notes ids from..to-1 and dies with SIGKILL, its file as it stands. */
static void note_and_die(const struct test_folder *f, unsigned from, unsigned to)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct taken_notes *t = NULL;
		char id[32];

		if (taken_notes_open(f->fd, &t, NULL) < 0)
			_exit(1);
		for (unsigned i = from; i < to; i++) {
			snprintf(id, sizeof id, "%u.raised", i);
			taken_notes_add(t, id, "", "webhook");
		}
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static bool has(const struct taken_notes *t, unsigned i)
{
	char id[32];

	snprintf(id, sizeof id, "%u.raised", i);
	return taken_notes_has(t, id, "", "webhook");
}

static void expect(const struct test_folder *f, unsigned from, unsigned to)
{
	struct taken_notes *t = open_in(f);

	assert_false(has(t, from - 1));
	for (unsigned i = from; i < to; i++)
		assert_true(has(t, i));
	assert_false(has(t, to));
	taken_notes_free(t);
}

static void what_was_noted_outlives_a_kill(void **state)
{
	note_and_die(*state, 1, 4);
	expect(*state, 1, 4);
}

static void page_and_endpoint_count_together(void **state)
{
	struct taken_notes *t = open_in(*state);

	taken_notes_add(t, "a.raised", "", "webhook");
	taken_notes_add(t, "b", "", "c");
	taken_notes_free(t);
	t = open_in(*state);
	assert_true(taken_notes_has(t, "a.raised", "", "webhook"));
	assert_false(taken_notes_has(t, "a.raised", "", "webhook.night"));
	assert_false(taken_notes_has(t, "a.resolved", "", "webhook"));
	assert_true(taken_notes_has(t, "b", "", "c"));
	assert_false(taken_notes_has(t, "bc", "", ""));
	assert_false(taken_notes_has(t, "", "", "bc"));
	assert_false(taken_notes_has(t, "a.raised", "more", "webhook"));
	taken_notes_free(t);
}

/* Also through one that notes nothing. */
static void each_owner_goes_on_with_what_was_left(void **state)
{
	note_and_die(*state, 1, 4);
	note_and_die(*state, 4, 4);
	note_and_die(*state, 4, 9);
	expect(*state, 1, 9);
}

static void the_newest_are_kept_when_there_are_too_many(void **state)
{
	note_and_die(*state, 1, TAKEN_NOTES_MAX + 3);
	expect(*state, 3, TAKEN_NOTES_MAX + 3);
	note_and_die(*state, TAKEN_NOTES_MAX + 3, TAKEN_NOTES_MAX + 8);
	expect(*state, 8, TAKEN_NOTES_MAX + 8);
}

static void put_at(const struct test_folder *f, long at, const void *bytes, size_t len)
{
	int fd = openat(f->fd, "taken", O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, bytes, len, at), (ssize_t)len);
	close(fd);
}

/* The second of three notes is one that was being written, or is damaged: it alone does not count.
 */
static void a_note_that_is_not_whole_does_not_count(void **state)
{
	static const uint64_t stamps[] = { 0, 1, 3, UINT64_MAX - TAKEN_NOTES_MAX + 3 };

	for (size_t i = 0; i < sizeof stamps / sizeof *stamps; i++) {
		note_and_die(*state, 1, 4);
		put_at(*state, STAMP_AT(2), &stamps[i], sizeof stamps[i]);
		struct taken_notes *t = open_in(*state);
		assert_true(has(t, 1));
		assert_false(has(t, 2));
		assert_true(has(t, 3));
		taken_notes_remove(t, ((struct test_folder *)*state)->fd);
		taken_notes_free(t);
	}
}

static void a_file_that_makes_no_sense_is_replaced(void **state)
{
	const struct test_folder *f = *state;
	static const struct {
		long at;
		const char *bytes;
		size_t len;
		long size; /* cut or grown to */
	} rows[] = {
		{ 0, "T", 1, FILE_SIZE },
		{ 8, "\2", 1, FILE_SIZE },
		{ 12, "\1", 1, FILE_SIZE },
		{ 16, "\1", 1, FILE_SIZE },
		{ 0, "t", 1, FILE_SIZE - 1 },
		{ 0, "t", 1, FILE_SIZE + 1 },
		{ 0, "t", 1, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		note_and_die(f, 1, 4);
		put_at(f, rows[i].at, rows[i].bytes, rows[i].len);
		int fd = openat(f->fd, "taken", O_WRONLY | O_CLOEXEC);
		assert_int_equal(ftruncate(fd, rows[i].size), 0);
		close(fd);
		struct taken_notes *t = open_in(f);
		for (unsigned n = 1; n < 4; n++)
			assert_false(has(t, n));
		taken_notes_free(t);
		note_and_die(f, 9, 12);
		expect(f, 9, 12);
		assert_int_equal(unlinkat(f->fd, "taken", 0), 0);
	}
}

/* What was left counts, and stays for the next one; what is noted goes nowhere. */
static void where_no_file_can_be_made_the_old_one_counts(void **state)
{
	const struct test_folder *f = *state;
	struct failure failure = { 0 };
	struct taken_notes *t = NULL;

	note_and_die(f, 1, 4);
	assert_int_equal(mkdirat(f->fd, ".tmp-taken", 0700), 0);
	assert_int_equal(taken_notes_open(f->fd, &t, &failure), -EEXIST);
	assert_true(strlen(failure.line) > 0);
	assert_true(has(t, 3));
	taken_notes_add(t, "4.raised", "", "webhook");
	taken_notes_remove(t, f->fd);
	taken_notes_free(t);
	assert_int_equal(unlinkat(f->fd, ".tmp-taken", AT_REMOVEDIR), 0);
	expect(f, 1, 4);
}

static void only_ones_own_file_is_removed(void **state)
{
	const struct test_folder *f = *state;
	struct taken_notes *first = open_in(f);
	struct taken_notes *second = open_in(f);

	taken_notes_remove(first, f->fd);
	assert_int_equal(faccessat(f->fd, "taken", F_OK, 0), 0);
	taken_notes_remove(second, f->fd);
	assert_int_equal(faccessat(f->fd, "taken", F_OK, 0), -1);
	taken_notes_free(first);
	taken_notes_free(second);
}

static void there_may_be_no_notes(void **state)
{
	taken_notes_add(NULL, "a", "", "b");
	assert_false(taken_notes_has(NULL, "a", "", "b"));
	taken_notes_remove(NULL, ((struct test_folder *)*state)->fd);
	taken_notes_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(what_was_noted_outlives_a_kill),
		test_in_folder(page_and_endpoint_count_together),
		test_in_folder(each_owner_goes_on_with_what_was_left),
		test_in_folder(the_newest_are_kept_when_there_are_too_many),
		test_in_folder(a_note_that_is_not_whole_does_not_count),
		test_in_folder(a_file_that_makes_no_sense_is_replaced),
		test_in_folder(where_no_file_can_be_made_the_old_one_counts),
		test_in_folder(only_ones_own_file_is_removed),
		test_in_folder(there_may_be_no_notes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <grp.h>

#include "engine/folders.h"

static char runtime[128], statedir[128];
static char engine[] = "engine";

static struct settings settings_in(const struct test_folder *f)
{
	snprintf(runtime, sizeof runtime, "%s/run/deep/er", f->path);
	snprintf(statedir, sizeof statedir, "%s/state", f->path);
	return (struct settings){ .engine_name = engine,
				  .runtime_dir = runtime,
				  .state_dir = statedir };
}

static void missing_folders_are_made_private(void **state)
{
	struct settings s = settings_in(*state);
	struct folders p;
	struct stat st;

	assert_int_equal(folders_find(&s, &p), 0);
	assert_true(p.runtime >= 0 && p.state >= 0);
	assert_string_equal(p.runtime_path, runtime);
	assert_null(p.state_trouble);
	assert_int_equal(stat(runtime, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	folders_done(&p);
	assert_int_equal(p.runtime, -1);
}

static void a_folder_that_is_a_file_is_told_and_the_rest_goes_on(void **state)
{
	const struct test_folder *f = *state;
	struct settings s = settings_in(f);
	struct folders p;

	close(openat(f->fd, "state", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(folders_find(&s, &p), 0);
	assert_int_equal(p.state, -1);
	assert_non_null(strstr(p.state_trouble, statedir));
	assert_non_null(strstr(p.state_trouble, "paths.state_dir"));
	assert_true(p.runtime >= 0);
	folders_done(&p);
}

static void a_folder_anyone_may_write_is_refused(void **state)
{
	const struct test_folder *f = *state;
	struct settings s = settings_in(f);
	struct folders p;

	assert_int_equal(mkdir(statedir, 0700), 0);
	assert_int_equal(chmod(statedir, 0777), 0);
	assert_int_equal(folders_find(&s, &p), 0);
	assert_int_equal(p.state, -1);
	assert_non_null(p.state_trouble);
	folders_done(&p);
}

static void without_settings_a_tmpfs_is_preferred(void **state)
{
	const struct test_folder *f = *state;
	struct settings s = { .engine_name = engine };
	struct folders p;

	if (access("/dev/shm", W_OK) < 0)
		skip();
	s.environment.runtime_dir = s.environment.state_home = (char *)(uintptr_t)f->path;
	assert_int_equal(folders_find(&s, &p), 0);
	assert_true(p.runtime_is_tmpfs);
	assert_null(p.runtime_trouble);
	assert_true(p.state >= 0);
	rmdir(p.runtime_path);
	*strrchr(p.runtime_path, '/') = 0;
	rmdir(p.runtime_path); /* stays where other engines have theirs in it */
	folders_done(&p);
}

/* A group we are in. */
static const char *own_group(void)
{
	const struct group *g = getgrgid(getegid());

	if (!g)
		skip();
	return g->gr_name;
}

static void operators_are_let_into_the_state_folder_alone(void **state)
{
	struct settings s = settings_in(*state);
	const char *group = own_group();
	struct folders p;
	struct stat st;

	for (unsigned again = 0; again < 2; again++) {
		assert_int_equal(folders_find(&s, &p), 0);
		assert_int_equal(p.operators, (gid_t)-1);
		folders_share(&p, group);
		assert_int_equal(p.operators, getegid());
		assert_null(p.operators_trouble);
		assert_int_equal(stat(statedir, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0750);
		assert_int_equal(st.st_gid, getegid());
		assert_int_equal(stat(runtime, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
		folders_done(&p);
	}
}

static void without_the_group_everything_stays_private(void **state)
{
	struct settings s = settings_in(*state);
	struct folders p;
	struct stat st;

	assert_int_equal(folders_find(&s, &p), 0);
	folders_share(&p, "no-group-of-that-name");
	assert_int_equal(p.operators, (gid_t)-1);
	assert_null(p.operators_trouble);
	assert_int_equal(stat(statedir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	folders_done(&p);
}

static void rights_that_somebody_has_given_are_left_alone(void **state)
{
	struct settings s = settings_in(*state);
	struct folders p;
	struct stat st;

	assert_int_equal(mkdir(statedir, 0700), 0);
	assert_int_equal(chmod(statedir, 0755), 0);
	assert_int_equal(folders_find(&s, &p), 0);
	folders_share(&p, own_group());
	assert_int_equal(stat(statedir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	/* It is the group's already: so may be what is in it. */
	assert_int_equal(p.operators, getegid());
	folders_done(&p);
}

/* As a daemon does, which closes what it has not opened. */
static void a_folder_whose_descriptor_was_closed_is_opened_again(void **state)
{
	const struct test_folder *f = *state;
	struct settings s = settings_in(f);
	struct folders p;

	assert_int_equal(folders_find(&s, &p), 0);
	assert_int_equal(folders_state(&p), p.state);
	assert_int_equal(folders_runtime(&p), p.runtime);
	assert_false(p.reopened);
	int host = test_descriptor_reuse(f, "state"), before = p.state;
	assert_int_equal(host, before);
	assert_int_not_equal(folders_state(&p), host);
	assert_int_equal(folders_state(&p), p.state);
	assert_true(p.reopened);
	assert_int_equal(mkdirat(folders_state(&p), "x", 0700), 0);
	test_descriptor_is_untouched(host, 0);

	host = test_descriptor_reuse(f, "run/deep/er");
	int again = folders_runtime(&p);
	assert_true(again >= 0 && again != host);
	test_descriptor_is_untouched(host, 0);
	folders_done(&p);
}

static void another_folder_in_its_place_is_not_used(void **state)
{
	const struct test_folder *f = *state;
	struct settings s = settings_in(f);
	struct folders p;

	assert_int_equal(folders_find(&s, &p), 0);
	int host = test_descriptor_reuse(f, "state");
	assert_int_equal(renameat(f->fd, "state", f->fd, "elsewhere"), 0);
	assert_int_equal(folders_state(&p), -1);
	assert_int_equal(mkdirat(f->fd, "state", 0700), 0);
	assert_int_equal(folders_state(&p), -1);
	/* Nor is what has the number closed. */
	folders_done(&p);
	test_descriptor_is_untouched(host, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(missing_folders_are_made_private),
		test_in_folder(a_folder_that_is_a_file_is_told_and_the_rest_goes_on),
		test_in_folder(a_folder_anyone_may_write_is_refused),
		test_in_folder(without_settings_a_tmpfs_is_preferred),
		test_in_folder(operators_are_let_into_the_state_folder_alone),
		test_in_folder(without_the_group_everything_stays_private),
		test_in_folder(rights_that_somebody_has_given_are_left_alone),
		test_in_folder(a_folder_whose_descriptor_was_closed_is_opened_again),
		test_in_folder(another_folder_in_its_place_is_not_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

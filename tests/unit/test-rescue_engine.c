/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>

#include "base/cleanup.h"
#include "post/endpoint_files.h"
#include "settings/settings_kept.h"
#include "tool/rescue_engine.h"

/* A folder for each, and the options that name them. */
struct engine_fixture {
	char runtime[128], state[128];
	int runtime_fd, state_fd;
	struct tool_options options;
};

static void make(const struct test_folder *f, struct engine_fixture *ret)
{
	struct engine_fixture *x = ret;

	*x = (struct engine_fixture){ 0 };
	snprintf(x->runtime, sizeof x->runtime, "%s/run", f->path);
	snprintf(x->state, sizeof x->state, "%s/state", f->path);
	assert_int_equal(mkdir(x->runtime, 0700), 0);
	assert_int_equal(mkdir(x->state, 0700), 0);
	x->runtime_fd = open(x->runtime, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	x->state_fd = open(x->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tool_options_add(&x->options, "config", "");
	tool_options_add(&x->options, "paths.runtime_dir", x->runtime);
	tool_options_add(&x->options, "paths.state_dir", x->state);
}

static void done(struct engine_fixture *x)
{
	close(x->runtime_fd);
	close(x->state_fd);
}

/* As an engine keeps them that was told these. */
static void keep(const struct engine_fixture *x, int folder, const char *base_url)
{
	const tocsin_kv options[] = {
		{ { "config", 6 }, { "", 0 } },
		{ { "engine.name", 11 }, { "live-1", 6 } },
		{ { "log.target", 10 }, { "stderr", 6 } },
		{ { "runbooks.base_url", 17 }, { base_url, strlen(base_url) } },
	};
	struct settings *s;
	char err[512];

	assert_int_equal(settings_load(endpoint_files_check, options, 4, err, sizeof err, &s), 0);
	assert_int_equal(settings_kept_write(folder, false, s, x->runtime, x->state), 0);
	settings_free(s);
}

static void an_engine_is_found_by_its_folders(void **state)
{
	struct engine_fixture x;
	struct rescue_engine e;
	struct tool_options none = { 0 };

	make(*state, &x);
	assert_int_equal(rescue_engine_of_options(&none, &e), -ENOENT);
	assert_int_equal(rescue_engine_of_options(&x.options, &e), 0);
	assert_string_equal(e.name, "run");
	assert_string_equal(e.runtime_path, x.runtime);
	assert_string_equal(e.state_path, x.state);
	assert_false(rescue_engine_has_recorder(&e));
	assert_int_equal(mkdirat(x.runtime_fd, "ring-0123456789abcdef0123456789abcdef", 0700), 0);
	assert_true(rescue_engine_has_recorder(&e));
	rescue_engine_done(&e);

	tool_options_add(&x.options, "engine.name", "live-1");
	assert_int_equal(rmdir(x.state), 0);
	assert_int_equal(rescue_engine_of_options(&x.options, &e), 0);
	assert_string_equal(e.name, "live-1");
	assert_null(e.state_path);
	rescue_engine_done(&e);
	done(&x);
}

static void what_it_was_told_counts_and_options_after_it(void **state)
{
	struct engine_fixture x;
	struct rescue_engine e;
	struct settings *s;
	const char *why = "";
	char err[512];

	make(*state, &x);
	keep(&x, x.state_fd, "http://state");
	keep(&x, x.runtime_fd, "http://runtime");
	assert_int_equal(rescue_engine_of_options(&x.options, &e), 0);
	x.options.n = 0;
	assert_int_equal(rescue_engine_settings(&e, &x.options, err, sizeof err, &why, &s), 0);
	assert_null(why);
	assert_string_equal(s->engine_name, "live-1");
	assert_string_equal(s->runbooks_base_url, "http://runtime");
	assert_string_equal(s->runtime_dir, x.runtime);
	settings_free(s);

	/* After a boot the runtime folder is empty. */
	assert_int_equal(unlinkat(x.runtime_fd, SETTINGS_KEPT_FILE, 0), 0);
	tool_options_add(&x.options, "log.health", "yes");
	tool_options_add(&x.options, "engine.name", "another");
	assert_int_equal(rescue_engine_settings(&e, &x.options, err, sizeof err, &why, &s), 0);
	assert_null(why);
	assert_true(s->log_health);
	assert_string_equal(s->engine_name, "live-1");
	assert_string_equal(s->runbooks_base_url, "http://state");
	assert_string_equal(s->state_dir, x.state);
	settings_free(s);

	tool_options_add(&x.options, "log.target", "nowhere");
	assert_int_equal(rescue_engine_settings(&e, &x.options, err, sizeof err, &why, &s),
			 -EINVAL);
	assert_non_null(strstr(err, "log.target"));
	rescue_engine_done(&e);
	done(&x);
}

static void without_it_the_options_and_the_folders_must_do(void **state)
{
	struct engine_fixture x;
	struct rescue_engine e;
	struct settings *s;
	const char *why = NULL;
	char err[512];

	make(*state, &x);
	assert_int_equal(rescue_engine_of_options(&x.options, &e), 0);
	assert_int_equal(rescue_engine_settings(&e, &x.options, err, sizeof err, &why, &s), 0);
	assert_non_null(strstr(why, "has left no settings.json"));
	assert_string_equal(s->engine_name, "run");
	assert_string_equal(s->state_dir, x.state);
	settings_free(s);

	_cleanup_close_ int fd =
		openat(x.runtime_fd, SETTINGS_KEPT_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "{\"form", 6), 6);
	keep(&x, x.state_fd, "http://state");
	assert_int_equal(rescue_engine_settings(&e, &x.options, err, sizeof err, &why, &s), 0);
	assert_string_equal(s->runbooks_base_url, "http://state");
	settings_free(s);
	assert_int_equal(unlinkat(x.state_fd, SETTINGS_KEPT_FILE, 0), 0);
	rescue_engine_done(&e);
	done(&x);
}

static void only_a_whole_epoch_names_a_lock(void **state)
{
	static const char *const wrong[] = {
		"",
		"ring-",
		"ring",
		"lock-0123456789abcdef0123456789abcdef",
		"ring-0123456789abcdef0123456789abcde",
		"ring-0123456789abcdef0123456789abcdeg",
		"ring-0123456789abcdef0123456789abcdef.corrupt",
		"ring-0123456789abcdef0123456789abcdef0",
		".ring-0123456789abcdef0123456789abcdef",
	};
	char lock[RESCUE_LOCK_SIZE];

	(void)state;
	assert_true(rescue_lock_name("ring-0123456789abcdef0123456789abcdef", lock));
	assert_string_equal(lock, "lock-0123456789abcdef0123456789abcdef");
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(rescue_lock_name(wrong[i], lock));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(an_engine_is_found_by_its_folders),
		test_in_folder(what_it_was_told_counts_and_options_after_it),
		test_in_folder(without_it_the_options_and_the_folders_must_do),
		cmocka_unit_test(only_a_whole_epoch_names_a_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/journald_conf.h"

#include "test.h"
#include "tool/log_check.h"

#define FILES_MAX 4
#define DROP_IN(name) "/journald.conf.d/" name

/* Makes a file below the root, with the folders it is in. */
static void make_file(const char *root, const char *path, const char *text)
{
	char whole[256], folder[256];
	FILE *f;

	snprintf(whole, sizeof whole, "%s%s", root, path);
	for (char *at = whole + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		snprintf(folder, sizeof folder, "%.*s", (int)(at - whole), whole);
		assert_true(mkdir(folder, 0700) == 0 || errno == EEXIST);
	}
	f = fopen(whole, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

struct file {
	const char *path, *text;
};

static void make_files(const char *root, const struct file *files)
{
	for (size_t i = 0; i < FILES_MAX && files[i].path; i++)
		make_file(root, files[i].path, files[i].text);
}

/* A root of its own for each row: `%zu` below the test's folder. */
static const char *root_of(void **state, size_t row, char buf[static 128])
{
	struct test_folder *f = *state;

	snprintf(buf, 128, "%s/%zu", f->path, row);
	assert_int_equal(mkdir(buf, 0700), 0);
	return buf;
}

static void files_are_read_as_journald_reads_them(void **state)
{
	static const struct {
		struct file files[FILES_MAX];
		const char *name;
		unsigned level;
		const char *place;
	} rows[] = {
		{ { { 0 } }, NULL, 7, "" },
		{ { { "/etc/systemd/journald.conf", "[Journal]\nMaxLevelStore=err\n" } },
		  NULL,
		  3,
		  "/etc/systemd/journald.conf:2" },
		/* The first main file is the only one. */
		{ { { "/etc/systemd/journald.conf", "[Journal]\n" },
		    { "/usr/lib/systemd/journald.conf", "[Journal]\nMaxLevelStore=err\n" } },
		  NULL,
		  7,
		  "" },
		{ { { "/usr/lib/systemd/journald.conf", "[Journal]\nMaxLevelStore=err\n" } },
		  NULL,
		  3,
		  "/usr/lib/systemd/journald.conf:2" },
		/* Drop-ins win over it, the later name over the earlier, in whatever folder. */
		{ { { "/etc/systemd/journald.conf", "[Journal]\nMaxLevelStore=err\n" },
		    { "/usr/lib/systemd/journald.conf.d/20.conf", "[Journal]\nMaxLevelStore=4\n" },
		    { "/etc/systemd/journald.conf.d/10.conf", "[Journal]\nMaxLevelStore=1\n" } },
		  NULL,
		  4,
		  "/usr/lib/systemd/journald.conf.d/20.conf:2" },
		/* Of one name the first folder's hides the others. */
		{ { { "/run/systemd/journald.conf.d/10.conf", "[Journal]\nMaxLevelStore=1\n" },
		    { "/etc/systemd/journald.conf.d/10.conf", "" } },
		  NULL,
		  7,
		  "" },
		{ { { "/run/systemd/journald.conf.d/10.conf", "[Journal]\nMaxLevelStore=2\n" },
		    { "/usr/local/lib/systemd/journald.conf.d/10.conf",
		      "[Journal]\nMaxLevelStore=1\n" } },
		  NULL,
		  2,
		  "/run/systemd/journald.conf.d/10.conf:2" },
		{ { { "/etc/systemd/journald.conf.d/10.txt", "[Journal]\nMaxLevelStore=1\n" } },
		  NULL,
		  7,
		  "" },
		/* A namespace has files of its own. */
		{ { { "/etc/systemd/journald.conf", "[Journal]\nMaxLevelStore=err\n" },
		    { "/etc/systemd/journald@desk.conf.d/1.conf", "[Journal]\nMaxLevelStore=2\n" },
		    { "/etc/systemd/journald@other.conf", "[Journal]\nMaxLevelStore=1\n" } },
		  "desk",
		  2,
		  "/etc/systemd/journald@desk.conf.d/1.conf:2" },
		{ { { "/etc/systemd/journald@desk.conf", "[Journal]\nMaxLevelStore=1\n" } },
		  NULL,
		  7,
		  "" },
		/* Lines. */
		{ { { "/etc/systemd/journald.conf",
		      "MaxLevelStore=1\n[Other]\nMaxLevelStore=1\n" } },
		  NULL,
		  7,
		  "" },
		{ { { "/etc/systemd/journald.conf",
		      "[Journal]\n#MaxLevelStore=1\n ; x\n  MaxLevelStore = notice \r\n" } },
		  NULL,
		  5,
		  "/etc/systemd/journald.conf:4" },
		{ { { "/etc/systemd/journald.conf",
		      "[Journal]\nMaxLevelStore=info\nMaxLevelStore=loud\nMaxLevelStore=8\n"
		      "MaxLevelStore\nMaxLevelStore=\n" } },
		  NULL,
		  6,
		  "/etc/systemd/journald.conf:2" },
		{ { { "/etc/systemd/journald.conf",
		      "[Journal]\nMaxLevelStore=\\\n# a comment\n  crit" } },
		  NULL,
		  2,
		  "/etc/systemd/journald.conf:4" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char root[128];
		struct journald_conf c;

		root_of(state, i, root);
		make_files(root, rows[i].files);
		assert_int_equal(journald_conf_read(root, rows[i].name, &c), 0);
		if (c.max_level_store != rows[i].level)
			fail_msg("row %zu: level %u", i, c.max_level_store);
		assert_string_equal(c.place[JOURNALD_MAX_LEVEL_STORE] +
					    (rows[i].place[0] ? strlen(root) : 0),
				    rows[i].place);
		assert_string_equal(c.unread, "");
	}
}

static void intervals_have_journalds_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t us;
	} rows[] = {
		{ "30", 30000000 },
		{ "0", 0 },
		{ "500ms", 500000 },
		{ "250 msec", 250000 },
		{ "7us", 7 },
		{ "1min 30s", 90000000 },
		{ "1min30s", 90000000 },
		{ "1.5h", 5400000000 },
		{ "2 days", 172800000000 },
		{ "1w", 604800000000 },
		{ "infinity", UINT64_MAX },
		/* Passed over: the usual stays. */
		{ "", 30000000 },
		{ "soon", 30000000 },
		{ "-1s", 30000000 },
		{ "5 fortnights", 30000000 },
		{ "s", 30000000 },
		{ "1..2s", 30000000 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char root[128], text[80];
		struct journald_conf c;

		root_of(state, i, root);
		/* The old name, too. */
		snprintf(text, sizeof text, "[Journal]\nRateLimitInterval%s=%s\n",
			 i % 2 ? "" : "Sec", rows[i].text);
		make_file(root, "/run/systemd/journald.conf", text);
		assert_int_equal(journald_conf_read(root, NULL, &c), 0);
		if (c.rate_interval_us != rows[i].us)
			fail_msg("%s is %llu us", rows[i].text,
				 (unsigned long long)c.rate_interval_us);
	}
}

/* Each configuration, and what of an engine's log it loses. */
static void what_a_configuration_loses_is_told(void **state)
{
	static const struct {
		const char *text; /* of [Journal] */
		enum verdict verdict;
		const char *told;
		bool health;
	} rows[] = {
		{ "Storage=persistent\n", VERDICT_OK, "keeps every entry, of one service", false },
		{ "Storage=persistent\nRateLimitBurst=0\n", VERDICT_OK, "keeps every entry\n",
		  false },
		{ "Storage=persistent\nRateLimitIntervalSec=0\n", VERDICT_OK, "keeps every entry\n",
		  false },
		{ "Storage=none\n", VERDICT_FAILED, "Storage=none (", false },
		{ "Storage=none\nForwardToSyslog=yes\n", VERDICT_WARNING, "entries go to syslog",
		  false },
		{ "Storage=none\nForwardToSyslog=off\n", VERDICT_FAILED, "in no log", false },
		{ "Storage=volatile\n", VERDICT_WARNING, "Storage=volatile (", false },
		{ "Storage=auto\n", VERDICT_WARNING, "until the next boot", false },
		{ "\n", VERDICT_WARNING, "there is no /var/log/journal", false },
		{ "Storage=persistent\nMaxLevelStore=emerg\n", VERDICT_FAILED, "drops P1 alerts;",
		  false },
		{ "Storage=persistent\nMaxLevelStore=alert\n", VERDICT_FAILED, "drops P1 alerts;",
		  false },
		{ "Storage=persistent\nMaxLevelStore=crit\n", VERDICT_WARNING, "drops P2 alerts;",
		  false },
		{ "Storage=persistent\nMaxLevelStore=err\n", VERDICT_WARNING, "drops P3 alerts",
		  false },
		{ "Storage=persistent\nMaxLevelStore=warning\n", VERDICT_WARNING,
		  "drops resolutions", false },
		{ "Storage=persistent\nMaxLevelStore=5\n", VERDICT_WARNING, "drops sessions",
		  false },
		{ "Storage=persistent\nMaxLevelStore=info\n", VERDICT_OK, "keeps every", false },
		{ "Storage=persistent\nMaxLevelStore=info\n", VERDICT_WARNING, "drops pulses",
		  true },
		{ "Storage=persistent\nMaxLevelStore=debug\n", VERDICT_OK, "keeps every", true },
		{ "Storage=persistent\nRateLimitBurst=9999\n", VERDICT_WARNING,
		  "9999 entries in 30.0 s", false },
		{ "Storage=persistent\nRateLimitIntervalSec=1min\n", VERDICT_WARNING,
		  "10000 entries in 1 min", false },
		{ "Storage=persistent\nRateLimitIntervalSec=infinity\n", VERDICT_WARNING,
		  "10000 entries in all its life", false },
		{ "Storage=persistent\nRateLimitBurst=20000\nRateLimitIntervalSec=60\n", VERDICT_OK,
		  "up to 20000 entries in 1 min", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char root[128], text[256];
		struct findings f = { 0 };

		root_of(state, i, root);
		snprintf(text, sizeof text, "[Journal]\n%s", rows[i].text);
		make_file(root, "/etc/systemd/journald.conf", text);
		log_check_losses(&f, root, NULL, rows[i].health);
		for (int v = 0; v < VERDICTS; v++)
			if (!f.lines[v].ptr != (v != (int)rows[i].verdict))
				fail_msg("%s: %s", rows[i].text,
					 f.lines[v].ptr ? f.lines[v].ptr : "is not told");
		if (!strstr(f.lines[rows[i].verdict].ptr, rows[i].told))
			fail_msg("%s: %s", rows[i].text, f.lines[rows[i].verdict].ptr);
		findings_done(&f);
	}
}

/* A namespace's losses fail a check only where the engine is known to log there. */
static void namespaces_are_told_apart(void **state)
{
	struct test_folder *f = *state;
	struct findings all = { 0 }, one = { 0 };

	make_file(f->path, "/etc/systemd/journald.conf", "[Journal]\nStorage=persistent\n");
	make_file(f->path, "/run/systemd/journald@desk.conf", "[Journal]\nStorage=none\n");
	make_file(f->path, "/etc/systemd/journald@b.conf.d/x.conf", "[Journal]\nStorage=none\n");
	make_file(f->path, "/etc/systemd/journald@b.conf", "");
	log_check_losses(&all, f->path, NULL, false);
	assert_false(all.failed);
	assert_non_null(strstr(all.lines[VERDICT_OK].ptr, "journald: its configuration keeps"));
	assert_non_null(strstr(all.lines[VERDICT_WARNING].ptr, "LogNamespace=desk: Storage=none"));
	assert_non_null(strstr(all.lines[VERDICT_WARNING].ptr, "LogNamespace=b: Storage=none"));
	findings_done(&all);
	log_check_losses(&one, f->path, "desk", false);
	assert_true(one.failed);
	assert_null(one.lines[VERDICT_OK].ptr);
	assert_non_null(strstr(one.lines[VERDICT_FAILED].ptr, "journald@desk: Storage=none"));
	findings_done(&one);
}

static void a_file_that_cannot_be_read_is_told(void **state)
{
	struct test_folder *folder = *state;
	struct findings f = { 0 };
	char path[128];

	make_file(folder->path, "/etc/systemd/journald.conf", "[Journal]\nStorage=persistent\n");
	snprintf(path, sizeof path, "%s/etc/systemd/journald.conf.d", folder->path);
	assert_int_equal(mkdir(path, 0700), 0);
	/* A link to itself: nobody can open it, root neither. */
	snprintf(path, sizeof path, "%s/etc/systemd/journald.conf.d/x.conf", folder->path);
	assert_int_equal(symlink("x.conf", path), 0);
	log_check_losses(&f, folder->path, NULL, false);
	assert_non_null(strstr(f.lines[VERDICT_WARNING].ptr, "x.conf: Too many levels"));
	findings_done(&f);
}

#define with(test) cmocka_unit_test_setup_teardown(test, test_folder_make, test_folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with(files_are_read_as_journald_reads_them), with(intervals_have_journalds_units),
		with(what_a_configuration_loses_is_told),    with(namespaces_are_told_apart),
		with(a_file_that_cannot_be_read_is_told),
	};

	return cmocka_run_group_tests_name("journald_conf", tests, NULL, NULL);
}

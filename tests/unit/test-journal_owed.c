/* SPDX-License-Identifier: MIT */
/* What the journal writer keeps in STATE/owed, and what the next run makes of it. */
#include "config.h"

#include <dirent.h>
#include <sys/wait.h>

#include "journal/owed.h"
#include "journal_fixture.h"

/* Files in owed/ that are neither hidden nor, unless asked for, set aside. */
static unsigned count_files(const struct test_folder *f, bool corrupt)
{
	char path[128];
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof path, "%s/" OWED_FOLDER, f->path);
	dir = opendir(path);
	for (struct dirent *e; dir && (e = readdir(dir));)
		n += e->d_name[0] != '.' && (strstr(e->d_name, ".corrupt") != NULL) == corrupt;
	if (dir)
		closedir(dir);
	return n;
}

static unsigned count_sent(const char *text)
{
	unsigned n = 0;

	pthread_mutex_lock(&fake.mutex);
	for (unsigned i = 0; i < fake.n; i++)
		n += strcmp(fake.sent[i], text) == 0;
	pthread_mutex_unlock(&fake.mutex);
	return n;
}

/* Sent in that order, each once. */
static void expect_sent(unsigned from, const char *const *texts)
{
	for (unsigned i = 0; texts[i]; i++) {
		assert_true(from + i < fake.n);
		assert_string_equal(fake.sent[from + i], texts[i]);
		assert_int_equal(count_sent(texts[i]), 1);
	}
}

static struct journal *begin(const struct test_folder *f)
{
	return start_over(f, LOG_TARGET_JOURNAL, f->fd);
}

static void submit(struct journal *j, enum entry_class class, const char *message)
{
	journal_submit(j, entry(class, message, 0));
}

/* Gives up what waits; the disk may need longer than a stop waits for the thread. */
static void stop_now(struct journal *j)
{
	int r = journal_stop(j, 1000);

	while (r == -ETIMEDOUT)
		r = journal_stop(j, 1000);
	assert_int_equal(r, 0);
}

/* The next run, with a log that takes all: tells, and ends. */
static void run_on(const struct test_folder *f)
{
	int fd = listen_there(f);
	struct journal *j = begin(f);

	assert_int_equal(journal_stop(j, LONG_NS), 0);
	journal_free(j);
	close(fd);
	unlink_at(f, "socket");
}

static void a_stop_keeps_what_is_first_and_tells_of_the_rest(void **state)
{
	struct test_folder *f = *state;
	struct journal *j = begin(f);

	submit(j, ENTRY_CLASS_FIRST, "one");
	submit(j, ENTRY_CLASS_P2, "lesser");
	submit(j, ENTRY_CLASS_FIRST, "two");
	stop_now(j);
	assert_int_equal(journal_written(j), 0);
	assert_int_equal(journal_lost(j), 1);
	assert_int_equal(journal_settled(j), journal_submit(j, NULL));
	journal_free(j);
	assert_int_equal(count_files(f, false), 1);

	run_on(f);
	expect_sent(0, (const char *const[]){ "one", "two", NULL });
	assert_int_equal(fake.n, 3);
	assert_non_null(strstr(fake.sent[2], "lost since"));
	assert_non_null(strstr(fake.sent[2], "1 of P2"));
	assert_int_equal(count_files(f, false), 0);
	run_on(f);
	assert_int_equal(fake.n, 3);
}

static void without_a_folder_what_is_first_is_lost_too(void **state)
{
	struct journal *j = start(*state, LOG_TARGET_JOURNAL);

	submit(j, ENTRY_CLASS_FIRST, "one");
	assert_int_equal(journal_owe(j, 1), -ENOENT);
	assert_int_equal(journal_secured(j), 0);
	stop_now(j);
	assert_int_equal(journal_lost(j), 1);
	journal_free(j);
}

static void what_hangs_in_a_send_is_kept_with_what_waits(void **state)
{
	struct test_folder *f = *state;
	_cleanup_close_ int fd = listen_there(f);
	struct journal *j;

	fake_gate(true);
	j = begin(f);
	submit(j, ENTRY_CLASS_FIRST, "hangs");
	sem_wait(&fake.entered);
	submit(j, ENTRY_CLASS_LEAST, "least");
	submit(j, ENTRY_CLASS_FIRST, "waits");
	submit(j, ENTRY_CLASS_FIRST, "later");
	assert_int_equal(journal_owe(j, 3), 0);
	assert_int_equal(journal_secured(j), 3);
	assert_int_equal(count_files(f, false), 1);
	/* Nothing more up to there: no file. */
	assert_int_equal(journal_owe(j, 3), 0);
	assert_int_equal(count_files(f, false), 1);
	assert_int_equal(journal_owe(j, 100), 0);
	assert_int_equal(journal_secured(j), 4);
	assert_int_equal(count_files(f, false), 2);
	assert_int_equal(journal_settled(j), 0);

	fake_gate(false);
	sem_post(&fake.go);
	assert_int_equal(journal_stop(j, LONG_NS), 0);
	assert_int_equal(journal_written(j), 4);
	assert_int_equal(journal_lost(j), 0);
	journal_free(j);
	assert_int_equal(count_files(f, false), 0);
	expect_sent(0, (const char *const[]){ "hangs", "least", "waits", "later", NULL });
}

static void written_ones_leave_their_files_without_being_asked(void **state)
{
	struct test_folder *f = *state;
	struct journal *j = begin(f);
	_cleanup_close_ int fd = -1;

	submit(j, ENTRY_CLASS_FIRST, "one");
	assert_int_equal(journal_owe(j, 1), 0);
	assert_int_equal(count_files(f, false), 1);
	fd = listen_there(f);
	/* Its thread removes the file before it takes the next batch. */
	while (journal_settled(j) < 1)
		usleep(1000);
	submit(j, ENTRY_CLASS_FIRST, "two");
	while (journal_settled(j) < 2)
		usleep(1000);
	assert_int_equal(count_files(f, false), 0);
	assert_int_equal(journal_stop(j, LONG_NS), 0);
	journal_free(j);
}

static void a_stop_keeps_each_entry_in_one_file_and_no_written_one(void **state)
{
	struct test_folder *f = *state;
	int fd = listen_there(f);
	struct journal *j;

	fake_gate(true);
	j = begin(f);
	submit(j, ENTRY_CLASS_FIRST, "written");
	sem_wait(&fake.entered);
	submit(j, ENTRY_CLASS_FIRST, "kept");
	assert_int_equal(journal_owe(j, 2), 0);
	submit(j, ENTRY_CLASS_FIRST, "not yet");
	assert_int_equal(journal_stop(j, 0), -ETIMEDOUT);
	assert_int_equal(journal_secured(j), 3);
	sem_post(&fake.go);
	assert_int_equal(journal_stop(j, 0), 0);
	assert_int_equal(journal_written(j), 1);
	assert_int_equal(journal_lost(j), 0);
	journal_free(j);
	fake_gate(false);
	close(fd);
	unlink_at(f, "socket");
	assert_int_equal(count_files(f, false), 1);

	run_on(f);
	expect_sent(0, (const char *const[]){ "written", "kept", "not yet", NULL });
	assert_int_equal(fake.n, 3);
}

static void a_run_that_is_killed_in_a_send_leaves_all_that_was_owed(void **state)
{
	struct test_folder *f = *state;
	int ready[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		struct journal *j = begin(f); /* nobody listens */

		submit(j, ENTRY_CLASS_FIRST, "one");
		submit(j, ENTRY_CLASS_LEAST, "least");
		submit(j, ENTRY_CLASS_FIRST, "two");
		if (journal_owe(j, 3) == 0 && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));

	/* A run that cannot write them either changes nothing. */
	struct journal *j = begin(f);
	stop_now(j);
	assert_int_equal(journal_lost(j), 0);
	journal_free(j);
	assert_int_equal(fake.n, 0);
	run_on(f);
	expect_sent(0, (const char *const[]){ "one", "two", NULL });
	assert_int_equal(fake.n, 2);
	assert_int_equal(count_files(f, false), 0);
	close(ready[0]);
	close(ready[1]);
}

static void former_runs_come_first_and_in_order(void **state)
{
	struct test_folder *f = *state;
	char text[16];
	int fd;

	for (unsigned run = 0; run < 3; run++) {
		struct journal *j = begin(f);

		for (unsigned i = 0; i < 3; i++) {
			snprintf(text, sizeof text, "%u-%u", run, i);
			submit(j, ENTRY_CLASS_FIRST, text);
			assert_int_equal(journal_owe(j, i + 1), 0);
		}
		stop_now(j);
		journal_free(j);
	}
	fd = listen_there(f);
	struct journal *j = begin(f);
	submit(j, ENTRY_CLASS_FIRST, "own");
	assert_int_equal(journal_stop(j, LONG_NS), 0);
	assert_int_equal(journal_written(j), 10);
	journal_free(j);
	close(fd);
	assert_int_equal(fake.n, 10);
	for (unsigned i = 0; i < 9; i++) {
		snprintf(text, sizeof text, "%u-%u", i / 3, i % 3);
		assert_string_equal(fake.sent[i], text);
	}
	assert_string_equal(fake.sent[9], "own");
	assert_int_equal(count_files(f, false), 0);
}

static void one_run_at_a_time_tells_what_former_ones_have_left(void **state)
{
	struct test_folder *f = *state;
	struct owed *other = NULL;
	struct journal *j = begin(f);
	_cleanup_close_ int fd = -1;

	submit(j, ENTRY_CLASS_FIRST, "left");
	stop_now(j);
	journal_free(j);

	assert_int_equal(owed_open(f->fd, &other), 0);
	assert_true(owed_claim(other) >= 0);
	fd = listen_there(f);
	j = begin(f);
	submit(j, ENTRY_CLASS_FIRST, "own");
	while (journal_settled(j) < 1)
		usleep(1000);
	assert_int_equal(count_sent("left"), 0);
	owed_release(other);
	/* It looks again by itself. */
	while (journal_written(j) < 2)
		usleep(1000);
	assert_int_equal(journal_stop(j, LONG_NS), 0);
	journal_free(j);
	owed_free(other);
	expect_sent(0, (const char *const[]){ "own", "left", NULL });
}

static void a_damaged_file_is_told_as_far_as_it_goes_and_set_aside(void **state)
{
	struct test_folder *f = *state;
	struct journal *j = begin(f);
	char path[160], from[512];
	struct dirent *e;
	FILE *file;
	DIR *dir;

	for (unsigned i = 0; i < 3; i++)
		submit(j, ENTRY_CLASS_FIRST, i == 0 ? "one" : i == 1 ? "two" : "three");
	stop_now(j);
	journal_free(j);
	snprintf(path, sizeof path, "%s/" OWED_FOLDER, f->path);
	dir = opendir(path);
	assert_non_null(dir);
	while ((e = readdir(dir)) && e->d_name[0] == '.')
		continue;
	assert_non_null(e);
	snprintf(from, sizeof from, "%s/%s", path, e->d_name);
	closedir(dir);
	file = fopen(from, "r+");
	assert_non_null(file);
	char bytes[4096] = "";
	size_t n = fread(bytes, 1, sizeof bytes - 1, file);
	char *two = memmem(bytes, n, "two", 3);
	assert_non_null(two);
	assert_int_equal(fseek(file, two - bytes, SEEK_SET), 0);
	assert_int_equal(fputc('T', file), 'T');
	fclose(file);

	run_on(f);
	assert_int_equal(fake.n, 3);
	expect_sent(0, (const char *const[]){ "one", "three", NULL });
	assert_non_null(strstr(fake.sent[2], "cannot be read whole"));
	assert_int_equal(count_files(f, false), 0);
	assert_int_equal(count_files(f, true), 1);
	run_on(f);
	assert_int_equal(fake.n, 3);
}

static void a_folder_removed_under_us_is_made_again(void **state)
{
	struct test_folder *f = *state;
	struct journal *j = begin(f);
	char path[160];

	submit(j, ENTRY_CLASS_FIRST, "one");
	assert_int_equal(journal_owe(j, 1), 0);
	snprintf(path, sizeof path, "%s/" OWED_FOLDER, f->path);
	/* Its thread makes the lock there, once. */
	while (faccessat(f->fd, OWED_FOLDER "/.lock", F_OK, 0) != 0)
		usleep(1000);
	while (nftw(path, test_folder_unlink, 8, FTW_DEPTH | FTW_PHYS) != 0)
		usleep(1000);
	submit(j, ENTRY_CLASS_FIRST, "two");
	assert_int_equal(journal_owe(j, 2), 0);
	assert_int_equal(journal_secured(j), 2);
	stop_now(j);
	assert_int_equal(journal_lost(j), 0);
	journal_free(j);
	run_on(f);
	expect_sent(0, (const char *const[]){ "one", "two", NULL });
	assert_int_equal(fake.n, 2);
}

static void a_folder_that_cannot_be_is_told(void **state)
{
	struct test_folder *f = *state;
	_cleanup_close_ int fd = listen_there(f);
	struct journal *j;

	close(openat(f->fd, OWED_FOLDER, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	j = begin(f);
	submit(j, ENTRY_CLASS_FIRST, "one");
	assert_true(journal_owe(j, 2) < 0);
	assert_int_equal(journal_stop(j, LONG_NS), 0);
	journal_free(j);
	assert_int_equal(fake.n, 2);
	assert_non_null(strstr(fake.sent[0], "cannot be used"));
	assert_string_equal(fake.sent[1], "one");
}

static void files_stay_few_however_often_it_is_asked(void **state)
{
	struct test_folder *f = *state;
	struct journal *j = begin(f);
	char text[16];

	for (unsigned i = 0; i < 400; i++) {
		snprintf(text, sizeof text, "%u", i);
		submit(j, ENTRY_CLASS_FIRST, text);
		assert_int_equal(journal_owe(j, i + 1), 0);
		assert_int_equal(journal_secured(j), i + 1);
	}
	assert_in_range(count_files(f, false), 1, 200);
	stop_now(j);
	journal_free(j);
	assert_int_equal(count_files(f, false), 1);
	run_on(f);
	assert_int_equal(fake.n, 400);
	for (unsigned i = 0; i < 400; i++)
		assert_int_equal(strtoul(fake.sent[i], NULL, 10), i);
}

static void what_is_on_disk_may_leave_memory_and_is_not_lost(void **state)
{
	struct test_folder *f = *state;
	const size_t mega = 1 << 20;
	struct journal *j = begin(f);
	char text[16];

	for (unsigned i = 0; i < 62; i++) {
		snprintf(text, sizeof text, "%u", i);
		journal_submit(j, entry(ENTRY_CLASS_FIRST, text, mega));
	}
	assert_int_equal(journal_owe(j, 62), 0);
	for (unsigned i = 62; i < 80; i++) {
		snprintf(text, sizeof text, "%u", i);
		journal_submit(j, entry(ENTRY_CLASS_FIRST, text, mega));
	}
	assert_int_equal(journal_lost(j), 0);
	stop_now(j);
	assert_int_equal(journal_lost(j), 0);
	journal_free(j);
	run_on(f);
	for (unsigned i = 0; i < 80; i++) {
		snprintf(text, sizeof text, "%u", i);
		assert_int_equal(count_sent(text), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_stop_keeps_what_is_first_and_tells_of_the_rest),
		TEST(without_a_folder_what_is_first_is_lost_too),
		TEST(what_hangs_in_a_send_is_kept_with_what_waits),
		TEST(written_ones_leave_their_files_without_being_asked),
		TEST(a_stop_keeps_each_entry_in_one_file_and_no_written_one),
		TEST(a_run_that_is_killed_in_a_send_leaves_all_that_was_owed),
		TEST(former_runs_come_first_and_in_order),
		TEST(one_run_at_a_time_tells_what_former_ones_have_left),
		TEST(a_damaged_file_is_told_as_far_as_it_goes_and_set_aside),
		TEST(a_folder_removed_under_us_is_made_again),
		TEST(a_folder_that_cannot_be_is_told),
		TEST(files_stay_few_however_often_it_is_asked),
		TEST(what_is_on_disk_may_leave_memory_and_is_not_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>
#include <sys/wait.h>

#include "base/files.h"
#include "base/lockfile.h"
#include "base/moment.h"
#include "engine/snapshot_file.h"

#define EPOCH "0123456789abcdef0123456789abcdef"

static json_t *picture_of(const char *runtime_dir, const char *recorder, uint64_t stopped_ns)
{
	json_t *json = json_pack("{s:s}", "engine", "e");

	assert_int_equal(snapshot_file_sign(json, runtime_dir, recorder, stopped_ns), 0);
	return json;
}

static void write_picture(const struct test_folder *f, json_t *json)
{
	assert_int_equal(snapshot_file_write(f->fd, (gid_t)-1, json), 0);
	json_decref(json);
}

static bool is_alive(const struct test_folder *f)
{
	json_t *json = NULL;
	bool alive = false;

	assert_int_equal(snapshot_file_read(f->path, &json, &alive), 0);
	assert_string_equal(json_string_value(json_object_get(json, "engine")), "e");
	json_decref(json);
	return alive;
}

static void what_is_written_is_read_again(void **state)
{
	const struct test_folder *f = *state;
	json_t *json = picture_of("/run/x", "ring-" EPOCH, 0), *back = NULL;
	struct stat st;
	bool alive;

	assert_int_equal(json_integer_value(json_object_get(json, "engine_pid")), getpid());
	assert_int_equal(snapshot_file_write(f->fd, (gid_t)-1, json), 0);
	assert_int_equal(fstatat(f->fd, SNAPSHOT_FILE, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(snapshot_file_read(f->path, &back, &alive), 0);
	assert_true(json_equal(json, back));
	json_decref(json);
	json_decref(back);
}

static void the_group_may_read_it(void **state)
{
	const struct test_folder *f = *state;
	json_t *json = picture_of(NULL, NULL, 0);
	struct stat st;

	assert_int_equal(snapshot_file_write(f->fd, getegid(), json), 0);
	json_decref(json);
	assert_int_equal(fstatat(f->fd, SNAPSHOT_FILE, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_gid, getegid());
}

static void who_holds_the_recorders_lock_lives(void **state)
{
	const struct test_folder *f = *state;
	struct lockfile *lock = NULL;

	write_picture(f, picture_of(f->path, "ring-" EPOCH, 0));
	assert_false(is_alive(f)); /* there is no lock: it was removed by a stop */
	assert_int_equal(lockfile_open(f->fd, "lock-" EPOCH, true, &lock), 0);
	assert_false(is_alive(f)); /* nobody holds it, though the process lives */
	assert_int_equal(lockfile_try(lock), 0);
	assert_true(is_alive(f));
	assert_true(is_alive(f));
	lockfile_release(lock);
	assert_false(is_alive(f));
	assert_int_equal(lockfile_try(lock), 0);
	lockfile_release(lock);
	lockfile_free(lock);
}

static void asking_leaves_the_notice_of_a_death_for_the_next_run(void **state)
{
	const struct test_folder *f = *state;
	struct lockfile *lock = NULL;
	int status;

	write_picture(f, picture_of(f->path, "ring-" EPOCH, 0));
	assert_int_equal(lockfile_open(f->fd, "lock-" EPOCH, true, &lock), 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(lockfile_try(lock) == 0 ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_false(is_alive(f));
	assert_false(is_alive(f));
	assert_int_equal(lockfile_try(lock), 1);
	lockfile_release(lock);
	lockfile_free(lock);
}

static void without_a_recorders_file_the_process_tells(void **state)
{
	const struct test_folder *f = *state;
	json_t *json = picture_of(f->path, "", 0);
	json_t *ticks = json_object_get(json, "engine_start_ticks");

	assert_true(json_is_null(json_object_get(json, "recorder")));
	write_picture(f, json_incref(json));
	assert_true(is_alive(f));
	/* The same number, another process. */
	json_integer_set(ticks, json_integer_value(ticks) + 1);
	write_picture(f, json_incref(json));
	assert_false(is_alive(f));
	json_object_set_new(json, "engine_pid", json_integer(0));
	write_picture(f, json_incref(json));
	assert_false(is_alive(f));
	json_object_set_new(json, "engine_pid", json_integer(-1));
	write_picture(f, json_incref(json));
	assert_false(is_alive(f));
	json_decref(json);
}

static void a_process_that_has_ended_lives_no_more(void **state)
{
	const struct test_folder *f = *state;
	json_t *json = picture_of(NULL, NULL, 0);
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	json_object_set_new(json, "engine_pid", json_integer(pid));
	write_picture(f, json);
	assert_false(is_alive(f));
}

static void stopped_it_lives_no_more(void **state)
{
	const struct test_folder *f = *state;

	write_picture(f, picture_of(NULL, NULL, UINT64_C(1785750000) * NS_PER_S));
	assert_false(is_alive(f));
}

static void a_recorders_name_leads_nowhere_else(void **state)
{
	static const char *const names[] = {
		"ring-../../etc/passwd",
		"ring-",
		"lock-" EPOCH,
		"ring-" EPOCH "/",
		"ring-" EPOCH "0",
		"../ring-" EPOCH,
		"ring-0123456789ABCDEF0123456789abcdef",
	};
	const struct test_folder *f = *state;

	/* They are not asked: the process tells. */
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		write_picture(f, picture_of(f->path, names[i], 0));
		assert_true(is_alive(f));
	}
	write_picture(f, picture_of("/does/not/exist", "ring-" EPOCH, 0));
	assert_false(is_alive(f));
}

static void a_lock_that_is_none_tells_of_no_life(void **state)
{
	const struct test_folder *f = *state;

	write_picture(f, picture_of(f->path, "ring-" EPOCH, 0));
	assert_int_equal(file_replace(f->fd, "lock-" EPOCH, "junk", 4, false), 0);
	assert_false(is_alive(f));
}

static void lock_read(const struct test_folder *f, char bytes[static 4096])
{
	int fd = openat(f->fd, "lock-" EPOCH, O_RDONLY | O_CLOEXEC);

	assert_int_equal(pread(fd, bytes, 4096, 0), 4096);
	close(fd);
}

/* A mutex of another user's, in a folder of root's that everybody may write: with pointers of that
 * user's choosing, its last holder dead, so that who locks it would follow them. */
static void another_users_lock_is_read_and_never_locked(void **state)
{
	const struct test_folder *f = *state;
	struct lockfile *lock = NULL;
	char before[4096], after[4096];

	if (geteuid() != 0)
		skip();
	assert_int_equal(lockfile_open(f->fd, "lock-" EPOCH, true, &lock), 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(lockfile_try(lock) == 0 ? 0 : 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	lockfile_free(lock);
	assert_int_equal(fchmodat(f->fd, ".", 01777, 0), 0);
	for (unsigned who = 0; who < 3; who++) {
		/* The lock alone, then the snapshot too, then all. */
		write_picture(f, picture_of(f->path, "ring-" EPOCH, 0));
		assert_int_equal(fchownat(f->fd, "lock-" EPOCH, 12345, 12345, 0), 0);
		if (who > 0)
			assert_int_equal(fchownat(f->fd, ".", 12345, 12345, 0), 0);
		if (who > 1)
			assert_int_equal(fchownat(f->fd, SNAPSHOT_FILE, 12345, 12345, 0), 0);
		lock_read(f, before);
		json_t *json = NULL;
		bool alive = true;
		int r = snapshot_file_read(f->path, &json, &alive);
		/* Root's own file, 0600, is not that user's to read. */
		assert_int_equal(r, who == 1 ? -EACCES : 0);
		if (who > 1)
			assert_false(alive);
		json_decref(json);
		lock_read(f, after);
		assert_memory_equal(before, after, 4096);
		assert_int_equal(geteuid(), 0);
		assert_int_equal(getegid(), 0);
		assert_int_equal(fchownat(f->fd, ".", 0, 0, 0), 0);
	}
}

static void another_users_snapshot_is_not_believed(void **state)
{
	const struct test_folder *f = *state;
	json_t *json = NULL;
	bool alive;

	if (geteuid() != 0)
		skip();
	write_picture(f, picture_of(NULL, NULL, 0));
	assert_int_equal(fchownat(f->fd, SNAPSHOT_FILE, 12345, 12345, 0), 0);
	assert_int_equal(snapshot_file_read(f->path, &json, &alive), -EPERM);
	assert_int_equal(fchownat(f->fd, ".", 12346, 12346, 0), 0);
	assert_int_equal(snapshot_file_read(f->path, &json, &alive), -EACCES);
	assert_int_equal(fchmodat(f->fd, SNAPSHOT_FILE, 0644, 0), 0);
	assert_int_equal(snapshot_file_read(f->path, &json, &alive), -EPERM);
	assert_null(json);
	assert_int_equal(fchownat(f->fd, ".", 0, 0, 0), 0);
}

static void what_is_no_snapshot_is_refused(void **state)
{
	static const char *const texts[] = { "",  "null",       "[]",
					     "{", "{\"a\":1}x", "{\"a\":1,\"a\":2}" };
	const struct test_folder *f = *state;
	json_t *json = NULL;
	bool alive;

	assert_int_equal(snapshot_file_read(f->path, &json, &alive), -ENOENT);
	assert_int_equal(snapshot_file_read("/does/not/exist", &json, &alive), -ENOENT);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_int_equal(
			file_replace(f->fd, SNAPSHOT_FILE, texts[i], strlen(texts[i]), false), 0);
		assert_int_equal(snapshot_file_read(f->path, &json, &alive), -EBADMSG);
		assert_null(json);
	}
	assert_int_equal(file_replace(f->fd, SNAPSHOT_FILE, "{}", 2, false), 0);
	assert_int_equal(snapshot_file_read(f->path, &json, &alive), 0);
	assert_false(alive);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(what_is_written_is_read_again),
		test_in_folder(the_group_may_read_it),
		test_in_folder(who_holds_the_recorders_lock_lives),
		test_in_folder(asking_leaves_the_notice_of_a_death_for_the_next_run),
		test_in_folder(without_a_recorders_file_the_process_tells),
		test_in_folder(a_process_that_has_ended_lives_no_more),
		test_in_folder(stopped_it_lives_no_more),
		test_in_folder(a_recorders_name_leads_nowhere_else),
		test_in_folder(a_lock_that_is_none_tells_of_no_life),
		test_in_folder(another_users_lock_is_read_and_never_locked),
		test_in_folder(another_users_snapshot_is_not_believed),
		test_in_folder(what_is_no_snapshot_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

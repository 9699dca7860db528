/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <dirent.h>
#include <errno.h>

#include "base/cleanup.h"
#include "base/files.h"

/* What was asked of the disk, in order: "s" a file synced, "d" a folder synced, "r" renamed. */
static char asked[16];

static void asked_add(char what)
{
	size_t len = strlen(asked);

	if (len + 1 < sizeof asked)
		asked[len] = what;
}

static int folder_error, file_error; /* what syncing one gives; 0: it is done */

int __wrap_fsync(int fd);
int __real_fsync(int fd);
int __wrap_renameat(int from, const char *old, int to, const char *new);
int __real_renameat(int from, const char *old, int to, const char *new);

int __wrap_fsync(int fd)
{
	struct stat st;

	bool folder = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);

	asked_add(folder ? 'd' : 's');
	errno = folder ? folder_error : file_error;
	return errno ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int from, const char *old, int to, const char *new)
{
	asked_add('r');
	return __real_renameat(from, old, to, new);
}

static void a_file_system_that_cannot_sync_is_no_failure(void **state)
{
	static const struct {
		int error, result;
		bool can;
	} rows[] = {
		{ 0, 0, true },           { EINVAL, 0, false },      { ENOTSUP, 0, false },
		{ EOPNOTSUPP, 0, false }, { EIO, -EIO, true },       { ENOSPC, -ENOSPC, true },
		{ EROFS, -EROFS, true },  { EDQUOT, -EDQUOT, true },
	};
	struct test_folder *p = *state;
	_cleanup_close_ int file = openat(p->fd, "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(file >= 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		folder_error = rows[i].error;
		assert_int_equal(folder_sync(p->fd), rows[i].result);
		assert_int_equal(folder_can_sync(p->fd), rows[i].can);
		assert_int_equal(file_replace(p->fd, "f", "x", 1, true), rows[i].result);
		folder_error = 0;
		file_error = rows[i].error;
		assert_int_equal(file_sync(file), rows[i].result);
		assert_int_equal(folder_can_sync(p->fd), rows[i].can);
		assert_int_equal(file_replace(p->fd, "f", "y", 1, true), rows[i].result);
		file_error = 0;
		assert_int_equal(test_folder_count(p->fd), 1);
	}
}

static void missing_parents_are_made_private(void **state)
{
	struct test_folder *p = *state;
	char path[128];
	struct stat st;
	_cleanup_close_ int fd = -1;
	int none = -7;

	snprintf(path, sizeof path, "%s//a/b/c/", p->path);
	assert_int_equal(folder_open(path, false, &none), -ENOENT);
	assert_int_equal(none, -7);
	assert_int_equal(folder_open(path, true, &fd), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(fstatat(p->fd, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void a_link_is_not_taken_for_the_folder(void **state)
{
	struct test_folder *p = *state;
	char path[128];
	int fd = -7;

	assert_int_equal(mkdirat(p->fd, "real", 0700), 0);
	assert_int_equal(symlinkat("real", p->fd, "link"), 0);
	snprintf(path, sizeof path, "%s/link", p->path);
	assert_int_equal(folder_open(path, true, &fd), -ENOTDIR);
	assert_int_equal(fd, -7);
}

static void links_in_parents_are_followed_only_when_trusted(void **state)
{
	struct test_folder *p = *state;
	_cleanup_close_ int fd = -1;
	char path[128];
	int none = -7;

	assert_int_equal(mkdirat(p->fd, "real", 0700), 0);
	assert_int_equal(symlinkat("real", p->fd, "link"), 0);
	snprintf(path, sizeof path, "%s/link/x", p->path);
	assert_int_equal(folder_open(path, true, &fd), 0);
	if (fchownat(p->fd, "link", 65534, 65534, AT_SYMLINK_NOFOLLOW) == 0 && geteuid() != 65534)
		assert_int_equal(folder_open(path, true, &none), -ELOOP);
	assert_int_equal(none, -7);
}

#define OTHER 12345

/* Skips the test where we may not give files to others. */
static void give(int folder, const char *name, uid_t uid)
{
	if (geteuid() != 0 || fchownat(folder, name, uid, uid, AT_SYMLINK_NOFOLLOW) < 0)
		skip();
}

static void links_lead_on_to_links_and_round_in_circles_to_an_error(void **state)
{
	struct test_folder *p = *state;
	char path[128], target[128];
	_cleanup_close_ int fd = -1;
	int none = -7;

	assert_int_equal(mkdirat(p->fd, "real", 0700), 0);
	assert_int_equal(mkdirat(p->fd, "real/deep", 0700), 0);
	assert_int_equal(symlinkat("second/deep/../", p->fd, "first"), 0);
	snprintf(target, sizeof target, "%s/real/", p->path);
	assert_int_equal(symlinkat(target, p->fd, "second"), 0);
	snprintf(path, sizeof path, "%s/first/deep", p->path);
	assert_int_equal(folder_open(path, false, &fd), 0);
	assert_int_equal(symlinkat("round", p->fd, "round"), 0);
	snprintf(path, sizeof path, "%s/round/x", p->path);
	assert_int_equal(folder_open(path, false, &none), -ELOOP);
	assert_int_equal(none, -7);
}

static void a_folder_is_trusted_for_where_it_stands(void **state)
{
	static const struct {
		mode_t parent_mode, mode;
		uid_t uid;
		enum folder_trust trust;
		int error;
	} cases[] = {
		/* Whoever's it is and wherever: for what is read as its owner. */
		{ 0777, 0777, OTHER, FOLDER_ANY, 0 },
		/* Nobody else could have made it. */
		{ 0755, 0700, OTHER, FOLDER_SAFE, 0 },
		{ 0755, 0700, 0, FOLDER_OURS, 0 },
		{ 0755, 0770, 0, FOLDER_OURS, -EPERM }, /* all this is below /tmp */
		/* Everybody could. */
		{ 01777, 0700, 0, FOLDER_SAFE, 0 },
		{ 01777, 0700, OTHER, FOLDER_SAFE, -EPERM },
		{ 01777, 0755, OTHER, FOLDER_OURS, -EPERM },
		{ 01777, 0700, 0, FOLDER_OURS, -EPERM }, /* for its parent, below /tmp */
		{ 01777, 0770, 0, FOLDER_OURS, -EPERM },
		{ 01777, 0702, 0, FOLDER_OURS, -EPERM },
		/* And everybody could rename it. */
		{ 0777, 0700, 0, FOLDER_SAFE, -EPERM },
		{ 0777, 0700, 0, FOLDER_OURS, -EPERM },
	};
	struct test_folder *p = *state;
	char path[128];

	assert_int_equal(mkdirat(p->fd, "parent", 0700), 0);
	assert_int_equal(mkdirat(p->fd, "parent/own", 0700), 0);
	assert_int_equal(mkdirat(p->fd, "parent/own/deep", 0700), 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		_cleanup_close_ int fd = -1;

		give(p->fd, "parent/own", cases[i].uid);
		assert_int_equal(fchmodat(p->fd, "parent", cases[i].parent_mode, 0), 0);
		assert_int_equal(fchmodat(p->fd, "parent/own", cases[i].mode, 0), 0);
		snprintf(path, sizeof path, "%s/parent/own", p->path);
		assert_int_equal(folder_open_trusted(path, cases[i].trust, false, &fd),
				 cases[i].error);
	}
	/* Below one that is another's nothing is ours either. */
	give(p->fd, "parent/own", OTHER);
	assert_int_equal(fchmodat(p->fd, "parent", 01777, 0), 0);
	snprintf(path, sizeof path, "%s/parent/own/deep", p->path);
	int fd = -7;
	assert_int_equal(folder_open_trusted(path, FOLDER_SAFE, true, &fd), -EPERM);
	assert_int_equal(folder_open_trusted(path, FOLDER_OURS, true, &fd), -EPERM);
	assert_int_equal(fd, -7);
}

static void a_file_of_somebody_else_s_is_not_read(void **state)
{
	struct test_folder *p = *state;
	_cleanup_free_ char *bytes = NULL, *again = NULL;
	uid_t uid = 0;
	size_t len;

	assert_int_equal(file_replace(p->fd, "f", "x", 1, false), 0);
	give(p->fd, "f", OTHER);
	assert_int_equal(file_read(p->fd, "f", 9, &bytes, &len), -EPERM);
	assert_null(bytes);
	assert_int_equal(file_read_of(p->fd, "f", 9, &bytes, &len, &uid), 0);
	assert_int_equal(uid, OTHER);
	/* It is its owner's in that owner's folder, and root's anywhere. */
	give(p->fd, ".", OTHER);
	assert_int_equal(file_read(p->fd, "f", 9, &again, &len), 0);
	give(p->fd, "f", OTHER + 1);
	assert_int_equal(file_read(p->fd, "f", 9, &again, &len), -EPERM);
	give(p->fd, ".", 0);
}

static void what_is_no_file_is_refused_at_once(void **state)
{
	struct test_folder *p = *state;
	_cleanup_free_ char *bytes = NULL;
	size_t len;

	assert_int_equal(mkfifoat(p->fd, "pipe", 0600), 0);
	assert_int_equal(mkdirat(p->fd, "folder", 0700), 0);
	assert_int_equal(symlinkat("pipe", p->fd, "link"), 0);
	assert_int_equal(file_read(p->fd, "pipe", 9, &bytes, &len), -EINVAL);
	assert_int_equal(file_read(p->fd, "folder", 9, &bytes, &len), -EINVAL);
	assert_int_equal(file_read(p->fd, "link", 9, &bytes, &len), -ELOOP);
	assert_null(bytes);
}

static void a_file_in_the_way_is_an_error(void **state)
{
	struct test_folder *p = *state;
	char path[128];
	int fd = -7;

	assert_int_equal(file_replace(p->fd, "f", "x", 1, false), 0);
	snprintf(path, sizeof path, "%s/f/g", p->path);
	assert_int_equal(folder_open(path, true, &fd), -ENOTDIR);
	assert_int_equal(folder_open("", true, &fd), -ENOENT);
	assert_int_equal(fd, -7);
}

static void the_memory_file_system_is_recognised(void **state)
{
	_cleanup_close_ int shm = open("/dev/shm", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int proc = open("/proc", O_DIRECTORY | O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_false(folder_is_tmpfs(proc));
	assert_false(folder_is_tmpfs(-1));
	if (shm >= 0)
		assert_true(folder_is_tmpfs(shm));
}

static void what_is_written_is_read_back(void **state)
{
	struct test_folder *p = *state;
	_cleanup_free_ char *bytes = NULL;
	size_t len = 0;
	struct stat st;

	assert_int_equal(file_replace(p->fd, "f", "one", 3, true), 0);
	assert_int_equal(file_replace(p->fd, "f", "t\0o!", 4, false), 0);
	assert_int_equal(file_read(p->fd, "f", 4, &bytes, &len), 0);
	assert_int_equal(len, 4);
	assert_memory_equal(bytes, "t\0o!", 5);
	assert_int_equal(fstatat(p->fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(test_folder_count(p->fd), 1);
}

/* Content, name, folder: a power cut between two of them leaves the old file whole or the new. */
static void what_is_durable_is_on_disk_before_it_has_its_name(void **state)
{
	struct test_folder *p = *state;

	memset(asked, 0, sizeof asked);
	assert_int_equal(file_replace(p->fd, "f", "one", 3, true), 0);
	assert_string_equal(asked, "srd");
	memset(asked, 0, sizeof asked);
	assert_int_equal(file_replace(p->fd, "f", "two", 3, false), 0);
	assert_string_equal(asked, "r");
}

static void a_failed_write_leaves_nothing(void **state)
{
	struct test_folder *p = *state;

	assert_int_equal(mkdirat(p->fd, "folder", 0700), 0);
	assert_true(file_replace(p->fd, "folder", "x", 1, true) < 0);
	assert_true(file_replace(p->fd, "no/such", "x", 1, true) < 0);
	assert_int_equal(test_folder_count(p->fd), 1);
}

static void a_write_replaces_a_link_and_not_what_it_names(void **state)
{
	struct test_folder *p = *state;
	_cleanup_free_ char *bytes = NULL;
	size_t len;

	assert_int_equal(file_replace(p->fd, "target", "precious", 8, false), 0);
	assert_int_equal(symlinkat("target", p->fd, "f"), 0);
	assert_int_equal(file_replace(p->fd, "f", "mine", 4, false), 0);
	assert_int_equal(file_read(p->fd, "target", 100, &bytes, &len), 0);
	assert_string_equal(bytes, "precious");
}

static void only_whole_regular_files_are_read(void **state)
{
	struct test_folder *p = *state;
	char *bytes = NULL;
	size_t len = 7;

	assert_int_equal(file_replace(p->fd, "f", "12345", 5, false), 0);
	assert_int_equal(symlinkat("f", p->fd, "link"), 0);
	assert_int_equal(mkfifoat(p->fd, "pipe", 0600), 0);
	assert_int_equal(mkdirat(p->fd, "folder", 0700), 0);
	assert_int_equal(file_read(p->fd, "f", 4, &bytes, &len), -EFBIG);
	assert_int_equal(file_read(p->fd, "link", 100, &bytes, &len), -ELOOP);
	assert_int_equal(file_read(p->fd, "pipe", 100, &bytes, &len), -EINVAL);
	assert_int_equal(file_read(p->fd, "folder", 100, &bytes, &len), -EINVAL);
	assert_int_equal(file_read(p->fd, "none", 100, &bytes, &len), -ENOENT);
	assert_null(bytes);
	assert_int_equal(len, 7);
}

static void what_is_shared_is_the_groups_to_read(void **state)
{
	const struct test_folder *p = *state;
	struct stat st;

	assert_int_equal(file_replace_shared(p->fd, "a", "one", 3, getegid()), 0);
	assert_int_equal(file_replace_shared(p->fd, "a", "two!", 4, getegid()), 0);
	assert_int_equal(fstatat(p->fd, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_gid, getegid());
	assert_int_equal(st.st_size, 4);
}

static void what_is_readable_is_so_whatever_the_umask(void **state)
{
	const struct test_folder *p = *state;
	mode_t before = umask(0077);
	struct stat st;

	assert_int_equal(file_replace_readable(p->fd, "a", "one", 3), 0);
	umask(before);
	assert_int_equal(fstatat(p->fd, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(st.st_size, 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_folder_make, test_folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_system_that_cannot_sync_is_no_failure),
		TEST(missing_parents_are_made_private),
		TEST(a_link_is_not_taken_for_the_folder),
		TEST(links_in_parents_are_followed_only_when_trusted),
		TEST(links_lead_on_to_links_and_round_in_circles_to_an_error),
		TEST(a_folder_is_trusted_for_where_it_stands),
		TEST(a_file_of_somebody_else_s_is_not_read),
		TEST(what_is_no_file_is_refused_at_once),
		TEST(a_file_in_the_way_is_an_error),
		TEST(the_memory_file_system_is_recognised),
		TEST(what_is_written_is_read_back),
		TEST(what_is_durable_is_on_disk_before_it_has_its_name),
		TEST(a_failed_write_leaves_nothing),
		TEST(a_write_replaces_a_link_and_not_what_it_names),
		TEST(only_whole_regular_files_are_read),
		TEST(what_is_shared_is_the_groups_to_read),
		TEST(what_is_readable_is_so_whatever_the_umask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* What unit tests share: cmocka with what it needs, and a folder of the test's own. */
#ifndef TOCSIN_TESTS_UNIT_TEST_H
#define TOCSIN_TESTS_UNIT_TEST_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A private folder: setup and teardown make and remove it, *state points to it. */
struct test_folder {
	char path[64];
	int fd;
};

__attribute__((unused)) static int test_folder_make(void **state)
{
	struct test_folder *f = calloc(1, sizeof *f);

	if (!f)
		return -1;
	snprintf(f->path, sizeof f->path, "/tmp/tocsin-test-XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	f->fd = open(f->path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	*state = f;
	return f->fd < 0 ? -1 : 0;
}

static int test_folder_unlink(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	return type == FTW_DP ? rmdir(path) : unlink(path);
}

__attribute__((unused)) static int test_folder_remove(void **state)
{
	struct test_folder *f = *state;

	chmod(f->path, 0700);
	close(f->fd);
	int r = nftw(f->path, test_folder_unlink, 8, FTW_DEPTH | FTW_PHYS);
	free(f);
	return r;
}

/* Makes or replaces the file PATH, which begins with a slash, below the test's folder. */
__attribute__((unused)) static void test_folder_put(const struct test_folder *f, const char *path,
						    const char *text)
{
	char whole[512];

	snprintf(whole, sizeof whole, "%s", path);
	for (char *c = whole + 1; *c; c++)
		if (*c == '/') {
			*c = 0;
			mkdirat(f->fd, whole + 1, 0755);
			*c = '/';
		}
	int fd = openat(f->fd, whole + 1, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* What lies in it, whatever its name. */
__attribute__((unused)) static unsigned test_folder_count(int folder)
{
	DIR *d = fdopendir(openat(folder, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC));
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	return n;
}

/* A host closes the descriptors of f's folder `name`, and opens another folder, f's "host", which
 * gets their numbers. Returns one of them. */
__attribute__((unused)) static int test_descriptor_reuse(const struct test_folder *f,
							 const char *name)
{
	char path[128], link[64], target[256];
	int last = -1;

	snprintf(path, sizeof path, "%s/%s", f->path, name);
	assert_true(mkdirat(f->fd, "host", 0700) == 0 || errno == EEXIST);
	for (int fd = 3; fd < 256; fd++) {
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		ssize_t len = readlink(link, target, sizeof target - 1);

		target[len < 0 ? 0 : len] = 0;
		if (len < 0 || strcmp(target, path) != 0)
			continue;
		int host = openat(f->fd, "host", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
		assert_int_equal(dup3(host, fd, O_CLOEXEC), fd);
		close(host);
		last = fd;
	}
	assert_true(last >= 0);
	return last;
}

/* It is the host's still, and nothing was made in its folder or removed from it. */
__attribute__((unused)) static void test_descriptor_is_untouched(int fd, unsigned files)
{
	assert_int_equal(test_folder_count(fd), files);
	assert_int_equal(close(fd), 0);
}

#define test_in_folder(f) cmocka_unit_test_setup_teardown(f, test_folder_make, test_folder_remove)

#endif

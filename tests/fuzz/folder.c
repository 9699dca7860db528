/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	char path[256];
	int fd;
} folder;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	return type == FTW_DP ? rmdir(path) : unlink(path);
}

static void folder_remove(void)
{
	nftw(folder.path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static bool folder_make(const char *place)
{
	if (!place)
		return false;
	snprintf(folder.path, sizeof folder.path, "%s/tocsin-fuzz-XXXXXX", place);
	return mkdtemp(folder.path) != NULL;
}

int fuzz_folder(void)
{
	if (folder.path[0])
		return folder.fd;
	MUST(folder_make(getenv("FUZZ_FOLDER")) || folder_make("/dev/shm") || folder_make("/tmp"));
	atexit(folder_remove);
	folder.fd = open(folder.path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	MUST(folder.fd >= 0);
	return folder.fd;
}

const char *fuzz_folder_path(void)
{
	fuzz_folder();
	return folder.path;
}

void fuzz_file(const char *name, const void *bytes, size_t len)
{
	_cleanup_close_ int fd =
		openat(fuzz_folder(), name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	MUST(fd >= 0);
	MUST(len == 0 || write(fd, bytes, len) == (ssize_t)len);
}

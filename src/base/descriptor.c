/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int descriptor_above(int fd)
{
	int above, error;

	if (fd < 0 || fd >= DESCRIPTOR_LOW)
		return fd;
	above = fcntl(fd, F_DUPFD_CLOEXEC, DESCRIPTOR_LOW);
	error = errno;
	close(fd);
	errno = error;
	return above;
}

int descriptor_open(const char *path, int flags)
{
	return descriptor_above(open(path, flags | O_CLOEXEC));
}

int descriptor_openat(int folder, const char *path, int flags, mode_t mode)
{
	return descriptor_above(openat(folder, path, flags | O_CLOEXEC, mode));
}

int descriptor_socket(int domain, int type, int protocol)
{
	return descriptor_above(socket(domain, type | SOCK_CLOEXEC, protocol));
}

struct descriptor_identity descriptor_identify(int fd)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return (struct descriptor_identity){ 0 };
	return (struct descriptor_identity){ st.st_dev, st.st_ino };
}

bool descriptor_is(int fd, struct descriptor_identity identity)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == identity.device &&
	       st.st_ino == identity.inode;
}

void descriptor_low_fill(struct descriptor_low *low)
{
	int fd;

	*low = (struct descriptor_low){ 0 };
	/* The lowest free number is what open returns. */
	while ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fd < DESCRIPTOR_LOW) {
		low->filled[fd] = true;
		low->identity = descriptor_identify(fd);
	}
	if (fd >= 0)
		close(fd);
}

void descriptor_low_free(const struct descriptor_low *low)
{
	for (int fd = 0; fd < DESCRIPTOR_LOW; fd++)
		if (low->filled[fd] && descriptor_is(fd, low->identity))
			close(fd);
}

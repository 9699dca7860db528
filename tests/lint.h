/* SPDX-License-Identifier: MIT */
/* Read by clang-tidy before each file: what it does not know of the C library. */
#ifndef LINT_H
#define LINT_H

#include "config.h"

#include <errno.h>
#include <string.h>

/* After a failure errno is above zero, so that -errno is below it; clang-tidy follows that through
 * a minus for figures alone. Else "return -errno" is taken for a success without results. */
int lint_any(void);

static inline int *lint_errno(void)
{
	static int error;

	error = lint_any() ? ENOENT : EIO;
	return &error;
}

#undef errno
#define errno (*lint_errno())

/* Its text is the thread's own since glibc 2.32. */
char *lint_strerror(int error);
#define strerror(error) lint_strerror(error)

#endif

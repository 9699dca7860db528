/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What a person may have to change. Calls that fail in one way for several reasons get them all. */
static const char *advice_for(int error)
{
	switch (-error) {
	case EPERM:
	case EACCES:
	case ENOSYS:
		return "permissions, or a filter of system calls (SystemCallFilter=, seccomp)";
	case EAGAIN:
		return "RLIMIT_NPROC, TasksMax= or RLIMIT_AS; or mlockall(MCL_FUTURE) and "
		       "RLIMIT_MEMLOCK";
	case ENOMEM:
		return "RLIMIT_AS, MemoryMax= or the machine's memory; or mlockall(MCL_FUTURE) and "
		       "RLIMIT_MEMLOCK";
	case EMFILE:
		return "RLIMIT_NOFILE";
	case ENFILE:
		return "the machine's limit of open files";
	case EFBIG:
		return "RLIMIT_FSIZE";
	case ENOSPC:
	case EDQUOT:
		return "make room there";
	default:
		return NULL;
	}
}

int failure_set(struct failure *f, int error, const char *format, ...)
{
	const char *advice = advice_for(error);
	char what[FAILURE_SIZE / 2];
	va_list ap;

	if (!f || f->line[0])
		return error;
	va_start(ap, format);
	vsnprintf(what, sizeof what, format, ap);
	va_end(ap);
	snprintf(f->line, sizeof f->line, "%s: %s%s%s%s", what, strerror(-error),
		 advice ? " (look at: " : "", advice ? advice : "", advice ? ")" : "");
	return error;
}

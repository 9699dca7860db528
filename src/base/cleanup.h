/* SPDX-License-Identifier: MIT */
/*
 * Ownership in one word: a local declared with one of these frees what it owns on every way out of
 * its function. `TAKE(p)` hands the pointer on and leaves NULL behind.
 */
#ifndef TOCSIN_BASE_CLEANUP_H
#define TOCSIN_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f), unused)) /* unused: clang counts no cleanup */
#define _unused_ __attribute__((unused))
#define _hot_ __attribute__((hot)) /* all of a hot call's code lies side by side */
#define _printf_(fmt, first) __attribute__((format(printf, fmt, first)))

#define TAKE(p)                                                                                    \
	({                                                                                         \
		__typeof__(p) taken_ = (p);                                                        \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})

/* Makes `name` a cleanup function for locals of `type` (a pointer), calling `f` unless NULL. */
#define DEFINE_CLEANUP(type, f, name)                                                              \
	_unused_ static inline void name(type *p)                                                  \
	{                                                                                          \
		if (*p)                                                                            \
			f(*p);                                                                     \
	}

_unused_ static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

_unused_ static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

DEFINE_CLEANUP(FILE *, fclose, cleanup_fclose)

#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)

#endif

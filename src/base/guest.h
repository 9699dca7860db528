/* SPDX-License-Identifier: MIT */
/*
 * A control call runs on a thread of the host's, which has the host's signals and locale. What we
 * do there must neither kill the host nor depend on its language:
 *
 *	a write past RLIMIT_FSIZE raises SIGXFSZ in the calling thread, and one to a pipe that
 *	nobody reads, which stderr may be, SIGPIPE: both are held back, and taken away again when
 *	the call is over; the write fails with EFBIG or EPIPE all the same
 *	numbers are written and read with a point, and errors are in English
 *
 *	_cleanup_(guest_leave) struct guest guest = guest_enter();
 */
#ifndef TOCSIN_BASE_GUEST_H
#define TOCSIN_BASE_GUEST_H

#include <locale.h>
#include <stdbool.h>

#define GUEST_SIGNALS 2
struct guest {
	locale_t locale;
	bool held[GUEST_SIGNALS]; /* by us: what the host held back before stays so */
};

struct guest guest_enter(void);
void guest_leave(const struct guest *g);

#endif

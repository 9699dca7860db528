/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/guest.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

struct guest guest_enter(void)
{
	/* Built into the C library: nothing is allocated, nothing to be freed. */
	struct guest g = { .locale = uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0)) };
	sigset_t set, before;

	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	g.blocked = pthread_sigmask(SIG_BLOCK, &set, &before) != 0 ||
		    sigismember(&before, SIGXFSZ) == 1;
	return g;
}

void guest_leave(const struct guest *g)
{
	static const struct timespec now = { 0 };
	sigset_t set;

	if (!g->blocked) {
		sigemptyset(&set);
		sigaddset(&set, SIGXFSZ);
		while (sigtimedwait(&set, NULL, &now) == SIGXFSZ)
			;
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	}
	uselocale(g->locale);
}

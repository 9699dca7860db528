/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/guest.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

/* What a write of ours may raise in the calling thread. */
static const int signals[GUEST_SIGNALS] = { SIGXFSZ, SIGPIPE };

struct guest guest_enter(void)
{
	/* Built into the C library: nothing is allocated, nothing to be freed. */
	struct guest g = { .locale = uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0)) };
	sigset_t set, before;

	sigemptyset(&set);
	for (unsigned i = 0; i < GUEST_SIGNALS; i++)
		sigaddset(&set, signals[i]);
	bool blocked = pthread_sigmask(SIG_BLOCK, &set, &before) == 0;
	for (unsigned i = 0; i < GUEST_SIGNALS; i++)
		g.held[i] = blocked && sigismember(&before, signals[i]) == 0;
	return g;
}

void guest_leave(const struct guest *g)
{
	static const struct timespec now = { 0 };
	sigset_t set;
	int taken;

	sigemptyset(&set);
	for (unsigned i = 0; i < GUEST_SIGNALS; i++)
		if (g->held[i])
			sigaddset(&set, signals[i]);
	do
		taken = sigtimedwait(&set, NULL, &now);
	while (taken > 0);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	uselocale(g->locale);
}

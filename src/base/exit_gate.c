/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "base/exit_gate.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/gate.h"
#include "base/moment.h"

/*
 * A process exits once, whatever instances it has, and an exit handler has no argument: so this is
 * the state of the process, and one handler serves all instances of one loaded library. When the
 * library is unloaded the C library runs the handler, which finds nobody inside, and forgets it.
 */
static struct gate gate;
static atomic_bool registered;
static _Atomic pid_t armed_by; /* a forked child has copies of all this, but none of the threads */

/*
 * What atexit is made of. An engine under ThreadSanitizer has an atexit of its own, which forgets
 * whose the handler is: it would be called at exit although we were unloaded long before.
 */
extern int __cxa_atexit(void (*handler)(void *), void *argument, void *library);
extern void *__dso_handle __attribute__((visibility("hidden")));

static void shut_at_exit(void *unused)
{
	(void)unused;
	if (atomic_load(&armed_by) == getpid())
		gate_shut(&gate, EXIT_GATE_WAIT_NS);
}

int exit_gate_arm(void)
{
	pid_t me = getpid(), before = atomic_exchange(&armed_by, me);

	if (before != 0 && before != me) {
		/* A forked child, whose parent may have had threads inside. */
		atomic_store(&gate.inside, 0);
		atomic_store(&gate.shut, false);
	}
	if (atomic_exchange(&registered, true))
		return 0;
	if (__cxa_atexit(shut_at_exit, NULL, &__dso_handle) == 0)
		return 0;
	atomic_store(&registered, false);
	return -ENOMEM;
}

bool exit_gate_enter(void)
{
	return gate_enter(&gate);
}

void exit_gate_leave(void)
{
	gate_leave(&gate);
}

bool exit_gate_is_shut(void)
{
	return gate_is_shut(&gate);
}

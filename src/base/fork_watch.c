/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/fork_watch.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>

/*
 * State of the whole file, because a fork handler is given nothing. No lock: the child could find
 * it held by a thread that it does not have. A slot is claimed by exchanging NULL for the word; the
 * handler runs where there is only one thread, and finds each slot as it was at the fork.
 */
static _Atomic(_Atomic uint32_t *) watched[FORK_WATCH_MAX];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int register_error;

static void in_child(void)
{
	for (size_t i = 0; i < FORK_WATCH_MAX; i++) {
		_Atomic uint32_t *word = atomic_load(&watched[i]);

		if (word)
			atomic_store(word, 0);
	}
}

static void register_once(void)
{
	register_error = -pthread_atfork(NULL, NULL, in_child);
}

int fork_watch_add(_Atomic uint32_t *word)
{
	pthread_once(&once, register_once);
	if (register_error < 0)
		return register_error;
	for (size_t i = 0; i < FORK_WATCH_MAX; i++) {
		_Atomic uint32_t *none = NULL;

		if (atomic_compare_exchange_strong(&watched[i], &none, word))
			return 0;
	}
	return -ENOSPC;
}

void fork_watch_remove(_Atomic uint32_t *word)
{
	for (size_t i = 0; i < FORK_WATCH_MAX; i++) {
		_Atomic uint32_t *own = word;

		if (atomic_compare_exchange_strong(&watched[i], &own, NULL))
			return;
	}
}

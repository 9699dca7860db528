/* SPDX-License-Identifier: MIT */
/*
 * Words that fork sets to 0 in the child, for systems that refuse MADV_WIPEONFORK. With a fork
 * handler, which glibc takes away again when the library is unloaded. Two things are less than with
 * wiped memory: a child made by the bare system call is not noticed, and only so many words can be
 * watched.
 */
#ifndef TOCSIN_BASE_FORK_WATCH_H
#define TOCSIN_BASE_FORK_WATCH_H

#include <stdatomic.h>
#include <stdint.h>

#define FORK_WATCH_MAX 64

/* The word must stay until fork_watch_remove. -ENOSPC: FORK_WATCH_MAX are watched; -ENOMEM. */
int fork_watch_add(_Atomic uint32_t *word);
/* One that is not watched is ignored. */
void fork_watch_remove(_Atomic uint32_t *word);

#endif

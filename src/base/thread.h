/* SPDX-License-Identifier: MIT */
/*
 * Threads inside someone else's process: every signal blocked but the four that a fault raises, the
 * plain scheduler whatever class the caller runs in, a small stack, a name, the C locale, and the
 * processors we were told or else all that are not isolated.
 */
#ifndef TOCSIN_BASE_THREAD_H
#define TOCSIN_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * name: at most 15 bytes, "tocsin-..."; cpus: a list like "0,2-3", NULL for the default. Where the
 * system does not let us change class or processors, the thread runs with its maker's: see the two
 * below. -EINVAL for a list that names no processor, else pthread_create's error.
 */
int thread_start(const char *name, const char *cpus, void *(*main)(void *), void *arg,
		 pthread_t *ret);
/* Of the calling thread: does it run under the plain scheduler, and on those processors alone? */
bool thread_is_plain(void);
bool thread_is_placed(const char *cpus);
/* 0, or -EINVAL for a list that names no processor. */
int thread_check_cpus(const char *cpus);

/* Joins within timeout_ns (UINT64_MAX: no limit); -ETIMEDOUT, and the thread lives on. */
int thread_join(pthread_t thread, uint64_t timeout_ns);

/* A condition variable on CLOCK_MONOTONIC, and the deadline `ns` from now for it. */
int cond_init(pthread_cond_t *cond);
struct timespec cond_deadline(uint64_t ns);

#endif

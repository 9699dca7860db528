/* SPDX-License-Identifier: MIT */
/*
 * How much memory the control groups of this process leave it. A process that touches more is
 * killed, not refused, so what needs much memory asks first.
 */
#ifndef TOCSIN_BASE_CGROUP_H
#define TOCSIN_BASE_CGROUP_H

#include <stdint.h>

/* Bytes that may still be charged before the tightest limit is hit, page cache counted as free;
 * UINT64_MAX: no limit is known. Reads /proc/self/cgroup and /sys/fs/cgroup. */
uint64_t cgroup_memory_left(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the control groups of this process say: how much memory they leave it, and which service of
 * systemd's it belongs to. Both read ROOT/proc/self/cgroup; `root` is "" but in tests, and no
 * library is asked, because one also asks for what a hardened unit hides from the process.
 */
#ifndef TOCSIN_BASE_CGROUP_H
#define TOCSIN_BASE_CGROUP_H

#include <stdint.h>

/*
 * Bytes that may still be charged before the tightest limit is hit, page cache counted as free;
 * UINT64_MAX: no limit is known. A process that touches more is killed, not refused, so what needs
 * much memory asks first. memory.high is no such limit: past it a process is only slowed down.
 * Reads ROOT/sys/fs/cgroup, of the first and of the second version.
 */
uint64_t cgroup_memory_left(const char *root);

/*
 * The name of the service, without .service and as systemd escapes it ("live\x2d1"), to be freed.
 * NULL: the process is in no service of the system's, or there is no memory. What runs in a
 * service of a user's manager has none: a terminal is such a service too.
 */
char *cgroup_unit(const char *root);

#endif

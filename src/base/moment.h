/* SPDX-License-Identifier: MIT */
/*
 * Times. A `moment` carries the two that an event has: `clock_ns`, on which durations, staleness
 * and deadlines are measured (CLOCK_MONOTONIC when live, the events' own time when playing), and
 * `wall_ns`, the label people read (CLOCK_REALTIME). Both in nanoseconds.
 */
#ifndef TOCSIN_BASE_MOMENT_H
#define TOCSIN_BASE_MOMENT_H

#include <stdbool.h>
#include <stdint.h>
#include "tocsin_plugin.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

struct moment {
	uint64_t clock_ns;
	uint64_t wall_ns;
};

/* clock_gettime of CLOCK_MONOTONIC and CLOCK_REALTIME in nanoseconds. */
uint64_t clock_monotonic_ns(void);
uint64_t clock_realtime_ns(void);

/* The moment at clock time `clock_ns`, seen from `now`: the label moves by the same distance. */
struct moment moment_at(struct moment now, uint64_t clock_ns);

/* Room for any text below, its NUL included. */
#define TIME_TEXT_SIZE 40

/* RFC 3339 in UTC with microseconds, "2026-08-03T09:56:36.584631Z". Returns buf. */
char *time_to_rfc3339(uint64_t wall_ns, char buf[static TIME_TEXT_SIZE]);
/* "2026-08-03 11:56:36.584 +02:00", local with offset, or in UTC with "Z". Returns buf. */
char *time_to_local(uint64_t wall_ns, bool utc, char buf[static TIME_TEXT_SIZE]);
/* Accepts RFC 3339 with any offset and fraction. -EINVAL. */
int time_from_rfc3339(tocsin_str s, uint64_t *ret_wall_ns);

/* "0.5 s", "5.0 s", "12 min", "3 h 20 min", "2 d 4 h", for people. Returns buf. */
char *duration_to_text(uint64_t ns, char buf[static TIME_TEXT_SIZE]);
/* "500ms", "5s", "10m", "1h", "2d", "0". -EINVAL when it is none, -ERANGE when too large. */
int duration_from_text(tocsin_str s, uint64_t *ret_ns);

#endif

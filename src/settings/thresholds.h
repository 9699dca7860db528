/* SPDX-License-Identifier: MIT */
/*
 * Where the rules' lines are drawn, for all feeds and checks or for one of them. 0 turns a rule
 * off; a feed that is reported down counts all the same.
 */
#ifndef TOCSIN_SETTINGS_THRESHOLDS_H
#define TOCSIN_SETTINGS_THRESHOLDS_H

#include <stdint.h>
#include "tocsin_plugin.h"

struct thresholds {
	uint64_t feed_stale_after_ns;
	double drift_high, drift_critical; /* fractions */
	double hysteresis; /* share of a threshold by which a value must be below it to clear */
};

#define SOURCE_THRESHOLDS_MAX 256

/* Those of one feed or check. */
struct source_thresholds {
	tocsin_str source; /* NUL-terminated, at most TOCSIN_ID_MAX bytes, not empty */
	struct thresholds thresholds;
};

#endif

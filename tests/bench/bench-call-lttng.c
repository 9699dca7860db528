/* SPDX-License-Identifier: MIT */
#include "config.h"

/* LTTng's macros are written for fewer warnings than ours. */
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "bench-call-tracepoint.h"

#include "bench-call-others.h"
#include "bench_timer.h"

#define ENABLED_WITHIN 300 /* looks, 10 ms apart */

bool lttng_is_enabled(void)
{
	for (unsigned i = 0; i < ENABLED_WITHIN; i++) {
		if (lttng_ust_tracepoint_enabled(tocsin_bench, event))
			return true;
		wait_ns(10 * NS_PER_MS);
	}
	return false;
}

void lttng_call(const char *text, size_t len)
{
	lttng_ust_tracepoint(tocsin_bench, event, text, len);
}

/* SPDX-License-Identifier: MIT */
/* Read several times by LTTng's own headers, each time with another meaning. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER tocsin_bench
#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "bench-call-tracepoint.h"

#if !defined(TOCSIN_BENCH_CALL_TRACEPOINT_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define TOCSIN_BENCH_CALL_TRACEPOINT_H

#include <stddef.h>

#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_EVENT(tocsin_bench, event, LTTNG_UST_TP_ARGS(const char *, text, size_t, len),
			   LTTNG_UST_TP_FIELDS(lttng_ust_field_sequence_text(char, text, text,
									     size_t, len)))

#endif

#include <lttng/tracepoint-event.h>

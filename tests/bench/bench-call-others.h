/* SPDX-License-Identifier: MIT */
/*
 * What else an engine could call: where Debian's packages were there when the bench was built.
 */
#ifndef TOCSIN_BENCH_CALL_OTHERS_H
#define TOCSIN_BENCH_CALL_OTHERS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* spdlog's asynchronous logger into a file of that folder; its queue blocks when it is full. */
bool spdlog_open(const char *folder);
void spdlog_call(const char *text, size_t len);
void spdlog_close(void);

/* An LTTng-UST tracepoint, which costs nothing before a session has enabled it: waits for that. */
bool lttng_is_enabled(void);
void lttng_call(const char *text, size_t len);

#ifdef __cplusplus
}
#endif

#endif

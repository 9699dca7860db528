/* SPDX-License-Identifier: MIT */
/*
 * The engine's log function, which ends before our threads may: it is not called any more once the
 * engine has destroyed the instance, even where a thread of ours could not be stopped, nor once the
 * process exits, when what the function needs may be gone.
 */
#ifndef TOCSIN_BASE_HOST_LOG_H
#define TOCSIN_BASE_HOST_LOG_H

#include "base/gate.h"
#include "tocsin_plugin.h"

struct host_log {
	const tocsin_host *host;
	struct gate gate; /* inside: who calls it now */
};

/* level: syslog's. Any thread of ours. */
void host_log_write(struct host_log *l, int level, const char *text);
/* Nothing is written after it has returned. False: a call is still under way after wait_ns. */
bool host_log_silence(struct host_log *l, uint64_t wait_ns);

#endif

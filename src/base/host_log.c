/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "base/host_log.h"

#include <string.h>

#include "base/exit_gate.h"

void host_log_write(struct host_log *l, int level, const char *text)
{
	if (!gate_enter(&l->gate))
		return;
	if (exit_gate_enter()) {
		if (l->host->log)
			l->host->log(l->host, (uint32_t)level, text, strlen(text));
		exit_gate_leave();
	}
	gate_leave(&l->gate);
}

bool host_log_silence(struct host_log *l, uint64_t wait_ns)
{
	return gate_shut(&l->gate, wait_ns);
}

/* SPDX-License-Identifier: MIT */
/*
 * A rescue does for an engine's dead runs what its next start would do, without an engine. It
 * claims the runs, logs their last events, posts the pages, and saves the picture in the state
 * folder for the next start. While the engine lives it does nothing. When the engine starts
 * meanwhile, the rescue leaves the remaining pages to it.
 */
#ifndef TOCSIN_DISPATCH_RESCUE_H
#define TOCSIN_DISPATCH_RESCUE_H

#include <stdbool.h>
#include <stdint.h>
#include "settings/settings.h"
#include "tocsin_plugin.h"

struct rescue_options {
	/* What systemd tells of the end ($SERVICE_RESULT, $EXIT_CODE, $EXIT_STATUS); may be NULL.
	 */
	const char *service_result, *exit_code, *exit_status;
	uint64_t drain_ns;       /* how long pages may take */
	const tocsin_host *host; /* its log is told of troubles; may be NULL */
};

struct rescue_report {
	unsigned runs;         /* dead ones that were claimed */
	uint64_t events, torn; /* read from them, and reserved but never written */
	uint64_t delivered;    /* pages */
	uint64_t waiting;      /* pages left in the outbox */
	bool refused;          /* somebody else is at it: nothing was done */
};

/*
 * Blocks until done. The process must be the engine's user. 0 also when nothing was to do; -EBUSY:
 * somebody else is at it; -errno otherwise, and what was not done is left as it was.
 */
int rescue_run(struct settings *s, const struct rescue_options *o, struct rescue_report *ret);

#endif

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "page/resolution.h"

#include <string.h>

char *resolution_lasted(const struct incident *i, char buf[static TIME_TEXT_SIZE])
{
	uint64_t from = i->opened.clock_ns, to = i->resolved.clock_ns;

	return duration_to_text(to > from ? to - from : 0, buf);
}

const char *resolution_message(const struct incident *i)
{
	return i->resolution ? i->resolution : i->message;
}

const char *resolution_now(const struct incident *i)
{
	/* What ends each code's incidents without a word of its own. */
	static const struct {
		const char *code, *now;
	} rows[] = {
		{ "DATA_FEED_DOWN", "the feed is back" },
		{ "DRIFT_CRITICAL", "the drift is below its threshold again" },
		{ "DRIFT_HIGH", "the drift is below its threshold again" },
		{ "ENGINE_DOWN", "the engine runs again" },
		{ "ENGINE_STALLED", "the engine sends heartbeats again" },
		{ "EVENTS_BLOCKED", "every event is read again" },
		{ "EVENTS_DROPPED", "events arrive again" },
		{ "PAGER_DEGRADED", "the endpoint takes pages again" },
		{ "RECORDER_LOST", "the engine was stopped" },
		{ "RISK_LIMIT_BREACH", "the risk is within its limit again" },
	};

	if (i->resolution && *i->resolution)
		return NULL;
	if (!i->by_rule)
		return "the engine has cleared it";
	for (size_t n = 0; n < sizeof rows / sizeof *rows; n++)
		if (strcmp(rows[n].code, i->code) == 0)
			return rows[n].now;
	return "it is over";
}

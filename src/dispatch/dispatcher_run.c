/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

static struct run_facts facts_of(const struct dispatcher *d)
{
	struct run_facts facts = {
		.started_wall_ns = d->started_wall_ns,
		.by_events = d->settings->clock_source == CLOCK_SOURCE_EVENT,
		.state_path = d->folders.state_path,
		.counted = d->picture != NULL,
	};

	if (!d->picture)
		return facts;
	for (const struct session *s = sessions_newest(picture_sessions(d->picture)); s;
	     s = s->older)
		facts.sessions += session_runs(s);
	for (const struct incident *i = alerts_newest(picture_alerts(d->picture)); i; i = i->next)
		if (i->open)
			facts.open[i->priority - 1]++;
	return facts;
}

void dispatcher_tell_run(struct dispatcher *d, enum entry_kind kind, int level, const char *format,
			 ...)
{
	struct run_facts facts = facts_of(d);
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	d->journal_sequence =
		journal_submit(d->journal, entry_of_run(&d->entry_context, kind, level,
							clock_realtime_ns(), &facts, text));
	if (level <= LOG_WARNING)
		host_log_write(d->host_log, level, text);
}

void dispatcher_tell_life(struct dispatcher *d, uint64_t now_ns)
{
	uint64_t every_ns = d->settings->log_alive_every_ns;

	if (d->alive_at_ns == 0)
		d->alive_at_ns = now_ns;
	if (d->rescue || every_ns == 0 || now_ns - d->alive_at_ns < every_ns)
		return;
	d->alive_at_ns = now_ns;
	dispatcher_tell_run(d, ENTRY_KIND_ALIVE, LOG_INFO,
			    "engine %s is alive: %" PRIu64 " events so far",
			    d->settings->engine_name, atomic_load(&d->applied));
}

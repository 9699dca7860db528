/* SPDX-License-Identifier: MIT */
/*
 * All that the public header declares, where abidw finds it: never linked to anything, only
 * described. Numbers are not seen that way, in C they are ints: headers/1.0/layout.h holds them.
 */
#include "tocsin_plugin.h"

TOCSIN_EXPORT tocsin_plugin_entry *tocsin_everything(
	const tocsin_negotiation *, const tocsin_str *, const tocsin_kv *, const tocsin_event *,
	const tocsin_session_event *, const tocsin_health_event *, const tocsin_alert_event *,
	const tocsin_stats *, const tocsin_host *, const tocsin_instance *, const tocsin_plugin *);
tocsin_plugin_entry *tocsin_everything(const tocsin_negotiation *negotiation, const tocsin_str *str,
				       const tocsin_kv *kv, const tocsin_event *event,
				       const tocsin_session_event *session_event,
				       const tocsin_health_event *health_event,
				       const tocsin_alert_event *alert_event,
				       const tocsin_stats *stats, const tocsin_host *host,
				       const tocsin_instance *instance, const tocsin_plugin *plugin)
{
	(void)negotiation, (void)str, (void)kv, (void)event, (void)session_event;
	(void)health_event, (void)alert_event, (void)stats, (void)host, (void)instance;
	(void)plugin;
	return 0;
}

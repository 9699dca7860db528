/* SPDX-License-Identifier: MIT */
/*
 * The plugin as it might be one minor version later. It is built with the header that
 * next-minor.awk makes, and from the plugin's own sources, whose entry then has the name
 * entry_of_this_minor; on top of it stands what that minor appends: a slot, a kind, and members,
 * which it reads where an event has them.
 */
#include "config.h"

#undef tocsin_plugin_v1
#include "instance.h"

TOCSIN_EXPORT tocsin_rc tocsin_plugin_v1(tocsin_negotiation *n);

/* Appended members that were not zero, since the plugin was loaded. */
static _Atomic uint64_t seen;

static tocsin_rc next_seen(tocsin_instance *i, uint64_t *ret_seen)
{
	if (!i || !ret_seen)
		return TOCSIN_E_ARG;
	*ret_seen = atomic_load(&seen);
	return TOCSIN_OK;
}

#define HAS(event, type, member) ((event) && (event)->head.size >= SIZE_UP_TO(type, member))

static tocsin_rc on_session(tocsin_instance *i, const tocsin_session_event *e)
{
	if (HAS(e, tocsin_session_event, next_owner) && e->next_owner.len > 0)
		atomic_fetch_add(&seen, 1);
	return calls_on_session(i, e);
}

static tocsin_rc on_health(tocsin_instance *i, const tocsin_health_event *e)
{
	if (HAS(e, tocsin_health_event, next_weight) && e->next_weight > 0)
		atomic_fetch_add(&seen, 1);
	if (e && e->head.kind == TOCSIN_HEALTH_NEXT)
		return TOCSIN_OK;
	return calls_on_health(i, e);
}

static tocsin_rc on_alert(tocsin_instance *i, const tocsin_alert_event *e, uint64_t *ret_number)
{
	if (HAS(e, tocsin_alert_event, next_deadline_ns) && e->next_deadline_ns > 0)
		atomic_fetch_add(&seen, 1);
	return calls_on_alert(i, e, ret_number);
}

tocsin_rc tocsin_plugin_v1(tocsin_negotiation *n)
{
	static tocsin_plugin table;
	tocsin_rc rc = entry_of_this_minor(n);

	if (rc != TOCSIN_OK)
		return rc;
	table = *n->plugin;
	table.on_session = on_session;
	table.on_health = on_health;
	table.on_alert = on_alert;
	table.next_seen = next_seen;
	n->plugin = &table;
	return TOCSIN_OK;
}

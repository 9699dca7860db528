/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/alerts.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "picture/alerts_state.h"

DEFINE_CLEANUP(struct incident_node *, incident_free, cleanup_incident)

static tocsin_str id_of(const char *text, size_t len)
{
	return (tocsin_str){ text, text ? len : 0 };
}

static bool could_be_open(const struct alerts_saved *s)
{
	const struct incident *i = s->incident;

	/* Either it was paged, or it will be, or never is. */
	bool paged = i->paged_priority > 0, will_be = i->page_at_ns > 0;

	return code_is_usable(str(i->code)) && i->priority >= 1 && i->priority <= 3 &&
	       i->worst >= 1 && i->worst <= i->priority && i->paged_priority <= 3 &&
	       paged + will_be + i->unpaged == 1 && alert_id_is_usable(i->id);
}

int alerts_restore(struct alerts *a, const struct alerts_saved *saved)
{
	const struct incident *i = saved->incident;
	struct incident_identity identity = {
		str(i->raw_code ? i->raw_code : i->code),
		id_of(i->session_id, saved->session_len),
		id_of(i->source, saved->source_len),
		id_of(i->instance, saved->instance_len),
	};
	struct raise texts = {
		.message = str(i->message),
		.kv = i->metadata.kv,
		.n_kv = i->metadata.n,
	};
	_cleanup_(cleanup_incident) struct incident_node *n = NULL;
	struct incident kept;
	int r;

	if (!could_be_open(saved) ||
	    a->incidents.n_open == ALERTS_OPEN_MAX + ALERTS_OPEN_RESERVED ||
	    incidents_find(&a->incidents, i->by_rule, &identity))
		return -EBADMSG;
	r = incident_new(i->by_rule, &identity, &n);
	if (r < 0)
		return r;
	r = incident_set(&n->incident, &texts, str(i->raw_code));
	if (r < 0)
		return r;
	if (n->incident.truncated)
		return -EBADMSG;

	/* The texts are the new one's own, all else is the saved one's. */
	kept = n->incident;
	n->incident = *i;
	n->incident.key = kept.key;
	n->incident.code = kept.code;
	n->incident.raw_code = kept.raw_code;
	n->incident.message = kept.message;
	n->incident.session_id = kept.session_id;
	n->incident.source = kept.source;
	n->incident.instance = kept.instance;
	n->incident.metadata = kept.metadata;
	n->incident.next = NULL;
	incidents_open_oldest(&a->incidents, TAKE(n));
	return 0;
}

void alerts_restore_raised(struct alerts *a, const uint64_t raised[static 3])
{
	memcpy(&a->raised[1], raised, 3 * sizeof *raised);
}

struct alerts_saved alerts_save(const struct incident *incident)
{
	const struct incident_node *n = (const struct incident_node *)incident;

	return (struct alerts_saved){
		.incident = incident,
		.session_len = n->session_len,
		.source_len = n->source_len,
		.instance_len = n->instance_len,
	};
}

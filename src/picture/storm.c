/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/storm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

uint64_t storm_number(const char *alert_id)
{
	const char *number = strchr(alert_id, '-');
	char *end;
	uint64_t n;

	if (!number)
		return 0;
	n = strtoull(number + 1, &end, 10);
	return strcmp(end, "-storm") == 0 ? n : 0;
}

void storm_init(struct storm *s, uint64_t limit)
{
	*s = (struct storm){ .limit = limit };
}

static struct storm_group *group_at(struct storm *s, size_t i)
{
	return &s->went[(s->first + i) % STORM_GROUPS_MAX];
}

static uint64_t leaves_at(const struct storm_group *g)
{
	uint64_t at;

	return __builtin_add_overflow(g->last_ns, STORM_MINUTE_NS, &at) ? UINT64_MAX : at;
}

/* Forgets what is no longer within the minute. */
static void storm_prune(struct storm *s, uint64_t now_ns)
{
	while (s->n_groups > 0 && leaves_at(group_at(s, 0)) <= now_ns) {
		s->n_went -= group_at(s, 0)->n;
		s->first = (s->first + 1) % STORM_GROUPS_MAX;
		s->n_groups--;
	}
}

bool storm_waits(const struct storm *s)
{
	return s->held.raised + s->held.resolved > 0;
}

bool storm_holds(struct storm *s, struct moment at)
{
	/* While a summary waits nothing is forgotten: when it is due hangs on what went before. */
	if (storm_waits(s))
		return true;
	storm_prune(s, at.clock_ns);
	return s->limit > 0 && s->n_went >= s->limit;
}

void storm_note(struct storm *s, struct moment at)
{
	/* All but the newest are full, so groups of that many always have room. */
	uint64_t full = s->limit / (STORM_GROUPS_MAX - 1) + (s->limit % (STORM_GROUPS_MAX - 1) > 0);
	struct storm_group *newest;

	if (s->limit == 0)
		return;
	newest = s->n_groups > 0 ? group_at(s, s->n_groups - 1) : NULL;
	/* Fuller ones come from before the limit was changed. */
	if (!newest || (newest->n >= full && s->n_groups < STORM_GROUPS_MAX)) {
		uint64_t last_ns = newest ? newest->last_ns : 0;

		newest = group_at(s, s->n_groups++);
		*newest = (struct storm_group){ .last_ns = last_ns };
	}
	if (at.clock_ns > newest->last_ns)
		newest->last_ns = at.clock_ns;
	newest->n++;
	s->n_went++;
}

static void held_begin(struct storm *s, const char *epoch, uint64_t position, struct moment at)
{
	s->last_position = position > s->last_position ? position : s->last_position + 1;
	s->held = (struct storm_summary){ .since = at, .limit = s->limit };
	snprintf(s->held.id, sizeof s->held.id, "%s-%" PRIu64 "-storm", epoch, s->last_position);
}

static void held_list(struct storm_summary *held, const struct incident *i, bool ended)
{
	size_t n = 0;

	while (n < held->n_ids && strcmp(held->ids[n], i->id) != 0)
		n++;
	if (n == STORM_IDS_MAX) {
		held->unlisted++;
		return;
	}
	if (n == held->n_ids) {
		held->n_ids++;
		snprintf(held->ids[n], sizeof held->ids[n], "%s", i->id);
		snprintf(held->codes[n], sizeof held->codes[n], "%s", i->code);
	}
	held->ended[n] |= ended;
}

void storm_hold(struct storm *s, struct incident *incident, enum page_kind kind, const char *epoch,
		uint64_t position, struct moment at)
{
	struct storm_summary *held = &s->held;

	if (!storm_waits(s))
		held_begin(s, epoch, position, at);
	if (kind == PAGE_RESOLVED) {
		held->resolved++;
		held->endpoints |= incident->endpoints;
	} else {
		held->raised++;
		incident->held = true;
	}
	held->by_priority[incident->priority - 1]++;
	if (held->priority == 0 || incident->priority < held->priority) {
		held->priority = incident->priority;
		snprintf(held->code, sizeof held->code, "%s", incident->code);
	}
	held_list(held, incident, kind == PAGE_RESOLVED);
}

uint64_t storm_due(const struct storm *s)
{
	uint64_t due = s->held.since.clock_ns, left = s->n_went;

	if (!storm_waits(s))
		return UINT64_MAX;
	for (size_t i = 0; i < s->n_groups && s->limit > 0 && left >= s->limit; i++) {
		const struct storm_group *g = &s->went[(s->first + i) % STORM_GROUPS_MAX];

		due = leaves_at(g);
		left -= g->n;
	}
	return due;
}

void storm_told(struct storm *s, struct moment at)
{
	s->held = (struct storm_summary){ 0 };
	storm_prune(s, at.clock_ns);
	storm_note(s, at);
}

int storm_restore_group(struct storm *s, const struct storm_group *group)
{
	if (s->n_groups == STORM_GROUPS_MAX || group->n == 0 || group->n > UINT32_MAX ||
	    (s->n_groups > 0 && group->last_ns < group_at(s, s->n_groups - 1)->last_ns))
		return -EBADMSG;
	*group_at(s, s->n_groups++) = *group;
	s->n_went += group->n;
	return 0;
}

static bool could_be_held(const struct storm_summary *held)
{
	uint64_t sum = 0;

	if (!alert_id_is_usable(held->id) || !alert_code_is_usable(str(held->code)) ||
	    held->priority < 1 || held->priority > 3 || held->n_ids == 0)
		return false;
	for (size_t i = 0; i < held->n_ids; i++)
		if (!alert_id_is_usable(held->ids[i]) || !alert_code_is_usable(str(held->codes[i])))
			return false;
	for (size_t i = 0; i < 3; i++)
		sum += held->by_priority[i];
	return held->by_priority[held->priority - 1] > 0 && sum == held->raised + held->resolved &&
	       held->unlisted < sum;
}

int storm_restore_held(struct storm *s, const struct storm_summary *held, uint64_t last_position)
{
	s->last_position = last_position;
	if (held->raised + held->resolved == 0)
		return 0;
	if (!could_be_held(held))
		return -EBADMSG;
	s->held = *held;
	s->held.limit = s->limit;
	return 0;
}

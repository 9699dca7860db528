/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/rate_limit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

uint64_t rate_limit_number(const char *alert_id)
{
	const char *number = strchr(alert_id, '-');
	char *end;
	uint64_t n;

	if (!number)
		return 0;
	n = strtoull(number + 1, &end, 10);
	return strcmp(end, "-storm") == 0 ? n : 0;
}

void rate_limit_init(struct rate_limit *s, uint64_t limit)
{
	*s = (struct rate_limit){ .limit = limit };
}

static const struct rate_limit_group *group_at(const struct rate_limit_window *w, size_t i)
{
	return &w->went[(w->first + i) % RATE_LIMIT_GROUPS_MAX];
}

static uint64_t leaves_at(const struct rate_limit_group *g)
{
	uint64_t at;

	return __builtin_add_overflow(g->last_ns, RATE_LIMIT_MINUTE_NS, &at) ? UINT64_MAX : at;
}

/* Forgets what is no longer within the minute. */
static void window_prune(struct rate_limit_window *w, uint64_t now_ns)
{
	while (w->n_groups > 0 && leaves_at(group_at(w, 0)) <= now_ns) {
		w->n_went -= group_at(w, 0)->n;
		w->first = (w->first + 1) % RATE_LIMIT_GROUPS_MAX;
		w->n_groups--;
	}
}

static void window_note(struct rate_limit_window *w, uint64_t limit, uint64_t now_ns)
{
	/* All but the newest are full, so groups of that many always have room. */
	uint64_t full =
		limit / (RATE_LIMIT_GROUPS_MAX - 1) + (limit % (RATE_LIMIT_GROUPS_MAX - 1) > 0);
	size_t newest = (w->first + w->n_groups - 1) % RATE_LIMIT_GROUPS_MAX;

	/* Fuller ones come from before the limit was changed. */
	if (w->n_groups == 0 ||
	    (w->went[newest].n >= full && w->n_groups < RATE_LIMIT_GROUPS_MAX)) {
		uint64_t last_ns = w->n_groups > 0 ? w->went[newest].last_ns : 0;

		newest = (w->first + w->n_groups++) % RATE_LIMIT_GROUPS_MAX;
		w->went[newest] = (struct rate_limit_group){ .last_ns = last_ns };
	}
	if (now_ns > w->went[newest].last_ns)
		w->went[newest].last_ns = now_ns;
	w->went[newest].n++;
	w->n_went++;
}

/* When fewer than the limit will be within the minute, from `since_ns` on. */
static uint64_t window_due(const struct rate_limit_window *w, uint64_t limit, uint64_t since_ns)
{
	uint64_t due_ns = since_ns, left = w->n_went;

	for (size_t i = 0; i < w->n_groups && limit > 0 && left >= limit; i++) {
		due_ns = leaves_at(group_at(w, i));
		left -= group_at(w, i)->n;
	}
	return due_ns;
}

bool rate_limit_waits(const struct rate_limit *s)
{
	return s->held.raised + s->held.resolved > 0;
}

bool rate_limit_is_urgent(const struct incident *incident, enum page_kind kind)
{
	return incident->priority == 1 && kind != PAGE_RESOLVED;
}

/* While a summary waits nothing that it waits for is forgotten. */
bool rate_limit_holds(struct rate_limit *s, bool urgent, struct moment at)
{
	if (s->held.urgent > 0)
		return true;
	window_prune(&s->urgent, at.clock_ns);
	if (urgent)
		return s->limit > 0 && s->urgent.n_went >= s->limit;
	if (rate_limit_waits(s))
		return true;
	window_prune(&s->all, at.clock_ns);
	return s->limit > 0 && s->all.n_went >= s->limit;
}

void rate_limit_note(struct rate_limit *s, bool urgent, struct moment at)
{
	if (s->limit == 0)
		return;
	window_note(&s->all, s->limit, at.clock_ns);
	if (urgent)
		window_note(&s->urgent, s->limit, at.clock_ns);
}

static void held_begin(struct rate_limit *s, const char *epoch, uint64_t position, struct moment at)
{
	s->last_position = position > s->last_position ? position : s->last_position + 1;
	s->held = (struct rate_limit_summary){ .since = at, .limit = s->limit };
	snprintf(s->held.id, sizeof s->held.id, "%s-%" PRIu64 "-storm", epoch, s->last_position);
}

/* How little somebody needs to read of it: open ones come first, then the gravest. */
static unsigned rank_of(const struct rate_limit_summary *held, size_t n)
{
	unsigned priority = held->priorities[n] > 0 ? held->priorities[n] : 3;

	return (held->ended[n] ? 4 : 0) + priority;
}

/* The newest of the least; they are many. */
static size_t least_of(const struct rate_limit_summary *held)
{
	size_t least = 0;

	for (size_t n = 1; n < held->n_ids; n++)
		if (rank_of(held, n) >= rank_of(held, least))
			least = n;
	return least;
}

static void held_list(struct rate_limit_summary *held, const struct incident *i, bool ended)
{
	size_t n = 0;

	while (n < held->n_ids && strcmp(held->ids[n], i->id) != 0)
		n++;
	if (n == RATE_LIMIT_IDS_MAX) {
		n = least_of(held);
		if (rank_of(held, n) <= (ended ? 4 : 0) + i->priority) {
			held->unlisted++;
			return;
		}
		held->unlisted += held->pages[n];
		held->ids[n][0] = 0;
	}
	if (n == held->n_ids || held->ids[n][0] == 0) {
		held->n_ids += n == held->n_ids;
		snprintf(held->ids[n], sizeof held->ids[n], "%s", i->id);
		snprintf(held->codes[n], sizeof held->codes[n], "%s", i->code);
		held->ended[n] = false;
		held->pages[n] = 0;
	}
	held->ended[n] |= ended;
	held->priorities[n] = (uint8_t)i->priority;
	if (held->pages[n] < UINT16_MAX)
		held->pages[n]++;
}

static void held_swap(struct rate_limit_summary *h, size_t a, size_t b)
{
	struct rate_limit_summary one = { 0 };

	memcpy(one.ids[0], h->ids[a], sizeof one.ids[0]);
	memcpy(one.codes[0], h->codes[a], sizeof one.codes[0]);
	one.ended[0] = h->ended[a];
	one.priorities[0] = h->priorities[a];
	one.pages[0] = h->pages[a];
	memcpy(h->ids[a], h->ids[b], sizeof h->ids[a]);
	memcpy(h->codes[a], h->codes[b], sizeof h->codes[a]);
	h->ended[a] = h->ended[b];
	h->priorities[a] = h->priorities[b];
	h->pages[a] = h->pages[b];
	memcpy(h->ids[b], one.ids[0], sizeof h->ids[b]);
	memcpy(h->codes[b], one.codes[0], sizeof h->codes[b]);
	h->ended[b] = one.ended[0];
	h->priorities[b] = one.priorities[0];
	h->pages[b] = one.pages[0];
}

/* Of the same rank the first held stays first; they are few. */
void rate_limit_arrange(struct rate_limit_summary *held)
{
	for (size_t n = 1; n < held->n_ids; n++)
		for (size_t i = n; i > 0 && rank_of(held, i) < rank_of(held, i - 1); i--)
			held_swap(held, i, i - 1);
}

void rate_limit_hold(struct rate_limit *s, struct incident *incident, enum page_kind kind,
		     const char *epoch, uint64_t position, struct moment at)
{
	struct rate_limit_summary *held = &s->held;

	if (!rate_limit_waits(s))
		held_begin(s, epoch, position, at);
	if (kind == PAGE_RESOLVED) {
		held->resolved++;
		held->endpoints |= incident->endpoints;
	} else {
		held->raised++;
		held->urgent += rate_limit_is_urgent(incident, kind);
		incident->held = true;
	}
	held->by_priority[incident->priority - 1]++;
	if (held->priority == 0 || incident->priority < held->priority) {
		held->priority = incident->priority;
		snprintf(held->code, sizeof held->code, "%s", incident->code);
	}
	held_list(held, incident, kind == PAGE_RESOLVED);
}

uint64_t rate_limit_due(const struct rate_limit *s)
{
	uint64_t since_ns = s->held.since.clock_ns, due_ns, latest_ns;

	if (!rate_limit_waits(s))
		return UINT64_MAX;
	due_ns = window_due(s->held.urgent > 0 ? &s->urgent : &s->all, s->limit, since_ns);
	/* However many urgent ones go meanwhile. */
	if (__builtin_add_overflow(since_ns, RATE_LIMIT_MINUTE_NS, &latest_ns))
		latest_ns = UINT64_MAX;
	return due_ns < latest_ns ? due_ns : latest_ns;
}

void rate_limit_told(struct rate_limit *s, struct moment at)
{
	bool urgent = s->held.urgent > 0;

	s->held = (struct rate_limit_summary){ 0 };
	window_prune(&s->all, at.clock_ns);
	window_prune(&s->urgent, at.clock_ns);
	rate_limit_note(s, urgent, at);
}

int rate_limit_restore_group(struct rate_limit_window *w, const struct rate_limit_group *group)
{
	if (w->n_groups == RATE_LIMIT_GROUPS_MAX || group->n == 0 || group->n > UINT32_MAX ||
	    (w->n_groups > 0 && group->last_ns < group_at(w, w->n_groups - 1)->last_ns))
		return -EBADMSG;
	w->went[(w->first + w->n_groups++) % RATE_LIMIT_GROUPS_MAX] = *group;
	w->n_went += group->n;
	return 0;
}

static bool could_be_held(const struct rate_limit_summary *held)
{
	uint64_t sum = 0;

	if (!alert_id_is_usable(held->id) || !code_is_usable(str(held->code)) ||
	    held->priority < 1 || held->priority > 3 || held->n_ids == 0)
		return false;
	for (size_t i = 0; i < held->n_ids; i++)
		if (!alert_id_is_usable(held->ids[i]) || !code_is_usable(str(held->codes[i])))
			return false;
	for (size_t i = 0; i < 3; i++)
		sum += held->by_priority[i];
	return held->by_priority[held->priority - 1] > 0 && sum == held->raised + held->resolved &&
	       held->unlisted < sum;
}

int rate_limit_restore_held(struct rate_limit *s, const struct rate_limit_summary *held,
			    uint64_t last_position)
{
	s->last_position = last_position;
	if (held->raised + held->resolved == 0)
		return 0;
	if (!could_be_held(held))
		return -EBADMSG;
	s->held = *held;
	if (s->held.urgent > held->by_priority[0])
		s->held.urgent = held->by_priority[0];
	if (s->held.urgent > held->raised)
		s->held.urgent = held->raised;
	s->held.limit = s->limit;
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/restore.h"

#include <errno.h>
#include <string.h>

#include "picture/checkpoint_format.h"
#include "picture/state.h"

/* Text of at most size - 1 bytes, none of them NUL. */
static bool copy_text(tocsin_str s, char *to, size_t size)
{
	if (s.len >= size || memchr(s.ptr, 0, s.len))
		return false;
	memcpy(to, s.ptr, s.len);
	to[s.len] = 0;
	return true;
}

static int read_group(struct restoring *to, struct rate_limit_window *window, tocsin_str content)
{
	struct rate_limit_group group;

	if (!read_fixed(content, &group, sizeof group, sizeof group))
		return -EBADMSG;
	group.last_ns = restored_time(to, group.last_ns);
	return rate_limit_restore_group(window, &group);
}

static int read_held(struct rate_limit_summary *held, tocsin_str content)
{
	struct cursor c = cursor_of(content);
	struct held_fixed fixed;
	tocsin_str id, code;
	size_t n = held->n_ids;

	if (n == RATE_LIMIT_IDS_MAX || !cursor_copy(&c, &fixed, sizeof fixed) ||
	    !cursor_take(&c, fixed.id_len, &id) || !cursor_take(&c, fixed.code_len, &code) ||
	    !copy_text(id, held->ids[n], sizeof held->ids[n]) ||
	    !copy_text(code, held->codes[n], sizeof held->codes[n]))
		return -EBADMSG;
	held->ended[n] = fixed.ended != 0;
	held->priorities[n] = fixed.priority <= 3 ? fixed.priority : 0;
	held->pages[n] = fixed.pages;
	held->n_ids++;
	return 0;
}

static void take_fixed(const struct restoring *to, const struct rate_limit_fixed *f,
		       struct rate_limit_summary *held)
{
	held->since = restored_moment(to, f->since);
	held->raised = f->raised;
	held->resolved = f->resolved;
	memcpy(held->by_priority, f->by_priority, sizeof f->by_priority);
	held->unlisted = f->unlisted;
	held->priority = f->priority;
	held->endpoints = restored_endpoints(to, f->endpoints);
}

static int read_part(struct restoring *to, const struct item *item, struct rate_limit_fixed *fixed,
		     struct rate_limit_summary *held)
{
	bool fine = true;

	switch (item->tag) {
	case TAG_FIXED:
		fine = read_fixed(item->content, fixed, sizeof *fixed, sizeof *fixed);
		break;
	case TAG_ID:
		fine = copy_text(item->content, held->id, sizeof held->id);
		break;
	case TAG_CODE:
		fine = copy_text(item->content, held->code, sizeof held->code);
		break;
	case TAG_WENT:
		return read_group(to, &to->picture->rate_limit.all, item->content);
	case TAG_WENT_URGENT:
		return read_group(to, &to->picture->rate_limit.urgent, item->content);
	case TAG_URGENT:
		fine = read_fixed(item->content, &held->urgent, sizeof held->urgent,
				  sizeof held->urgent);
		break;
	case TAG_HELD:
		return read_held(held, item->content);
	default:
		break;
	}
	return fine ? 0 : -EBADMSG;
}

int restore_rate_limit(struct restoring *to, tocsin_str content)
{
	/* Where an older version has not saved it, what may be urgent is. */
	struct rate_limit_summary held = { .urgent = UINT64_MAX };
	struct cursor c = cursor_of(content);
	struct rate_limit_fixed fixed = { 0 };
	struct item item;
	int r;

	while ((r = cursor_next(&c, &item)) > 0) {
		r = read_part(to, &item, &fixed, &held);
		if (r < 0)
			break;
	}
	if (r < 0)
		return r;
	take_fixed(to, &fixed, &held);
	return rate_limit_restore_held(&to->picture->rate_limit, &held, fixed.last_position);
}

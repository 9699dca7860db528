/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/restore.h"

#include <errno.h>
#include <string.h>

bool cursor_take(struct cursor *c, size_t len, tocsin_str *ret)
{
	if (len > c->left)
		return false;
	*ret = (tocsin_str){ (const char *)c->at, len };
	c->at += len;
	c->left -= len;
	return true;
}

bool cursor_copy(struct cursor *c, void *to, size_t len)
{
	tocsin_str bytes;

	if (!cursor_take(c, len, &bytes))
		return false;
	memcpy(to, bytes.ptr, len);
	return true;
}

int cursor_next(struct cursor *c, struct item *ret)
{
	uint32_t len;

	if (c->left == 0)
		return 0;
	if (!cursor_copy(c, &ret->tag, sizeof ret->tag) || !cursor_copy(c, &len, sizeof len) ||
	    !cursor_take(c, len, &ret->content))
		return -EBADMSG;
	return 1;
}

struct cursor cursor_of(tocsin_str s)
{
	return (struct cursor){ (const uint8_t *)s.ptr, s.len };
}

bool read_fixed(tocsin_str content, void *to, size_t size, size_t least)
{
	if (content.len < least)
		return false;
	memset(to, 0, size);
	memcpy(to, content.ptr, content.len < size ? content.len : size);
	return true;
}

uint64_t restored_time(const struct restoring *to, uint64_t clock_ns)
{
	uint64_t by = to->shift_ns < 0 ? -(uint64_t)to->shift_ns : (uint64_t)to->shift_ns;

	if (clock_ns == 0 || by == 0)
		return clock_ns;
	/* 0 would be none. */
	if (to->shift_ns < 0)
		return clock_ns > by ? clock_ns - by : 1;
	return clock_ns < UINT64_MAX - by ? clock_ns + by : UINT64_MAX;
}

struct moment restored_moment(const struct restoring *to, struct moment at)
{
	if (at.clock_ns == 0 && at.wall_ns != 0 && to->shift_ns > 0)
		at.clock_ns = (uint64_t)to->shift_ns;
	else
		at.clock_ns = restored_time(to, at.clock_ns);
	return at;
}

uint32_t restored_endpoints(const struct restoring *to, uint32_t saved)
{
	uint32_t now = 0;

	if (!to->endpoints_named)
		return saved;
	for (unsigned bit = 0; bit < ENDPOINT_BITS; bit++)
		if (saved & (UINT32_C(1) << bit))
			now |= to->endpoints[bit];
	return now;
}

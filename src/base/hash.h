/* SPDX-License-Identifier: MIT */
/* FNV-1a, for small tables and to spare comparisons: all are bounded, so nothing hangs on its
 * worst. */
#ifndef TOCSIN_BASE_HASH_H
#define TOCSIN_BASE_HASH_H

#include <stdint.h>
#include "tocsin_plugin.h"

static inline uint32_t hash_text(tocsin_str s)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (uint8_t)s.ptr[i]) * 16777619u;
	return h;
}

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TOCSIN_BASE_CHECKSUM_H
#define TOCSIN_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Detects damage, not malice: any changed word changes the sum. Chained, so that several pieces can
 * be summed; start with 0.
 */
static inline uint64_t checksum_add(uint64_t sum, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len > 0) {
		uint64_t word = 0;
		size_t n = len < sizeof word ? len : sizeof word;

		memcpy(&word, p, n);
		sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		sum ^= sum >> 29;
		p += n;
		len -= n;
	}
	return sum ^ UINT64_C(0x746f6373696e0001);
}

#endif

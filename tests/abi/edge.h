/* SPDX-License-Identifier: MIT */
/* Memory that ends where an unreadable page begins: one byte past it and the test has died. */
#ifndef TOCSIN_TESTS_ABI_EDGE_H
#define TOCSIN_TESTS_ABI_EDGE_H

#include <sys/mman.h>

#include "host.h"

/* A copy of up to a page of bytes, at the edge; it stays until the test program ends. */
_unused_ static void *at_the_edge(const void *bytes, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *two =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(two != MAP_FAILED);
	assert_true(len <= page);
	assert_int_equal(mprotect(two + page, page, PROT_NONE), 0);
	return memcpy(two + page - len, bytes, len);
}

#define ON_THE_EDGE(value) ((__typeof__(value) *)at_the_edge(&(value), sizeof(value)))

#endif

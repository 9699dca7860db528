/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "record/numbers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/files.h"

#define NUMBERS_FILE "numbers"
#define NUMBERS_MAX (UINT64_MAX / 2)

int numbers_first(int folder, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	char *end;
	int r = file_read(folder, NUMBERS_FILE, 64, &text, &len);

	if (r == -ENOENT) {
		*ret = 1;
		return 0;
	}
	if (r < 0)
		return r;
	errno = 0;
	uint64_t first = strtoull(text, &end, 10);
	if (errno != 0 || end == text || strcmp(end, "\n") != 0 || first == 0 ||
	    first > NUMBERS_MAX)
		return -EBADMSG;
	*ret = first;
	return 0;
}

int numbers_reserve(int folder, uint64_t end)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%" PRIu64 "\n", end);

	return file_replace(folder, NUMBERS_FILE, text, (size_t)n, true);
}

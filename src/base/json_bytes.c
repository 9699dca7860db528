/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "base/json_bytes.h"

#include <errno.h>
#include <stdlib.h>

#include "base/text.h"

/* More than jansson takes for a byte of text, at the worst. */
#define BYTES_EACH 64
#define TRIES 3

int json_from_bytes(const char *bytes, size_t len, unsigned nesting_max, json_t **ret)
{
	if (!json_nests_within(bytes, len, nesting_max))
		return -EBADMSG;
	/*
	 * Where memory fails within a text or a number, jansson calls that a syntax error. A file
	 * is not to be set aside as damaged for that, so an error counts when it comes again and
	 * there is memory.
	 */
	for (unsigned i = 0; i < TRIES; i++) {
		json_t *value = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
		void *room;

		if (value) {
			*ret = value;
			return 0;
		}
		room = malloc(BYTES_EACH * (len + 1));
		free(room);
		if (!room)
			return -ENOMEM;
	}
	return -EBADMSG;
}

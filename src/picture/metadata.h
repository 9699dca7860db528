/* SPDX-License-Identifier: MIT */
/*
 * Key-values that something carries: owned copies, in the order first given, at most
 * TOCSIN_TEXT_MAX bytes of keys and values and METADATA_MAX items together. Zero-initialise it.
 */
#ifndef TOCSIN_PICTURE_METADATA_H
#define TOCSIN_PICTURE_METADATA_H

#include <jansson.h>
#include "tocsin_plugin.h"

#define METADATA_MAX 64

struct metadata {
	tocsin_kv *kv; /* heap; keys and values are heap as well, NUL-terminated */
	size_t n;
	size_t bytes;
};

/* Sets each key to its value. -ENOMEM; -E2BIG when some did not fit (the rest is in). */
int metadata_merge(struct metadata *m, const tocsin_kv *kv, size_t n);
/* The same with room for `max` bytes of keys and values in all. */
int metadata_merge_within(struct metadata *m, const tocsin_kv *kv, size_t n, size_t max);
void metadata_done(struct metadata *m);
/* A JSON object of strings, valid UTF-8; NULL without memory. */
json_t *metadata_to_json(const struct metadata *m);
/* Valid UTF-8 without a NUL, replaced by U+FFFD like all that cannot stand; NULL without memory. */
char *text_for_json(tocsin_str s, size_t *ret_len);
/* The same as a JSON string. */
json_t *text_to_json(tocsin_str s);

#endif

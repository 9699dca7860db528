/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/metadata.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

#define GROW_BY 8

static tocsin_kv *metadata_find(const struct metadata *m, tocsin_str key)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_equal(m->kv[i].key, key))
			return &m->kv[i];
	return NULL;
}

static int metadata_append(struct metadata *m, tocsin_str key, tocsin_str value)
{
	_cleanup_free_ char *k = str_dup(key), *v = str_dup(value);

	if (!k || !v)
		return -ENOMEM;
	if (m->n % GROW_BY == 0) {
		tocsin_kv *grown = realloc(m->kv, (m->n + GROW_BY) * sizeof *grown);

		if (!grown)
			return -ENOMEM;
		m->kv = grown;
	}
	m->kv[m->n++] = (tocsin_kv){ { TAKE(k), key.len }, { TAKE(v), value.len } };
	m->bytes += key.len + value.len;
	return 0;
}

static int metadata_replace(struct metadata *m, tocsin_kv *item, tocsin_str value)
{
	char *copy = str_dup(value);

	if (!copy)
		return -ENOMEM;
	m->bytes = m->bytes - item->value.len + value.len;
	free((void *)(uintptr_t)item->value.ptr);
	item->value = (tocsin_str){ copy, value.len };
	return 0;
}

static int metadata_set(struct metadata *m, tocsin_str key, tocsin_str value, size_t max)
{
	tocsin_kv *item = metadata_find(m, key);
	size_t others = item ? m->bytes - item->key.len - item->value.len : m->bytes;

	if (key.len > max || value.len > max || others + key.len + value.len > max)
		return -E2BIG;
	if (item)
		return metadata_replace(m, item, value);
	if (m->n == METADATA_MAX)
		return -E2BIG;
	return metadata_append(m, key, value);
}

int metadata_merge_within(struct metadata *m, const tocsin_kv *kv, size_t n, size_t max)
{
	int result = 0;

	for (size_t i = 0; i < n; i++) {
		int r = metadata_set(m, kv[i].key, kv[i].value, max);

		if (r == -ENOMEM)
			return r;
		if (r < 0)
			result = r;
	}
	return result;
}

int metadata_merge(struct metadata *m, const tocsin_kv *kv, size_t n)
{
	return metadata_merge_within(m, kv, n, TOCSIN_TEXT_MAX);
}

void metadata_done(struct metadata *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free((void *)(uintptr_t)m->kv[i].key.ptr);
		free((void *)(uintptr_t)m->kv[i].value.ptr);
	}
	free(m->kv);
	*m = (struct metadata){ 0 };
}

/* A NUL is UTF-8, but few readers of JSON take one: in a name hardly any does. */
char *text_for_json(tocsin_str s, size_t *ret_len)
{
	size_t len;
	_cleanup_free_ char *utf8 = text_to_utf8(s, &len);

	return utf8 ? text_without_nuls((tocsin_str){ utf8, len }, ret_len) : NULL;
}

json_t *text_to_json(tocsin_str s)
{
	size_t len;
	_cleanup_free_ char *clean = text_for_json(s, &len);

	return clean ? json_stringn(clean, len) : NULL;
}

json_t *metadata_to_json(const struct metadata *m)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < m->n; i++) {
		size_t len;
		_cleanup_free_ char *key = text_for_json(m->kv[i].key, &len);

		if (!key ||
		    json_object_setn_new(object, key, len, text_to_json(m->kv[i].value)) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

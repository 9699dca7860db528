/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/incident.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/hash.h"

_Static_assert(INCIDENT_KEY_SIZE > TOCSIN_CODE_MAX + 4 * (10 + 3 * TOCSIN_ID_MAX),
	       "the longest key fits");

DEFINE_CLEANUP(struct incident_node *, incident_free, cleanup_incident)

tocsin_str incident_code(tocsin_str code)
{
	return code_is_usable(code) ? code : STR("GENERAL");
}

bool alert_id_is_usable(const char *id)
{
	size_t len = strlen(id);

	return len > 0 && strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz-") == len;
}

/* Bytes of the UTF-8 character at the start of s, 0 when there is none. */
static size_t character_length(tocsin_str s)
{
	unsigned char lead = (unsigned char)s.ptr[0];
	size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

	return len <= s.len && text_is_utf8((tocsin_str){ s.ptr, len }) ? len : 0;
}

static bool stands_as_it_is(tocsin_str character)
{
	unsigned char lead = (unsigned char)character.ptr[0];

	if (character.len == 1)
		return lead > 0x20 && lead < 0x7f && lead != '=' && lead != '%';
	/* U+0080..U+009f are control characters as well. */
	return lead != 0xc2 || (unsigned char)character.ptr[1] >= 0xa0;
}

tocsin_str incident_id(tocsin_str id, char buf[static INCIDENT_ID_SIZE])
{
	char *to = buf;

	id = text_cut(id, TOCSIN_ID_MAX);
	if (id.len == 0 || !memchr(id.ptr, 0, id.len))
		return id;
	for (size_t i = 0; i < id.len; i++)
		if (id.ptr[i])
			*to++ = id.ptr[i];
		else
			to = mempcpy(to, "\xef\xbf\xbd", 3);
	return text_cut((tocsin_str){ buf, (size_t)(to - buf) }, TOCSIN_ID_MAX);
}

static char *key_add_part(char *to, const char *name, tocsin_str part)
{
	static const char digits[] = "0123456789ABCDEF";
	char fit[INCIDENT_ID_SIZE];

	part = incident_id(part, fit);
	if (part.len == 0)
		return to;
	to = mempcpy(to, name, strlen(name));
	while (part.len > 0) {
		size_t len = character_length(part), step = len ? len : 1;

		if (len > 0 && stands_as_it_is((tocsin_str){ part.ptr, len })) {
			to = mempcpy(to, part.ptr, len);
		} else {
			for (size_t i = 0; i < step; i++) {
				unsigned char byte = (unsigned char)part.ptr[i];

				*to++ = '%';
				*to++ = digits[byte >> 4];
				*to++ = digits[byte & 15];
			}
		}
		part.ptr += step;
		part.len -= step;
	}
	return to;
}

size_t incident_key(char buf[static INCIDENT_KEY_SIZE], bool by_rule,
		    const struct incident_identity *identity)
{
	tocsin_str code = incident_code(identity->code);
	char *to = buf, *parts;

	to = mempcpy(to, code.ptr, code.len);
	parts = to;
	/* Two codes that are not usable are two all the same. */
	if (!code_is_usable(identity->code))
		to = key_add_part(to, " raw=", identity->code);
	to = key_add_part(to, " session=", identity->session_id);
	to = key_add_part(to, " source=", identity->source);
	to = key_add_part(to, " instance=", identity->instance);
	if (by_rule && to == parts)
		to = mempcpy(to, " engine", 7);
	*to = '\0';
	return (size_t)(to - buf);
}

/* A copy of an identifier, NULL when it is absent; false without memory. */
static bool copy_id(tocsin_str id, char **ret, size_t *ret_len)
{
	char fit[INCIDENT_ID_SIZE];

	id = incident_id(id, fit);
	if (id.len == 0)
		return true;
	*ret = str_dup(id);
	*ret_len = id.len;
	return *ret != NULL;
}

int incident_new(bool by_rule, const struct incident_identity *identity, struct incident_node **ret)
{
	_cleanup_(cleanup_incident) struct incident_node *n = calloc(1, sizeof *n);
	char key[INCIDENT_KEY_SIZE];
	size_t len = incident_key(key, by_rule, identity);

	if (!n)
		return -ENOMEM;
	n->incident.by_rule = by_rule;
	n->incident.key = str_dup((tocsin_str){ key, len });
	n->incident.code = str_dup(incident_code(identity->code));
	if (!n->incident.key || !n->incident.code ||
	    !copy_id(identity->session_id, &n->incident.session_id, &n->session_len) ||
	    !copy_id(identity->source, &n->incident.source, &n->source_len) ||
	    !copy_id(identity->instance, &n->incident.instance, &n->instance_len))
		return -ENOMEM;
	n->hash = hash_text((tocsin_str){ key, len });
	*ret = TAKE(n);
	return 0;
}

void incident_free(struct incident_node *n)
{
	if (!n)
		return;
	free(n->incident.key);
	free(n->incident.code);
	free(n->incident.raw_code);
	free(n->incident.message);
	free(n->incident.resolution);
	free(n->incident.session_id);
	free(n->incident.source);
	free(n->incident.instance);
	metadata_done(&n->incident.metadata);
	free(n);
}

/* A copy of at most TOCSIN_TEXT_MAX bytes, U+FFFD for each NUL. NULL without memory. */
static char *message_fit(tocsin_str message, size_t *ret_len, bool *ret_cut)
{
	size_t len = 0;
	char *copy = text_without_nuls(text_cut(message, TOCSIN_TEXT_MAX), &len);

	if (!copy)
		return NULL;
	*ret_len = text_cut((tocsin_str){ copy, len }, TOCSIN_TEXT_MAX).len;
	*ret_cut = message.len > TOCSIN_TEXT_MAX || len > TOCSIN_TEXT_MAX;
	copy[*ret_len] = 0;
	return copy;
}

int incident_set(struct incident *i, const struct raise *raise, tocsin_str raw_code)
{
	/* Together they keep to one event's room, so that a checkpoint's size is bounded. */
	bool cut = false;
	size_t len = 0;
	_cleanup_free_ char *message = message_fit(raise->message, &len, &cut), *raw = NULL;
	_cleanup_(metadata_done) struct metadata metadata = { 0 };
	char fit[INCIDENT_ID_SIZE];
	int r;

	if (raw_code.len > 0)
		raw = str_dup(incident_id(raw_code, fit));
	if (!message || (raw_code.len > 0 && !raw))
		return -ENOMEM;
	r = metadata_merge_within(&metadata, raise->kv, raise->n_kv, TOCSIN_TEXT_MAX - len);
	if (r == -ENOMEM)
		return r;

	free(i->message);
	free(i->raw_code);
	metadata_done(&i->metadata);
	i->message = TAKE(message);
	i->raw_code = TAKE(raw);
	i->metadata = metadata;
	metadata = (struct metadata){ 0 };
	i->value = raise->value;
	i->limit = raise->limit;
	i->has_value = raise->has_value;
	i->has_limit = raise->has_limit;
	i->truncated = raise->truncated || r == -E2BIG || cut;
	return 0;
}

int incident_set_resolution(struct incident *i, const struct raise *said)
{
	struct incident end = { 0 };

	if (said->message.len == 0 && said->n_kv == 0)
		return 0;
	if (incident_set(&end, said, (tocsin_str){ NULL, 0 }) < 0)
		return -ENOMEM;
	if (said->message.len > 0) {
		free(i->resolution);
		i->resolution = TAKE(end.message);
	}
	if (said->n_kv > 0) {
		struct metadata before = i->metadata;

		i->metadata = end.metadata;
		end.metadata = before;
	}
	i->truncated |= end.truncated;
	free(end.message);
	metadata_done(&end.metadata);
	return 0;
}

tocsin_str incident_session(const struct incident_node *n)
{
	return (tocsin_str){ n->incident.session_id, n->session_len };
}

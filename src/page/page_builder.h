/* SPDX-License-Identifier: MIT */
/* The members of a page's data as they are put together, each cut to its room. */
#ifndef TOCSIN_PAGE_PAGE_BUILDER_H
#define TOCSIN_PAGE_PAGE_BUILDER_H

#include "page/page.h"

/* Bytes of a text inside JSON's quotes, escapes counted; the message gets what these leave. */
#define ID_TEXT_MAX 512
#define TITLE_TEXT_MAX 512
#define URL_TEXT_MAX 2048
#define MESSAGE_TEXT_MAX 2048 /* of a summary */

struct builder {
	json_t *data;
	bool cut;    /* a text was shortened */
	bool failed; /* no memory */
};

/* Bytes of s as JSON, without its quotes. */
size_t builder_text_size(tocsin_str s);
/* Valid UTF-8 without NUL, heap. NULL without memory. */
char *builder_text_clean(tocsin_str s, size_t *ret_len);

/* Takes over `value`. */
void builder_add(struct builder *b, const char *name, json_t *value);
/* Of at most `max` bytes as JSON. An absent text is null. */
void builder_add_text(struct builder *b, const char *name, tocsin_str s, size_t max);
/* 0 is null. */
void builder_add_time(struct builder *b, const char *name, uint64_t wall_ns);
void builder_add_priority(struct builder *b, uint32_t priority);
/* runbook_url, ack_within and escalate_to of that code, at that priority. */
void builder_add_runbook(struct builder *b, const struct page_context *c, const char *code,
			 uint32_t priority);

#endif

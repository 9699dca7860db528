/* SPDX-License-Identifier: MIT */
/*
 * Inside the entries: what the functions that make them share.
 */
#ifndef TOCSIN_JOURNAL_ENTRY_FIELDS_H
#define TOCSIN_JOURNAL_ENTRY_FIELDS_H

#include "base/text.h"
#include "journal/entry.h"

/*
 * A new entry with the fields that all have: `event` is TOCSIN_EVENT's value. NULL without memory.
 */
struct entry *entry_begin(const struct entry_context *c, enum entry_class class, int priority,
			  const char *event, const char *message_id, uint64_t wall_ns);

/* 1 to 3, whatever stands there. */
static inline unsigned entry_priority(uint32_t priority)
{
	return priority < 1 ? 1 : priority > 3 ? 3 : priority;
}

/* MESSAGE, the buffer's text, which is clean already; frees the buffer. */
void entry_add_message(struct entry *e, struct text_buffer *message);
/* Adds the text to a message, cleaned; true when that changed it. */
bool message_add_clean(struct text_buffer *message, tocsin_str text);

/* The field unless the text is absent or empty. */
void entry_add_text(struct entry *e, const char *name, const char *text);
void entry_add_view(struct entry *e, const char *name, tocsin_str text);
/* The shortest decimal that reads back as the same number, with a point in every locale. */
#define DOUBLE_TEXT_SIZE 40
char *double_to_text(double value, char buf[static DOUBLE_TEXT_SIZE]);
/* TOCSIN_META_*, as far as `names` allows, and TOCSIN_METADATA; nothing for no items. */
void entry_add_metadata(struct entry *e, struct entry_meta_names *names, const struct metadata *m);

#endif

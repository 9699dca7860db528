/* SPDX-License-Identifier: MIT */
/* Inside the owed entries: what folder and text share. */
#ifndef TOCSIN_JOURNAL_OWED_PARTS_H
#define TOCSIN_JOURNAL_OWED_PARTS_H

#include "journal/owed.h"

#define OWED_MAGIC "tocsin owed "
#define OWED_FIRST_LINE OWED_MAGIC "1\n"

/* Adds an entry to a file with that tag, and before the first one the file's first line. */
int owed_encode(uint64_t tag, struct text_buffer *text, const struct entry *e);
void owed_encode_end(uint64_t tag, struct text_buffer *text);
/* Takes over `bytes` on success. */
int owed_reader_init(struct owed_reader *r, uint64_t tag, char *bytes, size_t len);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A file of entries that the log has not taken, of the run with the tag TAG. An odd first byte has
 * the sums and lengths of its entries' lines made right, since no chance finds them.
 */
#include "config.h"
#include "fuzz.h"

#include <errno.h>

#include "base/checksum.h"
#include "journal/owed_parts.h"

#define TAG UINT64_C(0x0123456789abcdef)
#define TAG_LINE "entry 0123456789abcdef "
#define LINE_SIZE 57

static bool hex_length(const char *digits, uint64_t *ret)
{
	char text[17] = "";
	char *end;

	memcpy(text, digits, 16);
	*ret = strtoull(text, &end, 16);
	return end == text + 16;
}

/* The sum over the length and the bytes, as owed_text.c has it. */
static void entry_mend(char *line, size_t left)
{
	char lengths[34];
	uint64_t len;

	if (left < LINE_SIZE || !hex_length(line + sizeof TAG_LINE - 1, &len))
		return;
	if (len > left - LINE_SIZE)
		len = left - LINE_SIZE;
	uint64_t sum = checksum_add(0, &len, sizeof len);
	sum = checksum_add(sum, line + LINE_SIZE, len);
	snprintf(lengths, sizeof lengths, "%016llx %016llx", (unsigned long long)len,
		 (unsigned long long)sum);
	memcpy(line + sizeof TAG_LINE - 1, lengths, sizeof lengths - 1);
	line[LINE_SIZE - 1] = '\n';
}

static void entries_mend(char *bytes, size_t len)
{
	char *at = bytes, *end = bytes + len;

	while ((at = memmem(at, (size_t)(end - at), TAG_LINE, sizeof TAG_LINE - 1))) {
		entry_mend(at, (size_t)(end - at));
		at++;
	}
}

static void reader_of(struct owed_reader *r, const char *bytes, size_t len)
{
	MUST(owed_reader_init(r, TAG, exact_copy(bytes, len), len) == 0);
}

/* Written anew it is read as it was. */
static void same_again(const struct entry *e)
{
	_cleanup_(text_buffer_done) struct text_buffer text = { 0 };
	struct entry *again = NULL;
	struct owed_reader r;

	MUST(owed_encode(TAG, &text, e) == 0);
	owed_encode_end(TAG, &text);
	reader_of(&r, text.ptr, text.len);
	MUST(owed_reader_next(&r, &again) == 1);
	MUST(again->n_fields == e->n_fields && again->priority == e->priority);
	for (size_t i = 0; i < e->n_fields; i++)
		MUST(again->fields[i].iov_len == e->fields[i].iov_len &&
		     memcmp(again->fields[i].iov_base, e->fields[i].iov_base,
			    e->fields[i].iov_len) == 0);
	entry_free(again);
	MUST(owed_reader_next(&r, &again) == 0 && !r.damaged);
	owed_reader_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	bool mend = input_byte(&in) & 1;
	char *bytes = exact_copy(in.at, in.left);
	struct owed_reader r;
	struct entry *e;

	if (mend)
		entries_mend(bytes, in.left);
	int error = owed_reader_init(&r, TAG, bytes, in.left);
	if (error < 0) {
		MUST(error == -EPROTONOSUPPORT);
		free(bytes);
		return 0;
	}
	while (owed_reader_next(&r, &e) == 1) {
		MUST(e->n_fields > 0 && e->n_fields <= ENTRY_FIELDS_MAX);
		MUST(e->class == ENTRY_CLASS_FIRST && e->priority >= 0 && e->priority <= 7);
		same_again(e);
		entry_free(e);
	}
	MUST(r.ended && r.at <= r.len);
	owed_reader_done(&r);
	return 0;
}

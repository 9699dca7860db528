/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput; libFuzzer calls it
 * with inputs that it makes (make fuzz), replay.c with the committed ones (make check).
 */
#ifndef TOCSIN_TESTS_FUZZ_FUZZ_H
#define TOCSIN_TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* A target may have its own way to change inputs, and may ask libFuzzer for its. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* What must hold whatever the input is. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__,           \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* An input taken apart from its front; past its end come zeros. */
struct input {
	const uint8_t *at;
	size_t left;
};

_unused_ static uint8_t input_byte(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

_unused_ static uint16_t input_short(struct input *in)
{
	unsigned low = input_byte(in);

	return (uint16_t)(low | (unsigned)input_byte(in) << 8);
}

/* At most so many bytes; a view of the input. */
_unused_ static tocsin_str input_bytes(struct input *in, size_t max)
{
	tocsin_str s = { (const char *)in->at, in->left < max ? in->left : max };

	in->at += s.len;
	in->left -= s.len;
	return s;
}

/* A copy in memory of just that size, so that a sanitizer sees a read past its end. */
_unused_ static void *exact_copy(const void *bytes, size_t len)
{
	void *copy = malloc(len > 0 ? len : 1);

	MUST(copy);
	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

/* No control character, so that nothing in it can steer a terminal or pass for a line. */
_unused_ static bool is_one_line(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

/* A folder of the process's own, in memory where there is such a place; it goes at the exit. */
int fuzz_folder(void);
const char *fuzz_folder_path(void);
/* Makes that file in it be just these bytes. */
void fuzz_file(const char *name, const void *bytes, size_t len);

#endif

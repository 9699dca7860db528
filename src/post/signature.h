/* SPDX-License-Identifier: MIT */
/*
 * Signatures of pages after the Standard Webhooks specification: HMAC-SHA256 over
 * "id.timestamp.body", in base64, "v1," before it. A secret is "whsec_" + base64 of 24 to 64 bytes;
 * a secret file holds one a line, several during a rotation.
 */
#ifndef TOCSIN_POST_SIGNATURE_H
#define TOCSIN_POST_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGNATURE_SECRETS_MAX 4
#define SIGNATURE_KEY_MAX 64
/* Room for the header's value with every secret, NUL included. */
#define SIGNATURE_SIZE (SIGNATURE_SECRETS_MAX * 48 + 1)

struct signature_secrets {
	unsigned n;
	struct {
		uint8_t key[SIGNATURE_KEY_MAX];
		size_t len;
	} secret[SIGNATURE_SECRETS_MAX];
};

/* Reads a secret file's text; empty lines and lines with # are stepped over. *ret_line: where it is
 * wrong. -EINVAL, -E2BIG (too many), -ENODATA (none). */
int signature_parse(const char *text, size_t len, struct signature_secrets *ret,
		    unsigned *ret_line);
/* Reads the file; errors as above and of reading it. */
int signature_load(const char *path, struct signature_secrets *ret, unsigned *ret_line);
/* Overwrites the keys. */
void signature_forget(struct signature_secrets *s);

/* The webhook-signature header's value, "v1,... v1,...". */
void signature_make(const struct signature_secrets *s, const char *id, uint64_t timestamp_s,
		    const void *body, size_t len, char ret[static SIGNATURE_SIZE]);
/* Is one of the header's signatures made with one of the secrets? In constant time. */
bool signature_verify(const struct signature_secrets *s, const char *id, uint64_t timestamp_s,
		      const void *body, size_t len, const char *header);

#endif

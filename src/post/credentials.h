/* SPDX-License-Identifier: MIT */
/*
 * What an endpoint is given to prove who posts and to whom: secrets that sign, a token,
 * authorities, our certificate and its key. They are read from their files, and again whenever a
 * file changes; while one cannot be read the last good one stays. Secrets, token and key lie in
 * memory that no core dump takes and no child inherits, and are overwritten before it is given
 * back.
 */
#ifndef TOCSIN_POST_CREDENTIALS_H
#define TOCSIN_POST_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include "post/signature.h"
#include "settings/settings.h"

#define CREDENTIALS_TOKEN_MAX 4096
#define CREDENTIALS_PEM_MAX ((size_t)1024 * 1024)

struct credentials;

/*
 * Reads all that the endpoint (which must outlive it) names. -ENOMEM, or why a file could not be
 * read, with a line for a person in `trouble`.
 */
int credentials_load(const struct settings_endpoint *e, char *trouble, size_t size,
		     struct credentials **ret);
void credentials_free(struct credentials *c);

/*
 * Looks whether files have changed, and reads those that have. *ret_tls: what a connection rests on
 * is another now. -errno with a line in `trouble` the first time a changed file cannot be used.
 */
int credentials_refresh(struct credentials *c, bool *ret_tls, char *trouble, size_t size);

/* Has any of its files changed since it was read? */
bool credentials_changed(const struct credentials *c);

const struct signature_secrets *credentials_secrets(const struct credentials *c);
/* NULL when there is none. */
const char *credentials_token(const struct credentials *c);

enum credentials_pem { CREDENTIALS_CA, CREDENTIALS_CERT, CREDENTIALS_KEY };
/* NULL when no such file is named. */
const void *credentials_pem(const struct credentials *c, enum credentials_pem which,
			    size_t *ret_len);

/* A token file's text: one line of printable ASCII. -EINVAL, -ENODATA, -EFBIG. */
int credentials_parse_token(const char *text, size_t len,
			    char ret[static CREDENTIALS_TOKEN_MAX + 1]);

#endif

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "post/signature.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/text.h"

#define SECRET_PREFIX "whsec_"
#define SECRET_FILE_MAX 4096
#define KEY_MIN 24
#define KEY_TEXT_MAX BASE64_ENCODE_RAW_LENGTH(SIGNATURE_KEY_MAX)
#define VERSION "v1,"
#define VERSION_LEN (sizeof VERSION - 1)
#define DIGEST_TEXT_LEN BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE)
#define ONE_LEN (VERSION_LEN + DIGEST_TEXT_LEN)

_Static_assert(SIGNATURE_SIZE >= SIGNATURE_SECRETS_MAX * (ONE_LEN + 1), "each with its space");

static tocsin_str line_trim(tocsin_str s)
{
	while (s.len > 0 && strchr(" \t\r", s.ptr[0]) && s.ptr[0] != 0)
		s = (tocsin_str){ s.ptr + 1, s.len - 1 };
	while (s.len > 0 && strchr(" \t\r", s.ptr[s.len - 1]) && s.ptr[s.len - 1] != 0)
		s.len--;
	return s;
}

static int key_parse(tocsin_str line, uint8_t key[static SIGNATURE_KEY_MAX], size_t *ret_len)
{
	size_t prefix = sizeof SECRET_PREFIX - 1;
	uint8_t bytes[BASE64_DECODE_LENGTH(KEY_TEXT_MAX)];
	struct base64_decode_ctx ctx;
	size_t len = sizeof bytes;
	int r = -EINVAL;

	if (line.len <= prefix || line.len > prefix + KEY_TEXT_MAX ||
	    memcmp(line.ptr, SECRET_PREFIX, prefix) != 0)
		return -EINVAL;
	/* The decoder steps over white space; inside a secret it is a mistake. */
	for (size_t i = prefix; i < line.len; i++)
		if ((unsigned char)line.ptr[i] <= ' ')
			return -EINVAL;
	base64_decode_init(&ctx);
	if (base64_decode_update(&ctx, &len, bytes, line.len - prefix, line.ptr + prefix) == 1 &&
	    base64_decode_final(&ctx) == 1 && len >= KEY_MIN && len <= SIGNATURE_KEY_MAX) {
		memcpy(key, bytes, len);
		*ret_len = len;
		r = 0;
	}
	explicit_bzero(bytes, sizeof bytes);
	explicit_bzero(&ctx, sizeof ctx);
	return r;
}

static int line_parse(tocsin_str line, struct signature_secrets *s)
{
	line = line_trim(line);
	if (line.len == 0 || line.ptr[0] == '#')
		return 0;
	if (s->n == SIGNATURE_SECRETS_MAX)
		return -E2BIG;
	int r = key_parse(line, s->secret[s->n].key, &s->secret[s->n].len);
	if (r == 0)
		s->n++;
	return r;
}

int signature_parse(const char *text, size_t len, struct signature_secrets *ret, unsigned *ret_line)
{
	_cleanup_(signature_forget) struct signature_secrets s = { 0 };
	unsigned line = 0;
	int r = 0;

	while (len > 0 && r == 0) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		line++;
		r = line_parse((tocsin_str){ text, n }, &s);
		n += end ? 1 : 0;
		text += n;
		len -= n;
	}
	if (r == 0 && s.n == 0)
		r = -ENODATA;
	if (r < 0) {
		*ret_line = line;
		return r;
	}
	*ret = s;
	return 0;
}

/* A link is followed: that is how secrets are put into containers, and the path is the site's. */
static int secret_open(const char *path, int *ret_fd)
{
	_cleanup_close_ int fd = descriptor_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int signature_load(const char *path, struct signature_secrets *ret, unsigned *ret_line)
{
	_cleanup_close_ int fd = -1;
	char text[SECRET_FILE_MAX + 1]; /* not on the heap, where a copy would stay behind */
	size_t len = 0;
	ssize_t n;
	int r;

	*ret_line = 0;
	r = secret_open(path, &fd);
	if (r < 0)
		return r;
	do {
		n = read(fd, text + len, sizeof text - len);
		if (n > 0)
			len += (size_t)n;
	} while ((n > 0 && len < sizeof text) || (n < 0 && errno == EINTR));
	if (n < 0)
		r = -errno;
	else if (len == sizeof text)
		r = -EFBIG;
	else
		r = signature_parse(text, len, ret, ret_line);
	explicit_bzero(text, sizeof text);
	return r;
}

void signature_forget(struct signature_secrets *s)
{
	explicit_bzero(s, sizeof *s);
}

/* "v1," and the digest in base64; no NUL. */
static void sign_one(const uint8_t *key, size_t key_len, const char *id, uint64_t timestamp_s,
		     const void *body, size_t len, char ret[static ONE_LEN])
{
	struct hmac_sha256_ctx ctx;
	uint8_t digest[SHA256_DIGEST_SIZE];
	char stamp[24];
	int n = snprintf(stamp, sizeof stamp, ".%" PRIu64 ".", timestamp_s);

	hmac_sha256_set_key(&ctx, key_len, key);
	hmac_sha256_update(&ctx, strlen(id), (const uint8_t *)id);
	hmac_sha256_update(&ctx, (size_t)n, (const uint8_t *)stamp);
	hmac_sha256_update(&ctx, len, body);
	hmac_sha256_digest(&ctx, sizeof digest, digest);
	memcpy(ret, VERSION, VERSION_LEN);
	base64_encode_raw(ret + VERSION_LEN, sizeof digest, digest);
	explicit_bzero(&ctx, sizeof ctx);
}

void signature_make(const struct signature_secrets *s, const char *id, uint64_t timestamp_s,
		    const void *body, size_t len, char ret[static SIGNATURE_SIZE])
{
	char *p = ret;

	for (unsigned i = 0; i < s->n; i++) {
		if (i > 0)
			*p++ = ' ';
		sign_one(s->secret[i].key, s->secret[i].len, id, timestamp_s, body, len, p);
		p += ONE_LEN;
	}
	*p = 0;
}

bool signature_verify(const struct signature_secrets *s, const char *id, uint64_t timestamp_s,
		      const void *body, size_t len, const char *header)
{
	char expected[SIGNATURE_SECRETS_MAX][ONE_LEN];
	int right = 0;

	for (unsigned i = 0; i < s->n; i++)
		sign_one(s->secret[i].key, s->secret[i].len, id, timestamp_s, body, len,
			 expected[i]);
	/* Every signature meets every secret, so time tells neither which nor how much fitted. */
	for (size_t n; *header != 0; header += n) {
		header += strspn(header, " ");
		n = strcspn(header, " ");
		for (unsigned i = 0; n == ONE_LEN && i < s->n; i++)
			right |= memeql_sec(header, expected[i], ONE_LEN);
	}
	return right != 0;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "post/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/files.h"

#define PEMS 3

enum kind { KIND_SECRET, KIND_TOKEN, KIND_CA, KIND_CERT, KIND_KEY, KINDS };

/* Whose file this was when it was read last. */
struct identity {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
	int error; /* why it could not be looked at */
};

struct pem {
	char *bytes;
	size_t len;
};

struct credentials {
	const struct settings_endpoint *endpoint;
	struct identity seen[KINDS];
	bool told[KINDS]; /* that what it holds now cannot be used */
	struct pem pem[PEMS];
	size_t key_room; /* the key's, which is a mapping of its own */
	struct signature_secrets secrets;
	char token[CREDENTIALS_TOKEN_MAX + 1];
};

static void *hidden_alloc(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, size, MADV_DONTDUMP);
	madvise(p, size, MADV_WIPEONFORK);
	return p;
}

static void hidden_free(void *p, size_t size)
{
	if (!p)
		return;
	explicit_bzero(p, size);
	munmap(p, size);
}

static const char *path_of(const struct settings_endpoint *e, enum kind kind)
{
	const char *const paths[KINDS] = {
		[KIND_SECRET] = e->secret_file, [KIND_TOKEN] = e->token_file,
		[KIND_CA] = e->ca_file,         [KIND_CERT] = e->cert_file,
		[KIND_KEY] = e->key_file,
	};

	return paths[kind];
}

static struct identity identity_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct identity){ .error = errno };
	return (struct identity){ st.st_dev, st.st_ino, st.st_size, st.st_mtim, 0 };
}

static bool identity_equal(const struct identity *a, const struct identity *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec &&
	       a->error == b->error;
}

int credentials_parse_token(const char *text, size_t len,
			    char ret[static CREDENTIALS_TOKEN_MAX + 1])
{
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	if (len == 0)
		return -ENODATA;
	if (len > CREDENTIALS_TOKEN_MAX)
		return -EFBIG;
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return -EINVAL;
	memcpy(ret, text, len);
	ret[len] = 0;
	return 0;
}

/* Straight into hidden memory: the heap would keep a copy. */
static int file_read_hidden(const char *path, size_t room, char *to, size_t *ret_len)
{
	_cleanup_close_ int fd = descriptor_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	size_t len = 0;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	do {
		n = read(fd, to + len, room - len);
		if (n > 0)
			len += (size_t)n;
	} while ((n > 0 && len < room) || (n < 0 && errno == EINTR));
	if (n < 0)
		return -errno;
	*ret_len = len;
	return len == room ? -EFBIG : 0;
}

static int token_read(struct credentials *c, const char *path)
{
	const size_t room = CREDENTIALS_TOKEN_MAX + 4;
	char *text = hidden_alloc(room);
	size_t len;
	int r;

	if (!text)
		return -ENOMEM;
	r = file_read_hidden(path, room, text, &len);
	if (r == 0)
		r = credentials_parse_token(text, len, c->token);
	hidden_free(text, room);
	return r;
}

/*
 * PEM is text between two marks; what is in it the TLS library judges. The second mark must have
 * come: else somebody is still writing.
 */
static int pem_check(const char *bytes, size_t len)
{
	static const char begin[] = "-----BEGIN ", end[] = "-----END ";
	const char *at = memmem(bytes, len, begin, sizeof begin - 1), *stop = bytes + len;

	if (!at)
		return -EINVAL;
	for (; at; at = memmem(at, (size_t)(stop - at), begin, sizeof begin - 1)) {
		at = memmem(at, (size_t)(stop - at), end, sizeof end - 1);
		if (!at || !memmem(at + sizeof end - 1, (size_t)(stop - at) - (sizeof end - 1),
				   "-----", 5))
			return -EINVAL;
	}
	return 0;
}

static int key_read(struct credentials *c, const char *path)
{
	struct pem *key = &c->pem[CREDENTIALS_KEY];
	char *bytes = hidden_alloc(CREDENTIALS_PEM_MAX);
	size_t len;
	int r;

	if (!bytes)
		return -ENOMEM;
	r = file_read_hidden(path, CREDENTIALS_PEM_MAX, bytes, &len);
	if (r == 0)
		r = pem_check(bytes, len);
	if (r < 0) {
		hidden_free(bytes, CREDENTIALS_PEM_MAX);
		return r;
	}
	hidden_free(key->bytes, c->key_room);
	*key = (struct pem){ bytes, len };
	c->key_room = CREDENTIALS_PEM_MAX;
	return 0;
}

static int pem_read(struct pem *pem, const char *path)
{
	_cleanup_free_ char *bytes = NULL;
	size_t len;
	int r = file_read_followed(AT_FDCWD, path, CREDENTIALS_PEM_MAX, &bytes, &len);

	if (r == 0)
		r = pem_check(bytes, len);
	if (r < 0)
		return r;
	free(pem->bytes);
	*pem = (struct pem){ TAKE(bytes), len };
	return 0;
}

static int secrets_read(struct credentials *c, const char *path)
{
	_cleanup_(signature_forget) struct signature_secrets fresh = { 0 };
	unsigned line;
	int r = signature_load(path, &fresh, &line);

	if (r == 0)
		c->secrets = fresh;
	return r;
}

static int kind_read(struct credentials *c, enum kind kind, const char *path)
{
	switch (kind) {
	case KIND_SECRET:
		return secrets_read(c, path);
	case KIND_TOKEN:
		return token_read(c, path);
	case KIND_CA:
		return pem_read(&c->pem[CREDENTIALS_CA], path);
	case KIND_CERT:
		return pem_read(&c->pem[CREDENTIALS_CERT], path);
	case KIND_KEY:
	case KINDS:
		break;
	}
	return key_read(c, path);
}

static void trouble_tell(enum kind kind, const char *path, int error, char *trouble, size_t size)
{
	static const char *const names[KINDS] = { "secret_file", "token_file", "ca_file",
						  "cert_file", "key_file" };
	static const char *const shapes[KINDS] = {
		"it is not whsec_ and base64, one secret a line",
		"it is not one line of a token",
		"it is not PEM",
		"it is not PEM",
		"it is not PEM",
	};

	snprintf(trouble, size, "%s %s cannot be used: %s", names[kind], path,
		 error == -EINVAL || error == -ENODATA ? shapes[kind] : strerror(-error));
}

void credentials_free(struct credentials *c)
{
	if (!c)
		return;
	free(c->pem[CREDENTIALS_CA].bytes);
	free(c->pem[CREDENTIALS_CERT].bytes);
	hidden_free(c->pem[CREDENTIALS_KEY].bytes, c->key_room);
	hidden_free(c, sizeof *c);
}

int credentials_load(const struct settings_endpoint *e, char *trouble, size_t size,
		     struct credentials **ret)
{
	struct credentials *c = hidden_alloc(sizeof *c);

	if (!c)
		return -ENOMEM;
	c->endpoint = e;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		const char *path = path_of(e, kind);

		if (!path)
			continue;
		/* Before the reading: what changes in between is read again. */
		c->seen[kind] = identity_of(path);
		int r = kind_read(c, kind, path);
		if (r < 0) {
			trouble_tell(kind, path, r, trouble, size);
			credentials_free(c);
			return r;
		}
	}
	*ret = c;
	return 0;
}

bool credentials_changed(const struct credentials *c)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		const char *path = path_of(c->endpoint, kind);
		struct identity now;

		if (!path)
			continue;
		now = identity_of(path);
		if (!identity_equal(&now, &c->seen[kind]))
			return true;
	}
	return false;
}

int credentials_refresh(struct credentials *c, bool *ret_tls, char *trouble, size_t size)
{
	int result = 0;

	*ret_tls = false;
	for (enum kind kind = 0; kind < KINDS; kind++) {
		const char *path = path_of(c->endpoint, kind);
		struct identity now;

		if (!path)
			continue;
		now = identity_of(path);
		if (identity_equal(&now, &c->seen[kind]))
			continue;
		int r = now.error ? -now.error : kind_read(c, kind, path);
		c->seen[kind] = now;
		if (r < 0 && !c->told[kind]) {
			trouble_tell(kind, path, r, trouble, size);
			result = r;
		}
		c->told[kind] = r < 0;
		*ret_tls |= r == 0 && kind >= KIND_CA;
	}
	return result;
}

const struct signature_secrets *credentials_secrets(const struct credentials *c)
{
	return &c->secrets;
}

const char *credentials_token(const struct credentials *c)
{
	return c->token[0] ? c->token : NULL;
}

const void *credentials_pem(const struct credentials *c, enum credentials_pem which,
			    size_t *ret_len)
{
	*ret_len = c->pem[which].len;
	return c->pem[which].bytes;
}

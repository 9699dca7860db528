/* SPDX-License-Identifier: MIT */
/*
 * One endpoint as libcurl sees it: a handle that is used again for every page, so that its
 * connection is kept, and what an attempt came to. Used by the pager's thread alone.
 */
#ifndef TOCSIN_POST_PAGER_REQUEST_H
#define TOCSIN_POST_PAGER_REQUEST_H

#include <curl/curl.h>
#include <stdbool.h>
#include "base/text.h"
#include "page/page.h"
#include "post/credentials.h"
#include "post/pager_sockets.h"
#include "settings/settings.h"

#define REQUEST_SECRETS 6
#define REQUEST_ERROR_SIZE 512

struct pager_request {
	const struct settings_endpoint *endpoint;
	const struct page_format *format;
	struct credentials *credentials;
	CURL *easy;
	struct pager_sockets sockets;
	char *host;                    /* what an error may name of the URL */
	char *hidden[REQUEST_SECRETS]; /* what it may not, unless NULL */
	char error[CURL_ERROR_SIZE];   /* libcurl's, of the attempt under way */
	struct curl_slist *headers;    /* of the attempt under way, as the next two */
	char *body;
	struct text_buffer answer;
	size_t head_bytes;
	struct text_buffer retry_after; /* of the answer's head: each value there is, a line each */
	char date[64];                  /* likewise, "" when not there */
	bool status_seen;               /* a status line came */
	bool head_ended;                /* the answer's head came whole */
	uint64_t head_ns;               /* when, on CLOCK_MONOTONIC */
	bool stale;                     /* libcurl still goes by other certificates */
	bool fresh;                     /* the last attempt was in vain: not over its connection */
};

/* How an attempt ended. */
struct pager_answer {
	bool taken;
	long http_status;               /* 0: none came */
	bool unverified;                /* TLS could not verify somebody, or the answer says so */
	uint64_t retry_after_ns;        /* what the receiver asked for, 0: nothing */
	char error[REQUEST_ERROR_SIZE]; /* one line, "" when taken */
};

/* The endpoint must outlive it. -EINVAL, -ENOMEM; pager_request_done also after a failure. */
int pager_request_init(struct pager_request *q, const struct settings_endpoint *endpoint,
		       const char *version);
/* Not while libcurl's multi handle has it. Its memory stays in use until that handle's end, which
 * closes the connections. */
void pager_request_done(struct pager_request *q);

/* Sets everything for an attempt at the page, made now, in its minimal form when asked. `trouble`
 * gets a line when a file of its credentials has changed and cannot be used; else "". -ENOMEM. */
int pager_request_prepare(struct pager_request *q, const struct page *page, bool minimal,
			  uint64_t wall_ns, char trouble[static REQUEST_ERROR_SIZE]);
/* Likewise, of the attempt alone. */
void pager_request_forget(struct pager_request *q);
/* Sets where the answers go. */
bool pager_request_listen(struct pager_request *q);
/* When to wait no longer for the rest of an answer whose head is there, on CLOCK_MONOTONIC;
 * UINT64_MAX: it is not. */
uint64_t pager_request_until_ns(const struct pager_request *q);
/* What came of it, and frees what it needed. */
void pager_request_finish(struct pager_request *q, CURLcode code, uint64_t wall_ns,
			  struct pager_answer *ret);

/* Keeps libcurl loaded for good, however often the plugin is: a resolver thread of its may outlive
 * every handle. */
void pager_pin_libcurl(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * One endpoint as libcurl sees it: a handle that is used again for every page, so that its
 * connection is kept, and what an attempt came to. Used by the pager's thread alone.
 */
#ifndef TOCSIN_DELIVER_PAGER_REQUEST_H
#define TOCSIN_DELIVER_PAGER_REQUEST_H

#include <curl/curl.h>
#include <stdbool.h>
#include "base/text.h"
#include "deliver/page.h"
#include "deliver/signature.h"
#include "settings.h"

#define REQUEST_SECRETS 6
#define REQUEST_ERROR_SIZE 512

struct pager_request {
	const struct page_format *format;
	struct signature_secrets secrets; /* none: not signed */
	CURL *easy;
	char *host;                    /* what an error may name of the URL */
	char *hidden[REQUEST_SECRETS]; /* what it may not, unless NULL */
	char error[CURL_ERROR_SIZE];   /* libcurl's, of the attempt under way */
	struct curl_slist *headers;    /* of the attempt under way, as the next two */
	char *body;
	struct text_buffer answer;
	size_t head_bytes;
	bool capped; /* we ended an answer that was too long */
};

/* How an attempt ended. */
struct pager_answer {
	bool taken;
	long http_status;               /* 0: none came */
	char error[REQUEST_ERROR_SIZE]; /* one line, "" when taken */
};

/* The endpoint must outlive it. -EINVAL, -ENOMEM; pager_request_done also after a failure. */
int pager_request_init(struct pager_request *q, const struct settings_endpoint *endpoint,
		       const char *version);
/* Not while libcurl's multi handle has it. */
void pager_request_done(struct pager_request *q);

/* Sets everything for an attempt at the page, made now. -ENOMEM. */
int pager_request_prepare(struct pager_request *q, const struct page *page, uint64_t wall_ns);
/* What came of it, and frees what it needed. */
void pager_request_finish(struct pager_request *q, CURLcode code, struct pager_answer *ret);

/* Keeps libcurl loaded for good, however often the plugin is: a resolver thread of its may outlive
 * every handle. */
void pager_pin_libcurl(void);

#endif

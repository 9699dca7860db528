/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "deliver/pager_request.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "deliver/pager.h"
#include "deliver/retry.h"

#define SET(easy, option, value) (curl_easy_setopt(easy, option, value) == CURLE_OK)

/* To look at what is too long is of no use: what was read decides, and the connection goes. */
static size_t take_body(char *bytes, size_t size, size_t n, void *userdata)
{
	struct pager_request *q = userdata;
	size_t len = size * n;

	if (len > PAGER_ANSWER_MAX - q->answer.len) {
		q->capped = true;
		return 0;
	}
	text_buffer_add(&q->answer, (tocsin_str){ bytes, len });
	return q->answer.failed ? 0 : len;
}

/* The value of a header line of that name, without the line's end, into ret. */
static void take_value(tocsin_str line, const char *name, char *ret, size_t size)
{
	size_t skip = strlen(name);

	if (line.len <= skip || strncasecmp(line.ptr, name, skip) != 0)
		return;
	while (skip < line.len && (line.ptr[skip] == ' ' || line.ptr[skip] == '\t'))
		skip++;
	while (line.len > skip && strchr("\r\n \t", line.ptr[line.len - 1]))
		line.len--;
	/* One that is too long is no number and no date. */
	if (line.len - skip < size)
		snprintf(ret, size, "%.*s", (int)(line.len - skip), line.ptr + skip);
}

static size_t take_head(char *bytes, size_t size, size_t n, void *userdata)
{
	struct pager_request *q = userdata;
	tocsin_str line = { bytes, size * n };

	if (line.len > PAGER_ANSWER_MAX - q->head_bytes)
		return 0;
	q->head_bytes += line.len;
	/* After a "100 Continue" another head begins. */
	if (line.len > 5 && strncmp(line.ptr, "HTTP/", 5) == 0) {
		q->retry_after[0] = q->date[0] = 0;
		q->head_ended = false;
	}
	/* An empty line. What comes after the body ends with one too. */
	q->head_ended |= line.len <= 2;
	take_value(line, "Retry-After:", q->retry_after, sizeof q->retry_after);
	take_value(line, "Date:", q->date, sizeof q->date);
	return line.len;
}

bool pager_request_listen(struct pager_request *q)
{
	return SET(q->easy, CURLOPT_ERRORBUFFER, q->error) &&
	       SET(q->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) &&
	       SET(q->easy, CURLOPT_WRITEFUNCTION, take_body) &&
	       SET(q->easy, CURLOPT_WRITEDATA, q) &&
	       SET(q->easy, CURLOPT_HEADERFUNCTION, take_head) &&
	       SET(q->easy, CURLOPT_HEADERDATA, q);
}

/* libcurl's words, which may quote what the other side sent, or the URL: then its plain ones. */
static void failure_tell(const struct pager_request *q, CURLcode code, char *ret, size_t size)
{
	_cleanup_free_ char *line = NULL;
	const char *words = q->error[0] ? q->error : curl_easy_strerror(code);

	for (unsigned i = 0; i < REQUEST_SECRETS; i++)
		if (q->hidden[i] && strstr(words, q->hidden[i]))
			words = curl_easy_strerror(code);
	line = text_to_line(str(words));
	snprintf(ret, size, "%s: %s", q->host, line ? line : curl_easy_strerror(code));
}

/* Could TLS not find out who the other side is, or show who we are? Trying again mends neither. */
static bool is_unverified(CURLcode code)
{
	static const CURLcode codes[] = {
		CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CACERT_BADFILE,
		CURLE_SSL_ISSUER_ERROR,         CURLE_SSL_CRL_BADFILE, CURLE_SSL_INVALIDCERTSTATUS,
		CURLE_SSL_PINNEDPUBKEYNOTMATCH,
	};

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (code == codes[i])
			return true;
	return false;
}

/*
 * nginx calls a page malformed when it is our certificate that is missing or wrong, or when it is
 * asked without TLS where it speaks nothing else. Dead pages would be the wrong lesson.
 */
static bool is_about_tls(const struct pager_request *q, long http_status)
{
	static const char *const words[] = {
		"No required SSL certificate was sent",
		"The SSL certificate error",
		"The plain HTTP request was sent to HTTPS port",
	};

	if (http_status != 400 || !q->answer.ptr)
		return false;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (memmem(q->answer.ptr, q->answer.len, words[i], strlen(words[i])))
			return true;
	return false;
}

/*
 * Has the answer been heard, as far as it matters? One that never ends has a head all the same; one
 * that ends within its head libcurl calls fine.
 */
static bool is_answer(const struct pager_request *q, CURLcode code)
{
	return q->head_ended && (code == CURLE_OK || code == CURLE_OPERATION_TIMEDOUT ||
				 (code == CURLE_WRITE_ERROR && q->capped));
}

/* What a proxy says that a person has to mend; its other words are of the way, not of the page. */
static long proxy_refusal(CURL *easy)
{
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return status == 401 || status == 403 || status == 407 ? status : 0;
}

void pager_request_finish(struct pager_request *q, CURLcode code, uint64_t wall_ns,
			  struct pager_answer *ret)
{
	*ret = (struct pager_answer){ 0 };
	curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &ret->http_status);
	if (is_answer(q, code))
		ret->taken = q->format->taken(ret->http_status, q->answer.ptr, q->answer.len);
	else
		failure_tell(q, code == CURLE_OK ? CURLE_PARTIAL_FILE : code, ret->error,
			     sizeof ret->error);
	ret->unverified =
		ret->http_status == 0 ? is_unverified(code) : is_about_tls(q, ret->http_status);
	if (ret->http_status == 0)
		ret->http_status = proxy_refusal(q->easy);
	if (q->retry_after[0])
		ret->retry_after_ns =
			retry_after_parse(q->retry_after, q->date[0] ? q->date : NULL, wall_ns);
	if (!ret->taken && ret->error[0] == 0)
		snprintf(ret->error, sizeof ret->error, "%s: answered %ld%s", q->host,
			 ret->http_status,
			 ret->http_status >= 300 && ret->http_status <= 399
				 ? ", a redirect, which is not followed"
				 : "");
	pager_request_forget(q);
}

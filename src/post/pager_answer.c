/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "post/pager_request.h"

#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "post/pager.h"
#include "post/retry.h"

#define SET(easy, option, value) (curl_easy_setopt(easy, option, value) == CURLE_OK)

/* To look at what is too long is of no use: what was read says enough, and the connection goes. */
static size_t take_body(char *bytes, size_t size, size_t n, void *userdata)
{
	struct pager_request *q = userdata;
	size_t len = size * n;

	if (len > PAGER_ANSWER_MAX - q->answer.len)
		return 0;
	text_buffer_add(&q->answer, (tocsin_str){ bytes, len });
	return q->answer.failed ? 0 : len;
}

/* The value of a header line of that name, without the line's end; false: it has another name. */
static bool value_of(tocsin_str line, const char *name, tocsin_str *ret)
{
	size_t skip = strlen(name);

	if (line.len <= skip || strncasecmp(line.ptr, name, skip) != 0)
		return false;
	while (skip < line.len && (line.ptr[skip] == ' ' || line.ptr[skip] == '\t'))
		skip++;
	while (line.len > skip && strchr("\r\n \t", line.ptr[line.len - 1]))
		line.len--;
	*ret = (tocsin_str){ line.ptr + skip, line.len - skip };
	return true;
}

/* Another head begins: after a "100 Continue", for one. */
static void head_begin(struct pager_request *q)
{
	text_buffer_done(&q->retry_after);
	q->date[0] = 0;
	q->status_seen = true;
}

static void head_end(struct pager_request *q)
{
	long status = 0;

	curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return;
	q->head_ended = true;
	q->head_ns = clock_monotonic_ns();
	/* Whoever took no page is met on another connection the next time: the name may lead
	 * somewhere else by then. */
	if (status > 299)
		curl_easy_setopt(q->easy, CURLOPT_FORBID_REUSE, 1L);
}

static size_t take_head(char *bytes, size_t size, size_t n, void *userdata)
{
	struct pager_request *q = userdata;
	tocsin_str line = { bytes, size * n }, value;

	if (line.len > PAGER_ANSWER_MAX - q->head_bytes)
		return 0;
	q->head_bytes += line.len;
	/* What comes after a body looks like a head, and says nothing. */
	if (q->head_ended)
		return line.len;
	if (line.len > 5 && strncmp(line.ptr, "HTTP/", 5) == 0)
		head_begin(q);
	if (value_of(line, "Retry-After:", &value)) {
		text_buffer_add(&q->retry_after, value);
		text_buffer_add(&q->retry_after, STR("\n"));
	}
	/* One that is too long is no date. */
	if (value_of(line, "Date:", &value) && value.len < sizeof q->date)
		snprintf(q->date, sizeof q->date, "%.*s", (int)value.len, value.ptr);
	if (line.len <= 2)
		head_end(q);
	return q->retry_after.failed ? 0 : line.len;
}

uint64_t pager_request_until_ns(const struct pager_request *q)
{
	return q->head_ended ? q->head_ns + PAGER_BODY_NS : UINT64_MAX;
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

/*
 * Has the other side refused who we are? It says so in an alert, which from TLS 1.3 on comes when
 * we take the connection for made, so no code of libcurl's stands for it. The words are OpenSSL's.
 */
static bool is_refused_by_alert(const struct pager_request *q)
{
	static const char *const reasons[] = {
		"certificate required",     "bad certificate",     "unsupported certificate",
		"certificate revoked",      "certificate expired", "certificate unknown",
		"no certificate",           "unknown ca",          "access denied",
		"certificate unobtainable", "decrypt error",       "handshake failure",
	};
	const char *alert = strstr(q->error, "alert ");

	for (size_t i = 0; alert && i < sizeof reasons / sizeof *reasons; i++)
		if (strncmp(alert + strlen("alert "), reasons[i], strlen(reasons[i])) == 0)
			return true;
	return false;
}

/* Could TLS not find out who the other side is, or show who we are? Trying again mends neither. */
static bool is_unverified(const struct pager_request *q, CURLcode code)
{
	static const CURLcode codes[] = {
		CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CACERT_BADFILE,
		CURLE_SSL_ISSUER_ERROR,         CURLE_SSL_CRL_BADFILE, CURLE_SSL_INVALIDCERTSTATUS,
		CURLE_SSL_PINNEDPUBKEYNOTMATCH,
	};

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (code == codes[i])
			return true;
	return is_refused_by_alert(q);
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
 * Has the answer been heard, as far as it matters? Its head decides, whatever becomes of the body:
 * the receiver has made up its mind by then, and to ask again would only repeat the page. That goes
 * for a length that is none too, which libcurl refuses before the head's end. A head that breaks
 * off is no answer, though libcurl may call it fine.
 */
static bool is_answer(const struct pager_request *q, CURLcode code)
{
	return q->head_ended || (q->status_seen && code == CURLE_WEIRD_SERVER_REPLY &&
				 strstr(q->error, "Content-Length"));
}

/* The longest that the receiver asked for. */
static uint64_t retry_after_ns(const struct pager_request *q, uint64_t wall_ns)
{
	uint64_t longest_ns = 0;
	char *rest = q->retry_after.ptr, *value;

	while (rest && (value = strsep(&rest, "\n"))) {
		uint64_t ns = retry_after_parse(value, q->date[0] ? q->date : NULL, wall_ns);

		longest_ns = ns > longest_ns ? ns : longest_ns;
	}
	return longest_ns;
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
		ret->http_status == 0 ? is_unverified(q, code) : is_about_tls(q, ret->http_status);
	if (ret->http_status == 0)
		ret->http_status = proxy_refusal(q->easy);
	ret->retry_after_ns = retry_after_ns(q, wall_ns);
	if (!ret->taken && ret->error[0] == 0)
		snprintf(ret->error, sizeof ret->error, "%s: answered %ld%s", q->host,
			 ret->http_status,
			 ret->http_status >= 300 && ret->http_status <= 399
				 ? ", a redirect, which is not followed"
				 : "");
	q->fresh = !ret->taken;
	pager_request_forget(q);
}

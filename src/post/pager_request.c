/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "post/pager_request.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "post/pager.h"
#include "post/retry.h"

#define CONNECT_TIMEOUT_DEFAULT_NS (5 * NS_PER_S)
#define TIMEOUT_DEFAULT_NS (15 * NS_PER_S)
#define IDLE_CONNECTION_S 30L
#define HEADER_SIZE (SIGNATURE_SIZE + 64)

DEFINE_CLEANUP(CURLU *, curl_url_cleanup, cleanup_curlu)

void pager_pin_libcurl(void)
{
	Dl_info info;
	void *lib;

	if (dladdr((void *)(uintptr_t)curl_easy_perform, &info) == 0 || !info.dli_fname)
		return;
	lib = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
	if (lib)
		dlclose(lib); /* the mark stays */
}

static bool host_is_loopback(const char *host)
{
	static const char name[] = "localhost";
	size_t len = strlen(host);

	if (strcmp(host, "[::1]") == 0 || strncmp(host, "127.", 4) == 0)
		return strspn(host, "0123456789.:[]") == len;
	if (len < sizeof name - 1 || strcasecmp(host + len - (sizeof name - 1), name) != 0)
		return false;
	return len == sizeof name - 1 || host[len - sizeof name] == '.';
}

/* NULL when the URL has no such part. Heap. */
static char *url_part(CURLU *url, CURLUPart part, unsigned flags)
{
	char *text = NULL, *copy = NULL;

	if (curl_url_get(url, part, &text, flags) == CURLUE_OK)
		copy = strdup(text);
	curl_free(text);
	return copy;
}

/* Tokens stand in the path, the query or before the host: none of it may show. */
static int url_take_apart(struct pager_request *q, const char *text)
{
	static const struct {
		CURLUPart part;
		unsigned flags;
	} hidden[REQUEST_SECRETS] = {
		{ CURLUPART_PATH, 0 },
		{ CURLUPART_QUERY, 0 },
		{ CURLUPART_USER, 0 },
		{ CURLUPART_PASSWORD, 0 },
		{ CURLUPART_USER, CURLU_URLDECODE },
		{ CURLUPART_PASSWORD, CURLU_URLDECODE },
	};
	_cleanup_(cleanup_curlu) CURLU *url = curl_url();

	if (!url)
		return -ENOMEM;
	if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK)
		return -EINVAL;
	q->host = url_part(url, CURLUPART_HOST, 0);
	if (!q->host)
		return -EINVAL;
	for (unsigned i = 0; i < REQUEST_SECRETS; i++) {
		q->hidden[i] = url_part(url, hidden[i].part, hidden[i].flags);
		if (q->hidden[i] && (q->hidden[i][0] == 0 || strcmp(q->hidden[i], "/") == 0)) {
			free(q->hidden[i]);
			q->hidden[i] = NULL;
		}
	}
	return 0;
}

static long timeout_ms(uint64_t ns, uint64_t fallback_ns)
{
	uint64_t ms = (ns ? ns : fallback_ns) / NS_PER_MS;

	return ms == 0 ? 1 : ms > INT32_MAX ? INT32_MAX : (long)ms;
}

#define SET(easy, option, value) (curl_easy_setopt(easy, option, value) == CURLE_OK)

static bool set_address(CURL *easy, const struct settings_endpoint *e, const char *host,
			const char *user_agent)
{
	bool loopback = host_is_loopback(host);
	/* Without encryption only where no wire is. */
	const char *protocols = loopback || e->allow_insecure ? "http,https" : "https";

	return SET(easy, CURLOPT_URL, e->url) && SET(easy, CURLOPT_USERAGENT, user_agent) &&
	       SET(easy, CURLOPT_PROTOCOLS_STR, protocols) &&
	       SET(easy, CURLOPT_FOLLOWLOCATION, 0L) &&
	       /* Set always: libcurl would else read the environment, on the pager's thread, while
		* the host may be changing it. */
	       SET(easy, CURLOPT_PROXY, e->proxy ? e->proxy : "") &&
	       SET(easy, CURLOPT_NOPROXY,
		   loopback      ? "*"
		   : e->no_proxy ? e->no_proxy
				 : "");
}

static bool set_manners(CURL *easy, const struct settings_endpoint *e)
{
	long connect = timeout_ms(e->connect_timeout_ns, CONNECT_TIMEOUT_DEFAULT_NS);
	long whole = timeout_ms(e->timeout_ns, TIMEOUT_DEFAULT_NS);

	/* Not every libcurl has its part in TLS, so those answers are not looked at here: a URL
	 * that needs it fails by itself. */
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	/* What lies idle for long may be gone without a word, and a name may lead elsewhere by
	 * now. So it is asked again for each connection, of which there are few. */
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, IDLE_CONNECTION_S);
	curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* A slow resolver is left to itself instead of waited for. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	return SET(easy, CURLOPT_NOSIGNAL, 1L) && SET(easy, CURLOPT_SSL_VERIFYPEER, 1L) &&
	       SET(easy, CURLOPT_SSL_VERIFYHOST, 2L) &&
	       SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	       SET(easy, CURLOPT_CONNECTTIMEOUT_MS, connect) &&
	       SET(easy, CURLOPT_TIMEOUT_MS, whole);
}

static bool set_blob(CURL *easy, CURLoption option, const struct credentials *c,
		     enum credentials_pem which)
{
	size_t len;
	const void *bytes = credentials_pem(c, which, &len);
	/* libcurl keeps no copy: the credentials live longer than any attempt with them. */
	struct curl_blob blob = { .data = (void *)(uintptr_t)bytes,
				  .len = len,
				  .flags = CURL_BLOB_NOCOPY };

	return !bytes || SET(easy, option, &blob);
}

/*
 * Given as bytes, not as files: libcurl compares them before it uses a kept connection again, so
 * that one which rests on other certificates is never taken for ours.
 */
static int set_tls(CURL *easy, const struct settings_endpoint *e, const struct credentials *c)
{
	size_t len;
	bool fine = set_blob(easy, CURLOPT_CAINFO_BLOB, c, CREDENTIALS_CA) &&
		    set_blob(easy, CURLOPT_SSLCERT_BLOB, c, CREDENTIALS_CERT);

	/* Instead of the system's authorities, whose folder libcurl would ask as well. */
	if (fine && e->ca_file)
		fine = SET(easy, CURLOPT_CAPATH, NULL);
	if (fine && credentials_pem(c, CREDENTIALS_KEY, &len))
		fine = set_blob(easy, CURLOPT_SSLKEY_BLOB, c, CREDENTIALS_KEY);
	else if (fine && e->cert_file)
		/* The certificate's file has both. */
		fine = set_blob(easy, CURLOPT_SSLKEY_BLOB, c, CREDENTIALS_CERT);
	return fine ? 0 : -ENOMEM;
}

int pager_request_init(struct pager_request *q, const struct settings_endpoint *endpoint,
		       const char *version)
{
	_cleanup_free_ char *user_agent = NULL;
	char trouble[REQUEST_ERROR_SIZE];
	int r;

	*q = (struct pager_request){
		.endpoint = endpoint,
		.format = page_format_find(endpoint->format ? endpoint->format : "generic"),
	};
	if (!q->format || !endpoint->url)
		return -EINVAL;
	r = credentials_load(endpoint, trouble, sizeof trouble, &q->credentials);
	if (r < 0)
		return r == -ENOMEM ? r : -EINVAL;
	r = url_take_apart(q, endpoint->url);
	if (r < 0)
		return r;
	if (asprintf(&user_agent, "tocsin/%s", version) < 0) {
		user_agent = NULL;
		return -ENOMEM;
	}
	q->easy = curl_easy_init();
	if (!q->easy || !set_address(q->easy, endpoint, q->host, user_agent) ||
	    !set_manners(q->easy, endpoint) || !pager_sockets_serve(&q->sockets, q->easy) ||
	    !pager_request_listen(q))
		return -ENOMEM;
	return set_tls(q->easy, endpoint, q->credentials);
}

/* A header may hold the token: it goes as it came. */
static void headers_forget(struct pager_request *q)
{
	for (struct curl_slist *l = q->headers; l; l = l->next)
		explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(q->headers);
	q->headers = NULL;
}

void pager_request_forget(struct pager_request *q)
{
	headers_forget(q);
	free(q->body);
	q->body = NULL;
	text_buffer_done(&q->answer);
	q->answer.failed = false;
	q->head_bytes = 0;
	text_buffer_done(&q->retry_after);
	q->retry_after.failed = false;
	q->date[0] = 0;
	q->status_seen = q->head_ended = false;
	q->error[0] = 0;
}

void pager_request_done(struct pager_request *q)
{
	curl_easy_cleanup(q->easy);
	q->easy = NULL;
	pager_request_forget(q);
	credentials_free(q->credentials);
	q->credentials = NULL;
	free(q->host);
	q->host = NULL;
	for (unsigned i = 0; i < REQUEST_SECRETS; i++) {
		free(q->hidden[i]);
		q->hidden[i] = NULL;
	}
}

static bool header_add(struct curl_slist **list, const char *name, const char *value)
{
	char line[HEADER_SIZE];
	int n = snprintf(line, sizeof line, "%s: %s", name, value);
	struct curl_slist *longer;

	if (n < 0 || (size_t)n >= sizeof line)
		return false;
	longer = curl_slist_append(*list, line);
	if (!longer)
		return false;
	*list = longer;
	return true;
}

static bool token_add(struct pager_request *q)
{
	static const char name[] = "Authorization: Bearer ";
	char line[sizeof name + CREDENTIALS_TOKEN_MAX];
	const char *token = credentials_token(q->credentials);
	struct curl_slist *longer;

	if (!token)
		return true;
	snprintf(line, sizeof line, "%s%s", name, token);
	longer = curl_slist_append(q->headers, line);
	explicit_bzero(line, sizeof line);
	if (longer)
		q->headers = longer;
	return longer;
}

static bool headers_make(struct pager_request *q, const struct page *page, uint64_t timestamp_s,
			 size_t len)
{
	const struct signature_secrets *secrets = credentials_secrets(q->credentials);
	char stamp[24], signature[SIGNATURE_SIZE];
	struct curl_slist **l = &q->headers;
	/* Waiting for a "100 Continue" costs a round trip; a name without a value takes it out. */
	struct curl_slist *expect = curl_slist_append(NULL, "Expect:");

	if (!expect)
		return false;
	*l = expect;
	snprintf(stamp, sizeof stamp, "%" PRIu64, timestamp_s);
	if (!header_add(l, "Content-Type", q->format->content_type) ||
	    !header_add(l, "webhook-id", page->id) || !header_add(l, "webhook-timestamp", stamp) ||
	    !token_add(q))
		return false;
	if (secrets->n == 0)
		return true;
	signature_make(secrets, page->id, timestamp_s, q->body, len, signature);
	return header_add(l, "webhook-signature", signature);
}

int pager_request_prepare(struct pager_request *q, const struct page *page, bool minimal,
			  uint64_t wall_ns, char trouble[static REQUEST_ERROR_SIZE])
{
	bool tls;
	size_t len;
	int r;

	pager_request_forget(q);
	trouble[0] = 0;
	credentials_refresh(q->credentials, &tls, trouble, REQUEST_ERROR_SIZE);
	q->stale |= tls;
	/* A key alone may have changed, which libcurl does not compare. Nor does it see that the
	 * host has closed a kept connection and has the number for something else by now, which
	 * would take the page and never answer. */
	bool fresh = q->stale || q->fresh || !pager_sockets_are_ours(&q->sockets);
	if (!SET(q->easy, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L) ||
	    !SET(q->easy, CURLOPT_FORBID_REUSE, 0L))
		return -ENOMEM;
	if (q->stale) {
		r = set_tls(q->easy, q->endpoint, q->credentials);
		if (r < 0)
			return r;
		q->stale = false;
	}
	r = q->format->render(page, minimal, page_late_ns(page, wall_ns, clock_monotonic_ns()),
			      &q->body, &len);
	if (r < 0)
		return r;
	if (!headers_make(q, page, wall_ns / NS_PER_S, len) ||
	    !SET(q->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len) ||
	    !SET(q->easy, CURLOPT_POSTFIELDS, q->body) ||
	    !SET(q->easy, CURLOPT_HTTPHEADER, q->headers))
		return -ENOMEM;
	return 0;
}

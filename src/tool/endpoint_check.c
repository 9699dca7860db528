/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/endpoint_check.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "post/pager_request.h"

#define END_LABEL "Expire date:"

DEFINE_CLEANUP(CURLU *, curl_url_cleanup, cleanup_curlu)

static int url_show(const char *text, char *ret, size_t size)
{
	_cleanup_(cleanup_curlu) CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL, *port = NULL;
	int r = -ENOMEM;

	if (u && curl_url_set(u, CURLUPART_URL, text, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
		snprintf(ret, size, "%s://%s:%s", scheme, host, port);
		r = 0;
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	return r;
}

/* Of the first certificate it showed, which is its own. */
static uint64_t certificate_end_ns(CURL *easy)
{
	struct curl_certinfo *info = NULL;

	if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
	    info->num_of_certs < 1)
		return 0;
	for (const struct curl_slist *l = info->certinfo[0]; l; l = l->next) {
		if (strncmp(l->data, END_LABEL, sizeof(END_LABEL) - 1) != 0)
			continue;
		time_t end = curl_getdate(l->data + sizeof(END_LABEL) - 1, NULL);
		return end > 0 ? (uint64_t)end * NS_PER_S : 0;
	}
	return 0;
}

/*
 * A question that posts nothing, with an answer of whatever status: a connection alone proves
 * little. From TLS 1.3 on a receiver refuses our certificate only after it, and one that speaks TLS
 * alone answers a plain request with a complaint.
 */
static bool request_prepare(CURL *easy)
{
	return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "OPTIONS") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK;
}

static int request_try(struct pager_request *q, struct endpoint_report *ret)
{
	struct pager_answer answer;
	CURLcode code;

	if (!request_prepare(q->easy))
		return -ENOMEM;
	/* Not every libcurl has it; then the end is not known. */
	curl_easy_setopt(q->easy, CURLOPT_CERTINFO, 1L);
	code = curl_easy_perform(q->easy);
	ret->until_ns = certificate_end_ns(q->easy);
	bool answered = q->head_ended;
	pager_request_finish(q, code, clock_realtime_ns(), &answer);
	ret->unverified = answer.unverified;
	ret->reached = answered && !answer.unverified;
	if (ret->unverified && answered)
		snprintf(ret->trouble, sizeof(ret->trouble),
			 "%s: it answers %ld, about the certificate or TLS", q->host,
			 answer.http_status);
	else if (!ret->reached)
		snprintf(ret->trouble, sizeof(ret->trouble), "%s", answer.error);
	return 0;
}

int endpoint_check(const struct settings_endpoint *e, struct endpoint_report *ret)
{
	struct endpoint_report report = { 0 };
	struct pager_request q;
	int r = url_show(e->url, report.shown, sizeof(report.shown));

	if (r < 0)
		return r;
	r = pager_request_init(&q, e, PACKAGE_VERSION);
	if (r == 0)
		r = request_try(&q, &report);
	else if (r == -EINVAL)
		snprintf(report.trouble, sizeof(report.trouble), "its settings cannot be used");
	pager_request_done(&q);
	if (r == -ENOMEM)
		return r;
	*ret = report;
	return 0;
}

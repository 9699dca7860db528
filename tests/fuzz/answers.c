/* SPDX-License-Identifier: MIT */
/*
 * What a receiver answers. libcurl is left out: what the request gives it to call is called with
 * the lines of the input's head and pieces of its body. The input: a byte for how libcurl ends the
 * attempt, one for the size of the pieces, and the answer. A first byte of 255 has the rest taken
 * for a Retry-After and, behind a NUL, a Date.
 */
#include "config.h"
#include "fuzz.h"

#include <stdarg.h>

#include "base/moment.h"
#include "post/pager.h"
#include "post/pager_request.h"
#include "post/retry.h"

#define NOW_NS (UINT64_C(1785750000) * NS_PER_S)
#define SECRET "secret-token"

typedef size_t take(char *bytes, size_t size, size_t n, void *userdata);

/* What the request has set, and what it will be told. */
static struct {
	take *head, *body;
	long status, proxy_status;
} wire;

CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLcode __wrap_curl_easy_getinfo(CURL *easy, CURLINFO info, ...);

CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
	va_list ap;

	(void)easy;
	va_start(ap, option);
	if (option == CURLOPT_HEADERFUNCTION)
		wire.head = va_arg(ap, take *);
	else if (option == CURLOPT_WRITEFUNCTION)
		wire.body = va_arg(ap, take *);
	va_end(ap);
	return CURLE_OK;
}

CURLcode __wrap_curl_easy_getinfo(CURL *easy, CURLINFO info, ...)
{
	va_list ap;

	(void)easy;
	va_start(ap, info);
	if (info == CURLINFO_RESPONSE_CODE)
		*va_arg(ap, long *) = wire.status;
	else if (info == CURLINFO_HTTP_CONNECTCODE)
		*va_arg(ap, long *) = wire.proxy_status;
	va_end(ap);
	return CURLE_OK;
}

/* As libcurl does: callbacks must not keep what they are given. */
static bool hand_over(take *to, struct pager_request *q, tocsin_str bytes)
{
	char *copy = exact_copy(bytes.ptr, bytes.len);
	size_t taken = to(copy, 1, bytes.len, q);

	free(copy);
	return taken == bytes.len;
}

/* The next line with its end. */
static tocsin_str line_next(struct input *in)
{
	const void *end = in->left > 0 ? memchr(in->at, '\n', in->left) : NULL;

	return input_bytes(in, end ? (size_t)((const uint8_t *)end - in->at) + 1 : in->left);
}

static long status_of(tocsin_str line)
{
	char text[16] = "";
	int major, minor;
	long status = 0;

	memcpy(text, line.ptr, line.len < sizeof text - 1 ? line.len : sizeof text - 1);
	return sscanf(text, "HTTP/%1d.%1d %3ld", &major, &minor, &status) == 3 ? status : 0;
}

/* The head, and those of "100 Continue" before it. False: the request ends the attempt. */
static bool head_give(struct pager_request *q, struct input *in)
{
	while (in->left > 0) {
		tocsin_str line = line_next(in);

		if (status_of(line) > 0)
			wire.status = status_of(line);
		if (!hand_over(wire.head, q, line))
			return false;
		if (line.len <= 2 && (wire.status < 100 || wire.status >= 200))
			break;
	}
	return true;
}

static bool body_give(struct pager_request *q, struct input *in, size_t piece)
{
	while (in->left > 0)
		if (!hand_over(wire.body, q, input_bytes(in, piece)))
			return false;
	return true;
}

static void decision_must(const struct pager_answer *a, bool minimal)
{
	struct retry_outcome o = {
		.taken = a->taken,
		.http_status = a->http_status,
		.unverified = a->unverified,
		.minimal = minimal,
		.retry_after_ns = a->retry_after_ns,
	};
	struct retry_decision d = retry_decide(&o, 3, 300 * NS_PER_S, 12345);

	MUST((d.verdict == RETRY_DELIVERED) == a->taken);
	MUST(d.delay_ns <= RETRY_AFTER_MAX_NS);
	MUST((d.verdict == RETRY_AGAIN || d.verdict == RETRY_PARK) == (d.delay_ns > 0));
	MUST(d.verdict != RETRY_DEAD || minimal);
}

static void answer(CURLcode code, struct input *in)
{
	static char host[] = "receiver.example", hidden[] = SECRET;
	struct pager_request q = {
		.format = page_format_find("generic"),
		.easy = &wire,
		.host = host,
		.hidden = { hidden },
	};
	size_t piece = 1 + (size_t)64 * input_byte(in);
	struct pager_answer a;

	wire.status = wire.proxy_status = 0;
	MUST(pager_request_listen(&q) && wire.head && wire.body);
	if (code != CURLE_OK)
		snprintf(q.error, sizeof q.error, "%.*s", (int)(in->left < 200 ? in->left : 200),
			 in->left > 0 ? (const char *)in->at : "");
	if (code == CURLE_COULDNT_CONNECT)
		wire.proxy_status = 300 + input_byte(in);
	else if (!head_give(&q, in) || !body_give(&q, in, piece))
		code = CURLE_WRITE_ERROR;
	MUST(q.answer.len <= PAGER_ANSWER_MAX && q.head_bytes <= PAGER_ANSWER_MAX);
	bool whole = q.head_ended;
	pager_request_finish(&q, code, NOW_NS, &a);
	MUST(!a.taken || (whole && wire.status >= 200 && wire.status <= 299));
	MUST(a.taken == (a.error[0] == 0) && is_one_line(a.error));
	MUST(!strstr(a.error, SECRET));
	MUST(a.retry_after_ns <= RETRY_AFTER_MAX_NS);
	decision_must(&a, false);
	decision_must(&a, true);
}

static void retry_after(const struct input *in)
{
	_cleanup_free_ char *value = str_dup((tocsin_str){ (const char *)in->at, in->left });
	size_t len;

	MUST(value);
	len = strlen(value);
	MUST(retry_after_parse(value, NULL, NOW_NS) <= RETRY_AFTER_MAX_NS);
	if (len < in->left)
		MUST(retry_after_parse(value, value + len + 1, NOW_NS) <= RETRY_AFTER_MAX_NS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t how = input_byte(&in);

	if (how == 255)
		retry_after(&in);
	else
		answer((CURLcode)(how % CURL_LAST), &in);
	return 0;
}

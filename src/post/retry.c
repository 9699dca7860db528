/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "post/retry.h"

#include <curl/curl.h>
#include <string.h>
#include <time.h>

static uint64_t delay_most(unsigned failures)
{
	uint64_t most = RETRY_BASE_NS;

	for (unsigned i = 1; i < failures && most < RETRY_CAP_NS; i++)
		most *= 2;
	return most < RETRY_CAP_NS ? most : RETRY_CAP_NS;
}

/* What the answers mean that do not mean "again". */
static const struct {
	int from, to; /* statuses */
	enum retry_verdict verdict;
} meanings[] = {
	{ 300, 399, RETRY_PARK },    { 400, 400, RETRY_MINIMAL }, { 401, 401, RETRY_PARK },
	{ 403, 405, RETRY_PARK },    { 407, 407, RETRY_PARK },    { 410, 410, RETRY_PARK },
	{ 413, 413, RETRY_MINIMAL }, { 415, 415, RETRY_MINIMAL }, { 422, 422, RETRY_MINIMAL },
	{ 426, 426, RETRY_PARK },
};

/* RETRY_MINIMAL: the receiver called the page malformed. */
static enum retry_verdict meaning(const struct retry_outcome *o)
{
	if (o->taken)
		return RETRY_DELIVERED;
	if (o->unverified)
		return RETRY_PARK;
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (o->http_status >= meanings[i].from && o->http_status <= meanings[i].to)
			return meanings[i].verdict;
	return RETRY_AGAIN;
}

bool retry_is_refusal(const struct retry_outcome *o)
{
	return meaning(o) == RETRY_MINIMAL;
}

static enum retry_verdict verdict_on(const struct retry_outcome *o)
{
	if (!retry_is_refusal(o))
		return meaning(o);
	if (o->witness)
		return RETRY_PARK;
	if (!o->minimal)
		return RETRY_MINIMAL;
	if (o->others_taken)
		return RETRY_DEAD;
	return o->alone ? RETRY_PARK : RETRY_NEXT;
}

struct retry_decision retry_decide(const struct retry_outcome *o, unsigned failures,
				   uint64_t park_retry_ns, uint64_t random)
{
	struct retry_decision d = { .verdict = verdict_on(o) };
	uint64_t floor_ns =
		o->retry_after_ns < RETRY_AFTER_MAX_NS ? o->retry_after_ns : RETRY_AFTER_MAX_NS;

	if (d.verdict == RETRY_PARK)
		d.delay_ns = park_retry_ns;
	if (d.verdict != RETRY_AGAIN)
		return d;
	/* The remainder favours short delays by less than one part in 10^8. */
	d.delay_ns = random % delay_most(failures) + 1;
	if (d.delay_ns < floor_ns)
		d.delay_ns = floor_ns;
	return d;
}

static uint64_t seconds_ns(uint64_t seconds)
{
	const uint64_t second_ns = UINT64_C(1000000000);

	return seconds < RETRY_AFTER_MAX_NS / second_ns ? seconds * second_ns : RETRY_AFTER_MAX_NS;
}

/* "N" or "N.F", behind which *ret_end stands; false: it is no number. At most what is capped. */
static bool number_read(const char *c, const char **ret_end, uint64_t *ret_ns)
{
	uint64_t seconds = 0, ns = 0, digit_ns = UINT64_C(1000000000);
	const char *begin = c;

	for (; *c >= '0' && *c <= '9'; c++)
		if (seconds < RETRY_AFTER_MAX_NS)
			seconds = seconds * 10 + (uint64_t)(*c - '0');
	if (c == begin)
		return false;
	if (*c == '.')
		for (c++; *c >= '0' && *c <= '9'; c++)
			ns += (digit_ns /= 10) * (uint64_t)(*c - '0');
	ns += seconds_ns(seconds);
	*ret_ns = ns < RETRY_AFTER_MAX_NS ? ns : RETRY_AFTER_MAX_NS;
	*ret_end = c;
	return true;
}

/* The longest of a list: a proxy may have put several headers into one. */
static bool numbers_read(const char *value, uint64_t *ret_ns)
{
	uint64_t longest_ns = 0, ns;

	for (const char *c = value;; c++) {
		c += strspn(c, " \t");
		if (!number_read(c, &c, &ns))
			return false;
		longest_ns = ns > longest_ns ? ns : longest_ns;
		c += strspn(c, " \t");
		if (*c != ',' && *c != 0)
			return false;
		if (*c == 0)
			break;
	}
	*ret_ns = longest_ns;
	return true;
}

uint64_t retry_after_parse(const char *value, const char *date, uint64_t now_wall_ns)
{
	uint64_t ns;

	if (numbers_read(value, &ns))
		return ns;
	/* A date begins with the name of its day; what begins like a number is a broken one. */
	if (*value >= '0' && *value <= '9')
		return 0;
	time_t then = curl_getdate(value, NULL);
	time_t now = date ? curl_getdate(date, NULL) : -1;
	if (now < 0)
		now = (time_t)(now_wall_ns / UINT64_C(1000000000));
	return then > now ? seconds_ns((uint64_t)(then - now)) : 0;
}

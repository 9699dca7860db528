/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "pager_fixture.h"

#include <arpa/inet.h>

/* What every answer means, row by row, with a server that gives it. */

#define HOUR_NS (3600 * NS_PER_S)

/* Posts one page to a receiver that answers so, then takes it; the first attempt is returned. */
static struct told answered_once(long step, const char *retry_after, const char *date)
{
	struct http_server *s = http_start(STEPS(step, 200));
	struct desk d;

	s->retry_after = retry_after;
	s->date = date;
	desk_start(&d, s, "/hook");
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_told, 1);
	struct told first = d.told[0];
	if (first.next_ns > NS_PER_S)
		pager_hurry(d.pager, 0);
	desk_wait(&d, &d.n_delivered, 1);
	/* The same page, under the same name. */
	for (unsigned i = 0; i < s->n_seen; i++)
		assert_string_equal(s->seen[i].id, "a-1-feed.raised");
	assert_true(pager_delivered(d.pager) == 1 && pager_pending(d.pager) == 0);
	assert_true(pager_dead(d.pager) == 0 && pager_parked(d.pager) == 0);
	desk_end(&d);
	http_stop(s);
	return first;
}

static void any_2xx_is_a_delivery(void **state)
{
	static const long statuses[] = { 200, 201, 202, 204, 299 };

	(void)state;
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		struct told t = answered_once(statuses[i], NULL, NULL);

		assert_int_equal(t.result, ATTEMPT_DELIVERED);
		assert_int_equal(t.http_status, statuses[i]);
		assert_true(t.next_ns == 0 && t.failing_ns == 0);
		assert_string_equal(t.error, "");
	}
}

static void a_redirect_parks(void **state)
{
	static const long statuses[] = { 300, 301, 302, 303, 307, 308 };

	(void)state;
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		struct told t = answered_once(statuses[i], NULL, NULL);

		assert_int_equal(t.result, ATTEMPT_PARKED);
		assert_int_equal(t.http_status, statuses[i]);
		assert_true(t.next_ns == 20 * NS_PER_MS);
		assert_non_null(strstr(t.error, "redirect"));
	}
}

static void trouble_that_passes_is_tried_again(void **state)
{
	static const long steps[] = { 408, 425, 429, 500, 502, 503, 504, 599, 418, HTTP_DROP };

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct told t = answered_once(steps[i], NULL, NULL);

		assert_int_equal(t.result, ATTEMPT_RETRY);
		assert_int_equal(t.http_status, steps[i] > 0 ? steps[i] : 0);
		assert_true(t.next_ns > 0 && t.next_ns <= RETRY_BASE_NS);
		assert_true(t.failing_ns > 0);
		assert_true(strlen(t.error) > strlen("127.0.0.1: "));
	}
}

/* A port on loopback where nobody listens, because it is ours and only bound. */
static int port_of_nobody(unsigned *ret)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*ret = ntohs(a.sin_port);
	return fd;
}

static void where_nobody_listens_it_is_tried_again(void **state)
{
	struct desk d;
	char url[64];
	unsigned port;
	int fd = port_of_nobody(&port);

	(void)state;
	snprintf(url, sizeof url, "http://127.0.0.1:%u/hook", port);
	desk_start(&d, NULL, url);
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_told, 2);
	assert_int_equal(d.told[0].result, ATTEMPT_RETRY);
	assert_int_equal(d.told[0].http_status, 0);
	assert_true(d.told[1].failing_ns > d.told[0].failing_ns);
	assert_int_equal(d.told[1].number, 2);
	desk_end(&d);
	close(fd);
}

static void what_the_receiver_asks_for_is_waited_for(void **state)
{
	static const char date[] = "Sun, 06 Nov 1994 08:49:37 GMT";
	static const struct {
		long status;
		const char *retry_after, *date;
		uint64_t least_ns, most_ns;
	} cases[] = {
		{ 429, "7", NULL, 7 * NS_PER_S, 7 * NS_PER_S },
		{ 503, "7", NULL, 7 * NS_PER_S, 7 * NS_PER_S },
		{ 503, "0", NULL, 1, RETRY_BASE_NS },
		{ 503, "2.5", NULL, 2500 * NS_PER_MS, 2500 * NS_PER_MS },
		/* Of several, the longest. */
		{ 503, "2, 7", NULL, 7 * NS_PER_S, 7 * NS_PER_S },
		{ 429, "7\n2", NULL, 7 * NS_PER_S, 7 * NS_PER_S },
		{ 429, "2\nsoon\n7.5\n0", NULL, 7500 * NS_PER_MS, 7500 * NS_PER_MS },
		{ 503, "Sun, 06 Nov 1994 08:51:37 GMT\n7", date, 120 * NS_PER_S, 120 * NS_PER_S },
		{ 503, "121\nSun, 06 Nov 1994 08:51:37 GMT", date, 121 * NS_PER_S, 121 * NS_PER_S },
		{ 503, "tomorrow", NULL, 1, RETRY_BASE_NS },
		{ 503, "99999999999", NULL, HOUR_NS, HOUR_NS },
		{ 503, "Sun, 06 Nov 1994 08:51:37 GMT", date, 120 * NS_PER_S, 120 * NS_PER_S },
		{ 429, "Sun, 06 Nov 1994 08:48:37 GMT", date, 1, RETRY_BASE_NS },
		/* A date that our clock calls long past, and the receiver gave no other. */
		{ 429, "Sun, 06 Nov 1994 08:51:37 GMT", NULL, 1, RETRY_BASE_NS },
		{ 403, "7", NULL, 20 * NS_PER_MS, 20 * NS_PER_MS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct told t = answered_once(cases[i].status, cases[i].retry_after, cases[i].date);

		assert_in_range(t.next_ns, cases[i].least_ns, cases[i].most_ns);
	}
}

static void what_a_person_must_mend_is_parked(void **state)
{
	static const long statuses[] = { 401, 403, 404, 405, 407, 410, 426 };

	(void)state;
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		struct told t = answered_once(statuses[i], NULL, NULL);

		assert_int_equal(t.result, ATTEMPT_PARKED);
		assert_int_equal(t.http_status, statuses[i]);
		assert_true(t.next_ns == 20 * NS_PER_MS);
		assert_true(t.failing_ns > 0);
	}
}

static void a_parked_endpoint_keeps_all_its_pages_and_is_tried_whole(void **state)
{
	struct http_server *s = http_start(STEPS(HTTP_GATE, 401, 200));
	struct delivery *p[3];
	struct desk d;
	char id[32];

	(void)state;
	desk_init(&d);
	desk_add(&d, s, "/hook");
	d.park_retry_ns = HOUR_NS;
	assert_int_equal(desk_open(&d), 0);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(id, sizeof id, "a-%u-feed", i);
		p[i] = fixture_delivery(id, 1, PAGE_RAISED, i + 1);
		assert_int_equal(pager_submit(d.pager, p[i]), 0);
	}
	http_open_gate(s);
	desk_wait(&d, &d.n_told, 2);
	assert_int_equal(d.told[1].result, ATTEMPT_PARKED);
	assert_true(d.told[1].next_ns == HOUR_NS);
	assert_true(pager_parked(d.pager) == 2 && pager_pending(d.pager) == 2);
	assert_true(atomic_load(&p[1]->parked) && atomic_load(&p[2]->parked));
	assert_int_equal(atomic_load(&p[1]->attempts), 1);
	assert_int_equal(atomic_load(&p[1]->http_status), 401);
	assert_int_equal(atomic_load(&p[2]->attempts), 0);
	/* What comes meanwhile is parked too. */
	desk_submit(&d, "b-9-feed", 1, PAGE_RAISED, 9);
	pager_hurry(d.pager, 0);
	desk_wait(&d, &d.n_delivered, 4);
	assert_true(pager_parked(d.pager) == 0);
	assert_false(atomic_load(&p[1]->parked) || atomic_load(&p[2]->parked));
	assert_int_equal(s->n_seen, 5);
	desk_end(&d);
	for (unsigned i = 0; i < 3; i++)
		delivery_unref(p[i]);
	http_stop(s);
}

static json_t *body_data(const struct http_seen *seen, json_t **ret_body)
{
	*ret_body = json_loadb(seen->body, seen->len, 0, NULL);
	return json_object_get(*ret_body, "data");
}

static void what_is_called_malformed_goes_once_more_in_its_minimal_form(void **state)
{
	static const long statuses[] = { 400, 413, 415, 422 };
	static const char *const kept[] = { "alert_id", "code", "priority", "message",
					    "runbook_url" };

	(void)state;
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		struct http_server *s = http_start(STEPS(statuses[i], 503, 200));
		struct desk d;
		json_t *body;

		desk_start(&d, s, "/hook");
		desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
		desk_wait(&d, &d.n_delivered, 1);
		assert_int_equal(s->n_seen, 3);
		assert_int_equal(d.told[0].result, ATTEMPT_RETRY);
		assert_int_equal(d.told[0].http_status, statuses[i]);
		/* At once, and the endpoint is not to blame. */
		assert_true(d.told[0].next_ns == 0 && d.told[0].failing_ns == 0);
		assert_int_equal(d.told[1].result, ATTEMPT_RETRY);
		assert_true(s->seen[1].len < s->seen[0].len);
		/* Minimal it stays. */
		assert_true(s->seen[2].len < s->seen[0].len);
		json_t *data = body_data(&s->seen[1], &body);
		for (size_t k = 0; k < sizeof kept / sizeof *kept; k++)
			assert_non_null(json_object_get(data, kept[k]));
		assert_null(json_object_get(data, "metadata"));
		json_decref(body);
		assert_string_equal(s->seen[1].id, "a-1-feed.raised");
		desk_end(&d);
		http_stop(s);
	}
}

static void a_dead_page_ends_and_its_resolution_goes(void **state)
{
	struct http_server *s = http_start(STEPS(HTTP_GATE, 400, 422, 200));
	struct delivery *p = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 2);
	struct desk d;

	(void)state;
	desk_start(&d, s, "/hook");
	desk_submit(&d, "x-1-feed", 1, PAGE_RAISED, 1);
	http_wait_seen(s, 1);
	assert_int_equal(pager_submit(d.pager, p), 0);
	desk_submit(&d, "a-1-feed", 1, PAGE_RESOLVED, 3);
	desk_submit(&d, "b-2-feed", 1, PAGE_RAISED, 4);
	http_open_gate(s);
	desk_wait(&d, &d.n_delivered, 3);
	assert_int_equal(s->n_seen, 5);
	assert_int_equal(d.told[4].result, ATTEMPT_DEAD);
	assert_string_equal(d.told[4].id, "a-1-feed.raised");
	assert_int_equal(d.told[4].http_status, 422);
	assert_int_equal(d.told[4].number, 2);
	assert_string_equal(d.told[4].error, "127.0.0.1: answered 422");
	assert_true(d.told[4].failing_ns == 0);
	assert_int_equal(fixture_flags(p), DELIVERY_DEAD);
	assert_string_equal(s->seen[3].id, "b-2-feed.raised");
	assert_string_equal(s->seen[4].id, "a-1-feed.resolved");
	assert_true(pager_dead(d.pager) == 1 && pager_delivered(d.pager) == 3);
	assert_true(pager_pending(d.pager) == 0 && pager_failures(d.pager) == 2);
	assert_true(pager_failing_since(d.pager, 0) == 0);
	desk_end(&d);
	assert_int_equal(atomic_load(&p->references), 1);
	delivery_unref(p);
	http_stop(s);
}

/*
 * What becomes of pages a, b, c, ..., each of its own incident, that all wait when the endpoint
 * answers the first time. Parked, it is not tried again unless the step is written with a +, for a
 * page more, or with a !, for being hurried.
 */
static const struct {
	unsigned n_pages;
	const char *steps, *told;
} trials[] = {
	{ 2, "400 400 200", "a:retry a:retry b:delivered a:dead" },
	{ 2, "413 422 202", "a:retry a:retry b:delivered a:dead" },
	{ 2, "400 415 299", "a:retry a:retry b:delivered a:dead" },
	{ 1, "400 200", "a:retry a:delivered" },
	/* One alone, or two: it may be the endpoint. */
	{ 1, "400 400", "a:retry a:parked" },
	{ 2, "400 400 400", "a:retry a:retry b:parked" },
	{ 2, "422 422 413", "a:retry a:retry b:parked" },
	{ 3, "400 400 400", "a:retry a:retry b:parked" },
	/* Mended, all have what they had. */
	{ 1, "400 400 !200", "a:retry a:parked a:delivered" },
	{ 2, "400 400 400 !200 200", "a:retry a:retry b:parked b:delivered a:delivered" },
	{ 3, "400 400 400 !200 200 200",
	  "a:retry a:retry b:parked c:delivered a:delivered b:delivered" },
	{ 1, "400 400 +200 200", "a:retry a:parked b:delivered a:delivered" },
	/* The next one shows what it is, though it comes later. */
	{ 1, "400 400 +200 400 400", "a:retry a:parked b:delivered a:retry a:dead" },
	{ 1, "400 400 +400", "a:retry a:parked b:parked" },
	{ 1, "400 400 !400 400 +200 400 400",
	  "a:retry a:parked a:retry a:parked b:delivered a:retry a:dead" },
	/* Those that are refused for their own sake, every other one. */
	{ 4, "400 400 200 400 400 200",
	  "a:retry a:retry b:delivered a:dead c:retry c:retry d:delivered c:dead" },
	{ 3, "400 400 400 !400 400 200 400 400 400 400",
	  "a:retry a:retry b:parked c:retry c:retry b:delivered a:retry a:dead c:retry c:dead" },
	/* Something else comes between: then nothing is proven. */
	{ 2, "400 401", "a:retry a:parked" },
	{ 2, "400 400 403", "a:retry a:retry b:parked" },
	{ 2, "400 400 403 !200 200", "a:retry a:retry b:parked b:delivered a:delivered" },
	{ 2, "400 400 503 400 200", "a:retry a:retry b:retry a:retry b:delivered a:dead" },
	{ 2, "400 503 400 200", "a:retry a:retry a:retry b:delivered a:dead" },
	/* By turns, so that one that is never taken blocks nothing. */
	{ 3, "403 !403 !403 !403 !200 200 200",
	  "a:parked b:parked c:parked a:parked b:delivered a:delivered c:delivered" },
};

static unsigned steps_read(const char *text, long *ret, char *ret_acts)
{
	unsigned n = 0;

	while (*text) {
		ret_acts[n] = *text == '+' || *text == '!' ? *text++ : ' ';
		ret[n++] = strtol(text, (char **)(uintptr_t)&text, 10);
		text += *text == ' ';
	}
	return n;
}

static void told_write(struct desk *d, unsigned from, char *ret, size_t size)
{
	static const char *const results[] = { "delivered", "retry", "parked", "dead" };
	size_t len = 0;

	ret[0] = 0;
	for (unsigned i = from; i < d->n_told && len < size; i++)
		len += (size_t)snprintf(ret + len, size - len, "%s%c:%s", i > from ? " " : "",
					d->told[i].id[0], results[d->told[i].result]);
}

static unsigned words_in(const char *text)
{
	unsigned n = 1;

	for (; *text; text++)
		n += *text == ' ';
	return n;
}

static void whose_fault_a_refusal_is_the_next_page_shows(void **state)
{
	char id[] = "x-1-feed", acts[32], told[512];
	long steps[33] = { HTTP_GATE };

	(void)state;
	for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
		unsigned n = steps_read(trials[i].steps, steps + 1, acts);
		unsigned pages = 0;
		struct http_server *s = http_start(steps, n + 1);
		struct desk d;

		desk_init(&d);
		desk_add(&d, s, "/hook");
		d.park_retry_ns = HOUR_NS;
		assert_int_equal(desk_open(&d), 0);
		desk_submit(&d, "x-1-feed", 1, PAGE_RAISED, 1);
		http_wait_seen(s, 1);
		for (; pages < trials[i].n_pages; pages++) {
			id[0] = (char)('a' + pages);
			desk_submit(&d, id, 1, PAGE_RAISED, 2 + pages);
		}
		http_open_gate(s);
		for (unsigned k = 0; k < n; k++) {
			if (acts[k] == ' ')
				continue;
			/* What comes before is over. */
			desk_wait(&d, &d.n_told, 1 + k);
			if (acts[k] == '!')
				pager_hurry(d.pager, 0);
			id[0] = (char)('a' + pages);
			if (acts[k] == '+')
				desk_submit(&d, id, 1, PAGE_RAISED, 2 + pages++);
		}
		desk_wait(&d, &d.n_told, 1 + words_in(trials[i].told));
		pthread_mutex_lock(&d.mutex);
		told_write(&d, 1, told, sizeof told);
		pthread_mutex_unlock(&d.mutex);
		assert_string_equal(told, trials[i].told);
		desk_end(&d);
		/* Nothing else was asked. */
		assert_int_equal(s->n_seen, 1 + n);
		http_stop(s);
	}
}

static void a_parked_page_goes_whole_once_it_is_mended(void **state)
{
	struct http_server *s = http_start(STEPS(HTTP_GATE, 400, 400, 400, 200));
	struct desk d;

	(void)state;
	desk_init(&d);
	desk_add(&d, s, "/hook");
	d.park_retry_ns = HOUR_NS;
	assert_int_equal(desk_open(&d), 0);
	desk_submit(&d, "x-1-feed", 1, PAGE_RAISED, 1);
	http_wait_seen(s, 1);
	desk_submit(&d, "a-2-feed", 1, PAGE_RAISED, 2);
	desk_submit(&d, "b-3-feed", 1, PAGE_RAISED, 3);
	http_open_gate(s);
	desk_wait(&d, &d.n_told, 4);
	assert_int_equal(d.told[3].result, ATTEMPT_PARKED);
	assert_true(d.told[3].failing_ns > 0 && d.told[3].next_ns == HOUR_NS);
	assert_true(pager_parked(d.pager) == 2 && pager_dead(d.pager) == 0);
	pager_hurry(d.pager, 0);
	desk_wait(&d, &d.n_delivered, 3);
	assert_true(s->seen[4].len > s->seen[2].len && s->seen[5].len > s->seen[2].len);
	desk_end(&d);
	http_stop(s);
}

static void no_resolution_goes_before_a_raising_in_doubt(void **state)
{
	struct http_server *s = http_start(STEPS(HTTP_GATE, 400, 400, 200));
	struct desk d;

	(void)state;
	desk_init(&d);
	desk_add(&d, s, "/hook");
	d.park_retry_ns = HOUR_NS;
	assert_int_equal(desk_open(&d), 0);
	desk_submit(&d, "x-1-feed", 1, PAGE_RAISED, 1);
	http_wait_seen(s, 1);
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 2);
	desk_submit(&d, "a-1-feed", 1, PAGE_RESOLVED, 3);
	http_open_gate(s);
	/* It is no witness. */
	desk_wait(&d, &d.n_told, 3);
	assert_int_equal(d.told[2].result, ATTEMPT_PARKED);
	desk_submit(&d, "a-1-feed", 1, PAGE_REPEAT, 4);
	desk_submit(&d, "b-2-feed", 1, PAGE_RAISED, 5);
	desk_wait(&d, &d.n_delivered, 5);
	assert_string_equal(s->seen[3].id, "b-2-feed.raised");
	assert_string_equal(s->seen[4].id, "a-1-feed.raised");
	assert_string_equal(s->seen[6].id, "a-1-feed.resolved");
	desk_end(&d);
	http_stop(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_2xx_is_a_delivery),
		cmocka_unit_test(a_redirect_parks),
		cmocka_unit_test(trouble_that_passes_is_tried_again),
		cmocka_unit_test(where_nobody_listens_it_is_tried_again),
		cmocka_unit_test(what_the_receiver_asks_for_is_waited_for),
		cmocka_unit_test(what_a_person_must_mend_is_parked),
		cmocka_unit_test(a_parked_endpoint_keeps_all_its_pages_and_is_tried_whole),
		cmocka_unit_test(what_is_called_malformed_goes_once_more_in_its_minimal_form),
		cmocka_unit_test(a_dead_page_ends_and_its_resolution_goes),
		cmocka_unit_test(whose_fault_a_refusal_is_the_next_page_shows),
		cmocka_unit_test(a_parked_page_goes_whole_once_it_is_mended),
		cmocka_unit_test(no_resolution_goes_before_a_raising_in_doubt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

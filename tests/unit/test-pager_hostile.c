/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "pager_fixture.h"

#include <poll.h>

/* A receiver that says what no server library lets one say. */
struct raw {
	int listener, stop[2];
	unsigned port;
	const char *answer; /* of every request, whole; "" = none */
	size_t repeat;      /* so often */
	enum { CLOSES, RESETS, STAYS, DRIPS } then;
	atomic_uint n_requests;
	pthread_t thread;
};

static bool raw_is_stopped(const struct raw *r, int fd)
{
	struct pollfd p[2] = { { fd, POLLIN, 0 }, { r->stop[0], POLLIN, 0 } };

	while (poll(p, 2, -1) < 0)
		;
	return p[1].revents != 0;
}

/* A byte now and then, until the other side gives up. */
static void raw_drip(const struct raw *r, int fd)
{
	struct pollfd p = { r->stop[0], POLLIN, 0 };

	while (poll(&p, 1, 20) <= 0 && send(fd, ".", 1, MSG_NOSIGNAL) == 1)
		;
}

static void raw_end(const struct raw *r, int fd)
{
	const struct linger at_once = { .l_onoff = 1 };
	char bytes[1024];

	if (r->then == DRIPS)
		raw_drip(r, fd);
	while (r->then == STAYS && !raw_is_stopped(r, fd) && recv(fd, bytes, sizeof bytes, 0) > 0)
		;
	if (r->then == RESETS)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	else
		shutdown(fd, SHUT_WR);
}

/* A request is small enough to come at once. */
static void raw_answer(struct raw *r, int fd)
{
	char request[16384];

	if (raw_is_stopped(r, fd) || recv(fd, request, sizeof request, 0) <= 0)
		return;
	atomic_fetch_add(&r->n_requests, 1);
	for (size_t i = 0; i < r->repeat; i++)
		if (send(fd, r->answer, strlen(r->answer), MSG_NOSIGNAL) < 0)
			return;
	raw_end(r, fd);
}

static void *raw_main(void *arg)
{
	struct raw *r = arg;

	while (!raw_is_stopped(r, r->listener)) {
		int fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		raw_answer(r, fd);
		close(fd);
	}
	return NULL;
}

static void raw_start(struct raw *r)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof a;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(r->listener, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(r->listener, 16), 0);
	assert_int_equal(getsockname(r->listener, (struct sockaddr *)&a, &len), 0);
	r->port = ntohs(a.sin_port);
	assert_int_equal(pipe2(r->stop, O_CLOEXEC), 0);
	assert_int_equal(pthread_create(&r->thread, NULL, raw_main, r), 0);
}

static void raw_stop(struct raw *r)
{
	close(r->stop[1]);
	pthread_join(r->thread, NULL);
	close(r->stop[0]);
	close(r->listener);
}

/* What the first attempt comes to. */
static struct told first_attempt(const struct raw *r)
{
	struct desk d;
	char url[64];

	snprintf(url, sizeof url, "http://127.0.0.1:%u/T0K3N", r->port);
	desk_init(&d);
	desk_add(&d, NULL, url);
	assert_int_equal(desk_open(&d), 0);
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_told, 1);
	struct told t = d.told[0];
	desk_end(&d);
	assert_null(strstr(t.error, "T0K3N"));
	assert_null(strchr(t.error, '\n'));
	assert_null(strchr(t.error, 27));
	return t;
}

static void what_is_no_whole_answer_is_tried_again(void **state)
{
	static const struct {
		const char *answer;
		size_t repeat;
	} cases[] = {
		{ "", 1 },
		{ "HTTP/1.1 200 OK\r\nContent-Le", 1 },
		{ "HTTP/1.1 200 OK\r\n", 1 },
		{ "HTTP/1.1 100 Continue\r\n\r\n", 1 },
		{ "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nX", 1 },
		{ "HTTP/1.1 2000 OK\r\n\r\n", 1 },
		{ "SSH-2.0-OpenSSH_9.2\r\n", 1 },
		{ "\x1b[31mT0K3N\r\n", 1 },
		{ "HTTP/1.1 200 OK\r\nX: T0K3N\x1b[31m\r\n", 100000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct raw r = { .answer = cases[i].answer, .repeat = cases[i].repeat };

		raw_start(&r);
		struct told t = first_attempt(&r);
		assert_int_equal(t.result, ATTEMPT_RETRY);
		assert_true(t.next_ns > 0);
		assert_true(strlen(t.error) > strlen("127.0.0.1: "));
		raw_stop(&r);
	}
}

/* What can be wrong with an answer behind its status. */
static const struct rest {
	const char *text;
	size_t repeat; /* of the text behind the head; 0: none */
	int then;
} rests[] = {
	{ "\r\n", 0, CLOSES },
	{ "Content-Length: 100\r\n\r\nhalf of it", 0, CLOSES },
	{ "Content-Length: 100\r\n\r\nhalf of it", 0, RESETS },
	{ "Content-Length: 100\r\n\r\nhalf of it", 0, STAYS },
	{ "Content-Length: 100\r\n\r\nhalf of it", 0, DRIPS },
	{ "Content-Length: 100\r\n\r\n", 0, STAYS },
	{ "Content-Length: 2\r\n\r\nmore than that", 0, CLOSES },
	{ "Content-Length: 99999999999999999999999999\r\n\r\nx", 0, CLOSES },
	{ "Content-Length: -5\r\n\r\nx", 0, CLOSES },
	{ "Content-Length: many\r\n\r\nx", 0, CLOSES },
	{ "Transfer-Encoding: chunked\r\n\r\nzzz\r\n", 0, CLOSES },
	{ "Transfer-Encoding: chunked\r\n\r\n5\r\nab", 0, RESETS },
	{ "Transfer-Encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n", 0, STAYS },
	{ "Transfer-Encoding: chunked\r\n\r\n0\r\nRetry-After: 9\r\n", 0, DRIPS },
	{ "Transfer-Encoding: gzip\r\n\r\nxxxx", 0, CLOSES },
	{ "Transfer-Encoding: nonsense\r\n\r\nxxxx", 0, CLOSES },
	{ "Content-Encoding: nonsense\r\n\r\nxxxx", 0, CLOSES },
	{ "\r\n", 1000000, CLOSES },
	{ "\r\n", 1000000, STAYS },
	{ "\r\n", 1, DRIPS },
};
#define RESTS (sizeof rests / sizeof *rests)

static void answer_write(char *ret, size_t size, long status, const struct rest *rest)
{
	int n = snprintf(ret, size, "HTTP/1.1 %ld As told\r\n%s", status, rest->text);

	for (size_t i = 0; i < rest->repeat && (size_t)n < size - 1; i++)
		ret[n++] = '.';
	ret[n] = 0;
}

static void a_success_is_one_whatever_becomes_of_its_body(void **state)
{
	static const long statuses[] = { 200, 202, 299 };
	static char answer[1100000];

	(void)state;
	for (size_t i = 0; i < RESTS * 3; i++) {
		struct raw r = { .answer = answer, .repeat = 1, .then = rests[i / 3].then };
		struct desk d;
		char url[64];

		answer_write(answer, sizeof answer, statuses[i % 3], &rests[i / 3]);
		raw_start(&r);
		snprintf(url, sizeof url, "http://127.0.0.1:%u/T0K3N", r.port);
		desk_start(&d, NULL, url);
		/* The first, those behind it and one that finds the connection gone. */
		desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
		desk_submit(&d, "b-2-feed", 1, PAGE_RAISED, 2);
		desk_wait(&d, &d.n_delivered, 2);
		desk_submit(&d, "c-3-feed", 1, PAGE_RAISED, 3);
		desk_wait(&d, &d.n_delivered, 3);
		assert_int_equal(d.n_told, 3);
		for (unsigned t = 0; t < 3; t++) {
			assert_int_equal(d.told[t].http_status, statuses[i % 3]);
			assert_string_equal(d.told[t].error, "");
		}
		desk_end(&d);
		raw_stop(&r);
		assert_int_equal(atomic_load(&r.n_requests), 3);
	}
}

static void a_refusal_is_one_whatever_becomes_of_its_body(void **state)
{
	static const struct {
		long status;
		enum attempt_result result;
	} refusals[] = { { 301, ATTEMPT_PARKED },
			 { 403, ATTEMPT_PARKED },
			 { 429, ATTEMPT_RETRY },
			 { 503, ATTEMPT_RETRY } };
	static char answer[1100000];

	(void)state;
	for (size_t i = 0; i < RESTS * 4; i++) {
		struct raw r = { .answer = answer, .repeat = 1, .then = rests[i / 4].then };

		answer_write(answer, sizeof answer, refusals[i % 4].status, &rests[i / 4]);
		raw_start(&r);
		struct told t = first_attempt(&r);
		assert_int_equal(t.result, refusals[i % 4].result);
		assert_int_equal(t.http_status, refusals[i % 4].status);
		/* What comes behind the body is no part of the head. */
		assert_true(t.next_ns <= RETRY_BASE_NS);
		raw_stop(&r);
	}
}

#define NGINX_400 "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"

static void a_certificate_that_is_missed_is_not_the_fault_of_the_page(void **state)
{
	static const char *const answers[] = {
		NGINX_400 "<title>400 No required SSL certificate was sent</title>",
		NGINX_400 "<title>400 The SSL certificate error</title>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct raw r = { .answer = answers[i], .repeat = 1 };

		raw_start(&r);
		struct told t = first_attempt(&r);
		assert_int_equal(t.result, ATTEMPT_PARKED);
		assert_int_equal(t.http_status, 400);
		raw_stop(&r);
	}
}

/* Another host than loopback, by way of a proxy. */
static struct told by_proxy(const char *answer)
{
	struct raw proxy = { .answer = answer, .repeat = 1 };
	struct desk d;
	char url[64];

	raw_start(&proxy);
	snprintf(url, sizeof url, "http://127.0.0.1:%u", proxy.port);
	desk_proxy = url;
	desk_start(&d, NULL, "https://pager.example/T0K3N");
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_told, 1);
	struct told t = d.told[0];
	desk_end(&d);
	desk_proxy = NULL;
	raw_stop(&proxy);
	assert_null(strstr(t.error, "T0K3N"));
	return t;
}

static void a_proxy_that_wants_a_name_parks(void **state)
{
	struct told t;

	(void)state;
	t = by_proxy("HTTP/1.1 407 Proxy Authentication Required\r\n"
		     "Proxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(t.result, ATTEMPT_PARKED);
	assert_int_equal(t.http_status, 407);
}

static void what_else_a_proxy_says_is_no_word_on_the_page(void **state)
{
	struct told t;

	(void)state;
	t = by_proxy("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(t.result, ATTEMPT_RETRY);
	assert_int_equal(t.http_status, 0);
	assert_true(t.failing_ns > 0);
	t = by_proxy("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(t.result, ATTEMPT_RETRY);
	assert_int_equal(t.http_status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_whole_answer_is_tried_again),
		cmocka_unit_test(a_success_is_one_whatever_becomes_of_its_body),
		cmocka_unit_test(a_refusal_is_one_whatever_becomes_of_its_body),
		cmocka_unit_test(a_certificate_that_is_missed_is_not_the_fault_of_the_page),
		cmocka_unit_test(a_proxy_that_wants_a_name_parks),
		cmocka_unit_test(what_else_a_proxy_says_is_no_word_on_the_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

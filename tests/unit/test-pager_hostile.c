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
	bool stays;         /* and then keeps the connection open */
	pthread_t thread;
};

static bool raw_is_stopped(const struct raw *r, int fd)
{
	struct pollfd p[2] = { { fd, POLLIN, 0 }, { r->stop[0], POLLIN, 0 } };

	while (poll(p, 2, -1) < 0)
		;
	return p[1].revents != 0;
}

/* A request's end is not looked for: what is tested does not hang on it. */
static void raw_answer(const struct raw *r, int fd)
{
	char request[16384];

	if (raw_is_stopped(r, fd) || recv(fd, request, sizeof request, 0) <= 0)
		return;
	for (size_t i = 0; i < r->repeat; i++)
		if (send(fd, r->answer, strlen(r->answer), MSG_NOSIGNAL) < 0)
			return;
	/* Until the other side gives up. */
	while (r->stays && !raw_is_stopped(r, fd) && recv(fd, request, sizeof request, 0) > 0)
		;
}

static void *raw_main(void *arg)
{
	const struct raw *r = arg;

	while (!raw_is_stopped(r, r->listener)) {
		int fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		raw_answer(r, fd);
		shutdown(fd, SHUT_WR);
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
static struct told first_attempt(const struct raw *r, uint64_t timeout_ns)
{
	struct desk d;
	char url[64];

	snprintf(url, sizeof url, "http://127.0.0.1:%u/T0K3N", r->port);
	desk_init(&d);
	desk_add(&d, NULL, url);
	if (timeout_ns > 0)
		d.endpoints[0].timeout_ns = timeout_ns;
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
		{ "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it", 1 },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n", 1 },
		{ "HTTP/1.1 2000 OK\r\n\r\n", 1 },
		{ "SSH-2.0-OpenSSH_9.2\r\n", 1 },
		{ "\x1b[31mT0K3N\r\n", 1 },
		{ "HTTP/1.1 200 OK\r\nX: T0K3N\x1b[31m\r\n", 100000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct raw r = { .answer = cases[i].answer, .repeat = cases[i].repeat };

		raw_start(&r);
		struct told t = first_attempt(&r, 0);
		assert_int_equal(t.result, ATTEMPT_RETRY);
		assert_true(t.next_ns > 0);
		assert_true(strlen(t.error) > strlen("127.0.0.1: "));
		raw_stop(&r);
	}
}

static void a_success_is_one_though_its_body_never_ends(void **state)
{
	struct raw r = {
		.answer = "HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nhalf of it",
		.repeat = 1,
		.stays = true,
	};

	(void)state;
	raw_start(&r);
	struct told t = first_attempt(&r, 200 * NS_PER_MS);
	/* A machine that is slow enough may have missed even the head. */
	if (t.http_status != 0) {
		assert_int_equal(t.result, ATTEMPT_DELIVERED);
		assert_int_equal(t.http_status, 202);
	}
	raw_stop(&r);
}

static void a_refusal_is_one_though_its_body_is_cut(void **state)
{
	struct raw r = {
		.answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nhalf of it",
		.repeat = 1,
	};

	(void)state;
	raw_start(&r);
	struct told t = first_attempt(&r, 0);
	assert_int_equal(t.result, ATTEMPT_PARKED);
	assert_int_equal(t.http_status, 403);
	raw_stop(&r);
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
		struct told t = first_attempt(&r, 0);
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
	setenv("https_proxy", url, 1);
	desk_start(&d, NULL, "https://pager.example/T0K3N");
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_told, 1);
	struct told t = d.told[0];
	desk_end(&d);
	unsetenv("https_proxy");
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
		cmocka_unit_test(a_success_is_one_though_its_body_never_ends),
		cmocka_unit_test(a_refusal_is_one_though_its_body_is_cut),
		cmocka_unit_test(a_certificate_that_is_missed_is_not_the_fault_of_the_page),
		cmocka_unit_test(a_proxy_that_wants_a_name_parks),
		cmocka_unit_test(what_else_a_proxy_says_is_no_word_on_the_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

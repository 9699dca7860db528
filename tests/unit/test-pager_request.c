/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "pager_fixture.h"

#include <errno.h>

#include "post/signature.h"

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static void file_write(const char *path, const char *text)
{
	char fresh[160];

	snprintf(fresh, sizeof fresh, "%s.new", path);
	FILE *file = fopen(fresh, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(rename(fresh, path), 0);
}

static void a_page_is_posted_with_its_headers(void **state)
{
	struct http_server *s = http_start(STEPS(204));
	struct desk d;

	(void)state;
	desk_start(&d, s, "/hook");
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_delivered, 1);
	assert_string_equal(s->seen[0].path, "/hook");
	assert_string_equal(s->seen[0].id, "a-1-feed.raised");
	assert_string_equal(s->seen[0].type, "application/json");
	assert_string_equal(s->seen[0].agent, "tocsin/1.2.3");
	assert_string_equal(s->seen[0].signature, "");
	assert_int_equal(strlen(s->seen[0].timestamp), 10);
	assert_false(s->seen[0].expects);
	json_t *body = json_loadb(s->seen[0].body, s->seen[0].len, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(body, "type")), "alert.raised");
	json_decref(body);
	assert_string_equal(d.told[0].endpoint, "first");
	assert_int_equal(d.told[0].number, 1);
	assert_int_equal(d.told[0].http_status, 204);
	assert_string_equal(d.told[0].error, "");
	assert_true(pager_delivered(d.pager) == 1 && pager_attempts(d.pager) == 1);
	assert_true(pager_failures(d.pager) == 0);
	desk_end(&d);
	http_stop(s);
}

static void a_page_is_signed_with_the_secret(void **state)
{
	const struct test_folder *f = *state;
	struct http_server *s = http_start(STEPS(200));
	struct signature_secrets secrets;
	struct desk d;
	char path[128];
	unsigned line;

	snprintf(path, sizeof path, "%s/secret", f->path);
	file_write(path, SECRET "\n");
	desk_init(&d);
	desk_add(&d, s, "/");
	d.endpoints[0].secret_file = path;
	assert_int_equal(desk_open(&d), 0);
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_delivered, 1);
	assert_int_equal(signature_parse(SECRET, strlen(SECRET), &secrets, &line), 0);
	assert_true(signature_verify(&secrets, s->seen[0].id,
				     strtoull(s->seen[0].timestamp, NULL, 10), s->seen[0].body,
				     s->seen[0].len, s->seen[0].signature));
	desk_end(&d);
	http_stop(s);
}

static void a_token_is_sent_and_read_again_when_it_changes(void **state)
{
	const struct test_folder *f = *state;
	struct http_server *s = http_start(STEPS(200));
	struct desk d;
	char path[128];

	snprintf(path, sizeof path, "%s/token", f->path);
	file_write(path, "first\n");
	desk_init(&d);
	desk_add(&d, s, "/");
	d.endpoints[0].token_file = path;
	assert_int_equal(desk_open(&d), 0);
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_delivered, 1);
	file_write(path, "second\n");
	desk_submit(&d, "b-2-feed", 1, PAGE_RAISED, 2);
	desk_wait(&d, &d.n_delivered, 2);
	assert_int_equal(d.n_troubles, 0);
	file_write(path, "not a token\n");
	desk_submit(&d, "c-3-feed", 1, PAGE_RAISED, 3);
	desk_submit(&d, "d-4-feed", 1, PAGE_RAISED, 4);
	desk_wait(&d, &d.n_delivered, 4);
	assert_string_equal(s->seen[0].auth, "Bearer first");
	assert_string_equal(s->seen[1].auth, "Bearer second");
	assert_string_equal(s->seen[2].auth, "Bearer second");
	assert_string_equal(s->seen[3].auth, "Bearer second");
	assert_int_equal(d.n_troubles, 1);
	assert_null(strstr(d.trouble, "not a token"));
	assert_int_equal(s->n_connections, 1);
	desk_end(&d);
	http_stop(s);
}

/* The one of this process that is connected to the server. */
static int connection_find(const struct http_server *s)
{
	for (int fd = 3; fd < 1024; fd++) {
		struct sockaddr_in peer = { 0 };
		socklen_t len = sizeof peer;

		if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 &&
		    peer.sin_family == AF_INET && ntohs(peer.sin_port) == s->port)
			return fd;
	}
	return -1;
}

static void a_connection_whose_number_is_another_file_is_not_used(void **state)
{
	struct http_server *s = http_start(STEPS(200));
	struct desk d;
	int pair[2];
	char byte;

	(void)state;
	desk_start(&d, s, "/");
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_delivered, 1);
	/* A host that becomes a daemon closes all, and opens its own. */
	int fd = connection_find(s);
	assert_true(fd >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(dup2(pair[0], fd), fd);
	desk_submit(&d, "b-2-feed", 1, PAGE_RAISED, 2);
	desk_wait(&d, &d.n_delivered, 2);
	assert_int_equal(s->n_connections, 2);
	desk_end(&d);
	/* It is the host's: nothing was written to it, and nobody has closed it. */
	assert_int_equal(recv(pair[1], &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(close(fd), 0);
	close(pair[0]);
	close(pair[1]);
	http_stop(s);
}

static void a_redirect_is_not_followed(void **state)
{
	static const long statuses[] = { 301, 302, 303, 307, 308 };

	(void)state;
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		struct http_server *s = http_start(STEPS(statuses[i], 200));
		struct desk d;

		desk_start(&d, s, "/hook");
		desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
		desk_wait(&d, &d.n_delivered, 1);
		assert_int_equal(d.told[0].result, ATTEMPT_PARKED);
		assert_int_equal(d.told[0].http_status, statuses[i]);
		assert_non_null(strstr(d.told[0].error, "redirect"));
		assert_int_equal(s->n_seen, 2);
		assert_string_equal(s->seen[0].path, "/hook");
		assert_string_equal(s->seen[1].path, "/hook");
		desk_end(&d);
		http_stop(s);
	}
}

static void the_request_has_a_limit_of_its_own(void **state)
{
	struct http_server *s = http_start(STEPS(HTTP_HANG, 200));
	struct desk d;

	(void)state;
	desk_init(&d);
	desk_add(&d, s, "/");
	d.endpoints[0].timeout_ns = 50 * NS_PER_MS;
	assert_int_equal(desk_open(&d), 0);
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	/* A slow machine may miss the limit once more. */
	desk_wait(&d, &d.n_delivered, 1);
	assert_int_equal(d.told[0].result, ATTEMPT_RETRY);
	assert_int_equal(d.told[0].http_status, 0);
	desk_end(&d);
	http_stop(s);
}

static void an_endless_answer_is_cut_and_judged_by_its_status(void **state)
{
	struct http_server *s = http_start(STEPS(HTTP_HUGE + 500, HTTP_HUGE + 200, 200));
	struct desk d;

	(void)state;
	desk_start(&d, s, "/");
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_delivered, 1);
	assert_int_equal(d.n_told, 2);
	assert_int_equal(d.told[0].http_status, 500);
	assert_int_equal(d.told[1].http_status, 200);
	desk_end(&d);
	http_stop(s);
}

/* Attempts at a URL where nothing takes a page; the error must name the host and hide the rest. */
static void fails_quietly_at(const char *url, struct told *ret)
{
	struct desk d;

	desk_start(&d, NULL, url);
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_told, 1);
	*ret = d.told[0];
	assert_int_equal(ret->result, ATTEMPT_RETRY);
	assert_null(strstr(ret->error, "T0K3N"));
	assert_null(strstr(ret->error, "pa55"));
	assert_null(strstr(ret->error, "s3cret"));
	assert_null(strchr(ret->error, '\n'));
	desk_end(&d);
}

static void an_error_names_the_host_and_no_secret(void **state)
{
	struct http_server *s = http_start(STEPS(500));
	char url[128];
	struct told t;

	(void)state;
	snprintf(url, sizeof url, "http://pa55:s3cret@127.0.0.1:%u/T0K3N?key=s3cret", s->port);
	fails_quietly_at(url, &t);
	assert_string_equal(t.error, "127.0.0.1: answered 500");
	/* It speaks no TLS. */
	snprintf(url, sizeof url, "https://pa55:s3cret@127.0.0.1:%u/T0K3N?key=s3cret", s->port);
	fails_quietly_at(url, &t);
	assert_int_equal(t.http_status, 0);
	assert_int_equal(strncmp(t.error, "127.0.0.1: ", 11), 0);
	http_stop(s);
	/* And now nobody listens. */
	fails_quietly_at(url, &t);
	assert_int_equal(strncmp(t.error, "127.0.0.1: ", 11), 0);
}

static void only_loopback_is_posted_to_without_encryption(void **state)
{
	static const char *const urls[] = {
		"http://192.0.2.1/T0K3N",    "http://127.0.0.1.example/T0K3N",
		"http://localhost.example/", "ftp://127.0.0.1/T0K3N",
		"file:///etc/passwd",        "gopher://127.0.0.1/T0K3N",
	};
	struct told t;

	(void)state;
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		struct desk d;

		if (strncmp(urls[i], "file", 4) == 0) {
			desk_init(&d);
			desk_add(&d, NULL, urls[i]);
			assert_int_equal(desk_open(&d), -EINVAL);
			desk_done(&d);
			continue;
		}
		fails_quietly_at(urls[i], &t);
		assert_int_equal(t.http_status, 0);
		assert_non_null(strstr(t.error, "rotocol"));
	}
}

static void a_proxy_is_never_asked_for_loopback(void **state)
{
	struct http_server *s = http_start(STEPS(200)), *proxy = http_start(STEPS(200));
	struct desk d;
	char url[64], no_proxy[] = "example.com";

	(void)state;
	snprintf(url, sizeof url, "http://127.0.0.1:%u", proxy->port);
	desk_proxy = url;
	desk_no_proxy = no_proxy;
	desk_start(&d, s, "/");
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_delivered, 1);
	assert_int_equal(s->n_seen, 1);
	assert_int_equal(proxy->n_seen, 0);
	desk_end(&d);
	desk_proxy = desk_no_proxy = NULL;
	http_stop(s);
	http_stop(proxy);
}

/* The host may be changing it at that very moment. */
static void the_environment_is_not_read_for_a_proxy(void **state)
{
	static const char *const names[] = { "http_proxy", "https_proxy", "HTTPS_PROXY",
					     "all_proxy", "ALL_PROXY" };
	struct http_server *proxy = http_start(STEPS(200));
	struct desk d;
	char url[64];

	(void)state;
	snprintf(url, sizeof url, "http://127.0.0.1:%u", proxy->port);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		setenv(names[i], url, 1);
	desk_init(&d);
	desk_add(&d, NULL, "http://nobody.invalid/");
	d.endpoints[0].allow_insecure = true;
	assert_int_equal(desk_open(&d), 0);
	desk_submit(&d, "a-1-feed", 1, PAGE_RAISED, 1);
	desk_wait(&d, &d.n_told, 1);
	assert_int_equal(proxy->n_seen, 0);
	desk_end(&d);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unsetenv(names[i]);
	http_stop(proxy);
}

static void an_endpoint_that_cannot_work_is_refused(void **state)
{
	static const char *const urls[] = { "", "nonsense", "http://", "http://[::1/", "://x" };
	static char format[] = "smoke", missing[] = "/nonexistent/secret";
	struct desk d;

	(void)state;
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		desk_init(&d);
		desk_add(&d, NULL, urls[i]);
		assert_int_equal(desk_open(&d), -EINVAL);
		desk_done(&d);
	}
	desk_init(&d);
	desk_add(&d, NULL, "http://127.0.0.1/");
	d.endpoints[0].format = format;
	assert_int_equal(desk_open(&d), -EINVAL);
	d.endpoints[0].format = NULL;
	d.endpoints[0].secret_file = missing;
	assert_int_equal(desk_open(&d), -EINVAL);
	d.endpoints[0].secret_file = NULL;
	d.endpoints[0].url = NULL;
	assert_int_equal(desk_open(&d), -EINVAL);
	assert_null(d.pager);
	pager_free(NULL);
	desk_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_posted_with_its_headers),
		test_in_folder(a_page_is_signed_with_the_secret),
		test_in_folder(a_token_is_sent_and_read_again_when_it_changes),
		cmocka_unit_test(a_connection_whose_number_is_another_file_is_not_used),
		cmocka_unit_test(a_redirect_is_not_followed),
		cmocka_unit_test(the_request_has_a_limit_of_its_own),
		cmocka_unit_test(an_endless_answer_is_cut_and_judged_by_its_status),
		cmocka_unit_test(an_error_names_the_host_and_no_secret),
		cmocka_unit_test(only_loopback_is_posted_to_without_encryption),
		cmocka_unit_test(a_proxy_is_never_asked_for_loopback),
		cmocka_unit_test(the_environment_is_not_read_for_a_proxy),
		cmocka_unit_test(an_endpoint_that_cannot_work_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

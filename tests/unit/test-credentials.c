/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "test.h"

#include <errno.h>
#include <sys/wait.h>

#include "post/credentials.h"

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SECRETS SECRET "\nwhsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
#define PEM(text) "-----BEGIN CERTIFICATE-----\n" text "\n-----END CERTIFICATE-----\n"

/* An endpoint whose files lie in the test's folder; which of them are named a test says. */
struct bench {
	const struct test_folder *folder;
	struct settings_endpoint endpoint;
	char path[5][128];
	char trouble[256];
};

static char *bench_write(struct bench *b, unsigned i, const char *text)
{
	static const char *const names[] = { "secret", "token", "ca", "cert", "key" };
	char fresh[160];

	/* Renamed into place: another inode, whatever the clock's grain. */
	snprintf(b->path[i], sizeof b->path[i], "%s/%s", b->folder->path, names[i]);
	snprintf(fresh, sizeof fresh, "%s.new", b->path[i]);
	FILE *f = fopen(fresh, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(fresh, b->path[i]), 0);
	return b->path[i];
}

static struct credentials *bench_load(struct bench *b)
{
	struct credentials *c = NULL;

	assert_int_equal(credentials_load(&b->endpoint, b->trouble, sizeof b->trouble, &c), 0);
	return c;
}

static int bench_refresh(struct bench *b, struct credentials *c, bool *ret_tls)
{
	b->trouble[0] = 0;
	return credentials_refresh(c, ret_tls, b->trouble, sizeof b->trouble);
}

static void an_endpoint_may_have_none(void **state)
{
	struct bench b = { .folder = *state };
	struct credentials *c = bench_load(&b);
	bool tls = true;
	size_t len;

	assert_int_equal(credentials_secrets(c)->n, 0);
	assert_null(credentials_token(c));
	assert_null(credentials_pem(c, CREDENTIALS_CA, &len));
	assert_false(credentials_changed(c));
	assert_int_equal(bench_refresh(&b, c, &tls), 0);
	assert_false(tls);
	credentials_free(c);
	credentials_free(NULL);
}

static void a_changed_secret_is_read_again(void **state)
{
	struct bench b = { .folder = *state };
	bool tls;

	b.endpoint.secret_file = bench_write(&b, 0, SECRET "\n");
	b.endpoint.token_file = bench_write(&b, 1, "first\n");
	struct credentials *c = bench_load(&b);
	assert_int_equal(credentials_secrets(c)->n, 1);
	assert_string_equal(credentials_token(c), "first");
	bench_write(&b, 0, SECRETS);
	bench_write(&b, 1, "second");
	assert_true(credentials_changed(c));
	assert_int_equal(bench_refresh(&b, c, &tls), 0);
	assert_false(tls);
	assert_false(credentials_changed(c));
	assert_int_equal(credentials_secrets(c)->n, 2);
	assert_string_equal(credentials_token(c), "second");
	credentials_free(c);
}

static void a_change_in_place_is_seen(void **state)
{
	struct bench b = { .folder = *state };
	bool tls;

	b.endpoint.token_file = bench_write(&b, 1, "first\n");
	struct credentials *c = bench_load(&b);
	FILE *f = fopen(b.path[1], "we");
	assert_non_null(f);
	fputs("longer\n", f);
	fclose(f);
	assert_int_equal(bench_refresh(&b, c, &tls), 0);
	assert_string_equal(credentials_token(c), "longer");
	credentials_free(c);
}

static void the_last_good_one_stays_and_the_trouble_is_told_once(void **state)
{
	static const char *const bad[] = { "", "two words\n", "a\nb\n", "umlaut\xc3\xa4\n" };
	struct bench b = { .folder = *state };
	bool tls;

	b.endpoint.token_file = bench_write(&b, 1, "T0K3N\n");
	struct credentials *c = bench_load(&b);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		bench_write(&b, 1, bad[i]);
		assert_true((bench_refresh(&b, c, &tls) < 0) == (i == 0));
		assert_true((strstr(b.trouble, "token_file") != NULL) == (i == 0));
		assert_null(strstr(b.trouble, "T0K3N"));
		assert_string_equal(credentials_token(c), "T0K3N");
	}
	assert_int_equal(unlink(b.path[1]), 0);
	assert_int_equal(bench_refresh(&b, c, &tls), 0);
	assert_string_equal(credentials_token(c), "T0K3N");
	/* Mended, and broken another time: that is news. */
	bench_write(&b, 1, "N3W\n");
	assert_int_equal(bench_refresh(&b, c, &tls), 0);
	assert_string_equal(credentials_token(c), "N3W");
	assert_int_equal(unlink(b.path[1]), 0);
	assert_int_equal(bench_refresh(&b, c, &tls), -ENOENT);
	assert_non_null(strstr(b.trouble, b.path[1]));
	assert_string_equal(credentials_token(c), "N3W");
	credentials_free(c);
}

static void bad_secrets_do_not_replace_good_ones(void **state)
{
	struct bench b = { .folder = *state };
	bool tls;

	b.endpoint.secret_file = bench_write(&b, 0, SECRETS);
	struct credentials *c = bench_load(&b);
	bench_write(&b, 0, SECRET "\nwhsec_MfKQ9r8GKYqr\n");
	assert_int_equal(bench_refresh(&b, c, &tls), -EINVAL);
	assert_null(strstr(b.trouble, "MfKQ9r8GKYqr"));
	assert_int_equal(credentials_secrets(c)->n, 2);
	credentials_free(c);
}

static void what_a_connection_rests_on_is_told(void **state)
{
	struct bench b = { .folder = *state };
	bool tls;
	size_t len;

	b.endpoint.ca_file = bench_write(&b, 2, PEM("AAAA"));
	b.endpoint.cert_file = bench_write(&b, 3, PEM("BBBB") PEM("CCCC"));
	b.endpoint.key_file = bench_write(&b, 4, PEM("DDDD"));
	struct credentials *c = bench_load(&b);
	for (unsigned i = 2; i < 5; i++) {
		bench_write(&b, i, PEM("EEEEEEEE"));
		assert_int_equal(bench_refresh(&b, c, &tls), 0);
		assert_true(tls);
		const char *pem = credentials_pem(c, (enum credentials_pem)(i - 2), &len);
		assert_int_equal(len, strlen(PEM("EEEEEEEE")));
		assert_memory_equal(pem, PEM("EEEEEEEE"), len);
		assert_int_equal(bench_refresh(&b, c, &tls), 0);
		assert_false(tls);
	}
	credentials_free(c);
}

static void half_a_certificate_is_none(void **state)
{
	static const char *const bad[] = {
		"",
		"garbage",
		"-----BEGIN CERTIFICATE-----\nAAAA\n",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE",
		PEM("AAAA") "-----BEGIN CERTIFICATE-----\nBB",
		"-----BEGIN ",
		"-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n",
	};
	struct bench b = { .folder = *state };
	bool tls;
	size_t len;

	b.endpoint.ca_file = bench_write(&b, 2, PEM("AAAA"));
	struct credentials *c = bench_load(&b);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		bench_write(&b, 2, bad[i]);
		bench_refresh(&b, c, &tls);
		assert_false(tls);
		assert_memory_equal(credentials_pem(c, CREDENTIALS_CA, &len), PEM("AAAA"),
				    strlen(PEM("AAAA")));
	}
	credentials_free(c);
}

static void a_file_that_never_ends_is_not_read(void **state)
{
	static char zero[] = "/dev/zero", folder[] = "/";
	struct bench b = { .folder = *state };
	struct credentials *c = NULL;
	char **const settings[] = { &b.endpoint.secret_file, &b.endpoint.token_file,
				    &b.endpoint.ca_file, &b.endpoint.key_file };

	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		*settings[i] = zero;
		assert_true(credentials_load(&b.endpoint, b.trouble, sizeof b.trouble, &c) < 0);
		*settings[i] = folder;
		assert_true(credentials_load(&b.endpoint, b.trouble, sizeof b.trouble, &c) < 0);
		*settings[i] = NULL;
		assert_null(c);
	}
}

static void a_token_is_one_line_of_printable_ascii(void **state)
{
	char token[CREDENTIALS_TOKEN_MAX + 1] = "", text[CREDENTIALS_TOKEN_MAX + 2];

	(void)state;
	assert_int_equal(credentials_parse_token("abc\r\n", 5, token), 0);
	assert_string_equal(token, "abc");
	assert_int_equal(credentials_parse_token("", 0, token), -ENODATA);
	assert_int_equal(credentials_parse_token("\n", 1, token), -ENODATA);
	assert_int_equal(credentials_parse_token("a b", 3, token), -EINVAL);
	assert_int_equal(credentials_parse_token("a\0b", 3, token), -EINVAL);
	assert_int_equal(credentials_parse_token("a\r\nX: y", 7, token), -EINVAL);
	memset(text, 'x', sizeof text);
	assert_int_equal(credentials_parse_token(text, CREDENTIALS_TOKEN_MAX + 1, token), -EFBIG);
	assert_string_equal(token, "abc");
	assert_int_equal(credentials_parse_token(text, CREDENTIALS_TOKEN_MAX, token), 0);
	assert_int_equal(strlen(token), CREDENTIALS_TOKEN_MAX);
}

static void a_child_inherits_no_secret(void **state)
{
	struct bench b = { .folder = *state };
	int status;

	b.endpoint.secret_file = bench_write(&b, 0, SECRET);
	b.endpoint.token_file = bench_write(&b, 1, "T0K3N");
	struct credentials *c = bench_load(&b);
	const struct signature_secrets *secrets = credentials_secrets(c);
	const char *token = credentials_token(c);
	pid_t child = fork();
	if (child == 0)
		_exit(token[0] == 0 && secrets->n == 0 ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_string_equal(token, "T0K3N");
	credentials_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(an_endpoint_may_have_none),
		test_in_folder(a_changed_secret_is_read_again),
		test_in_folder(a_change_in_place_is_seen),
		test_in_folder(the_last_good_one_stays_and_the_trouble_is_told_once),
		test_in_folder(bad_secrets_do_not_replace_good_ones),
		test_in_folder(what_a_connection_rests_on_is_told),
		test_in_folder(half_a_certificate_is_none),
		test_in_folder(a_file_that_never_ends_is_not_read),
		cmocka_unit_test(a_token_is_one_line_of_printable_ascii),
		test_in_folder(a_child_inherits_no_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

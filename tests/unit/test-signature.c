/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "test.h"

#include <errno.h>

#include "post/signature.h"

/* The example of the Standard Webhooks specification. */
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define TIMESTAMP 1614265330
#define BODY "{\"test\": 2432232314}"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
/* 32 bytes of 0xff, and 64 of 0. */
#define OTHER "whsec_//////////////////////////////////////////8="
#define LONGEST                                                                                    \
	"whsec_"                                                                                   \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="

static int parse(const char *text, struct signature_secrets *ret, unsigned *ret_line)
{
	return signature_parse(text, strlen(text), ret, ret_line);
}

static struct signature_secrets parsed(const char *text)
{
	struct signature_secrets s;
	unsigned line;

	assert_int_equal(parse(text, &s, &line), 0);
	return s;
}

static void the_published_example_comes_out(void **state)
{
	struct signature_secrets s = parsed(SECRET);
	char header[SIGNATURE_SIZE];

	(void)state;
	signature_make(&s, ID, TIMESTAMP, BODY, strlen(BODY), header);
	assert_string_equal(header, SIGNATURE);
	assert_true(signature_verify(&s, ID, TIMESTAMP, BODY, strlen(BODY), SIGNATURE));
}

static void each_secret_of_a_rotation_signs(void **state)
{
	struct signature_secrets both = parsed(OTHER "\n" SECRET "\n"), old = parsed(SECRET),
				 new = parsed(OTHER);
	char header[SIGNATURE_SIZE];

	(void)state;
	signature_make(&both, ID, TIMESTAMP, BODY, strlen(BODY), header);
	assert_non_null(strstr(header, " " SIGNATURE));
	assert_int_equal(strlen(header), 2 * strlen(SIGNATURE) + 1);
	assert_true(signature_verify(&old, ID, TIMESTAMP, BODY, strlen(BODY), header));
	assert_true(signature_verify(&new, ID, TIMESTAMP, BODY, strlen(BODY), header));
	assert_false(signature_verify(&new, ID, TIMESTAMP, BODY, strlen(BODY), SIGNATURE));
}

static void as_many_signatures_as_there_may_be_fit(void **state)
{
	struct signature_secrets s =
		parsed(SECRET "\n" SECRET "\n" SECRET "\n" LONGEST); /* and no line end */
	char header[SIGNATURE_SIZE];

	(void)state;
	assert_int_equal(s.n, SIGNATURE_SECRETS_MAX);
	assert_int_equal(s.secret[3].len, SIGNATURE_KEY_MAX);
	signature_make(&s, ID, TIMESTAMP, BODY, strlen(BODY), header);
	assert_int_equal(strlen(header), SIGNATURE_SECRETS_MAX * 48 - 1);
}

static void anything_changed_is_not_verified(void **state)
{
	struct signature_secrets s = parsed(SECRET);
	static const char *const headers[] = {
		"",
		" ",
		"v1,",
		"v1",
		SIGNATURE "x",
		"v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		"v1,h0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE",
		"v1, g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		"V1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
	};

	(void)state;
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		assert_false(signature_verify(&s, ID, TIMESTAMP, BODY, strlen(BODY), headers[i]));
	assert_false(signature_verify(&s, ID "x", TIMESTAMP, BODY, strlen(BODY), SIGNATURE));
	assert_false(signature_verify(&s, ID, TIMESTAMP + 1, BODY, strlen(BODY), SIGNATURE));
	assert_false(signature_verify(&s, ID, TIMESTAMP, BODY, strlen(BODY) - 1, SIGNATURE));
	assert_true(signature_verify(&s, ID, TIMESTAMP, BODY, strlen(BODY), "v1a,x   " SIGNATURE));
}

static void without_a_secret_nothing_is_verified(void **state)
{
	struct signature_secrets none = { 0 };
	char header[SIGNATURE_SIZE] = "x";

	(void)state;
	signature_make(&none, ID, TIMESTAMP, BODY, strlen(BODY), header);
	assert_string_equal(header, "");
	assert_false(signature_verify(&none, ID, TIMESTAMP, BODY, strlen(BODY), SIGNATURE));
}

static void empty_lines_and_remarks_are_stepped_over(void **state)
{
	struct signature_secrets s = parsed("\n# the old one\r\n \t" SECRET "\t \r\n\n  # end\n");

	(void)state;
	assert_int_equal(s.n, 1);
	assert_int_equal(s.secret[0].len, 24);
}

static void what_is_no_secret_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text;
		int error;
		unsigned line;
	} bad[] = {
		{ "", -ENODATA, 0 },
		{ "# nothing\n\n", -ENODATA, 2 },
		{ "whsec_", -EINVAL, 1 },
		{ "\nMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", -EINVAL, 2 },
		{ SECRET "\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La\n", -EINVAL, 2 }, /* 21 bytes */
		{ "whsec_MfKQ9r8GKYqr TwjUPD8ILPZIo2LaLaSw", -EINVAL, 1 },
		{ "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", -EINVAL, 1 },
		{ "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa?w", -EINVAL, 1 },
		{ "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_", -EINVAL, 1 },
		{ LONGEST "A", -EINVAL, 1 },
		{ "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		  "AAAAAAAAAAAAAAA",
		  -EINVAL, 1 }, /* 66 bytes */
		{ SECRET "\n" SECRET "\n" SECRET "\n" SECRET "\n" SECRET "\n", -E2BIG, 5 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct signature_secrets s = { .n = 99 };
		unsigned line = 99;

		assert_int_equal(parse(bad[i].text, &s, &line), bad[i].error);
		assert_int_equal(line, bad[i].line);
		assert_int_equal(s.n, 99);
	}
}

static void bytes_of_any_kind_do_no_harm(void **state)
{
	static const char zeros[] = "whsec_\0\0\0\0", nul[] = SECRET "\0";
	struct signature_secrets s;
	unsigned line;

	(void)state;
	assert_int_equal(signature_parse(zeros, sizeof zeros, &s, &line), -EINVAL);
	assert_int_equal(signature_parse(nul, sizeof nul, &s, &line), -EINVAL);
	assert_int_equal(signature_parse("\xff\xfe\n", 3, &s, &line), -EINVAL);
}

static void write_file(const struct test_folder *f, const char *name, const char *text,
		       char path[static 128])
{
	snprintf(path, 128, "%s/%s", f->path, name);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void a_secret_file_is_read(void **state)
{
	struct signature_secrets s;
	char path[128];
	unsigned line;

	write_file(*state, "secret", "# one\n" SECRET "\n", path);
	assert_int_equal(signature_load(path, &s, &line), 0);
	assert_int_equal(s.n, 1);
	signature_forget(&s);
	assert_int_equal(s.n, 0);
	assert_int_equal(s.secret[0].key[0], 0);
}

static void a_file_that_cannot_hold_secrets_is_refused(void **state)
{
	const struct test_folder *f = *state;
	struct signature_secrets s;
	char path[128], big[8192];
	unsigned line;

	memset(big, '#', sizeof big - 1);
	big[sizeof big - 1] = 0;
	write_file(f, "big", big, path);
	assert_int_equal(signature_load(path, &s, &line), -EFBIG);
	write_file(f, "bad", "\nnonsense\n", path);
	assert_int_equal(signature_load(path, &s, &line), -EINVAL);
	assert_int_equal(line, 2);
	assert_int_equal(signature_load(f->path, &s, &line), -EISDIR);
	snprintf(path, sizeof path, "%s/none", f->path);
	assert_int_equal(signature_load(path, &s, &line), -ENOENT);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(signature_load(path, &s, &line), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_example_comes_out),
		cmocka_unit_test(each_secret_of_a_rotation_signs),
		cmocka_unit_test(as_many_signatures_as_there_may_be_fit),
		cmocka_unit_test(anything_changed_is_not_verified),
		cmocka_unit_test(without_a_secret_nothing_is_verified),
		cmocka_unit_test(empty_lines_and_remarks_are_stepped_over),
		cmocka_unit_test(what_is_no_secret_is_refused_with_its_line),
		cmocka_unit_test(bytes_of_any_kind_do_no_harm),
		test_in_folder(a_secret_file_is_read),
		test_in_folder(a_file_that_cannot_hold_secrets_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

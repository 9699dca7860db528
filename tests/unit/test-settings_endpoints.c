/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/moment.h"
#include "post/endpoint_files.h"
#include "settings/settings_kept.h"
#include "settings/settings_table.h"

static char error[512];

static int load(const struct test_folder *f, const char *file, struct settings **ret)
{
	assert_int_equal(file_replace(f->fd, "tocsin.conf", file, strlen(file), false), 0);
	error[0] = 0;
	return settings_load_from(endpoint_files_check, f->path, NULL, 0, error, sizeof error, ret);
}

static struct settings *load_fine(const struct test_folder *f, const char *file)
{
	struct settings *s = NULL;

	if (load(f, file, &s) < 0)
		fail_msg("%s", error);
	return s;
}

static void each_endpoint_has_settings_of_its_own(void **state)
{
	struct settings *s = load_fine(*state, "[webhook]\nurl = https://a.example/\n"
					       "timeout = 3s\n"
					       "[webhook.night]\nurl = https://b.example/\n"
					       "priorities = P1,P2\nbackup = yes\n"
					       "[webhook.third]\nurl = http://127.0.0.1:1/\n");

	assert_int_equal(s->n_endpoints, 3);
	assert_string_equal(s->endpoints[0].name, "webhook");
	assert_int_equal(s->endpoints[0].timeout_ns, 3 * NS_PER_S);
	assert_false(s->endpoints[0].backup);
	assert_string_equal(s->endpoints[1].name, "night");
	assert_int_equal(s->endpoints[1].timeout_ns, 15 * NS_PER_S);
	assert_int_equal(s->endpoints[1].priorities, 3);
	assert_true(s->endpoints[1].backup);
	assert_string_equal(s->endpoints[2].format, "generic");
	settings_free(s);
}

static void the_plain_one_may_be_left_out(void **state)
{
	struct settings *s = load_fine(*state, "[webhook.night]\nurl = https://b.example/\n");

	assert_int_equal(s->n_endpoints, 1);
	assert_string_equal(s->endpoints[0].name, "night");
	settings_free(s);
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
	static const struct {
		const char *file, *error;
	} cases[] = {
		{ "[webhook.night]\nbackup = yes\n", "webhook.night.url: is missing" },
		{ "[webhook.night]\nurl = ftp://x/\n", "tocsin.conf:2: webhook.night.url: must" },
		{ "[webhook]\nurl = https://a.example/\nbackup = yes\n",
		  "tocsin.conf:3: webhook.backup: is a backup, as all are" },
		{ "[webhook.a b]\nurl = https://a.example/\n", "an endpoint's name is of letters" },
		{ "[webhook.webhook]\nurl = https://a.example/\n", "an endpoint's name is" },
		{ "[webhook.x]\nurl = https://a.example/\nurl = https://a.example/\n",
		  "set twice" },
		{ "[webhook.x]\nulr = https://a.example/\n", "nearest is webhook.url" },
		{ "[webhook]\nurl = https://a.example/\ntoken_file = /nowhere\n",
		  "tocsin.conf:3: webhook.token_file: token_file /nowhere cannot be used" },
		{ "[webhook]\nurl = https://a.example/\nca_file = /dev/null\n",
		  "webhook.ca_file: " },
		{ "[webhook]\nurl = https://a.example/\nkey_file = x\n", "CREDENTIALS_DIRECTORY" },
		{ "[webhook]\nurl = https://a.example/\n"
		  "secret_file = whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
		  "webhook.secret_file: is a secret; it wants the name of a file" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct settings *s = NULL;

		if (load(*state, cases[i].file, &s) == 0)
			fail_msg("taken: %s", cases[i].file);
		if (!strstr(error, cases[i].error))
			fail_msg("\"%s\" does not say \"%s\"", error, cases[i].error);
	}
}

/* With a plain one that has a url, with one that has none and with none at all. */
static void as_many_endpoints_as_are_documented_can_be_named(void **state)
{
	static const struct {
		const char *plain;
		unsigned named;
		bool fits;
	} cases[] = {
		{ "", 1, true },
		{ "", 8, true },
		{ "", 9, true },
		{ "", SETTINGS_ENDPOINTS_MAX, true },
		{ "", SETTINGS_ENDPOINTS_MAX + 1, false },
		{ "", SETTINGS_ENDPOINTS_MAX + 2, false },
		{ "[webhook]\ntimeout = 3s\n", SETTINGS_ENDPOINTS_MAX, true },
		{ "[webhook]\ntimeout = 3s\n", SETTINGS_ENDPOINTS_MAX + 1, false },
		{ "[webhook]\nurl = https://a/\n", SETTINGS_ENDPOINTS_MAX - 1, true },
		{ "[webhook]\nurl = https://a/\n", SETTINGS_ENDPOINTS_MAX, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (unsigned plain_last = 0; plain_last < 2; plain_last++) {
			struct text_buffer file = { 0 };
			struct settings *s = NULL;

			if (!plain_last)
				text_buffer_add(&file, str(cases[i].plain));
			for (unsigned n = 0; n < cases[i].named; n++)
				text_buffer_printf(&file, "[webhook.e%u]\nurl = https://a/\n", n);
			if (plain_last)
				text_buffer_add(&file, str(cases[i].plain));
			int r = load(*state, file.ptr, &s);
			if (cases[i].fits && r < 0)
				fail_msg("%u named: %s", cases[i].named, error);
			if (!cases[i].fits && (r == 0 || !strstr(error, "more than 32 endpoints")))
				fail_msg("%u named: %s", cases[i].named, r == 0 ? "taken" : error);
			settings_free(s);
			text_buffer_done(&file);
		}
}

/* As a person would write them: one after the other, some twice. */
static void options_and_files_name_the_same_endpoints(void **state)
{
	const struct test_folder *f = *state;
	static const char file[] = "[webhook.night]\nurl = https://a.example/\ntimeout = 3s\n";
	const tocsin_kv options[] = {
		{ STR("webhook.day.url"), STR("https://a.example/") },
		{ STR("webhook.night.timeout"), STR("4s") },
		{ STR("webhook.night.backup"), STR("yes") },
		{ STR("webhook.url"), STR("https://c.example/") },
	};
	struct settings *s = NULL;

	assert_int_equal(file_replace(f->fd, "tocsin.conf", file, strlen(file), false), 0);
	if (settings_load_from(endpoint_files_check, f->path, options, 4, error, sizeof error, &s) <
	    0)
		fail_msg("%s", error);
	assert_int_equal(s->n_endpoints, 3);
	assert_string_equal(s->endpoints[0].url, "https://c.example/");
	assert_string_equal(s->endpoints[1].name, "night");
	assert_int_equal(s->endpoints[1].timeout_ns, 4 * NS_PER_S);
	assert_true(s->endpoints[1].backup);
	assert_string_equal(s->endpoints[2].name, "day");
	assert_int_equal(s->endpoints[2].timeout_ns, 15 * NS_PER_S);
	settings_free(s);
}

static void hostile_endpoint_options_are_refused(void **state)
{
	static const char *const keys[] = {
		"webhook..url",    "webhook.a.b.url",     "webhook.a/b.url", "webhook.a.nothing",
		"webhook.a\n.url", "webhook.webhook.url", "webhook.",        "webhook.a.",
	};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const struct test_folder *f = *state;
		const tocsin_kv option = { str(keys[i]), STR("https://a.example/") };
		struct settings *s = NULL;

		error[0] = 0;
		if (settings_load_from(endpoint_files_check, f->path, &option, 1, error,
				       sizeof error, &s) != -EINVAL)
			fail_msg("taken: %s", keys[i]);
		assert_true(error[0] != 0 && !strchr(error, '\n'));
	}
}

static void a_key_wants_a_certificate(void **state)
{
	const struct test_folder *f = *state;
	static const char pem[] = "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n";
	struct settings *s = NULL;
	char text[512];

	assert_int_equal(file_replace(f->fd, "key.pem", pem, strlen(pem), false), 0);
	snprintf(text, sizeof text, "[webhook]\nurl = https://a.example/\nkey_file = %s/key.pem\n",
		 f->path);
	assert_int_equal(load(f, text, &s), -EINVAL);
	assert_non_null(strstr(error, "key without a certificate"));
	snprintf(text, sizeof text,
		 "[webhook]\nurl = https://a.example/\nkey_file = %s/key.pem\n"
		 "cert_file = %s/key.pem\n",
		 f->path, f->path);
	settings_free(load_fine(f, text));
}

/* --- settings.json --- */

static struct settings *given(const tocsin_kv *options, size_t n)
{
	struct settings *s = NULL;

	if (settings_load(endpoint_files_check, options, n, error, sizeof error, &s) < 0)
		fail_msg("%s", error);
	return s;
}

static void what_was_given_is_known_after_a_death(void **state)
{
	const struct test_folder *f = *state;
	const tocsin_kv options[] = {
		{ STR("config"), STR("/dev/null") },
		{ STR("engine.name"), STR("live-1") },
		{ STR("webhook.night.url"), STR("https://b.example/") },
		{ STR("rules.feed_stale_after"), STR("7s") },
	};
	struct settings *s = given(options, 4), *back = NULL;
	struct stat st;

	assert_int_equal(
		settings_kept_load(endpoint_files_check, f->fd, error, sizeof error, &back),
		-ENOENT);
	assert_int_equal(settings_kept_write(f->fd, true, s, "/run/x/live-1", "/var/x"), 0);
	settings_free(s);
	assert_int_equal(fstatat(f->fd, SETTINGS_KEPT_FILE, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	if (settings_kept_load(endpoint_files_check, f->fd, error, sizeof error, &back) < 0)
		fail_msg("%s", error);
	assert_string_equal(back->engine_name, "live-1");
	assert_string_equal(back->runtime_dir, "/run/x/live-1");
	assert_string_equal(back->state_dir, "/var/x");
	assert_int_equal(back->n_endpoints, 1);
	assert_string_equal(back->endpoints[0].name, "night");
	assert_int_equal(back->thresholds.feed_stale_after_ns, 7 * NS_PER_S);
	settings_free(back);
}

static void the_secret_s_file_is_kept_and_not_the_secret(void **state)
{
	const struct test_folder *f = *state;
	static const char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
	char path[256], text[4096];

	assert_int_equal(file_replace(f->fd, "secret", secret, strlen(secret), false), 0);
	snprintf(path, sizeof path, "%s/secret", f->path);
	const tocsin_kv options[] = {
		{ STR("config"), STR("/dev/null") },
		{ STR("webhook.url"), STR("https://b.example/") },
		{ STR("webhook.secret_file"), str(path) },
	};
	struct settings *s = given(options, 3);
	assert_int_equal(settings_kept_write(f->fd, false, s, NULL, NULL), 0);
	settings_free(s);
	_cleanup_close_ int fd = openat(f->fd, SETTINGS_KEPT_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof text - 1);
	assert_true(n > 0);
	text[n] = 0;
	assert_non_null(strstr(text, path));
	assert_null(strstr(text, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
}

static void damaged_ones_are_refused(void **state)
{
	const struct test_folder *f = *state;
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{ "", -EBADMSG },
		{ "null", -EBADMSG },
		{ "{\"format\":0}", -EBADMSG },
		{ "{\"format\":2}", -EPROTONOSUPPORT },
		{ "{\"format\":1}", -EBADMSG },
		{ "{\"format\":1,\"engine\":\"x\",\"options\":[1]}", -EBADMSG },
		{ "{\"format\":1,\"engine\":\"x\",\"options\":[[\"a\"]]}", -EBADMSG },
		{ "{\"format\":1,\"engine\":\"x\",\"options\":[[\"no.such\",\"b\"]]}", -EINVAL },
		{ "[[[[[[[[[[[[[[[[[[[[[[[[[[", -EBADMSG },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct settings *s = NULL;

		assert_int_equal(file_replace(f->fd, SETTINGS_KEPT_FILE, cases[i].text,
					      strlen(cases[i].text), false),
				 0);
		assert_int_equal(
			settings_kept_load(endpoint_files_check, f->fd, error, sizeof error, &s),
			cases[i].error);
		assert_true(error[0] != 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(each_endpoint_has_settings_of_its_own),
		test_in_folder(the_plain_one_may_be_left_out),
		test_in_folder(what_is_wrong_is_told_with_its_place),
		test_in_folder(as_many_endpoints_as_are_documented_can_be_named),
		test_in_folder(options_and_files_name_the_same_endpoints),
		test_in_folder(hostile_endpoint_options_are_refused),
		test_in_folder(a_key_wants_a_certificate),
		test_in_folder(what_was_given_is_known_after_a_death),
		test_in_folder(the_secret_s_file_is_kept_and_not_the_secret),
		test_in_folder(damaged_ones_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

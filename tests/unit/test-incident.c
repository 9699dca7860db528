/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture_fixture.h"

#include "picture/incident.h"
#include "picture/incidents.h"

static void keys_are_printable_and_unambiguous(void **state)
{
	static const struct {
		bool by_rule;
		tocsin_str session, source, instance;
		const char *key;
	} rows[] = {
		{ true, { 0 }, { 0 }, { 0 }, "CODE engine" },
		{ false, { 0 }, { 0 }, { 0 }, "CODE" },
		{ true, { 0 }, STR("okx:ETH-USD"), { 0 }, "CODE source=okx:ETH-USD" },
		{ false, STR("s"), { 0 }, STR("i"), "CODE session=s instance=i" },
		{ false, STR("a b=c%d"), { 0 }, { 0 }, "CODE session=a%20b%3Dc%25d" },
		{ false, STR("a instance=b"), { 0 }, { 0 }, "CODE session=a%20instance%3Db" },
		{ false, STR("\0\n\x1b\x7f"), { 0 }, { 0 }, "CODE session=%00%0A%1B%7F" },
		{ false, STR("\xc3\xa4\xff\xc3"), { 0 }, { 0 }, "CODE session=\xc3\xa4%FF%C3" },
		{ false,
		  STR("\xc2\x9b\xed\xa0\x80"),
		  { 0 },
		  { 0 },
		  "CODE session=%C2%9B%ED%A0%80" },
		{ false, STR("\xe2\x82"), { 0 }, { 0 }, "CODE session=%E2%82" },
	};
	char key[INCIDENT_KEY_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct incident_identity identity = { STR("CODE"), rows[i].session, rows[i].source,
						      rows[i].instance };

		assert_int_equal(incident_key(key, rows[i].by_rule, &identity),
				 strlen(rows[i].key));
		assert_string_equal(key, rows[i].key);
	}
}

static void the_longest_key_fits(void **state)
{
	static char bytes[4096];
	char key[INCIDENT_KEY_SIZE];

	(void)state;
	memset(bytes, 0xff, sizeof bytes);
	tocsin_str all = { bytes, sizeof bytes };
	struct incident_identity identity = { all, all, all, all };
	size_t len = incident_key(key, false, &identity);
	assert_int_equal(len, strlen(key));
	assert_true(len < sizeof key);
}

static void texts_too_long_are_cut_and_marked(void **state)
{
	static char bytes[65536];
	const tocsin_kv kv = { STR("k"), STR("v") };
	struct incident_identity identity = { .code = STR("A") };
	struct raise r = { .kv = &kv, .n_kv = 1 };
	struct incident_node *n;

	(void)state;
	memset(bytes, 'x', sizeof bytes);
	r.message = identity.session_id = identity.instance = (tocsin_str){ bytes, sizeof bytes };
	assert_int_equal(incident_new(false, &identity, &n), 0);
	assert_int_equal(strlen(n->incident.session_id), TOCSIN_ID_MAX);
	assert_int_equal(incident_set(&n->incident, &r, r.message), 0);
	assert_int_equal(strlen(n->incident.message), TOCSIN_TEXT_MAX);
	assert_int_equal(strlen(n->incident.raw_code), TOCSIN_ID_MAX);
	assert_int_equal(n->incident.metadata.n, 0);
	assert_true(n->incident.truncated);
	/* Message and metadata share one event's room. */
	r.message.len = TOCSIN_TEXT_MAX - 2;
	assert_int_equal(incident_set(&n->incident, &r, (tocsin_str){ NULL, 0 }), 0);
	assert_int_equal(n->incident.metadata.n, 1);
	assert_null(n->incident.raw_code);
	assert_false(n->incident.truncated);
	incident_free(n);
	incident_free(NULL);
}

static void identifiers_keep_the_bytes_after_a_nul(void **state)
{
	struct incident_identity identity = { STR("A"), STR("s\0t"), { NULL, 0 }, { NULL, 0 } };
	struct incidents all = { 0 };
	struct incident_node *n;

	(void)state;
	assert_int_equal(incident_new(false, &identity, &n), 0);
	assert_string_equal(n->incident.session_id, "s");
	assert_int_equal(n->session_len, 3);
	assert_null(n->incident.source);
	incidents_open_newest(&all, n);
	assert_ptr_equal(incidents_find(&all, false, &identity), n);
	assert_null(incidents_find(&all, true, &identity));
	identity.session_id = STR("s");
	assert_null(incidents_find(&all, false, &identity));
	incidents_done(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_printable_and_unambiguous),
		cmocka_unit_test(the_longest_key_fits),
		cmocka_unit_test(texts_too_long_are_cut_and_marked),
		cmocka_unit_test(identifiers_keep_the_bytes_after_a_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

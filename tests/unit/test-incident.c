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
		{ false, STR("\0\n\x1b\x7f"), { 0 }, { 0 }, "CODE session=\xef\xbf\xbd%0A%1B%7F" },
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
	assert_string_equal(n->incident.session_id, "s\xef\xbf\xbdt");
	assert_int_equal(n->session_len, 5);
	assert_null(n->incident.source);
	incidents_open_newest(&all, n);
	assert_ptr_equal(incidents_find(&all, false, &identity), n);
	assert_null(incidents_find(&all, true, &identity));
	identity.session_id = STR("s");
	assert_null(incidents_find(&all, false, &identity));
	incidents_done(&all);
}

/* Every text of an incident, with NULs wherever they may be. */
static void no_text_ends_at_a_nul(void **state)
{
	static const struct {
		tocsin_str given;
		const char *kept;
	} rows[] = {
		{ STR("a\0b"), "a\xef\xbf\xbd"
			       "b" },
		{ STR("\0b"), "\xef\xbf\xbd"
			      "b" },
		{ STR("b\0"), "b\xef\xbf\xbd" },
		{ STR("\0"), "\xef\xbf\xbd" },
		{ STR("a\0\0\0z"), "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		tocsin_str given = rows[i].given;
		struct incident_identity identity = { STR("A"), given, given, given };
		struct raise raise = { .message = given };
		struct incident_identity again;
		struct incident_node *n;
		char key[INCIDENT_KEY_SIZE];

		assert_int_equal(incident_new(false, &identity, &n), 0);
		assert_int_equal(incident_set(&n->incident, &raise, given), 0);
		assert_string_equal(n->incident.message, rows[i].kept);
		assert_string_equal(n->incident.raw_code, rows[i].kept);
		assert_string_equal(n->incident.session_id, rows[i].kept);
		assert_string_equal(n->incident.source, rows[i].kept);
		assert_string_equal(n->incident.instance, rows[i].kept);
		assert_false(n->incident.truncated);
		/* What a checkpoint keeps of it is known by the same key. */
		again = (struct incident_identity){ STR("A"), str(n->incident.session_id),
						    str(n->incident.source),
						    str(n->incident.instance) };
		incident_key(key, false, &again);
		assert_string_equal(key, n->incident.key);
		incident_free(n);
	}
}

static void texts_of_nuls_alone_keep_to_their_room(void **state)
{
	static const char nuls[TOCSIN_TEXT_MAX];
	tocsin_str all = { nuls, sizeof nuls }, id = { nuls, TOCSIN_ID_MAX };
	struct incident_identity identity = { STR("A"), id, id, id };
	struct raise raise = { .message = all };
	struct incident_node *n;

	(void)state;
	assert_int_equal(incident_new(false, &identity, &n), 0);
	assert_int_equal(incident_set(&n->incident, &raise, id), 0);
	assert_in_range(strlen(n->incident.message), TOCSIN_TEXT_MAX - 2, TOCSIN_TEXT_MAX);
	assert_in_range(n->session_len, TOCSIN_ID_MAX - 2, TOCSIN_ID_MAX);
	assert_true(n->incident.truncated);
	incident_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_printable_and_unambiguous),
		cmocka_unit_test(the_longest_key_fits),
		cmocka_unit_test(texts_too_long_are_cut_and_marked),
		cmocka_unit_test(identifiers_keep_the_bytes_after_a_nul),
		cmocka_unit_test(no_text_ends_at_a_nul),
		cmocka_unit_test(texts_of_nuls_alone_keep_to_their_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "deliver_fixture.h"

#include "picture/metadata.h"

#define ALERT_ID "00112233445566778899aabbccddeeff-42-feed"
#define LATER_NS (FIXTURE_WALL_NS + UINT64_C(12345678901))

static char *rendered_text(const struct page *p, uint64_t now_wall_ns, size_t *ret_len)
{
	const struct page_format *format = page_format_find("generic");
	char *text = NULL;

	assert_non_null(format);
	assert_int_equal(format->render(p, false, page_late_ns(p, now_wall_ns, 0), &text, ret_len),
			 0);
	assert_int_equal(strlen(text), *ret_len);
	assert_true(*ret_len <= PAGE_BODY_MAX);
	assert_true(text_is_utf8((tocsin_str){ text, *ret_len }));
	return text;
}

/* The data of the body; the caller owns it. */
static json_t *rendered(const struct page *p, uint64_t now_wall_ns, json_t **ret_body)
{
	size_t len;
	char *text = rendered_text(p, now_wall_ns, &len);
	json_t *body = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL), *data;

	free(text);
	assert_non_null(body);
	data = json_incref(json_object_get(body, "data"));
	assert_true(json_is_object(data));
	if (ret_body)
		*ret_body = body;
	else
		json_decref(body);
	return data;
}

static const char *text_of(const json_t *data, const char *name)
{
	return json_string_value(json_object_get(data, name));
}

static struct page *page_of(const struct incident *i, enum page_kind kind)
{
	struct page *p = NULL;

	assert_int_equal(
		page_new(&fixture_context, i, kind, (struct moment){ 3, FIXTURE_WALL_NS }, &p), 0);
	return p;
}

static void a_page_is_named_after_its_incident_and_step(void **state)
{
	struct page *raised = fixture_page_at(ALERT_ID, 1, PAGE_RAISED, FIXTURE_WALL_NS);
	struct page *repeat = fixture_page_at(ALERT_ID, 1, PAGE_REPEAT, FIXTURE_WALL_NS);
	struct page *resolved = fixture_page_at(ALERT_ID, 1, PAGE_RESOLVED, FIXTURE_WALL_NS);

	(void)state;
	assert_string_equal(raised->id, ALERT_ID ".raised");
	assert_string_equal(repeat->id, ALERT_ID ".repeat-1");
	assert_string_equal(resolved->id, ALERT_ID ".resolved");
	assert_string_equal(raised->alert_id, ALERT_ID);
	assert_string_equal(raised->code, "DATA_FEED_DOWN");
	assert_true(page_step(raised) == 0);
	assert_true(page_step(repeat) == 1);
	assert_true(page_step(resolved) == UINT64_MAX);
	page_unref(raised);
	page_unref(repeat);
	page_unref(resolved);
}

static void the_longest_ids_fit(void **state)
{
	char alert_id[ALERT_ID_SIZE];
	char expected[PAGE_ID_SIZE + 8];

	(void)state;
	memset(alert_id, 'a', sizeof alert_id - 1);
	alert_id[sizeof alert_id - 1] = 0;
	struct incident i = fixture_incident(alert_id, 1);
	i.repeats = UINT32_MAX;
	struct page *p = page_of(&i, PAGE_REPEAT);
	snprintf(expected, sizeof expected, "%s.repeat-4294967295", alert_id);
	assert_string_equal(p->id, expected);
	page_unref(p);
}

static void a_priority_graver_than_the_codes_own_has_its_own_times(void **state)
{
	static const struct {
		const char *code;
		uint32_t priority;
		const char *within;
	} rows[] = {
		{ "MY_CODE", 1, "5m" },          { "MY_CODE", 2, "4h" },
		{ "MY_CODE", 3, "8h" },          { "GENERAL", 1, "5m" },
		{ "DRIFT_HIGH", 1, "5m" },       { "DRIFT_HIGH", 2, "4h" },
		{ "EXECUTION_ERROR", 1, "5m" },  { "EXECUTION_ERROR", 2, "15m" },
		{ "EXECUTION_ERROR", 3, "15m" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char code[32];
		struct incident incident = {
			.id = ALERT_ID,
			.code = code,
			.priority = rows[i].priority,
			.open = true,
		};
		struct page *p;
		json_t *body, *data;

		snprintf(code, sizeof code, "%s", rows[i].code);
		assert_int_equal(page_new(&fixture_context, &incident, PAGE_RAISED,
					  (struct moment){ 3, FIXTURE_WALL_NS }, &p),
				 0);
		data = rendered(p, LATER_NS, &body);
		assert_string_equal(text_of(data, "code"), rows[i].code);
		assert_string_equal(text_of(data, "ack_within"), rows[i].within);
		json_decref(data);
		json_decref(body);
		page_unref(p);
	}
}

static void the_generic_body_has_every_member(void **state)
{
	struct page *p = fixture_page(ALERT_ID);
	json_t *body, *data = rendered(p, LATER_NS, &body);
	static const char *const nulls[] = { "session_id", "instance", "source", "resolved_at" };

	(void)state;
	assert_string_equal(text_of(body, "type"), "alert.raised");
	assert_string_equal(text_of(body, "timestamp"), "2026-08-03T09:56:36.584631Z");
	assert_int_equal(json_object_size(body), 3);
	assert_string_equal(text_of(data, "alert_id"), ALERT_ID);
	assert_int_equal(json_integer_value(json_object_get(data, "number")), 7);
	assert_string_equal(text_of(data, "code"), "DATA_FEED_DOWN");
	assert_string_equal(text_of(data, "priority"), "P1");
	assert_string_equal(text_of(data, "state"), "firing");
	assert_true(strlen(text_of(data, "title")) > 0);
	assert_string_equal(text_of(data, "message"), "no data from okx:ETH-USD");
	assert_string_equal(text_of(data, "engine"), "shadow-1");
	assert_string_equal(text_of(data, "host"), "box");
	assert_string_equal(text_of(data, "runbook_url"),
			    "https://runbooks.example/data_feed_down.md");
	assert_true(strlen(text_of(data, "ack_within")) > 0);
	assert_true(strlen(text_of(data, "escalate_to")) > 0);
	assert_string_equal(text_of(data, "raised_at"), "2026-08-03T09:56:36.584631Z");
	assert_int_equal(json_integer_value(json_object_get(data, "count")), 2);
	assert_int_equal(json_object_size(json_object_get(data, "metadata")), 0);
	for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
		assert_true(json_is_null(json_object_get(data, nulls[i])));
	/* And no other: delayed_by_s has a test of its own. */
	assert_int_equal(json_object_size(data), 20);
	json_decref(data);
	json_decref(body);
	page_unref(p);
}

static void a_resolution_tells_its_time(void **state)
{
	struct page *p = fixture_page_at(ALERT_ID, 2, PAGE_RESOLVED, FIXTURE_WALL_NS + NS_PER_S);
	json_t *body, *data = rendered(p, LATER_NS, &body);

	(void)state;
	assert_string_equal(text_of(body, "type"), "alert.resolved");
	assert_string_equal(text_of(data, "state"), "resolved");
	assert_string_equal(text_of(data, "priority"), "P2");
	assert_string_equal(text_of(data, "raised_at"), "2026-08-03T09:56:36.584631Z");
	assert_string_equal(text_of(data, "resolved_at"), "2026-08-03T09:56:37.584631Z");
	json_decref(data);
	json_decref(body);
	page_unref(p);
}

static void a_resolution_says_that_it_is_over_and_what_is_true_now(void **state)
{
	static const struct {
		const char *code;
		bool by_rule;
		const char *message, *resolution;
		uint64_t lasted_ns;
		const char *told;
	} rows[] = {
		{ "DATA_FEED_DOWN", true, "no data from okx:ETH-USD", NULL, 107 * NS_PER_S,
		  "RESOLVED after 1 min 47 s: no data from okx:ETH-USD; the feed is back" },
		{ "DATA_FEED_DOWN", true, "no data from okx:ETH-USD", "the engine was stopped",
		  NS_PER_S, "RESOLVED after 1.0 s: the engine was stopped" },
		{ "DATA_FEED_DOWN", false, "feeds stopped", NULL, 0,
		  "RESOLVED after 0.0 s: feeds stopped; the engine has cleared it" },
		{ "DRIFT_CRITICAL", true, "drift 0.28", "session s completed", 3600 * NS_PER_S,
		  "RESOLVED after 1 h: session s completed" },
		{ "DRIFT_HIGH", true, "drift 0.12", NULL, 60 * NS_PER_S,
		  "RESOLVED after 1 min: drift 0.12; the drift is below its threshold again" },
		{ "RISK_LIMIT_BREACH", true, "risk 0.31", NULL, 60 * NS_PER_S,
		  "RESOLVED after 1 min: risk 0.31; the risk is within its limit again" },
		{ "ENGINE_STALLED", true, "no heartbeat", NULL, 60 * NS_PER_S,
		  "RESOLVED after 1 min: no heartbeat; the engine sends heartbeats again" },
		{ "ENGINE_DOWN", true, "the engine died", NULL, 60 * NS_PER_S,
		  "RESOLVED after 1 min: the engine died; the engine runs again" },
		{ "EXECUTION_ERROR", true, "execution error", "expired: not raised again for 1 d",
		  86400 * NS_PER_S, "RESOLVED after 1 d: expired: not raised again for 1 d" },
		{ "PAGER_DEGRADED", true, "answers 503", NULL, 60 * NS_PER_S,
		  "RESOLVED after 1 min: answers 503; the endpoint takes pages again" },
		{ "MY_CODE", false, "route lost", "route is back", 5 * NS_PER_S,
		  "RESOLVED after 5.0 s: route is back" },
		{ "MY_CODE", false, "", "", 5 * NS_PER_S,
		  "RESOLVED after 5.0 s: the engine has cleared it" },
		{ "MY_CODE", true, NULL, NULL, 5 * NS_PER_S, "RESOLVED after 5.0 s: it is over" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char code[32], message[64], resolution[64];
		struct incident incident = fixture_incident(ALERT_ID, 1);
		char title[128];

		snprintf(code, sizeof code, "%s", rows[i].code);
		snprintf(message, sizeof message, "%s", rows[i].message ? rows[i].message : "");
		snprintf(resolution, sizeof resolution, "%s",
			 rows[i].resolution ? rows[i].resolution : "");
		incident.code = code;
		incident.by_rule = rows[i].by_rule;
		incident.message = rows[i].message ? message : NULL;
		incident.resolution = rows[i].resolution ? resolution : NULL;
		incident.open = false;
		incident.resolved.clock_ns = incident.opened.clock_ns + rows[i].lasted_ns;
		struct page *raised = page_of(&incident, PAGE_RAISED);
		struct page *p = page_of(&incident, PAGE_RESOLVED);
		json_t *data = rendered(p, LATER_NS, NULL);

		assert_string_equal(text_of(data, "message"), rows[i].told);
		snprintf(title, sizeof title, "Resolved: %s", text_of(raised->data, "title"));
		assert_string_equal(text_of(data, "title"), title);
		json_decref(data);
		page_unref(p);
		page_unref(raised);
	}
}

static void lateness_is_told_in_milliseconds_and_never_negative(void **state)
{
	struct page *p = fixture_page(ALERT_ID);
	size_t len;
	char *text = rendered_text(p, LATER_NS, &len);

	(void)state;
	assert_non_null(strstr(text, "\"delayed_by_s\":12.345}"));
	free(text);
	text = rendered_text(p, FIXTURE_WALL_NS - 1, &len);
	assert_non_null(strstr(text, "\"delayed_by_s\":0.0}"));
	free(text);
	text = rendered_text(p, UINT64_MAX, &len);
	assert_non_null(strstr(text, "\"delayed_by_s\":16660993077.124"));
	free(text);
	/* Rendering leaves the page as it was. */
	assert_null(json_object_get(p->data, "delayed_by_s"));
	page_unref(p);
}

static void a_recording_s_page_is_late_by_the_real_clock(void **state)
{
	struct incident i = fixture_incident(ALERT_ID, 1);
	struct page_context played = fixture_context;
	struct page *p = NULL;
	size_t len;

	(void)state;
	played.due_wall_ns = LATER_NS - NS_PER_S;
	assert_int_equal(
		page_new(&played, &i, PAGE_RAISED, (struct moment){ 3, FIXTURE_WALL_NS }, &p), 0);
	char *text = NULL;
	assert_int_equal(page_format_find("generic")->render(p, false, page_late_ns(p, LATER_NS, 0),
							     &text, &len),
			 0);
	assert_non_null(strstr(text, "\"delayed_by_s\":1.0}"));
	assert_non_null(strstr(text, "\"timestamp\":\"2026-08-03T09:56:36.584631Z"));
	free(text);
	page_unref(p);
}

static void what_is_known_besides_is_told(void **state)
{
	struct incident i = fixture_incident(ALERT_ID, 3);
	struct page_context replaying = fixture_context;
	char general[] = "GENERAL", raw[] = "disk full!", session[] = "shadow_001", empty[] = "";
	struct page *p = NULL;

	(void)state;
	i.code = general;
	i.raw_code = raw;
	i.session_id = session;
	i.instance = empty;
	i.truncated = true;
	replaying.replay = true;
	assert_int_equal(
		page_new(&replaying, &i, PAGE_RAISED, (struct moment){ 3, FIXTURE_WALL_NS }, &p),
		0);
	json_t *data = rendered(p, LATER_NS, NULL);
	assert_string_equal(text_of(data, "raw_code"), "disk full!");
	assert_string_equal(text_of(data, "session_id"), "shadow_001");
	assert_string_equal(text_of(data, "instance"), "");
	assert_true(json_is_true(json_object_get(data, "replay")));
	assert_true(json_is_true(json_object_get(data, "truncated")));
	json_decref(data);
	page_unref(p);
}

static void hostile_text_comes_out_as_text(void **state)
{
	static const tocsin_kv kv[] = {
		{ { "nul\0key", 7 }, { "a\0b", 3 } },
		{ { "\xff\xfe", 2 }, { "\xed\xa0\x80", 3 } },
		{ { "quote\"\\\n", 8 }, { "\x1b[31m", 5 } },
		{ { "empty", 5 }, { NULL, 0 } },
		{ { NULL, 0 }, { "no key", 6 } },
	};
	struct incident i = fixture_incident(ALERT_ID, 1);
	char message[] = "line\nnext\r\t\"=\x1b[2J ../../ \xc3\x28 \xf0\x9f\x94\x94";

	(void)state;
	i.message = message;
	assert_int_equal(metadata_merge(&i.metadata, kv, 5), 0);
	struct page *p = page_of(&i, PAGE_RAISED);
	json_t *data = rendered(p, LATER_NS, NULL), *meta = json_object_get(data, "metadata");
	assert_string_equal(text_of(data, "message"), "line\nnext\r\t\"=\x1b[2J ../../ "
						      "\xef\xbf\xbd( \xf0\x9f\x94\x94");
	assert_string_equal(text_of(meta, "nul\xef\xbf\xbdkey"), "a\xef\xbf\xbd"
								 "b");
	assert_string_equal(text_of(meta, "\xef\xbf\xbd\xef\xbf\xbd"),
			    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_string_equal(text_of(meta, "quote\"\\\n"), "\x1b[31m");
	assert_string_equal(text_of(meta, "empty"), "");
	assert_string_equal(text_of(meta, ""), "no key");
	assert_null(json_object_get(data, "truncated"));
	json_decref(data);
	metadata_done(&i.metadata);
	page_unref(p);
}

static void add_metadata(struct incident *i, unsigned n, size_t value_len, char byte)
{
	static char value[TOCSIN_TEXT_MAX];

	memset(value, byte, sizeof value);
	for (unsigned k = 0; k < n; k++) {
		char key[16];
		int len = snprintf(key, sizeof key, "k%u", k);
		tocsin_kv kv = { { key, (size_t)len }, { value, value_len } };

		metadata_merge(&i->metadata, &kv, 1);
	}
}

/* The file of a page must be readable again, whatever is in it. */
static void check_file_of(const struct page *p)
{
	char *bytes, *endpoint;
	struct page *again = NULL;
	size_t len;

	assert_int_equal(page_to_file(p, "webhook", &bytes, &len), 0);
	assert_int_equal(page_from_file(bytes, len, &again, &endpoint), 0);
	assert_true(json_equal(p->data, again->data));
	assert_string_equal(again->id, p->id);
	free(bytes);
	free(endpoint);
	page_unref(again);
}

static void everything_at_its_largest_stays_within_the_maximum(void **state)
{
	static const char fills[] = { 'x', '"', '\x01', '\x1b', '\xff', '\x7f', '\n' };
	static const size_t lengths[] = { 255, 3072, 70000 };

	(void)state;
	for (size_t f = 0; f < sizeof fills; f++) {
		for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
			char *big = malloc(lengths[l] + 1);
			assert_non_null(big);
			memset(big, fills[f], lengths[l]);
			big[lengths[l]] = 0;
			struct incident i = fixture_incident(ALERT_ID, 1);
			struct page_context c = {
				.engine = big, .host = big, .runbooks_base_url = big, .replay = true
			};
			struct page *p = NULL;

			i.raw_code = i.message = i.session_id = i.source = i.instance = big;
			i.number = i.count = INT64_MAX;
			add_metadata(&i, METADATA_MAX, 40, fills[f]);
			assert_int_equal(page_new(&c, &i, PAGE_RESOLVED,
						  (struct moment){ 1, UINT64_MAX / 2 }, &p),
					 0);
			json_decref(rendered(p, UINT64_MAX, NULL));
			check_file_of(p);
			page_unref(p);
			metadata_done(&i.metadata);
			free(big);
		}
	}
}

static void metadata_goes_before_the_message_does(void **state)
{
	struct incident i = fixture_incident(ALERT_ID, 1);
	char message[2601];

	(void)state;
	memset(message, '\x02', sizeof message - 1); /* 6 bytes each in JSON */
	message[sizeof message - 1] = 0;
	i.message = message;
	add_metadata(&i, 1, 3000, '"');
	struct page *p = page_of(&i, PAGE_RAISED);
	json_t *data = rendered(p, LATER_NS, NULL);
	size_t left = strlen(text_of(json_object_get(data, "metadata"), "k0"));
	assert_int_equal(strlen(text_of(data, "message")), 2600);
	assert_in_range(left, 16, 2999);
	assert_true(json_is_true(json_object_get(data, "truncated")));
	json_decref(data);
	page_unref(p);
	metadata_done(&i.metadata);
}

static void ordinary_text_is_never_cut(void **state)
{
	struct incident i = fixture_incident(ALERT_ID, 1);
	char message[1001];

	(void)state;
	memset(message, 'm', sizeof message - 1);
	message[sizeof message - 1] = 0;
	i.message = message;
	add_metadata(&i, 40, 40, '"');
	struct page *p = page_of(&i, PAGE_RAISED);
	json_t *data = rendered(p, LATER_NS, NULL);
	assert_null(json_object_get(data, "truncated"));
	assert_int_equal(json_object_size(json_object_get(data, "metadata")), 40);
	json_decref(data);
	page_unref(p);
	metadata_done(&i.metadata);
}

static void only_known_formats_are_found(void **state)
{
	const struct page_format *f = page_format_find("generic");

	(void)state;
	assert_string_equal(f->content_type, "application/json");
	assert_null(page_format_find(""));
	assert_null(page_format_find("Generic"));
	assert_true(f->taken(200, NULL, 0));
	assert_true(f->taken(204, "x", 1));
	assert_true(f->taken(299, NULL, 0));
	assert_false(f->taken(0, NULL, 0));
	assert_false(f->taken(199, NULL, 0));
	assert_false(f->taken(300, NULL, 0));
	assert_false(f->taken(302, NULL, 0));
	assert_false(f->taken(500, NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_named_after_its_incident_and_step),
		cmocka_unit_test(the_longest_ids_fit),
		cmocka_unit_test(a_priority_graver_than_the_codes_own_has_its_own_times),
		cmocka_unit_test(the_generic_body_has_every_member),
		cmocka_unit_test(a_resolution_tells_its_time),
		cmocka_unit_test(a_resolution_says_that_it_is_over_and_what_is_true_now),
		cmocka_unit_test(lateness_is_told_in_milliseconds_and_never_negative),
		cmocka_unit_test(a_recording_s_page_is_late_by_the_real_clock),
		cmocka_unit_test(what_is_known_besides_is_told),
		cmocka_unit_test(hostile_text_comes_out_as_text),
		cmocka_unit_test(everything_at_its_largest_stays_within_the_maximum),
		cmocka_unit_test(metadata_goes_before_the_message_does),
		cmocka_unit_test(ordinary_text_is_never_cut),
		cmocka_unit_test(only_known_formats_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

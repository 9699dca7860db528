/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "deliver_fixture.h"

#define SUMMARY_ID "00112233445566778899aabbccddeeff-42-storm"
#define MINUTE_LATER_NS (FIXTURE_WALL_NS + 58 * NS_PER_S)

static void list(struct rate_limit_summary *s, const char *id, const char *code, bool ended)
{
	size_t n = s->n_ids++;

	snprintf(s->ids[n], sizeof s->ids[n], "%s", id);
	snprintf(s->codes[n], sizeof s->codes[n], "%s", code);
	s->ended[n] = ended;
}

static struct rate_limit_summary summary_of_some(void)
{
	struct rate_limit_summary s = {
		.id = SUMMARY_ID,
		.raised = 3,
		.resolved = 1,
		.by_priority = { 3, 1, 0 },
		.priority = 1,
		.code = "DATA_FEED_DOWN",
		.limit = 60,
		.since = { NS_PER_S, FIXTURE_WALL_NS },
	};

	list(&s, "e-1-drift-high", "DRIFT_HIGH", false);
	list(&s, "e-2-feed", "DATA_FEED_DOWN", true);
	list(&s, "e-3-feed", "DATA_FEED_DOWN", false);
	return s;
}

static struct page *page_of(const struct page_context *c, const struct rate_limit_summary *s)
{
	struct moment at = { 59 * NS_PER_S, MINUTE_LATER_NS };
	struct page *p = NULL;

	assert_int_equal(page_new_summary(c, s, at, &p), 0);
	return p;
}

static const char *text_of(const struct page *p, const char *name)
{
	return json_string_value(json_object_get(p->data, name));
}

static json_int_t number_of(const json_t *o, const char *name)
{
	assert_true(json_is_integer(json_object_get(o, name)));
	return json_integer_value(json_object_get(o, name));
}

static void a_summary_says_how_many_of_what_and_where_to_look(void **state)
{
	struct rate_limit_summary s = summary_of_some();
	struct page *p = page_of(&fixture_context, &s);

	(void)state;
	assert_string_equal(text_of(p, "title"), "Many alerts at once: 4 more pages in one");
	assert_string_equal(text_of(p, "message"),
			    "This page replaces 4 that were held back for 58.0 s, because more "
			    "than 60 a minute were due: 3 raised, 1 resolved; P1 3, P2 1. Alerts: "
			    "DRIFT_HIGH 1, DATA_FEED_DOWN 2. See each of them: tocsin alerts "
			    "--engine shadow-1 --since 2026-08-03T09:56:36.584631Z");
	assert_string_equal(text_of(p, "runbook_url"),
			    "https://runbooks.example/data_feed_down.md");
	assert_non_null(text_of(p, "ack_within"));
	assert_non_null(text_of(p, "escalate_to"));
	assert_string_equal(text_of(p, "raised_at"), "2026-08-03T09:56:36.584631Z");
	page_unref(p);
}

static void a_summary_names_the_p1s_that_are_open(void **state)
{
	struct rate_limit_summary s = summary_of_some();

	(void)state;
	list(&s, "e-4-call", "LOW", false);
	for (size_t n = 0; n < s.n_ids; n++)
		s.priorities[n] = n < 3 ? 1 : 3;
	struct page *p = page_of(&fixture_context, &s);
	assert_non_null(strstr(text_of(p, "message"),
			       "P2 1. P1 still open: DRIFT_HIGH 1, DATA_FEED_DOWN 1. Alerts: "));
	const json_t *alerts = json_object_get(p->data, "alerts");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(alerts, 2), "priority")), "P1");
	page_unref(p);
}

static void a_summary_is_a_page_of_its_own(void **state)
{
	struct rate_limit_summary s = summary_of_some();
	struct page *p = page_of(&fixture_context, &s);

	(void)state;
	assert_string_equal(p->id, SUMMARY_ID ".summary");
	assert_string_equal(p->alert_id, SUMMARY_ID);
	assert_string_equal(p->code, "DATA_FEED_DOWN");
	assert_int_equal(p->type, PAGE_TYPE_SUMMARY);
	assert_int_equal(p->priority, 1);
	assert_true(p->event_wall_ns == MINUTE_LATER_NS);
	assert_true(p->due_wall_ns == MINUTE_LATER_NS);
	assert_true(page_step(p) == 0);
	assert_false(atomic_load(&p->taken));
	page_unref(p);
}

static void a_summary_has_the_ids_for_programs(void **state)
{
	struct rate_limit_summary s = summary_of_some();
	struct page_context replaying = fixture_context;
	struct page *p;

	(void)state;
	replaying.replay = true;
	replaying.due_wall_ns = 77;
	p = page_of(&replaying, &s);
	const json_t *alerts = json_object_get(p->data, "alerts");
	assert_int_equal(json_array_size(alerts), 3);
	json_t *second = json_pack("{s:s,s:s,s:s}", "alert_id", "e-2-feed", "code",
				   "DATA_FEED_DOWN", "state", "resolved");
	assert_true(json_equal(json_array_get(alerts, 1), second));
	json_decref(second);
	assert_int_equal(number_of(p->data, "count"), 4);
	assert_int_equal(number_of(p->data, "raised"), 3);
	assert_int_equal(number_of(p->data, "resolved"), 1);
	assert_int_equal(number_of(p->data, "unlisted"), 0);
	assert_int_equal(number_of(json_object_get(p->data, "by_priority"), "P2"), 1);
	assert_true(json_is_true(json_object_get(p->data, "replay")));
	assert_true(p->due_wall_ns == 77);
	page_unref(p);
}

static void what_does_not_fit_the_list_is_told_of(void **state)
{
	struct rate_limit_summary s = summary_of_some();
	struct page *p;

	(void)state;
	s.limit = 0;
	s.unlisted = 1;
	s.n_ids = 0;
	for (unsigned i = 0; i < 12; i++) {
		char code[2] = { (char)('A' + i), 0 };

		list(&s, "e-1-call", code, false);
	}
	p = page_of(&fixture_context, &s);
	assert_non_null(strstr(text_of(p, "message"),
			       "held back for 58.0 s: 3 raised, 1 resolved; P1 3, P2 1. Alerts: "
			       "A 1, B 1, C 1, D 1, E 1, F 1, G 1, H 1, others 4 and more (1 of "
			       "the pages). See"));
	page_unref(p);
}

static void assert_comes_back(const struct page *p)
{
	char *bytes, *endpoint;
	struct page *again = NULL;
	size_t len;

	assert_int_equal(page_to_file(p, "webhook", &bytes, &len), 0);
	assert_int_equal(page_from_file(bytes, len, &again, &endpoint), 0);
	assert_true(json_equal(p->data, again->data));
	assert_string_equal(again->id, p->id);
	assert_string_equal(again->alert_id, p->alert_id);
	assert_int_equal(again->type, PAGE_TYPE_SUMMARY);
	assert_true(page_step(again) == 0);
	free(bytes);
	free(endpoint);
	page_unref(again);
}

static void the_largest_summary_fits_and_its_file_gives_it_again(void **state)
{
	static const char fills[] = { 'x', '"', '\x01', '\xff' };
	struct rate_limit_summary s = summary_of_some();
	char id[ALERT_ID_SIZE] = "", code[TOCSIN_CODE_MAX + 1] = "";

	(void)state;
	memset(id, 'a', sizeof id - 1);
	memset(code, 'C', sizeof code - 1);
	snprintf(s.id, sizeof s.id, "%s", id);
	snprintf(s.code, sizeof s.code, "%s", code);
	s.n_ids = 0;
	for (unsigned i = 0; i < RATE_LIMIT_IDS_MAX; i++) {
		code[0] = (char)('A' + i % 26);
		code[1] = (char)('A' + i / 26);
		list(&s, id, code, true);
	}
	s.raised = s.resolved = s.unlisted = s.limit = INT64_MAX / 2;
	s.by_priority[0] = s.by_priority[1] = s.by_priority[2] = INT64_MAX / 2;
	for (size_t f = 0; f < sizeof fills; f++) {
		char big[4001] = "";
		struct page_context c = {
			.engine = big, .host = big, .runbooks_base_url = big, .replay = true
		};
		size_t len;
		char *body;

		memset(big, fills[f], sizeof big - 1);
		struct page *p = page_of(&c, &s);
		assert_true(json_is_true(json_object_get(p->data, "truncated")));
		assert_int_equal(
			page_format_find("generic")->render(p, false, UINT64_MAX, &body, &len), 0);
		assert_true(len <= PAGE_BODY_MAX);
		free(body);
		assert_comes_back(p);
		page_unref(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_summary_says_how_many_of_what_and_where_to_look),
		cmocka_unit_test(a_summary_names_the_p1s_that_are_open),
		cmocka_unit_test(a_summary_is_a_page_of_its_own),
		cmocka_unit_test(a_summary_has_the_ids_for_programs),
		cmocka_unit_test(what_does_not_fit_the_list_is_told_of),
		cmocka_unit_test(the_largest_summary_fits_and_its_file_gives_it_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "journal/entry_fields.h"
#include "post/pager.h"
#include "picture/rate_limit.h"
#include "codes/runbooks.h"
#include "post/attempt_entry.h"

#define WALL_NS UINT64_C(1785750996584631000)

static const struct entry_context context = { .engine = "engine",
					      .runbooks_base_url = "https://r.example" };

/* Casts the const away from a literal that nobody will write to. */
static char *text(const char *s)
{
	return (char *)(uintptr_t)s;
}

/* The nth value of a field, {NULL, 0} when there is none. */
static tocsin_str field(const struct entry *e, const char *name, unsigned nth)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < e->n_fields; i++) {
		const char *bytes = e->fields[i].iov_base;

		if (e->fields[i].iov_len > len && memcmp(bytes, name, len) == 0 &&
		    bytes[len] == '=' && nth-- == 0)
			return (tocsin_str){ bytes + len + 1, e->fields[i].iov_len - len - 1 };
	}
	return (tocsin_str){ NULL, 0 };
}

static void expect(const struct entry *e, const char *name, const char *value)
{
	tocsin_str found = field(e, name, 0);

	if (value ? !found.ptr || !str_is(found, value) : found.ptr != NULL)
		fail_msg("%s is \"%.*s\" and not \"%s\"", name, (int)found.len,
			 found.ptr ? found.ptr : "", value ? value : "(absent)");
}

static struct incident feed_down(void)
{
	return (struct incident){
		.id = "0123-7-feed",
		.key = text("DATA_FEED_DOWN source=okx:ETH-USD"),
		.code = text("DATA_FEED_DOWN"),
		.message = text("no data from okx:ETH-USD for 5.0 s"),
		.source = text("okx:ETH-USD"),
		.open = true,
		.by_rule = true,
		.priority = 1,
		.number = 7,
		.count = 2,
		.opened = { 5 * NS_PER_S, WALL_NS },
		.raised = { 5 * NS_PER_S, WALL_NS },
	};
}

static struct entry *entry_of_incident(struct incident *i)
{
	struct change n = { .kind = CHANGE_ALERT, .at = { 0, WALL_NS }, .incident = i };
	struct entry *e = entry_of_change(&context, &n);

	assert_non_null(e);
	return e;
}

static void an_alert_says_what_happened(void **state)
{
	struct incident i = feed_down();
	struct entry *e = entry_of_incident(&i);

	(void)state;
	assert_int_equal(e->class, ENTRY_CLASS_FIRST);
	assert_int_equal(e->priority, LOG_CRIT);
	expect(e, "SYSLOG_IDENTIFIER", "tocsin");
	expect(e, "PRIORITY", "2");
	expect(e, "MESSAGE", "[P1] DATA_FEED_DOWN: no data from okx:ETH-USD for 5.0 s");
	expect(e, "MESSAGE_ID", runbooks_find(NULL, STR("DATA_FEED_DOWN"))->message_id);
	expect(e, "DOCUMENTATION", "https://r.example/data_feed_down.md");
	expect(e, "TOCSIN_EVENT", "alert");
	expect(e, "TOCSIN_ENGINE", "engine");
	expect(e, "TOCSIN_CODE", "DATA_FEED_DOWN");
	expect(e, "TOCSIN_PRIORITY", "P1");
	expect(e, "TOCSIN_STATE", "firing");
	expect(e, "TOCSIN_ALERT_ID", "0123-7-feed");
	expect(e, "TOCSIN_NUMBER", "7");
	expect(e, "TOCSIN_COUNT", "2");
	expect(e, "TOCSIN_KEY", "DATA_FEED_DOWN source=okx:ETH-USD");
	expect(e, "TOCSIN_SOURCE", "okx:ETH-USD");
	expect(e, "TOCSIN_TIME", "2026-08-03T09:56:36.584631Z");
	expect(e, "TOCSIN_SESSION", NULL);
	expect(e, "TOCSIN_RAW_CODE", NULL);
	expect(e, "TOCSIN_RAW_MESSAGE", NULL);
	expect(e, "TOCSIN_VALUE", NULL);
	expect(e, "TOCSIN_REPLAY", NULL);
	expect(e, "TOCSIN_RECOVERED", NULL);
	expect(e, "TOCSIN_TRUNCATED", NULL);
	expect(e, "TOCSIN_METADATA", NULL);
	entry_free(e);
}

static void a_resolution_says_how_long_it_lasted_and_what_is_true_now(void **state)
{
	static const struct {
		const char *code;
		bool by_rule;
		const char *resolution, *message;
	} rows[] = {
		{ "DATA_FEED_DOWN", true, NULL,
		  "[P1] DATA_FEED_DOWN resolved after 25.0 s: no data from okx:ETH-USD for 5.0 s; "
		  "the feed is back" },
		{ "DATA_FEED_DOWN", true, "the engine was stopped",
		  "[P1] DATA_FEED_DOWN resolved after 25.0 s: the engine was stopped" },
		{ "DRIFT_HIGH", true, "session s completed",
		  "[P1] DRIFT_HIGH resolved after 25.0 s: session s completed" },
		{ "MY_CODE", false, NULL,
		  "[P1] MY_CODE resolved after 25.0 s: no data from okx:ETH-USD for 5.0 s; the "
		  "engine has cleared it" },
		{ "MY_CODE", false, "the route is back",
		  "[P1] MY_CODE resolved after 25.0 s: the route is back" },
		{ "SESSION_FAILED", true, "expired: not raised again for 1 d",
		  "[P1] SESSION_FAILED resolved after 25.0 s: expired: not raised again for 1 d" },
	};

	(void)state;
	for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
		struct incident i = feed_down();
		struct entry *e;

		i.open = false;
		i.code = text(rows[n].code);
		i.by_rule = rows[n].by_rule;
		i.resolution = text(rows[n].resolution);
		i.resolved.clock_ns = 30 * NS_PER_S;
		e = entry_of_incident(&i);
		assert_int_equal(e->class, ENTRY_CLASS_FIRST);
		expect(e, "PRIORITY", "5");
		expect(e, "TOCSIN_STATE", "resolved");
		expect(e, "MESSAGE", rows[n].message);
		expect(e, "TOCSIN_RAW_MESSAGE", NULL);
		entry_free(e);
	}
}

static void priorities_have_levels_and_classes(void **state)
{
	static const struct {
		uint32_t priority;
		enum entry_class class;
		const char *level, *name;
	} cases[] = {
		{ 1, ENTRY_CLASS_FIRST, "2", "P1" },
		{ 2, ENTRY_CLASS_P2, "3", "P2" },
		{ 3, ENTRY_CLASS_P3, "4", "P3" },
	};

	(void)state;
	for (size_t n = 0; n < 3; n++) {
		struct incident i = feed_down();
		struct entry *e;

		i.priority = cases[n].priority;
		e = entry_of_incident(&i);
		assert_int_equal(e->class, cases[n].class);
		expect(e, "PRIORITY", cases[n].level);
		expect(e, "TOCSIN_PRIORITY", cases[n].name);
		entry_free(e);
	}
}

static void a_hostile_message_is_shown_clean_and_kept_exactly(void **state)
{
	struct incident i = feed_down();
	struct entry *e;

	(void)state;
	i.code = text("GENERAL");
	i.raw_code = text("../x\nPRIORITY=0");
	i.message = text("\x1b[2J\nTOCSIN_CODE=FAKE\xff");
	i.session_id = text("a\nb=c");
	i.instance = text("\xff");
	e = entry_of_incident(&i);
	expect(e, "MESSAGE", "[P1] GENERAL: \\x1b[2J\\nTOCSIN_CODE=FAKE\xef\xbf\xbd");
	expect(e, "TOCSIN_RAW_MESSAGE", "\x1b[2J\nTOCSIN_CODE=FAKE\xff");
	expect(e, "TOCSIN_RAW_CODE", "../x\nPRIORITY=0");
	expect(e, "TOCSIN_SESSION", "a\nb=c");
	expect(e, "TOCSIN_INSTANCE", "\xff");
	expect(e, "DOCUMENTATION", "https://r.example/general.md");
	assert_null(field(e, "TOCSIN_CODE", 1).ptr);
	entry_free(e);
}

static void values_are_exact_in_every_locale(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{ 0.31, "0.31" },      { -2, "-2" },
		{ 1e300, "1e+300" },   { 0.1 + 0.2, "0.30000000000000004" },
		{ NAN, "nan" },        { INFINITY, "inf" },
		{ -INFINITY, "-inf" },
	};
	static const char *const locales[] = { "C", "de_DE.UTF-8", "fr_FR.UTF-8" };

	(void)state;
	for (size_t l = 0; l < 3; l++) {
		setlocale(LC_NUMERIC, locales[l]);
		for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
			char buf[DOUBLE_TEXT_SIZE];

			assert_string_equal(double_to_text(cases[n].value, buf), cases[n].text);
		}
	}
	setlocale(LC_NUMERIC, "C");
}

static void metadata_is_a_field_each_and_json(void **state)
{
	tocsin_kv kv[] = {
		{ STR("strategy"), STR("ma_cross") },
		{ STR("a b-c\n=\xff"), STR("line\nnext") },
		{ STR(""), STR("empty") },
		{ STR("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
		  STR("long") }
	};
	struct incident i = feed_down();
	struct entry *e;

	(void)state;
	i.metadata = (struct metadata){ .kv = kv, .n = 4 };
	e = entry_of_incident(&i);
	expect(e, "TOCSIN_META_STRATEGY", "ma_cross");
	expect(e, "TOCSIN_META_A_B_C___", "line\nnext");
	expect(e, "TOCSIN_META_", "empty");
	expect(e, "TOCSIN_META_XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX", "long");
	assert_non_null(strstr(field(e, "TOCSIN_METADATA", 0).ptr, "\"strategy\":\"ma_cross\""));
	entry_free(e);
}

static unsigned meta_fields(const struct entry *e)
{
	unsigned n = 0;

	for (size_t i = 0; i < e->n_fields; i++)
		n += e->fields[i].iov_len > strlen("TOCSIN_META_") &&
		     memcmp(e->fields[i].iov_base, "TOCSIN_META_", strlen("TOCSIN_META_")) == 0;
	return n;
}

/* One entry after the other, all of one run, each with the keys PREFIX FIRST to PREFIX LAST. */
static void a_run_gives_the_log_a_bounded_number_of_names(void **state)
{
	static const struct {
		const char *prefix;
		unsigned first, last;
		bool session; /* a session's event rather than an alert */
		unsigned fields;
		size_t names;
		bool left_out;
	} steps[] = {
		{ "k", 0, 0, false, 1, 1, false },
		{ "k", 0, 0, true, 1, 1, false },  /* known */
		{ "K", 0, 0, false, 1, 1, false }, /* the same name */
		{ "k", 1, 9, true, 9, 10, false },
		{ "k.", 0, 9, false, 10, 20, false },
		{ "k-", 0, 9, false, 10, 20, false }, /* the same ten names */
		{ "j", 0, 31, true, 32, 52, false },
		{ "i", 0, 11, false, 12, 64, false }, /* the last that have room */
		{ "i", 0, 11, true, 12, 64, false },
		{ "k", 9, 10, false, 1, 64, true }, /* 9 is known, 10 comes too late */
		{ "h", 0, 31, true, 0, 64, true },
		{ "j", 30, 33, false, 2, 64, true },
	};
	struct entry_meta_names names = { 0 };
	struct entry_context c = context;

	(void)state;
	c.meta_names = &names;
	for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
		unsigned n = steps[s].last - steps[s].first + 1;
		struct incident i = feed_down();
		struct record r = { .type = RECORD_SESSION, .kind = TOCSIN_SESSION_CREATED };
		struct session session = { .id = text("s"), .id_len = 1 };
		struct change change = { .at = { 0, WALL_NS } };
		char keys[RECORD_KV_MAX][16], last[24];
		tocsin_kv kv[RECORD_KV_MAX];
		struct entry *e;

		for (unsigned k = 0; k < n; k++) {
			snprintf(keys[k], sizeof keys[k], "%s%u", steps[s].prefix,
				 steps[s].first + k);
			kv[k] = (tocsin_kv){ str(keys[k]), STR("v") };
		}
		snprintf(last, sizeof last, "\"%s\":\"v\"", keys[n - 1]);
		if (steps[s].session) {
			change.kind = CHANGE_SESSION;
			r.n_kv = n;
			memcpy(r.kv, kv, n * sizeof *kv);
			change.record = &r;
			change.session = &session;
		} else {
			change.kind = CHANGE_ALERT;
			i.metadata = (struct metadata){ .kv = kv, .n = n };
			change.incident = &i;
		}
		e = entry_of_change(&c, &change);
		assert_non_null(e);
		assert_int_equal(meta_fields(e), steps[s].fields);
		assert_int_equal(names.n, steps[s].names);
		assert_int_equal(names.left_out, steps[s].left_out);
		/* All of it is there, whatever fields it has. */
		assert_non_null(strstr(field(e, "TOCSIN_METADATA", 0).ptr, last));
		entry_free(e);
	}
}

static void no_field_ends_at_a_nul(void **state)
{
	struct incident i = feed_down();
	tocsin_kv kv[] = { { STR("k"), STR("\0a\0") } };
	struct record r = { .type = RECORD_HEALTH,
			    .kind = TOCSIN_HEALTH_FEED_UP,
			    .source = STR("o\0x"),
			    .session_id = STR("s\0") };
	struct change n = { .kind = CHANGE_HEALTH, .record = &r };
	struct entry *e;

	(void)state;
	i.metadata = (struct metadata){ .kv = kv, .n = 1 };
	e = entry_of_incident(&i);
	expect(e, "TOCSIN_META_K",
	       "\xef\xbf\xbd"
	       "a\xef\xbf\xbd");
	entry_free(e);
	e = entry_of_change(&context, &n);
	expect(e, "TOCSIN_SOURCE", "o\xef\xbf\xbdx");
	expect(e, "TOCSIN_SESSION", "s\xef\xbf\xbd");
	entry_free(e);
}

static void a_full_entry_leaves_the_rest_out(void **state)
{
	struct entry *e = entry_new(ENTRY_CLASS_LEAST, 7);
	_cleanup_free_ char *big = calloc(1, 5000);

	(void)state;
	assert_non_null(big);
	for (unsigned n = 0; n < ENTRY_FIELDS_MAX + 20; n++)
		entry_addf(e, "F", "%u %s", n,
			   n == 100 ? "and a text that is longer than all others, so long that it "
				      "does not fit into what is kept ready for short ones, which "
				      "is a hundred and sixty bytes, and it is"
				    : "");
	assert_int_equal(e->n_fields, ENTRY_FIELDS_MAX);
	for (unsigned n = 0; n < ENTRY_FIELDS_MAX; n++)
		assert_int_equal(strtoul(field(e, "F", n).ptr, NULL, 10), n);
	assert_true(field(e, "F", 100).len > 160);
	entry_add(e, "G", (tocsin_str){ big, 5000 });
	assert_null(field(e, "G", 0).ptr);
	entry_free(e);
	entry_free(NULL);
}

static void bytes_count_all_that_an_entry_holds(void **state)
{
	struct entry *e = entry_new(ENTRY_CLASS_LEAST, 7);
	_cleanup_free_ char *big = calloc(1, 5000);
	size_t before = e->bytes;

	(void)state;
	assert_non_null(big);
	entry_add(e, "G", (tocsin_str){ big, 5000 });
	assert_true(before >= sizeof *e);
	assert_int_equal(e->bytes, before + 5002);
	assert_memory_equal(field(e, "G", 0).ptr, big, 5000);
	entry_free(e);
}

static void a_session_says_its_status(void **state)
{
	struct session s = {
		.id = text("shadow\n001"),
		.id_len = 10,
		.status = text("running"),
		.status_len = 7,
		.started = { 0, WALL_NS },
	};
	struct record r = { .type = RECORD_SESSION,
			    .kind = TOCSIN_SESSION_STATUS,
			    .status = STR("running"),
			    .truncated = true,
			    .n_kv = 1,
			    .kv = { { STR("k"), STR("v") } } };
	struct change n = {
		.kind = CHANGE_SESSION, .at = { 0, WALL_NS }, .session = &s, .record = &r
	};
	struct entry_context c = context;
	struct entry *e;

	(void)state;
	c.replay = c.recovered = true;
	e = entry_of_change(&c, &n);
	assert_int_equal(e->class, ENTRY_CLASS_SESSION);
	expect(e, "PRIORITY", "5");
	expect(e, "MESSAGE", "session shadow\\n001: running");
	expect(e, "MESSAGE_ID", entry_kind_message_id(ENTRY_KIND_SESSION));
	expect(e, "TOCSIN_EVENT", "session");
	expect(e, "TOCSIN_SESSION", "shadow\n001");
	expect(e, "TOCSIN_STARTED", "2026-08-03T09:56:36.584631Z");
	expect(e, "TOCSIN_STATUS", "running");
	expect(e, "TOCSIN_META_K", "v");
	expect(e, "TOCSIN_METADATA", "{\"k\":\"v\"}");
	expect(e, "TOCSIN_REPLAY", "1");
	expect(e, "TOCSIN_RECOVERED", "1");
	expect(e, "TOCSIN_TRUNCATED", "1");
	entry_free(e);
	r.status = (tocsin_str){ NULL, 0 };
	e = entry_of_change(&c, &n);
	expect(e, "PRIORITY", "6");
	entry_free(e);
}

static void health_is_told_with_its_numbers(void **state)
{
	struct record r = { .type = RECORD_HEALTH,
			    .kind = TOCSIN_HEALTH_RISK,
			    .source = STR("drawdown"),
			    .session_id = STR("s"),
			    .value = 0.31,
			    .limit = 0.25,
			    .has_value = true };
	struct change n = { .kind = CHANGE_HEALTH, .at = { 0, WALL_NS }, .record = &r };
	struct entry *e = entry_of_change(&context, &n);

	(void)state;
	expect(e, "MESSAGE", "health risk drawdown: 0.31 (limit 0.25), session s");
	expect(e, "PRIORITY", "6");
	expect(e, "TOCSIN_EVENT", "health");
	expect(e, "TOCSIN_SOURCE", "drawdown");
	expect(e, "TOCSIN_VALUE", "0.31");
	expect(e, "TOCSIN_LIMIT", "0.25");
	entry_free(e);
	r = (struct record){ .kind = TOCSIN_HEALTH_FEED_PULSE, .source = STR("x") };
	e = entry_of_change(&context, &n);
	assert_int_equal(e->class, ENTRY_CLASS_LEAST);
	expect(e, "MESSAGE", "health feed_pulse x");
	expect(e, "PRIORITY", "7");
	expect(e, "TOCSIN_VALUE", NULL);
	entry_free(e);
	r.kind = 12345;
	e = entry_of_change(&context, &n);
	expect(e, "MESSAGE", "health event x");
	entry_free(e);
}

static void a_page_falling_due_is_no_entry(void **state)
{
	struct incident i = feed_down();
	struct change n = {
		.kind = CHANGE_ALERT, .incident = &i, .page = PAGE_RAISED, .page_only = true
	};

	(void)state;
	assert_null(entry_of_change(&context, &n));
	n = (struct change){ .kind = CHANGE_SESSION };
	assert_null(entry_of_change(&context, &n));
}

static void trouble_names_who_it_is_about(void **state)
{
	struct record r = { .type = RECORD_SESSION,
			    .session_id = STR("ghost"),
			    .status = STR("running") };
	struct change n = { .kind = CHANGE_TROUBLE,
			    .at = { 0, WALL_NS },
			    .record = &r,
			    .text = "no session ghost" };
	struct entry *e = entry_of_change(&context, &n);

	(void)state;
	expect(e, "MESSAGE", "no session ghost");
	expect(e, "MESSAGE_ID", entry_kind_message_id(ENTRY_KIND_TROUBLE));
	expect(e, "TOCSIN_EVENT", "tocsin");
	expect(e, "PRIORITY", "4");
	expect(e, "TOCSIN_SESSION", "ghost");
	entry_free(e);
}

static void a_note_is_one_clean_line(void **state)
{
	struct entry *e =
		entry_of_note(&context, ENTRY_KIND_STARTED, LOG_INFO, WALL_NS, "hello\nworld");

	(void)state;
	assert_int_equal(e->priority, LOG_INFO);
	expect(e, "MESSAGE", "hello\\nworld");
	expect(e, "MESSAGE_ID", entry_kind_message_id(ENTRY_KIND_STARTED));
	expect(e, "PRIORITY", "6");
	entry_free(e);
}

static void an_attempt_is_audited(void **state)
{
	struct page page = { .id = "0123-7-feed.raised",
			     .alert_id = "0123-7-feed",
			     .code = "DATA_FEED_DOWN",
			     .type = PAGE_TYPE_RAISED,
			     .priority = 1 };
	struct delivery delivery = { .page = &page };
	struct attempt a = { .delivery = &delivery,
			     .endpoint = "webhook",
			     .number = 3,
			     .http_status = 200,
			     .delay_ns = 1234567890,
			     .result = ATTEMPT_DELIVERED,
			     .error = "" };
	struct entry *e = entry_of_attempt(&context, &a, WALL_NS);

	(void)state;
	expect(e, "MESSAGE",
	       "page 0123-7-feed.raised to webhook: delivered after 1.2 s (attempt 3)");
	expect(e, "MESSAGE_ID", entry_kind_message_id(ENTRY_KIND_PAGE));
	expect(e, "PRIORITY", "6");
	expect(e, "TOCSIN_EVENT", "page");
	expect(e, "TOCSIN_PAGE_ID", "0123-7-feed.raised");
	expect(e, "TOCSIN_ALERT_ID", "0123-7-feed");
	expect(e, "TOCSIN_CODE", "DATA_FEED_DOWN");
	expect(e, "TOCSIN_PRIORITY", "P1");
	expect(e, "TOCSIN_STATE", "firing");
	expect(e, "TOCSIN_ENDPOINT", "webhook");
	expect(e, "TOCSIN_ATTEMPT", "3");
	expect(e, "TOCSIN_HTTP_STATUS", "200");
	expect(e, "TOCSIN_DELAY_MS", "1234");
	expect(e, "TOCSIN_RESULT", "delivered");
	entry_free(e);

	a.result = ATTEMPT_RETRY;
	a.http_status = 0;
	a.next_ns = NS_PER_S / 2;
	a.error = "connection\nrefused";
	page.type = PAGE_TYPE_RESOLVED;
	e = entry_of_attempt(&context, &a, WALL_NS);
	expect(e, "MESSAGE",
	       "page 0123-7-feed.raised to webhook: connection\\nrefused, again in 0.5 s (attempt "
	       "3)");
	assert_int_equal(e->class, ENTRY_CLASS_LEAST);
	expect(e, "PRIORITY", "4");
	expect(e, "TOCSIN_STATE", "resolved");
	expect(e, "TOCSIN_HTTP_STATUS", NULL);
	expect(e, "TOCSIN_RESULT", "retry");
	entry_free(e);
}

static void an_attempt_that_needs_a_person_is_told_loudly(void **state)
{
	struct page page = { .id = "0123-7-feed.raised",
			     .alert_id = "0123-7-feed",
			     .code = "DATA_FEED_DOWN",
			     .type = PAGE_TYPE_RAISED,
			     .priority = 1 };
	struct delivery delivery = { .page = &page };
	struct attempt a = { .delivery = &delivery,
			     .endpoint = "webhook",
			     .number = 2,
			     .http_status = 404,
			     .result = ATTEMPT_PARKED,
			     .next_ns = 300 * NS_PER_S,
			     .error = "" };
	struct entry *e = entry_of_attempt(&context, &a, WALL_NS);

	(void)state;
	assert_int_equal(e->class, ENTRY_CLASS_P2);
	expect(e, "PRIORITY", "4");
	expect(e, "TOCSIN_RESULT", "parked");
	expect(e, "MESSAGE",
	       "page 0123-7-feed.raised to webhook: answer 404, parked: repair the receiver or the "
	       "settings; next attempt in 5 min (attempt 2)");
	entry_free(e);

	a.result = ATTEMPT_DEAD;
	a.http_status = 400;
	e = entry_of_attempt(&context, &a, WALL_NS);
	assert_int_equal(e->class, ENTRY_CLASS_FIRST);
	expect(e, "PRIORITY", "2");
	expect(e, "TOCSIN_RESULT", "dead");
	expect(e, "TOCSIN_HTTP_STATUS", "400");
	expect(e, "MESSAGE",
	       "page 0123-7-feed.raised to webhook: answer 400, given up: it is in dead/ until "
	       "somebody sends it again or discards it (tocsin pages) (attempt 2)");
	entry_free(e);
	page.priority = 2;
	e = entry_of_attempt(&context, &a, WALL_NS);
	expect(e, "PRIORITY", "3");
	entry_free(e);

	a.result = ATTEMPT_RETRY;
	a.next_ns = 0;
	e = entry_of_attempt(&context, &a, WALL_NS);
	expect(e, "TOCSIN_RESULT", "retry");
	expect(e, "MESSAGE",
	       "page 0123-7-feed.raised to webhook: answer 400, again at once (attempt 2)");
	entry_free(e);
}

static void a_discarded_page_says_why(void **state)
{
	struct page page = { .id = "0123-7-feed.resolved",
			     .alert_id = "0123-7-feed",
			     .code = "DATA_FEED_DOWN",
			     .type = PAGE_TYPE_RESOLVED,
			     .priority = 1 };
	struct delivery delivery = { .page = &page };
	struct entry *e =
		entry_of_discard(&context, &delivery, "webhook", "receiver\nis gone", WALL_NS);

	(void)state;
	assert_int_equal(e->class, ENTRY_CLASS_FIRST);
	expect(e, "PRIORITY", "5");
	expect(e, "MESSAGE", "page 0123-7-feed.resolved to webhook: discarded: receiver\\nis gone");
	expect(e, "TOCSIN_EVENT", "page");
	expect(e, "TOCSIN_RESULT", "discarded");
	expect(e, "TOCSIN_REASON", "receiver\nis gone");
	expect(e, "TOCSIN_PAGE_ID", "0123-7-feed.resolved");
	expect(e, "TOCSIN_ALERT_ID", "0123-7-feed");
	expect(e, "TOCSIN_STATE", "resolved");
	expect(e, "TOCSIN_ENDPOINT", "webhook");
	expect(e, "TOCSIN_ATTEMPT", NULL);
	entry_free(e);
}

static void a_summary_names_what_was_held_back(void **state)
{
	static struct rate_limit_summary s = { .id = "0123-9-storm",
					       .raised = 4,
					       .resolved = 1,
					       .unlisted = 2,
					       .priority = 1,
					       .code = "DATA_FEED_DOWN",
					       .limit = 3,
					       .n_ids = 2,
					       .ids = { "0123-7-feed", "0123-8-feed" } };
	struct change n = { .kind = CHANGE_SUMMARY, .at = { 0, WALL_NS }, .summary = &s };
	struct entry *e;

	(void)state;
	s.since.wall_ns = WALL_NS;
	e = entry_of_change(&context, &n);
	assert_non_null(e);
	assert_int_equal(e->class, ENTRY_CLASS_P2);
	expect(e, "PRIORITY", "4");
	expect(e, "MESSAGE_ID", entry_kind_message_id(ENTRY_KIND_HELD));
	expect(e, "MESSAGE",
	       "5 pages were held back by the limit of 3 a minute; one summary replaces them: 4 "
	       "raised, 1 "
	       "resolved; see TOCSIN_ALERT_IDS, where 2 had no room");
	expect(e, "TOCSIN_EVENT", "tocsin");
	expect(e, "TOCSIN_ALERT_ID", "0123-9-storm");
	expect(e, "TOCSIN_PRIORITY", "P1");
	expect(e, "TOCSIN_COUNT", "5");
	expect(e, "TOCSIN_SINCE", "2026-08-03T09:56:36.584631Z");
	assert_true(str_is(field(e, "TOCSIN_ALERT_IDS", 0), "0123-7-feed"));
	assert_true(str_is(field(e, "TOCSIN_ALERT_IDS", 1), "0123-8-feed"));
	assert_null(field(e, "TOCSIN_ALERT_IDS", 2).ptr);
	entry_free(e);
	s.n_ids = SIZE_MAX; /* whatever stands there */
	e = entry_of_change(&context, &n);
	assert_true(e->n_fields <= ENTRY_FIELDS_MAX);
	entry_free(e);
}

static void everything_told_for_a_dead_run_says_so(void **state)
{
	struct entry_context c = context;
	struct incident i = feed_down();
	struct session s = { .id = text("s"), .id_len = 1, .status = text("x"), .status_len = 1 };
	struct record r = { .kind = TOCSIN_HEALTH_RISK };
	struct rate_limit_summary *summary = calloc(1, sizeof *summary);
	struct change change[] = {
		{ .kind = CHANGE_ALERT, .incident = &i },
		{ .kind = CHANGE_SESSION, .session = &s },
		{ .kind = CHANGE_HEALTH, .record = &r },
		{ .kind = CHANGE_TROUBLE, .text = "x" },
		{ .kind = CHANGE_SUMMARY, .summary = summary },
	};

	(void)state;
	assert_non_null(summary);
	for (size_t n = 0; n < 2 * sizeof change / sizeof *change; n++) {
		c.recovered = n % 2 == 0;
		struct entry *e = entry_of_change(&c, &change[n / 2]);

		assert_non_null(e);
		expect(e, "TOCSIN_RECOVERED", c.recovered ? "1" : NULL);
		entry_free(e);
	}
	free(summary);
}

static void every_kind_has_an_id_of_its_own(void **state)
{
	(void)state;
	for (int kind = ENTRY_KIND_SESSION; kind <= ENTRY_KIND_TROUBLE; kind++) {
		const char *id = entry_kind_message_id((enum entry_kind)kind);

		assert_int_equal(strlen(id), 32);
		assert_int_equal(strspn(id, "0123456789abcdef"), 32);
		for (int other = ENTRY_KIND_SESSION; other < kind; other++)
			assert_string_not_equal(id, entry_kind_message_id((enum entry_kind)other));
		for (unsigned r = 0; r < runbook_table_size; r++)
			assert_string_not_equal(id, runbook_table[r].message_id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_alert_says_what_happened),
		cmocka_unit_test(a_resolution_says_how_long_it_lasted_and_what_is_true_now),
		cmocka_unit_test(priorities_have_levels_and_classes),
		cmocka_unit_test(a_hostile_message_is_shown_clean_and_kept_exactly),
		cmocka_unit_test(values_are_exact_in_every_locale),
		cmocka_unit_test(metadata_is_a_field_each_and_json),
		cmocka_unit_test(a_run_gives_the_log_a_bounded_number_of_names),
		cmocka_unit_test(no_field_ends_at_a_nul),
		cmocka_unit_test(a_full_entry_leaves_the_rest_out),
		cmocka_unit_test(bytes_count_all_that_an_entry_holds),
		cmocka_unit_test(a_session_says_its_status),
		cmocka_unit_test(health_is_told_with_its_numbers),
		cmocka_unit_test(a_page_falling_due_is_no_entry),
		cmocka_unit_test(trouble_names_who_it_is_about),
		cmocka_unit_test(a_note_is_one_clean_line),
		cmocka_unit_test(an_attempt_is_audited),
		cmocka_unit_test(an_attempt_that_needs_a_person_is_told_loudly),
		cmocka_unit_test(a_discarded_page_says_why),
		cmocka_unit_test(a_summary_names_what_was_held_back),
		cmocka_unit_test(everything_told_for_a_dead_run_says_so),
		cmocka_unit_test(every_kind_has_an_id_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/export_line.h"

#include "test.h"
#include "log_entry.h"
#include "tool/event_line.h"

#define AT "2026-03-01T10:00:00.000001Z"

/* The line of the entry; play must be able to read it. "" when none comes of it. */
static void expect(struct export_line *l, const char **entry, const char *line)
{
	static struct event_line reader;
	char buf[1024];
	json_t *json;
	int r = export_line_make(l, log_entry_field, entry, &json);

	assert_int_equal(r, line[0] != 0);
	if (r == 0)
		return;
	snprintf(buf, sizeof buf, "%s", line);
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);
	assert_string_equal(text, line);
	assert_int_equal(event_line_read(&reader, buf, strlen(buf)), 1);
	assert_int_equal(reader.wall_ns, UINT64_C(1772359200000001000));
	free(text);
	json_decref(json);
}

static const char **session_entry(const char *status, const char *priority, const char *metadata)
{
	static const char *entry[16];
	const char *const fields[] = { "TOCSIN_EVENT",
				       "session",
				       "TOCSIN_TIME",
				       AT,
				       "TOCSIN_SESSION",
				       "s",
				       "TOCSIN_STATUS",
				       status,
				       "PRIORITY",
				       priority,
				       "TOCSIN_METADATA",
				       metadata,
				       NULL };

	memcpy(entry, fields, sizeof fields);
	return entry;
}

static void a_session_is_created_and_then_changed(void **state)
{
	struct export_line *l = export_line_new();

	(void)state;
	expect(l, session_entry("started", "5", "{\"a\":\"b\"}"),
	       "{\"at\":\"" AT "\",\"session\":\"created\",\"session_id\":\"s\","
	       "\"status\":\"started\",\"meta\":{\"a\":\"b\"}}");
	expect(l, session_entry("running", "5", ""),
	       "{\"at\":\"" AT "\",\"session\":\"status\",\"session_id\":\"s\","
	       "\"status\":\"running\"}");
	/* Metadata alone changed no status. */
	expect(l, session_entry("running", "6", "{\"n\":\"1\"}"),
	       "{\"at\":\"" AT "\",\"session\":\"status\",\"session_id\":\"s\","
	       "\"meta\":{\"n\":\"1\"}}");
	export_line_free(l);
}

static void a_call_comes_back_as_it_was_made(void **state)
{
	struct export_line *l = export_line_new();

	(void)state;
	expect(l,
	       LOG_ENTRY("TOCSIN_EVENT", "alert", "TOCSIN_TIME", AT, "TOCSIN_SESSION", "s",
			 "TOCSIN_STATE", "firing", "TOCSIN_CODE", "GENERAL", "TOCSIN_RAW_CODE",
			 "what?", "TOCSIN_PRIORITY", "P2", "TOCSIN_ALERT_ID", "00ff-7-call",
			 "TOCSIN_INSTANCE", "i", "MESSAGE", "[P2] GENERAL: a\\nb",
			 "TOCSIN_RAW_MESSAGE", "a\nb"),
	       "{\"at\":\"" AT "\",\"alert\":\"raise\",\"code\":\"what?\",\"session_id\":\"s\","
	       "\"instance\":\"i\",\"priority\":\"P2\",\"message\":\"a\\nb\"}");
	expect(l,
	       LOG_ENTRY("TOCSIN_EVENT", "alert", "TOCSIN_TIME", AT, "TOCSIN_SESSION", "s",
			 "TOCSIN_STATE", "resolved", "TOCSIN_CODE", "GENERAL", "TOCSIN_PRIORITY",
			 "P2", "TOCSIN_ALERT_ID", "00ff-7-call", "MESSAGE", "[P2] GENERAL: x"),
	       "{\"at\":\"" AT "\",\"alert\":\"clear\",\"code\":\"GENERAL\","
	       "\"session_id\":\"s\"}");
	/* What was said at the end. */
	expect(l,
	       LOG_ENTRY("TOCSIN_EVENT", "alert", "TOCSIN_TIME", AT, "TOCSIN_SESSION", "s",
			 "TOCSIN_STATE", "resolved", "TOCSIN_CODE", "GENERAL", "TOCSIN_PRIORITY",
			 "P2", "TOCSIN_ALERT_ID", "00ff-7-call", "MESSAGE",
			 "[P2] GENERAL resolved after 2.0 s: it is: over"),
	       "{\"at\":\"" AT "\",\"alert\":\"clear\",\"code\":\"GENERAL\","
	       "\"session_id\":\"s\",\"message\":\"it is: over\"}");
	assert_int_equal(export_line_converted(l), 0);
	export_line_free(l);
}

#define DRIFT                                                                                      \
	LOG_ENTRY("TOCSIN_EVENT", "alert", "TOCSIN_TIME", AT, "TOCSIN_SESSION", "s",               \
		  "TOCSIN_STATE", "firing", "TOCSIN_CODE", "DRIFT_HIGH", "TOCSIN_PRIORITY", "P2",  \
		  "TOCSIN_ALERT_ID", "00ff-7-drift-high", "TOCSIN_SOURCE", "model", "MESSAGE",     \
		  "[P2] DRIFT_HIGH: m")

static void a_rules_alert_becomes_a_call_where_its_cause_was_not_logged(void **state)
{
	struct export_line *l = export_line_new();

	(void)state;
	expect(l, DRIFT,
	       "{\"at\":\"" AT "\",\"alert\":\"raise\",\"code\":\"DRIFT_HIGH\","
	       "\"session_id\":\"s\",\"instance\":\"model\",\"priority\":\"P2\","
	       "\"message\":\"m\"}");
	assert_int_equal(export_line_converted(l), 1);
	export_line_free(l);
}

static void a_rules_alert_is_left_to_the_rule_where_its_cause_was_logged(void **state)
{
	struct export_line *l = export_line_new();
	const char **health =
		LOG_ENTRY("TOCSIN_EVENT", "health", "TOCSIN_TIME", AT, "TOCSIN_SESSION", "s",
			  "TOCSIN_SOURCE", "model", "TOCSIN_VALUE", "0.125", "MESSAGE",
			  "health drift model: 0.125, session s");

	(void)state;
	assert_int_equal(export_line_learn(l, log_entry_field, health), 0);
	assert_int_equal(export_line_learn(l, log_entry_field, DRIFT), 0);
	expect(l, health,
	       "{\"at\":\"" AT "\",\"health\":\"drift\",\"source\":\"model\","
	       "\"session_id\":\"s\",\"value\":0.125}");
	expect(l, DRIFT, "");
	/* The failure of a session is raised by its status, which is always there. */
	expect(l,
	       LOG_ENTRY("TOCSIN_EVENT", "alert", "TOCSIN_TIME", AT, "TOCSIN_SESSION", "s",
			 "TOCSIN_STATE", "firing", "TOCSIN_CODE", "SESSION_FAILED",
			 "TOCSIN_ALERT_ID", "00ff-9-session", "MESSAGE", "m"),
	       "");
	export_line_free(l);
}

static void figures_that_are_none_are_null(void **state)
{
	struct export_line *l = export_line_new();

	(void)state;
	expect(l,
	       LOG_ENTRY("TOCSIN_EVENT", "health", "TOCSIN_TIME", AT, "TOCSIN_SOURCE", "x",
			 "TOCSIN_VALUE", "nan", "TOCSIN_LIMIT", "0.25", "MESSAGE",
			 "health risk x: nan (limit 0.25)"),
	       "{\"at\":\"" AT "\",\"health\":\"risk\",\"source\":\"x\",\"value\":null,"
	       "\"limit\":0.25}");
	export_line_free(l);
}

static void hostile_bytes_become_what_json_can_hold(void **state)
{
	struct export_line *l = export_line_new();
	const char **entry = session_entry("\xff\n", "5", "[1]");

	(void)state;
	expect(l, entry,
	       "{\"at\":\"" AT "\",\"session\":\"created\",\"session_id\":\"s\","
	       "\"status\":\"\\uFFFD\\n\"}");
	export_line_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_created_and_then_changed),
		cmocka_unit_test(a_call_comes_back_as_it_was_made),
		cmocka_unit_test(a_rules_alert_becomes_a_call_where_its_cause_was_not_logged),
		cmocka_unit_test(a_rules_alert_is_left_to_the_rule_where_its_cause_was_logged),
		cmocka_unit_test(figures_that_are_none_are_null),
		cmocka_unit_test(hostile_bytes_become_what_json_can_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/text.h"

/* An entry: pairs of name and value, ended by NULL. */
static tocsin_str entry_field(void *entry, const char *name)
{
	for (const char *const *pair = entry; pair[0]; pair += 2)
		if (strcmp(pair[0], name) == 0)
			return str(pair[1]);
	return (tocsin_str){ 0 };
}

static void add(struct history *h, const char *id, const char *state, const char *count,
		const char *priority, const char *message, uint64_t time_ns)
{
	const char *entry[] = { "TOCSIN_ALERT_ID",
				id,
				"TOCSIN_STATE",
				state,
				"TOCSIN_COUNT",
				count,
				"TOCSIN_PRIORITY",
				priority,
				"TOCSIN_CODE",
				"DATA_FEED_DOWN",
				"TOCSIN_SESSION",
				"s1",
				"DOCUMENTATION",
				"file:///r/data_feed_down.md",
				"MESSAGE",
				message,
				NULL };

	assert_int_equal(history_add(h, entry_field, entry, time_ns), 0);
}

static const struct history_incident *only(struct history *h)
{
	struct history_incident *const *list;

	assert_int_equal(history_sorted(h, &list), 1);
	return list[0];
}

static void an_incident_is_folded_from_its_entries(void **state)
{
	struct history *h = history_new();
	const struct history_incident *i;

	(void)state;
	add(h, "a", "firing", "1", "P2", "[P2] DATA_FEED_DOWN: quiet", 10);
	add(h, "a", "firing", "2", "P1", "[P1] DATA_FEED_DOWN: still quiet", 20);
	i = only(h);
	assert_true(i->firing);
	add(h, "a", "resolved", "2", "P1", "[P1] DATA_FEED_DOWN resolved", 30);
	i = only(h);
	assert_false(i->firing);
	assert_int_equal(i->priority, 1);
	assert_int_equal(i->count, 2);
	assert_int_equal(i->raised_ns, 10);
	assert_int_equal(i->resolved_ns, 30);
	assert_string_equal(i->message, "still quiet");
	assert_string_equal(i->session, "s1");
	assert_string_equal(i->runbook, "file:///r/data_feed_down.md");
	history_free(h);
}

/* Of one entry, where the journal has forgotten those before. */
static void the_worst_is_what_any_entry_says(void **state)
{
	static const struct {
		const char *priority, *worst;
		unsigned expected;
	} rows[] = { { "P3", "P1", 1 }, { "P1", "P3", 1 }, { "P2", NULL, 2 },
		     { NULL, "P2", 2 }, { "P2", "P9", 2 }, { "P2", "", 2 } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct history *h = history_new();
		const char *entry[] = { "TOCSIN_ALERT_ID",
					"a",
					"TOCSIN_STATE",
					"firing",
					rows[i].priority ? "TOCSIN_PRIORITY" : "X",
					rows[i].priority ? rows[i].priority : "",
					rows[i].worst ? "TOCSIN_WORST" : "X",
					rows[i].worst ? rows[i].worst : "",
					NULL };

		assert_int_equal(history_add(h, entry_field, entry, 10), 0);
		assert_int_equal(only(h)->worst, rows[i].expected);
		history_free(h);
	}
}

static void entries_told_twice_change_nothing(void **state)
{
	struct history *h = history_new();

	(void)state;
	add(h, "a", "firing", "1", "P1", "[P1] DATA_FEED_DOWN: quiet", 10);
	add(h, "a", "resolved", "1", "P1", "gone", 30);
	add(h, "a", "firing", "1", "P1", "[P1] DATA_FEED_DOWN: quiet", 10);
	assert_false(only(h)->firing);
	assert_int_equal(only(h)->count, 1);
	assert_int_equal(only(h)->resolved_ns, 30);
	history_free(h);
}

static void a_resolution_alone_is_an_incident_too(void **state)
{
	struct history *h = history_new();

	(void)state;
	add(h, "a", "resolved", "1", "P1", "gone", 30);
	assert_false(only(h)->firing);
	assert_int_equal(only(h)->raised_ns, 0);
	assert_string_equal(only(h)->message, "gone");
	history_free(h);
}

static void incidents_are_sorted_by_the_time_they_opened(void **state)
{
	struct history *h = history_new();
	struct history_incident *const *list;

	(void)state;
	add(h, "late", "firing", "1", "P1", "m", 300);
	add(h, "early", "firing", "1", "P1", "m", 100);
	add(h, "middle", "firing", "1", "P1", "m", 200);
	assert_int_equal(history_sorted(h, &list), 3);
	assert_string_equal(list[0]->alert_id, "early");
	assert_string_equal(list[1]->alert_id, "middle");
	assert_string_equal(list[2]->alert_id, "late");
	history_free(h);
}

static void an_entry_without_an_alert_id_is_stepped_over(void **state)
{
	struct history *h = history_new();
	struct history_incident *const *list;
	const char *entry[] = { "MESSAGE", "m", NULL };

	(void)state;
	assert_int_equal(history_add(h, entry_field, entry, 1), 0);
	assert_int_equal(history_sorted(h, &list), 0);
	history_free(h);
}

static void hostile_fields_are_read_as_they_are(void **state)
{
	struct history *h = history_new();

	(void)state;
	add(h, "\xff", "\x1b[2J", "999999999999999999999x", "P9", "[P1] ", 10);
	assert_int_equal(only(h)->priority, 0);
	assert_string_equal(only(h)->message, "[P1] ");
	history_free(h);
}

static void priorities_are_read_as_people_write_them(void **state)
{
	(void)state;
	assert_int_equal(history_priority(STR("P1")), 1);
	assert_int_equal(history_priority(STR("p3")), 3);
	assert_int_equal(history_priority(STR("2")), 2);
	assert_int_equal(history_priority(STR("P4")), 0);
	assert_int_equal(history_priority(STR("")), 0);
	assert_int_equal(history_priority(STR("P11")), 0);
}

static bool is_of_message(const void *userdata, const struct history_incident *i)
{
	return strcmp(i->message, userdata) == 0;
}

/* Ten old ones of each kind, then more others than fit. */
static void of_too_many_those_go_that_matter_least(void **state)
{
	static const struct {
		const char *state, *priority, *message;
		bool stays;
	} kinds[] = {
		{ "firing", "P1", "m", true },    { "firing", "P3", "m", true },
		{ "resolved", "P1", "m", true },  { "resolved", "P2", "m", false },
		{ "firing", "P1", "not", false }, { "resolved", "P1", "not", false },
	};
	struct history *h = history_new();
	struct history_incident *const *list;
	char id[32];
	size_t kept[6] = { 0 };

	(void)state;
	history_prefer(h, is_of_message, "m");
	for (unsigned k = 0; k < 6; k++)
		for (unsigned i = 0; i < 10; i++) {
			snprintf(id, sizeof(id), "%u-old-%u", k, i);
			add(h, id, kinds[k].state, "1", kinds[k].priority, kinds[k].message, 1 + i);
		}
	for (unsigned i = 0; i < HISTORY_MAX; i++) {
		snprintf(id, sizeof(id), "x%u", i);
		add(h, id, "resolved", "1", "P2", "m", 1000 + i);
	}
	size_t n = history_sorted(h, &list);
	assert_int_equal(n + history_left_out(h), HISTORY_MAX + 60);
	for (size_t i = 0; i < n; i++)
		if (list[i]->alert_id[0] != 'x')
			kept[list[i]->alert_id[0] - '0']++;
	for (unsigned k = 0; k < 6; k++)
		assert_int_equal(kept[k], kinds[k].stays ? 10 : 0);
	/* The newest of the rest are there. */
	assert_string_equal(list[n - 1]->alert_id, id);
	/* Open ones are counted, kept or not. */
	assert_int_equal(history_open(h, 1), 20);
	history_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_incident_is_folded_from_its_entries),
		cmocka_unit_test(entries_told_twice_change_nothing),
		cmocka_unit_test(the_worst_is_what_any_entry_says),
		cmocka_unit_test(a_resolution_alone_is_an_incident_too),
		cmocka_unit_test(incidents_are_sorted_by_the_time_they_opened),
		cmocka_unit_test(an_entry_without_an_alert_id_is_stepped_over),
		cmocka_unit_test(hostile_fields_are_read_as_they_are),
		cmocka_unit_test(priorities_are_read_as_people_write_them),
		cmocka_unit_test(of_too_many_those_go_that_matter_least),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture_fixture.h"

#include "picture/state.h"

static int make(void **state)
{
	struct picture_settings settings = fixture_settings();
	struct fixture *f = calloc(1, sizeof *f);

	fixture_start(f, &settings);
	*state = f;
	return 0;
}

static int drop(void **state)
{
	fixture_done(*state);
	free(*state);
	return 0;
}

static void apply(struct fixture *f, double s, struct record r)
{
	apply_at(f, s, &r);
}

static void each_event_is_told_before_what_its_rules_make_of_it(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, session_of(TOCSIN_SESSION_CREATED, "s", NULL));
	apply(f, 2, health_of(TOCSIN_HEALTH_FEED_DOWN, "x"));
	apply(f, 3, session_of(TOCSIN_SESSION_STATUS, "s", "failed"));
	apply(f, 4, alert_of(TOCSIN_ALERT_RAISE, 1, "MY_CODE", "s", "i", "oh"));
	apply(f, 5, alert_of(TOCSIN_ALERT_CLEAR, 0, "MY_CODE", "s", "i", NULL));
	assert_told(f, "1.000 session s started\n"
		       "2.000 health 4\n"
		       "2.000 firing P1 DATA_FEED_DOWN source=x #2 x1: feed x reported down\n"
		       "3.000 session s failed\n"
		       "3.000 firing P2 SESSION_FAILED session=s #3 x1 page: session s failed\n"
		       "4.000 firing P1 MY_CODE session=s instance=i #4 x1 page: oh\n"
		       "5.000 resolved P1 MY_CODE session=s instance=i #4 x1 resolved-page: oh\n");
}

static void what_cannot_be_right_is_told_as_trouble(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, session_of(TOCSIN_SESSION_CREATED, "s", "running"));
	apply(f, 2, session_of(TOCSIN_SESSION_CREATED, "s", "paused"));
	apply(f, 3, session_of(TOCSIN_SESSION_STATUS, "t\n\x1b[2J", "running"));
	assert_told(f, "1.000 session s running\n"
		       "2.000 trouble a session was created again; tocsin keeps it as it was: s\n"
		       "3.000 trouble a status came for an unknown session: t\\n\\x1b[2J\n");
	assert_string_equal(sessions_newest(picture_sessions(f->picture))->status, "running");
}

static void clearing_what_is_not_open_is_no_trouble(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, alert_of(TOCSIN_ALERT_CLEAR, 0, "MY_CODE", NULL, NULL, NULL));
	assert_told(f, "");
}

static void a_clear_that_meets_nothing_is_noted_once_a_code(void **state)
{
	static const struct {
		const char *code, *session, *instance;
		unsigned notes; /* in all, afterwards */
	} rows[] = {
		{ "A", NULL, NULL, 1 },      { "A", NULL, NULL, 1 },   { "A", "s", "i", 1 },
		{ "B", "open", "other", 2 }, { "B", NULL, NULL, 2 },   { "B", "open", "i", 2 },
		{ "B", "open", "i", 2 },     { "b.c", NULL, NULL, 3 }, { "b.d", NULL, NULL, 4 },
		{ "b.c", "x", NULL, 4 },
	};
	struct fixture *f = *state;

	apply(f, 1, alert_of(TOCSIN_ALERT_RAISE, 2, "B", "open", "i", "m"));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		apply(f, 2,
		      alert_of(TOCSIN_ALERT_CLEAR, 0, rows[i].code, rows[i].session,
			       rows[i].instance, NULL));
		assert_int_equal(f->notes, rows[i].notes);
	}
}

/* --- Limits that are hit --- */

static void say_feed(struct fixture *f, const char *name)
{
	apply(f, 1, health_of(TOCSIN_HEALTH_FEED_PULSE, name));
}
static void say_ended_session(struct fixture *f, const char *name)
{
	apply(f, 1, session_of(TOCSIN_SESSION_CREATED, name, "completed"));
}
static void say_running_session(struct fixture *f, const char *name)
{
	apply(f, 1, session_of(TOCSIN_SESSION_CREATED, name, "running"));
}
static void say_alert(struct fixture *f, const char *name)
{
	apply(f, 1, alert_of(TOCSIN_ALERT_RAISE, 1, "A", NULL, name, "m"));
}
static void say_rule(struct fixture *f, const char *name)
{
	const struct raise raise = { .rule = "pager",
				     .by_rule = true,
				     .code = STR("A"),
				     .priority = 1,
				     .instance = str(name) };

	assert_int_equal(picture_raise(f->picture, &raise, at_s(1)), 0);
}
/* What is said of limits takes no place from others. */
static void say_alert_after_a_limit(struct fixture *f, const char *name)
{
	struct record r = health_of(TOCSIN_HEALTH_HEARTBEAT, NULL);

	r.truncated = strcmp(name, "n0") == 0;
	apply(f, 1, r);
	say_alert(f, name);
}
/* Its incident is opened by a deadline: no event comes that could show that it has no place. */
static void say_silence(struct fixture *f, const char *name)
{
	if (strcmp(name, "n0") == 0)
		apply(f, 1, health_of(TOCSIN_HEALTH_FEED_PULSE, "silent"));
	if (alerts_open(picture_alerts(f->picture)) < ALERTS_OPEN_MAX)
		say_alert(f, name);
	else
		advance_to(f, 30);
}
static void say_key_of(struct fixture *f, struct record r, const char *name)
{
	const tocsin_kv kv = { str(name), STR("value") };

	r.kv[0] = kv;
	r.n_kv = 1;
	apply(f, 1, r);
}
static void say_key_of_session(struct fixture *f, const char *name)
{
	if (strcmp(name, "n0") == 0)
		say_key_of(f, session_of(TOCSIN_SESSION_CREATED, "s", NULL), name);
	else
		say_key_of(f, session_of(TOCSIN_SESSION_STATUS, "s", NULL), name);
}
static void say_key_of_engine(struct fixture *f, const char *name)
{
	say_key_of(f, health_of(TOCSIN_HEALTH_METADATA, NULL), name);
}
static void say_long_value(struct fixture *f, const char *name)
{
	static char value[TOCSIN_TEXT_MAX];
	const tocsin_kv kv = { str(name), { value, strcmp(name, "n0") == 0 ? 8 : sizeof value } };
	struct record r = session_of(TOCSIN_SESSION_CREATED, name, NULL);

	r.kv[0] = kv;
	r.n_kv = 1;
	apply(f, 1, r);
}
static void say_cut(struct fixture *f, struct record r, const char *name)
{
	r.truncated = strcmp(name, "n0") != 0;
	apply(f, 1, r);
}
static void say_cut_alert(struct fixture *f, const char *name)
{
	struct record r = alert_of(TOCSIN_ALERT_RAISE, 3, "A", NULL, NULL, "m");

	for (r.n_kv = 0; r.n_kv < RECORD_KV_MAX; r.n_kv++)
		r.kv[r.n_kv] = (tocsin_kv){ STR("k"), STR("v") };
	say_cut(f, r, name);
}
static void say_cut_session(struct fixture *f, const char *name)
{
	say_cut(f, session_of(TOCSIN_SESSION_CREATED, name, NULL), name);
}
static void say_cut_health(struct fixture *f, const char *name)
{
	say_cut(f, health_of(TOCSIN_HEALTH_METADATA, NULL), name);
}

/* Each limit that is hit is an alert, at once, and once a minute while that goes on. */
static void what_has_no_place_is_an_alert(void **state)
{
	static const struct {
		void (*say)(struct fixture *f, const char *name);
		unsigned max;
		const char *instance;
		uint32_t priority;
	} rows[] = {
		{ say_feed, STATUS_FEEDS_MAX, "feeds", 1 },
		{ say_ended_session, SESSIONS_MAX, "sessions", 3 },
		{ say_running_session, SESSIONS_MAX, "sessions", 2 },
		{ say_alert, ALERTS_OPEN_MAX, "incidents", 1 },
		{ say_rule, ALERTS_OPEN_MAX, "incidents", 1 },
		{ say_alert_after_a_limit, ALERTS_OPEN_MAX, "incidents", 1 },
		{ say_silence, ALERTS_OPEN_MAX, "incidents", 1 },
		{ say_key_of_session, METADATA_MAX, "metadata", 3 },
		{ say_key_of_engine, METADATA_MAX, "metadata", 3 },
		{ say_long_value, 1, "metadata", 3 },
		{ say_cut_alert, 1, "events", 3 },
		{ say_cut_session, 1, "events", 3 },
		{ say_cut_health, 1, "events", 3 },
	};
	struct picture_settings settings = fixture_settings();
	tocsin_str none = { NULL, 0 };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fixture f = { 0 };
		const struct incident *n = NULL;
		char name[16];

		fixture_start(&f, &settings);
		for (unsigned j = 0; j < rows[i].max + 40; j++) {
			snprintf(name, sizeof name, "n%u", j);
			rows[i].say(&f, name);
			n = alerts_find(picture_alerts(f.picture), true, STR("CAPACITY_REACHED"),
					none, none, str(rows[i].instance));
			if ((n != NULL) != (j >= rows[i].max))
				fail_msg("row %zu, number %u", i, j);
		}
		if (!n) /* as asserted above; for the compiler */
			break;
		assert_int_equal(n->priority, rows[i].priority);
		assert_int_equal(n->count, 1);
		fixture_done(&f);
	}
}

/* It says so itself, and one more alert for each long text would be noise. */
static void an_alert_whose_text_is_cut_raises_no_other(void **state)
{
	struct fixture *f = *state;
	struct record r = alert_of(TOCSIN_ALERT_RAISE, 3, "A", NULL, NULL, "m");

	r.truncated = true;
	apply(f, 1, r);
	assert_int_equal(alerts_open(picture_alerts(f->picture)), 1);
	assert_true(alerts_newest(picture_alerts(f->picture))->truncated);
}

static void codes_cleared_in_vain_are_noted_up_to_a_maximum_that_is_noted(void **state)
{
	struct fixture *f = *state;
	char code[16];

	for (unsigned i = 0; i < VAIN_CLEARS_MAX + 10; i++) {
		snprintf(code, sizeof code, "C%u", i);
		apply(f, 1, alert_of(TOCSIN_ALERT_CLEAR, 0, code, NULL, NULL, NULL));
	}
	assert_int_equal(f->notes, VAIN_CLEARS_MAX);
	assert_non_null(strstr(f->note, "this is reported of no further code: C255"));
}

static void an_event_out_of_order_is_applied_at_the_latest_time_seen(void **state)
{
	struct fixture *f = *state;

	apply(f, 5, health_of(TOCSIN_HEALTH_FEED_PULSE, "x"));
	apply(f, 2, health_of(TOCSIN_HEALTH_FEED_PULSE, "y"));
	assert_int_equal(picture_next_deadline(f->picture), SECONDS(10));
	advance_to(f, 3);
	apply(f, 4, session_of(TOCSIN_SESSION_CREATED, "s", NULL));
	const struct session *s = sessions_newest(picture_sessions(f->picture));
	assert_int_equal(s->started.clock_ns, SECONDS(5));
	assert_int_equal(s->started.wall_ns, at_s(4).wall_ns);
	assert_int_equal(f->out_of_order, 0);
}

static void deadlines_have_their_own_time_and_the_position_applied_last(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, health_of(TOCSIN_HEALTH_FEED_PULSE, "x"));
	apply(f, 2, health_of(TOCSIN_HEALTH_START, NULL));
	assert_int_equal(picture_next_deadline(f->picture), SECONDS(6));
	advance_to(f, 6);
	const struct incident *i = alerts_recent(picture_alerts(f->picture), at_s(6));
	assert_string_equal(i->id, "abcd0000000000000000000000000000-1-feed");
	assert_int_equal(i->opened.clock_ns, SECONDS(6));
	assert_int_equal(i->opened.wall_ns, at_s(6).wall_ns);
	assert_int_equal(picture_next_deadline(f->picture), SECONDS(11));
	advance_to(f, 1e9);
	assert_int_equal(picture_next_deadline(f->picture), UINT64_MAX);
}

static void pages_and_rules_fire_in_one_order_of_time_and_key(void **state)
{
	struct fixture *f = *state;

	f->alerts_only = true;
	apply(f, 1, health_of(TOCSIN_HEALTH_FEED_PULSE, "b"));
	apply(f, 1, health_of(TOCSIN_HEALTH_FEED_DOWN, "c"));
	apply(f, 1, health_of(TOCSIN_HEALTH_FEED_DOWN, "a"));
	advance_to(f, 6);
	assert_told(f, "1.000 firing P1 DATA_FEED_DOWN source=c #2 x1: feed c reported down\n"
		       "1.000 firing P1 DATA_FEED_DOWN source=a #3 x1: feed a reported down\n"
		       "6.000 firing P1 DATA_FEED_DOWN source=a #3 x1 page only: "
		       "feed a reported down\n"
		       "6.000 firing P1 DATA_FEED_DOWN source=b #1 x1: no data from b for 5.0 s\n"
		       "6.000 firing P1 DATA_FEED_DOWN source=c #2 x1 page only: "
		       "feed c reported down\n");
}

static void a_pulse_only_moves_its_own_deadline(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 1000; i++)
		apply(f, i, health_of(TOCSIN_HEALTH_FEED_PULSE, i % 2 ? "x" : "y"));
	assert_int_equal(picture_next_deadline(f->picture), SECONDS(998 + 5));
	f->alerts_only = true;
	text_buffer_done(&f->told);
	advance_to(f, 1002.9);
	assert_told(f, "");
	advance_to(f, 1003);
	assert_told(f, "1003.000 firing P1 DATA_FEED_DOWN source=y #999 x1: "
		       "no data from y for 5.0 s\n");
}

static void the_end_of_time_is_reached_safely(void **state)
{
	struct fixture *f = *state;
	struct moment end = { UINT64_MAX, UINT64_MAX };
	struct record pulse = health_of(TOCSIN_HEALTH_FEED_PULSE, "x");
	struct record down = health_of(TOCSIN_HEALTH_FEED_DOWN, "x");

	picture_apply(f->picture, &pulse, 1, end);
	picture_apply(f->picture, &down, 2, end);
	picture_note_loss(f->picture, UINT64_MAX, UINT64_MAX);
	picture_advance(f->picture, end);
	picture_apply(f->picture, &pulse, 3, end);
	picture_advance(f->picture, end);
	assert_int_equal(f->out_of_order, 0);
}

/* Applies a random run; between events time may pass in steps of its own. */
static void play_random(struct fixture *f, uint64_t seed, bool in_steps)
{
	struct picture_settings settings = fixture_settings();
	uint64_t dice = seed, steps = seed ^ 1;
	double s = 0, before;

	fixture_start(f, &settings);
	for (unsigned i = 0; i < 2000; i++) {
		struct record r = random_record(&dice);

		before = s;
		s += random_next(&dice, 10) == 0 ? random_next(&dice, 40)
						 : random_next(&dice, 1000) / 500.0;
		if (random_next(&dice, 50) == 0)
			picture_note_loss(f->picture, SECONDS(before), SECONDS(before));
		for (unsigned n = in_steps ? random_next(&steps, 4) : 0; n > 0; n--)
			advance_to(f, before + (s - before) * random_next(&steps, 100) / 100);
		apply_at(f, s, &r);
	}
	advance_to(f, s + 1e6);
}

static void when_time_is_told_in_between_changes_nothing(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct fixture at_once = { 0 }, in_steps = { 0 };

		play_random(&at_once, seed, false);
		play_random(&in_steps, seed, true);
		assert_int_equal(at_once.out_of_order, 0);
		assert_int_equal(in_steps.out_of_order, 0);
		assert_string_equal(at_once.told.ptr, in_steps.told.ptr);
		fixture_done(&at_once);
		fixture_done(&in_steps);
	}
}

/* What must hold of each incident, whatever happened before. */
static void check_change(void *userdata, const struct change *n)
{
	size_t *open = userdata;
	const struct incident *i = n->incident;

	if (n->kind != CHANGE_ALERT)
		return;
	if (!n->page_only && i->open && i->count == 1)
		++*open;
	if (!i->open)
		--*open;
	assert_true(i->priority >= 1 && i->priority <= 3);
	assert_true(i->opened.clock_ns <= i->raised.clock_ns);
	assert_true(i->number <= n->position);
	assert_true(i->open || i->resolved.clock_ns == n->at.clock_ns);
	assert_int_equal(n->page == PAGE_RESOLVED, !i->open && i->paged_priority > 0);
	assert_int_equal(n->page == PAGE_REPEAT && i->repeats == 0, false);
	assert_true(i->paged_priority == 0 || i->page_at_ns == 0);
	assert_true(!n->page_only || n->page == PAGE_RAISED);
}

static void what_must_hold_of_incidents_holds(void **state)
{
	struct picture_settings settings = fixture_settings();

	(void)state;
	for (uint64_t seed = 100; seed < 110; seed++) {
		uint64_t dice = seed;
		size_t open = 0;
		struct picture *p;
		double s = 0;

		assert_int_equal(picture_new(&settings, at_s(0), check_change, &open, &p), 0);
		for (unsigned i = 1; i <= 3000; i++) {
			struct record r = random_record(&dice);

			s += random_next(&dice, 1000) / 300.0;
			picture_apply(p, &r, i, at_s(s));
			assert_int_equal(alerts_open(picture_alerts(p)), open);
		}
		picture_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define with(test) cmocka_unit_test_setup_teardown(test, make, drop)
		with(each_event_is_told_before_what_its_rules_make_of_it),
		with(what_cannot_be_right_is_told_as_trouble),
		with(clearing_what_is_not_open_is_no_trouble),
		with(a_clear_that_meets_nothing_is_noted_once_a_code),
		with(what_has_no_place_is_an_alert),
		with(an_alert_whose_text_is_cut_raises_no_other),
		with(codes_cleared_in_vain_are_noted_up_to_a_maximum_that_is_noted),
		with(an_event_out_of_order_is_applied_at_the_latest_time_seen),
		with(deadlines_have_their_own_time_and_the_position_applied_last),
		with(pages_and_rules_fire_in_one_order_of_time_and_key),
		with(a_pulse_only_moves_its_own_deadline),
		with(the_end_of_time_is_reached_safely),
#undef with
		cmocka_unit_test(when_time_is_told_in_between_changes_nothing),
		cmocka_unit_test(what_must_hold_of_incidents_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

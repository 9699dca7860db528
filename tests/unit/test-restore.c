/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture_fixture.h"

#include <errno.h>

#include "picture/checkpoint.h"
#include "picture/state.h"

static const char *const endpoints[] = { "webhook", "desk", "night" };

static struct picture_settings settings_limited(uint64_t a_minute)
{
	struct picture_settings s = fixture_settings();

	s.alerts.max_pages_per_minute = a_minute;
	s.alerts.repeat_interval_ns = SECONDS(20);
	s.endpoints = endpoints;
	s.n_endpoints = 3;
	return s;
}

static void forget_told(struct fixture *f)
{
	text_buffer_done(&f->told);
	f->told = (struct text_buffer){ 0 };
}

static void apply(struct fixture *f, double s, struct record r)
{
	apply_at(f, s, &r);
}

static void copy_picture(const struct fixture *from, const struct picture_settings *settings,
			 int64_t shift_ns, struct fixture *ret)
{
	struct checkpoint_buffer buf = { 0 };

	*ret = (struct fixture){
		.position = from->position,
		.endpoints = from->endpoints,
		.alerts_only = from->alerts_only,
		.with_ids = from->with_ids,
	};
	fixture_start(ret, settings);
	assert_int_equal(checkpoint_encode(from->picture, &buf), 0);
	assert_int_equal(checkpoint_decode(ret->picture, buf.ptr, buf.len, shift_ns), 0);
	free(buf.ptr);
}

/* --- Every cut of a run --- */

#define STEPS 160

/* What happens next; the dice alone decide, so that both runs see the same. */
static void step(struct fixture *f, uint64_t *dice, double *s)
{
	struct record r = random_record(dice);
	uint32_t what = random_next(dice, 100);

	*s += random_next(dice, 1000) / 400.0;
	if (what < 85) {
		apply_at(f, *s, &r);
	} else if (what < 92) {
		advance_to(f, *s);
	} else if (what < 95) {
		picture_note_loss(f->picture, SECONDS(*s), SECONDS(*s));
	} else if (what < 98) {
		struct raise down = {
			.rule = "down",
			.by_rule = true,
			.code = STR("ENGINE_DOWN"),
			.message = STR("the run ended"),
			.instance = STR("00000000"),
			.priority = 1,
			.cause = f->position,
		};
		uint8_t epoch[RECORDER_EPOCH_SIZE] = { (uint8_t)what, (uint8_t)f->position };

		assert_int_equal(picture_raise(f->picture, &down, at_s(*s)), 0);
		picture_resume(f->picture, epoch, at_s(*s));
	} else {
		picture_page_waiting(f->picture, at_s(*s));
	}
}

struct cut {
	struct checkpoint_buffer state;
	size_t told; /* before it */
	uint8_t epoch[RECORDER_EPOCH_SIZE];
	uint64_t dice, position;
	double s;
};

static void play_whole(struct fixture *f, uint64_t seed, struct cut cuts[static STEPS])
{
	uint64_t dice = seed;
	double s = 1;

	for (unsigned k = 0; k < STEPS; k++) {
		struct cut *c = &cuts[k];

		*c = (struct cut){
			.told = f->told.len,
			.dice = dice,
			.position = f->position,
			.s = s,
		};
		memcpy(c->epoch, f->picture->settings.alerts.epoch, sizeof c->epoch);
		assert_int_equal(checkpoint_encode(f->picture, &c->state), 0);
		step(f, &dice, &s);
	}
	advance_to(f, s + 1000);
}

static void assert_goes_on(const struct fixture *whole, const struct cut *c, unsigned k,
			   struct picture_settings settings)
{
	struct fixture f = {
		.position = c->position,
		.endpoints = whole->endpoints,
		.with_ids = true,
		.alerts_only = true,
	};
	struct checkpoint_buffer again = { 0 };
	uint64_t dice = c->dice;
	double s = c->s;

	memcpy(settings.alerts.epoch, c->epoch, sizeof c->epoch);
	fixture_start(&f, &settings);
	assert_int_equal(checkpoint_decode(f.picture, c->state.ptr, c->state.len, 0), 0);
	assert_int_equal(checkpoint_encode(f.picture, &again), 0);
	assert_int_equal(again.len, c->state.len);
	assert_memory_equal(again.ptr, c->state.ptr, again.len);
	for (; k < STEPS; k++)
		step(&f, &dice, &s);
	advance_to(&f, s + 1000);
	assert_string_equal(f.told.ptr ? f.told.ptr : "", whole->told.ptr + c->told);
	free(again.ptr);
	fixture_done(&f);
}

static void cut_anywhere_a_run_goes_on_as_if_it_had_not_been(void **state)
{
	static const uint64_t limits[] = { 0, 1, 3, 10 };

	(void)state;
	for (uint64_t seed = 1; seed <= 24; seed++) {
		struct picture_settings settings = settings_limited(limits[seed % 4]);
		struct fixture f = { .endpoints = 5, .with_ids = true, .alerts_only = true };
		struct cut cuts[STEPS];

		/* Ids, states, counts, pages and times are all in what is told. */
		fixture_start(&f, &settings);
		play_whole(&f, seed, cuts);
		assert_true(f.told.len > 1000);
		assert_true(limits[seed % 4] == 0 || strstr(f.told.ptr, " summary "));
		for (unsigned k = 0; k < STEPS; k++) {
			assert_goes_on(&f, &cuts[k], k, settings);
			free(cuts[k].state.ptr);
		}
		fixture_done(&f);
	}
}

/* --- The limit --- */

static void a_summary_that_waits_is_told_by_who_goes_on(void **state)
{
	struct picture_settings settings = settings_limited(1);
	struct fixture first = { .endpoints = 2, .alerts_only = true }, second;

	(void)state;
	fixture_start(&first, &settings);
	apply(&first, 1, alert_of(TOCSIN_ALERT_RAISE, 1, "A", NULL, NULL, "m"));
	apply(&first, 2, alert_of(TOCSIN_ALERT_RAISE, 2, "B", NULL, NULL, "m"));
	apply(&first, 3, alert_of(TOCSIN_ALERT_CLEAR, 1, "A", NULL, NULL, NULL));
	first.with_ids = true;
	copy_picture(&first, &settings, 0, &second);
	advance_to(&second, 100);
	assert_told(&second, "61.000 summary P1 A +1 -1 since 2.000: B A(ended)\n"
			     " abcd0000000000000000000000000000-2-storm to 2 0 unlisted"
			     " abcd0000000000000000000000000000-2-call"
			     " abcd0000000000000000000000000000-1-call\n");
	const struct incident *i = alerts_newest(picture_alerts(second.picture));
	assert_int_equal(i->endpoints, 2);
	assert_false(i->held);
	fixture_done(&first);
	fixture_done(&second);
}

static void without_a_limit_a_summary_that_waits_is_told_at_once(void **state)
{
	struct picture_settings settings = settings_limited(1);
	struct fixture first = { .alerts_only = true }, second;

	(void)state;
	fixture_start(&first, &settings);
	apply(&first, 1, alert_of(TOCSIN_ALERT_RAISE, 1, "A", NULL, NULL, "m"));
	apply(&first, 2, alert_of(TOCSIN_ALERT_RAISE, 1, "B", NULL, NULL, "m"));
	settings.alerts.max_pages_per_minute = 0;
	copy_picture(&first, &settings, 0, &second);
	advance_to(&second, 3);
	assert_told(&second, "2.000 summary P1 B +1 -0 since 2.000: B\n");
	fixture_done(&first);
	fixture_done(&second);
}

/* --- Endpoints --- */

static void an_incident_was_paged_where_it_was_paged_whatever_the_order_is_now(void **state)
{
	static const char *const later[] = { "night", "new", "webhook" };
	struct picture_settings settings = settings_limited(1);
	struct fixture first = { .endpoints = 6, .alerts_only = true }, second, third;

	(void)state;
	fixture_start(&first, &settings);
	apply(&first, 1, alert_of(TOCSIN_ALERT_RAISE, 1, "A", NULL, NULL, "m"));
	apply(&first, 2, alert_of(TOCSIN_ALERT_RAISE, 1, "B", NULL, NULL, "m"));
	first.endpoints = 5;
	advance_to(&first, 70);
	settings.endpoints = later;
	copy_picture(&first, &settings, 0, &second);
	/* A went to "desk", which is no more, and "night"; B, in the summary, to "webhook" too. */
	const struct incident *i = alerts_newest(picture_alerts(second.picture));
	assert_int_equal(i->endpoints, 5);
	assert_int_equal(i->next->endpoints, 1);
	settings.endpoints = NULL;
	settings.n_endpoints = 0;
	copy_picture(&first, &settings, 0, &third);
	assert_int_equal(alerts_newest(picture_alerts(third.picture))->endpoints, 0);
	fixture_done(&first);
	fixture_done(&second);
	fixture_done(&third);
}

static void a_summary_that_waits_knows_its_endpoints_by_name(void **state)
{
	static const char *const later[] = { "night", "new", "webhook" };
	struct picture_settings settings = settings_limited(1);
	struct fixture first = { .endpoints = 3, .alerts_only = true }, second;

	(void)state;
	fixture_start(&first, &settings);
	apply(&first, 1, alert_of(TOCSIN_ALERT_RAISE, 1, "A", NULL, NULL, "m"));
	apply(&first, 2, alert_of(TOCSIN_ALERT_CLEAR, 1, "A", NULL, NULL, NULL));
	first.with_ids = true;
	settings.endpoints = later;
	copy_picture(&first, &settings, 0, &second);
	advance_to(&second, 100);
	assert_non_null(strstr(second.told.ptr, "-storm to 4 "));
	fixture_done(&first);
	fixture_done(&second);
}

/* --- Another clock --- */

static void all_times_on_the_clock_are_moved_together(void **state)
{
	struct picture_settings settings = settings_limited(3);

	(void)state;
	/* What is told after the move is told at the moved times, and is else the same. */
	for (uint64_t seed = 1; seed <= 20; seed++) {
		int64_t shift_s = seed % 2 ? 5000 : -900;
		struct fixture first = { .endpoints = 5, .alerts_only = true }, moved;
		uint64_t dice = seed, same;
		double s = 1000, later;

		fixture_start(&first, &settings);
		for (unsigned i = 0; i < 100; i++)
			step(&first, &dice, &s);
		memcpy(settings.alerts.epoch, first.picture->settings.alerts.epoch,
		       RECORDER_EPOCH_SIZE);
		copy_picture(&first, &settings, shift_s * (int64_t)NS_PER_S, &moved);
		forget_told(&first);
		assert_int_equal(picture_now(moved.picture).clock_ns,
				 picture_now(first.picture).clock_ns +
					 (uint64_t)(shift_s * (int64_t)NS_PER_S));
		assert_int_equal(picture_now(moved.picture).wall_ns,
				 picture_now(first.picture).wall_ns);
		if (picture_next_deadline(first.picture) != UINT64_MAX)
			assert_int_equal(picture_next_deadline(moved.picture),
					 picture_next_deadline(first.picture) +
						 (uint64_t)(shift_s * (int64_t)NS_PER_S));
		same = dice;
		later = s + (double)shift_s;
		for (unsigned i = 0; i < 100; i++) {
			step(&first, &dice, &s);
			step(&moved, &same, &later);
		}
		/* Without the times at the lines' starts. */
		const char *a = first.told.ptr, *b = moved.told.ptr;
		while (a && b && *a && *b) {
			size_t a_len = strcspn(a, "\n"), b_len = strcspn(b, "\n");
			const char *a_text = strchr(a, ' '), *b_text = strchr(b, ' ');

			if (!strstr(a, " since ") || strstr(a, " since ") > a + a_len) {
				assert_int_equal(a + a_len - a_text, b + b_len - b_text);
				assert_memory_equal(a_text, b_text, (size_t)(a + a_len - a_text));
			}
			a += a_len + 1;
			b += b_len + 1;
		}
		assert_true(a && b && *a == *b);
		fixture_done(&first);
		fixture_done(&moved);
	}
}

static void a_clock_that_began_anew_saturates(void **state)
{
	static const int64_t shifts[] = { INT64_MIN, INT64_MIN + 1, -(int64_t)(50 * NS_PER_S), -1,
					  1,         INT64_MAX };
	struct picture_settings settings = settings_limited(1);
	struct fixture first = { .endpoints = 1, .alerts_only = true };

	(void)state;
	fixture_start(&first, &settings);
	apply(&first, 1, session_of(TOCSIN_SESSION_CREATED, "s", "running"));
	apply(&first, 2, health_of(TOCSIN_HEALTH_HEARTBEAT, NULL));
	apply(&first, 3, health_of(TOCSIN_HEALTH_FEED_PULSE, "x"));
	apply(&first, 4, health_of(TOCSIN_HEALTH_FEED_DOWN, "y"));
	apply(&first, 5, alert_of(TOCSIN_ALERT_RAISE, 1, "A", NULL, NULL, "m"));
	apply(&first, 6, alert_of(TOCSIN_ALERT_RAISE, 1, "B", NULL, NULL, "m"));
	for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i++) {
		struct fixture moved;

		copy_picture(&first, &settings, shifts[i], &moved);
		/* The page of y's feed still waits, whatever time that is. */
		assert_int_equal(alerts_open(picture_alerts(moved.picture)), 3);
		picture_page_waiting(moved.picture, at_s(0));
		assert_non_null(strstr(moved.told.ptr, " summary P1 B +2 -0 "));
		moved.alerts_only = true;
		picture_advance(moved.picture, (struct moment){ UINT64_MAX, UINT64_MAX });
		fixture_done(&moved);
	}
	fixture_done(&first);
}

/* --- Damage --- */

static int decode_after(void (*damage)(struct rate_limit *s))
{
	struct picture_settings settings = settings_limited(1);
	struct fixture first = { .alerts_only = true }, second = { .alerts_only = true };
	struct checkpoint_buffer buf = { 0 };
	int r;

	fixture_start(&first, &settings);
	apply(&first, 1, alert_of(TOCSIN_ALERT_RAISE, 1, "A", NULL, NULL, "m"));
	apply(&first, 2, alert_of(TOCSIN_ALERT_RAISE, 1, "B", NULL, NULL, "m"));
	damage(&first.picture->rate_limit);
	assert_int_equal(checkpoint_encode(first.picture, &buf), 0);
	fixture_start(&second, &settings);
	r = checkpoint_decode(second.picture, buf.ptr, buf.len, 0);
	free(buf.ptr);
	fixture_done(&first);
	fixture_done(&second);
	return r;
}

static void no_damage(struct rate_limit *s)
{
	(void)s;
}

static void no_id(struct rate_limit *s)
{
	s->held.id[0] = 0;
}

static void a_path_as_id(struct rate_limit *s)
{
	memcpy(s->held.id, "../../x", 8);
}

static void a_path_in_the_list(struct rate_limit *s)
{
	memcpy(s->held.ids[0], "/", 2);
}

static void no_code(struct rate_limit *s)
{
	s->held.codes[0][0] = 0;
}

static void odd_priority(struct rate_limit *s)
{
	s->held.priority = 4;
}

static void wrong_sum(struct rate_limit *s)
{
	s->held.raised++;
}

static void empty_group(struct rate_limit *s)
{
	s->all.went[s->all.first].n = 0;
}

static void groups_out_of_order(struct rate_limit *s)
{
	s->all.went[1] = (struct rate_limit_group){ 1, 1 };
	s->all.n_groups = 2;
}

static void a_rate_limit_that_cannot_have_been_is_refused(void **state)
{
	(void)state;
	assert_int_equal(decode_after(no_damage), 0);
	assert_int_equal(decode_after(no_id), -EBADMSG);
	assert_int_equal(decode_after(a_path_as_id), -EBADMSG);
	assert_int_equal(decode_after(a_path_in_the_list), -EBADMSG);
	assert_int_equal(decode_after(no_code), -EBADMSG);
	assert_int_equal(decode_after(odd_priority), -EBADMSG);
	assert_int_equal(decode_after(wrong_sum), -EBADMSG);
	assert_int_equal(decode_after(empty_group), -EBADMSG);
	assert_int_equal(decode_after(groups_out_of_order), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_anywhere_a_run_goes_on_as_if_it_had_not_been),
		cmocka_unit_test(a_summary_that_waits_is_told_by_who_goes_on),
		cmocka_unit_test(without_a_limit_a_summary_that_waits_is_told_at_once),
		cmocka_unit_test(
			an_incident_was_paged_where_it_was_paged_whatever_the_order_is_now),
		cmocka_unit_test(a_summary_that_waits_knows_its_endpoints_by_name),
		cmocka_unit_test(all_times_on_the_clock_are_moved_together),
		cmocka_unit_test(a_clock_that_began_anew_saturates),
		cmocka_unit_test(a_rate_limit_that_cannot_have_been_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

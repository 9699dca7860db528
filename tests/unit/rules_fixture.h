/* SPDX-License-Identifier: MIT */
/* What the rules' tests share: events as steps of a table, and what is told of them. */
#ifndef TOCSIN_TESTS_UNIT_RULES_FIXTURE_H
#define TOCSIN_TESTS_UNIT_RULES_FIXTURE_H

#include "picture/rules.h"
#include "picture_fixture.h"

/* A step says what it needs and leaves the rest zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

enum what {
	END,
	UP,
	DOWN,
	RECONNECT,
	PULSE,
	BEAT,
	RUN,      /* session `a` is created */
	STATUS,   /* session `a` becomes `b` */
	DRIFT,    /* of source `a` in session `b` */
	NO_DRIFT, /* a report without a value */
	RISK,
	EXECUTION,
	RAISE,   /* by call: code `a`, priority `value` */
	LOSS,    /* the recorder refuses an event */
	ADVANCE, /* time passes */
};

struct step {
	double s;
	enum what what;
	const char *a, *b;
	double value, limit;
};

_unused_ static void take_step(struct fixture *f, const struct step *step)
{
	static const uint32_t kinds[] = {
		[UP] = TOCSIN_HEALTH_FEED_UP,
		[DOWN] = TOCSIN_HEALTH_FEED_DOWN,
		[RECONNECT] = TOCSIN_HEALTH_FEED_RECONNECT,
		[PULSE] = TOCSIN_HEALTH_FEED_PULSE,
		[BEAT] = TOCSIN_HEALTH_HEARTBEAT,
		[DRIFT] = TOCSIN_HEALTH_DRIFT,
		[NO_DRIFT] = TOCSIN_HEALTH_DRIFT,
		[RISK] = TOCSIN_HEALTH_RISK,
		[EXECUTION] = TOCSIN_HEALTH_EXECUTION_ERROR,
		[ADVANCE] = 0,
	};
	struct record r;

	if (step->what == LOSS) {
		picture_note_loss(f->picture, SECONDS(step->s), SECONDS(step->s));
		return;
	}
	if (step->what == ADVANCE) {
		advance_to(f, step->s);
		return;
	}
	if (step->what == RAISE)
		r = alert_of(TOCSIN_ALERT_RAISE, (uint32_t)step->value, step->a, NULL, NULL, "m");
	else if (step->what == RUN || step->what == STATUS)
		r = session_of(step->what == RUN ? TOCSIN_SESSION_CREATED : TOCSIN_SESSION_STATUS,
			       step->a, step->b);
	else
		r = figure_of(kinds[step->what], step->a, step->b, step->value, step->limit);
	r.has_value = step->what == DRIFT || step->what == RISK;
	apply_at(f, step->s, &r);
}

_unused_ static void assert_steps(const struct picture_settings *settings, const struct step *steps,
				  const char *want)
{
	struct fixture f = { .alerts_only = true };

	fixture_start(&f, settings);
	for (const struct step *step = steps; step->what != END; step++)
		take_step(&f, step);
	assert_int_equal(f.out_of_order, 0);
	assert_told(&f, want);
	fixture_done(&f);
}

#define assert_rules_with(settings, want, ...)                                                     \
	assert_steps(settings, (const struct step[]){ __VA_ARGS__, { 0 } }, want)
#define assert_rules(want, ...)                                                                    \
	do {                                                                                       \
		struct picture_settings settings_ = fixture_settings();                            \
		assert_rules_with(&settings_, want, __VA_ARGS__);                                  \
	} while (0)

#endif

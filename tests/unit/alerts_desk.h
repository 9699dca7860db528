/* SPDX-License-Identifier: MIT */
/* What the tests of alerts share: incidents, and what is told of them as lines of text. */
#ifndef TOCSIN_TESTS_UNIT_ALERTS_DESK_H
#define TOCSIN_TESTS_UNIT_ALERTS_DESK_H

#include "picture/alerts.h"
#include "picture_fixture.h"

/* The incidents under test, and what was told of them as lines. */
struct desk {
	struct alerts *alerts;
	struct text_buffer told;
	uint64_t cause;
};

_unused_ static void desk_tell(void *userdata, struct incident *i, enum page_kind page,
			       struct moment at)
{
	struct desk *d = userdata;

	text_buffer_printf(&d->told, "%.0f %s %s x%" PRIu64 " P%" PRIu32 "%s\n",
			   (double)at.clock_ns / 1e9, i->key, i->open ? "firing" : "resolved",
			   i->count, i->priority, page_names[page]);
}

_unused_ static struct alerts_settings settings_of_fixture(void)
{
	return fixture_settings().alerts;
}

_unused_ static int make_with(void **state, const struct alerts_settings *s)
{
	struct desk *d = calloc(1, sizeof *d);

	d->alerts = alerts_new(s, desk_tell, d);
	*state = d;
	return d->alerts ? 0 : -1;
}

_unused_ static int make(void **state)
{
	struct alerts_settings s = settings_of_fixture();

	return make_with(state, &s);
}

_unused_ static int drop(void **state)
{
	struct desk *d = *state;

	alerts_free(d->alerts);
	text_buffer_done(&d->told);
	free(d);
	return 0;
}

_unused_ static void assert_desk(struct desk *d, const char *want)
{
	assert_string_equal(d->told.ptr ? d->told.ptr : "", want);
	text_buffer_done(&d->told);
	d->told = (struct text_buffer){ 0 };
}

_unused_ static void raise_call(struct desk *d, double s, uint32_t priority, const char *code,
				const char *instance)
{
	struct raise r = {
		.rule = "call",
		.priority = priority,
		.code = str(code),
		.message = STR("something is wrong"),
		.instance = str(instance),
		.cause = ++d->cause,
	};

	assert_int_equal(alerts_raise(d->alerts, &r, at_s(s)), 0);
}

_unused_ static void raise_rule(struct desk *d, double s, const char *code, const char *source)
{
	struct raise r = {
		.rule = "feed",
		.by_rule = true,
		.code = str(code),
		.source = str(source),
		.cause = ++d->cause,
	};

	assert_int_equal(alerts_raise(d->alerts, &r, at_s(s)), 0);
}

_unused_ static int clear_call(struct desk *d, double s, const char *code, const char *instance)
{
	tocsin_str none = { NULL, 0 };

	return alerts_clear(d->alerts, false, str(code), none, none, str(instance), at_s(s));
}

_unused_ static int clear_rule(struct desk *d, double s, const char *code, const char *source)
{
	tocsin_str none = { NULL, 0 };

	return alerts_clear(d->alerts, true, str(code), none, str(source), none, at_s(s));
}

_unused_ static const struct incident *newest(struct desk *d, double s)
{
	return alerts_recent(d->alerts, at_s(s));
}

#endif

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/foresee.h"

#include "base/cleanup.h"
#include "picture/state.h"

static uint32_t priority_of(const struct picture *p, tocsin_str code, uint32_t given)
{
	const struct alerts_settings *s = &p->settings.alerts;
	struct code_facts facts = { .priority = 3 };

	if (given > 0)
		return given;
	s->lookup(s->lookup_userdata, code_is_usable(code) ? code : STR("GENERAL"), &facts);
	return facts.priority;
}

static bool foresee_call(const struct picture *p, const struct record *r, struct foreseen *ret)
{
	static const tocsin_str none;

	if (r->kind != TOCSIN_ALERT_RAISE || priority_of(p, r->code, r->priority) != 1)
		return false;
	ret->code = r->code;
	ret->session_id = r->session_id;
	ret->instance = r->instance;
	ret->open = alerts_find(p->alerts, false, r->code, r->session_id, none, r->instance);
	text_buffer_add(&ret->message, r->message);
	return true;
}

static bool foresee_rule(const struct picture *p, const struct record *r, struct foreseen *ret)
{
	static const tocsin_str none;
	size_t rule = 0;

	ret->by_rule = true;
	while (rules_foresee(&p->rules, r, &rule, ret)) {
		if (priority_of(p, ret->code, 0) != 1) {
			text_buffer_done(&ret->message);
			continue;
		}
		ret->open = alerts_find(p->alerts, true, ret->code, ret->session_id, ret->instance,
					none);
		return true;
	}
	return false;
}

bool picture_foresee_p1(const struct picture *p, const struct record *r, struct foreseen *ret)
{
	*ret = (struct foreseen){ 0 };
	return r->type == RECORD_ALERT ? foresee_call(p, r, ret) : foresee_rule(p, r, ret);
}

void foreseen_done(struct foreseen *f)
{
	text_buffer_done(&f->message);
}

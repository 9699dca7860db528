/* SPDX-License-Identifier: MIT */
/* Pictures for the targets: with every rule on, and records by a few bytes each. */
#ifndef TOCSIN_TESTS_FUZZ_PICTURES_H
#define TOCSIN_TESTS_FUZZ_PICTURES_H

#include "picture/checkpoint.h"
#include "picture/picture.h"
#include "codes/runbooks.h"
#include "fuzz.h"

#define PICTURE_START_NS (1000 * NS_PER_S)
#define PICTURE_WALL_NS (UINT64_C(1785750000) * NS_PER_S)

/* Each change must be whole. */
_unused_ static void picture_hear(void *userdata, const struct change *n)
{
	uint64_t *told = userdata;

	(*told)++;
	if (n->kind == CHANGE_ALERT)
		MUST(n->incident && n->incident->id[0] && n->incident->key && n->incident->code &&
		     n->incident->message);
	if (n->kind == CHANGE_SESSION)
		MUST(n->session && n->record);
	if (n->kind == CHANGE_TROUBLE)
		MUST(n->text && is_one_line(n->text));
	if (n->kind == CHANGE_SUMMARY)
		MUST(n->summary);
}

_unused_ static struct moment picture_moment(uint64_t clock_ns)
{
	return (struct moment){ clock_ns, PICTURE_WALL_NS + clock_ns };
}

_unused_ static struct picture *picture_make(picture_tell *tell, void *userdata)
{
	static const char *const endpoints[] = { "webhook", "second" };
	const struct picture_settings settings = {
		.alerts = {
			.epoch = { 0xab, 0xcd },
			.repeat_interval_ns = 600 * NS_PER_S,
			.max_pages_per_minute = 4,
			.paged_priorities = 1,
			.lookup = runbooks_facts,
		},
		.heartbeat_timeout_ns = 30 * NS_PER_S,
		.thresholds = {
			.feed_stale_after_ns = 5 * NS_PER_S,
			.drift_high = 0.10,
			.drift_critical = 0.25,
			.hysteresis = 0.1,
		},
		.risk = true,
		.execution_errors = true,
		.session_failures = true,
		.endpoints = endpoints,
		.n_endpoints = 2,
	};
	struct picture *p = NULL;

	MUST(picture_new(&settings, picture_moment(PICTURE_START_NS), tell, userdata, &p) == 0);
	return p;
}

/* Some event, by two bytes. */
_unused_ static struct record picture_record(uint8_t which, uint8_t how)
{
	static const char *const sources[] = { "a", "feed:b", "c d", "\xff" };
	static const char *const ids[] = { "s1", "s2", "", "s\n4" };
	static const char *const words[] = { "started", "running", "completed", "failed" };
	static const char *const codes[] = { "DATA_FEED_DOWN", "DRIFT_HIGH", "OWN_CODE", "no!" };
	struct record r = {
		.source = str(sources[how & 3]),
		.session_id = str(ids[how >> 2 & 3]),
	};

	if (which < 32) {
		r.type = RECORD_SESSION;
		r.kind = 1 + which % 2;
		r.source = (tocsin_str){ NULL, 0 };
		r.status = str(words[how >> 4 & 3]);
	} else if (which < 96) {
		r.type = RECORD_ALERT;
		r.kind = 1 + which % 2;
		r.priority = which >> 2 & 3;
		r.instance = r.source;
		r.source = (tocsin_str){ NULL, 0 };
		r.code = str(codes[how >> 4 & 3]);
		r.message = STR("by call");
	} else {
		r.type = RECORD_HEALTH;
		r.kind = 1 + which % TOCSIN_HEALTH_METADATA;
		r.value = (how >> 4) / 20.0;
		r.limit = 0.3;
		r.has_value = true;
	}
	return r;
}

#endif

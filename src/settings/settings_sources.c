/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "settings/settings_table.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int check_name(tocsin_str name, struct text_buffer *why)
{
	if (name.len > TOCSIN_ID_MAX) {
		text_buffer_printf(why, "the source's name is longer than %u bytes", TOCSIN_ID_MAX);
		return -EINVAL;
	}
	for (size_t i = 0; i < name.len; i++) {
		if ((unsigned char)name.ptr[i] >= 0x20 && name.ptr[i] != 0x7f)
			continue;
		text_buffer_add(why, STR("there is a control character in the source's name"));
		return -EINVAL;
	}
	return 0;
}

int settings_source(struct settings *s, const char *section, struct source_thresholds **ret,
		    struct text_buffer *why)
{
	tocsin_str name = str(section + sizeof SETTINGS_SOURCE_PREFIX - 1);
	char *copy;
	int r = check_name(name, why);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < s->n_sources; i++) {
		if (!str_equal(s->sources[i].source, name))
			continue;
		*ret = &s->sources[i];
		return 0;
	}
	if (s->n_sources == SOURCE_THRESHOLDS_MAX) {
		text_buffer_printf(why, "more than %u sources have settings of their own",
				   SOURCE_THRESHOLDS_MAX);
		return -EINVAL;
	}
	copy = str_dup(name);
	if (!copy)
		return -ENOMEM;
	*ret = &s->sources[s->n_sources++];
	**ret = (struct source_thresholds){
		.source = { copy, name.len },
		.thresholds = { UINT64_MAX, (double)NAN, (double)NAN, (double)NAN },
	};
	return 0;
}

static void complete(double *own, double general)
{
	if (isnan(*own))
		*own = general;
}

void settings_complete_sources(struct settings *s)
{
	const struct thresholds *general = &s->thresholds;

	for (unsigned i = 0; i < s->n_sources; i++) {
		struct thresholds *own = &s->sources[i].thresholds;

		if (own->feed_stale_after_ns == UINT64_MAX)
			own->feed_stale_after_ns = general->feed_stale_after_ns;
		complete(&own->drift_high, general->drift_high);
		complete(&own->drift_critical, general->drift_critical);
		complete(&own->hysteresis, general->hysteresis);
	}
}

static int check(const struct thresholds *t, struct text_buffer *why)
{
	if (t->drift_high == 0 || t->drift_critical == 0 || t->drift_high <= t->drift_critical)
		return 0;
	text_buffer_printf(why, "drift_high, %g, is above drift_critical, %g", t->drift_high,
			   t->drift_critical);
	return -EINVAL;
}

int settings_check_thresholds(struct settings *s, const struct source_thresholds **ret,
			      struct text_buffer *why)
{
	int r = check(&s->thresholds, why);

	*ret = NULL;
	for (unsigned i = 0; i < s->n_sources && r == 0; i++) {
		*ret = &s->sources[i];
		r = check(&s->sources[i].thresholds, why);
	}
	return r;
}

void settings_free_sources(struct settings *s)
{
	for (unsigned i = 0; i < s->n_sources; i++)
		free((char *)(uintptr_t)s->sources[i].source.ptr);
	s->n_sources = 0;
}

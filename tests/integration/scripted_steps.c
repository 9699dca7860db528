/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "scripted_steps.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NAME[:NUMBER][:STATUS] */
static const struct step_word {
	const char *name;
	enum step_kind kind;
	bool has_number; /* and must have it */
	unsigned status; /* unless another is given; 0: none can be */
} step_words[] = {
	{ "delay", STEP_ANSWER, true, 200 },
	{ "redirect", STEP_ANSWER, false, 302 },
	{ "retry-after", STEP_RETRY_AFTER, true, 503 },
	{ "retry-after-date", STEP_RETRY_AFTER_DATE, true, 503 },
	{ "hang", STEP_HANG, false, 0 },
	{ "reset", STEP_RESET, false, 0 },
	{ "empty", STEP_EMPTY, false, 0 },
	{ "half", STEP_HALF, false, 200 },
	{ "cut", STEP_CUT, false, 200 },
	{ "garbled", STEP_GARBLED, false, 200 },
	{ "drip", STEP_DRIP, false, 200 },
	{ "endless", STEP_ENDLESS, false, 200 },
	{ "endless-head", STEP_ENDLESS_HEAD, false, 0 },
	{ "slow", STEP_SLOW, false, 0 },
};

int number_parse(const char *s, unsigned most, unsigned *ret)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(s, &end, 10);
	if (!isdigit((unsigned char)*s) || *end != 0 || errno != 0 || n > most)
		return -EINVAL;
	*ret = (unsigned)n;
	return 0;
}

static int status_parse(const char *s, unsigned *ret)
{
	unsigned status;

	if (number_parse(s, 599, &status) < 0 || status < 200)
		return -EINVAL;
	*ret = status;
	return 0;
}

static const struct step_word *step_word_find(const char *name)
{
	for (size_t i = 0; i < sizeof step_words / sizeof *step_words; i++)
		if (strcmp(step_words[i].name, name) == 0)
			return &step_words[i];
	return NULL;
}

int step_parse(char *word, struct step *ret)
{
	struct step s = { .kind = STEP_ANSWER };
	const struct step_word *known;
	char *rest = word, *name;

	snprintf(s.text, sizeof s.text, "%s", word);
	name = strsep(&rest, ":");
	if (strcmp(name, "refuse") == 0 && rest && *rest) {
		s.kind = STEP_REFUSE;
		snprintf(s.refused, sizeof s.refused, "%s", rest);
		*ret = s;
		return 0;
	}
	known = step_word_find(name);
	if (!known && (rest || status_parse(name, &s.status) < 0))
		return -EINVAL;
	if (known) {
		s.kind = known->kind;
		s.status = known->status;
		if (known->has_number &&
		    (!rest || number_parse(strsep(&rest, ":"), 3600000, &s.number) < 0))
			return -EINVAL;
		if (rest && (known->status == 0 || status_parse(rest, &s.status) < 0))
			return -EINVAL;
	}
	*ret = s;
	return 0;
}

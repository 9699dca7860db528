/* SPDX-License-Identifier: MIT */
/* What a scripted receiver is told to do, as words; the receiver's head lists them. */
#ifndef TOCSIN_TESTS_SCRIPTED_STEPS_H
#define TOCSIN_TESTS_SCRIPTED_STEPS_H

enum step_kind {
	STEP_ANSWER,
	STEP_REFUSE,
	STEP_RETRY_AFTER,
	STEP_RETRY_AFTER_DATE,
	STEP_HANG, /* this and the next are no answers that a library would give */
	STEP_RESET,
	STEP_EMPTY,
	STEP_HALF, /* this and the next begin with a status line */
	STEP_CUT,
	STEP_GARBLED,
	STEP_DRIP,
	STEP_ENDLESS,
	STEP_ENDLESS_HEAD,
	STEP_SLOW,
};

struct step {
	enum step_kind kind;
	unsigned status;
	unsigned number; /* milliseconds of a delay, seconds otherwise */
	char text[32];
	char refused[32]; /* what a page has in it that is refused */
};

/* A decimal number of at most `most`. -EINVAL. */
int number_parse(const char *s, unsigned most, unsigned *ret);
/* Takes the word apart. -EINVAL. */
int step_parse(char *word, struct step *ret);

#endif

/* SPDX-License-Identifier: MIT */
/* What a check has found: lines of three kinds, printed in the end with the gravest first. */
#ifndef TOCSIN_TOOL_FINDINGS_H
#define TOCSIN_TOOL_FINDINGS_H

#include <stdbool.h>
#include "base/text.h"

enum verdict { VERDICT_OK, VERDICT_WARNING, VERDICT_FAILED };

#define VERDICTS (VERDICT_FAILED + 1)

/* Zero-initialised; findings_done ends it. */
struct findings {
	bool failed;
	struct text_buffer lines[VERDICTS];
};

/* Adds the line "what: text", made clean for a terminal. */
void findings_tell(struct findings *f, enum verdict verdict, const char *what, const char *format,
		   ...) __attribute__((format(printf, 4, 5)));
/* To stdout. */
void findings_print(const struct findings *f);
void findings_done(struct findings *f);

#endif

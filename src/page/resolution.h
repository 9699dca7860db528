/* SPDX-License-Identifier: MIT */
/*
 * The text of a resolution: how long the incident lasted, and what is true now. The journal's entry
 * and the page have the same text.
 */
#ifndef TOCSIN_PAGE_RESOLUTION_H
#define TOCSIN_PAGE_RESOLUTION_H

#include "base/moment.h"
#include "picture/alerts.h"

/* "1 min 47 s", on the clock of the events. Returns buf. */
char *resolution_lasted(const struct incident *i, char buf[static TIME_TEXT_SIZE]);
/* What was said at its end, or else what it was about. May be NULL. */
const char *resolution_message(const struct incident *i);
/* What is true now, to follow the message; NULL when the message says it. */
const char *resolution_now(const struct incident *i);

#endif

/* SPDX-License-Identifier: MIT */
/* Alerts in the journal that users have written whose word does not count: shown apart, as theirs.
 */
#ifndef TOCSIN_TOOL_FOREIGN_ALERTS_H
#define TOCSIN_TOOL_FOREIGN_ALERTS_H

#include "tool/query.h"

/* More incidents are not shown. */
#define FOREIGN_ALERTS_MAX 100

/* When any entry met so far was such a user's: says so on stderr, and unless JSON is asked for
 * shows those of the query as a table of their own. Moves the journal. -errno. */
int foreign_alerts_show(const struct query *q, struct journal_query *j);

#endif

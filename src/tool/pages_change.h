/* SPDX-License-Identifier: MIT */
/*
 * What operators do with pages: a living engine is asked to, through its control folder; where none
 * lives it is done in its outbox, as its user. For the verb pages.
 */
#ifndef TOCSIN_TOOL_PAGES_CHANGE_H
#define TOCSIN_TOOL_PAGES_CHANGE_H

#include "engine/control.h"
#include "tool/pages_engines.h"

/* Does the row fit what is asked for? */
bool pages_wanted(const struct control_request *want, const struct page_row *row);

/* Does it for all rows of that engine that are wanted, and tells. The exit status. */
int pages_change(const struct pages_engine *e, const struct control_request *want);

#endif

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/foreign_alerts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"
#include "base/text.h"
#include "tool/history.h"
#include "tool/incident_view.h"
#include "tool/tool.h"

DEFINE_CLEANUP(struct history *, history_free, cleanup_history)

/* The current entry, with its user's number before its id and before its message. */
struct foreign {
	struct journal_query *journal;
	struct text_buffer id, message;
};

static tocsin_str foreign_field(void *entry, const char *name)
{
	struct foreign *f = entry;

	if (strcmp(name, "TOCSIN_ALERT_ID") == 0)
		return (tocsin_str){ f->id.ptr, f->id.len };
	if (strcmp(name, "MESSAGE") == 0)
		return (tocsin_str){ f->message.ptr, f->message.len };
	return journal_query_get(f->journal, name);
}

/* *left_out: entries of alerts that are shown no more. */
static int add_entry(struct history *h, struct journal_query *j, uint64_t *left_out)
{
	struct foreign f = { .journal = j };
	tocsin_str uid = journal_query_get(j, "_UID");
	struct history_incident *const *list;
	int r = 0;

	if (history_sorted(h, &list) >= FOREIGN_ALERTS_MAX) {
		++*left_out;
		return 0;
	}
	text_buffer_add(&f.message, STR("foreign, user "));
	text_buffer_add(&f.message, uid.len > 0 ? uid : STR("unknown"));
	text_buffer_add(&f.message, STR(" wrote: "));
	text_buffer_add(&f.message, history_bare_message(journal_query_get(j, "MESSAGE"),
							 journal_query_get(j, "TOCSIN_CODE")));
	text_buffer_add(&f.id, uid);
	text_buffer_add(&f.id, STR("/"));
	text_buffer_add(&f.id, journal_query_get(j, "TOCSIN_ALERT_ID"));
	if (f.id.failed || f.message.failed)
		r = -ENOMEM;
	else
		r = history_add(h, foreign_field, &f, journal_query_time(j));
	text_buffer_done(&f.id);
	text_buffer_done(&f.message);
	return r;
}

static int read_entries(const struct query *q, struct journal_query *j, struct history *h,
			uint64_t *left_out)
{
	const char *const matches[][2] = { { "TOCSIN_EVENT", "alert" },
					   { "TOCSIN_CODE", q->code },
					   { "TOCSIN_SESSION", q->session },
					   { "TOCSIN_ENGINE", q->engine } };
	int r = journal_query_restart(j);

	for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]) && r >= 0; i++)
		if (matches[i][1])
			r = journal_query_match(j, matches[i][0], matches[i][1]);
	journal_query_show_foreign(j, true);
	while (r >= 0 && (r = journal_query_next(j)) > 0)
		if (journal_query_is_foreign(j))
			r = add_entry(h, j, left_out);
	journal_query_show_foreign(j, false);
	return r;
}

int foreign_alerts_show(const struct query *q, struct journal_query *j)
{
	_cleanup_(cleanup_history) struct history *h = NULL;
	struct history_incident *const *list;
	uint64_t left_out = 0;

	if (journal_query_foreign(j) == 0)
		return 0;
	query_tell_foreign(q, j);
	if (q->json)
		return 0;
	h = history_new();
	int r = h ? read_entries(q, j, h, &left_out) : -ENOMEM;
	size_t n = r < 0 ? 0 : history_sorted(h, &list);
	if (n == 0)
		return r;
	fputs("\nforeign, and not believed:\n", stdout);
	r = incident_view_table(stdout, (const struct history_incident *const *)list, n, q->utc);
	if (left_out > 0)
		printf("%" PRIu64 " more of their entries are not shown\n", left_out);
	return r;
}

/* SPDX-License-Identifier: MIT */
/*
 * What receivers had taken when a former run died. Its pages may lie in the outbox still, because
 * the run was killed before it removed them, or be drawn again from its recorder's events, because
 * no checkpoint had passed these. The pager's thread notes each page that is taken before it posts
 * the next one there, so a kill repeats at most the page that is under way at each endpoint.
 */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "post/attempt_entry.h"

void dispatcher_taken_read(struct dispatcher *d)
{
	int folder = folders_runtime(&d->folders);
	struct failure failure = { 0 };
	int r;

	/* Without the folder there is no recorder in a file either, and nothing is drawn again. */
	if (folder < 0)
		return;
	do
		r = taken_notes_open(folder, &d->taken, &failure);
	while (r == -ENOMEM && !d->taken && dispatcher_memory_wait(d));
	if (r < 0)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
				"%s/taken cannot be made: %s; if the engine is killed, pages that "
				"were taken may be posted again: make room in that folder",
				d->folders.runtime_path,
				failure.line[0] ? failure.line : strerror(-r));
}

/*
 * A summary that is drawn again may tell of more than the one that was taken: what was held until
 * then may have been told when it had not yet been read. Only the same one is left out. NULL: no
 * memory, and the page counts as not taken.
 */
static char *content_of(const struct page *p)
{
	if (p->type != PAGE_TYPE_SUMMARY)
		return strdup("");
	json_t *told = json_pack("{s:O*,s:O*,s:O*}", "raised", json_object_get(p->data, "raised"),
				 "resolved", json_object_get(p->data, "resolved"), "alerts",
				 json_object_get(p->data, "alerts"));
	char *text = told ? json_dumps(told, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	json_decref(told);
	return text;
}

void dispatcher_note_taken(struct dispatcher *d, const struct delivery *p)
{
	_cleanup_free_ char *content = content_of(p->page);

	if (content)
		taken_notes_add(d->taken, p->page->id, content, d->endpoint_names[p->endpoint]);
}

bool dispatcher_was_taken(struct dispatcher *d, struct page *page, unsigned endpoint)
{
	_cleanup_free_ char *content = content_of(page);
	const char *name = d->endpoint_names[endpoint];

	if (!content || !taken_notes_has(d->taken, page->id, content, name))
		return false;
	/* So that no backup gets it. */
	atomic_store_explicit(&page->taken, true, memory_order_relaxed);
	d->journal_sequence = journal_submit(
		d->journal, entry_of_taken(&d->entry_context, page, name, clock_realtime_ns()));
	return true;
}

bool dispatcher_found_taken(struct dispatcher *d, struct page *page, unsigned endpoint)
{
	if (!dispatcher_was_taken(d, page, endpoint))
		return false;
	struct delivery *p = delivery_new(page, endpoint, 0);

	/* Where there is no memory, or no room to ask, its file goes at the next start. */
	if (p) {
		atomic_fetch_or(&p->flags, DELIVERY_DELIVERED);
		(void)disk_thread_drop(d->disk_thread, p);
	}
	delivery_unref(p);
	return true;
}

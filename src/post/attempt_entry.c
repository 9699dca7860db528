/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "post/attempt_entry.h"

#include <inttypes.h>
#include <syslog.h>

#include "base/moment.h"
#include "journal/entry_fields.h"

/* How an attempt can end, as the log tells it. */
struct result {
	const char *name;
	enum entry_class class;
	int level;
};

/*
 * A page that is dead comes to nobody unless somebody acts, so it is told as loudly as the alert
 * itself. One that is parked waits for somebody too, but is tried again.
 */
static struct result result_of(const struct attempt *a)
{
	bool first = a->delivery->page->priority <= 1;

	switch (a->result) {
	case ATTEMPT_DELIVERED:
		return (struct result){ "delivered", ENTRY_CLASS_SESSION, LOG_INFO };
	case ATTEMPT_PARKED:
		return (struct result){ "parked", ENTRY_CLASS_P2, LOG_WARNING };
	case ATTEMPT_DEAD:
		return (struct result){ "dead", ENTRY_CLASS_FIRST, first ? LOG_CRIT : LOG_ERR };
	case ATTEMPT_RETRY:
		break;
	}
	return (struct result){ "retry", ENTRY_CLASS_LEAST, LOG_WARNING };
}

/* What comes next, behind what went wrong. */
static void add_next(struct text_buffer *b, const struct attempt *a)
{
	char next[TIME_TEXT_SIZE];

	duration_to_text(a->next_ns, next);
	if (a->result == ATTEMPT_DEAD)
		text_buffer_add(b, STR(", given up: it is in dead/ until somebody sends it "
				       "again or discards it (tocsin pages)"));
	else if (a->result == ATTEMPT_PARKED)
		text_buffer_printf(
			b, ", parked: repair the receiver or the settings; next attempt in %s",
			next);
	else if (a->asks_next)
		text_buffer_add(b, STR(" in its minimal form too: the next page shows whether the "
				       "receiver refuses this one alone"));
	else if (a->next_ns == 0)
		text_buffer_add(b, STR(", again at once"));
	else
		text_buffer_printf(b, ", again in %s", next);
}

static void add_attempt_message(struct entry *e, const struct attempt *a)
{
	struct text_buffer b = { 0 };
	char lasted[TIME_TEXT_SIZE];

	text_buffer_printf(&b, "page %s to ", a->delivery->page->id);
	message_add_clean(&b, str(a->endpoint));
	if (a->result == ATTEMPT_DELIVERED) {
		text_buffer_printf(&b, ": delivered after %s",
				   duration_to_text(a->delay_ns, lasted));
	} else {
		text_buffer_add(&b, STR(": "));
		if (a->error && *a->error)
			message_add_clean(&b, str(a->error));
		else
			text_buffer_printf(&b, "answer %ld", a->http_status);
		add_next(&b, a);
	}
	text_buffer_printf(&b, " (attempt %u)", a->number);
	entry_add_message(e, &b);
}

static void add_page(struct entry *e, const struct page *p, const char *endpoint)
{
	entry_add_text(e, "TOCSIN_PAGE_ID", p->id);
	entry_add_text(e, "TOCSIN_ALERT_ID", p->alert_id);
	entry_add_text(e, "TOCSIN_CODE", p->code);
	entry_addf(e, "TOCSIN_PRIORITY", "P%u", entry_priority(p->priority));
	if (p->type == PAGE_TYPE_RAISED || p->type == PAGE_TYPE_RESOLVED)
		entry_add(e, "TOCSIN_STATE",
			  p->type == PAGE_TYPE_RAISED ? STR("firing") : STR("resolved"));
	entry_add_text(e, "TOCSIN_ENDPOINT", endpoint);
}

struct entry *entry_of_attempt(const struct entry_context *c, const struct attempt *a,
			       uint64_t wall_ns)
{
	struct result result = result_of(a);
	struct entry *e = entry_begin(c, result.class, result.level, "page",
				      entry_kind_message_id(ENTRY_KIND_PAGE), wall_ns);

	if (!e)
		return NULL;
	add_attempt_message(e, a);
	add_page(e, a->delivery->page, a->endpoint);
	entry_addf(e, "TOCSIN_ATTEMPT", "%u", a->number);
	if (a->http_status != 0)
		entry_addf(e, "TOCSIN_HTTP_STATUS", "%ld", a->http_status);
	entry_addf(e, "TOCSIN_DELAY_MS", "%" PRIu64, a->delay_ns / NS_PER_MS);
	entry_add_text(e, "TOCSIN_RESULT", result.name);
	return e;
}

struct entry *entry_of_taken(const struct entry_context *c, const struct page *p,
			     const char *endpoint, uint64_t wall_ns)
{
	struct entry *e = entry_begin(c, ENTRY_CLASS_SESSION, LOG_INFO, "page",
				      entry_kind_message_id(ENTRY_KIND_PAGE), wall_ns);
	struct text_buffer b = { 0 };

	if (!e)
		return NULL;
	text_buffer_printf(&b, "page %s to ", p->id);
	message_add_clean(&b, str(endpoint));
	text_buffer_add(&b, STR(": delivered by a former run, and not sent again"));
	entry_add_message(e, &b);
	add_page(e, p, endpoint);
	entry_add(e, "TOCSIN_RESULT", STR("delivered"));
	return e;
}

struct entry *entry_of_discard(const struct entry_context *c, const struct delivery *p,
			       const char *endpoint, const char *reason, uint64_t wall_ns)
{
	struct entry *e = entry_begin(c, ENTRY_CLASS_FIRST, LOG_NOTICE, "page",
				      entry_kind_message_id(ENTRY_KIND_PAGE), wall_ns);
	struct text_buffer b = { 0 };

	if (!e)
		return NULL;
	text_buffer_printf(&b, "page %s to ", p->page->id);
	message_add_clean(&b, str(endpoint));
	text_buffer_add(&b, STR(": discarded: "));
	message_add_clean(&b, str(reason));
	entry_add_message(e, &b);
	add_page(e, p->page, endpoint);
	entry_add(e, "TOCSIN_RESULT", STR("discarded"));
	entry_add_text(e, "TOCSIN_REASON", reason);
	return e;
}

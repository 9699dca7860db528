/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "dispatcher_parts.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/text.h"

static void note_valist(struct dispatcher *d, enum entry_kind kind, int level, const char *format,
			va_list ap) __attribute__((format(printf, 4, 0)));

static void note_valist(struct dispatcher *d, enum entry_kind kind, int level, const char *format,
			va_list ap)
{
	char text[1024];

	vsnprintf(text, sizeof text, format, ap);
	d->journal_sequence =
		journal_submit(d->journal, entry_of_note(&d->entry_context, kind, level,
							 clock_realtime_ns(), text));
	if (level <= LOG_WARNING && d->host->log)
		d->host->log(d->host, (uint32_t)level, text, strlen(text));
}

void dispatcher_note(struct dispatcher *d, enum entry_kind kind, int level, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	note_valist(d, kind, level, format, ap);
	va_end(ap);
}

static void news_log(struct dispatcher *d, const struct news *news)
{
	uint64_t sequence = journal_submit(d->journal, entry_of_news(&d->entry_context, news));

	d->journal_sequence = sequence;
}

/* Which endpoints this page goes to, a bit each. */
static uint32_t page_endpoints(const struct dispatcher *d, const struct news *news)
{
	const struct incident *incident = news->incident;
	uint32_t wanted = 0;

	/* A resolution goes where the raising went, whatever the priority is by now. */
	if (news->page == PAGE_RESOLVED)
		return incident->endpoints;
	for (unsigned i = 0; i < d->settings->n_endpoints; i++)
		if (d->settings->endpoints[i].priorities & (1u << (incident->priority - 1)))
			wanted |= 1u << i;
	return wanted;
}

/* Hands the page to one endpoint: to the pager first, which waits for no disk. */
static void page_post(struct dispatcher *d, struct page *page, unsigned endpoint)
{
	struct posting *p = ledger_add(&d->ledger, page, endpoint);

	if (!p || pager_submit(d->pager, p) < 0) {
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_CRIT,
				"no memory to post page %s to endpoint %s: tell people by hand",
				page->id, d->endpoint_names[endpoint]);
		return;
	}
	if (keeper_keep(d->keeper, p) < 0)
		dispatcher_kept(d, p, -ENOBUFS);
}

/* A recording's pages fall due as they are played; the event's own time is only their label. */
static uint64_t due_by_real_clock(const struct dispatcher *d, struct moment at)
{
	uint64_t real_ns = clock_realtime_ns();

	if (d->settings->clock_source == CLOCK_SOURCE_EVENT)
		return real_ns;
	return real_ns - (clock_monotonic_ns() - at.clock_ns);
}

static void news_page(struct dispatcher *d, const struct news *news)
{
	uint32_t endpoints = page_endpoints(d, news);
	struct page *page = NULL;

	if (endpoints == 0)
		return;
	d->page_context.due_wall_ns = due_by_real_clock(d, news->at);
	int r = page_new(&d->page_context, news->incident, news->page, news->at, &page);
	if (r < 0) {
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_CRIT,
				"no memory for the page of alert %s: tell people by hand",
				news->incident->id);
		return;
	}
	for (unsigned i = 0; i < d->settings->n_endpoints; i++)
		if (endpoints & (1u << i))
			page_post(d, page, i);
	news->incident->endpoints |= endpoints;
	page_unref(page);
}

void dispatcher_tell(void *userdata, const struct news *news)
{
	struct dispatcher *d = userdata;

	d->changes++;
	switch (news->kind) {
	case NEWS_HEALTH:
		if (d->settings->log_health)
			news_log(d, news);
		break;
	case NEWS_ALERT:
		/* The page first: it is what somebody waits for. */
		if (news->page != PAGE_NONE)
			news_page(d, news);
		if (!news->page_only)
			news_log(d, news);
		break;
	case NEWS_TROUBLE:
		if (d->host->log)
			d->host->log(d->host, LOG_WARNING, news->text, strlen(news->text));
		news_log(d, news);
		break;
	case NEWS_SESSION:
		news_log(d, news);
		break;
	}
}

/* On the pager's thread. */
void dispatcher_attempted(void *userdata, const struct attempt *a)
{
	struct dispatcher *d = userdata;

	journal_submit(d->journal, entry_of_attempt(&d->entry_context, a, clock_realtime_ns()));
	if (a->result == ATTEMPT_DELIVERED)
		keeper_drop(d->keeper, a->posting);
}

/* On the keeper's thread, or on the dispatcher's where the keeper takes no more. */
void dispatcher_kept(void *userdata, struct posting *p, int error)
{
	struct dispatcher *d = userdata;

	if (error == 0)
		return;
	if (atomic_exchange(&d->unkept_told, true))
		return;
	struct text_buffer b = { 0 };
	text_buffer_printf(
		&b,
		"page %s cannot be written to the outbox in %s: %s; pages are posted from "
		"memory and would not survive a crash: free the disk or mend the folder",
		p->page->id, d->places.state_path ? d->places.state_path : "(no folder)",
		strerror(-error));
	if (!b.failed) {
		journal_submit(d->journal, entry_of_note(&d->entry_context, ENTRY_KIND_TROUBLE,
							 LOG_ERR, clock_realtime_ns(), b.ptr));
		if (d->host->log)
			d->host->log(d->host, LOG_ERR, b.ptr, b.len);
	}
	text_buffer_done(&b);
}

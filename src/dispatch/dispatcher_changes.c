/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/text.h"

#define NOTE_TRIES 3 /* without memory it goes to the host alone */

static void note_valist(struct dispatcher *d, enum entry_kind kind, int level, const char *format,
			va_list ap) __attribute__((format(printf, 4, 0)));

static void note_valist(struct dispatcher *d, enum entry_kind kind, int level, const char *format,
			va_list ap)
{
	struct entry *e = NULL;
	char text[1024];

	vsnprintf(text, sizeof text, format, ap);
	for (unsigned i = 0; i < NOTE_TRIES && !e; i++)
		e = entry_of_note(&d->entry_context, kind, level, clock_realtime_ns(), text);
	d->journal_sequence = journal_submit(d->journal, e);
	if (level <= LOG_WARNING)
		host_log_write(d->host_log, level, text);
}

void dispatcher_note(struct dispatcher *d, enum entry_kind kind, int level, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	note_valist(d, kind, level, format, ap);
	va_end(ap);
}

void dispatcher_note_from_afar(struct dispatcher *d, int level, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	journal_submit(d->journal, entry_of_note(&d->entry_context, ENTRY_KIND_TROUBLE, level,
						 clock_realtime_ns(), text));
	host_log_write(d->host_log, level, text);
}

void dispatcher_note_alone(const struct settings *s, struct host_log *host_log, int level,
			   const char *text)
{
	struct journal_options journal = { .target = s->log_target, .state = -1 };
	struct entry_context context = {
		.engine = s->engine_name,
		.replay = s->engine_replay,
		.runbooks_base_url = s->runbooks_base_url,
	};

	journal_write_alone(&journal, entry_of_note(&context, ENTRY_KIND_TROUBLE, level,
						    clock_realtime_ns(), text));
	host_log_write(host_log, level, text);
}

void dispatcher_tell_refusal(struct dispatcher *d, const struct settings *s,
			     struct host_log *host_log, const char *text)
{
	if (d && d->journal_runs)
		dispatcher_note_from_afar(d, LOG_ERR, "%s", text);
	else
		dispatcher_note_alone(s, host_log, LOG_ERR, text);
}

void dispatcher_look_at_names(struct dispatcher *d, struct moment at)
{
	char text[256];

	if (!d->meta_names.left_out)
		return;
	snprintf(text, sizeof text,
		 "the metadata has more than %d different keys: the log has no TOCSIN_META_ field "
		 "for a new key, only TOCSIN_METADATA has all of them; use few keys, and put what "
		 "varies into the values",
		 ENTRY_META_NAMES_MAX);
	if (!d->meta_names_told)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING, "%s", text);
	d->meta_names_told = true;
	/* Without memory it is tried again behind the next event. */
	if (picture_raise_capacity(d->picture, "names", 3, text, at) == 0)
		d->meta_names.left_out = false;
}

static void change_log(struct dispatcher *d, const struct change *change)
{
	const struct entry_context *c =
		d->recovery.active ? &d->recovered_context : &d->entry_context;

	struct entry *e;

	do
		e = entry_of_change(c, change);
	while (!e && dispatcher_memory_wait(d));
	d->journal_sequence = journal_submit(d->journal, e);
}

void dispatcher_tell(void *userdata, const struct change *change)
{
	struct dispatcher *d = userdata;

	d->changes++;
	switch (change->kind) {
	case CHANGE_HEALTH:
		if (d->settings->log_health)
			change_log(d, change);
		break;
	case CHANGE_ALERT:
		/* The page first: it is what somebody waits for. */
		if (change->page != PAGE_NONE)
			dispatcher_page(d, change);
		if (change->page == PAGE_RAISED || change->page == PAGE_RESOLVED)
			d->page_changes++;
		if (!change->page_only)
			change_log(d, change);
		break;
	case CHANGE_TROUBLE:
		host_log_write(d->host_log, LOG_WARNING, change->text);
		change_log(d, change);
		break;
	case CHANGE_SUMMARY:
		dispatcher_page_summary(d, change);
		d->page_changes++;
		change_log(d, change);
		break;
	case CHANGE_SESSION:
	case CHANGE_NOTE:
		change_log(d, change);
		break;
	}
}

/* On the disk thread, or on the dispatcher's where the disk thread takes no more. */
void dispatcher_kept(void *userdata, struct delivery *p, int error)
{
	struct dispatcher *d = userdata;

	if (error == 0) {
		atomic_store(&d->unkept_told, false);
		return;
	}
	if (error == -ECANCELED) /* only the stop came first, which tells what waits */
		return;
	if (atomic_exchange(&d->unkept_told, true))
		return;
	dispatcher_note_from_afar(
		d, LOG_ERR,
		"page %s cannot be written to the outbox in %s: %s; pages are posted from "
		"memory and would not survive a crash: free the disk or repair the folder",
		p->page->id, d->folders.state_path ? d->folders.state_path : "(no folder)",
		strerror(-error));
}

/* On the pager's thread. */
void dispatcher_endpoint_trouble(void *userdata, const char *endpoint, const char *text)
{
	dispatcher_note_from_afar(
		userdata, LOG_ERR,
		"endpoint %s: %s; tocsin uses the former content until you repair it", endpoint,
		text);
}

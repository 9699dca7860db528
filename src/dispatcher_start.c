/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "dispatcher_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/thread.h"
#include "record/numbers.h"

#define OPERATORS_GROUP "tocsin"

/* What is wrong with the site's runbooks, until there is a log to tell it to. */
#define RUNBOOKS_BAD_MAX 8
struct bad_runbooks {
	char *lines[RUNBOOKS_BAD_MAX];
	unsigned n; /* those past the maximum are counted alone */
};

static void runbook_bad(void *userdata, const char *file, unsigned line, const char *what)
{
	struct bad_runbooks *bad = userdata;
	struct text_buffer b = { 0 };
	char place[16] = "";

	if (bad->n++ >= RUNBOOKS_BAD_MAX)
		return;
	if (line > 0)
		snprintf(place, sizeof place, ":%u", line);
	text_buffer_printf(&b, "%s%s: %s", file, place, what);
	bad->lines[bad->n - 1] = b.ptr;
}

static void bad_runbooks_tell(struct dispatcher *d, const struct bad_runbooks *bad)
{
	for (unsigned i = 0; i < bad->n && i < RUNBOOKS_BAD_MAX; i++)
		if (bad->lines[i])
			dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
					"the site's runbooks: %s", bad->lines[i]);
	if (bad->n > RUNBOOKS_BAD_MAX)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
				"%u more is wrong with the site's runbooks in %s; tocsin check "
				"tells it",
				bad->n - RUNBOOKS_BAD_MAX, d->settings->runbooks_dir);
}

static void bad_runbooks_done(struct bad_runbooks *bad)
{
	for (unsigned i = 0; i < RUNBOOKS_BAD_MAX; i++)
		free(bad->lines[i]);
}

static void contexts_fill(struct dispatcher *d)
{
	const struct settings *s = d->settings;

	if (gethostname(d->host_name, sizeof d->host_name - 1) < 0)
		d->host_name[0] = 0;
	d->entry_context = (struct entry_context){
		.engine = s->engine_name,
		.replay = s->engine_replay,
		.runbooks_base_url = s->runbooks_base_url,
		.runbooks = d->runbooks,
	};
	d->page_context = (struct page_context){
		.engine = s->engine_name,
		.host = d->host_name,
		.runbooks_base_url = s->runbooks_base_url,
		.runbooks = d->runbooks,
		.settings = s,
		.replay = s->engine_replay,
	};
	for (unsigned i = 0; i < s->n_endpoints; i++)
		d->endpoint_names[i] = s->endpoints[i].name;
}

/*
 * The first position of this run. Where the state folder cannot tell, milliseconds of real time:
 * far beyond what was counted, and ahead of any other run that had to do the same.
 */
static uint64_t first_position(struct dispatcher *d, uint64_t slots, int *ret_error)
{
	uint64_t first;
	int r = d->places.state < 0 ? 0 : numbers_first(d->places.state, &first);

	*ret_error = r;
	atomic_store(&d->reserved, UINT64_MAX);
	if (d->places.state < 0 || r < 0)
		return clock_realtime_ns() / NS_PER_MS;
	r = numbers_reserve(d->places.state, first + slots + NUMBERS_AHEAD);
	*ret_error = r;
	if (r == 0)
		atomic_store(&d->reserved, first + slots + NUMBERS_AHEAD);
	return first;
}

static int recorder_start(struct dispatcher *d, int *ret_numbers_error, int *ret_disk_error)
{
	/* As many slots as the size can give: what may be in use before anything is released. */
	uint64_t slots = 2 * (d->settings->recorder_size / RECORDER_SLOT_SIZE + 64);
	struct recorder_options o = {
		.folder = d->places.runtime,
		.size = d->settings->recorder_size,
		.first_position = first_position(d, slots, ret_numbers_error),
		.engine = d->settings->engine_name,
	};
	int r = recorder_create(&o, &d->recorder);

	*ret_disk_error = 0;
	if (r < 0 && o.folder >= 0) {
		*ret_disk_error = r;
		o.folder = -1;
		r = recorder_create(&o, &d->recorder);
	}
	if (r == 0)
		d->next = d->checkpoint_position = o.first_position;
	return r;
}

static void troubles_tell(struct dispatcher *d, int numbers_error, int disk_error)
{
	if (d->places.runtime_trouble)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING, "%s",
				d->places.runtime_trouble);
	if (disk_error < 0)
		dispatcher_note(
			d, ENTRY_KIND_TROUBLE, LOG_WARNING,
			"no recorder could be made in %s: %s; events are kept in memory and "
			"will not survive a crash: make room there, or set "
			"paths.runtime_dir or a smaller recorder.size",
			d->places.runtime_path, strerror(-disk_error));
	if (d->places.state_trouble)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING, "%s", d->places.state_trouble);
	if (d->places.operators_trouble)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_NOTICE, "%s",
				d->places.operators_trouble);
	if (numbers_error < 0)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
				"%s/numbers cannot be used: %s; numbers of alerts go on from the "
				"time of day",
				d->places.state_path, strerror(-numbers_error));
}

/* A page that waited from before. */
static void waiting_found(void *userdata, struct page *page, const char *endpoint)
{
	struct dispatcher *d = userdata;
	unsigned i = 0;

	while (i < d->settings->n_endpoints && strcmp(d->endpoint_names[i], endpoint) != 0)
		i++;
	if (i == d->settings->n_endpoints) {
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_ERR,
				"page %s waits for endpoint %s, which the settings no longer name: "
				"add it again, or remove the page's file from %s/outbox",
				page->id, endpoint, d->places.state_path);
	} else {
		struct posting *p = posting_new(page, i, 0);

		if (p)
			atomic_fetch_or(&p->flags, POSTING_DURABLE);
		if (!p || pager_submit(d->pager, p) < 0)
			dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_CRIT,
					"no memory for page %s that waits; it stays in the outbox",
					page->id);
		posting_unref(p);
	}
	page_unref(page);
}

static void waiting_bad(void *userdata, const char *name, int error)
{
	struct dispatcher *d = userdata;

	dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_ERR,
			"the waiting page %s/outbox/%s cannot be read: %s; look at it and tell "
			"people by hand",
			d->places.state_path, name, strerror(-error));
}

static int delivery_start(struct dispatcher *d)
{
	const struct settings *s = d->settings;
	int r = -ENOENT;

	if (d->places.state >= 0)
		r = outbox_open(d->places.state_path, &d->outbox);
	if (r < 0 && d->places.state >= 0)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_ERR,
				"%s/outbox cannot be used: %s; pages that wait are kept in memory "
				"alone: mend the folder",
				d->places.state_path, strerror(-r));
	struct keeper_options keeper = {
		.outbox = d->outbox,
		.endpoints = d->endpoint_names,
		.cpus = s->engine_cpus,
		.settled = dispatcher_kept,
		.userdata = d,
	};
	r = keeper_new(&keeper, &d->keeper);
	if (r < 0)
		return r;
	d->keeper_runs = true;
	struct pager_options pager = {
		.endpoints = s->endpoints,
		.n_endpoints = s->n_endpoints,
		.cpus = s->engine_cpus,
		.version = PACKAGE_VERSION,
		.attempted = dispatcher_attempted,
		.userdata = d,
	};
	r = pager_new(&pager, &d->pager);
	if (r < 0)
		return r;
	d->pager_runs = true;
	if (d->outbox) {
		r = outbox_scan(d->outbox, waiting_found, waiting_bad, d);
		if (r < 0)
			dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_ERR,
					"%s/outbox cannot be read: %s", d->places.state_path,
					strerror(-r));
	}
	return 0;
}

static void started_tell(struct dispatcher *d)
{
	static const char *const targets[] = {
		[LOG_TARGET_JOURNAL] = "the journal",
		[LOG_TARGET_SYSLOG] = "syslog",
		[LOG_TARGET_STDERR] = "stderr",
	};
	struct text_buffer pages = { 0 };

	for (unsigned i = 0; i < d->settings->n_endpoints; i++)
		text_buffer_printf(&pages, "%s%s", i > 0 ? ", " : "", d->endpoint_names[i]);
	dispatcher_note(d, ENTRY_KIND_STARTED, LOG_NOTICE,
			"tocsin " PACKAGE_VERSION " started for engine %s: recorder %s%s%s, log to "
			"%s, pages to %s",
			d->settings->engine_name,
			d->places.runtime_path && *recorder_name(d->recorder)
				? d->places.runtime_path
				: "in memory",
			*recorder_name(d->recorder) ? "/" : "", recorder_name(d->recorder),
			targets[journal_target(d->journal)],
			pages.len > 0 ? pages.ptr
				      : "nobody (no webhook.url is set: alerts are logged only)");
	text_buffer_done(&pages);
}

static int thread_begin(struct dispatcher *d)
{
	int r = thread_start("tocsin-dispatch", d->settings->engine_cpus, dispatcher_main, d,
			     &d->thread);

	if (r < 0)
		return r;
	d->thread_runs = true;
	pthread_mutex_lock(&d->lock);
	while (!d->held)
		pthread_cond_wait(&d->answered, &d->lock);
	r = d->hold_error;
	pthread_mutex_unlock(&d->lock);
	return r;
}

int dispatcher_begin(struct dispatcher *d)
{
	_cleanup_(bad_runbooks_done) struct bad_runbooks bad = { 0 };
	int numbers_error, disk_error;
	int r = places_find(d->settings, &d->places);

	if (r < 0)
		return r;
	places_share(&d->places, OPERATORS_GROUP);
	if (d->settings->runbooks_dir)
		r = runbooks_load(d->settings->runbooks_dir, runbook_bad, &bad, &d->runbooks);
	if (r < 0)
		return r;
	contexts_fill(d);
	d->wall_offset_ns = (int64_t)(clock_realtime_ns() - clock_monotonic_ns());
	r = recorder_start(d, &numbers_error, &disk_error);
	if (r < 0)
		return r;
	struct journal_options journal = {
		.target = d->settings->log_target,
		.cpus = d->settings->engine_cpus,
		.context = &d->entry_context,
	};
	r = journal_new(&journal, &d->journal);
	if (r < 0)
		return r;
	d->journal_runs = true;
	troubles_tell(d, numbers_error, disk_error);
	bad_runbooks_tell(d, &bad);
	r = delivery_start(d);
	if (r < 0)
		return r;
	started_tell(d);
	r = dispatcher_begin_picture(d);
	return r < 0 ? r : thread_begin(d);
}

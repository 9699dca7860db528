/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"
#include "base/thread.h"
#include "record/numbers.h"
#include "settings/settings_kept.h"

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
		dispatcher_note(
			d, ENTRY_KIND_TROUBLE, LOG_WARNING,
			"%u more errors are in the site's runbooks in %s; tocsin check lists them",
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
		.meta_names = &d->meta_names,
		.runbooks_base_url = s->runbooks_base_url,
		.runbooks = d->runbooks,
	};
	d->recovered_context = d->entry_context;
	d->recovered_context.recovered = true;
	d->page_context = (struct page_context){
		.engine = s->engine_name,
		.host = d->host_name,
		.runbooks_base_url = s->runbooks_base_url,
		.runbooks = d->runbooks,
		.contacts = &s->contacts,
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
	uint64_t first = 0;

	*ret_error = 0;
	atomic_store(&d->reserved, UINT64_MAX);
	if (d->rescue)
		return 1; /* nothing will be pushed */
	int r = d->folders.state < 0 ? 0 : numbers_first(folders_state(&d->folders), &first);

	*ret_error = r;
	if (d->folders.state < 0 || r < 0)
		return clock_realtime_ns() / NS_PER_MS;
	r = numbers_reserve(folders_state(&d->folders), first + slots + NUMBERS_AHEAD);
	*ret_error = r;
	if (r == 0)
		atomic_store(&d->reserved, first + slots + NUMBERS_AHEAD);
	return first;
}

/* Without a file in memory alone; disk: why. */
static int recorder_start(struct dispatcher *d, int *ret_numbers_error, struct failure *disk)
{
	/* As many slots as the size can give: what may be in use before anything is released. */
	uint64_t slots = 2 * (d->settings->recorder_size / RECORDER_SLOT_SIZE + 64);
	struct recorder_options o = {
		.folder = d->rescue ? -1 : folders_runtime(&d->folders),
		.size = d->settings->recorder_size,
		.first_position = first_position(d, slots, ret_numbers_error),
		.engine = d->settings->engine_name,
		.failure = disk,
	};
	int r = recorder_create(&o, &d->recorder);

	if (r < 0 && o.folder >= 0) {
		o.folder = -1;
		o.failure = &d->failure;
		r = recorder_create(&o, &d->recorder);
	}
	if (r == 0)
		d->next = d->checkpoint_position = d->first_position = o.first_position;
	return r;
}

static void troubles_tell(struct dispatcher *d, int numbers_error, const struct failure *disk)
{
	if (d->folders.runtime_trouble)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING, "%s",
				d->folders.runtime_trouble);
	if (disk->line[0])
		dispatcher_note(
			d, ENTRY_KIND_TROUBLE, LOG_WARNING,
			"no recorder could be made in %s: %s; events are kept in memory and "
			"will not survive a crash: make room there, or set "
			"paths.runtime_dir or a smaller recorder.size",
			d->folders.runtime_path, disk->line);
	if (d->folders.state_trouble)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING, "%s", d->folders.state_trouble);
	if (d->folders.operators_trouble)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_NOTICE, "%s",
				d->folders.operators_trouble);
	if (numbers_error < 0)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
				"%s/numbers cannot be used: %s; the numbers of alerts continue "
				"from the time of day",
				d->folders.state_path, strerror(-numbers_error));
}

/* On the disk thread, for the disk may hang. */
static void sync_probe(void *userdata)
{
	struct dispatcher *d = userdata;

	if (!folder_can_sync(folders_state(&d->folders)))
		dispatcher_note_from_afar(d, LOG_WARNING, "state folder %s " FOLDER_CANNOT_SYNC,
					  d->folders.state_path);
}

static int delivery_start(struct dispatcher *d)
{
	const struct settings *s = d->settings;
	int r = -ENOENT;

	if (d->folders.state >= 0)
		r = outbox_open(d->folders.state_path, &d->outbox);
	if (r < 0 && d->folders.state >= 0)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_ERR,
				"%s/outbox cannot be used: %s; pages that wait are kept in memory "
				"alone: repair the folder",
				d->folders.state_path, strerror(-r));
	struct disk_thread_options disk_thread = {
		.outbox = d->outbox,
		.endpoints = d->endpoint_names,
		.cpus = s->engine_cpus,
		.settled = dispatcher_kept,
		.userdata = d,
		.failure = &d->failure,
	};
	r = disk_thread_new(&disk_thread, &d->disk_thread);
	if (r < 0)
		return r;
	d->disk_thread_runs = true;
	if (d->folders.state >= 0)
		(void)disk_thread_run(d->disk_thread, sync_probe, d);
	struct pager_options pager = {
		.endpoints = s->endpoints,
		.n_endpoints = s->n_endpoints,
		.cpus = s->engine_cpus,
		.version = PACKAGE_VERSION,
		.park_retry_ns = s->park_retry_ns,
		.attempted = dispatcher_attempted,
		.discarded = dispatcher_discarded,
		.trouble = dispatcher_endpoint_trouble,
		.userdata = d,
		.failure = &d->failure,
	};
	r = pager_new(&pager, &d->pager);
	if (r < 0)
		return r;
	d->pager_runs = true;
	return 0;
}

void dispatcher_tell_started(struct dispatcher *d)
{
	static const char *const targets[] = {
		[LOG_TARGET_JOURNAL] = "the journal",
		[LOG_TARGET_SYSLOG] = "syslog",
		[LOG_TARGET_STDERR] = "stderr",
	};
	struct text_buffer pages = { 0 };

	for (unsigned i = 0; i < d->settings->n_endpoints; i++)
		text_buffer_printf(&pages, "%s%s", i > 0 ? ", " : "", d->endpoint_names[i]);
	dispatcher_tell_run(
		d, ENTRY_KIND_STARTED, LOG_NOTICE,
		"tocsin " PACKAGE_VERSION " started for engine %s: recorder %s%s%s, log to "
		"%s, pages to %s",
		d->settings->engine_name,
		d->folders.runtime_path && *recorder_name(d->recorder) ? d->folders.runtime_path
								       : "in memory",
		*recorder_name(d->recorder) ? "/" : "", recorder_name(d->recorder),
		targets[journal_target(d->journal)],
		pages.len > 0 ? pages.ptr
			      : "nobody (no webhook.url is set: alerts are logged only)");
	text_buffer_done(&pages);
}

/* Starts the thread; it has found the engine's name and folders then. */
static int thread_begin(struct dispatcher *d)
{
	int r = thread_start("tocsin-dispatch", d->settings->engine_cpus, dispatcher_main, d,
			     &d->thread);

	if (r < 0)
		return failure_set(&d->failure, r, "pthread_create of tocsin-dispatch");
	d->thread_runs = true;
	pthread_mutex_lock(&d->lock);
	while (!d->named)
		pthread_cond_wait(&d->answered, &d->lock);
	r = d->name_error;
	pthread_mutex_unlock(&d->lock);
	return r < 0 ? failure_set(&d->failure, r, "looking for the engine's folders") : 0;
}

/* Now that all it needs is there. */
static int thread_proceed(struct dispatcher *d)
{
	pthread_mutex_lock(&d->lock);
	d->proceed = true;
	sem_post(&d->asked);
	while (!d->held)
		pthread_cond_wait(&d->answered, &d->lock);
	int r = d->hold_error;
	pthread_mutex_unlock(&d->lock);
	return r < 0 ? failure_set(&d->failure, r, "locking of the recorder %s/%s",
				   d->folders.runtime_path, recorder_name(d->recorder))
		     : 0;
}

/* --- The name --- */

#define NAMESAKES_MAX 64
#define ENGINE_LOCK "lock-engine"

/* Others look at it for a moment at a time; a living engine has it for good. */
#define NAME_TRIES 10
#define NAME_PAUSE_NS (2 * NS_PER_MS)

static int lock_take(struct lockfile *lock)
{
	static const struct timespec pause = { .tv_nsec = NAME_PAUSE_NS };
	int r = lockfile_try(lock);

	for (unsigned i = 1; r == -EBUSY && i < NAME_TRIES; i++) {
		nanosleep(&pause, NULL);
		r = lockfile_try(lock);
	}
	return r;
}

/* Takes the lock by which the engine of this name is known to live; a rescue lets it go again. */
static int name_take(struct dispatcher *d)
{
	int folder = d->folders.runtime >= 0 ? d->folders.runtime : d->folders.state;
	int r;

	if (folder < 0)
		return 0;
	r = lockfile_open(folder, ENGINE_LOCK, true, &d->engine_lock);
	if (r < 0)
		return 0; /* the folder's trouble is told; two of one name are a lesser one */
	r = lock_take(d->engine_lock);
	if (r >= 0 && d->rescue)
		lockfile_release(d->engine_lock);
	return r < 0 ? r : 0;
}

static int path_number(char **path, const char *base, unsigned n)
{
	char *numbered;

	if (!base)
		return 0;
	if (asprintf(&numbered, "%s.%u", base, n) < 0)
		return -ENOMEM;
	free(*path);
	*path = numbered;
	return 0;
}

/* Name and folders of the n-th engine of a name. */
static int name_number(struct settings *s, const struct settings *base, unsigned n)
{
	int r = path_number(&s->engine_name, base->engine_name, n);

	if (r == 0)
		r = path_number(&s->runtime_dir, base->runtime_dir, n);
	if (r == 0)
		r = path_number(&s->state_dir, base->state_dir, n);
	return r;
}

int dispatcher_name(struct dispatcher *d)
{
	struct settings *s = d->to_name;
	_cleanup_free_ char *name = strdup(s->engine_name);
	_cleanup_free_ char *runtime = s->runtime_dir ? strdup(s->runtime_dir) : NULL;
	_cleanup_free_ char *state = s->state_dir ? strdup(s->state_dir) : NULL;
	const struct settings base = { .engine_name = name,
				       .runtime_dir = runtime,
				       .state_dir = state };

	if (!name || (s->runtime_dir && !runtime) || (s->state_dir && !state))
		return -ENOMEM;
	for (unsigned n = 1;; n++) {
		int r = n > 1 ? name_number(s, &base, n) : 0;

		if (r == 0)
			r = folders_find(s, &d->folders);
		if (r == 0)
			r = name_take(d);
		d->by_number = n > 1;
		if (r == -EBUSY && n == NAMESAKES_MAX)
			failure_set(
				&d->failure, r,
				"the search for a free name: %u engines of this name live; give "
				"each a name of its own by engine.name",
				n);
		if (r != -EBUSY || d->rescue || n == NAMESAKES_MAX)
			return r;
		lockfile_free(TAKE(d->engine_lock));
		folders_done(&d->folders);
	}
}

/* What only makes it better could not be had. All threads are made alike, so one speaks for all. */
static void threads_tell(struct dispatcher *d)
{
	if (d->unwiped_error < 0)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
				"madvise(MADV_WIPEONFORK): %s (a filter of system calls?); a "
				"child that the engine forks is noticed by a fork handler "
				"instead, one made by the bare system call is not",
				strerror(-d->unwiped_error));
	if (!d->plain)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
				"tocsin's threads run in the scheduling class of the thread that "
				"called start, because the system does not let them leave it "
				"(RLIMIT_NICE, or a filter of system calls); they may hold up, or "
				"wait for, the engine's own: call start from a thread of the "
				"plain class");
	if (!d->placed)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
				"tocsin's threads run on other processors than %s, because the "
				"system does not let them be chosen (a cpuset, or a filter of "
				"system calls)",
				d->settings->engine_cpus ? "engine.cpus names"
							 : "those that are not isolated");
}

static void name_tell(struct dispatcher *d)
{
	dispatcher_note(
		d, ENTRY_KIND_TROUBLE, LOG_WARNING,
		"another engine of this name lives: this one runs as %s; give each engine a "
		"name of its own by engine.name",
		d->settings->engine_name);
}

/* For those who come after a death: see settings_kept.h. */
static void settings_leave(struct dispatcher *d)
{
	const struct folders *p = &d->folders;
	int r = 0;

	if (p->runtime >= 0)
		r = settings_kept_write(p->runtime, false, d->settings, p->runtime_path,
					p->state_path);
	if (r == 0 && p->state >= 0)
		r = settings_kept_write(p->state, true, d->settings, p->runtime_path,
					p->state_path);
	if (r < 0)
		dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_WARNING,
				"the settings in force cannot be kept in %s: %s; tocsin rescue "
				"will not know this engine's settings",
				p->state_path ? p->state_path : p->runtime_path, strerror(-r));
}

#define FAILURE_TEXT_SIZE 1024

static void failure_text(char text[static FAILURE_TEXT_SIZE], const struct settings *s, bool rescue,
			 const char *why)
{
	snprintf(text, FAILURE_TEXT_SIZE, "tocsin cannot start for %s %s: %s; %s",
		 rescue ? "the rescue of" : "engine", s->engine_name, why,
		 rescue ? "the files of dead runs stay as they are"
			: "the engine runs without any alerts until you repair this and start it "
			  "again");
}

void dispatcher_tell_failure_alone(const struct settings *s, struct host_log *host_log, bool rescue,
				   const char *why)
{
	char text[FAILURE_TEXT_SIZE];

	failure_text(text, s, rescue, why);
	dispatcher_note_alone(s, host_log, LOG_CRIT, text);
}

void dispatcher_tell_failure(struct dispatcher *d, int error)
{
	char text[FAILURE_TEXT_SIZE];

	failure_set(&d->failure, error, "start");
	if (!d->journal_runs) {
		dispatcher_tell_failure_alone(d->settings, d->host_log, d->rescue != NULL,
					      d->failure.line);
		return;
	}
	failure_text(text, d->settings, d->rescue != NULL, d->failure.line);
	dispatcher_note(d, ENTRY_KIND_TROUBLE, LOG_CRIT, "%s", text);
}

static int journal_start(struct dispatcher *d)
{
	struct journal_options journal = {
		.target = d->settings->log_target,
		.state = folders_state(&d->folders),
		.cpus = d->settings->engine_cpus,
		.context = &d->entry_context,
		.failure = &d->failure,
	};
	int r = journal_new(&journal, &d->journal);

	d->journal_runs = r == 0;
	return r;
}

int dispatcher_begin(struct dispatcher *d, struct settings *settings)
{
	_cleanup_(bad_runbooks_done) struct bad_runbooks bad = { 0 };
	int numbers_error, r;

	d->to_name = settings;
	r = thread_begin(d);
	if (r == 0 && d->settings->runbooks_dir)
		r = runbooks_load(d->settings->runbooks_dir, runbook_bad, &bad, &d->runbooks);
	if (r < 0)
		return failure_set(&d->failure, r, "reading of the site's runbooks");
	contexts_fill(d);
	d->started_wall_ns = clock_realtime_ns();
	d->wall_offset_ns = (int64_t)(d->started_wall_ns - clock_monotonic_ns());
	d->started_offset_ns = d->wall_offset_ns;
	struct failure disk = { 0 };
	r = recorder_start(d, &numbers_error, &disk);
	if (r == 0)
		r = journal_start(d);
	if (r < 0)
		return r;
	troubles_tell(d, numbers_error, &disk);
	bad_runbooks_tell(d, &bad);
	r = delivery_start(d);
	if (r < 0)
		return r;
	if (!d->rescue) {
		if (d->by_number)
			name_tell(d);
		threads_tell(d);
		settings_leave(d);
	}
	return thread_proceed(d);
}

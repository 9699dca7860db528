/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "deliver/journal.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/thread.h"
#include "deliver/entry_line.h"
#include "deliver/journal_target.h"
#include "deliver/syslog_target.h"

#define BATCH_MAX 64
#define PAUSE_NS (100 * NS_PER_MS) /* before a socket that failed is looked at again */
#define WAIT_MS 50                 /* for room in it, before the time is looked at */
#define GRACE_NS NS_PER_S          /* for the thread to end after its time */

struct queue {
	struct entry *first, **end;
};

struct journal {
	enum log_target target;
	const struct entry_context *context;
	struct journal_probe probe;  /* the thread's */
	struct syslog_socket syslog; /* likewise */
	pthread_t thread;
	bool joined;

	pthread_mutex_t mutex;
	pthread_cond_t wake;
	/* Under the mutex: */
	struct queue waiting[ENTRY_CLASSES]; /* each in order of sequence */
	size_t bytes;
	uint64_t last_sequence;
	uint64_t shed[ENTRY_CLASSES], shed_since; /* not yet reported; wall time */
	bool idle, stopping, ended;
	void (*progress)(void *userdata);
	void *userdata;

	_Atomic uint64_t settled, written, lost;
	_Atomic uint64_t give_up_at; /* on the clock; what waits then is lost */
};

static void queue_add(struct queue *q, struct entry *e)
{
	e->next = NULL;
	if (!q->first)
		q->end = &q->first;
	*q->end = e;
	q->end = &e->next;
}

static struct entry *queue_take(struct queue *q)
{
	struct entry *e = q->first;

	if (e)
		q->first = e->next;
	return e;
}

static void count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* --- any thread --- */

/* Makes room: the oldest of the least class goes. */
static void shed(struct journal *j)
{
	while (j->bytes > JOURNAL_QUEUE_BYTES) {
		unsigned least = ENTRY_CLASSES - 1;
		struct entry *e;

		while (least > ENTRY_CLASS_FIRST && !j->waiting[least].first)
			least--;
		if (least == ENTRY_CLASS_FIRST && j->bytes <= JOURNAL_FIRST_BYTES)
			return;
		e = queue_take(&j->waiting[least]);
		if (!e)
			return;
		j->bytes -= e->bytes;
		if (j->shed_since == 0)
			j->shed_since = clock_realtime_ns();
		j->shed[least]++;
		count(&j->lost);
		entry_free(e);
	}
}

uint64_t journal_submit(struct journal *j, struct entry *e)
{
	uint64_t sequence;

	pthread_mutex_lock(&j->mutex);
	if (e && j->ended) {
		count(&j->lost);
		atomic_store(&j->settled, ++j->last_sequence);
		entry_free(e);
	} else if (e) {
		e->sequence = ++j->last_sequence;
		queue_add(&j->waiting[e->class], e);
		j->bytes += e->bytes;
		shed(j);
		/* A wake-up costs more than all else here; a busy thread looks by itself. */
		if (j->idle)
			pthread_cond_signal(&j->wake);
	}
	sequence = j->last_sequence;
	pthread_mutex_unlock(&j->mutex);
	return sequence;
}

enum log_target journal_target(const struct journal *j)
{
	return j->target;
}

uint64_t journal_settled(const struct journal *j)
{
	return atomic_load(&j->settled);
}

uint64_t journal_written(const struct journal *j)
{
	return atomic_load(&j->written);
}

uint64_t journal_lost(const struct journal *j)
{
	return atomic_load(&j->lost);
}

void journal_on_progress(struct journal *j, void (*progress)(void *userdata), void *userdata)
{
	pthread_mutex_lock(&j->mutex);
	j->progress = progress;
	j->userdata = userdata;
	pthread_mutex_unlock(&j->mutex);
}

/* --- the thread --- */

static bool gave_up(const struct journal *j)
{
	uint64_t at = atomic_load_explicit(&j->give_up_at, memory_order_relaxed);

	return at != UINT64_MAX && clock_monotonic_ns() >= at;
}

/* Until a stop is asked for, PAUSE_NS at most. */
static void pause_a_while(struct journal *j)
{
	struct timespec until = cond_deadline(PAUSE_NS);

	pthread_mutex_lock(&j->mutex);
	pthread_cond_timedwait(&j->wake, &j->mutex, &until);
	pthread_mutex_unlock(&j->mutex);
}

/* Sends until it is sent, given up, or an error that stays. `line`: syslog's form of the entry. */
static int send_patiently(struct journal *j, const struct entry *e, const char *line, size_t len)
{
	for (;;) {
		int r;

		if (gave_up(j))
			return -ETIMEDOUT;
		r = j->target == LOG_TARGET_SYSLOG
			    ? syslog_socket_send(&j->syslog, line, len, WAIT_MS)
			    : journal_probe_send(&j->probe, e, WAIT_MS);
		if (r == -ENOTCONN)
			pause_a_while(j);
		else if (r != -EAGAIN)
			return r;
	}
}

static int send_to_syslog(struct journal *j, const struct entry *e)
{
	size_t len = 0;
	_cleanup_free_ char *line = entry_to_syslog(e, (long)getpid(), &len);

	return line ? send_patiently(j, e, line, len) : -ENOMEM;
}

static int send_entry(struct journal *j, const struct entry *e)
{
	int r;

	if (j->target == LOG_TARGET_STDERR)
		r = gave_up(j) ? -ETIMEDOUT : entry_write(e, STDERR_FILENO);
	else if (j->target == LOG_TARGET_SYSLOG)
		r = send_to_syslog(j, e);
	else
		r = send_patiently(j, e, NULL, 0);
	count(r == 0 ? &j->written : &j->lost);
	return r;
}

/* The report of what was shed, once there is room again; NULL when there is nothing to tell. */
static struct entry *take_report(struct journal *j)
{
	static const char *const names[ENTRY_CLASSES] = { "P1", "P2", "P3", "session",
							  "health and retry" };
	_cleanup_(text_buffer_done) struct text_buffer b = { 0 };
	char since[TIME_TEXT_SIZE];
	struct entry *e = NULL;

	pthread_mutex_lock(&j->mutex);
	if (j->shed_since != 0 && j->bytes <= JOURNAL_QUEUE_BYTES / 2) {
		text_buffer_printf(&b, "the log did not take entries for too long: lost since %s",
				   time_to_rfc3339(j->shed_since, since));
		for (unsigned i = 0; i < ENTRY_CLASSES; i++) {
			if (j->shed[i] > 0)
				text_buffer_printf(&b, ", %llu of %s",
						   (unsigned long long)j->shed[i], names[i]);
			j->shed[i] = 0;
		}
		j->shed_since = 0;
	}
	pthread_mutex_unlock(&j->mutex);
	if (b.ptr && !b.failed)
		e = entry_of_note(j->context, ENTRY_KIND_TROUBLE, LOG_ERR, clock_realtime_ns(),
				  b.ptr);
	return e;
}

static void report_shed(struct journal *j)
{
	struct entry *report = take_report(j);

	if (report)
		send_entry(j, report);
	entry_free(report);
}

/* The entries that come next, in order of sequence; NULL: stopped, and none is left. */
static struct entry *take_batch(struct journal *j)
{
	struct queue batch = { 0 };

	pthread_mutex_lock(&j->mutex);
	for (unsigned n = 0; n < BATCH_MAX;) {
		struct queue *next = NULL;
		struct entry *e;

		for (unsigned i = 0; i < ENTRY_CLASSES; i++)
			if (j->waiting[i].first &&
			    (!next || j->waiting[i].first->sequence < next->first->sequence))
				next = &j->waiting[i];
		if (next) {
			e = queue_take(next);
			j->bytes -= e->bytes;
			queue_add(&batch, e);
			n++;
			continue;
		}
		if (batch.first)
			break;
		if (j->stopping) {
			j->ended = true;
			break;
		}
		j->idle = true;
		pthread_cond_wait(&j->wake, &j->mutex);
		j->idle = false;
	}
	pthread_mutex_unlock(&j->mutex);
	return batch.first;
}

/* All before the last one sent is settled: a batch holds the least sequences there are. */
static void send_batch(struct journal *j, struct entry *batch)
{
	void (*progress)(void *userdata);
	void *userdata;
	bool taken = false;

	for (struct entry *e = batch, *next; e; e = next) {
		next = e->next;
		taken = send_entry(j, e) == 0;
		atomic_store_explicit(&j->settled, e->sequence, memory_order_release);
		entry_free(e);
	}
	if (taken)
		report_shed(j);
	pthread_mutex_lock(&j->mutex);
	progress = j->progress;
	userdata = j->userdata;
	pthread_mutex_unlock(&j->mutex);
	if (progress)
		progress(userdata);
}

static void *run(void *arg)
{
	struct journal *j = arg;
	struct entry *batch;

	while ((batch = take_batch(j)))
		send_batch(j, batch);
	return NULL;
}

/* --- making and ending --- */

static enum log_target choose_target(struct journal *j, enum log_target asked)
{
	if (asked != LOG_TARGET_AUTO)
		return asked;
	if (journal_probe_connect(&j->probe) == 0)
		return LOG_TARGET_JOURNAL;
	return syslog_socket_connect(&j->syslog) == 0 ? LOG_TARGET_SYSLOG : LOG_TARGET_STDERR;
}

int journal_new(const struct journal_options *o, struct journal **ret)
{
	_cleanup_free_ struct journal *j = calloc(1, sizeof *j);
	int r;

	if (!j)
		return -ENOMEM;
	r = journal_probe_init(&j->probe, o->socket);
	if (r < 0)
		return r;
	r = syslog_socket_init(&j->syslog, o->syslog);
	if (r < 0)
		return r;
	r = cond_init(&j->wake);
	if (r < 0)
		return r;
	pthread_mutex_init(&j->mutex, NULL);
	j->target = choose_target(j, o->target);
	j->context = o->context;
	atomic_init(&j->give_up_at, UINT64_MAX);
	if (j->target == LOG_TARGET_JOURNAL)
		journal_pin_library();
	r = thread_start("tocsin-journal", o->cpus, run, j, &j->thread);
	if (r < 0) {
		journal_probe_done(&j->probe);
		syslog_socket_done(&j->syslog);
		pthread_mutex_destroy(&j->mutex);
		pthread_cond_destroy(&j->wake);
		return r;
	}
	*ret = TAKE(j);
	return 0;
}

int journal_stop(struct journal *j, uint64_t timeout_ns)
{
	uint64_t now = clock_monotonic_ns();
	uint64_t join_ns = timeout_ns < UINT64_MAX - GRACE_NS ? timeout_ns + GRACE_NS : UINT64_MAX;
	int r;

	if (j->joined)
		return 0;
	atomic_store(&j->give_up_at, timeout_ns < UINT64_MAX - now ? now + timeout_ns : UINT64_MAX);
	pthread_mutex_lock(&j->mutex);
	j->stopping = true;
	pthread_cond_broadcast(&j->wake);
	pthread_mutex_unlock(&j->mutex);
	r = thread_join(j->thread, join_ns);
	j->joined = r == 0;
	return r;
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	journal_probe_done(&j->probe);
	syslog_socket_done(&j->syslog);
	pthread_mutex_destroy(&j->mutex);
	pthread_cond_destroy(&j->wake);
	free(j);
}

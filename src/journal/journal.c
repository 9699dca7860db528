/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "journal/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/thread.h"
#include "journal/journal_parts.h"

#define BATCH_MAX 64
#define GRACE_NS NS_PER_S /* for the thread to end after its time */
/* Between looks whether another still tells what former runs have left. */
#define ADOPT_AGAIN_NS NS_PER_S

void queue_add(struct queue *q, struct entry *e)
{
	e->next = NULL;
	if (!q->first)
		q->end = &q->first;
	*q->end = e;
	q->end = &e->next;
}

struct entry *queue_take(struct queue *q)
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

void journal_note_shed(struct journal *j, enum entry_class class)
{
	if (j->shed_since == 0)
		j->shed_since = clock_realtime_ns();
	j->shed[class]++;
	count(&j->lost);
}

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
		if (e->class != ENTRY_CLASS_FIRST || !journal_leave(j, e->sequence))
			journal_note_shed(j, e->class);
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

uint64_t journal_secured(const struct journal *j)
{
	uint64_t settled = atomic_load(&j->settled), kept = atomic_load(&j->kept);

	return settled > kept ? settled : kept;
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

struct entry *journal_take_report(struct journal *j, bool anyway)
{
	static const char *const names[ENTRY_CLASSES] = { "P1", "P2", "P3", "session",
							  "health and retry" };
	_cleanup_(text_buffer_done) struct text_buffer b = { 0 };
	char since[TIME_TEXT_SIZE];
	struct entry *e = NULL;

	pthread_mutex_lock(&j->mutex);
	if (j->shed_since != 0 && (anyway || j->bytes <= JOURNAL_QUEUE_BYTES / 2)) {
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
	if (e)
		e->class = ENTRY_CLASS_FIRST;
	return e;
}

/* It takes the way of all others, so that it is kept where it cannot be written. */
static void report_shed(struct journal *j)
{
	struct entry *report = journal_take_report(j, false);

	if (report)
		journal_submit(j, report);
}

/* Has the thread something to do? Under the mutex. */
static bool has_work(const struct journal *j)
{
	for (unsigned i = 0; i < ENTRY_CLASSES; i++)
		if (j->waiting[i].first)
			return true;
	return j->stopping;
}

static void wait_for_work(struct journal *j)
{
	struct timespec until = cond_deadline(ADOPT_AGAIN_NS);
	int r = 0;

	j->idle = true;
	while (r == 0 && !has_work(j))
		r = j->adopting ? pthread_cond_timedwait(&j->wake, &j->mutex, &until)
				: pthread_cond_wait(&j->wake, &j->mutex);
	j->idle = false;
}

/*
 * The entries that come next, in order of sequence, to j->sending; none when it is time to look
 * after others'. False: stopped, and none is left.
 */
static bool take_batch(struct journal *j)
{
	struct queue batch = { 0 };

	pthread_mutex_lock(&j->mutex);
	wait_for_work(j);
	for (unsigned n = 0; n < BATCH_MAX; n++) {
		struct queue *next = NULL;
		struct entry *e;

		for (unsigned i = 0; i < ENTRY_CLASSES; i++)
			if (j->waiting[i].first &&
			    (!next || j->waiting[i].first->sequence < next->first->sequence))
				next = &j->waiting[i];
		if (!next)
			break;
		e = queue_take(next);
		j->bytes -= e->bytes;
		queue_add(&batch, e);
	}
	if (!batch.first && j->stopping)
		j->ended = true;
	j->sending = batch.first;
	bool ended = j->ended;
	pthread_mutex_unlock(&j->mutex);
	return !ended;
}

/* All before the last one sent is settled: a batch holds the least sequences there are. */
static void settle(struct journal *j, struct entry *e)
{
	pthread_mutex_lock(&j->mutex);
	j->sending = e->next;
	pthread_mutex_unlock(&j->mutex);
	atomic_store_explicit(&j->settled, e->sequence, memory_order_release);
	entry_free(e);
}

static void send_batch(struct journal *j)
{
	void (*progress)(void *userdata);
	void *userdata;
	bool taken = false;

	while (j->sending) {
		struct entry *e = j->sending;
		int r = journal_send(j, e);

		if (r == -ETIMEDOUT) {
			journal_give_up(j);
			taken = false;
			break;
		}
		taken = r == 0;
		settle(j, e);
	}
	if (taken)
		report_shed(j);
	journal_clear_files(j);
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

	do {
		if (j->adopting)
			journal_adopt(j);
		if (j->sending)
			send_batch(j);
	} while (take_batch(j));
	if (j->claimed)
		owed_release(j->owed);
	return NULL;
}

/* --- making and ending --- */

static void done(struct journal *j)
{
	journal_owed_done(j);
	journal_socket_done(&j->socket);
	syslog_socket_done(&j->syslog);
	pthread_mutex_destroy(&j->mutex);
	pthread_cond_destroy(&j->wake);
}

int journal_new(const struct journal_options *o, struct journal **ret)
{
	_cleanup_free_ struct journal *j = calloc(1, sizeof *j);
	int r;

	if (!j)
		return -ENOMEM;
	r = journal_socket_init(&j->socket, o->socket);
	if (r < 0)
		return r;
	r = syslog_socket_init(&j->syslog, o->syslog);
	if (r < 0)
		return r;
	r = cond_init(&j->wake);
	if (r < 0)
		return r;
	pthread_mutex_init(&j->mutex, NULL);
	j->target = journal_choose_target(j, o->target);
	j->context = o->context;
	atomic_init(&j->give_up_at, UINT64_MAX);
	journal_owed_init(j, o->state);
	r = thread_start("tocsin-journal", o->cpus, run, j, &j->thread);
	if (r < 0) {
		done(j);
		return failure_set(o->failure, r, "pthread_create of tocsin-journal");
	}
	*ret = TAKE(j);
	return 0;
}

void journal_write_alone(const struct journal_options *o, struct entry *e)
{
	struct journal *j = e ? calloc(1, sizeof *j) : NULL;

	if (j && journal_socket_init(&j->socket, o->socket) == 0 &&
	    syslog_socket_init(&j->syslog, o->syslog) == 0) {
		j->target = journal_choose_target(j, o->target);
		/* Its time is over already: whatever takes no entry at once gets none. */
		journal_send_at_once(j, e);
		journal_socket_done(&j->socket);
		syslog_socket_done(&j->syslog);
	}
	free(j);
	entry_free(e);
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
	if (r == -ETIMEDOUT)
		journal_keep_all(j);
	return r;
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	done(j);
	free(j);
}

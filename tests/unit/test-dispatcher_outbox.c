/* SPDX-License-Identifier: MIT */
/*
 * More pages wait in the outbox than are read at a time: all come, each once, and none before an
 * earlier one of its incident, whichever run has made it.
 */
#include "config.h"
#include "dispatcher_fixture.h"
#include "http_fixture.h"

#include <errno.h>

#include "spool/outbox.h"
#include "post/pager.h"

#define BATCH 4
#define INCIDENTS 10 /* each with a raising and a resolution */
#define WAITING (2 * INCIDENTS)
/* Of former incidents' ids. It comes before every epoch, so that what this run writes is read too.
 */
#define FORMER "-former-"

/* --- A pager that is full, a disk that refuses, when a test says so --- */

static atomic_bool pager_full;
static atomic_uint scans, failing_scan; /* so far; which one fails, from 1; 0: none */

int __real_pager_submit(struct pager *p, struct delivery *delivery);
int __wrap_pager_submit(struct pager *p, struct delivery *delivery);

int __wrap_pager_submit(struct pager *p, struct delivery *delivery)
{
	return atomic_load(&pager_full) ? -ENOBUFS : __real_pager_submit(p, delivery);
}

typedef void found_fn(void *userdata, struct page *p, const char *endpoint);
typedef void bad_fn(void *userdata, const char *name, int error);
int __real_outbox_scan(struct outbox *o, struct outbox_cursor *c, found_fn *found, bad_fn *bad,
		       void *userdata);
int __wrap_outbox_scan(struct outbox *o, struct outbox_cursor *c, found_fn *found, bad_fn *bad,
		       void *userdata);

int __wrap_outbox_scan(struct outbox *o, struct outbox_cursor *c, found_fn *found, bad_fn *bad,
		       void *userdata)
{
	if (atomic_fetch_add(&scans, 1) + 1 == atomic_load(&failing_scan))
		return -EIO;
	return __real_outbox_scan(o, c, found, bad, userdata);
}

/* --- An engine, and a receiver that answers once its gate is open --- */

struct world {
	const struct test_folder *folder;
	struct http_server *server;
	struct engine engine;
};

static void leave(struct outbox *o, const char *alert_id, enum page_kind kind, uint64_t wall_ns)
{
	struct page *p = fixture_page_at(alert_id, 1, kind, wall_ns);

	assert_int_equal(outbox_put(o, p, "webhook"), 0);
	page_unref(p);
}

static void leave_incidents(const struct test_folder *f, unsigned n)
{
	char state_dir[128], alert_id[32];
	struct outbox *o;

	snprintf(state_dir, sizeof state_dir, "%s/state", f->path);
	assert_int_equal(mkdir(state_dir, 0700), 0);
	assert_int_equal(outbox_open(state_dir, &o), 0);
	for (unsigned i = 0; i < n; i++) {
		snprintf(alert_id, sizeof alert_id, FORMER "%u-feed", i);
		leave(o, alert_id, PAGE_RAISED, FIXTURE_WALL_NS + i);
		leave(o, alert_id, PAGE_RESOLVED, FIXTURE_WALL_NS + NS_PER_S);
	}
	outbox_free(o);
}

static void begin(struct world *w, void **state, unsigned n_incidents)
{
	static const long steps[] = { HTTP_GATE };
	char url[64];

	*w = (struct world){ .folder = *state, .server = http_start(steps, 1) };
	atomic_store(&pager_full, false);
	atomic_store(&scans, 0);
	leave_incidents(w->folder, n_incidents);
	snprintf(url, sizeof url, "http://127.0.0.1:%u/", w->server->port);
	engine_start(&w->engine, w->folder, "webhook.url", url, BATCH);
}

static void end(struct world *w)
{
	engine_end(&w->engine);
	http_stop(w->server);
}

static void gate_open(struct world *w)
{
	pthread_mutex_lock(&w->server->mutex);
	w->server->gate_open = true;
	pthread_cond_broadcast(&w->server->changed);
	pthread_mutex_unlock(&w->server->mutex);
}

static void raise_and_clear(struct world *w)
{
	assert_int_equal(engine_say(&w->engine, TOCSIN_ALERT_RAISE, NULL), 0);
	assert_int_equal(engine_say(&w->engine, TOCSIN_ALERT_CLEAR, NULL), 0);
	assert_int_equal(
		dispatcher_flush(w->engine.dispatcher, TOCSIN_FLUSH_DURABLE, FIXTURE_LIMIT_NS), 0);
}

static uint64_t pending(const struct world *w)
{
	tocsin_stats stats = { .size = sizeof stats };

	dispatcher_stats(w->engine.dispatcher, &stats);
	return stats.pages_pending;
}

static void await_pending(const struct world *w, uint64_t n)
{
	for (unsigned i = 0; pending(w) != n; i++) {
		assert_true(i < 30000);
		usleep(1000);
	}
}

static void await_scans(unsigned n)
{
	for (unsigned i = 0; atomic_load(&scans) < n; i++) {
		assert_true(i < 30000);
		usleep(1000);
	}
}

/* Which of the requests was it? Each page must have come once. */
static unsigned place_of(const struct world *w, const char *page_id)
{
	unsigned n = 0, place = 0;

	for (unsigned i = 0; i < w->server->n_seen; i++)
		if (strcmp(w->server->seen[i].id, page_id) == 0) {
			place = i;
			n++;
		}
	if (n != 1)
		fail_msg("%s came %u times", page_id, n);
	return place;
}

static void expect_former_in_order(const struct world *w, unsigned n_incidents)
{
	char raised[64], resolved[64];

	for (unsigned i = 0; i < n_incidents; i++) {
		snprintf(raised, sizeof raised, FORMER "%u-feed.raised", i);
		snprintf(resolved, sizeof resolved, FORMER "%u-feed.resolved", i);
		assert_true(place_of(w, raised) < place_of(w, resolved));
	}
}

static bool is_of(const struct world *w, unsigned place, const char *suffix)
{
	const char *id = w->server->seen[place].id;
	size_t len = strlen(id), suffix_len = strlen(suffix);

	return len > suffix_len && strcmp(id + len - suffix_len, suffix) == 0 &&
	       strncmp(id, FORMER, strlen(FORMER)) != 0;
}

/* --- The tests --- */

static void all_that_waits_is_read_on_and_comes_once_and_in_order(void **state)
{
	struct world w;

	begin(&w, state, INCIDENTS);
	await_pending(&w, WAITING);
	assert_int_equal(atomic_load(&scans), 1);
	gate_open(&w);
	await_pending(&w, 0);
	assert_int_equal(w.server->n_seen, WAITING);
	expect_former_in_order(&w, INCIDENTS);
	assert_true(atomic_load(&scans) >= WAITING / BATCH);
	end(&w);
}

static void a_resolution_of_this_run_waits_for_all_that_is_unread(void **state)
{
	struct world w;

	begin(&w, state, INCIDENTS);
	await_pending(&w, WAITING);
	raise_and_clear(&w);
	await_pending(&w, WAITING + 2);
	gate_open(&w);
	await_pending(&w, 0);
	assert_int_equal(w.server->n_seen, WAITING + 2);
	expect_former_in_order(&w, INCIDENTS);
	assert_true(is_of(&w, WAITING + 1, ".resolved"));
	end(&w);
}

static void pages_that_find_the_pager_full_come_later_and_in_order(void **state)
{
	struct world w;

	begin(&w, state, 0);
	gate_open(&w);
	atomic_store(&pager_full, true);
	raise_and_clear(&w);
	await_pending(&w, 2);
	assert_int_equal(w.server->n_seen, 0);
	atomic_store(&pager_full, false);
	await_pending(&w, 0);
	assert_int_equal(w.server->n_seen, 2);
	assert_true(is_of(&w, 0, ".raised"));
	assert_true(is_of(&w, 1, ".resolved"));
	end(&w);
}

static void what_cannot_be_read_on_is_tried_again(void **state)
{
	struct world w;

	atomic_store(&failing_scan, 2);
	begin(&w, state, INCIDENTS);
	raise_and_clear(&w);
	gate_open(&w);
	await_scans(2);
	await_pending(&w, WAITING - BATCH + 1); /* the rest, and the resolution */
	await_pending(&w, 0);
	assert_int_equal(w.server->n_seen, WAITING + 2);
	expect_former_in_order(&w, INCIDENTS);
	assert_true(is_of(&w, WAITING + 1, ".resolved"));
	end(&w);
	atomic_store(&failing_scan, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(all_that_waits_is_read_on_and_comes_once_and_in_order),
		test_in_folder(a_resolution_of_this_run_waits_for_all_that_is_unread),
		test_in_folder(pages_that_find_the_pager_full_come_later_and_in_order),
		test_in_folder(what_cannot_be_read_on_is_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

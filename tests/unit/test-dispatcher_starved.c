/* SPDX-License-Identifier: MIT */
/*
 * Expected to fail (XFAIL_TESTS): one endpoint that takes nothing keeps pages from another that
 * does. How much of the outbox is read, whether a page waits for what is unread, and how many pages
 * the pager takes, is one figure for all endpoints. Each test here shows one way; once each
 * endpoint has its own figures they pass, which the suite counts as a failure until they are no
 * longer expected to fail.
 *
 * The outbox is read in small parts, which brings the figures of thousands of pages down to a few.
 */
#include "config.h"
#include "dispatcher_fixture.h"
#include "pager_fixture.h"

#include <errno.h>

#include "spool/outbox.h"

#define BATCH 4
#define WAITING 10 /* more than twice what is read at a time */
#define AWAIT_MS 5000

static const long gate[] = { HTTP_GATE }, taken[] = { 200 };

struct world {
	const struct test_folder *folder;
	struct http_server *dead, *well; /* webhook, webhook.well */
	struct engine engine;
};

static void leave(const struct world *w, const char *endpoint, uint64_t wall_ns)
{
	char state_dir[128], alert_id[32];
	struct outbox *o;

	snprintf(state_dir, sizeof state_dir, "%s/state", w->folder->path);
	assert_true(mkdir(state_dir, 0700) == 0 || errno == EEXIST);
	assert_int_equal(outbox_open(state_dir, &o), 0);
	for (unsigned i = 0; i < WAITING; i++) {
		snprintf(alert_id, sizeof alert_id, "-%s-%u-feed", endpoint, i);
		struct page *p = fixture_page_at(alert_id, 1, PAGE_RAISED, wall_ns + i);

		assert_int_equal(outbox_put(o, p, endpoint), 0);
		page_unref(p);
	}
	outbox_free(o);
}

static void begin(struct world *w)
{
	char dead[64], well[64];

	snprintf(dead, sizeof dead, "http://127.0.0.1:%u/", w->dead->port);
	snprintf(well, sizeof well, "http://127.0.0.1:%u/", w->well->port);
	const tocsin_kv endpoints[] = {
		{ STR("webhook.url"), str(dead) },
		{ STR("webhook.well.url"), str(well) },
	};
	engine_start_with(&w->engine, w->folder, endpoints, 2, BATCH);
}

static void end(struct world *w)
{
	pthread_mutex_lock(&w->dead->mutex);
	w->dead->gate_open = true;
	pthread_cond_broadcast(&w->dead->changed);
	pthread_mutex_unlock(&w->dead->mutex);
	engine_end(&w->engine);
	http_stop(w->dead);
	http_stop(w->well);
}

/* How many pages with such an id have come to the well one. */
static unsigned came(struct world *w, const char *part)
{
	unsigned n = 0;

	pthread_mutex_lock(&w->well->mutex);
	for (unsigned i = 0; i < w->well->n_seen; i++)
		n += strstr(w->well->seen[i].id, part) != NULL;
	pthread_mutex_unlock(&w->well->mutex);
	return n;
}

static bool comes(struct world *w, const char *part, unsigned n)
{
	for (unsigned ms = 0; ms < AWAIT_MS && came(w, part) < n; ms++)
		usleep(1000);
	return came(w, part) >= n;
}

/* What is read of the outbox at first is the dead one's, and nothing of that goes. */
static void pages_behind_those_of_a_dead_endpoint_are_read(void **state)
{
	struct world w = { .folder = *state,
			   .dead = http_start(gate, 1),
			   .well = http_start(taken, 1) };

	leave(&w, "webhook", FIXTURE_WALL_NS);
	leave(&w, "well", FIXTURE_WALL_NS + NS_PER_S);
	begin(&w);
	bool all = comes(&w, "-well-", WAITING);
	end(&w);
	assert_true(all);
}

/* The pager takes no further page once PAGER_PENDING_MAX wait, whichever endpoint they are for. */
static void pages_of_a_dead_endpoint_take_no_place_in_the_pager_from_others(void **state)
{
	struct http_server *s = http_start(STEPS(HTTP_HANG));
	struct delivery *of_dead = fixture_delivery("a-1-feed", 1, PAGE_RAISED, 1);
	struct delivery *of_well = fixture_delivery("b-2-feed", 1, PAGE_RAISED, 2);
	struct desk d;

	(void)state;
	desk_init(&d);
	desk_add(&d, s, "/dead");
	desk_add(&d, s, "/well");
	/* Else this fails for another reason than the one that is expected. */
	if (desk_open(&d) < 0)
		abort();
	for (unsigned i = 0; i < PAGER_PENDING_MAX; i++)
		if (pager_submit(d.pager, of_dead) < 0)
			abort();
	of_well->endpoint = 1;
	int r = pager_submit(d.pager, of_well);
	desk_end(&d);
	delivery_unref(of_dead);
	delivery_unref(of_well);
	http_stop(s);
	assert_int_equal(r, 0);
}

/* None of the pages that wait unread is the well one's. */
static void a_resolution_does_not_wait_for_pages_of_a_dead_endpoint(void **state)
{
	struct world w = { .folder = *state,
			   .dead = http_start(gate, 1),
			   .well = http_start(taken, 1) };

	leave(&w, "webhook", FIXTURE_WALL_NS);
	begin(&w);
	engine_say(&w.engine, TOCSIN_ALERT_RAISE, NULL);
	engine_say(&w.engine, TOCSIN_ALERT_CLEAR, NULL);
	bool raised = comes(&w, ".raised", 1), resolved = comes(&w, ".resolved", 1);
	end(&w);
	/* Else this fails for another reason than the one that is expected. */
	if (!raised)
		abort();
	assert_true(resolved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(pages_behind_those_of_a_dead_endpoint_are_read),
		cmocka_unit_test(pages_of_a_dead_endpoint_take_no_place_in_the_pager_from_others),
		test_in_folder(a_resolution_does_not_wait_for_pages_of_a_dead_endpoint),
	};

	/* The results are in the lines of TAP. A status that tells of the failures as well would be
	 * an error beside those that are expected. */
	cmocka_run_group_tests(tests, NULL, NULL);
	return 0;
}

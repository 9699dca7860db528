/* SPDX-License-Identifier: MIT */
/* What the tests of the pager share: one that remembers what it has told. */
#ifndef TOCSIN_TESTS_UNIT_PAGER_FIXTURE_H
#define TOCSIN_TESTS_UNIT_PAGER_FIXTURE_H

#include "http_fixture.h"

#include "post/pager.h"

#define TOLD_MAX 512
#define STEPS(...)                                                                                 \
	(const long[]){ __VA_ARGS__ }, sizeof((const long[]){ __VA_ARGS__ }) / sizeof(long)

struct told {
	char id[PAGE_ID_SIZE], endpoint[32], error[256];
	unsigned number;
	long http_status;
	enum attempt_result result;
	uint64_t next_ns, failing_ns;
};

/* A pager, what it has told, and two endpoints that a test may set. */
struct desk {
	struct pager *pager;
	struct settings_endpoint endpoints[2];
	unsigned n_endpoints;
	uint64_t park_retry_ns;
	long connection_max_s;
	char url[2][128];
	pthread_mutex_t mutex; /* over the rest */
	pthread_cond_t changed;
	struct told told[TOLD_MAX];
	unsigned n_told, n_delivered;
	bool flag_was_missing;
	unsigned n_discarded, n_troubles;
	char discarded[PAGE_ID_SIZE], reason[64], trouble[256]; /* the last ones */
};

__attribute__((unused)) static void desk_attempted(void *userdata, const struct attempt *a)
{
	struct desk *d = userdata;
	bool delivered = a->result == ATTEMPT_DELIVERED;

	pthread_mutex_lock(&d->mutex);
	struct told *t = &d->told[d->n_told++ % TOLD_MAX];
	snprintf(t->id, sizeof t->id, "%s", a->delivery->page->id);
	snprintf(t->endpoint, sizeof t->endpoint, "%s", a->endpoint);
	snprintf(t->error, sizeof t->error, "%s", a->error);
	t->number = a->number;
	t->http_status = a->http_status;
	t->result = a->result;
	t->next_ns = a->next_ns;
	t->failing_ns = a->failing_ns;
	d->n_delivered += delivered;
	if (delivered != ((fixture_flags(a->delivery) & DELIVERY_DELIVERED) != 0))
		d->flag_was_missing = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->mutex);
}

__attribute__((unused)) static void desk_discarded(void *userdata, struct delivery *p,
						   const char *reason)
{
	struct desk *d = userdata;

	pthread_mutex_lock(&d->mutex);
	d->n_discarded++;
	snprintf(d->discarded, sizeof d->discarded, "%s", p->page->id);
	snprintf(d->reason, sizeof d->reason, "%s", reason);
	if (!(fixture_flags(p) & DELIVERY_DISCARDED))
		d->flag_was_missing = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->mutex);
}

__attribute__((unused)) static void desk_trouble(void *userdata, const char *endpoint,
						 const char *text)
{
	struct desk *d = userdata;

	(void)endpoint;
	pthread_mutex_lock(&d->mutex);
	d->n_troubles++;
	snprintf(d->trouble, sizeof d->trouble, "%s", text);
	pthread_mutex_unlock(&d->mutex);
}

/* Of the endpoints that are added. */
__attribute__((unused)) static char *desk_proxy, *desk_no_proxy;

/* An endpoint on the server, or at any URL when there is none. */
__attribute__((unused)) static void desk_add(struct desk *d, const struct http_server *s,
					     const char *rest)
{
	static char names[2][8] = { "first", "second" };
	unsigned i = d->n_endpoints++;

	if (s)
		snprintf(d->url[i], sizeof d->url[i], "http://127.0.0.1:%u%s", s->port, rest);
	else
		snprintf(d->url[i], sizeof d->url[i], "%s", rest);
	d->endpoints[i] = (struct settings_endpoint){
		.name = names[i],
		.url = d->url[i],
		.proxy = desk_proxy,
		.no_proxy = desk_no_proxy,
		.connect_timeout_ns = FIXTURE_LIMIT_NS,
		.timeout_ns = 2 * FIXTURE_LIMIT_NS,
	};
}

__attribute__((unused)) static void desk_init(struct desk *d)
{
	memset(d, 0, sizeof *d);
	d->park_retry_ns = 20 * NS_PER_MS;
	pthread_mutex_init(&d->mutex, NULL);
	assert_int_equal(cond_init(&d->changed), 0);
}

__attribute__((unused)) static int desk_open(struct desk *d)
{
	struct pager_options o = {
		.endpoints = d->endpoints,
		.n_endpoints = d->n_endpoints,
		.version = "1.2.3",
		.park_retry_ns = d->park_retry_ns,
		.connection_max_s = d->connection_max_s,
		.attempted = desk_attempted,
		.discarded = desk_discarded,
		.trouble = desk_trouble,
		.userdata = d,
	};

	return pager_new(&o, &d->pager);
}

__attribute__((unused)) static void desk_start(struct desk *d, const struct http_server *s,
					       const char *path)
{
	desk_init(d);
	desk_add(d, s, path);
	assert_int_equal(desk_open(d), 0);
}

__attribute__((unused)) static void desk_done(struct desk *d)
{
	pthread_cond_destroy(&d->changed);
	pthread_mutex_destroy(&d->mutex);
}

__attribute__((unused)) static void desk_end(struct desk *d)
{
	assert_int_equal(pager_stop(d->pager, 0), 0);
	assert_int_equal(pager_stop(d->pager, 0), 0);
	pager_free(d->pager);
	assert_false(d->flag_was_missing);
	desk_done(d);
}

__attribute__((unused)) static void desk_wait(struct desk *d, const unsigned *count, unsigned least)
{
	struct timespec until = cond_deadline(FIXTURE_LIMIT_NS);

	pthread_mutex_lock(&d->mutex);
	while (*count < least)
		assert_int_equal(pthread_cond_timedwait(&d->changed, &d->mutex, &until), 0);
	pthread_mutex_unlock(&d->mutex);
}

__attribute__((unused)) static void desk_submit(struct desk *d, const char *alert_id,
						uint32_t priority, enum page_kind kind,
						uint64_t sequence)
{
	struct delivery *p = fixture_delivery(alert_id, priority, kind, sequence);

	assert_int_equal(pager_submit(d->pager, p), 0);
	delivery_unref(p);
}

#endif

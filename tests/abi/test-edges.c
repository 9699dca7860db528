/* SPDX-License-Identifier: MIT */
/*
 * Every struct that a host hands over ends where an unreadable page begins, and says each size that
 * it might: the plugin reads and writes within that size, or this program dies.
 */
#include "config.h"
#include "edge.h"
#include "host.h"

#define STEP sizeof(uint64_t)             /* what a struct grows by, at least */
#define LATER_MAX (64 * sizeof(uint64_t)) /* bytes that a later minor might have appended */

/* One event's call, whatever its struct. */
struct event_case {
	const char *name;
	const tocsin_event *event;
	size_t size; /* the first version's */
	tocsin_rc (*call)(const tocsin_plugin *, tocsin_instance *, const void *);
};

static tocsin_rc call_session(const tocsin_plugin *p, tocsin_instance *i, const void *e)
{
	return p->on_session(i, e);
}

static tocsin_rc call_health(const tocsin_plugin *p, tocsin_instance *i, const void *e)
{
	return p->on_health(i, e);
}

static tocsin_rc call_alert(const tocsin_plugin *p, tocsin_instance *i, const void *e)
{
	return p->on_alert(i, e, NULL);
}

/* The first `len` bytes of an event at the edge, which says that it has `size`. */
static const void *cut_event(const tocsin_event *event, size_t len, size_t size)
{
	tocsin_event *e = at_the_edge(event, len);

	e->size = (uint32_t)size;
	return e;
}

static void sizes_of_an_event(struct world *w, tocsin_instance *i, const struct event_case *c)
{
	uint8_t later[1024] = { 0 };

	for (size_t size = STEP; size < c->size; size += STEP)
		assert_int_equal(c->call(w->plugin, i, cut_event(c->event, size, size)),
				 TOCSIN_E_ARG);
	assert_int_equal(c->call(w->plugin, i, cut_event(c->event, c->size, c->size)), TOCSIN_OK);

	/* From a later minor: what follows is not for this plugin. */
	assert_true(c->size + LATER_MAX <= sizeof later);
	memset(later, 0xff, sizeof later);
	memcpy(later, c->event, c->size);
	for (size_t size = c->size + STEP; size <= c->size + LATER_MAX; size += STEP)
		assert_int_equal(
			c->call(w->plugin, i,
				cut_event((const tocsin_event *)(const void *)later, size, size)),
			TOCSIN_OK);
	/* A size that lies: the plugin takes the members it knows. */
	assert_int_equal(c->call(w->plugin, i, cut_event(c->event, c->size, UINT32_MAX)),
			 TOCSIN_OK);
}

static void an_event_is_read_up_to_the_members_known_and_not_past_its_size(void **state)
{
	struct world *w = *state;
	tocsin_instance *i = start(w);
	tocsin_session_event session = session_event(TOCSIN_SESSION_CREATED, "s", "running");
	tocsin_health_event health = health_event(TOCSIN_HEALTH_HEARTBEAT);
	tocsin_alert_event alert = alert_event(TOCSIN_ALERT_RAISE, "GENERAL");
	const struct event_case cases[] = {
		{ "session", &session.head, sizeof session, call_session },
		{ "health", &health.head, sizeof health, call_health },
		{ "alert", &alert.head, sizeof alert, call_alert },
	};
	size_t refused = 0, accepted = 0;
	tocsin_stats stats = { .size = sizeof stats };

	for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
		sizes_of_an_event(w, i, &cases[n]);
		refused += cases[n].size / STEP - 1;
		accepted += LATER_MAX / STEP + 2;
	}
	assert_int_equal(w->plugin->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_MAX), TOCSIN_OK);
	assert_int_equal(w->plugin->stats(i, &stats), TOCSIN_OK);
	assert_int_equal(stats.refused, refused);
	assert_int_equal(stats.accepted, accepted);
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
}

static tocsin_str text_at_the_edge(const char *text)
{
	return (tocsin_str){ at_the_edge(text, strlen(text)), strlen(text) };
}

static void texts_and_key_values_are_read_up_to_their_length(void **state)
{
	struct world *w = *state;
	tocsin_instance *i = start(w);
	tocsin_kv pairs[] = {
		{ text_at_the_edge("venue"), text_at_the_edge("okx") },
		{ text_at_the_edge("half a character"), text_at_the_edge("\xe2\x82") },
		{ { NULL, 0 }, { at_the_edge("", 0), 0 } },
	};
	size_t n_kv = sizeof pairs / sizeof *pairs;
	const tocsin_kv *kv = at_the_edge(pairs, sizeof pairs);
	tocsin_session_event session = session_event(TOCSIN_SESSION_CREATED, "", "");
	tocsin_health_event health = health_event(TOCSIN_HEALTH_FEED_UP);
	tocsin_alert_event alert = alert_event(TOCSIN_ALERT_RAISE, "");

	session.session_id = text_at_the_edge("edge");
	session.status = text_at_the_edge("running");
	health.source = text_at_the_edge("okx:ETH-USD");
	health.session_id = text_at_the_edge("edge");
	alert.code = text_at_the_edge("DATA_FEED_DOWN");
	alert.message = text_at_the_edge("no data");
	alert.session_id = text_at_the_edge("edge");
	alert.instance = text_at_the_edge("okx:ETH-USD");
	session.kv = health.kv = alert.kv = kv;
	session.n_kv = health.n_kv = alert.n_kv = n_kv;
	uint64_t *number = at_the_edge(&(uint64_t){ 0 }, sizeof *number);
	assert_int_equal(w->plugin->on_session(i, ON_THE_EDGE(session)), TOCSIN_OK);
	assert_int_equal(w->plugin->on_health(i, ON_THE_EDGE(health)), TOCSIN_OK);
	assert_int_equal(w->plugin->on_alert(i, ON_THE_EDGE(alert), number), TOCSIN_OK);
	assert_true(*number > 0);
	json_t *json = snapshot(w, i);
	json_t *first =
		json_array_get(json_object_get(json_object_get(json, "registry"), "sessions"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "session_id")), "edge");
	json_decref(json);
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
}

static void the_negotiation_is_touched_up_to_its_size(void **state)
{
	struct world *w = *state;
	tocsin_plugin_entry *entry = entry_of(w->so);
	tocsin_negotiation wish = { sizeof wish, 0, 9, 77, NULL };
	struct {
		tocsin_negotiation known;
		uint64_t later;
	} longer = { wish, 0xabababababababab };

	for (size_t size = STEP; size < sizeof wish; size += STEP) {
		tocsin_negotiation *n = at_the_edge(&wish, size);

		n->size = (uint32_t)size;
		assert_int_equal(entry(n), TOCSIN_E_ARG);
		assert_int_equal(n->abi_min, 0);
	}
	tocsin_negotiation *n = ON_THE_EDGE(wish);
	assert_int_equal(entry(n), TOCSIN_OK);
	assert_ptr_equal(n->plugin, w->plugin);
	longer.known.size = sizeof longer;
	__typeof__(longer) *l = ON_THE_EDGE(longer);
	assert_int_equal(entry(&l->known), TOCSIN_OK);
	assert_int_equal(l->known.size, sizeof longer);
	assert_true(l->later == longer.later);
}

static void the_host_is_read_up_to_its_size(void **state)
{
	struct world *w = *state;
	struct {
		tocsin_host known;
		uint64_t later[8];
	} longer = { .known = w->host };
	tocsin_instance *i = NULL;
	char *err = at_the_edge((char[16]){ "" }, 16);

	for (size_t size = STEP; size < sizeof w->host; size += STEP) {
		tocsin_host *host = at_the_edge(&w->host, size);

		host->size = (uint32_t)size;
		assert_int_equal(w->plugin->create(host, w->options, w->n_options, err, 16, &i),
				 TOCSIN_E_ARG);
		assert_null(i);
		assert_int_equal(strlen(err), 15);
	}
	memset(longer.later, 0xff, sizeof longer.later);
	longer.known.size = sizeof longer;
	longer.known.name = at_the_edge("an engine", sizeof "an engine");
	longer.known.version = at_the_edge("1", sizeof "1");
	const tocsin_host *hosts[] = { ON_THE_EDGE(w->host), &ON_THE_EDGE(longer)->known };
	const tocsin_kv *options = at_the_edge(w->options, w->n_options * sizeof *options);
	for (size_t n = 0; n < sizeof hosts / sizeof *hosts; n++) {
		assert_int_equal(w->plugin->create(hosts[n], options, w->n_options, err, 16, &i),
				 TOCSIN_OK);
		assert_int_equal(w->plugin->start(i), TOCSIN_OK);
		assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
		w->plugin->destroy(i);
		i = NULL;
	}
}

static void options_are_read_up_to_their_length(void **state)
{
	struct world *w = *state;
	tocsin_instance *i = NULL;
	tocsin_kv options[OPTIONS_MAX];

	for (size_t n = 0; n < w->n_options; n++) {
		const tocsin_kv *o = &w->options[n];

		options[n].key = (tocsin_str){ at_the_edge(o->key.ptr, o->key.len), o->key.len };
		options[n].value =
			(tocsin_str){ at_the_edge(o->value.ptr, o->value.len), o->value.len };
	}
	assert_int_equal(w->plugin->create(&w->host, options, w->n_options, NULL, 0, &i),
			 TOCSIN_OK);
	json_t *json = snapshot(w, i);
	json_decref(json);
	w->plugin->destroy(i);
}

/* Every size: what fits of the members is filled, and what does not keeps what it held. */
static void counters_are_written_up_to_their_size(void **state)
{
	struct world *w = *state;
	tocsin_instance *i = start(w);
	tocsin_session_event session = session_event(TOCSIN_SESSION_CREATED, "s", "");
	tocsin_stats all = { .size = sizeof all };

	assert_int_equal(w->plugin->on_session(i, &session), TOCSIN_OK);
	assert_int_equal(w->plugin->on_session(i, NULL), TOCSIN_E_ARG);
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	assert_int_equal(w->plugin->stats(i, &all), TOCSIN_OK);
	assert_int_equal(all.accepted, 1);
	assert_int_equal(all.refused, 1);
	for (size_t size = STEP; size <= sizeof all + LATER_MAX; size += STEP) {
		uint8_t held[sizeof all + LATER_MAX];
		size_t known = size < sizeof all ? size : sizeof all;

		memset(held, 0x5a, sizeof held);
		tocsin_stats *some = at_the_edge(held, size);
		some->size = (uint32_t)size;
		assert_int_equal(w->plugin->stats(i, some), TOCSIN_OK);
		assert_int_equal(some->size, size);
		all.size = (uint32_t)size;
		assert_memory_equal(some, &all, known);
		assert_memory_equal((uint8_t *)some + known, held, size - known);
	}
	w->plugin->destroy(i);
}

static void a_snapshot_is_written_up_to_its_room(void **state)
{
	struct world *w = *state;
	tocsin_instance *i = make(w);
	static char zeroes[4096];
	size_t len = 0;

	for (size_t room = 0; room < sizeof zeroes; room += 256) {
		char *buf = at_the_edge(zeroes, room);
		tocsin_rc rc = w->plugin->snapshot(i, buf, room, &len);

		assert_int_equal(rc, len > room ? TOCSIN_E_ARG : TOCSIN_OK);
		if (rc != TOCSIN_OK)
			assert_memory_equal(buf, zeroes, room);
	}
	assert_int_equal(w->plugin->snapshot(i, at_the_edge(zeroes, len), len, &len), TOCSIN_OK);
	w->plugin->destroy(i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(an_event_is_read_up_to_the_members_known_and_not_past_its_size),
		in_world(texts_and_key_values_are_read_up_to_their_length),
		in_world(the_negotiation_is_touched_up_to_its_size),
		in_world(the_host_is_read_up_to_its_size),
		in_world(options_are_read_up_to_their_length),
		in_world(counters_are_written_up_to_their_size),
		in_world(a_snapshot_is_written_up_to_its_room),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);
#if defined(__SANITIZE_THREAD__)
	/* It loses its way in the thread-local storage of libraries that come and go, and dies when
	 * gnutls uses its own at exit. */
	fflush(NULL);
	_exit(failed);
#endif
	return failed;
}

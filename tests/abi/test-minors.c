/* SPDX-License-Identifier: MIT */
/*
 * A host and a plugin of different minor versions. Built twice: with the header of 1.0, kept for
 * ever, and with that of a minor which is still to come (TOCSIN_NEXT_MINOR); each of the two drives
 * the plugin and a plugin of that coming minor (NEXT_PLUGIN names the file). Every struct lies at
 * an unreadable edge.
 */
#include "config.h"
#include "edge.h"
#include "host.h"

#define UP_TO(type, member) (offsetof(type, member) + sizeof(((type *)NULL)->member))
#define TOOK(call) assert_int_equal(call, TOCSIN_OK)

static tocsin_negotiation negotiate(const struct world *w, uint32_t min, uint32_t max,
				    tocsin_rc want)
{
	tocsin_negotiation wish = { sizeof wish, min, max, 77, NULL };
	tocsin_negotiation *n = ON_THE_EDGE(wish);

	assert_int_equal(entry_of(w->so)(n), want);
	return *n;
}

static void they_speak_the_older_of_their_minors(void **state)
{
	struct world *w = *state;
	tocsin_negotiation n = negotiate(w, 0, TOCSIN_ABI_MINOR, TOCSIN_OK);
	const uint32_t theirs = n.plugin->abi, ours = n.abi_max;

	assert_int_equal(n.abi, theirs < ours ? theirs : ours);
	if (theirs >= ours)
		assert_true(n.plugin->size >= sizeof(tocsin_plugin));
	else
		assert_true(n.plugin->size < sizeof(tocsin_plugin));
	assert_true(n.plugin->size >= UP_TO(tocsin_plugin, extension));
}

static void a_host_that_insists_on_its_own_minor_gets_it_or_is_refused(void **state)
{
	struct world *w = *state;
	const uint32_t ours = TOCSIN_ABI_MINOR;
	bool known = w->plugin->abi >= ours;
	tocsin_negotiation n =
		negotiate(w, TOCSIN_ABI_MINOR, TOCSIN_ABI_MINOR, known ? TOCSIN_OK : TOCSIN_E_ABI);

	assert_int_equal(n.abi, known ? TOCSIN_ABI_MINOR : w->plugin->abi);
	assert_true((n.plugin != NULL) == known);
}

static void tell_the_session(struct world *w, tocsin_instance *i)
{
	tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, "minors", "running");

#ifdef TOCSIN_NEXT_MINOR
	s.next_owner = STR("desk 4");
#endif
	TOOK(w->plugin->on_session(i, ON_THE_EDGE(s)));
}

static void tell_health(struct world *w, tocsin_instance *i)
{
	for (uint32_t kind = TOCSIN_HEALTH_START; kind <= TOCSIN_HEALTH_METADATA; kind++) {
		tocsin_health_event h = health_event(kind);

		h.source = STR("okx:ETH-USD");
		h.value = 0.01;
		h.limit = 1;
#ifdef TOCSIN_NEXT_MINOR
		h.next_weight = 0.5;
#endif
		TOOK(w->plugin->on_health(i, ON_THE_EDGE(h)));
	}
}

static void raise_and_clear(struct world *w, tocsin_instance *i)
{
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "RISK_LIMIT_BREACH");
	uint64_t *number = at_the_edge(&(uint64_t){ 0 }, sizeof *number);

	a.session_id = STR("minors");
#ifdef TOCSIN_NEXT_MINOR
	a.next_deadline_ns = 1;
#endif
	TOOK(w->plugin->on_alert(i, ON_THE_EDGE(a), number));
	assert_true(*number > 0);
	a.head.kind = TOCSIN_ALERT_CLEAR;
	TOOK(w->plugin->on_alert(i, ON_THE_EDGE(a), number));
	assert_int_equal(*number, 0);
}

#define EVENTS (1 + TOCSIN_HEALTH_METADATA + 2)

static void assert_shown(struct world *w, tocsin_instance *i)
{
	json_t *json = snapshot(w, i);
	json_t *session =
		json_array_get(json_object_get(json_object_get(json, "registry"), "sessions"), 0);
	json_t *alerts = json_object_get(json_object_get(json, "alerts"), "recent");
	json_t *alert;
	size_t n, found = 0;

	assert_string_equal(json_string_value(json_object_get(session, "session_id")), "minors");
	assert_string_equal(json_string_value(json_object_get(session, "status")), "running");
	json_array_foreach(alerts, n, alert) found +=
		strcmp(json_string_value(json_object_get(alert, "code")), "RISK_LIMIT_BREACH") == 0;
	assert_int_equal(found, 1);
	json_decref(json);
}

static void assert_counted(struct world *w, tocsin_instance *i, uint64_t refused)
{
	tocsin_stats stats = { .size = sizeof stats };

#ifdef TOCSIN_NEXT_MINOR
	stats.next_count = 77;
#endif
	tocsin_stats *s = ON_THE_EDGE(stats);
	TOOK(w->plugin->stats(i, s));
	assert_int_equal(s->size, sizeof stats);
	assert_int_equal(s->accepted, EVENTS);
	assert_int_equal(s->refused, refused);
#ifdef TOCSIN_NEXT_MINOR
	/* Filled by a plugin that knows it, else left alone. */
	assert_int_equal(s->next_count, w->plugin->abi >= TOCSIN_NEXT_MINOR ? 0 : 77);
#endif
}

static void a_session_goes_from_create_to_destroy(void **state)
{
	struct world *w = *state;
	const tocsin_kv *options = at_the_edge(w->options, w->n_options * sizeof *options);
	char *err = at_the_edge((char[64]){ "" }, 64);
	tocsin_instance *i = NULL;

	TOOK(w->plugin->create(ON_THE_EDGE(w->host), options, w->n_options, err, 64, &i));
	TOOK(w->plugin->start(i));
	tell_the_session(w, i);
	tell_health(w, i);
	raise_and_clear(w, i);
	TOOK(w->plugin->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_MAX));
	assert_shown(w, i);
	assert_counted(w, i, 0);
	assert_null(w->plugin->extension(i, "tocsin.none/1"));
	TOOK(w->plugin->stop(i, UINT64_MAX));
	w->plugin->destroy(i);
	assert_null(strstr(w->log, "refused"));
}

#ifdef TOCSIN_NEXT_MINOR
static void what_was_appended_works_where_both_know_it_and_else_does_no_harm(void **state)
{
	struct world *w = *state;
	bool known = w->plugin->size >= UP_TO(tocsin_plugin, next_seen);
	tocsin_instance *i = start(w);
	tocsin_health_event h = health_event(TOCSIN_HEALTH_NEXT);
	uint64_t before = 0, seen = 0;

	assert_true(known == (w->plugin->abi >= TOCSIN_NEXT_MINOR));
	if (known)
		TOOK(w->plugin->next_seen(i, &before));
	tell_the_session(w, i);
	tell_health(w, i);
	raise_and_clear(w, i);
	assert_int_equal(w->plugin->on_health(i, ON_THE_EDGE(h)), known ? TOCSIN_OK : TOCSIN_E_ARG);
	TOOK(w->plugin->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_MAX));
	assert_counted(w, i, known ? 0 : 1);
	if (known) {
		TOOK(w->plugin->next_seen(i, &seen));
		assert_int_equal(seen - before, EVENTS);
	}
	TOOK(w->plugin->stop(i, UINT64_MAX));
	w->plugin->destroy(i);
}
#else
static void it_is_the_first_host_there_was(void **state)
{
	struct world *w = *state;

	assert_int_equal(TOCSIN_ABI_MINOR, 0);
	assert_int_equal(w->host.abi, 0);
}
#endif

/* The plugin of today, or that of the minor to come. */
static int with_this(void **state)
{
	return world_make(state);
}

static int with_next(void **state)
{
	char *this = strdup(getenv("TOCSIN_PLUGIN"));
	int r = -1;

	if (this && setenv("TOCSIN_PLUGIN", NEXT_PLUGIN, 1) == 0) {
		r = world_make(state);
		setenv("TOCSIN_PLUGIN", this, 1);
	}
	free(this);
	return r;
}

#define in_both_worlds(f)                                                                          \
	{ "this plugin: " #f, f, with_this, world_end, NULL },                                     \
	{                                                                                          \
		"next plugin: " #f, f, with_next, world_end, NULL                                  \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_both_worlds(they_speak_the_older_of_their_minors),
		in_both_worlds(a_host_that_insists_on_its_own_minor_gets_it_or_is_refused),
		in_both_worlds(a_session_goes_from_create_to_destroy),
#ifdef TOCSIN_NEXT_MINOR
		in_both_worlds(what_was_appended_works_where_both_know_it_and_else_does_no_harm),
#else
		in_both_worlds(it_is_the_first_host_there_was),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

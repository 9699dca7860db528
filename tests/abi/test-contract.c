/* SPDX-License-Identifier: MIT */
/* The contract of the header, held by the loaded plugin. TOCSIN_PLUGIN names the file. */
#include "config.h"
#include "edge.h"
#include "host.h"

#include <pthread.h>
#include <sys/wait.h>

#include "base/cleanup.h"

static void the_entry_agrees_on_a_minor_both_sides_know(void **state)
{
	struct world *w = *state;
	tocsin_plugin_entry *entry = entry_of(w->so);
	tocsin_negotiation n = { sizeof n, 0, 900, 5, NULL };

	assert_int_equal(entry(&n), TOCSIN_OK);
	assert_int_equal(n.abi, TOCSIN_ABI_MINOR);
	assert_ptr_equal(n.plugin, w->plugin);
	n = (tocsin_negotiation){ sizeof n, 1, 900, 5, w->plugin };
	assert_int_equal(entry(&n), TOCSIN_E_ABI);
	assert_int_equal(n.abi, TOCSIN_ABI_MINOR);
	assert_null(n.plugin);
	n = (tocsin_negotiation){ sizeof n, 2, 1, 5, NULL };
	assert_int_equal(entry(&n), TOCSIN_E_ARG);
	n = (tocsin_negotiation){ sizeof n - 8, 0, 0, 5, NULL };
	assert_int_equal(entry(&n), TOCSIN_E_ARG);
	assert_int_equal(entry(NULL), TOCSIN_E_ARG);
}

static void the_table_names_itself_and_has_every_slot(void **state)
{
	struct world *w = *state;
	const tocsin_plugin *p = w->plugin;

	assert_int_equal(p->size, sizeof *p);
	assert_int_equal(p->abi, TOCSIN_ABI_MINOR);
	assert_string_equal(p->name, "tocsin");
	assert_string_equal(p->version, PACKAGE_VERSION);
	assert_non_null(strstr(p->config_help, "webhook.url"));
	assert_true(p->create && p->start && p->on_session && p->on_health && p->on_alert &&
		    p->flush && p->snapshot && p->stats && p->stop && p->destroy && p->extension);
}

static void calls_need_their_states(void **state)
{
	struct world *w = *state;
	const tocsin_plugin *p = w->plugin;
	tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, "s", "");
	tocsin_health_event h = health_event(TOCSIN_HEALTH_START);
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "GENERAL");
	tocsin_instance *i = make(w);

	assert_int_equal(p->on_session(i, &s), TOCSIN_E_STATE);
	assert_int_equal(p->on_health(i, &h), TOCSIN_E_STATE);
	assert_int_equal(p->on_alert(i, &a, NULL), TOCSIN_E_STATE);
	assert_int_equal(p->flush(i, TOCSIN_FLUSH_DURABLE, 0), TOCSIN_E_STATE);
	assert_int_equal(p->stop(i, 0), TOCSIN_E_STATE);
	json_decref(snapshot(w, i));

	assert_int_equal(p->start(i), TOCSIN_OK);
	assert_int_equal(p->start(i), TOCSIN_E_STATE);
	assert_int_equal(p->on_session(i, &s), TOCSIN_OK);
	assert_int_equal(p->flush(i, 3, 0), TOCSIN_E_ARG);
	assert_int_equal(p->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_MAX), TOCSIN_OK);

	assert_int_equal(p->stop(i, UINT64_MAX), TOCSIN_OK);
	assert_int_equal(p->stop(i, 0), TOCSIN_OK);
	assert_int_equal(p->start(i), TOCSIN_E_STATE);
	assert_int_equal(p->on_session(i, &s), TOCSIN_E_STATE);
	json_t *json = snapshot(w, i);
	json_t *registry = json_object_get(json, "registry");
	assert_int_equal(json_array_size(json_object_get(registry, "sessions")), 1);
	json_decref(json);
	assert_null(p->extension(i, "tocsin.none/1"));
	p->destroy(i);
	p->destroy(NULL);
}

static void events_that_cannot_be_read_are_refused_counted_and_told_once(void **state)
{
	struct world *w = *state;
	const tocsin_plugin *p = w->plugin;
	tocsin_instance *i = start(w);
	tocsin_stats stats = { .size = sizeof stats };

	for (unsigned round = 0; round < 2; round++) {
		tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, "", "");
		assert_int_equal(p->on_session(i, &s), TOCSIN_E_ARG);
		s = session_event(9, "s", "");
		assert_int_equal(p->on_session(i, &s), TOCSIN_E_ARG);
		tocsin_health_event h = health_event(TOCSIN_HEALTH_DRIFT);
		h.head.size -= 8;
		assert_int_equal(p->on_health(i, &h), TOCSIN_E_ARG);
		tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "X");
		a.message = (tocsin_str){ NULL, 3 };
		uint64_t number = 77;
		assert_int_equal(p->on_alert(i, &a, &number), TOCSIN_E_ARG);
		assert_int_equal(number, 77);
		a = alert_event(TOCSIN_ALERT_RAISE, "X");
		a.n_kv = 1;
		assert_int_equal(p->on_alert(i, &a, NULL), TOCSIN_E_ARG);
		assert_int_equal(p->on_session(i, NULL), TOCSIN_E_ARG);
		assert_int_equal(p->on_session(NULL, &s), TOCSIN_E_ARG);
	}
	assert_int_equal(p->stats(i, &stats), TOCSIN_OK);
	assert_int_equal(stats.refused, 12);
	assert_int_equal(p->stop(i, UINT64_MAX), TOCSIN_OK);
	p->destroy(i);

	const char *first = strstr(w->log, "on_session was refused: its session_id is empty");
	assert_non_null(first);
	assert_null(strstr(first + 1, "on_session was refused: its session_id is empty"));
	assert_non_null(strstr(w->log, "on_alert was refused: a pointer is NULL"));
}

static void an_alert_that_can_be_read_is_never_refused_for_its_text(void **state)
{
	struct world *w = *state;
	const tocsin_plugin *p = w->plugin;
	static char huge[65536];
	tocsin_instance *i = start(w);
	static const char *const codes[] = { "", "lower", "A B", "../../etc/passwd", "X\n", "9X" };
	uint64_t number, last = 0;

	memset(huge, 0xff, sizeof huge);
	for (size_t n = 0; n < sizeof codes / sizeof *codes; n++) {
		tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, codes[n]);
		a.priority = 2;
		a.message = (tocsin_str){ huge, sizeof huge };
		a.session_id = str(codes[n]);
		assert_int_equal(p->on_alert(i, &a, &number), TOCSIN_OK);
		assert_true(number > last);
		last = number;
	}
	tocsin_alert_event clear = alert_event(TOCSIN_ALERT_CLEAR, "lower");
	clear.session_id = STR("lower");
	assert_int_equal(p->on_alert(i, &clear, &number), TOCSIN_OK);
	assert_int_equal(number, 0);

	json_t *json = snapshot(w, i);
	json_t *recent = json_object_get(json_object_get(json, "alerts"), "recent");
	assert_int_equal(json_array_size(recent), 6);
	size_t n;
	json_t *alert;
	json_array_foreach(recent, n, alert)
		assert_string_equal(json_string_value(json_object_get(alert, "code")), "GENERAL");
	json_decref(json);
	assert_int_equal(p->stop(i, UINT64_MAX), TOCSIN_OK);
	p->destroy(i);
}

static void numbers_grow_over_restarts(void **state)
{
	struct world *w = *state;
	const tocsin_plugin *p = w->plugin;
	uint64_t last = 0, number;

	for (unsigned run = 0; run < 3; run++) {
		tocsin_instance *i = start(w);
		for (unsigned n = 0; n < 3; n++) {
			tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "GENERAL");
			assert_int_equal(p->on_alert(i, &a, &number), TOCSIN_OK);
			assert_true(number > last);
			last = number;
		}
		assert_int_equal(p->stop(i, UINT64_MAX), TOCSIN_OK);
		p->destroy(i);
	}
	/* Stopped cleanly each time, nothing is skipped. */
	assert_int_equal(last, 9);
}

static void a_wrong_setting_is_told_with_its_name(void **state)
{
	struct world *w = *state;
	char err[256] = "", tiny[8];
	tocsin_instance *i = (tocsin_instance *)w;

	option(w, "rules.feed_stale_aftr", "5s");
	assert_int_equal(w->plugin->create(&w->host, w->options, w->n_options, err, sizeof err, &i),
			 TOCSIN_E_CONFIG);
	assert_non_null(strstr(err, "feed_stale_after"));
	assert_ptr_equal(i, w);
	assert_int_equal(
		w->plugin->create(&w->host, w->options, w->n_options, tiny, sizeof tiny, &i),
		TOCSIN_E_CONFIG);
	assert_int_equal(strlen(tiny), sizeof tiny - 1);
	assert_int_equal(w->plugin->create(&w->host, w->options, w->n_options, NULL, 0, &i),
			 TOCSIN_E_CONFIG);
	assert_int_equal(w->plugin->create(NULL, NULL, 0, err, sizeof err, &i), TOCSIN_E_ARG);
	assert_int_equal(w->plugin->create(&w->host, NULL, 1, err, sizeof err, &i), TOCSIN_E_ARG);
}

static void a_snapshot_tells_how_much_room_it_needs(void **state)
{
	struct world *w = *state;
	const tocsin_plugin *p = w->plugin;
	tocsin_instance *i = start(w);
	char small[16] = "untouched";
	size_t len = 0;

	assert_int_equal(p->snapshot(i, small, sizeof small, &len), TOCSIN_E_ARG);
	assert_string_equal(small, "untouched");
	assert_true(len > sizeof small);
	_cleanup_free_ char *buf = malloc(len);
	assert_int_equal(p->snapshot(i, buf, len, &len), TOCSIN_OK);
	assert_int_equal(buf[len - 1], '}');
	assert_int_equal(p->snapshot(i, NULL, 0, NULL), TOCSIN_E_ARG);
	assert_int_equal(p->stop(i, UINT64_MAX), TOCSIN_OK);
	p->destroy(i);
}

static void stats_fill_only_what_fits(void **state)
{
	struct world *w = *state;
	tocsin_instance *i = start(w);
	tocsin_stats stats;
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "GENERAL");

	assert_int_equal(w->plugin->on_alert(i, &a, NULL), TOCSIN_OK);
	assert_int_equal(w->plugin->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_MAX), TOCSIN_OK);
	memset(&stats, 0xaa, sizeof stats);
	stats.size = 20;
	assert_int_equal(w->plugin->stats(i, &stats), TOCSIN_OK);
	assert_int_equal(stats.accepted, 1);
	assert_int_equal(stats.refused, UINT64_C(0xaaaaaaaaaaaaaaaa));
	stats.size = 7;
	assert_int_equal(w->plugin->stats(i, &stats), TOCSIN_E_ARG);
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
}

static void two_instances_live_side_by_side(void **state)
{
	struct world *w = *state;
	tocsin_instance *a = start(w);
	option(w, "engine.name", "other");
	tocsin_instance *b = start(w);
	tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, "only-in-a", "");

	assert_int_equal(w->plugin->on_session(a, &s), TOCSIN_OK);
	json_t *json = snapshot(w, b);
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(json, "registry"), "sessions")), 0);
	json_decref(json);
	assert_int_equal(w->plugin->stop(a, UINT64_MAX), TOCSIN_OK);
	assert_int_equal(w->plugin->on_session(b, &s), TOCSIN_OK);
	assert_int_equal(w->plugin->stop(b, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(b);
	w->plugin->destroy(a);
}

/* In a child: 0 when every call is refused and destroy does nothing. */
static int child(struct world *w, tocsin_instance *i)
{
	const tocsin_plugin *p = w->plugin;
	tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, "child", "");
	tocsin_stats stats = { .size = sizeof stats };
	size_t len;

	if (p->on_session(i, &s) != TOCSIN_E_STATE || p->start(i) != TOCSIN_E_STATE ||
	    p->flush(i, TOCSIN_FLUSH_DURABLE, 0) != TOCSIN_E_STATE ||
	    p->snapshot(i, NULL, 0, &len) != TOCSIN_E_STATE ||
	    p->stats(i, &stats) != TOCSIN_E_STATE || p->stop(i, 0) != TOCSIN_E_STATE)
		return 1;
	p->destroy(i);
	return p->on_session(i, &s) == TOCSIN_E_STATE ? 0 : 2;
}

static void a_forked_child_can_do_nothing_and_harms_nothing(void **state)
{
	struct world *w = *state;
	tocsin_instance *i = start(w);
	tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, "parent", "");
	int status;

	pid_t pid = fork();
	if (pid == 0)
		_exit(child(w, i));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(w->plugin->on_session(i, &s), TOCSIN_OK);
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
}

static void nothing_is_read_past_an_event_or_a_text(void **state)
{
	struct world *w = *state;
	tocsin_instance *i = start(w);
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "GENERAL");
	tocsin_kv kv = { STR("k"), { at_the_edge("v", 1), 1 } };
	char full[300];

	memset(full, 0xc3, sizeof full);
	a.code.ptr = at_the_edge("GENERAL", 7);
	a.session_id = (tocsin_str){ at_the_edge(full, sizeof full), sizeof full };
	a.kv = at_the_edge(&kv, sizeof kv);
	a.n_kv = 1;
	assert_int_equal(w->plugin->on_alert(i, at_the_edge(&a, sizeof a), NULL), TOCSIN_OK);
	uint32_t size[2] = { 8, 0 };
	assert_int_equal(w->plugin->on_alert(i, at_the_edge(size, sizeof size), NULL),
			 TOCSIN_E_ARG);
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
}

static void folders_that_cannot_be_used_are_told_and_the_rest_goes_on(void **state)
{
	struct world *w = *state;
	tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, "s", "");

	close(openat(w->folder->fd, "run", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	close(openat(w->folder->fd, "state", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	tocsin_instance *i = start(w);
	assert_int_equal(w->plugin->on_session(i, &s), TOCSIN_OK);
	assert_int_equal(w->plugin->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_MAX), TOCSIN_OK);
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
	assert_non_null(strstr(w->log, "paths.runtime_dir"));
	assert_non_null(strstr(w->log, "paths.state_dir"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(the_entry_agrees_on_a_minor_both_sides_know),
		in_world(the_table_names_itself_and_has_every_slot),
		in_world(calls_need_their_states),
		in_world(events_that_cannot_be_read_are_refused_counted_and_told_once),
		in_world(an_alert_that_can_be_read_is_never_refused_for_its_text),
		in_world(numbers_grow_over_restarts),
		in_world(a_wrong_setting_is_told_with_its_name),
		in_world(a_snapshot_tells_how_much_room_it_needs),
		in_world(stats_fill_only_what_fits),
		in_world(two_instances_live_side_by_side),
		in_world(a_forked_child_can_do_nothing_and_harms_nothing),
		in_world(nothing_is_read_past_an_event_or_a_text),
		in_world(folders_that_cannot_be_used_are_told_and_the_rest_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

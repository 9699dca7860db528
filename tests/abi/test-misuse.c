/* SPDX-License-Identifier: MIT */
/*
 * What no host should do, done by one: the plugin refuses and goes on. What events say, and the
 * calls in a forked child, are in test-contract.c; sizes are in test-edges.c.
 */
#include "config.h"
#include "edge.h"
#include "host.h"

#include <fcntl.h>

static void hosts_agree_or_are_told_what_the_plugin_speaks(void **state)
{
	static const struct {
		uint32_t min, max;
		tocsin_rc rc;
	} hosts[] = {
		{ 0, 0, TOCSIN_OK }, /* knows the first only */
		{ 0, TOCSIN_ABI_MINOR, TOCSIN_OK },
		{ TOCSIN_ABI_MINOR, TOCSIN_ABI_MINOR, TOCSIN_OK },
		{ 0, UINT32_MAX, TOCSIN_OK },
		{ TOCSIN_ABI_MINOR + 1, UINT32_MAX, TOCSIN_E_ABI },
		{ 900, 999, TOCSIN_E_ABI }, /* knows the last only */
		{ UINT32_MAX, UINT32_MAX, TOCSIN_E_ABI },
		{ 1, 0, TOCSIN_E_ARG },
		{ 999, 900, TOCSIN_E_ARG },
		{ UINT32_MAX, 0, TOCSIN_E_ARG },
	};
	struct world *w = *state;
	const uint32_t own = w->plugin->abi;

	assert_int_equal(own, TOCSIN_ABI_MINOR);
	for (size_t h = 0; h < sizeof hosts / sizeof *hosts; h++) {
		tocsin_negotiation n = { sizeof n, hosts[h].min, hosts[h].max, 77, w->plugin };
		uint32_t agreed = hosts[h].max < own ? hosts[h].max : own;

		assert_int_equal(entry_of(w->so)(&n), hosts[h].rc);
		assert_int_equal(n.size, sizeof n);
		assert_int_equal(n.abi_min, hosts[h].min);
		assert_int_equal(n.abi_max, hosts[h].max);
		assert_int_equal(n.abi, hosts[h].rc == TOCSIN_OK      ? agreed
					: hosts[h].rc == TOCSIN_E_ABI ? TOCSIN_ABI_MINOR
								      : 77);
		assert_ptr_equal(n.plugin, hosts[h].rc == TOCSIN_E_ABI ? NULL : w->plugin);
	}
}

static void every_slot_refuses_no_instance(void **state)
{
	struct world *w = *state;
	const tocsin_plugin *p = w->plugin;
	tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, "s", "");
	tocsin_health_event h = health_event(TOCSIN_HEALTH_START);
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "GENERAL");
	tocsin_stats stats = { .size = sizeof stats };
	char buf[64] = "untouched";
	size_t len = 77;
	uint64_t number = 77;

	assert_int_equal(p->start(NULL), TOCSIN_E_ARG);
	assert_int_equal(p->on_session(NULL, &s), TOCSIN_E_ARG);
	assert_int_equal(p->on_session(NULL, NULL), TOCSIN_E_ARG);
	assert_int_equal(p->on_health(NULL, &h), TOCSIN_E_ARG);
	assert_int_equal(p->on_health(NULL, NULL), TOCSIN_E_ARG);
	assert_int_equal(p->on_alert(NULL, &a, &number), TOCSIN_E_ARG);
	assert_int_equal(p->on_alert(NULL, NULL, NULL), TOCSIN_E_ARG);
	assert_int_equal(p->flush(NULL, TOCSIN_FLUSH_DURABLE, UINT64_MAX), TOCSIN_E_ARG);
	assert_int_equal(p->snapshot(NULL, buf, sizeof buf, &len), TOCSIN_E_ARG);
	assert_int_equal(p->stats(NULL, &stats), TOCSIN_E_ARG);
	assert_int_equal(p->stop(NULL, UINT64_MAX), TOCSIN_E_ARG);
	assert_null(p->extension(NULL, "tocsin.none/1"));
	assert_null(p->extension(NULL, NULL));
	p->destroy(NULL);
	assert_int_equal(number, 77);
	assert_int_equal(len, 77);
	assert_string_equal(buf, "untouched");
}

static void every_slot_refuses_missing_arguments_in_each_state(void **state)
{
	struct world *w = *state;
	const tocsin_plugin *p = w->plugin;
	tocsin_instance *i = make(w);
	size_t len = 77;

	for (unsigned stage = 0; stage < 3; stage++) {
		tocsin_rc rc = stage == 1 ? TOCSIN_E_ARG : TOCSIN_E_STATE;
		uint64_t number = 77;

		assert_int_equal(p->on_session(i, NULL), rc);
		assert_int_equal(p->on_health(i, NULL), rc);
		assert_int_equal(p->on_alert(i, NULL, &number), rc);
		assert_int_equal(number, 77);
		assert_int_equal(p->flush(i, 0, 0), rc);
		assert_int_equal(p->flush(i, UINT32_MAX, 0), rc);
		assert_int_equal(p->snapshot(i, NULL, 0, NULL), TOCSIN_E_ARG);
		assert_int_equal(p->snapshot(i, NULL, 64, &len), TOCSIN_E_ARG);
		assert_int_equal(p->stats(i, NULL), TOCSIN_E_ARG);
		assert_null(p->extension(i, NULL));
		assert_null(p->extension(i, ""));
		assert_int_equal(len, 77);
		if (stage == 0)
			assert_int_equal(p->start(i), TOCSIN_OK);
		if (stage == 1)
			assert_int_equal(p->stop(i, UINT64_MAX), TOCSIN_OK);
	}
	p->destroy(i);
}

/* --- What the host is told of it --- */

enum stage { NEW, RUNNING, OVER, STAGES };

static tocsin_rc starts(const tocsin_plugin *p, tocsin_instance *i)
{
	return p->start(i);
}

static tocsin_rc flushes(const tocsin_plugin *p, tocsin_instance *i)
{
	return p->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_MAX);
}

static tocsin_rc flushes_no_level(const tocsin_plugin *p, tocsin_instance *i)
{
	return p->flush(i, 7, UINT64_MAX);
}

static tocsin_rc stops(const tocsin_plugin *p, tocsin_instance *i)
{
	return p->stop(i, UINT64_MAX);
}

static tocsin_rc looks_without_a_length(const tocsin_plugin *p, tocsin_instance *i)
{
	return p->snapshot(i, NULL, 0, NULL);
}

static tocsin_rc looks_without_a_buffer(const tocsin_plugin *p, tocsin_instance *i)
{
	size_t len;

	return p->snapshot(i, NULL, 64, &len);
}

static const struct misuse {
	enum stage stage;
	tocsin_rc (*call)(const tocsin_plugin *p, tocsin_instance *i);
	tocsin_rc rc;
	const char *told; /* once, however often it is called */
} misuses[] = {
	{ NEW, flushes, TOCSIN_E_STATE,
	  "flush was refused with TOCSIN_E_STATE: this instance has not been started" },
	{ NEW, stops, TOCSIN_E_STATE,
	  "stop was refused with TOCSIN_E_STATE: this instance has not been started" },
	{ NEW, looks_without_a_length, TOCSIN_E_ARG,
	  "snapshot was refused with TOCSIN_E_ARG: ret_len is NULL" },
	{ RUNNING, starts, TOCSIN_E_STATE,
	  "start was refused with TOCSIN_E_STATE: this instance is active already" },
	{ RUNNING, flushes_no_level, TOCSIN_E_ARG,
	  "flush was refused with TOCSIN_E_ARG: its level is unknown" },
	{ RUNNING, looks_without_a_buffer, TOCSIN_E_ARG,
	  "snapshot was refused with TOCSIN_E_ARG: ret_len is NULL, or buf is NULL" },
	{ OVER, starts, TOCSIN_E_STATE,
	  "start was refused with TOCSIN_E_STATE: this instance is stopped" },
	{ OVER, flushes, TOCSIN_E_STATE,
	  "flush was refused with TOCSIN_E_STATE: this instance is stopped" },
	{ OVER, looks_without_a_buffer, TOCSIN_E_ARG,
	  "snapshot was refused with TOCSIN_E_ARG: ret_len is NULL" },
};

static unsigned times_in(const char *text, const char *part)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, part)); at++)
		n++;
	return n;
}

/* The log goes to stderr: a file for as long as this lasts. */
static void a_refused_control_call_is_told_once_to_the_host_and_the_log(void **state)
{
	struct world *w = *state;
	const tocsin_plugin *p = w->plugin;
	char path[160], logged[16384];

	for (size_t n = 0; n < sizeof misuses / sizeof *misuses; n++) {
		const struct misuse *m = &misuses[n];
		tocsin_instance *i = make(w);

		w->logged = 0;
		snprintf(path, sizeof path, "%s/stderr", w->folder->path);
		int before = dup(STDERR_FILENO);
		int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0600);
		assert_true(dup2(file, STDERR_FILENO) >= 0);
		if (m->stage >= RUNNING)
			assert_int_equal(p->start(i), TOCSIN_OK);
		if (m->stage >= OVER)
			assert_int_equal(p->stop(i, UINT64_MAX), TOCSIN_OK);
		for (unsigned again = 0; again < 3; again++)
			assert_int_equal(m->call(p, i), m->rc);
		p->destroy(i);
		dup2(before, STDERR_FILENO);
		close(before);
		ssize_t len = pread(file, logged, sizeof logged - 1, 0);
		close(file);
		assert_true(len >= 0);
		logged[len] = 0;
		if (times_in(w->log, m->told) != 1)
			fail_msg("the host was not told once \"%s\", but: %s", m->told, w->log);
		if (times_in(logged, m->told) != 1)
			fail_msg("the log does not say once \"%s\", but: %s", m->told, logged);
	}
}

/* Nobody reads stderr any more: a write there raises a signal in the thread that calls. */
static void a_refusal_that_cannot_be_logged_does_not_end_the_process(void **state)
{
	struct world *w = *state;
	tocsin_instance *i = make(w);
	int pair[2], before = dup(STDERR_FILENO);

	assert_int_equal(pipe(pair), 0);
	close(pair[0]);
	assert_true(dup2(pair[1], STDERR_FILENO) >= 0);
	close(pair[1]);
	tocsin_rc rc = w->plugin->stop(i, UINT64_MAX);
	dup2(before, STDERR_FILENO);
	close(before);
	assert_int_equal(rc, TOCSIN_E_STATE);
	assert_int_equal(times_in(w->log, "stop was refused"), 1);
	w->plugin->destroy(i);
}

/* Stats may be asked for on any thread, so it is the dispatcher that tells. */
static void stats_that_cannot_be_given_are_told_and_not_counted(void **state)
{
	struct world *w = *state;
	const tocsin_plugin *p = w->plugin;
	tocsin_instance *i = start(w);
	tocsin_stats stats = { .size = 7 };

	for (unsigned again = 0; again < 3; again++) {
		assert_int_equal(p->stats(i, NULL), TOCSIN_E_ARG);
		assert_int_equal(p->stats(i, &stats), TOCSIN_E_ARG);
	}
	stats.size = sizeof stats;
	assert_int_equal(p->stats(i, &stats), TOCSIN_OK);
	assert_int_equal(stats.refused, 0);
	assert_int_equal(p->stop(i, UINT64_MAX), TOCSIN_OK);
	assert_int_equal(times_in(w->log, "a call of stats was refused: a pointer is NULL"), 1);
	assert_int_equal(times_in(w->log, "a call of stats was refused: its size is below"), 1);
	p->destroy(i);
}

static void create_refuses_what_it_cannot_read_and_leaves_the_rest_alone(void **state)
{
	struct world *w = *state;
	const tocsin_plugin *p = w->plugin;
	const tocsin_kv broken[] = { { { NULL, 6 }, STR("x") }, { STR("config"), { NULL, 1 } } };
	tocsin_instance *untouched = (tocsin_instance *)w, *i = untouched;
	tocsin_host host = w->host;
	char err[256];

	host.size = 0;
	assert_int_equal(p->create(NULL, w->options, w->n_options, err, sizeof err, &i),
			 TOCSIN_E_ARG);
	assert_int_equal(p->create(&host, w->options, w->n_options, err, sizeof err, &i),
			 TOCSIN_E_ARG);
	assert_int_equal(p->create(&w->host, NULL, w->n_options, err, sizeof err, &i),
			 TOCSIN_E_ARG);
	assert_int_equal(p->create(&w->host, w->options, w->n_options, err, sizeof err, NULL),
			 TOCSIN_E_ARG);
	for (size_t n = 0; n < 2; n++) {
		memset(err, 'x', sizeof err);
		assert_int_equal(p->create(&w->host, &broken[n], 1, err, sizeof err, &i),
				 TOCSIN_E_ARG);
		assert_non_null(memchr(err, 0, sizeof err));
		assert_int_equal(strncmp(err, "create: ", 8), 0);
		/* No room for the reason, or no place: it is not told, and no more. */
		assert_int_equal(p->create(&w->host, &broken[n], 1, NULL, 99, &i), TOCSIN_E_ARG);
		assert_int_equal(p->create(&w->host, &broken[n], 1, err, 0, &i), TOCSIN_E_ARG);
		assert_int_equal(strncmp(err, "create: ", 8), 0);
		assert_int_equal(p->create(&w->host, &broken[n], 1, err, 1, &i), TOCSIN_E_ARG);
		assert_int_equal(err[0], 0);
	}
	assert_ptr_equal(i, untouched);
}

static void an_instance_can_go_in_any_state(void **state)
{
	struct world *w = *state;

	w->plugin->destroy(make(w));
	w->plugin->destroy(start(w));
	tocsin_instance *i = start(w);
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
}

static void a_start_or_stop_too_many_changes_nothing(void **state)
{
	struct world *w = *state;
	const tocsin_plugin *p = w->plugin;
	tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, "s", "");
	tocsin_instance *i = make(w);

	assert_int_equal(p->stop(i, UINT64_MAX), TOCSIN_E_STATE);
	assert_int_equal(p->stop(i, 0), TOCSIN_E_STATE);
	assert_int_equal(p->start(i), TOCSIN_OK);
	assert_int_equal(p->start(i), TOCSIN_E_STATE);
	assert_int_equal(p->on_session(i, &s), TOCSIN_OK);
	assert_int_equal(p->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_MAX), TOCSIN_OK);
	for (unsigned again = 0; again < 3; again++)
		assert_int_equal(p->stop(i, UINT64_MAX), TOCSIN_OK);
	assert_int_equal(p->start(i), TOCSIN_E_STATE);
	assert_int_equal(p->on_session(i, &s), TOCSIN_E_STATE);
	p->destroy(i);
}

static void two_engines_of_one_name_in_one_process_both_raise(void **state)
{
	struct world *w = *state;
	const tocsin_plugin *p = w->plugin;
	tocsin_instance *both[] = { start(w), start(w) };
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "GENERAL");

	for (size_t n = 0; n < 2; n++) {
		tocsin_stats stats = { .size = sizeof stats };

		assert_int_equal(p->on_alert(both[n], &a, NULL), TOCSIN_OK);
		assert_int_equal(p->flush(both[n], TOCSIN_FLUSH_DURABLE, UINT64_MAX), TOCSIN_OK);
		assert_int_equal(p->stats(both[n], &stats), TOCSIN_OK);
		assert_int_equal(stats.accepted, 1);
		assert_int_equal(stats.journaled + stats.journal_lost > 0, 1);
	}
	/* The first to come is not the first to go. */
	assert_int_equal(p->stop(both[0], UINT64_MAX), TOCSIN_OK);
	p->destroy(both[0]);
	assert_int_equal(p->on_alert(both[1], &a, NULL), TOCSIN_OK);
	assert_int_equal(p->stop(both[1], UINT64_MAX), TOCSIN_OK);
	p->destroy(both[1]);
}

/* The host struct's optional parts: none of them is there. */
static void a_host_without_a_name_or_a_log_is_served(void **state)
{
	struct world *w = *state;
	const tocsin_plugin *p = w->plugin;
	tocsin_host bare = { .size = sizeof bare };
	tocsin_instance *i = NULL;

	assert_int_equal(p->create(ON_THE_EDGE(bare), w->options, w->n_options, NULL, 0, &i),
			 TOCSIN_OK);
	assert_int_equal(p->start(i), TOCSIN_OK);
	assert_int_equal(p->on_session(i, NULL), TOCSIN_E_ARG);
	assert_int_equal(p->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_MAX), TOCSIN_OK);
	assert_int_equal(p->stop(i, UINT64_MAX), TOCSIN_OK);
	p->destroy(i);
}

/* Is a folder of ours open again? */
static bool is_open(const char *path)
{
	char link[64], target[256];

	for (int fd = 3; fd < 256; fd++) {
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		ssize_t len = readlink(link, target, sizeof target - 1);

		target[len < 0 ? 0 : len] = 0;
		if (len >= 0 && strcmp(target, path) == 0)
			return true;
	}
	return false;
}

/* As a daemon does that closes what it has not opened, and then opens its own. */
static void a_host_that_closes_our_folders_is_served_and_told_once(void **state)
{
	static const char *const folders[] = { "state", "run" };
	struct world *w = *state;
	const tocsin_plugin *p = w->plugin;
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "DATA_FEED_DOWN");
	tocsin_session_event s = session_event(TOCSIN_SESSION_CREATED, "s", "");
	char path[192];
	struct stat st;

#if defined(__SANITIZE_THREAD__)
	print_message("# it reports each descriptor that is used while the host replaces it\n");
	skip();
#endif
	option(w, "webhook.url", "http://127.0.0.1:9/");
	tocsin_instance *i = start(w);
	assert_int_equal(p->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_MAX), TOCSIN_OK);
	/* What is being written at that moment may fail; so nothing is. */
	snprintf(path, sizeof path, "%s/snapshot.json", w->state);
	while (stat(path, &st) < 0)
		usleep(1000);
	for (unsigned again = 0; again < 2; again++) {
		for (size_t n = 0; n < 2; n++)
			(void)test_descriptor_reuse(w->folder, folders[n]);
		assert_int_equal(p->on_session(i, &s), TOCSIN_OK);
		assert_int_equal(p->on_alert(i, &a, NULL), TOCSIN_OK);
		assert_int_equal(p->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_MAX), TOCSIN_OK);
		for (size_t n = 0; n < 2; n++) {
			snprintf(path, sizeof path, "%s/%s", w->folder->path, folders[n]);
			while (!is_open(path))
				usleep(1000);
		}
	}
	(void)p->stop(i, UINT64_C(5000000000));
	p->destroy(i);
	assert_int_equal(times_in(w->log, "somebody in this process has closed descriptors"), 1);
	/* A clean stop: neither its file nor its recorder is left, and the host's has nothing. */
	snprintf(path, sizeof path, "%s/running", w->state);
	assert_int_equal(stat(path, &st), -1);
	int run = open(w->runtime, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(run);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		assert_null(strstr(e->d_name, "ring-"));
	closedir(d);
	int host = openat(w->folder->fd, "host", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	test_descriptor_is_untouched(host, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(hosts_agree_or_are_told_what_the_plugin_speaks),
		in_world(every_slot_refuses_no_instance),
		in_world(every_slot_refuses_missing_arguments_in_each_state),
		in_world(a_refused_control_call_is_told_once_to_the_host_and_the_log),
		in_world(a_refusal_that_cannot_be_logged_does_not_end_the_process),
		in_world(stats_that_cannot_be_given_are_told_and_not_counted),
		in_world(create_refuses_what_it_cannot_read_and_leaves_the_rest_alone),
		in_world(an_instance_can_go_in_any_state),
		in_world(a_start_or_stop_too_many_changes_nothing),
		in_world(two_engines_of_one_name_in_one_process_both_raise),
		in_world(a_host_without_a_name_or_a_log_is_served),
		in_world(a_host_that_closes_our_folders_is_served_and_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

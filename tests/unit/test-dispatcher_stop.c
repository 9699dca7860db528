/* SPDX-License-Identifier: MIT */
/* What a stop returns and says of pages that have no file: with neither folder usable. */
#include "config.h"
#include "dispatcher_fixture.h"
#include "http_fixture.h"
#include "post/endpoint_files.h"

#include <errno.h>
#include <syslog.h>

struct told {
	char critical[2048];
};

static void note_critical(const tocsin_host *host, uint32_t level, const char *text, size_t len)
{
	struct told *told = host->data;
	size_t used = strlen(told->critical);

	if (level <= LOG_CRIT)
		snprintf(told->critical + used, sizeof told->critical - used, "%.*s\n", (int)len,
			 text);
}

/* Which folders there are, how the receiver answers, and what comes of it. */
struct row {
	bool runtime, state;
	long answer;
	uint64_t timeout_ns;
	int result;
	const char *says; /* at CRIT; NULL: nothing */
};

static void stop_with(const struct test_folder *f, const struct row *row)
{
	struct told told = { .critical = "" };
	const tocsin_host host = { .size = sizeof host, .data = &told, .log = note_critical };
	struct http_server *server = http_start(&row->answer, 1);
	char url[64], runtime[128], state[128], err[512];
	struct engine e = { .host_log = { .host = &host } };

	snprintf(url, sizeof url, "http://127.0.0.1:%u/", server->port);
	/* A file is no folder. */
	snprintf(runtime, sizeof runtime, "%s/%s", f->path, row->runtime ? "run" : "file");
	snprintf(state, sizeof state, "%s/%s", f->path, row->state ? "state" : "file");
	close(openat(f->fd, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	const tocsin_kv options[] = {
		{ STR("config"), STR("") },
		{ STR("engine.name"), STR("test") },
		{ STR("log.target"), STR("stderr") },
		{ STR("webhook.url"), str(url) },
		{ STR("webhook.priorities"), STR("P1,P2") },
		{ STR("paths.runtime_dir"), str(runtime) },
		{ STR("paths.state_dir"), str(state) },
	};
	assert_int_equal(settings_load(endpoint_files_check, options,
				       sizeof options / sizeof options[0], err, sizeof err,
				       &e.settings),
			 0);
	const struct dispatcher_options o = { .settings = e.settings,
					      .refusals = &e.refusals,
					      .host_log = &e.host_log };
	assert_int_equal(dispatcher_start(&o, &e.dispatcher), 0);
	assert_int_equal(engine_say(&e, TOCSIN_ALERT_RAISE, "first"), 0);
	assert_int_equal(engine_say(&e, TOCSIN_ALERT_RAISE, "second"), 0);
	http_wait_seen(server, 1);
	int r = dispatcher_stop(e.dispatcher, row->timeout_ns);
	while (r == -ETIMEDOUT)
		r = dispatcher_stop(e.dispatcher, NS_PER_S);
	assert_int_equal(r, row->result);
	assert_true(dispatcher_has_stopped(e.dispatcher));
	if (row->says && !strstr(told.critical, row->says))
		fail_msg("not told: %s, but: %s", row->says, told.critical);
	if (!row->says)
		assert_string_equal(told.critical, "");
	dispatcher_free(e.dispatcher);
	settings_free(e.settings);
	http_stop(server);
}

static void a_stop_is_no_success_where_pages_go_with_it(void **state)
{
	static const struct row rows[] = {
		{ false, false, 200, 10 * NS_PER_S, 0, NULL },
		{ false, false, 503, 2 * NS_PER_S, -EIO, "2 of its pages, 2 of them P1" },
		{ false, false, 503, 0, -EIO, "2 of its pages, 2 of them P1" },
		{ false, false, 401, 2 * NS_PER_S, -EIO, "2 of its pages, 2 of them P1" },
		{ false, true, 503, 2 * NS_PER_S, 0, NULL },
		{ true, false, 503, 2 * NS_PER_S, 0, NULL },
		{ true, true, 503, 2 * NS_PER_S, 0, NULL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		stop_with(*state, &rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(a_stop_is_no_success_where_pages_go_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

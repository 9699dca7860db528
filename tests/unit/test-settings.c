/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/moment.h"
#include "base/text.h"
#include "post/endpoint_files.h"
#include "settings/settings_table.h"

static int make_place(void **state)
{
	unsetenv("CREDENTIALS_DIRECTORY");
	return test_folder_make(state);
}

static char error[512];

/* Loads from the place's files and up to two options; NULL ends them. */
static int load(struct test_folder *p, const char *key1, const char *value1, const char *key2,
		const char *value2, struct settings **ret)
{
	tocsin_kv options[2] = { { str(key1), str(value1) }, { str(key2), str(value2) } };

	error[0] = 0;
	return settings_load_from(endpoint_files_check, p->path, options,
				  key1 ? 1 + (key2 != NULL) : 0, error, sizeof error, ret);
}

static void write_file(struct test_folder *p, const char *name, const char *text)
{
	assert_int_equal(file_replace(p->fd, name, text, strlen(text), false), 0);
}

static struct settings *load_fine(struct test_folder *p, const char *key, const char *value)
{
	struct settings *s = NULL;
	int r = load(p, key, value, NULL, NULL, &s);

	if (r < 0)
		fail_msg("%s: %s", key ? key : "files", error);
	return s;
}

static void expect_error(const char *part)
{
	if (!strstr(error, part))
		fail_msg("\"%s\" does not say \"%s\"", error, part);
}

static void nothing_at_all_works(void **state)
{
	struct settings *s = load_fine(*state, NULL, NULL);

	assert_true(strlen(s->engine_name) > 0);
	assert_null(s->engine_cpus);
	assert_false(s->engine_replay);
	assert_null(s->runtime_dir);
	assert_null(s->state_dir);
	assert_int_equal(s->recorder_size, 4 << 20);
	assert_int_equal(s->log_target, LOG_TARGET_AUTO);
	assert_false(s->log_health);
	assert_int_equal(s->n_endpoints, 0);
	assert_false(s->has_page_after);
	assert_int_equal(s->repeat_interval_ns, 4 * 3600 * NS_PER_S);
	assert_int_equal(s->thresholds.feed_stale_after_ns, 5 * NS_PER_S);
	assert_int_equal(s->heartbeat_timeout_ns, 30 * NS_PER_S);
	assert_true(s->thresholds.drift_high == 0.10);
	assert_true(s->thresholds.drift_critical == 0.25);
	assert_true(s->thresholds.hysteresis == 0.1);
	assert_int_equal(s->n_sources, 0);
	assert_string_equal(s->runbooks_base_url, "file://" TOCSIN_RUNBOOKS_DIR);
	assert_int_equal(s->clock_source, CLOCK_SOURCE_SYSTEM);
	settings_free(s);
}

static void the_default_file_comes_first_then_its_folder_in_order(void **state)
{
	struct test_folder *p = *state;
	struct settings *s;

	assert_int_equal(mkdirat(p->fd, "tocsin.conf.d", 0700), 0);
	write_file(p, "tocsin.conf",
		   "[engine]\nname = first\n[rules]\nfeed_stale_after = 1s\n"
		   "heartbeat_timeout = 1s\n[log]\nhealth = yes\n");
	write_file(p, "tocsin.conf.d/20-b.conf", "[rules]\nheartbeat_timeout = 3s\n");
	write_file(p, "tocsin.conf.d/10-a.conf",
		   "[rules]\nfeed_stale_after = 2s\nheartbeat_timeout = 2s\n");
	write_file(p, "tocsin.conf.d/30-c.conf~", "nonsense");
	write_file(p, "tocsin.conf.d/.hidden.conf", "nonsense");
	s = load_fine(p, NULL, NULL);
	assert_string_equal(s->engine_name, "first");
	assert_int_equal(s->thresholds.feed_stale_after_ns, 2 * NS_PER_S);
	assert_int_equal(s->heartbeat_timeout_ns, 3 * NS_PER_S);
	assert_true(s->log_health);
	settings_free(s);
}

static void a_config_option_replaces_the_default_files(void **state)
{
	static const char *const none[] = { "", "/dev/null" };
	struct test_folder *p = *state;
	struct settings *s;
	char path[128];

	write_file(p, "tocsin.conf", "[engine]\nname = default\nnonsense = 1\n");
	write_file(p, "other.conf", "[engine]\nname = other\n");
	snprintf(path, sizeof path, "%s/other.conf", p->path);
	s = load_fine(p, "config", path);
	assert_string_equal(s->engine_name, "other");
	settings_free(s);
	for (size_t i = 0; i < 2; i++) {
		s = load_fine(p, "config", none[i]);
		assert_string_not_equal(s->engine_name, "default");
		settings_free(s);
	}
	assert_int_equal(load(p, "config", "/does/not/exist", NULL, NULL, &s), -ENOENT);
	expect_error("/does/not/exist: cannot be read");
	assert_int_equal(load(p, "config", p->path, NULL, NULL, &s), -EISDIR);
}

static void options_win_over_files_and_the_later_over_the_earlier(void **state)
{
	struct test_folder *p = *state;
	struct settings *s = NULL;

	write_file(p, "tocsin.conf", "[engine]\nname = file\n");
	assert_int_equal(load(p, "engine.name", "one", "engine.name", "two", &s), 0);
	assert_string_equal(s->engine_name, "two");
	settings_free(s);
}

static void every_kind_of_value_is_read(void **state)
{
	struct test_folder *p = *state;
	struct settings *s;

	write_file(p, "tocsin.conf",
		   "\xef\xbb\xbf# a comment\n; another\n\n"
		   "[engine]\n  name = a/b\n\tcpus = 0\nreplay = on\n"
		   "[paths]\nruntime_dir = /run/x\nstate_dir = /var/x\n"
		   "[recorder]\nsize = 512K\n[log]\ntarget = stderr\n"
		   "[webhook]\r\nurl = http://127.0.0.1:8080/hook?a=b\r\nformat = generic\n"
		   "connect_timeout=100ms\ntimeout = 1m\npriorities = P1, P3\n"
		   "[pages]\npage_after = 0\nrepeat_interval = 0\n"
		   "[runbooks]\nbase_url = https://wiki.example/runbooks//\n"
		   "[clock]\nsource = event");
	s = load_fine(p, NULL, NULL);
	assert_string_equal(s->engine_name, "a_b");
	assert_string_equal(s->engine_cpus, "0");
	assert_true(s->engine_replay);
	assert_string_equal(s->runtime_dir, "/run/x");
	assert_string_equal(s->state_dir, "/var/x");
	assert_int_equal(s->recorder_size, 512 << 10);
	assert_int_equal(s->log_target, LOG_TARGET_STDERR);
	assert_int_equal(s->n_endpoints, 1);
	assert_string_equal(s->endpoints[0].url, "http://127.0.0.1:8080/hook?a=b");
	assert_int_equal(s->endpoints[0].connect_timeout_ns, 100 * NS_PER_MS);
	assert_int_equal(s->endpoints[0].priorities, 5);
	assert_true(s->has_page_after);
	assert_int_equal(s->page_after_ns, 0);
	assert_int_equal(s->repeat_interval_ns, 0);
	assert_string_equal(s->runbooks_base_url, "https://wiki.example/runbooks");
	assert_int_equal(s->clock_source, CLOCK_SOURCE_EVENT);
	settings_free(s);
}

static void what_is_wrong_in_a_file_is_named_by_line(void **state)
{
	static const struct {
		const char *text, *place, *reason;
	} cases[] = {
		{ "[webhok]\n", ":1: ", "[webhook]" },
		{ "\n[webhook]\nulr = x\n", ":3: webhook.ulr: ", "nearest is webhook.url" },
		{ "[rules]\nfeed_stale = 5s\n",
		  ":2: rules.feed_stale: ", "rules.feed_stale_after" },
		{ "name = x\n", ":1: name: ", "before any [section]" },
		{ "[engine]\nnonsense\n", ":2: ", "key = value" },
		{ "[engine\nname = x\n", ":1: ", "[section]" },
		{ "[engine]\n\nname = a\n  name = b\n", ":4: engine.name: ", "twice" },
		{ "[recorder]\nsize = 1K\n", ":2: recorder.size: ", "256K..1G" },
		{ "[recorder]\nsize = 2G\n", ":2: ", "256K..1G" },
		{ "[recorder]\nsize = 99999999999999999999\n", ":2: ", "256K..1G" },
		{ "[recorder]\nsize = 4X\n", ":2: ", "no size" },
		{ "[recorder]\nsize =\n", ":2: ", "no size" },
		{ "[recorder]\nsize = M\n", ":2: ", "no size" },
		{ "[rules]\nfeed_stale_after = 5\n", ":2: ", "no duration" },
		{ "[rules]\nfeed_stale_after = 2d\n", ":2: ", "0..1d" },
		{ "[rules]\ndrift_high = much\n", ":2: rules.drift_high: ", "no fraction" },
		{ "[rules]\ndrift_high = -0.1\n", ":2: ", "no fraction" },
		{ "[rules]\ndrift_high = 0,1\n", ":2: ", "no fraction" },
		{ "[rules]\ndrift_high = nan\n", ":2: ", "no fraction" },
		{ "[rules]\ndrift_high = 1e-3\n", ":2: ", "no fraction" },
		{ "[rules]\ndrift_high = .\n", ":2: ", "no fraction" },
		{ "[rules]\ndrift_high = 0.1.2\n", ":2: ", "no fraction" },
		{ "[rules]\ndrift_high = 0.1234567890123456\n", ":2: ", "no fraction" },
		{ "[rules]\ndrift_high =\n", ":2: ", "no fraction" },
		{ "[rules]\ndrift_critical = 1000.1\n", ":2: ", "0..1000" },
		{ "[rules]\nhysteresis = 1.5\n", ":2: rules.hysteresis: ", "0..1" },
		{ "[rules]\n\ndrift_high = 0.3\n",
		  ":3: rules.drift_high: ", "drift_high, 0.3, is above drift_critical, 0.25" },
		{ "[rules]\ndrift_critical = 0.05\n",
		  ":2: rules.drift_critical: ", "drift_high, 0.1, is above drift_critical, 0.05" },
		{ "[source.a]\ndrift_critical = 0.05\n", ":2: source.a.drift_critical: ",
		  "drift_high, 0.1, is above drift_critical, 0.05" },
		{ "[source.a]\nhysteresis = 0\n[source.b.c d]\ndrift_high = 0.4\n",
		  ":4: source.b.c d.drift_high: ", "0.4, is above drift_critical, 0.25" },
		{ "[source.]\n", ":1: [source.]: ", "nearest is [source.NAME]" },
		{ "[source]\n", ":1: [source]: ", "nearest is [source.NAME]" },
		{ "[surce.okx]\n", ":1: [surce.okx]: ", "[source.NAME]" },
		{ "[source.okx]\nfeed_stale = 1s\n",
		  ":2: source.okx.feed_stale: ", "source.NAME.feed_stale_after" },
		{ "[source.okx]\nheartbeat_timeout = 1s\n",
		  ":2: source.okx.heartbeat_timeout: ", "no such setting" },
		{ "[source.a]\ndrift_high = 0.1\n[source.b]\ndrift_high = 0.1\n[source.a]\n"
		  "drift_high = 0.2\n",
		  ":6: source.a.drift_high: ", "twice" },
		{ "[source.\x1b[2J]\ndrift_high = 0.1\n", ":2: ", "control character" },
		{ "[source.\xe2\x80\xae"
		  "a]\nx = 1\n",
		  ":2: source.\\u202ea.x: ", "no such setting" },
		{ "[webhook]\ntimeout = 0\n", ":2: webhook.timeout: ", "100ms..5m" },
		{ "[webhook]\npriorities = P4\n", ":2: ", "priorities" },
		{ "[webhook]\npriorities =\n", ":2: ", "priorities" },
		{ "[webhook]\nformat = slak\n", ":2: ", "generic" },
		{ "[log]\ntarget = file\n", ":2: log.target: ", "auto journal syslog stderr" },
		{ "[log]\nhealth = maybe\n", ":2: ", "yes nor no" },
		{ "[engine]\ncpus = x\n", ":2: engine.cpus: ", "processor" },
		{ "[paths]\nstate_dir = here\n", ":2: paths.state_dir: ", "begin with /" },
		{ "[engine]\nname = \x1b[31m\n", ":2: engine.name: ", "control character" },
		{ "[\x1b[2J]\n", ":1: ", "\\x1b" },
	};
	struct test_folder *p = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct settings *s = NULL;

		write_file(p, "tocsin.conf", cases[i].text);
		assert_int_equal(load(p, NULL, NULL, NULL, NULL, &s), -EINVAL);
		assert_null(s);
		expect_error(p->path);
		expect_error(cases[i].place);
		expect_error(cases[i].reason);
		assert_null(strpbrk(error, "\n\x1b"));
	}
}

static const struct thresholds *of_source(const struct settings *s, const char *source)
{
	for (unsigned i = 0; i < s->n_sources; i++)
		if (str_is(s->sources[i].source, source))
			return &s->sources[i].thresholds;
	fail_msg("nothing was set for %s", source);
	return NULL;
}

static void a_source_has_thresholds_of_its_own_and_everybodys_for_the_rest(void **state)
{
	struct test_folder *p = *state;
	struct settings *s;

	write_file(p, "tocsin.conf",
		   "\xef\xbb\xbf[source.okx:ETH-USD]\nfeed_stale_after = 2s\nhysteresis = 0\n"
		   "[source.a name = of [any.kind]\ndrift_critical = 1.5\ndrift_high = 0\n"
		   "[source.a rather long name, which is longer than fifty bytes in all, 1]\n"
		   "drift_high = 0.01\n"
		   "[source.a rather long name, which is longer than fifty bytes in all, 2]\n"
		   "drift_high = 0.02\n"
		   "[rules]\nfeed_stale_after = 7s\ndrift_critical = 0.5\n");
	s = load_fine(p, "source.okx:ETH-USD.drift_high", "0.2");
	assert_int_equal(s->n_sources, 4);
	const struct thresholds *t = of_source(s, "okx:ETH-USD");
	assert_int_equal(t->feed_stale_after_ns, 2 * NS_PER_S);
	assert_true(t->drift_high == 0.2);
	assert_true(t->drift_critical == 0.5);
	assert_true(t->hysteresis == 0);
	t = of_source(s, "a name = of [any.kind");
	assert_int_equal(t->feed_stale_after_ns, 7 * NS_PER_S);
	assert_true(t->drift_high == 0);
	assert_true(t->drift_critical == 1.5);
	assert_true(t->hysteresis == 0.1);
	t = of_source(s, "a rather long name, which is longer than fifty bytes in all, 1");
	assert_true(t->drift_high == 0.01);
	t = of_source(s, "a rather long name, which is longer than fifty bytes in all, 2");
	assert_true(t->drift_high == 0.02);
	assert_true(s->thresholds.drift_high == 0.10);
	settings_free(s);
}

static void a_later_file_and_an_option_win_over_a_sources_own(void **state)
{
	struct test_folder *p = *state;
	struct settings *s = NULL;

	assert_int_equal(mkdirat(p->fd, "tocsin.conf.d", 0700), 0);
	write_file(p, "tocsin.conf",
		   "[source.x]\nfeed_stale_after = 1s\nhysteresis = 0.2\n"
		   "drift_high = 0.01\n");
	write_file(p, "tocsin.conf.d/a.conf", "[source.x]\nfeed_stale_after = 2s\n");
	assert_int_equal(load(p, "source.x.hysteresis", "0.3", "source.x.drift_high", "", &s), 0);
	assert_int_equal(s->n_sources, 1);
	assert_int_equal(of_source(s, "x")->feed_stale_after_ns, 2 * NS_PER_S);
	assert_true(of_source(s, "x")->hysteresis == 0.3);
	/* Empty, it is not given. */
	assert_true(of_source(s, "x")->drift_high == 0.10);
	settings_free(s);
}

static void there_are_no_more_sources_than_the_maximum(void **state)
{
	struct text_buffer text = { 0 };
	struct settings *s;
	char name[400];

	for (unsigned i = 0; i < SOURCE_THRESHOLDS_MAX; i++)
		text_buffer_printf(&text, "[source.s%u]\nhysteresis = 0\n", i);
	write_file(*state, "tocsin.conf", text.ptr);
	s = load_fine(*state, "source.s255.hysteresis", "0.5");
	assert_int_equal(s->n_sources, SOURCE_THRESHOLDS_MAX);
	assert_true(of_source(s, "s255")->hysteresis == 0.5);
	settings_free(s);
	assert_int_equal(load(*state, "source.more.hysteresis", "0", NULL, NULL, &s), -EINVAL);
	expect_error("more than 256 sources");
	text_buffer_done(&text);
	write_file(*state, "tocsin.conf", "");
	snprintf(name, sizeof name, "source.%0255d.hysteresis", 0);
	settings_free(load_fine(*state, name, "0"));
	snprintf(name, sizeof name, "source.%0256d.hysteresis", 0);
	assert_int_equal(load(*state, name, "0", NULL, NULL, &s), -EINVAL);
	expect_error("longer than 255 bytes");
}

static void thresholds_at_their_edges_are_fine(void **state)
{
	struct settings *s = NULL;

	assert_int_equal(load(*state, "rules.drift_high", "0.25", "rules.hysteresis", "1", &s), 0);
	assert_true(s->thresholds.drift_high == 0.25);
	settings_free(s);
	/* Turned off, one is not above the other. */
	assert_int_equal(load(*state, "rules.drift_high", "1000", "rules.drift_critical", "0", &s),
			 0);
	assert_true(s->thresholds.drift_high == 1000);
	settings_free(s);
	s = load_fine(*state, "rules.drift_high", "0");
	assert_true(s->thresholds.drift_high == 0);
	settings_free(s);
	s = load_fine(*state, "rules.drift_high", "00.0312345678901");
	assert_true(s->thresholds.drift_high == 0.0312345678901);
	settings_free(s);
}

static void the_first_of_two_mistakes_is_told(void **state)
{
	struct test_folder *p = *state;
	struct settings *s = NULL;

	write_file(p, "tocsin.conf", "[engine]\nnonsense\nnmae = x\n");
	assert_int_equal(load(p, NULL, NULL, NULL, NULL, &s), -EINVAL);
	expect_error(":2: expected");
	write_file(p, "tocsin.conf", "[engine]\nnmae = x\nnonsense\n");
	assert_int_equal(load(p, NULL, NULL, NULL, NULL, &s), -EINVAL);
	expect_error(":2: engine.nmae");
}

static void long_lines_and_names_are_taken_whole_or_refused(void **state)
{
	static const struct {
		int digits; /* of a path */
		bool fine;
	} cases[] = { { 120, true },   { 190, true },   { 198, true },  { 290, true },
		      { 1000, true },  { 4096, true },  { 8185, true }, { 8186, false },
		      { 9000, false }, { 20000, false } };
	struct test_folder *p = *state;
	static char text[32900], line[32768];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct settings *s = NULL;

		snprintf(line, sizeof line, "dir = /%0*d", cases[i].digits, 7);
		snprintf(text, sizeof text, "[engine]\nname = x\n\n[runbooks]\n%s\n", line);
		assert_int_equal(strlen(line) <= 8192, cases[i].fine);
		write_file(p, "tocsin.conf", text);
		assert_int_equal(load(p, NULL, NULL, NULL, NULL, &s), cases[i].fine ? 0 : -EINVAL);
		if (cases[i].fine) {
			assert_string_equal(s->runbooks_dir, line + strlen("dir = "));
			settings_free(s);
		} else {
			expect_error("tocsin.conf:5: the line is longer than 8192 bytes");
			assert_null(strstr(error, "engine.name"));
		}
	}
	assert_int_equal(file_replace(p->fd, "tocsin.conf", "[engine]\nname = a\0b\n", 20, false),
			 0);
	struct settings *s = NULL;
	assert_int_equal(load(p, NULL, NULL, NULL, NULL, &s), -EINVAL);
	expect_error(":2: there is a NUL");
}

/* What a line says, whatever stands around it. */
static void a_line_is_read_as_it_stands(void **state)
{
	static const struct {
		const char *text, *name; /* NULL: it is wrong */
	} cases[] = {
		{ "[engine]\nname=x", "x" },
		{ "[engine]\r\n  name\t=  x_y \r\n", "x_y" },
		{ "[engine] ; why\nname = x ; because\n", "x" },
		{ "[engine]\nname = x;y\n", "x_y" },
		{ "[engine]\nname = x#y\n", "x_y" },
		{ "[engine]\nname : x\n", "x" },
		{ "[engine]\nname = a=b:c\n", "a_b:c" },
		{ "; all\n# of\n\n   # it\n[engine]\nname = x", "x" },
		{ "[engine\nname = x\n", NULL },
		{ "[engine]\nname\n", NULL },
		{ "[engine]\nname ; = x\n", NULL },
		{ "name = x\n", NULL },
		{ "[]\nname = x\n", NULL },
		{ "]engine[\nname = x\n", NULL },
		{ "[engine]\n= x\n", NULL },
	};
	struct test_folder *p = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct settings *s = NULL;

		write_file(p, "tocsin.conf", cases[i].text);
		int r = load(p, NULL, NULL, NULL, NULL, &s);
		if (cases[i].name) {
			assert_int_equal(r, 0);
			assert_string_equal(s->engine_name, cases[i].name);
			settings_free(s);
		} else {
			assert_int_equal(r, -EINVAL);
		}
	}
}

struct told {
	unsigned files, wrong, unknown;
	char lines[8][512];
};

static void told_file(void *userdata, const char *path)
{
	struct told *t = userdata;

	assert_non_null(path);
	t->files++;
}

static void told_wrong(void *userdata, const char *line)
{
	struct told *t = userdata;

	assert_true(t->wrong < 8);
	snprintf(t->lines[t->wrong++], sizeof t->lines[0], "%s", line);
}

static void told_unknown(void *userdata, const char *line)
{
	struct told *t = userdata;

	assert_non_null(strstr(line, "only inside the unit"));
	t->unknown++;
}

static void all_that_is_wrong_is_told_at_once(void **state)
{
	static const char *const wrong[] = { ":2: engine.nmae: ", ":3: expected",
					     ":4: [wrong]: ", "option recorder.size: " };
	struct test_folder *p = *state;
	struct told t = { 0 };
	const struct settings_listener listener = { told_file, told_wrong, told_unknown, &t };
	struct settings *s = NULL;
	char path[128];

	write_file(p, "some.conf",
		   "[engine]\nnmae = x\nnonsense\n[wrong]\nnot = looked at\n[engine]\nname = y\n");
	snprintf(path, sizeof path, "%s/some.conf", p->path);
	const tocsin_kv options[] = { { STR("config"), str(path) },
				      { STR("recorder.size"), STR("0") } };
	assert_int_equal(settings_load_told(endpoint_files_check, options, 2, &listener, &s),
			 -EINVAL);
	assert_int_equal(t.files, 1);
	assert_int_equal(t.wrong, 4);
	for (unsigned i = 0; i < 4; i++)
		if (!strstr(t.lines[i], wrong[i]))
			fail_msg("\"%s\" does not say \"%s\"", t.lines[i], wrong[i]);
}

static void a_credential_of_a_unit_is_no_mistake_outside_it(void **state)
{
	struct told t = { 0 };
	const struct settings_listener listener = { told_file, told_wrong, told_unknown, &t };
	const tocsin_kv options[] = { { STR("config"), STR("") },
				      { STR("engine.name"), STR("no-such-unit") },
				      { STR("webhook.url"), STR("https://x.example/") },
				      { STR("webhook.secret_file"), STR("webhook.secret") },
				      { STR("webhook.token_file"), STR("webhook.token") } };
	struct settings *s = NULL;

	(void)state;
	assert_int_equal(settings_load_told(endpoint_files_check, options, 5, &listener, &s), 0);
	assert_int_equal(t.unknown, 2);
	assert_int_equal(t.wrong, 0);
	assert_null(s->endpoints[0].secret_file);
	settings_free(s);
	s = NULL;
	assert_int_equal(settings_load(endpoint_files_check, options, 5, error, sizeof error, &s),
			 -EINVAL);
	expect_error("known only inside the unit");
}

static void a_relative_file_is_kept_as_it_is_named_from_anywhere(void **state)
{
	struct test_folder *p = *state;
	struct settings *s = NULL;
	char path[128], before[4096];
	const tocsin_kv options[] = { { STR("config"), STR("some.conf") } };

	assert_non_null(getcwd(before, sizeof before));
	write_file(p, "some.conf", "[engine]\nname = found\n");
	assert_int_equal(fchdir(p->fd), 0);
	int r = settings_load(endpoint_files_check, options, 1, error, sizeof error, &s);
	assert_int_equal(chdir(before), 0);
	assert_int_equal(r, 0);
	assert_string_equal(s->engine_name, "found");
	snprintf(path, sizeof path, "%s/some.conf", p->path);
	assert_int_equal(s->n_given, 1);
	assert_true(str_is(s->given[0].value, path));
	settings_free(s);
}

static void the_environment_names_the_engine_where_no_setting_does(void **state)
{
	struct settings *s;

	setenv("TOCSIN_ENGINE", "live\\x2d1", 1);
	s = load_fine(*state, NULL, NULL);
	assert_string_equal(s->engine_name, "live\\x2d1");
	settings_free(s);
	s = load_fine(*state, "engine.name", "other");
	assert_string_equal(s->engine_name, "other");
	settings_free(s);
	unsetenv("TOCSIN_ENGINE");
}

static void who_may_be_believed_is_a_list_of_numbers(void **state)
{
	struct settings *s = load_fine(*state, "log.trusted_uids", "998, 1001,0");

	assert_int_equal(s->n_trusted_uids, 3);
	assert_int_equal(s->trusted_uids[0], 998);
	assert_int_equal(s->trusted_uids[2], 0);
	settings_free(s);
	s = NULL;
	assert_int_equal(load(*state, "log.trusted_uids", "engine", NULL, NULL, &s), -EINVAL);
	assert_int_equal(load(*state, "log.trusted_uids", "-1", NULL, NULL, &s), -EINVAL);
	assert_int_equal(load(*state, "log.trusted_uids", "4294967295", NULL, NULL, &s), -EINVAL);
	assert_null(s);
}

static void what_is_wrong_in_an_option_is_named(void **state)
{
	static const struct {
		const char *key, *value, *error;
	} cases[] = {
		{ "webhook.url", "ftp://x/", "option webhook.url: must begin with https://" },
		{ "webhook.ulr", "x", "option webhook.ulr: there is no such setting" },
		{ "wbhook.url", "x", "nearest is webhook.url" },
		{ "nodot", "x", "option nodot: an option is named section.key" },
		{ "", "x", "an option is named section.key" },
		{ ".", "x", "there is no such setting" },
		{ "recorder.size", "0", "option recorder.size: \"0\" is out of bounds" },
		{ "engine.name", "a\nb", "option engine.name: there is a control character" },
		{ "a\x1b.b", "x", "option a\\x1b.b: " },
		{ "source.okx.drift_hgh", "1", "nearest is source.NAME.drift_high" },
		{ "source..drift_high", "1", "option source..drift_high: there is no such" },
		{ "source.okx:ETH-USD.drift_high", "0.3", "is above drift_critical" },
		{ "source.a.feed_stale_after", "2d", "0..1d" },
	};
	struct test_folder *p = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct settings *s = NULL;

		assert_int_equal(load(p, cases[i].key, cases[i].value, NULL, NULL, &s), -EINVAL);
		assert_null(s);
		expect_error(cases[i].error);
	}
}

static void hostile_options_are_refused(void **state)
{
	struct test_folder *p = *state;
	struct settings *s = NULL;
	tocsin_kv options[] = { { { "engine.name\0x", 13 }, STR("x") },
				{ STR("engine.name"), { "a\0b", 3 } },
				{ STR("config"), { "/dev/null\0x", 11 } } };

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(settings_load_from(endpoint_files_check, p->path, &options[i], 1,
						    error, sizeof error, &s),
				 -EINVAL);
	assert_int_equal(
		settings_load_from(endpoint_files_check, p->path, &options[0], 1, NULL, 0, &s),
		-EINVAL);
	assert_int_equal(
		settings_load_from(endpoint_files_check, p->path, &options[0], 1, error, 4, &s),
		-EINVAL);
	assert_int_equal(strlen(error), 3);
}

static void urls_are_looked_at_before_they_are_used(void **state)
{
	static const struct {
		const char *url;
		bool fine;
	} cases[] = {
		{ "https://hooks.example/x", true },
		{ "HTTPS://hooks.example", true },
		{ "http://localhost:8080/", true },
		{ "http://127.0.0.1/", true },
		{ "http://127.8.9.10:1/", true },
		{ "http://[::1]:8080/", true },
		{ "http://example.com/", false },
		{ "http://127.0.0.1.example.com/", false },
		{ "http://localhost@example.com/", false },
		{ "http://128.0.0.1/", false },
		{ "http://[::2]/", false },
		{ "file:///etc/passwd", false },
		{ "gopher://x/", false },
		{ "hooks.example/x", false },
		{ "https://", false },
		{ "https://a b/", false },
		{ "https://x:99999/", false },
		{ "nonsense", false },
	};
	struct test_folder *p = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct settings *s = NULL;
		int r = load(p, "webhook.url", cases[i].url, NULL, NULL, &s);

		if (r != (cases[i].fine ? 0 : -EINVAL))
			fail_msg("%s: %d %s", cases[i].url, r, error);
		if (r < 0)
			expect_error("option webhook.url: ");
		assert_null(strstr(error, "passwd"));
		settings_free(s);
	}
}

static void insecure_urls_must_be_allowed(void **state)
{
	struct test_folder *p = *state;
	struct settings *s = NULL;

	write_file(p, "tocsin.conf", "[webhook]\n\nurl = http://hooks.example/\n");
	assert_int_equal(load(p, NULL, NULL, NULL, NULL, &s), -EINVAL);
	expect_error("tocsin.conf:3: webhook.url: ");
	expect_error("allow_insecure");
	s = load_fine(p, "webhook.allow_insecure", "yes");
	assert_true(s->endpoints[0].allow_insecure);
	settings_free(s);
	s = load_fine(p, "webhook.url", "");
	assert_int_equal(s->n_endpoints, 0);
	settings_free(s);
}

static void secrets_must_be_readable_and_stay_secret(void **state)
{
	static const char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
	struct test_folder *p = *state;
	struct settings *s = NULL;
	char path[128];

	write_file(p, "good", secret);
	write_file(p, "bad", "# mine\nwhsec_verysecretbuttooshort\n");
	snprintf(path, sizeof path, "%s/good", p->path);
	assert_int_equal(
		load(p, "webhook.url", "https://x.example/", "webhook.secret_file", path, &s), 0);
	assert_string_equal(s->endpoints[0].secret_file, path);
	settings_free(s);
	snprintf(path, sizeof path, "%s/bad", p->path);
	assert_int_equal(
		load(p, "webhook.url", "https://x.example/", "webhook.secret_file", path, &s),
		-EINVAL);
	expect_error("option webhook.secret_file: ");
	expect_error("/bad:2: ");
	assert_null(strstr(error, "verysecret"));
	snprintf(path, sizeof path, "%s/none", p->path);
	assert_int_equal(
		load(p, "webhook.url", "https://x.example/", "webhook.secret_file", path, &s),
		-ENOENT);
	expect_error("option webhook.secret_file: ");
}

static void a_bare_secret_file_is_a_credential(void **state)
{
	struct test_folder *p = *state;
	struct settings *s = NULL;
	char path[128];

	write_file(p, "hook", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
	assert_int_equal(
		load(p, "webhook.url", "https://x.example/", "webhook.secret_file", "hook", &s),
		-EINVAL);
	expect_error("CREDENTIALS_DIRECTORY");
	setenv("CREDENTIALS_DIRECTORY", p->path, 1);
	assert_int_equal(
		load(p, "webhook.url", "https://x.example/", "webhook.secret_file", "hook", &s), 0);
	snprintf(path, sizeof path, "%s/hook", p->path);
	assert_string_equal(s->endpoints[0].secret_file, path);
	settings_free(s);
	assert_int_equal(
		load(p, "webhook.url", "https://x.example/", "webhook.secret_file", "../hook", &s),
		-EINVAL);
}

static void the_engines_name_is_fit_for_a_folder(void **state)
{
	static const struct {
		const char *given, *name;
	} cases[] = {
		{ "shadow@1", "shadow@1" },
		{ "../../etc", "_._.._etc" },
		{ ".", "_" },
		{ "a b", "a_b" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct settings *s = load_fine(*state, "engine.name", cases[i].given);

		assert_string_equal(s->engine_name, cases[i].name);
		settings_free(s);
	}
}

static void every_row_is_told_with_its_help(void **state)
{
	const struct settings_row *rows;
	size_t n = settings_rows(&rows);
	const char *help = settings_help;

	(void)state;
	assert_int_equal(n, settings_table_size());
	for (size_t i = 0; i < n; i++) {
		char line[256];

		snprintf(line, sizeof line, "%s = %s", rows[i].name, rows[i].fallback);
		assert_non_null(strstr(help, line));
		assert_non_null(strstr(help, rows[i].help));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(rows[i].name, rows[j].name);
	}
}

static void every_fallback_can_be_given(void **state)
{
	const struct settings_row *rows;
	size_t n = settings_rows(&rows);

	for (size_t i = 0; i < n; i++)
		settings_free(load_fine(*state, rows[i].name, rows[i].fallback));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_place, test_folder_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_at_all_works),
		TEST(the_default_file_comes_first_then_its_folder_in_order),
		TEST(a_config_option_replaces_the_default_files),
		TEST(options_win_over_files_and_the_later_over_the_earlier),
		TEST(every_kind_of_value_is_read),
		TEST(what_is_wrong_in_a_file_is_named_by_line),
		TEST(a_source_has_thresholds_of_its_own_and_everybodys_for_the_rest),
		TEST(a_later_file_and_an_option_win_over_a_sources_own),
		TEST(there_are_no_more_sources_than_the_maximum),
		TEST(thresholds_at_their_edges_are_fine),
		TEST(the_first_of_two_mistakes_is_told),
		TEST(long_lines_and_names_are_taken_whole_or_refused),
		TEST(a_line_is_read_as_it_stands),
		TEST(all_that_is_wrong_is_told_at_once),
		TEST(a_credential_of_a_unit_is_no_mistake_outside_it),
		TEST(a_relative_file_is_kept_as_it_is_named_from_anywhere),
		TEST(the_environment_names_the_engine_where_no_setting_does),
		TEST(who_may_be_believed_is_a_list_of_numbers),
		TEST(what_is_wrong_in_an_option_is_named),
		TEST(hostile_options_are_refused),
		TEST(urls_are_looked_at_before_they_are_used),
		TEST(insecure_urls_must_be_allowed),
		TEST(secrets_must_be_readable_and_stay_secret),
		TEST(a_bare_secret_file_is_a_credential),
		TEST(the_engines_name_is_fit_for_a_folder),
		TEST(every_row_is_told_with_its_help),
		TEST(every_fallback_can_be_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

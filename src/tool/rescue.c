/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/verbs.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "dispatch/rescue.h"
#include "settings/settings_table.h"
#include "tool/rescue_engine.h"
#include "tool/tool.h"

#define DRAIN_NS (15 * NS_PER_S)

static const char help[] =
	"usage: tocsin rescue [OPTION]... [--all | NAME...]\n"
	"\n"
	"Does for engines that died what their next start would do: reads what their recorders\n"
	"hold, tells it to the log, and posts the pages that are due. An engine that lives is "
	"left\n"
	"alone. In a unit's ExecStopPost= the engine is the unit's, and what systemd knows of its\n"
	"end goes into the page. Root becomes the user whose engine it is.\n"
	"\n"
	"      --all               every engine that has a folder here\n"
	"  -o SECTION.KEY=VALUE    a setting instead of what the engine was told; "
	"paths.runtime_dir\n"
	"                          and paths.state_dir name the folders of an engine elsewhere\n"
	"      --drain TIME        how long pages may take (default 15s); the others wait\n"
	"  -h, --help              this text\n";

struct rescue {
	struct tool_options options;
	struct rescue_options run;
	bool all;
	char **names; /* of arguments, unless all */
	size_t n_names;
	bool by_systemd; /* it knows how the engine ended */
};

/* A unit that another one's OnFailure= starts has them with MONITOR_ before. */
static const char *end_told(const char *name, const char *monitored)
{
	const char *value = getenv(name);

	if (!value || !value[0])
		value = getenv(monitored);
	return value && value[0] ? value : NULL;
}

/* -1: go on; else the exit status. */
static int parse_option(struct rescue *v, int option)
{
	switch (option) {
	case 'a':
		v->all = true;
		return -1;
	case 'd':
		if (duration_from_text(str(optarg), &v->run.drain_ns) == 0)
			return -1;
		return tool_wrong_use("rescue", "--drain %s: expected a time such as 500ms or 10s",
				      optarg);
	case 'o':
		if (tool_options_parse(&v->options, optarg) == 0)
			return -1;
		return tool_wrong_use("rescue", "-o %s: expected section.key=value", optarg);
	case 'h':
		fputs(help, stdout);
		return TOOL_FINE;
	default:
		return tool_wrong_use("rescue", "unknown option");
	}
}

static int parse_arguments(struct rescue *v, int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "drain", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option, status;

	while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		status = parse_option(v, option);
		if (status >= 0)
			return status;
	}
	v->names = argv + optind;
	v->n_names = (size_t)(argc - optind);
	if (v->all && v->n_names > 0)
		return tool_wrong_use("rescue", "expected --all or names, found both");
	if ((v->all || v->n_names > 0) && (tool_options_has(&v->options, "paths.runtime_dir") ||
					   tool_options_has(&v->options, "paths.state_dir")))
		return tool_wrong_use("rescue",
				      "paths are one engine's: expected no name with them");
	return -1;
}

/* --- One engine, in a process of its own --- */

static void host_log(const tocsin_host *host, uint32_t level, const char *text, size_t len)
{
	_cleanup_free_ char *line = text_to_line((tocsin_str){ text, len });

	(void)level;
	fprintf(stderr, "tocsin rescue: %s: %s\n", (const char *)host->data, line ? line : "?");
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void print_report(const char *name, const struct rescue_report *r)
{
	printf("engine %s: ", name);
	if (r->runs > 0)
		printf("%u dead run%s, %" PRIu64 " event%s recovered, %" PRIu64 " torn; ", r->runs,
		       plural(r->runs), r->events, plural(r->events), r->torn);
	else
		fputs("no dead run; ", stdout);
	printf("pages: %" PRIu64 " delivered, %" PRIu64 " waiting\n", r->delivered, r->waiting);
}

static int rescue_engine(const struct rescue *v, const struct rescue_engine *e, pid_t parent)
{
	struct rescue_options run = v->run;
	struct rescue_report report = { 0 };
	struct settings *s;
	char err[1024] = "";
	const char *why;
	int r = rescue_engine_become_owner(e, parent);

	if (r == -EPERM && v->all)
		return TOOL_FINE;
	if (r == -EPERM)
		return tool_failed("rescue", "%s is another user's engine", e->name);
	if (r < 0)
		return tool_failed("rescue", "%s: cannot become its user: %s", e->name,
				   strerror(-r));
	if (v->run.service_result && strcmp(v->run.service_result, "success") == 0 &&
	    !rescue_engine_has_recorder(e)) {
		printf("engine %s: it stopped cleanly\n", e->name);
		return TOOL_FINE;
	}
	r = rescue_engine_settings(e, &v->options, err, sizeof(err), &why, &s);
	/* A folder that is there, and nothing in it to rescue. */
	if (r == -ENOENT && v->all && !rescue_engine_has_recorder(e))
		return TOOL_FINE;
	if (r < 0)
		return tool_failed("rescue", "%s: %s", e->name, err[0] ? err : strerror(-r));
	if (why)
		fprintf(stderr, "tocsin rescue: %s: %s; the installed settings are used\n", e->name,
			why);
	tocsin_host host = { .size = sizeof(host),
			     .data = s->engine_name,
			     .name = "tocsin rescue",
			     .version = PACKAGE_VERSION,
			     .log = host_log };
	run.host = &host;
	r = rescue_run(s, &run, &report);
	if (r == -EBUSY)
		printf("engine %s: it lives, or another process rescues it\n", s->engine_name);
	else if (r < 0)
		tool_failed("rescue", "%s: %s", s->engine_name, strerror(-r));
	else
		print_report(s->engine_name, &report);
	settings_free(s);
	return r < 0 && r != -EBUSY ? TOOL_FAILED : TOOL_FINE;
}

/* Another user's engine is not touched with our rights, nor with those of the one before. */
static pid_t start_child(const struct rescue *v, const struct rescue_engine *e)
{
	pid_t parent = getpid(), pid;

	fflush(stdout);
	pid = fork();
	if (pid != 0)
		return pid;
	int status = rescue_engine(v, e, parent);

	fflush(stdout);
	_exit(status);
}

static int wait_child(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return TOOL_FAILED;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return tool_failed("rescue", "it was killed by signal %d", WTERMSIG(status));
}

/* --- Which --- */

/* All at once: one whose receiver is away keeps the others from nothing. */
static int rescue_names(const struct rescue *v, char *const *names, size_t n)
{
	_cleanup_free_ pid_t *pids = calloc(n > 0 ? n : 1, sizeof(*pids));
	int status = TOOL_FINE;

	if (!pids)
		return tool_failed("rescue", "no memory");
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *name = text_to_filename(str(names[i]), TOCSIN_ID_MAX);
		_cleanup_(rescue_engine_done) struct rescue_engine e = { 0 };
		int r = name ? rescue_engine_find(name, &e) : -ENOMEM;

		if (r == 0)
			pids[i] = start_child(v, &e);
		if (r == -ENOENT && v->by_systemd)
			printf("engine %s: it left no files here\n", name);
		else if (r == -ENOENT && !v->all)
			status = tool_failed("rescue", "there is no engine %s here", names[i]);
		else if ((r < 0 && r != -ENOENT) || pids[i] < 0)
			status = tool_failed("rescue", "%s: %s", names[i],
					     strerror(r < 0 ? -r : errno));
	}
	for (size_t i = 0; i < n; i++)
		if (pids[i] > 0 && wait_child(pids[i]) != TOOL_FINE)
			status = TOOL_FAILED;
	return status;
}

static int rescue_all(const struct rescue *v)
{
	_cleanup_(rescue_names_done) struct rescue_names names;
	int status;

	if (rescue_engine_names(&names) < 0)
		return tool_failed("rescue", "no memory");
	if (names.n == 0)
		puts("there are no engines here");
	status = rescue_names(v, names.list, names.n);
	if (names.left_out > 0)
		status = tool_failed("rescue",
				     "%zu folders of engines past the first %d were not looked at: "
				     "name their engines",
				     names.left_out, RESCUE_ENGINES_MAX);
	return status;
}

static int rescue_folders(const struct rescue *v)
{
	_cleanup_(rescue_engine_done) struct rescue_engine e = { 0 };
	int r = rescue_engine_of_options(&v->options, &e);

	if (r == -ENOENT && v->by_systemd)
		return TOOL_FINE;
	if (r < 0)
		return tool_failed("rescue", "paths.runtime_dir, paths.state_dir: %s",
				   strerror(-r));
	return wait_child(start_child(v, &e));
}

int rescue_main(int argc, char **argv)
{
	struct rescue v = {
		.run = {
			.service_result = end_told("SERVICE_RESULT", "MONITOR_SERVICE_RESULT"),
			.exit_code = end_told("EXIT_CODE", "MONITOR_EXIT_CODE"),
			.exit_status = end_told("EXIT_STATUS", "MONITOR_EXIT_STATUS"),
			.drain_ns = DRAIN_NS,
		},
	};
	int status = parse_arguments(&v, argc, argv);

	if (status >= 0)
		return status;
	v.by_systemd = v.run.service_result != NULL;
	if (v.all)
		return rescue_all(&v);
	if (v.n_names > 0)
		return rescue_names(&v, v.names, v.n_names);
	if (tool_options_has(&v.options, "paths.runtime_dir") ||
	    tool_options_has(&v.options, "paths.state_dir"))
		return rescue_folders(&v);
	if (!v.by_systemd)
		return tool_wrong_use("rescue", "expected the NAME of an engine, or --all");
	_cleanup_free_ char *name = settings_engine_name(NULL);

	return name ? rescue_names(&v, &name, 1) : tool_failed("rescue", "no memory");
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "tool/play_folder.h"
#include "tool/player.h"
#include "tool/plugin_file.h"
#include "tool/tool.h"

/* A stop delivers for as long as it is given; this is after the wait for pages, so it is short, and
 * asked again while threads still end. */
#define STOP_NS NS_PER_S
#define STOP_TRIES 5
/* How often a wait for pages looks whether it was interrupted, and whether they are gone. A flush
 * of less than 100 ms is a poll: the plugin says nothing when it is not over. */
#define FLUSH_STEP_NS (50 * NS_PER_MS)
#define DRAIN_PAUSE_NS (10 * (long)NS_PER_MS)

static const char help[] =
	"usage: tocsin play [OPTION]... FILE|-\n"
	"\n"
	"Plays events, one JSON object a line, through the plugin as an engine would. Nothing "
	"under\n"
	"/etc is read and nobody is paged but an endpoint named by -o.\n"
	"\n"
	"  -o SECTION.KEY=VALUE  a setting of the plugin, such as -o webhook.url=http://...\n"
	"      --plugin FILE     the plugin (default: $TOCSIN_PLUGIN, else the installed one)\n"
	"      --speed N|max     1: with the recording's own pauses, N times as fast, or as fast\n"
	"                        as possible (default max)\n"
	"      --drain TIME      how long to wait for pages to be delivered (default 10s)\n"
	"      --json            print the totals as JSON\n"
	"  -h, --help            this text\n";

struct play {
	struct tool_options options;
	const char *plugin_path;
	const char *file;
	double speed;
	uint64_t drain_ns;
	bool json;
	int interrupt;
	struct play_folder folder;
};

static int parse_speed(const char *text, double *ret)
{
	char *end;
	double speed;

	if (strcmp(text, "max") == 0) {
		*ret = 0;
		return 0;
	}
	speed = strtod(text, &end);
	if (end == text || *end || !(speed >= 1e-6 && speed <= 1e9))
		return -EINVAL;
	*ret = speed;
	return 0;
}

/* Before the user's, which win. */
static void default_options(struct play *p)
{
	const char *path = secure_getenv("TOCSIN_PLUGIN");

	p->plugin_path = path && path[0] ? path : TOCSIN_PLUGIN_DEFAULT;
	p->drain_ns = 10 * NS_PER_S;
	p->interrupt = -1;
	tool_options_add(&p->options, "config", "");
	tool_options_add(&p->options, "engine.name", "play");
	tool_options_add(&p->options, "engine.replay", "yes");
	tool_options_add(&p->options, "clock.source", "event");
}

/* -1: go on; else the exit status. */
static int parse_option(struct play *p, int option)
{
	switch (option) {
	case 'o':
		if (tool_options_parse(&p->options, optarg) == 0)
			return -1;
		return tool_wrong_use("play", "-o %s: expected section.key=value, at most %d times",
				      optarg, TOOL_OPTIONS_MAX - 8);
	case 'p':
		p->plugin_path = optarg;
		return -1;
	case 's':
		if (parse_speed(optarg, &p->speed) == 0)
			return -1;
		return tool_wrong_use("play", "--speed %s: expected a number or max", optarg);
	case 'd':
		if (duration_from_text(str(optarg), &p->drain_ns) == 0)
			return -1;
		return tool_wrong_use("play", "--drain %s: expected a time such as 500ms or 10s",
				      optarg);
	case 'j':
		p->json = true;
		return -1;
	case 'h':
		fputs(help, stdout);
		return TOOL_FINE;
	default:
		return tool_wrong_use("play", "unknown option");
	}
}

static int parse_arguments(struct play *p, int argc, char **argv)
{
	static const struct option options[] = {
		{ "plugin", required_argument, NULL, 'p' },
		{ "speed", required_argument, NULL, 's' },
		{ "drain", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option, status;

	while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		status = parse_option(p, option);
		if (status >= 0)
			return status;
	}
	if (optind + 1 != argc)
		return tool_wrong_use("play", "expected one FILE, or - for the standard input");
	p->file = argv[optind];
	return -1;
}

/* Interrupts arrive as something to read, so that playing ends in good order. */
static int catch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static bool interrupted(const struct play *p)
{
	struct pollfd fd = { .fd = p->interrupt, .events = POLLIN };

	return poll(&fd, 1, 0) > 0;
}

static void host_log(const tocsin_host *host, uint32_t level, const char *text, size_t len)
{
	_cleanup_free_ char *line = text_to_line((tocsin_str){ text, len });

	(void)host;
	(void)level;
	fprintf(stderr, "tocsin play: plugin: %s\n", line ? line : "?");
}

static uint64_t pages_pending(const struct player *player)
{
	tocsin_stats stats = { .size = sizeof(stats) };

	player->plugin->stats(player->instance, &stats);
	return stats.pages_pending;
}

/*
 * Waits for pages in steps, so that an interrupt ends it; also for those that an earlier run has
 * left, which are none of a flush's.
 */
static tocsin_rc drain(const struct play *p, const struct player *player)
{
	const struct timespec pause = { .tv_nsec = DRAIN_PAUSE_NS };
	uint64_t end = clock_monotonic_ns() + p->drain_ns;

	for (;;) {
		uint64_t now = clock_monotonic_ns();
		uint64_t left = now < end ? end - now : 0;
		tocsin_rc rc = player->plugin->flush(player->instance, TOCSIN_FLUSH_DELIVERED,
						     left < FLUSH_STEP_NS ? left : FLUSH_STEP_NS);

		if (rc != TOCSIN_OK && rc != TOCSIN_E_TIMEOUT)
			return rc;
		if (rc == TOCSIN_OK && pages_pending(player) == 0)
			return TOCSIN_OK;
		if (left == 0 || interrupted(p))
			return TOCSIN_E_TIMEOUT;
		if (rc == TOCSIN_OK)
			nanosleep(&pause, NULL);
	}
}

static void print_totals_json(const struct player *p, const tocsin_stats *s)
{
	printf("{\"sessions\":%" PRIu64 ",\"health\":%" PRIu64 ",\"alerts\":%" PRIu64
	       ",\"refused\":%" PRIu64 ",\"waits\":%" PRIu64 ",\"seconds\":%.6f",
	       p->events[EVENT_LINE_SESSION], p->events[EVENT_LINE_HEALTH],
	       p->events[EVENT_LINE_ALERT], p->refused, p->waits, (double)p->took_ns / 1e9);
	printf(",\"applied\":%" PRIu64 ",\"entries_written\":%" PRIu64 ",\"entries_lost\":%" PRIu64
	       ",\"pages_delivered\":%" PRIu64 ",\"pages_pending\":%" PRIu64
	       ",\"pages_dead\":%" PRIu64 ",\"post_attempts\":%" PRIu64
	       ",\"post_failures\":%" PRIu64 "}\n",
	       s->accepted, s->journaled, s->journal_lost, s->pages_delivered, s->pages_pending,
	       s->pages_dead, s->post_attempts, s->post_failures);
}

static void print_totals(const struct player *p, const tocsin_stats *s)
{
	char first[TIME_TEXT_SIZE], span[TIME_TEXT_SIZE];

	printf("%" PRIu64 " events in %.3f s: %" PRIu64 " of sessions, %" PRIu64
	       " of health, %" PRIu64 " of alerts\n",
	       player_events(p), (double)p->took_ns / 1e9, p->events[EVENT_LINE_SESSION],
	       p->events[EVENT_LINE_HEALTH], p->events[EVENT_LINE_ALERT]);
	if (p->last_ns)
		printf("recorded from %s on, over %s\n", time_to_local(p->first_ns, false, first),
		       duration_to_text(p->last_ns - p->first_ns, span));
	printf("log entries: %" PRIu64 " written, %" PRIu64 " lost\n", s->journaled,
	       s->journal_lost);
	printf("pages: %" PRIu64 " delivered, %" PRIu64 " pending", s->pages_delivered,
	       s->pages_pending);
	if (s->pages_dead > 0)
		printf(", %" PRIu64 " dead: refused for good", s->pages_dead);
	putchar('\n');
}

/* After the stop, when the counts stand still. *ret_keep: pages are left in the folder, which wait
 * or are dead. */
static int report(const struct play *p, const struct player *player, bool *ret_keep)
{
	tocsin_stats stats = { .size = sizeof(stats) };

	player->plugin->stats(player->instance, &stats);
	if (p->json)
		print_totals_json(player, &stats);
	else
		print_totals(player, &stats);
	fflush(stdout);
	/* An operator may have sent or discarded dead ones meanwhile. */
	*ret_keep = stats.pages_pending > 0 ||
		    (stats.pages_dead > 0 && play_folder_has_dead(&p->options));
	return *ret_keep ? TOOL_FAILED : TOOL_FINE;
}

/* *ret_lives: the plugin's threads could not be stopped, so it must stay loaded. */
static int play_instance(struct play *p, struct player *player, int fd, bool *ret_lives,
			 bool *ret_keep)
{
	tocsin_rc rc = player->plugin->start(player->instance);
	int status = TOOL_FINE;

	if (rc != TOCSIN_OK)
		return tool_failed("play", "the plugin does not start: %s", plugin_rc_name(rc));
	if (player_play(player, fd) < 0 || player->refused > 0)
		status = TOOL_FAILED;
	rc = drain(p, player);
	if (rc != TOCSIN_OK)
		status =
			tool_failed("play", "not everything was delivered: %s", plugin_rc_name(rc));
	for (int i = 0; i < STOP_TRIES; i++) {
		rc = player->plugin->stop(player->instance, STOP_NS);
		if (rc != TOCSIN_E_TIMEOUT)
			break;
	}
	*ret_lives = rc != TOCSIN_OK;
	if (*ret_lives)
		status = tool_failed("play", "the plugin does not stop: %s", plugin_rc_name(rc));
	if (report(p, player, ret_keep) != TOOL_FINE)
		status = TOOL_FAILED;
	return status;
}

static int play_file(struct play *p, int fd)
{
	struct plugin_file file;
	char err[512] = "";
	tocsin_host host = { .size = sizeof(host), .name = "tocsin play", .log = host_log };
	bool lives = false, keep = false;
	int status;
	tocsin_rc rc;

	if (plugin_file_load(p->plugin_path, err, sizeof(err), &file) < 0)
		return tool_failed("play", "%s", err);
	struct player player = { .plugin = file.plugin,
				 .name = fd == STDIN_FILENO ? "standard input" : p->file,
				 .interrupt = p->interrupt,
				 .speed = p->speed,
				 .progress = isatty(STDERR_FILENO) };
	host.abi = file.abi;
	host.version = PACKAGE_VERSION;
	rc = file.plugin->create(&host, p->options.kv, p->options.n, err, sizeof(err),
				 &player.instance);
	if (rc != TOCSIN_OK) {
		plugin_file_unload(&file);
		return tool_failed("play", "%s", err[0] ? err : plugin_rc_name(rc));
	}
	status = play_instance(p, &player, fd, &lives, &keep);
	if (!lives) {
		file.plugin->destroy(player.instance);
		plugin_file_unload(&file);
	}
	if (keep || lives)
		play_folder_keep(&p->folder);
	return status;
}

int play_main(int argc, char **argv)
{
	struct play play = { 0 };
	_cleanup_close_ int interrupt = -1;
	_cleanup_close_ int opened = -1;
	int status;

	default_options(&play);
	status = parse_arguments(&play, argc, argv);
	if (status >= 0)
		return status;
	if (strcmp(play.file, "-") != 0) {
		opened = open(play.file, O_RDONLY | O_CLOEXEC);
		if (opened < 0)
			return tool_failed("play", "cannot open %s: %s", play.file,
					   strerror(errno));
	}
	interrupt = catch_signals();
	if (interrupt < 0)
		return tool_failed("play", "cannot wait for signals: %s", strerror(-interrupt));
	play.interrupt = interrupt;
	status = play_folder_make(&play.folder, &play.options);
	if (status < 0)
		return tool_failed("play", "cannot make a folder in %s: %s", play.folder.parent,
				   strerror(-status));
	status = play_file(&play, opened < 0 ? STDIN_FILENO : opened);
	play_folder_done(&play.folder);
	return status;
}

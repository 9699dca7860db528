/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/verbs.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "base/cleanup.h"
#include "base/files.h"
#include "base/moment.h"
#include "base/text.h"
#include "deliver/syslog_target.h"
#include "places.h"
#include "runbooks.h"
#include "settings.h"
#include "tool/endpoint_check.h"
#include "tool/runbook_check.h"
#include "tool/tool.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define CERTIFICATE_SOON_NS (14 * 24 * 3600 * NS_PER_S)

static const char help[] =
	"usage: tocsin check [OPTION]...\n"
	"\n"
	"Checks what the plugin needs, one line each: ok, warning or FAILED and what to do. No "
	"page\n"
	"is sent. Exit status 1 when anything failed.\n"
	"\n"
	"      --config FILE         the settings file (default: the installed ones)\n"
	"  -o SECTION.KEY=VALUE      a setting, as the engine gives it\n"
	"      --runbooks DIR        check a site's own runbooks instead: heads, sections, links,\n"
	"                            and the contacts they need\n"
	"  -h, --help                this text\n";

enum verdict { VERDICT_OK, VERDICT_WARNING, VERDICT_FAILED };

#define VERDICTS (VERDICT_FAILED + 1)

struct check {
	struct tool_options options;
	const char *runbooks; /* the folder to check instead, or NULL */
	bool failed;
	struct text_buffer found[VERDICTS]; /* lines, printed at the end: what failed comes first */
};

_printf_(4, 5) static void tell(struct check *c, enum verdict verdict, const char *what,
				const char *format, ...)
{
	static const struct {
		const char *word;
		int colour;
	} verdicts[] = { { "ok", 32 }, { "warning", 33 }, { "FAILED", 31 } };
	struct text_buffer b = { 0 }, *found = &c->found[verdict];
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	text_buffer_printf(&b, "%s: %s", what, text);
	_cleanup_free_ char *line = text_to_line((tocsin_str){ b.ptr, b.len });
	text_buffer_done(&b);
	if (tool_colours(stdout))
		text_buffer_printf(found, "\033[%dm%-7s\033[0m  ", verdicts[verdict].colour,
				   verdicts[verdict].word);
	else
		text_buffer_printf(found, "%-7s  ", verdicts[verdict].word);
	text_buffer_printf(found, "%s\n", line ? line : "no memory");
	if (verdict == VERDICT_FAILED)
		c->failed = true;
}

static void print_found(struct check *c)
{
	for (int verdict = VERDICT_FAILED; verdict >= VERDICT_OK; verdict--) {
		if (c->found[verdict].ptr)
			fputs(c->found[verdict].ptr, stdout);
		text_buffer_done(&c->found[verdict]);
	}
}

/* -1: go on; else the exit status. */
static int parse_arguments(struct check *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "runbooks", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		if (option == 'c' && tool_options_add(&c->options, "config", optarg) == 0)
			continue;
		if (option == 'o' && tool_options_parse(&c->options, optarg) == 0)
			continue;
		if (option == 'r') {
			c->runbooks = optarg;
			continue;
		}
		if (option == 'h') {
			fputs(help, stdout);
			return TOOL_FINE;
		}
		if (option == 'o')
			return tool_wrong_use("check", "-o %s: expected section.key=value", optarg);
		return tool_wrong_use("check", "unknown option");
	}
	if (optind != argc)
		return tool_wrong_use("check", "unexpected argument %s", argv[optind]);
	return -1;
}

/* 0 when somebody listens there. */
static int try_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	memcpy(address.sun_path, path, strlen(path) + 1);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

static int try_syslog(void)
{
	struct syslog_socket s;
	int r = syslog_socket_init(&s, NULL);

	if (r == 0)
		r = syslog_socket_connect(&s);
	syslog_socket_done(&s);
	return r;
}

static void check_log(struct check *c, const struct settings *s)
{
	int journal, syslog;

	if (s->log_target == LOG_TARGET_STDERR) {
		tell(c, VERDICT_OK, "log", "to stderr, as log.target says");
		return;
	}
	journal = try_socket(JOURNAL_SOCKET);
	syslog = try_syslog();
	if (s->log_target == LOG_TARGET_SYSLOG && syslog == 0)
		tell(c, VERDICT_OK, "log", "to syslog, which listens on /dev/log");
	else if (s->log_target == LOG_TARGET_SYSLOG)
		tell(c, VERDICT_FAILED, "log",
		     "no syslog on /dev/log (%s): start one, or set log.target to auto or stderr",
		     strerror(-syslog));
	else if (journal == 0)
		tell(c, VERDICT_OK, "log", "journald listens on " JOURNAL_SOCKET);
	else if (s->log_target != LOG_TARGET_AUTO)
		tell(c, VERDICT_FAILED, "log",
		     "no journald on " JOURNAL_SOCKET " (%s): start systemd-journald, or set "
		     "log.target to auto or stderr",
		     strerror(-journal));
	else if (syslog == 0)
		tell(c, VERDICT_WARNING, "log",
		     "no journald on " JOURNAL_SOCKET " (%s): entries go to syslog, where tocsin's "
		     "own verbs do not find them",
		     strerror(-journal));
	else
		tell(c, VERDICT_WARNING, "log",
		     "no journald on " JOURNAL_SOCKET " (%s) and no syslog on /dev/log (%s): "
		     "entries go to stderr; start systemd-journald to keep them",
		     strerror(-journal), strerror(-syslog));
}

static void check_folders(struct check *c, const struct settings *s)
{
	struct places p;

	if (places_find(s, &p) < 0) {
		tell(c, VERDICT_FAILED, "folders", "no memory");
		return;
	}
	if (!p.runtime_trouble)
		tell(c, VERDICT_OK, "runtime folder", "%s is writable and on a tmpfs",
		     p.runtime_path);
	else
		tell(c, p.runtime < 0 ? VERDICT_FAILED : VERDICT_WARNING, "runtime folder", "%s",
		     p.runtime_trouble);
	if (!p.state_trouble)
		tell(c, VERDICT_OK, "state folder", "%s is writable", p.state_path);
	else
		tell(c, p.state < 0 ? VERDICT_FAILED : VERDICT_WARNING, "state folder", "%s",
		     p.state_trouble);
	if (p.state >= 0 && !folder_can_sync(p.state))
		tell(c, VERDICT_WARNING, "state folder", "%s " FOLDER_CANNOT_SYNC, p.state_path);
	places_done(&p);
}

/* A certificate that ends soon ends on a night when nobody looks. */
static void check_certificate(struct check *c, const char *name, uint64_t until_ns)
{
	uint64_t now_ns = clock_realtime_ns();
	char end[TIME_TEXT_SIZE], left[TIME_TEXT_SIZE];

	if (until_ns == 0 || until_ns < now_ns)
		return;
	time_to_local(until_ns, true, end);
	end[sizeof("2026-08-03") - 1] = 0;
	duration_to_text(until_ns - now_ns, left);
	if (until_ns - now_ns < CERTIFICATE_SOON_NS)
		tell(c, VERDICT_WARNING, name, "its certificate ends on %s, in %s: renew it", end,
		     left);
	else
		tell(c, VERDICT_OK, name, "its certificate is good until %s", end);
}

/* A secret that others may read is none; one that they may write is theirs. */
static void check_secrecy(struct check *c, const struct settings_endpoint *e)
{
	const struct {
		const char *key, *file;
	} secrets[] = { { "secret_file", e->secret_file },
			{ "token_file", e->token_file },
			{ "key_file", e->key_file },
			/* The key may be in it. */
			{ "cert_file", e->key_file ? NULL : e->cert_file } };
	struct stat st;

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		if (!secrets[i].file || stat(secrets[i].file, &st) < 0)
			continue;
		if (st.st_mode & (S_IROTH | S_IWOTH | S_IWGRP))
			tell(c, VERDICT_WARNING, e->name,
			     "%s: %s may be %s by others than its owner (mode %04o): chmod 0600, "
			     "or "
			     "0640 with the engine's group",
			     secrets[i].key, secrets[i].file,
			     st.st_mode & S_IROTH ? "read" : "written", st.st_mode & 07777);
	}
}

static void check_endpoint(struct check *c, const struct settings_endpoint *e)
{
	struct endpoint_report report;

	if (endpoint_check(e, &report) < 0) {
		tell(c, VERDICT_FAILED, e->name, "no memory");
		return;
	}
	if (report.reached)
		tell(c, VERDICT_OK, e->name, "%s answers%s", report.shown,
		     e->backup ? "; a backup" : "");
	else if (report.unverified)
		tell(c, VERDICT_FAILED, e->name,
		     "%s is not trusted: %s; check its certificate, and ca_file, cert_file and "
		     "key_file",
		     report.shown, report.trouble);
	else
		tell(c, VERDICT_FAILED, e->name,
		     "%s cannot be reached: %s; check the URL, the network and the receiver",
		     report.shown, report.trouble);
	check_certificate(c, e->name, report.until_ns);
	check_secrecy(c, e);
	if (!e->secret_file && !e->token_file && !e->cert_file)
		tell(c, VERDICT_WARNING, e->name,
		     "pages are not signed: make a secret and set secret_file, so that the "
		     "receiver can tell them from others'");
}

/* "FILE:LINE", or the file alone. */
static void tell_finding(void *userdata, bool error, const char *file, unsigned line,
			 const char *what)
{
	struct text_buffer place = { 0 };

	text_buffer_add(&place, str(file));
	if (line > 0)
		text_buffer_printf(&place, ":%u", line);
	tell(userdata, error ? VERDICT_FAILED : VERDICT_WARNING, place.ptr ? place.ptr : file, "%s",
	     what);
	text_buffer_done(&place);
}

static void tell_bad_head(void *userdata, const char *file, unsigned line, const char *what)
{
	tell_finding(userdata, true, file, line, what);
}

static void check_runbooks(struct check *c, const struct settings *s)
{
	struct role_gap gaps[ROLE_GAPS_MAX];
	struct runbooks *set = NULL;
	const struct runbook *all;
	unsigned n, of_site = 0;

	if (runbooks_load(s->runbooks_dir, tell_bad_head, c, &set) < 0) {
		tell(c, VERDICT_FAILED, "runbooks", "no memory");
		return;
	}
	n = runbooks_list(set, &all);
	for (unsigned i = 0; i < n; i++)
		of_site += all[i].of_site;
	tell(c, VERDICT_OK, "runbooks", "%u codes, %u of them the site's own", n, of_site);
	n = runbook_check_contacts(set, s, gaps);
	for (unsigned i = 0; i < n; i++)
		tell(c, VERDICT_WARNING, "contacts", "%.*s is not set in [contacts]; %s%s",
		     (int)gaps[i].role.len, gaps[i].role.ptr, gaps[i].first,
		     gaps[i].n > 1 ? "'s runbook and others name it" : "'s runbook names it");
	runbooks_free(set);
}

static void check_site_runbooks(struct check *c, const struct settings *s)
{
	unsigned n = 0;

	if (runbook_check_folder(c->runbooks, s, tell_finding, c, &n) < 0)
		tell(c, VERDICT_FAILED, "runbooks", "no memory");
	else if (!c->failed)
		tell(c, n > 0 ? VERDICT_OK : VERDICT_WARNING, "runbooks", "%u in %s%s", n,
		     c->runbooks, n > 0 ? " are right" : ": none has a name that ends in .md");
}

static void check_all(struct check *c, const struct settings *s)
{
	tell(c, VERDICT_OK, "settings", "they are right, for engine %s", s->engine_name);
	check_log(c, s);
	check_folders(c, s);
	check_runbooks(c, s);
	if (s->n_endpoints == 0)
		tell(c, VERDICT_WARNING, "pages",
		     "no endpoint is set, so nobody is paged: set webhook.url");
	for (unsigned i = 0; i < s->n_endpoints; i++)
		check_endpoint(c, &s->endpoints[i]);
}

static void tell_file(void *userdata, const char *path)
{
	tell(userdata, VERDICT_OK, "settings", "read from %s", path);
}

static void tell_wrong(void *userdata, const char *line)
{
	tell(userdata, VERDICT_FAILED, "settings", "%s", line);
}

static void tell_unknown(void *userdata, const char *line)
{
	tell(userdata, VERDICT_WARNING, "settings", "%s", line);
}

static void check_settings(struct check *c)
{
	const struct settings_listener listener = { tell_file, tell_wrong, tell_unknown, c };
	struct settings *settings = NULL;
	char err[512] = "";
	int r = c->runbooks
			? settings_read(c->options.kv, c->options.n, err, sizeof(err), &settings)
			: settings_load_told(c->options.kv, c->options.n, &listener, &settings);

	if (r < 0 && (c->runbooks || !c->failed))
		tell(c, VERDICT_FAILED, "settings", "%s", err[0] ? err : strerror(-r));
	if (r < 0)
		return;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	(c->runbooks ? check_site_runbooks : check_all)(c, settings);
	curl_global_cleanup();
	settings_free(settings);
}

int check_main(int argc, char **argv)
{
	struct check c = { 0 };
	int status = parse_arguments(&c, argc, argv);

	if (status >= 0)
		return status;
	check_settings(&c);
	print_found(&c);
	return c.failed ? TOOL_FAILED : TOOL_FINE;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/verbs.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>
#include "base/cleanup.h"
#include "base/files.h"
#include "base/moment.h"
#include "base/text.h"
#include "engine/folders.h"
#include "codes/runbooks.h"
#include "post/endpoint_files.h"
#include "settings/settings.h"
#include "tool/endpoint_check.h"
#include "tool/findings.h"
#include "tool/journal_files.h"
#include "tool/log_check.h"
#include "tool/runbook_check.h"
#include "tool/tool.h"

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
	"      --namespace NAME      of journald, where the engine's unit has LogNamespace=NAME\n"
	"      --runbooks DIR        check a site's own runbooks instead: heads, sections, links,\n"
	"                            and the contacts they need\n"
	"  -h, --help                this text\n";

struct check {
	struct tool_options options;
	const char *runbooks;   /* the folder to check instead, or NULL */
	const char *name_space; /* of journald, in which the engine's unit logs; or NULL */
	struct findings found;
};

/* -1: go on; else the exit status. */
static int parse_arguments(struct check *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "namespace", required_argument, NULL, 'n' },
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
		if (option == 'n' && journal_namespace_is_valid(optarg)) {
			c->name_space = optarg;
			continue;
		}
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
		if (option == 'n')
			return tool_wrong_use("check",
					      "--namespace %s: expected a journal namespace's name",
					      optarg);
		return tool_wrong_use("check", "unknown option");
	}
	if (optind != argc)
		return tool_wrong_use("check", "unexpected argument %s", argv[optind]);
	return -1;
}

static void check_folders(struct findings *f, const struct settings *s)
{
	struct folders p;

	if (folders_find(s, &p) < 0) {
		findings_tell(f, VERDICT_FAILED, "folders", "no memory");
		return;
	}
	if (!p.runtime_trouble)
		findings_tell(f, VERDICT_OK, "runtime folder", "%s is writable and on a tmpfs",
			      p.runtime_path);
	else
		findings_tell(f, p.runtime < 0 ? VERDICT_FAILED : VERDICT_WARNING, "runtime folder",
			      "%s", p.runtime_trouble);
	if (!p.state_trouble)
		findings_tell(f, VERDICT_OK, "state folder", "%s is writable", p.state_path);
	else
		findings_tell(f, p.state < 0 ? VERDICT_FAILED : VERDICT_WARNING, "state folder",
			      "%s", p.state_trouble);
	if (p.state >= 0 && !folder_can_sync(p.state))
		findings_tell(f, VERDICT_WARNING, "state folder", "%s " FOLDER_CANNOT_SYNC,
			      p.state_path);
	folders_done(&p);
}

/* A certificate that ends soon ends on a night when nobody looks. */
static void check_certificate(struct findings *f, const char *name, uint64_t until_ns)
{
	uint64_t now_ns = clock_realtime_ns();
	char end[TIME_TEXT_SIZE], left[TIME_TEXT_SIZE];

	if (until_ns == 0 || until_ns < now_ns)
		return;
	time_to_local(until_ns, true, end);
	end[sizeof("2026-08-03") - 1] = 0;
	duration_to_text(until_ns - now_ns, left);
	if (until_ns - now_ns < CERTIFICATE_SOON_NS)
		findings_tell(f, VERDICT_WARNING, name,
			      "its certificate ends on %s, in %s: renew it", end, left);
	else
		findings_tell(f, VERDICT_OK, name, "its certificate is good until %s", end);
}

/* A secret that others may read is none; one that they may write is theirs. */
static void check_secrecy(struct findings *f, const struct settings_endpoint *e)
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
			findings_tell(f, VERDICT_WARNING, e->name,
				      "%s: %s may be %s by others than its owner (mode %04o): "
				      "chmod 0600, "
				      "or "
				      "0640 with the engine's group",
				      secrets[i].key, secrets[i].file,
				      st.st_mode & S_IROTH ? "read" : "written",
				      st.st_mode & 07777);
	}
}

static void check_endpoint(struct findings *f, const struct settings_endpoint *e)
{
	struct endpoint_report report;

	if (endpoint_check(e, &report) < 0) {
		findings_tell(f, VERDICT_FAILED, e->name, "no memory");
		return;
	}
	if (report.reached)
		findings_tell(f, VERDICT_OK, e->name, "%s answers%s", report.shown,
			      e->backup ? "; a backup" : "");
	else if (report.unverified)
		findings_tell(
			f, VERDICT_FAILED, e->name,
			"%s is not trusted: %s; check its certificate, and ca_file, cert_file and "
			"key_file",
			report.shown, report.trouble);
	else
		findings_tell(
			f, VERDICT_FAILED, e->name,
			"%s cannot be reached: %s; check the URL, the network and the receiver",
			report.shown, report.trouble);
	check_certificate(f, e->name, report.until_ns);
	check_secrecy(f, e);
	if (!e->secret_file && !e->token_file && !e->cert_file)
		findings_tell(
			f, VERDICT_WARNING, e->name,
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
	findings_tell(userdata, error ? VERDICT_FAILED : VERDICT_WARNING,
		      place.ptr ? place.ptr : file, "%s", what);
	text_buffer_done(&place);
}

static void tell_bad_head(void *userdata, const char *file, unsigned line, const char *what)
{
	tell_finding(userdata, true, file, line, what);
}

static void check_runbooks(struct findings *f, const struct settings *s)
{
	struct role_gap gaps[ROLE_GAPS_MAX];
	struct runbooks *set = NULL;
	const struct runbook *all;
	unsigned n, of_site = 0;

	if (runbooks_load(s->runbooks_dir, tell_bad_head, f, &set) < 0) {
		findings_tell(f, VERDICT_FAILED, "runbooks", "no memory");
		return;
	}
	n = runbooks_list(set, &all);
	for (unsigned i = 0; i < n; i++)
		of_site += all[i].of_site;
	findings_tell(f, VERDICT_OK, "runbooks", "%u codes, %u of them the site's own", n, of_site);
	n = runbook_check_contacts(set, s, gaps);
	for (unsigned i = 0; i < n; i++)
		findings_tell(f, VERDICT_WARNING, "contacts", "%.*s is not set in [contacts]; %s%s",
			      (int)gaps[i].role.len, gaps[i].role.ptr, gaps[i].first,
			      gaps[i].n > 1 ? "'s runbook and others name it"
					    : "'s runbook names it");
	runbooks_free(set);
}

static void check_site_runbooks(struct check *c, const struct settings *s)
{
	unsigned n = 0;

	if (runbook_check_folder(c->runbooks, s, tell_finding, &c->found, &n) < 0)
		findings_tell(&c->found, VERDICT_FAILED, "runbooks", "no memory");
	else if (!c->found.failed)
		findings_tell(&c->found, n > 0 ? VERDICT_OK : VERDICT_WARNING, "runbooks",
			      "%u in %s%s", n, c->runbooks,
			      n > 0 ? " are right" : ": none has a name that ends in .md");
}

static void check_all(struct check *c, const struct settings *s)
{
	findings_tell(&c->found, VERDICT_OK, "settings", "they are right, for engine %s",
		      s->engine_name);
	log_check(&c->found, s, c->name_space);
	check_folders(&c->found, s);
	check_runbooks(&c->found, s);
	if (s->n_endpoints == 0)
		findings_tell(&c->found, VERDICT_WARNING, "pages",
			      "no endpoint is set, so nobody is paged: set webhook.url");
	for (unsigned i = 0; i < s->n_endpoints; i++)
		check_endpoint(&c->found, &s->endpoints[i]);
}

static void tell_file(void *userdata, const char *path)
{
	findings_tell(userdata, VERDICT_OK, "settings", "read from %s", path);
}

static void tell_wrong(void *userdata, const char *line)
{
	findings_tell(userdata, VERDICT_FAILED, "settings", "%s", line);
}

static void tell_unknown(void *userdata, const char *line)
{
	findings_tell(userdata, VERDICT_WARNING, "settings", "%s", line);
}

static void check_settings(struct check *c)
{
	const struct settings_listener listener = { tell_file, tell_wrong, tell_unknown,
						    &c->found };
	struct settings *settings = NULL;
	char err[512] = "";
	int r = c->runbooks
			? settings_read(c->options.kv, c->options.n, err, sizeof(err), &settings)
			: settings_load_told(endpoint_files_check, c->options.kv, c->options.n,
					     &listener, &settings);

	if (r < 0 && (c->runbooks || !c->found.failed))
		findings_tell(&c->found, VERDICT_FAILED, "settings", "%s",
			      err[0] ? err : strerror(-r));
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
	findings_print(&c.found);
	findings_done(&c.found);
	return c.found.failed ? TOOL_FAILED : TOOL_FINE;
}

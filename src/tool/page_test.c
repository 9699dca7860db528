/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/verbs.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/thread.h"
#include "page/page.h"
#include "post/pager.h"
#include "post/endpoint_files.h"
#include "settings/settings.h"
#include "tool/tool.h"

/* The pager's own timeouts end an attempt; this is for what they do not bound. */
#define SLACK_NS (5 * NS_PER_S)
#define STOP_TRIES 5

static const char help[] =
	"usage: tocsin page-test [OPTION]...\n"
	"\n"
	"Sends one test page to each endpoint, the way an alert's page goes: rendered, signed,\n"
	"posted by the pager, once. Tells what came back and how long it took. Exit status 1 when\n"
	"any was not taken.\n"
	"\n"
	"      --config FILE       the settings file (default: the installed ones)\n"
	"  -o SECTION.KEY=VALUE    a setting, as the engine gives it\n"
	"      --endpoint NAME     to this endpoint alone, such as webhook\n"
	"  -h, --help              this text\n";

struct page_test {
	struct tool_options options;
	const char *endpoint;
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool done, taken; /* the attempt has ended */
	uint64_t begun_ns;
};

/* -1: go on; else the exit status. */
static int parse_arguments(struct page_test *t, int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "endpoint", required_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		if (option == 'e')
			t->endpoint = optarg;
		else if ((option == 'c' && tool_options_add(&t->options, "config", optarg) == 0) ||
			 (option == 'o' && tool_options_parse(&t->options, optarg) == 0))
			continue;
		else if (option == 'h') {
			fputs(help, stdout);
			return TOOL_FINE;
		} else if (option == 'o') {
			return tool_wrong_use("page-test", "-o %s: expected section.key=value",
					      optarg);
		} else {
			return tool_wrong_use("page-test", "unknown option");
		}
	}
	if (optind != argc)
		return tool_wrong_use("page-test", "unexpected argument %s", argv[optind]);
	return -1;
}

/* On the pager's thread: the first attempt is the test, a second one is not waited for. */
static void attempted(void *userdata, const struct attempt *a)
{
	struct page_test *t = userdata;
	char lasted[TIME_TEXT_SIZE];
	uint64_t ns = clock_monotonic_ns() - t->begun_ns;

	pthread_mutex_lock(&t->lock);
	if (!t->done) {
		t->done = true;
		t->taken = a->result == ATTEMPT_DELIVERED;
		tool_print_text(stdout, str(a->endpoint));
		if (ns < NS_PER_S)
			snprintf(lasted, sizeof(lasted), "%.1f ms", (double)ns / NS_PER_MS);
		else
			duration_to_text(ns, lasted);
		if (t->taken)
			printf(": taken, answer %ld, after %s\n", a->http_status, lasted);
		else if (a->error && a->error[0]) {
			fputs(": NOT taken: ", stdout);
			tool_print_text(stdout, str(a->error));
			printf(", after %s\n", lasted);
		} else {
			printf(": NOT taken: answer %ld, after %s\n", a->http_status, lasted);
		}
	}
	pthread_cond_signal(&t->answered);
	pthread_mutex_unlock(&t->lock);
}

/* An incident that never was: GENERAL's, so that every receiver knows what to do with it. */
static int make_page(const struct settings *s, struct page **ret)
{
	uint64_t now_ns = clock_realtime_ns();
	char host[256] = "", message[] = "a test page, sent by tocsin page-test: nothing is wrong";
	char code[] = "GENERAL", key[] = "GENERAL";
	unsigned char random[16];
	struct incident i = {
		.key = key,
		.code = code,
		.message = message,
		.open = true,
		.priority = 3,
		.count = 1,
		.opened = { now_ns, now_ns },
		.raised = { now_ns, now_ns },
	};
	struct page_context c = {
		.engine = s->engine_name,
		.host = host,
		.runbooks_base_url = s->runbooks_base_url,
		.contacts = &s->contacts,
	};
	int r;

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	for (size_t n = 0; n < sizeof(random); n++)
		snprintf(i.id + 2 * n, 3, "%02x", random[n]);
	snprintf(i.id + 2 * sizeof(random), sizeof(i.id) - 2 * sizeof(random), "-0-test");
	(void)gethostname(host, sizeof(host) - 1);
	r = page_new(&c, &i, PAGE_RAISED, i.raised, ret);
	if (r < 0)
		return r;
	(*ret)->type = PAGE_TYPE_TEST;
	snprintf((*ret)->id, sizeof((*ret)->id), "%s.test", i.id);
	return 0;
}

/* Until the attempt is over; false: it never was. */
static bool wait_for_answer(struct page_test *t, uint64_t timeout_ns)
{
	struct timespec deadline = cond_deadline(timeout_ns);
	bool done;

	pthread_mutex_lock(&t->lock);
	while (!t->done && pthread_cond_timedwait(&t->answered, &t->lock, &deadline) == 0)
		continue;
	done = t->done;
	pthread_mutex_unlock(&t->lock);
	return done;
}

static int send_page(struct page_test *t, const struct settings *s, unsigned endpoint,
		     struct page *page)
{
	const struct settings_endpoint *e = &s->endpoints[endpoint];
	struct pager_options options = {
		.endpoints = e,
		.n_endpoints = 1,
		.version = PACKAGE_VERSION,
		.attempted = attempted,
		.userdata = t,
	};
	struct delivery *delivery = delivery_new(page, 0, 1);
	struct pager *pager;
	int r = delivery ? pager_new(&options, &pager) : -ENOMEM;

	t->done = t->taken = false;
	if (r == 0) {
		t->begun_ns = clock_monotonic_ns();
		r = pager_submit(pager, delivery);
		if (r == 0 && !wait_for_answer(t, e->timeout_ns + SLACK_NS))
			printf("%s: NOT taken: no answer within %s\n", e->name,
			       duration_to_text(e->timeout_ns + SLACK_NS,
						(char[TIME_TEXT_SIZE]){ 0 }));
		for (int i = 0; i < STOP_TRIES; i++)
			if (pager_stop(pager, 0) == 0) {
				pager_free(pager);
				break;
			}
	}
	delivery_unref(delivery);
	if (r < 0)
		printf("%s: NOT sent: %s\n", e->name, strerror(-r));
	return r == 0 && t->taken ? TOOL_FINE : TOOL_FAILED;
}

static int refuse_endpoint(const struct page_test *t, const struct settings *s)
{
	struct text_buffer names = { 0 };

	for (unsigned i = 0; i < s->n_endpoints; i++)
		text_buffer_printf(&names, "%s%s", i > 0 ? ", " : "", s->endpoints[i].name);
	if (s->n_endpoints == 0)
		tool_failed("page-test", "no webhook.url is set: there is nobody to page");
	else
		tool_failed("page-test", "there is no endpoint %s; there are: %s", t->endpoint,
			    names.ptr ? names.ptr : "");
	text_buffer_done(&names);
	return TOOL_FAILED;
}

static int send_all(struct page_test *t, const struct settings *s)
{
	int status = TOOL_FINE;
	bool any = false;

	for (unsigned i = 0; i < s->n_endpoints; i++) {
		struct page *page;

		if (t->endpoint && strcmp(t->endpoint, s->endpoints[i].name) != 0)
			continue;
		if (make_page(s, &page) < 0)
			return tool_failed("page-test", "no memory");
		any = true;
		if (send_page(t, s, i, page) != TOOL_FINE)
			status = TOOL_FAILED;
		page_unref(page);
	}
	return any ? status : refuse_endpoint(t, s);
}

int page_test_main(int argc, char **argv)
{
	struct page_test t = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct settings *s;
	char err[1024] = "";
	int status = parse_arguments(&t, argc, argv);

	if (status >= 0)
		return status;
	if (settings_load(endpoint_files_check, t.options.kv, t.options.n, err, sizeof(err), &s) <
	    0)
		return tool_failed("page-test", "%s", err);
	if (cond_init(&t.answered) < 0) {
		settings_free(s);
		return tool_failed("page-test", "no memory");
	}
	status = send_all(&t, s);
	pthread_cond_destroy(&t.answered);
	settings_free(s);
	return status;
}

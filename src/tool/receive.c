/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/verbs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "post/signature.h"
#include "tool/received_page.h"
#include "tool/tool.h"

#define BODY_MAX (1024u * 1024)
/* Connections at once: more are refused. */
#define CONNECTIONS_MAX 64
#define STEP_MS 100

static const char help[] =
	"usage: tocsin receive [OPTION]...\n"
	"\n"
	"Receives pages on 127.0.0.1, shows them and verifies their signatures. For trying things\n"
	"out: give the address of its first line as webhook.url.\n"
	"\n"
	"  --port N            the port (default 0: any that is free)\n"
	"  --secret-file FILE  verify signatures with the secrets in FILE; a wrong or missing\n"
	"                      signature is answered with 401\n"
	"  --count N           end after N pages\n"
	"  --timeout TIME      end after TIME, with exit status 1 when --count was not reached\n"
	"  --json              one JSON object a line: headers and body\n"
	"  -h, --help          this text\n";

struct receive {
	uint64_t port, count, timeout_ns;
	const char *secret_file;
	bool json;
	struct signature_secrets secrets;
	uint64_t received;
};

/* One request while it comes in. */
struct request {
	struct text_buffer body;
	bool too_large;
};

/* -1: go on; else the exit status. */
static int parse_option(struct receive *r, int option)
{
	switch (option) {
	case 'p':
		if (tool_parse_number(optarg, 0, 65535, &r->port) == 0)
			return -1;
		return tool_wrong_use("receive", "--port %s: expected 0 to 65535", optarg);
	case 's':
		r->secret_file = optarg;
		return -1;
	case 'c':
		if (tool_parse_number(optarg, 1, UINT64_MAX, &r->count) == 0)
			return -1;
		return tool_wrong_use("receive", "--count %s: expected a number from 1 on", optarg);
	case 't':
		if (duration_from_text(str(optarg), &r->timeout_ns) == 0 && r->timeout_ns > 0)
			return -1;
		return tool_wrong_use("receive", "--timeout %s: expected a time such as 30s",
				      optarg);
	case 'j':
		r->json = true;
		return -1;
	case 'h':
		fputs(help, stdout);
		return TOOL_FINE;
	default:
		return tool_wrong_use("receive", "unknown option");
	}
}

static int parse_arguments(struct receive *r, int argc, char **argv)
{
	static const struct option options[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "secret-file", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'c' },
		{ "timeout", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	unsigned line = 0;
	int option, status, e;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		status = parse_option(r, option);
		if (status >= 0)
			return status;
	}
	if (optind != argc)
		return tool_wrong_use("receive", "unexpected argument %s", argv[optind]);
	if (!r->secret_file)
		return -1;
	e = signature_load(r->secret_file, &r->secrets, &line);
	if (e == -EINVAL || e == -E2BIG || e == -ENODATA)
		return tool_failed(
			"receive",
			"%s:%u: expected whsec_ and the base64 of 24 to 64 bytes, one to "
			"%d lines of it",
			r->secret_file, line, SIGNATURE_SECRETS_MAX);
	if (e < 0)
		return tool_failed("receive", "cannot read %s: %s", r->secret_file, strerror(-e));
	return -1;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	struct MHD_Response *response;
	enum MHD_Result result;

	if (!copy)
		return MHD_NO;
	response = MHD_create_response_from_buffer(strlen(copy), copy, MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", "text/plain");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum received_signature verify(const struct receive *r, struct MHD_Connection *connection,
				      tocsin_str body)
{
	const char *id = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "webhook-id");
	const char *time =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "webhook-timestamp");
	const char *signature =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "webhook-signature");
	uint64_t seconds;

	if (r->secrets.n == 0)
		return signature ? RECEIVED_NOT_CHECKED : RECEIVED_NONE;
	if (!signature)
		return RECEIVED_NONE;
	if (!id || !time || tool_parse_number(time, 0, UINT64_MAX, &seconds) < 0)
		return RECEIVED_WRONG;
	return signature_verify(&r->secrets, id, seconds, body.ptr, body.len, signature)
		       ? RECEIVED_VERIFIED
		       : RECEIVED_WRONG;
}

static enum MHD_Result add_header(void *userdata, enum MHD_ValueKind kind, const char *name,
				  const char *value)
{
	(void)kind;
	received_page_header(userdata, name, value);
	return MHD_YES;
}

static enum MHD_Result take_page(struct receive *r, struct MHD_Connection *connection,
				 const struct request *request)
{
	struct received_page page = { .body = { request->body.ptr, request->body.len },
				      .number = r->received + 1 };
	bool refused;

	if (!page.body.ptr)
		page.body = STR("");
	MHD_get_connection_values(connection, MHD_HEADER_KIND, add_header, &page);
	page.signature = verify(r, connection, page.body);
	refused = page.signature == RECEIVED_WRONG ||
		  (page.signature == RECEIVED_NONE && r->secrets.n > 0);
	received_page_print(stdout, &page, r->json, refused);
	fflush(stdout);
	received_page_done(&page);
	if (refused)
		return answer(connection, MHD_HTTP_UNAUTHORIZED, "the signature is wrong\n");
	r->received++;
	return answer(connection, MHD_HTTP_NO_CONTENT, "");
}

static enum MHD_Result handle(void *userdata, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *data,
			      size_t *size, void **state)
{
	struct receive *r = userdata;
	struct request *request = *state;

	(void)url;
	(void)version;
	if (!request) {
		*state = calloc(1, sizeof(*request));
		return *state ? MHD_YES : MHD_NO;
	}
	if (*size > 0) {
		if (request->body.len + *size > BODY_MAX)
			request->too_large = true;
		else
			text_buffer_add(&request->body, (tocsin_str){ data, *size });
		*size = 0;
		return MHD_YES;
	}
	if (strcmp(method, "POST") != 0)
		return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "pages are posted\n");
	if (request->too_large || request->body.failed)
		return answer(connection, MHD_HTTP_CONTENT_TOO_LARGE, "at most a megabyte\n");
	if (r->count && r->received >= r->count)
		return answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "enough received\n");
	return take_page(r, connection, request);
}

static void request_done(void *userdata, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode code)
{
	struct request *request = *state;

	(void)userdata;
	(void)connection;
	(void)code;
	if (request)
		text_buffer_done(&request->body);
	free(request);
	*state = NULL;
}

static struct MHD_Daemon *start(struct receive *r)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)r->port) };

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, handle, r, MHD_OPTION_SOCK_ADDR,
				&address, MHD_OPTION_NOTIFY_COMPLETED, request_done, NULL,
				MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
				MHD_OPTION_CONNECTION_TIMEOUT, 60u, MHD_OPTION_END);
}

/* Serves until enough pages came, the time is over or a signal. */
static int serve(struct receive *r, struct MHD_Daemon *daemon, int interrupt)
{
	uint64_t end = r->timeout_ns ? clock_monotonic_ns() + r->timeout_ns : UINT64_MAX;
	struct pollfd fd = { .fd = interrupt, .events = POLLIN };

	while (!r->count || r->received < r->count) {
		if (clock_monotonic_ns() >= end)
			return r->count ? tool_failed("receive",
						      "%" PRIu64 " pages came in time, expected "
						      "%" PRIu64,
						      r->received, r->count)
					: TOOL_FINE;
		if (poll(&fd, 1, 0) > 0)
			return r->count ? TOOL_FAILED : TOOL_FINE;
		MHD_run_wait(daemon, STEP_MS);
	}
	/* The answer to the last page is still to be sent. */
	for (int i = 0; i < 3; i++)
		MHD_run_wait(daemon, 20);
	return TOOL_FINE;
}

static int catch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int receive_main(int argc, char **argv)
{
	struct receive r = { 0 };
	_cleanup_close_ int interrupt = -1;
	const union MHD_DaemonInfo *info;
	struct MHD_Daemon *daemon;
	int status = parse_arguments(&r, argc, argv);

	if (status >= 0)
		return status;
	interrupt = catch_signals();
	daemon = start(&r);
	if (!daemon) {
		signature_forget(&r.secrets);
		return tool_failed("receive", "cannot listen on 127.0.0.1:%" PRIu64 ": %s", r.port,
				   strerror(errno));
	}
	info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
	if (!r.json)
		printf("listening on http://127.0.0.1:%u/\n", info ? info->port : (unsigned)r.port);
	else
		printf("{\"listening\":\"http://127.0.0.1:%u/\"}\n",
		       info ? info->port : (unsigned)r.port);
	fflush(stdout);
	status = serve(&r, daemon, interrupt);
	MHD_stop_daemon(daemon);
	signature_forget(&r.secrets);
	return status;
}

/* SPDX-License-Identifier: MIT */
/*
 * A receiver of pages that behaves as it is told, for the scripts beside it.
 *
 *	scripted-receiver [--port N] --script FILE|STEPS --out FILE
 *
 * It listens on loopback, on a port of the system's choosing unless one is given, and prints that
 * port as the first line. STEPS are separated by commas or white space, one for each request; the
 * last goes on for ever:
 *
 *	200, 503, ...                answers with that status (3xx with a Location on itself)
 *	redirect                     302
 *	delay:MS[:STATUS]            waits first, then answers, 200 by default
 *	retry-after:S[:STATUS]       with Retry-After in seconds, 503 by default
 *	retry-after-date:S[:STATUS]  with Retry-After as a date, so many seconds after its Date
 *	refuse:TEXT                  400 to a page that has TEXT in it, 200 to any other
 *	hang                         never answers
 *	reset                        resets the connection once the request is there
 *	empty                        closes the connection without a byte
 *	half[:STATUS]                closes it within the body, 200 by default
 *	cut[:STATUS]                 resets it there
 *	garbled[:STATUS]             a body whose chunks are none
 *	drip[:STATUS]                a body that comes byte by byte and never whole
 *	endless[:STATUS]             a body without an end, 200 by default
 *	endless-head                 a 200 with headers without an end
 *	slow                         a 200 whose head comes byte by byte and never whole
 *
 * Each request becomes one line of JSON in the file when it is there as a whole, before it is
 * answered: time (seconds since the epoch), connection, method, path, headers (names in lower
 * case), body, step. It ends on SIGTERM or SIGINT.
 */
#include "config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/moment.h"
#include "base/text.h"
#include "picture/metadata.h"
#include "scripted_steps.h"

#define STEPS_MAX 1024
#define SCRIPT_FILE_MAX 65536
#define BODY_MAX (1024 * 1024)

struct receiver {
	struct step steps[STEPS_MAX];
	unsigned n_steps;
	pthread_mutex_t mutex; /* over the rest */
	unsigned n_requests, n_connections;
	FILE *out;
};

/* A file of that name, else the steps themselves. */
static int script_load(struct receiver *r, const char *script)
{
	_cleanup_free_ char *text = NULL;
	char *rest, *word, shown[64];
	size_t len;
	int e = file_read(AT_FDCWD, script, SCRIPT_FILE_MAX, &text, &len);

	if (e < 0)
		text = strdup(script);
	for (rest = text; rest && (word = strsep(&rest, ", \t\r\n"));) {
		if (*word == 0)
			continue;
		snprintf(shown, sizeof shown, "%s", word);
		if (r->n_steps == STEPS_MAX || step_parse(word, &r->steps[r->n_steps]) < 0) {
			fprintf(stderr,
				"scripted-receiver: there is something wrong with a step\n");
			return -EINVAL;
		}
		r->n_steps++;
	}
	return r->n_steps > 0 ? 0 : -EINVAL;
}

static enum MHD_Result header_add(void *userdata, enum MHD_ValueKind kind, const char *key,
				  const char *value)
{
	json_t *headers = userdata;
	_cleanup_free_ char *name = strdup(key);

	(void)kind;
	for (char *c = name; c && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (name)
		json_object_set_new_nocheck(headers, name, text_to_json(str(value)));
	return MHD_YES;
}

/* Whose turn it is, and the line in the file. */
static const struct step *request_note(struct receiver *r, struct MHD_Connection *c,
				       const char *method, const char *path,
				       const struct text_buffer *body)
{
	const unsigned *connection =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
	double now_s = (double)(clock_realtime_ns() / 1000) / 1e6;
	json_t *headers = json_object(), *line;
	const struct step *step;

	MHD_get_connection_values(c, MHD_HEADER_KIND, header_add, headers);
	pthread_mutex_lock(&r->mutex);
	step = &r->steps[r->n_requests < r->n_steps ? r->n_requests : r->n_steps - 1];
	r->n_requests++;
	line = json_pack("{s:f,s:i,s:s,s:o,s:o,s:o,s:s}", "time", now_s, "connection",
			 connection ? (int)*connection : 0, "method", method, "path",
			 text_to_json(str(path)), "headers", headers, "body",
			 text_to_json((tocsin_str){ body->ptr, body->len }), "step", step->text);
	if (!line || json_dumpf(line, r->out, JSON_COMPACT | JSON_REAL_PRECISION(16)) < 0 ||
	    fputc('\n', r->out) == EOF || fflush(r->out) != 0) {
		perror("scripted-receiver: cannot write what came");
		_exit(1);
	}
	json_decref(line);
	pthread_mutex_unlock(&r->mutex);
	return step;
}

/* Past the library, which would not do such things. false: the other side has gone. */
static bool send_raw(int fd, const char *text)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (n < 0 && poll(&p, 1, -1) < 0 && errno != EINTR)
			return false;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

static void wait_ms(unsigned ms)
{
	struct timespec wait = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&wait, &wait) < 0 && errno == EINTR)
		;
}

/* What no library answers; the connection ends after it. */
static void step_misbehave(const struct step *step, int fd)
{
	const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	char head[64], kilobyte[1024 + 1];

	memset(kilobyte, '.', sizeof kilobyte - 1);
	kilobyte[sizeof kilobyte - 1] = 0;
	snprintf(head, sizeof head, "HTTP/1.1 %u As told\r\n", step->status ? step->status : 200);
	if (step->kind >= STEP_HALF)
		send_raw(fd, head);
	switch (step->kind) {
	case STEP_HANG:
		for (;;)
			pause();
	case STEP_RESET:
		/* Closing would end it in good order first; this is the kernel's way to a reset. */
		connect(fd, &nowhere, sizeof nowhere);
		break;
	case STEP_HALF:
		send_raw(fd, "Content-Length: 2000\r\n\r\n");
		send_raw(fd, kilobyte);
		break;
	case STEP_CUT:
		send_raw(fd, "Content-Length: 2000\r\n\r\n");
		send_raw(fd, kilobyte);
		connect(fd, &nowhere, sizeof nowhere);
		break;
	case STEP_GARBLED:
		send_raw(fd, "Transfer-Encoding: chunked\r\n\r\nno chunk\r\n");
		break;
	case STEP_DRIP:
		send_raw(fd, "Content-Length: 2000\r\n\r\n");
		while (send_raw(fd, "."))
			wait_ms(20);
		break;
	case STEP_ENDLESS:
		send_raw(fd, "Content-Type: text/plain\r\n\r\n");
		while (send_raw(fd, kilobyte))
			;
		break;
	case STEP_ENDLESS_HEAD:
		while (send_raw(fd, "X-More: ") && send_raw(fd, kilobyte) && send_raw(fd, "\r\n"))
			;
		break;
	case STEP_SLOW:
		while (send_raw(fd, "X"))
			wait_ms(20);
		break;
	default:
		break;
	}
}

static void date_to_http(time_t t, char *ret, size_t size)
{
	struct tm tm;

	strftime(ret, size, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
}

static void retry_after_add(const struct step *step, struct MHD_Response *response)
{
	time_t now = time(NULL);
	char value[64];

	if (step->kind == STEP_RETRY_AFTER) {
		snprintf(value, sizeof value, "%u", step->number);
	} else {
		/* Who is asked to wait takes the one date from the other. */
		date_to_http(now, value, sizeof value);
		MHD_add_response_header(response, "Date", value);
		date_to_http(now + (time_t)step->number, value, sizeof value);
	}
	MHD_add_response_header(response, "Retry-After", value);
}

/* Each connection has a thread of its own, so waiting hinders nobody. */
static enum MHD_Result step_do(const struct step *step, struct MHD_Connection *c,
			       const struct text_buffer *body)
{
	unsigned status = step->status;
	enum MHD_Result result;
	struct MHD_Response *response;

	if (step->kind >= STEP_HANG) {
		step_misbehave(
			step,
			MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
		return MHD_NO;
	}
	if (step->kind == STEP_ANSWER)
		wait_ms(step->number);
	if (step->kind == STEP_REFUSE)
		status = body->ptr && strstr(body->ptr, step->refused) ? 400 : 200;
	response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	if (step->status >= 300 && step->status <= 399)
		MHD_add_response_header(response, "Location", "/redirected");
	if (step->kind == STEP_RETRY_AFTER || step->kind == STEP_RETRY_AFTER_DATE)
		retry_after_add(step, response);
	result = MHD_queue_response(c, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result handle(void *userdata, struct MHD_Connection *c, const char *path,
			      const char *method, const char *version, const char *data,
			      size_t *size, void **request)
{
	struct text_buffer *body = *request;

	(void)version;
	if (!body) {
		*request = calloc(1, sizeof *body);
		return *request ? MHD_YES : MHD_NO;
	}
	if (*size > 0) {
		if (body->len + *size > BODY_MAX)
			return MHD_NO;
		text_buffer_add(body, (tocsin_str){ data, *size });
		*size = 0;
		return MHD_YES;
	}
	return step_do(request_note(userdata, c, method, path, body), c, body);
}

static void completed(void *userdata, struct MHD_Connection *c, void **request,
		      enum MHD_RequestTerminationCode code)
{
	struct text_buffer *body = *request;

	(void)userdata;
	(void)c;
	(void)code;
	if (body)
		text_buffer_done(body);
	free(body);
	*request = NULL;
}

static void connected(void *userdata, struct MHD_Connection *c, void **context,
		      enum MHD_ConnectionNotificationCode code)
{
	struct receiver *r = userdata;

	(void)c;
	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		free(*context);
		*context = NULL;
		return;
	}
	unsigned *number = malloc(sizeof *number);
	pthread_mutex_lock(&r->mutex);
	r->n_connections++;
	if (number)
		*number = r->n_connections;
	pthread_mutex_unlock(&r->mutex);
	*context = number;
}

static struct MHD_Daemon *daemon_start(struct receiver *r, unsigned port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL, 0,
		NULL, NULL, handle, r, MHD_OPTION_SOCK_ADDR, &address,
		MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_NOTIFY_COMPLETED, completed,
		NULL, MHD_OPTION_NOTIFY_CONNECTION, connected, r, MHD_OPTION_END);
}

static int usage(void)
{
	fputs("usage: scripted-receiver [--port N] --script FILE|STEPS --out FILE\n", stderr);
	return 2;
}

static int options_read(int argc, char **argv, struct receiver *r, unsigned *ret_port)
{
	static const struct option options[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "script", required_argument, NULL, 's' },
		{ "out", required_argument, NULL, 'o' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'p' && number_parse(optarg, UINT16_MAX, ret_port) == 0)
			continue;
		if (c == 's' && r->n_steps == 0 && script_load(r, optarg) == 0)
			continue;
		if (c == 'o' && !r->out && (r->out = fopen(optarg, "ae")))
			continue;
		return -EINVAL;
	}
	return optind == argc && r->n_steps > 0 && r->out ? 0 : -EINVAL;
}

int main(int argc, char **argv)
{
	static struct receiver r;
	struct MHD_Daemon *daemon;
	unsigned port = 0;
	sigset_t ends;
	int sig;

	if (options_read(argc, argv, &r, &port) < 0)
		return usage();
	/* Blocked in all threads, so that the one below takes them. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	pthread_mutex_init(&r.mutex, NULL);
	daemon = daemon_start(&r, port);
	if (!daemon) {
		perror("scripted-receiver: cannot listen");
		return 1;
	}
	printf("%u\n", (unsigned)MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	sigwait(&ends, &sig);
	/* Those that hang would be waited for. */
	_exit(0);
}

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
 *	200, 503, ...      answers with that status (3xx with a Location on itself)
 *	hang               never answers
 *	reset              resets the connection once the request is there
 *	delay:MS[:STATUS]  waits first, then answers, 200 by default
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

#define STEPS_MAX 1024
#define SCRIPT_FILE_MAX 65536
#define BODY_MAX (1024 * 1024)

enum step_kind { STEP_ANSWER, STEP_HANG, STEP_RESET };

struct step {
	enum step_kind kind;
	unsigned status;
	unsigned delay_ms;
	char text[32];
};

struct receiver {
	struct step steps[STEPS_MAX];
	unsigned n_steps;
	pthread_mutex_t mutex; /* over the rest */
	unsigned n_requests, n_connections;
	FILE *out;
};

static int number_parse(const char *s, unsigned most, unsigned *ret)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(s, &end, 10);
	if (!isdigit((unsigned char)*s) || *end != 0 || errno != 0 || n > most)
		return -EINVAL;
	*ret = (unsigned)n;
	return 0;
}

static int status_parse(const char *s, unsigned *ret)
{
	unsigned status;

	if (number_parse(s, 599, &status) < 0 || status < 200)
		return -EINVAL;
	*ret = status;
	return 0;
}

static int step_parse(char *word, struct step *ret)
{
	static const char delay[] = "delay:";
	struct step s = { .kind = STEP_ANSWER, .status = 200 };
	char *status;

	snprintf(s.text, sizeof s.text, "%s", word);
	if (strcmp(word, "hang") == 0) {
		s.kind = STEP_HANG;
	} else if (strcmp(word, "reset") == 0) {
		s.kind = STEP_RESET;
	} else if (strncmp(word, delay, sizeof delay - 1) == 0) {
		word += sizeof delay - 1;
		status = strchr(word, ':');
		if (status)
			*status++ = 0;
		if (number_parse(word, 3600000, &s.delay_ms) < 0 ||
		    (status && status_parse(status, &s.status) < 0))
			return -EINVAL;
	} else if (status_parse(word, &s.status) < 0) {
		return -EINVAL;
	}
	*ret = s;
	return 0;
}

/* A file of that name, else the steps themselves. */
static int script_load(struct receiver *r, const char *script)
{
	_cleanup_free_ char *text = NULL;
	char *rest, *word;
	size_t len;
	int e = file_read(AT_FDCWD, script, SCRIPT_FILE_MAX, &text, &len);

	if (e < 0)
		text = strdup(script);
	for (rest = text; rest && (word = strsep(&rest, ", \t\r\n"));) {
		if (*word == 0)
			continue;
		if (r->n_steps == STEPS_MAX || step_parse(word, &r->steps[r->n_steps]) < 0) {
			fprintf(stderr, "scripted-receiver: what is the step \"%s\"?\n", word);
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

/* Each connection has a thread of its own, so waiting hinders nobody. */
static enum MHD_Result step_do(const struct step *step, struct MHD_Connection *c)
{
	struct timespec wait = { step->delay_ms / 1000, step->delay_ms % 1000 * 1000000L };
	struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	enum MHD_Result result;
	struct MHD_Response *response;
	int fd;

	if (step->kind == STEP_HANG)
		for (;;)
			pause();
	if (step->kind == STEP_RESET) {
		fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		/* Closing would end it in good order first; this is the kernel's way to a reset. */
		connect(fd, &nowhere, sizeof nowhere);
		return MHD_NO;
	}
	while (nanosleep(&wait, &wait) < 0 && errno == EINTR)
		;
	response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	if (step->status >= 300 && step->status <= 399)
		MHD_add_response_header(response, "Location", "/redirected");
	result = MHD_queue_response(c, step->status, response);
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
	return step_do(request_note(userdata, c, method, path, body), c);
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

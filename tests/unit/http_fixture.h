/* SPDX-License-Identifier: MIT */
/*
 * A real HTTP server inside the test, on a port of its own on loopback, that answers after a script
 * and remembers what it was sent. The last step of a script goes on for ever.
 */
#ifndef TOCSIN_TESTS_UNIT_HTTP_FIXTURE_H
#define TOCSIN_TESTS_UNIT_HTTP_FIXTURE_H

#include "deliver_fixture.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <sys/socket.h>

#include "base/thread.h"

#define HTTP_SEEN_MAX 512
#define HTTP_HUGE_SIZE (4 * 1024 * 1024)

enum {
	HTTP_HANG = -1,     /* never answers */
	HTTP_DROP = -2,     /* closes the connection without a word */
	HTTP_GATE = -3,     /* answers 200 once the gate is open, and everybody waits */
	HTTP_HUGE = 100000, /* added to a status: with a body of HTTP_HUGE_SIZE */
};

struct http_seen {
	char path[64], id[PAGE_ID_SIZE], timestamp[32], signature[256], agent[64], type[64],
		auth[64];
	char *body;
	size_t len;
	bool expects;
	unsigned connection; /* from 1 */
};

struct http_server {
	struct MHD_Daemon *daemon;
	unsigned port;
	pthread_mutex_t mutex; /* over the rest */
	pthread_cond_t changed;
	const long *steps;
	unsigned n_steps, n_seen, n_connections;
	struct http_seen seen[HTTP_SEEN_MAX];
	struct MHD_Connection *hanging[HTTP_SEEN_MAX];
	unsigned n_hanging;
	bool gate_open;
	/* Sent with what is no success; NULL: not. The former in a header for each line. */
	const char *retry_after, *date;
};

__attribute__((unused)) static void http_copy(char *to, size_t size, struct MHD_Connection *c,
					      const char *header)
{
	const char *value = MHD_lookup_connection_value(c, MHD_HEADER_KIND, header);

	snprintf(to, size, "%s", value ? value : "");
}

/* The step for this request, which is now complete. */
__attribute__((unused)) static long http_note(struct http_server *s, struct MHD_Connection *c,
					      const char *path, struct text_buffer *body)
{
	struct http_seen *seen = &s->seen[s->n_seen % HTTP_SEEN_MAX];
	unsigned step = s->n_seen < s->n_steps ? s->n_seen : s->n_steps - 1;

	free(seen->body);
	snprintf(seen->path, sizeof seen->path, "%s", path);
	http_copy(seen->id, sizeof seen->id, c, "webhook-id");
	http_copy(seen->timestamp, sizeof seen->timestamp, c, "webhook-timestamp");
	http_copy(seen->signature, sizeof seen->signature, c, "webhook-signature");
	http_copy(seen->agent, sizeof seen->agent, c, "User-Agent");
	http_copy(seen->type, sizeof seen->type, c, "Content-Type");
	http_copy(seen->auth, sizeof seen->auth, c, "Authorization");
	seen->expects = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Expect") != NULL;
	seen->body = body->ptr;
	seen->len = body->len;
	seen->connection =
		(unsigned)(uintptr_t)MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
			->socket_context;
	*body = (struct text_buffer){ 0 };
	s->n_seen++;
	pthread_cond_broadcast(&s->changed);
	while (s->steps[step] == HTTP_GATE && !s->gate_open)
		pthread_cond_wait(&s->changed, &s->mutex);
	return s->steps[step];
}

static void http_add_lines(struct MHD_Response *r, const char *header, const char *lines)
{
	char copy[256], *rest = copy, *line;

	snprintf(copy, sizeof copy, "%s", lines);
	while ((line = strsep(&rest, "\n")))
		MHD_add_response_header(r, header, line);
}

static enum MHD_Result http_answer(const struct http_server *s, struct MHD_Connection *c, long step)
{
	static char huge[HTTP_HUGE_SIZE];
	size_t len = step >= HTTP_HUGE ? sizeof huge : 0;
	long status = step == HTTP_GATE ? 200 : step % HTTP_HUGE;
	struct MHD_Response *r = MHD_create_response_from_buffer(len, huge, MHD_RESPMEM_PERSISTENT);

	if (status >= 300 && status <= 399)
		MHD_add_response_header(r, "Location", "/elsewhere");
	if (status >= 300 && s->retry_after)
		http_add_lines(r, "Retry-After", s->retry_after);
	if (status >= 300 && s->date)
		MHD_add_response_header(r, "Date", s->date);
	enum MHD_Result result = MHD_queue_response(c, (unsigned)status, r);
	MHD_destroy_response(r);
	return result;
}

static enum MHD_Result http_handle(void *userdata, struct MHD_Connection *c, const char *path,
				   const char *method, const char *version, const char *data,
				   size_t *size, void **request)
{
	struct http_server *s = userdata;
	struct text_buffer *body = *request;

	(void)method;
	(void)version;
	if (!body) {
		*request = calloc(1, sizeof *body);
		return *request ? MHD_YES : MHD_NO;
	}
	if (*size > 0) {
		text_buffer_add(body, (tocsin_str){ data, *size });
		*size = 0;
		return MHD_YES;
	}
	pthread_mutex_lock(&s->mutex);
	long step = http_note(s, c, path, body);
	if (step == HTTP_HANG) {
		MHD_suspend_connection(c);
		s->hanging[s->n_hanging++] = c;
	}
	pthread_mutex_unlock(&s->mutex);
	if (step == HTTP_HANG)
		return MHD_YES;
	return step == HTTP_DROP ? MHD_NO : http_answer(s, c, step);
}

__attribute__((unused)) static void http_completed(void *userdata, struct MHD_Connection *c,
						   void **request,
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

__attribute__((unused)) static void http_connected(void *userdata, struct MHD_Connection *c,
						   void **socket_data,
						   enum MHD_ConnectionNotificationCode code)
{
	struct http_server *s = userdata;

	(void)c;
	if (code != MHD_CONNECTION_NOTIFY_STARTED)
		return;
	pthread_mutex_lock(&s->mutex);
	*socket_data = (void *)(uintptr_t)++s->n_connections;
	pthread_mutex_unlock(&s->mutex);
}

/* All is borrowed; with key and certificate (PEM) it speaks TLS. */
__attribute__((unused)) static struct http_server *http_start_tls(const long *steps,
								  unsigned n_steps, const char *key,
								  const char *cert)
{
	struct http_server *s = calloc(1, sizeof *s);
	struct sockaddr_in address = { .sin_family = AF_INET };
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_ALLOW_SUSPEND_RESUME;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key },
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)cert },
		{ MHD_OPTION_END, 0, NULL },
	};

	assert_non_null(s);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	pthread_mutex_init(&s->mutex, NULL);
	assert_int_equal(cond_init(&s->changed), 0);
	s->steps = steps;
	s->n_steps = n_steps;
	s->daemon =
		MHD_start_daemon(flags | (key ? MHD_USE_TLS : 0), 0, NULL, NULL, http_handle, s,
				 MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED,
				 http_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION, http_connected,
				 s, MHD_OPTION_ARRAY, key ? tls : &tls[2], MHD_OPTION_END);
	assert_non_null(s->daemon);
	s->port = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
	return s;
}

__attribute__((unused)) static struct http_server *http_start(const long *steps, unsigned n_steps)
{
	return http_start_tls(steps, n_steps, NULL, NULL);
}

/* After those that post to it have stopped. */
__attribute__((unused)) static void http_stop(struct http_server *s)
{
	pthread_mutex_lock(&s->mutex);
	for (unsigned i = 0; i < s->n_hanging; i++)
		MHD_resume_connection(s->hanging[i]);
	s->n_hanging = 0;
	s->steps = (const long[]){ 500 };
	s->n_steps = 1;
	pthread_mutex_unlock(&s->mutex);
	MHD_stop_daemon(s->daemon);
	for (unsigned i = 0; i < HTTP_SEEN_MAX; i++)
		free(s->seen[i].body);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

__attribute__((unused)) static void http_open_gate(struct http_server *s)
{
	pthread_mutex_lock(&s->mutex);
	s->gate_open = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->mutex);
}

/* How many requests and connections there have been. */
__attribute__((unused)) static void http_count(struct http_server *s, unsigned *ret_seen,
					       unsigned *ret_connections)
{
	pthread_mutex_lock(&s->mutex);
	*ret_seen = s->n_seen;
	*ret_connections = s->n_connections;
	pthread_mutex_unlock(&s->mutex);
}

__attribute__((unused)) static void http_wait_seen(struct http_server *s, unsigned least)
{
	struct timespec until = cond_deadline(FIXTURE_LIMIT_NS);

	pthread_mutex_lock(&s->mutex);
	while (s->n_seen < least)
		assert_int_equal(pthread_cond_timedwait(&s->changed, &s->mutex, &until), 0);
	pthread_mutex_unlock(&s->mutex);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A receiver of pages inside a test of the loaded plugin: plain sockets on loopback and one thread,
 * so that nothing else of the process (libraries, descriptors, threads) comes with it. Each request
 * takes the next step of a script; the last goes on for ever.
 */
#ifndef TOCSIN_TESTS_ABI_RECEIVER_H
#define TOCSIN_TESTS_ABI_RECEIVER_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/moment.h"
#include "base/thread.h"
#include "host.h"

#define RECEIVER_SEEN_MAX 256
#define RECEIVER_LIMIT_NS (60 * NS_PER_S) /* for what must come; nothing is judged by it */

/* A step is the answer's status line and headers, each with its line end, or one of these. */
#define STEP_TAKE "HTTP/1.1 200 OK\r\n"
#define STEP_BUSY "HTTP/1.1 503 Service Unavailable\r\n"
#define STEP_HANG "hang"   /* never answers */
#define STEP_RESET "reset" /* resets the connection before a byte is read */

struct receiver {
	int listener;
	char url[64];
	pthread_t thread;
	pthread_mutex_t mutex; /* over the rest */
	pthread_cond_t changed;
	const char *const *steps;
	unsigned n_steps, n_seen;
	struct receiver_seen {
		char id[128];
		char *body;
	} seen[RECEIVER_SEEN_MAX];
	int hanging[RECEIVER_SEEN_MAX];
	unsigned n_hanging;
	bool over;
};

/* Reads one request; false when the other side went before it was whole. */
static bool receiver_read(int fd, struct receiver_seen *ret)
{
	static const char id_header[] = "webhook-id: ", length_header[] = "Content-Length: ";
	char bytes[65536];
	size_t len = 0, whole = SIZE_MAX;

	while (len < whole && len < sizeof bytes - 1) {
		ssize_t n = recv(fd, bytes + len, sizeof bytes - 1 - len, 0);

		if (n <= 0)
			return false;
		len += (size_t)n;
		bytes[len] = 0;
		char *end = strstr(bytes, "\r\n\r\n"), *at = strstr(bytes, length_header);
		if (end && at)
			whole = (size_t)(end + 4 - bytes) +
				strtoul(at + sizeof length_header - 1, NULL, 10);
	}
	char *id = strstr(bytes, id_header), *body = strstr(bytes, "\r\n\r\n");
	if (!id || !body)
		return false;
	snprintf(ret->id, sizeof ret->id, "%.*s", (int)strcspn(id + sizeof id_header - 1, "\r"),
		 id + sizeof id_header - 1);
	ret->body = strdup(body + 4);
	return true;
}

static void receiver_reset(int fd)
{
	struct linger now = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(fd);
}

/* Takes a connection over; one request each. */
static void receiver_serve(struct receiver *r, int fd)
{
	struct receiver_seen seen = { 0 };
	char answer[512];

	pthread_mutex_lock(&r->mutex);
	const char *step = r->steps[r->n_seen < r->n_steps ? r->n_seen : r->n_steps - 1];
	pthread_mutex_unlock(&r->mutex);

	bool reset = strcmp(step, STEP_RESET) == 0, hang = strcmp(step, STEP_HANG) == 0;
	bool whole = reset || receiver_read(fd, &seen);
	if (whole) {
		pthread_mutex_lock(&r->mutex);
		free(r->seen[r->n_seen % RECEIVER_SEEN_MAX].body);
		r->seen[r->n_seen++ % RECEIVER_SEEN_MAX] = seen;
		if (hang)
			r->hanging[r->n_hanging++ % RECEIVER_SEEN_MAX] = fd;
		pthread_cond_broadcast(&r->changed);
		pthread_mutex_unlock(&r->mutex);
	}
	if (reset) {
		receiver_reset(fd);
		return;
	}
	if (whole && hang)
		return;
	snprintf(answer, sizeof answer, "%sContent-Length: 0\r\nConnection: close\r\n\r\n", step);
	if (whole)
		(void)!send(fd, answer, strlen(answer), MSG_NOSIGNAL);
	close(fd);
}

static void *receiver_main(void *arg)
{
	struct receiver *r = arg;
	bool over = false;

	while (!over) {
		struct pollfd p = { .fd = r->listener, .events = POLLIN };

		if (poll(&p, 1, 20) > 0) {
			int fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC);

			if (fd >= 0)
				receiver_serve(r, fd);
		}
		pthread_mutex_lock(&r->mutex);
		over = r->over;
		pthread_mutex_unlock(&r->mutex);
	}
	return NULL;
}

/* The steps are borrowed. */
_unused_ static struct receiver *receiver_start(const char *const *steps, unsigned n_steps)
{
	struct receiver *r = calloc(1, sizeof *r);
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof address;

	assert_non_null(r);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r->steps = steps;
	r->n_steps = n_steps;
	r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(r->listener >= 0);
	assert_int_equal(bind(r->listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(r->listener, 128), 0);
	assert_int_equal(getsockname(r->listener, (struct sockaddr *)&address, &len), 0);
	snprintf(r->url, sizeof r->url, "http://127.0.0.1:%u/hook", ntohs(address.sin_port));
	pthread_mutex_init(&r->mutex, NULL);
	assert_int_equal(cond_init(&r->changed), 0);
	assert_int_equal(pthread_create(&r->thread, NULL, receiver_main, r), 0);
	return r;
}

_unused_ static unsigned receiver_seen(struct receiver *r)
{
	pthread_mutex_lock(&r->mutex);
	unsigned n = r->n_seen;
	pthread_mutex_unlock(&r->mutex);
	return n;
}

_unused_ static void receiver_wait(struct receiver *r, unsigned least)
{
	struct timespec until = cond_deadline(RECEIVER_LIMIT_NS);

	pthread_mutex_lock(&r->mutex);
	while (r->n_seen < least)
		assert_int_equal(pthread_cond_timedwait(&r->changed, &r->mutex, &until), 0);
	pthread_mutex_unlock(&r->mutex);
}

/* Lets those go that hang, and answers by other steps from here on. */
_unused_ static void receiver_script(struct receiver *r, const char *const *steps, unsigned n_steps)
{
	pthread_mutex_lock(&r->mutex);
	for (unsigned i = 0; i < r->n_hanging; i++)
		receiver_reset(r->hanging[i]);
	r->n_hanging = 0;
	r->steps = steps;
	r->n_steps = n_steps;
	pthread_mutex_unlock(&r->mutex);
}

/* Did a request of that page's suffix come? The index of the first, or -1. */
_unused_ static int receiver_find(struct receiver *r, const char *suffix, unsigned from)
{
	int found = -1;

	pthread_mutex_lock(&r->mutex);
	for (unsigned i = from; i < r->n_seen && found < 0; i++) {
		size_t len = strlen(r->seen[i].id), n = strlen(suffix);

		if (len >= n && strcmp(r->seen[i].id + len - n, suffix) == 0)
			found = (int)i;
	}
	pthread_mutex_unlock(&r->mutex);
	return found;
}

_unused_ static void receiver_stop(struct receiver *r)
{
	receiver_script(r, r->steps, r->n_steps);
	pthread_mutex_lock(&r->mutex);
	r->over = true;
	pthread_mutex_unlock(&r->mutex);
	pthread_join(r->thread, NULL);
	close(r->listener);
	for (unsigned i = 0; i < RECEIVER_SEEN_MAX; i++)
		free(r->seen[i].body);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->mutex);
	free(r);
}

#endif

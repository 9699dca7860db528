/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "bench_receivers.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *data,
			      size_t *size, void **request)
{
	const struct receiver_manners *m = cls;

	(void)url, (void)method, (void)version, (void)data;
	if (!*request) {
		if (m->came)
			m->came();
		*request = cls;
		return MHD_YES;
	}
	if (*size > 0) {
		*size = 0;
		return MHD_YES;
	}
	struct MHD_Response *r = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result = MHD_queue_response(connection, m->status ? m->status() : 204, r);
	MHD_destroy_response(r);
	return result;
}

int receiver_answers(const struct receiver_manners *m, char url[static RECEIVER_URL_SIZE])
{
	/* It answers until the program ends. */
	struct MHD_Daemon *server = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL,
						     answer, (void *)(uintptr_t)m, MHD_OPTION_END);
	const union MHD_DaemonInfo *info =
		server ? MHD_get_daemon_info(server, MHD_DAEMON_INFO_BIND_PORT) : NULL;

	if (!info)
		return -1;
	snprintf(url, RECEIVER_URL_SIZE, "http://127.0.0.1:%u/", info->port);
	return 0;
}

static int port_make(char url[static RECEIVER_URL_SIZE], bool closed)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		return -1;
	if (closed)
		close(fd);
	snprintf(url, RECEIVER_URL_SIZE, "http://127.0.0.1:%u/", ntohs(at.sin_port));
	return 0;
}

int receiver_hangs(char url[static RECEIVER_URL_SIZE])
{
	return port_make(url, false);
}

int receiver_is_away(char url[static RECEIVER_URL_SIZE])
{
	return port_make(url, true);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "post/pager_sockets.h"

#include <unistd.h>

static curl_socket_t socket_open(void *userdata, curlsocktype purpose,
				 struct curl_sockaddr *address)
{
	struct pager_sockets *s = userdata;
	int fd = descriptor_socket(address->family, address->socktype, address->protocol);

	(void)purpose;
	if (fd < 0)
		return CURL_SOCKET_BAD;
	if (s->n < PAGER_SOCKETS_MAX) {
		s->open[s->n].fd = fd;
		s->open[s->n++].identity = descriptor_identify(fd);
	}
	return fd;
}

/* One that was closed under us is another file's by now. */
static int socket_close(void *userdata, curl_socket_t fd)
{
	struct pager_sockets *s = userdata;

	for (unsigned i = 0; i < s->n; i++) {
		if (s->open[i].fd != fd)
			continue;
		bool ours = descriptor_is(fd, s->open[i].identity);

		s->open[i] = s->open[--s->n];
		return ours ? close(fd) : 0;
	}
	return close(fd);
}

bool pager_sockets_serve(struct pager_sockets *s, CURL *easy)
{
	return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, socket_open) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, s) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, socket_close) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, s) == CURLE_OK;
}

bool pager_sockets_are_ours(const struct pager_sockets *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (!descriptor_is(s->open[i].fd, s->open[i].identity))
			return false;
	return true;
}

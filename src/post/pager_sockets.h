/* SPDX-License-Identifier: MIT */
/*
 * The sockets that libcurl opens for one endpoint: opened by us, so that none has a number below 3,
 * and known by more than their numbers, so that one which somebody else in the process has closed
 * is noticed before it is used again.
 */
#ifndef TOCSIN_POST_PAGER_SOCKETS_H
#define TOCSIN_POST_PAGER_SOCKETS_H

#include <curl/curl.h>
#include <stdbool.h>
#include "base/descriptor.h"

#define PAGER_SOCKETS_MAX 64 /* those past it are closed by number alone */

/* All zero: none is open. It must outlive each connection that was made with it. */
struct pager_sockets {
	struct {
		int fd;
		struct descriptor_identity identity;
	} open[PAGER_SOCKETS_MAX];
	unsigned n;
};

/* Lets the handle open and close its sockets here. */
bool pager_sockets_serve(struct pager_sockets *s, CURL *easy);
/* False: somebody has closed one of them, and no kept connection may be used. To be asked before
 * each attempt. */
bool pager_sockets_are_ours(const struct pager_sockets *s);

#endif

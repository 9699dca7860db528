/* SPDX-License-Identifier: MIT */
/* Can an endpoint be reached, and does it prove who it is? Nothing is posted. */
#ifndef TOCSIN_TOOL_ENDPOINT_CHECK_H
#define TOCSIN_TOOL_ENDPOINT_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include "settings/settings.h"

#define ENDPOINT_TROUBLE_SIZE 512

struct endpoint_report {
	char shown[300];   /* scheme, host and port: the rest of a URL may be a secret */
	bool reached;      /* it answered, and over TLS both sides are verified */
	bool unverified;   /* TLS could not verify it or us, or it wants TLS and the URL does not */
	uint64_t until_ns; /* when its certificate ends, wall time; 0: none, or not known */
	char trouble[ENDPOINT_TROUBLE_SIZE]; /* one line, without secrets; "" when reached */
};

/*
 * Connects as the pager does, with its timeouts, TLS and certificates, and asks with OPTIONS,
 * without token and signature; any status is an answer. curl_global_init must have been called.
 * -ENOMEM.
 */
int endpoint_check(const struct settings_endpoint *e, struct endpoint_report *ret);

#endif

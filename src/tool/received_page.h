/* SPDX-License-Identifier: MIT */
/* A page as it was received, shown to a person or as JSON. */
#ifndef TOCSIN_TOOL_RECEIVED_PAGE_H
#define TOCSIN_TOOL_RECEIVED_PAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include "tocsin_plugin.h"

enum received_signature {
	RECEIVED_NONE,        /* it has no signature */
	RECEIVED_NOT_CHECKED, /* it has one and we have no secret */
	RECEIVED_VERIFIED,
	RECEIVED_WRONG,
};

/* Zero-initialise it. */
struct received_page {
	tocsin_str body; /* the request's */
	uint64_t number; /* from 1 */
	enum received_signature signature;
	json_t *headers; /* an object of strings, names in lower case; or NULL */
};

/* Without memory the header is left out. */
void received_page_header(struct received_page *p, const char *name, const char *value);
void received_page_print(FILE *f, const struct received_page *p, bool json, bool refused);
void received_page_done(struct received_page *p);

#endif

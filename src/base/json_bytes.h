/* SPDX-License-Identifier: MIT */
/* JSON out of a file: what cannot be read is told from what there was no memory to read. */
#ifndef TOCSIN_BASE_JSON_BYTES_H
#define TOCSIN_BASE_JSON_BYTES_H

#include <jansson.h>
#include <stddef.h>

/*
 * The value that these bytes are, in which nothing is nested deeper than nesting_max and no object
 * has a member twice. -EBADMSG: they are none; -ENOMEM.
 */
int json_from_bytes(const char *bytes, size_t len, unsigned nesting_max, json_t **ret);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Why something that is needed could not be had, as a line for a person: which call failed, how,
 * and which limit of the process or the machine it was.
 */
#ifndef TOCSIN_BASE_FAILURE_H
#define TOCSIN_BASE_FAILURE_H

#include <stddef.h>

#define FAILURE_SIZE 256

/* The line: "CALL: error (what to look at)". Empty: nothing has failed. */
struct failure {
	char line[FAILURE_SIZE];
};

/* Sets the line, unless a cause was set before; f may be NULL. error: -errno. Returns error. */
int failure_set(struct failure *f, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The calls whose cost is measured: those of one engine, and what else an engine could call.
 */
#ifndef TOCSIN_BENCH_SUBJECTS_H
#define TOCSIN_BENCH_SUBJECTS_H

#include <stdbool.h>
#include <stddef.h>

#include "tocsin_plugin.h"

#define SMALL 120 /* bytes of the payloads */
#define LARGE 3000

struct subject {
	const char *name;
	int (*call)(void);
	size_t encoded;     /* bytes of its record; 0: none of ours */
	const char *unless; /* a socket without which it does nothing */
	double most;        /* times the floor, 0: not said */
	bool slow;          /* far fewer calls */
	bool is_measure;    /* of what the others are told as multiples */
};

/*
 * Makes ready what is called; what cannot be had of the others is told. The folder is for files. To
 * be called before the thread is pinned, for the others' threads shall not be.
 */
void subjects_open(const tocsin_plugin *plugin, tocsin_instance *instance, const char *folder);
void subjects_close(void);

/* The next subject that can be measured after *at, which begins at 0; NULL at the end. */
const struct subject *subjects_next(size_t *at);

#endif

/* SPDX-License-Identifier: MIT */
/* The runs of all engines, the worst first. */
#ifndef TOCSIN_TOOL_RUN_LIST_H
#define TOCSIN_TOOL_RUN_LIST_H

#include "tool/run_find.h"

struct run_list {
	struct run_picture **list; /* replays last */
	size_t n;
	bool hosts; /* they are on more than one host */
	/* What was not looked at; 0: nothing. */
	int journal_error;
	char journal_gap[JOURNAL_QUERY_GAP_SIZE];
	size_t unreadable; /* state folders */
	size_t left_out;   /* state folders past ENGINE_SNAPSHOTS_MAX */
};

/* Of the query's engine or all; only engines, unless replays. -ENOMEM; what run_find gives but
 * -ENOENT. */
int run_list_read(const struct query *q, bool replays, struct run_list *ret);
void run_list_done(struct run_list *l);

/* What the list leaves out, for people: calls `tell` for each. */
void run_list_gaps(const struct run_list *l, void (*tell)(void *userdata, const char *text),
		   void *userdata);

#endif

/* SPDX-License-Identifier: MIT */
/* The verbs of the tocsin command. The man page and the completion are checked against the table.
 */
#ifndef TOCSIN_TOOL_VERBS_H
#define TOCSIN_TOOL_VERBS_H

#include <stddef.h>

struct verb {
	const char *name;
	const char *help; /* one line */
	/* As a program's main, with argv[0] "tocsin NAME"; returns the exit status. */
	int (*main)(int argc, char **argv);
};

/* In the order in which --help lists them. */
extern const struct verb verb_table[];
extern const size_t verb_table_size;

int play_main(int argc, char **argv);
int receive_main(int argc, char **argv);
int alerts_main(int argc, char **argv);
int status_main(int argc, char **argv);
int sessions_main(int argc, char **argv);
int snapshot_main(int argc, char **argv);
int export_main(int argc, char **argv);
int page_test_main(int argc, char **argv);
int runbook_main(int argc, char **argv);
int check_main(int argc, char **argv);
int rescue_main(int argc, char **argv);
int sentinel_main(int argc, char **argv);
int blackbox_main(int argc, char **argv);
int pages_main(int argc, char **argv);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Runs a command and kills it at one boundary of a system call.
 *
 *	kill-at N THREADS COMMAND [ARGUMENT]...
 *
 * Each entry into a system call and each return from one is a boundary; those of threads whose name
 * begins with THREADS ("" for all) are counted, those of processes that the command starts too. At
 * the N-th everything gets SIGKILL before that thread goes on. Prints the boundaries counted.
 *
 * Exits with 0 when it was killed, with 3 when it ended by itself before that, with 77 where
 * nothing may be traced, with 1 when something else went wrong.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#define THREADS_MAX 64
#define EXIT_SKIP 77
#define EXIT_ENDED 3
#define SYSCALL_STOP (SIGTRAP | 0x80) /* as PTRACE_O_TRACESYSGOOD marks it */

struct traced {
	pid_t command;
	const char *prefix;
	/* Threads known to count: a name is looked up until it fits, since it is given late. */
	pid_t counting[THREADS_MAX];
	size_t n_counting;
	unsigned long boundaries, last;
	int status; /* of the command, once it ended */
	bool ended;
};

static bool name_fits(const struct traced *t, pid_t thread)
{
	char path[64], name[32] = "";
	_cleanup_fclose_ FILE *file = NULL;

	snprintf(path, sizeof path, "/proc/%d/comm", (int)thread);
	file = fopen(path, "re");
	return file && fgets(name, sizeof name, file) &&
	       strncmp(name, t->prefix, strlen(t->prefix)) == 0;
}

static bool thread_counts(struct traced *t, pid_t thread)
{
	for (size_t i = 0; i < t->n_counting; i++)
		if (t->counting[i] == thread)
			return true;
	if (!name_fits(t, thread))
		return false;
	if (t->n_counting < THREADS_MAX)
		t->counting[t->n_counting++] = thread;
	return true;
}

/* The child stops before its exec, so that nothing of the command goes untraced. */
static pid_t command_start(char **argv)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(EXIT_SKIP);
	raise(SIGSTOP);
	execvp(argv[0], argv);
	perror(argv[0]);
	_exit(1);
}

/* 0, or the exit status to end with. */
static int command_seize(pid_t pid)
{
	static const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
				    PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC |
				    PTRACE_O_EXITKILL;
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return 1;
	if (!WIFSTOPPED(status))
		return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL, options) < 0) {
		perror("kill-at: ptrace");
		kill(pid, SIGKILL);
		return errno == EPERM ? EXIT_SKIP : 1;
	}
	return ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0 ? 1 : 0;
}

/* What a stopped thread is to be given when it goes on: a signal of its own, or none. */
static long signal_of(int status)
{
	int signal = WSTOPSIG(status);

	/* A stop of ours, or a new thread's first. */
	if (status >> 16 != 0 || signal == SYSCALL_STOP || signal == SIGSTOP)
		return 0;
	return signal;
}

/* One event of one thread. Returns false when the boundary to die at is reached. */
static bool step(struct traced *t, pid_t thread, int status)
{
	if (WIFEXITED(status) || WIFSIGNALED(status)) {
		if (thread == t->command) {
			t->ended = true;
			t->status = status;
		}
		return true;
	}
	if (WSTOPSIG(status) == SYSCALL_STOP && thread_counts(t, thread) &&
	    ++t->boundaries == t->last)
		return false;
	ptrace(PTRACE_SYSCALL, thread, NULL, signal_of(status));
	return true;
}

/* SIGKILL to the command, and until all of its threads are gone; PTRACE_O_EXITKILL gets the rest.
 */
static void command_kill(const struct traced *t)
{
	pid_t thread;
	int status;

	kill(t->command, SIGKILL);
	while ((thread = waitpid(-1, &status, __WALL)) > 0)
		if (thread == t->command && (WIFEXITED(status) || WIFSIGNALED(status)))
			break;
}

int main(int argc, char **argv)
{
	struct traced t = { 0 };
	int status, r;

	if (argc < 4 || (t.last = strtoul(argv[1], NULL, 10)) == 0) {
		fprintf(stderr, "usage: kill-at N THREADS COMMAND [ARGUMENT]...\n");
		return 1;
	}
	t.prefix = argv[2];
	t.command = command_start(argv + 3);
	if (t.command < 0)
		return 1;
	r = command_seize(t.command);
	if (r != 0)
		return r;
	for (;;) {
		pid_t thread = waitpid(-1, &status, __WALL);

		if (thread < 0)
			break;
		if (!step(&t, thread, status)) {
			command_kill(&t);
			printf("%lu\n", t.boundaries);
			return 0;
		}
	}
	printf("%lu\n", t.boundaries);
	if (!t.ended || !WIFEXITED(t.status) || WEXITSTATUS(t.status) != 0) {
		fprintf(stderr, "kill-at: the command failed by itself\n");
		return 1;
	}
	return EXIT_ENDED;
}

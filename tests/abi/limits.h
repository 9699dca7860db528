/* SPDX-License-Identifier: MIT */
/* A start of the plugin in a child of its own, where little is allowed. */
#ifndef TOCSIN_TESTS_ABI_LIMITS_H
#define TOCSIN_TESTS_ABI_LIMITS_H

#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define CALLS_MAX 16
#define NOBODY 65534
#define LOOKS 1000 /* a millisecond apart */

/* How a child ends when what it wants to limit cannot be limited here. */
#define EXIT_SKIPPED 77

struct limits {
	const char *name;
	int (*set)(const struct limits *l); /* -1: not here */
	unsigned value; /* bytes that are left, or the filter's verdict for these calls: */
	int calls[CALLS_MAX];
	bool other_user;           /* the child is no longer root */
	bool pages;                /* a page becomes due, for a receiver that is not there */
	bool fails;                /* start does */
	const char *says;          /* what the host is told at least; NULL: nothing about it */
	bool low_closed;           /* descriptors below 3 are, and stay so */
	void (*undo)(pid_t child); /* in the parent, when the child is over; may be NULL */
};

#define EPERM_OF (SECCOMP_RET_ERRNO | EPERM)

static int limit(int which, rlim_t value)
{
	struct rlimit l = { value, value };

	return setrlimit(which, &l);
}

static int by_filter(const struct limits *l)
{
	struct sock_filter code[CALLS_MAX + 4];
	unsigned n = 0, calls = 0;

	while (calls < CALLS_MAX && l->calls[calls] > 0)
		calls++;
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < calls; i++)
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							 (unsigned)l->calls[i],
							 (unsigned char)(calls - i), 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, l->value);
	struct sock_fprog program = { (unsigned short)n, code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* --- What a host does --- */

static const char *last_told(const struct world *w)
{
	return w->logged > 0 ? w->log : "nothing";
}

/* 0, or the line of the check that failed. */
#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what))                                                                       \
			return __LINE__;                                                           \
	} while (0)

static int forked_child_is_refused(const struct world *w, tocsin_instance *i)
{
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "DATA_FEED_DOWN");
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(w->plugin->on_alert(i, &a, NULL) == TOCSIN_E_STATE ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static int descriptor_is_below_three(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return 1;
	return 0;
}

/* What is being opened has such a number for a moment, until it is moved. */
static int no_descriptor_below_three(void)
{
	unsigned looks = 0;

	while (descriptor_is_below_three() && looks++ < LOOKS)
		usleep(1000);
	return looks < LOOKS;
}

/* Is there a file in the outbox? */
static bool page_is_kept(const struct world *w)
{
	char path[160];
	struct dirent *e;
	bool found = false;

	snprintf(path, sizeof path, "%s/outbox", w->state);
	_cleanup_(cleanup_dir) DIR *d = opendir(path);
	while (d && (e = readdir(d)))
		found |= strstr(e->d_name, ".raised") != NULL;
	return found;
}

static int engine_runs(struct world *w, const struct limits *l, tocsin_instance *i)
{
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "DATA_FEED_DOWN");

	CHECK(w->plugin->on_alert(i, &a, NULL) == TOCSIN_OK);
	CHECK(w->plugin->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_C(60000000000)) == TOCSIN_OK);
	CHECK(forked_child_is_refused(w, i));
	if (l->low_closed)
		CHECK(no_descriptor_below_three());
	if (l->pages)
		CHECK(page_is_kept(w));
	CHECK(w->plugin->stop(i, l->pages ? UINT64_C(5000000000) : UINT64_C(60000000000)) ==
	      TOCSIN_OK);
	return 0;
}

static int engine(struct world *w, const struct limits *l)
{
	char err[256] = "";
	tocsin_instance *i = NULL;

	if (l->pages)
		option(w, "webhook.url", "http://127.0.0.1:9/");
	tocsin_rc rc = w->plugin->create(&w->host, w->options, w->n_options, err, sizeof err, &i);
	if (rc != TOCSIN_OK) {
		keep_log(&w->host, 0, err, strlen(err));
		CHECK(l->fails && l->says && strstr(err, l->says));
		return 0;
	}
	rc = w->plugin->start(i);
	CHECK((rc != TOCSIN_OK) == l->fails);
	if (rc != TOCSIN_OK)
		CHECK(strstr(w->log, "tocsin cannot start for engine contract"));
	int line = rc == TOCSIN_OK ? engine_runs(w, l, i) : 0;
	w->plugin->destroy(i);
	if (line == 0 && l->says)
		CHECK(strstr(w->log, l->says));
	return line;
}

/* In the child. What went wrong goes to `report`, which no limit holds. */
static void child(struct world *w, const struct limits *l, int report)
{
	char text[sizeof w->log + 128];

	if (l->set && l->set(l) < 0)
		_exit(EXIT_SKIPPED);
	int line = engine(w, l);
	if (line == 0)
		_exit(0);
	int n = snprintf(text, sizeof text, "line %d; the host was told: %s", line, last_told(w));
	if (n > 0 && write(report, text, (size_t)n) < 0)
		_exit(2);
	_exit(1);
}

static void starts_or_says_why(const struct limits *l)
{
	char text[16384] = "";
	int pair[2], status;
	void *state = NULL;

	assert_int_equal(world_make(&state), 0);
	struct world *w = state;
	if (!w) {
		fail();
		return;
	}
	/* Of whoever the child becomes; where that is not root, nobody can become anybody else. */
	if (l->other_user && geteuid() == 0)
		assert_int_equal(chown(w->folder->path, NOBODY, NOBODY), 0);
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		child(w, l, pair[1]);
	close(pair[1]);
	for (size_t len = 0;;) {
		ssize_t n = read(pair[0], text + len, sizeof text - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(pair[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (l->undo)
		l->undo(pid);
	if (WIFSIGNALED(status))
		fail_msg("%s (%#x): killed by signal %d", l->name, l->value, WTERMSIG(status));
	if (WEXITSTATUS(status) == EXIT_SKIPPED)
		print_message("%s: skipped, it cannot be limited here\n", l->name);
	else if (WEXITSTATUS(status) != 0)
		fail_msg("%s (%#x): %s", l->name, l->value, text);
	world_end(&state);
}

#endif

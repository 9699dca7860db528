/* SPDX-License-Identifier: MIT */
/*
 * The plugin where little is allowed: limits of resources, filters of system calls, descriptors
 * that are closed. Each in a child of its own: start succeeds, or says which call has failed and
 * why; nothing ever ends the process.
 */
#include "config.h"
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
	bool other_user;  /* the child is no longer root */
	bool fails;       /* start does */
	const char *says; /* what the host is told at least; NULL: nothing about it */
};

/* --- Limits --- */

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

static int no_file_at_all(const struct limits *l)
{
	(void)l;
	return limit(RLIMIT_FSIZE, 0);
}

static int no_large_file(const struct limits *l)
{
	(void)l;
	return limit(RLIMIT_FSIZE, 1024 * 1024);
}

/* Root is not held by it. */
static int no_thread(const struct limits *l)
{
	(void)l;
	return setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
			       limit(RLIMIT_NPROC, 0) < 0
		       ? -1
		       : 0;
}

static int all_locked(const struct limits *l)
{
	return mlockall(MCL_FUTURE) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
			       limit(RLIMIT_MEMLOCK, l->value) < 0
		       ? -1
		       : 0;
}

/* Nothing is free in the heap, whatever the test program has left there. */
static int all_locked_and_used(const struct limits *l)
{
	if (all_locked(l) < 0)
		return -1;
	for (size_t size = 65536; size >= 16; size /= 2)
		for (volatile char *p; (p = malloc(size));)
			*p = 0;
	return 0;
}

static int little_memory(const struct limits *l)
{
	unsigned long pages = 0;
	_cleanup_fclose_ FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%lu", &pages) != 1)
		return -1;
	return limit(RLIMIT_AS, pages * 4096 + l->value);
}

static int idle_class(const struct limits *l)
{
	struct sched_param param = { 0 };

	(void)l;
	return sched_setscheduler(0, SCHED_IDLE, &param) < 0 ||
			       setresuid(NOBODY, NOBODY, NOBODY) < 0 || limit(RLIMIT_NICE, 0) < 0
		       ? -1
		       : 0;
}

static int idle_and_filter(const struct limits *l)
{
	struct sched_param param = { 0 };

	return sched_setscheduler(0, SCHED_IDLE, &param) < 0 ? -1 : by_filter(l);
}

static int pinned_and_filter(const struct limits *l)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	if (cpu < 0 || sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return -1;
	CPU_ZERO(&one);
	CPU_SET((unsigned)cpu, &one);
	return sched_setaffinity(0, sizeof one, &one) < 0 ? -1 : by_filter(l);
}

/* What a daemon does before it opens its own. */
static int closed_low(const struct limits *l)
{
	(void)l;
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	return 0;
}

#define EPERM_OF (SECCOMP_RET_ERRNO | EPERM)
#define RESOURCES                                                                                  \
	SYS_ioprio_set, SYS_mbind, SYS_migrate_pages, SYS_move_pages, SYS_sched_setaffinity,       \
		SYS_sched_setattr, SYS_sched_setparam, SYS_sched_setscheduler, SYS_set_mempolicy,  \
		SYS_setpriority, SYS_setrlimit
#define PRIVILEGED                                                                                 \
	SYS_chown, SYS_fchown, SYS_fchownat, SYS_lchown, SYS_setuid, SYS_setgid, SYS_setgroups,    \
		SYS_setresuid, SYS_setresgid, SYS_capset, SYS_chroot, SYS_bpf, SYS_quotactl

/* Too few bytes for a start, so that it fails at one thing or another. */
static const unsigned rooms[] = {
	0,      4096,   8192,   16384,   32768,   65536,   98304,
	131072, 262144, 524288, 1048576, 2097152, 4194304,
};

static const struct limits table[] = {
	{ "nothing is limited", NULL, 0, { 0 }, false, false, NULL },
	{ "descriptors 0, 1 and 2 are closed", closed_low, 0, { 0 }, false, false, NULL },
	{ "no file may be written", no_file_at_all, 0, { 0 }, false, false, "RLIMIT_FSIZE" },
	{ "no file may be as large as the recorder",
	  no_large_file,
	  0,
	  { 0 },
	  false,
	  false,
	  "RLIMIT_FSIZE" },
	{ "no thread may be made",
	  no_thread,
	  0,
	  { 0 },
	  true,
	  true,
	  "pthread_create of tocsin-dispatch" },
	{ "idle class, nothing better is allowed",
	  idle_class,
	  0,
	  { 0 },
	  true,
	  false,
	  "scheduling class" },
	{ "@resources kill",
	  by_filter,
	  SECCOMP_RET_KILL_PROCESS,
	  { RESOURCES },
	  false,
	  false,
	  NULL },
	{ "@resources fail", by_filter, EPERM_OF, { RESOURCES }, false, false, NULL },
	{ "@privileged kill",
	  by_filter,
	  SECCOMP_RET_KILL_PROCESS,
	  { PRIVILEGED },
	  false,
	  false,
	  NULL },
	{ "@resources fail in an idle class",
	  idle_and_filter,
	  EPERM_OF,
	  { RESOURCES },
	  false,
	  false,
	  "scheduling class" },
	{ "@resources fail on one processor",
	  pinned_and_filter,
	  EPERM_OF,
	  { RESOURCES },
	  false,
	  false,
	  NULL },
	{ "madvise fails", by_filter, EPERM_OF, { SYS_madvise }, false, false, "MADV_WIPEONFORK" },
	{ "madvise is unknown",
	  by_filter,
	  SECCOMP_RET_ERRNO | ENOSYS,
	  { SYS_madvise },
	  false,
	  false,
	  "MADV_WIPEONFORK" },
	{ "what old containers do not know fails",
	  by_filter,
	  EPERM_OF,
	  { SYS_faccessat2, SYS_statx, SYS_close_range, SYS_memfd_create, SYS_openat2 },
	  false,
	  false,
	  NULL },
	{ "clone3 fails", by_filter, EPERM_OF, { SYS_clone3 }, false, true, "pthread_create" },
	{ "clone3 is unknown",
	  by_filter,
	  SECCOMP_RET_ERRNO | ENOSYS,
	  { SYS_clone3 },
	  false,
	  false,
	  NULL },
	{ "no random bytes", by_filter, EPERM_OF, { SYS_getrandom }, false, true, "getrandom" },
	{ "fallocate fails",
	  by_filter,
	  EPERM_OF,
	  { SYS_fallocate },
	  false,
	  false,
	  "posix_fallocate" },
};

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

static int engine_runs(struct world *w, const struct limits *l, tocsin_instance *i)
{
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "DATA_FEED_DOWN");

	CHECK(w->plugin->on_alert(i, &a, NULL) == TOCSIN_OK);
	CHECK(w->plugin->flush(i, TOCSIN_FLUSH_DURABLE, UINT64_C(60000000000)) == TOCSIN_OK);
	CHECK(forked_child_is_refused(w, i));
	if (l->set == closed_low)
		CHECK(no_descriptor_below_three());
	CHECK(w->plugin->stop(i, UINT64_C(60000000000)) == TOCSIN_OK);
	return 0;
}

static int engine(struct world *w, const struct limits *l)
{
	char err[256] = "";
	tocsin_instance *i = NULL;

	tocsin_rc rc = w->plugin->create(&w->host, w->options, w->n_options, err, sizeof err, &i);
	if (rc != TOCSIN_OK) {
		keep_log(&w->host, 0, err, strlen(err));
		CHECK(l->fails && l->says && strstr(err, l->says));
		return 0;
	}
	rc = w->plugin->start(i);
	CHECK((rc != TOCSIN_OK) == l->fails);
	if (l->says)
		CHECK(strstr(w->log, l->says));
	if (rc != TOCSIN_OK)
		CHECK(strstr(w->log, "tocsin cannot start for engine contract"));
	int line = rc == TOCSIN_OK ? engine_runs(w, l, i) : 0;
	w->plugin->destroy(i);
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
	if (WIFSIGNALED(status))
		fail_msg("%s (%#x): killed by signal %d", l->name, l->value, WTERMSIG(status));
	if (WEXITSTATUS(status) == EXIT_SKIPPED)
		print_message("%s: skipped, it cannot be limited here\n", l->name);
	else if (WEXITSTATUS(status) != 0)
		fail_msg("%s (%#x): %s", l->name, l->value, text);
	world_end(&state);
}

static void a_start_succeeds_or_says_what_failed_and_the_process_lives(void **state)
{
	(void)state;
	/* They map, and make threads and system calls, of their own. */
	if (SANITIZED || getenv("UNDER_VALGRIND"))
		skip();
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		starts_or_says_why(&table[i]);
}

static void a_create_or_start_without_memory_says_so_however_little_there_is(void **state)
{
	(void)state;
	if (SANITIZED || getenv("UNDER_VALGRIND"))
		skip();
	for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
		starts_or_says_why(
			&(struct limits){ .name = "all memory is locked, and little may be",
					  .set = all_locked,
					  .value = rooms[i],
					  .other_user = true,
					  .fails = true,
					  .says = "RLIMIT_MEMLOCK" });
		starts_or_says_why(&(struct limits){ .name = "all memory is locked and used",
						     .set = all_locked_and_used,
						     .value = rooms[i],
						     .other_user = true,
						     .fails = true,
						     .says = "RLIMIT_MEMLOCK" });
		starts_or_says_why(&(struct limits){ .name = "there is little memory",
						     .set = little_memory,
						     .value = rooms[i],
						     .fails = true,
						     .says = "RLIMIT_AS" });
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_succeeds_or_says_what_failed_and_the_process_lives),
		cmocka_unit_test(a_create_or_start_without_memory_says_so_however_little_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

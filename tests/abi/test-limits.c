/* SPDX-License-Identifier: MIT */
/*
 * The plugin where little is allowed: limits of resources, filters of system calls, descriptors
 * that are closed. Each in a child of its own: start succeeds, or says which call has failed and
 * why; nothing ever ends the process.
 */
#include "config.h"
#include "limits.h"

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

/* --- A control group of the child's own, below ours --- */

#define GROUP "tocsin-test-%d"

static bool group_file(const char *group, const char *file, unsigned long value)
{
	char path[768];

	snprintf(path, sizeof path, "%s/%s", group, file);
	_cleanup_fclose_ FILE *f = fopen(path, "we");
	return f && fprintf(f, "%lu", value) > 0 && fflush(f) == 0;
}

/* False: the process's groups are not where they are usually mounted. */
static bool group_path(pid_t child, char *ret, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/cgroup", "re");
	char line[512], own[512];

	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%*u:memory:%511s", own) == 1)
			snprintf(ret, size, "/sys/fs/cgroup/memory%s/" GROUP, own, (int)child);
		else if (sscanf(line, "0::%511s", own) == 1)
			snprintf(ret, size, "/sys/fs/cgroup%s/" GROUP, own, (int)child);
		else
			continue;
		return true;
	}
	return false;
}

static int little_group(const struct limits *l)
{
	char group[600];

	if (!group_path(getpid(), group, sizeof group) || mkdir(group, 0700) < 0)
		return -1;
	return (group_file(group, "memory.max", l->value) ||
		group_file(group, "memory.limit_in_bytes", l->value)) &&
			       group_file(group, "cgroup.procs", (unsigned long)getpid())
		       ? 0
		       : -1;
}

static void group_remove(pid_t child)
{
	char group[600];

	if (group_path(child, group, sizeof group) && rmdir(group) < 0 && errno != ENOENT)
		fail_msg("rmdir %s: %s", group, strerror(errno));
}

/* Nobody reads what goes to stderr, and the log does. */
static int no_reader(void)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0 || dup2(pair[1], STDERR_FILENO) < 0)
		return -1;
	close(pair[0]);
	return close(pair[1]);
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

static int no_reader_and_no_thread(const struct limits *l)
{
	return no_reader() < 0 ? -1 : no_thread(l);
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
	{ .name = "nothing is limited" },
	{ .name = "descriptors 0, 1 and 2 are closed", .set = closed_low, .low_closed = true },
	{ .name = "no file may be written", .set = no_file_at_all, .says = "RLIMIT_FSIZE" },
	{ .name = "no file may be as large as the recorder",
	  .set = no_large_file,
	  .says = "RLIMIT_FSIZE" },
	{ .name = "no thread may be made",
	  .set = no_thread,
	  .other_user = true,
	  .fails = true,
	  .says = "pthread_create of tocsin-dispatch" },
	{ .name = "no thread may be made, and nobody reads what is said of it",
	  .set = no_reader_and_no_thread,
	  .other_user = true,
	  .fails = true,
	  .says = "pthread_create of tocsin-dispatch" },
	{ .name = "the control group has less room than the recorder wants",
	  .set = little_group,
	  .undo = group_remove,
	  .value = 7 * 1024 * 1024,
	  .fails = true,
	  .says = "the control group has" },
	{ .name = "idle class, nothing better is allowed",
	  .set = idle_class,
	  .other_user = true,
	  .says = "scheduling class" },
	{ .name = "@resources kill",
	  .set = by_filter,
	  .value = SECCOMP_RET_KILL_PROCESS,
	  .calls = { RESOURCES } },
	{ .name = "@resources fail", .set = by_filter, .value = EPERM_OF, .calls = { RESOURCES } },
	{ .name = "@privileged kill",
	  .set = by_filter,
	  .value = SECCOMP_RET_KILL_PROCESS,
	  .calls = { PRIVILEGED } },
	{ .name = "@resources fail in an idle class",
	  .set = idle_and_filter,
	  .value = EPERM_OF,
	  .calls = { RESOURCES },
	  .says = "scheduling class" },
	{ .name = "@resources fail on one processor",
	  .set = pinned_and_filter,
	  .value = EPERM_OF,
	  .calls = { RESOURCES } },
	{ .name = "madvise fails",
	  .set = by_filter,
	  .value = EPERM_OF,
	  .calls = { SYS_madvise },
	  .says = "MADV_WIPEONFORK" },
	{ .name = "madvise is unknown",
	  .set = by_filter,
	  .value = SECCOMP_RET_ERRNO | ENOSYS,
	  .calls = { SYS_madvise },
	  .says = "MADV_WIPEONFORK" },
	{ .name = "what old containers do not know fails",
	  .set = by_filter,
	  .value = EPERM_OF,
	  .calls = { SYS_faccessat2, SYS_statx, SYS_close_range, SYS_memfd_create, SYS_openat2 } },
	{ .name = "clone3 fails",
	  .set = by_filter,
	  .value = EPERM_OF,
	  .calls = { SYS_clone3 },
	  .fails = true,
	  .says = "pthread_create" },
	{ .name = "clone3 is unknown",
	  .set = by_filter,
	  .value = SECCOMP_RET_ERRNO | ENOSYS,
	  .calls = { SYS_clone3 } },
	{ .name = "no random bytes",
	  .set = by_filter,
	  .value = EPERM_OF,
	  .calls = { SYS_getrandom },
	  .fails = true,
	  .says = "getrandom" },
	{ .name = "the file system cannot sync",
	  .set = by_filter,
	  .value = SECCOMP_RET_ERRNO | EINVAL,
	  .calls = { SYS_fsync, SYS_fdatasync },
	  .pages = true,
	  .says = "cannot sync" },
	{ .name = "the file system does not know how to sync",
	  .set = by_filter,
	  .value = SECCOMP_RET_ERRNO | EOPNOTSUPP,
	  .calls = { SYS_fsync, SYS_fdatasync },
	  .pages = true,
	  .says = "cannot sync" },
	{ .name = "fallocate fails",
	  .set = by_filter,
	  .value = EPERM_OF,
	  .calls = { SYS_fallocate },
	  .says = "posix_fallocate" },
};

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

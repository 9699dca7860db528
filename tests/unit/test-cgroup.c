/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include "base/cgroup.h"

#define FILES_MAX 10
#define NO_LIMIT UINT64_MAX

/* --- The memory that is left --- */

struct system {
	const char *name;
	const char *groups; /* /proc/self/cgroup; NULL: it cannot be read */
	struct {
		const char *path, *text;
	} files[FILES_MAX];
	uint64_t left;
};

#define V2 "/sys/fs/cgroup"
#define V1 "/sys/fs/cgroup/memory"
#define HYBRID "/sys/fs/cgroup/unified"

static const struct system systems[] = {
	{ "no list of groups", NULL, { { V2 "/memory.max", "100" } }, NO_LIMIT },
	{ "nothing is mounted", "0::/system.slice/live-1.service\n", { { 0 } }, NO_LIMIT },
	{ "no limit",
	  "0::/a\n",
	  { { V2 "/a/memory.max", "max\n" }, { V2 "/a/memory.current", "100\n" } },
	  NO_LIMIT },
	{ "a limit",
	  "0::/a\n",
	  { { V2 "/a/memory.max", "1000\n" }, { V2 "/a/memory.current", "300\n" } },
	  700 },
	{ "a limit of nothing",
	  "0::/a\n",
	  { { V2 "/a/memory.max", "0\n" }, { V2 "/a/memory.current", "0\n" } },
	  0 },
	{ "a limit that is exceeded",
	  "0::/a\n",
	  { { V2 "/a/memory.max", "1000\n" }, { V2 "/a/memory.current", "1001\n" } },
	  0 },
	{ "page cache is free",
	  "0::/a\n",
	  { { V2 "/a/memory.max", "1000\n" },
	    { V2 "/a/memory.current", "900\n" },
	    { V2 "/a/memory.stat",
	      "anon 200\nfile 700\nkernel 0\nshmem 400\ninactive_anon 10\nactive_anon 20\n"
	      "inactive_file 250\nactive_file 50\nunevictable 0\n" } },
	  400 },
	{ "more page cache than is in use",
	  "0::/a\n",
	  { { V2 "/a/memory.max", "1000\n" },
	    { V2 "/a/memory.current", "100\n" },
	    { V2 "/a/memory.stat", "anon 0\ninactive_file 250\nactive_file 50\n" } },
	  1000 },
	{ "memory.high only slows down",
	  "0::/a\n",
	  { { V2 "/a/memory.max", "1000\n" },
	    { V2 "/a/memory.high", "10\n" },
	    { V2 "/a/memory.current", "300\n" } },
	  700 },
	{ "no use is told", "0::/a\n", { { V2 "/a/memory.max", "1000\n" } }, NO_LIMIT },
	{ "nonsense is no limit",
	  "0::/a\n",
	  { { V2 "/a/memory.max", "-1\n" }, { V2 "/a/memory.current", "300\n" } },
	  NO_LIMIT },
	{ "the tightest is a group above",
	  "0::/trading.slice/trading-live.slice/live-1.service\n",
	  { { V2 "/trading.slice/memory.max", "5000\n" },
	    { V2 "/trading.slice/memory.current", "4990\n" },
	    { V2 "/trading.slice/trading-live.slice/memory.max", "max\n" },
	    { V2 "/trading.slice/trading-live.slice/memory.current", "4000\n" },
	    { V2 "/trading.slice/trading-live.slice/live-1.service/memory.max", "1000\n" },
	    { V2 "/trading.slice/trading-live.slice/live-1.service/memory.current", "300\n" } },
	  10 },
	{ "the tightest is the own group",
	  "0::/trading.slice/live-1.service\n",
	  { { V2 "/trading.slice/memory.max", "5000\n" },
	    { V2 "/trading.slice/memory.current", "300\n" },
	    { V2 "/trading.slice/live-1.service/memory.max", "1000\n" },
	    { V2 "/trading.slice/live-1.service/memory.current", "300\n" } },
	  700 },
	{ "a group beside it does not count",
	  "0::/live-1.service\n",
	  { { V2 "/live-1.service/memory.max", "1000\n" },
	    { V2 "/live-1.service/memory.current", "300\n" },
	    { V2 "/live-10.service/memory.max", "10\n" },
	    { V2 "/live-10.service/memory.current", "10\n" } },
	  700 },
	{ "a container that is its own root",
	  "0::/\n",
	  { { V2 "/memory.max", "1000\n" }, { V2 "/memory.current", "300\n" } },
	  700 },
	{ "a container that is shown the host's path",
	  "0::/system.slice/docker-0123456789abcdef.scope\n",
	  { { V2 "/memory.max", "1000\n" }, { V2 "/memory.current", "300\n" } },
	  700 },
	{ "a group outside of what the namespace shows",
	  "0::/../live-1.service\n",
	  { { V2 "/memory.max", "1000\n" }, { V2 "/memory.current", "300\n" } },
	  700 },
	{ "a whole 64-bit limit",
	  "0::/a\n",
	  { { V2 "/a/memory.max", "18446744073709551615\n" }, { V2 "/a/memory.current", "15\n" } },
	  UINT64_C(18446744073709551600) },
	{ "a limit past 64 bits is none",
	  "0::/a\n",
	  { { V2 "/a/memory.max", "18446744073709551616\n" }, { V2 "/a/memory.current", "15\n" } },
	  NO_LIMIT },
	{ "the first version",
	  "5:pids:/a\n4:memory:/a/b\n1:name=systemd:/a\n",
	  { { V1 "/a/b/memory.limit_in_bytes", "1000\n" },
	    { V1 "/a/b/memory.usage_in_bytes", "800\n" },
	    { V1 "/a/b/memory.stat",
	      "cache 500\nrss 1\ninactive_file 7\nactive_file 7\ntotal_cache 500\n"
	      "total_inactive_file 100\ntotal_active_file 200\n" } },
	  500 },
	{ "the first version, above",
	  "4:memory:/a/b\n",
	  { { V1 "/memory.limit_in_bytes", "9223372036854771712\n" },
	    { V1 "/memory.usage_in_bytes", "800\n" },
	    { V1 "/a/memory.limit_in_bytes", "1000\n" },
	    { V1 "/a/memory.usage_in_bytes", "900\n" },
	    { V1 "/a/b/memory.limit_in_bytes", "9223372036854771712\n" },
	    { V1 "/a/b/memory.usage_in_bytes", "100\n" } },
	  100 },
	{ "the first version, in a container",
	  "4:memory:/docker/0123456789abcdef\n",
	  { { V1 "/memory.limit_in_bytes", "1000\n" }, { V1 "/memory.usage_in_bytes", "900\n" } },
	  100 },
	{ "both, the first with the memory",
	  "4:memory:/a\n1:name=systemd:/b\n0::/b\n",
	  { { V1 "/a/memory.limit_in_bytes", "1000\n" },
	    { V1 "/a/memory.usage_in_bytes", "10\n" } },
	  990 },
	{ "both, the second with the memory",
	  "4:pids:/a\n1:name=systemd:/b\n0::/b\n",
	  { { HYBRID "/b/memory.max", "1000\n" }, { HYBRID "/b/memory.current", "20\n" } },
	  980 },
	{ "a group whose name looks like a line",
	  "0::/a:memory:/b\n",
	  { { V1 "/b/memory.limit_in_bytes", "1000\n" },
	    { V1 "/b/memory.usage_in_bytes", "10\n" },
	    { V2 "/a:memory:/b/memory.max", "1000\n" },
	    { V2 "/a:memory:/b/memory.current", "20\n" } },
	  980 },
};

static void expect_left(const struct system *s)
{
	void *state = NULL;

	assert_int_equal(test_folder_make(&state), 0);
	const struct test_folder *f = state;
	if (s->groups)
		test_folder_put(f, "/proc/self/cgroup", s->groups);
	for (size_t i = 0; i < FILES_MAX && s->files[i].path; i++)
		test_folder_put(f, s->files[i].path, s->files[i].text);
	uint64_t left = cgroup_memory_left(f->path);
	if (left != s->left)
		fail_msg("%s: %llu left, not %llu", s->name, (unsigned long long)left,
			 (unsigned long long)s->left);
	assert_int_equal(test_folder_remove(&state), 0);
}

static void what_is_left_is_what_the_tightest_group_leaves(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof systems / sizeof *systems; i++)
		expect_left(&systems[i]);
}

/* --- The unit --- */

static const struct {
	const char *groups, *unit; /* NULL: none */
} processes[] = {
	{ "0::/system.slice/live-1.service\n", "live-1" },
	{ "0::/system.slice/live\\x2d1.service\n", "live\\x2d1" },
	{ "0::/system.slice/live-1.service.service\n", "live-1.service" },
	{ "0::/live-1.service\n", "live-1" },
	/* Slices in slices, and groups that the service has made below its own. */
	{ "0::/trading.slice/trading-live.slice/live-1.service\n", "live-1" },
	{ "0::/trading.slice/trading-a\\x2db.slice/live-1.service\n", "live-1" },
	{ "0::/system.slice/live-1.service/workers/2\n", "live-1" },
	{ "0::/system.slice/live-1.service/other.service\n", "live-1" },
	{ "0::/system.slice/live-1.service/sub.slice/other.service\n", "live-1" },
	{ "0::/system.slice/system-live.slice/live@okx.service\n", "live@okx" },
	{ "0::/system.slice/system-live.slice/live@okx-eth\\x2dusd.service\n",
	  "live@okx-eth\\x2dusd" },
	/* systemd escapes what could be a file of the kernel's. */
	{ "0::/system.slice/_memory.service\n", "memory" },
	{ "0::/system.slice/__live.service\n", "_live" },
	{ "0::/_cgroup.slice/live-1.service\n", "live-1" },
	/* The first version: systemd's own hierarchy says it; and both. */
	{ "5:memory:/system.slice/wrong.service\n1:name=systemd:/system.slice/live-1.service\n",
	  "live-1" },
	{ "12:pids:/\n1:name=systemd:/system.slice/live-1.service\n0::/\n", "live-1" },
	{ "12:pids:/\n1:name=systemd:/system.slice/live-1.service\n"
	  "0::/system.slice/live-1.service\n",
	  "live-1" },
	{ "4:memory:/system.slice/wrong.service\n0::/\n", NULL },
	{ "0::/x:name=systemd:/system.slice/wrong.service\n", NULL },
	/* What a user starts: a terminal is a service of the user's manager too. */
	{ "0::/user.slice/user-1000.slice/user@1000.service/app.slice/term.service\n", NULL },
	{ "0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", NULL },
	{ "0::/user.slice/user-1000.slice/session-2.scope\n", NULL },
	{ "1:name=systemd:/user.slice/user-1000.slice/session-2.scope\n", NULL },
	/* Containers. */
	{ "0::/system.slice/docker-0123456789abcdef.scope\n", NULL },
	{ "1:name=systemd:/docker/0123456789abcdef\n0::/\n", NULL },
	{ "0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-0123.scope\n", NULL },
	{ "0::/machine.slice/machine-x.scope/init.scope\n", NULL },
	/* No unit at all. */
	{ "0::/\n", NULL },
	{ "0::/init.scope\n", NULL },
	{ "0::/system.slice\n", NULL },
	{ "0::/system.slice/\n", NULL },
	{ "0::/system.slice/.service\n", NULL },
	{ "0::/system.slice/_.service\n", NULL },
	{ "0::/system.slice/live-1.socket\n", NULL },
	{ "0::/system.slice/live-1.services\n", NULL },
	{ "0::", NULL },
	{ "0", NULL },
	{ "\n\n", NULL },
	{ "", NULL },
	{ NULL, NULL },
};

static void the_unit_is_the_service_after_the_slices(void **state)
{
	const struct test_folder *f = *state;

	for (size_t i = 0; i < sizeof processes / sizeof *processes; i++) {
		unlinkat(f->fd, "proc/self/cgroup", 0);
		if (processes[i].groups)
			test_folder_put(f, "/proc/self/cgroup", processes[i].groups);
		char *unit = cgroup_unit(f->path);
		if (!unit != !processes[i].unit || (unit && strcmp(unit, processes[i].unit) != 0))
			fail_msg("%s is %s", processes[i].groups, unit ? unit : "in no unit");
		free(unit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_is_what_the_tightest_group_leaves),
		test_in_folder(the_unit_is_the_service_after_the_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

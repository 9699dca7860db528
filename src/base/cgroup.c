/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"

#define PATH_MAX_LEN 1024
#define LEVELS_MAX 32

/* The two versions of the memory controller. */
struct version {
	const char *line; /* how its line of /proc/self/cgroup goes on after the number */
	const char *roots[3];
	const char *limit, *usage;
	const char *cache[2]; /* statistics: what the kernel takes back before it kills */
};

static const struct version versions[] = {
	{ "::",
	  { "/sys/fs/cgroup", "/sys/fs/cgroup/unified", NULL },
	  "memory.max",
	  "memory.current",
	  { "\ninactive_file ", "\nactive_file " } },
	{ ":memory:",
	  { "/sys/fs/cgroup/memory", NULL, NULL },
	  "memory.limit_in_bytes",
	  "memory.usage_in_bytes",
	  { "\ntotal_inactive_file ", "\ntotal_active_file " } },
};

static bool file_text(const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = descriptor_open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	buf[n > 0 ? n : 0] = 0;
	return n > 0;
}

static bool group_text(const char *root, const char *group, const char *file, char *buf,
		       size_t size)
{
	char path[PATH_MAX_LEN + 128];
	int n = snprintf(path, sizeof path, "%s%s/%s", root, group, file);

	return n > 0 && (size_t)n < sizeof path && file_text(path, buf, size);
}

/* False: none, "max". */
static bool number_parse(const char *text, uint64_t *ret)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno == 0;
}

static uint64_t cache_of(const struct version *v, const char *statistics)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof v->cache / sizeof *v->cache; i++) {
		const char *at = strstr(statistics, v->cache[i]);
		uint64_t bytes;

		if (at && number_parse(at + strlen(v->cache[i]), &bytes))
			sum += bytes;
	}
	return sum;
}

/* What one group leaves. */
static uint64_t group_left(const struct version *v, const char *root, const char *group)
{
	char text[8192];
	uint64_t limit, usage, cache;

	if (!group_text(root, group, v->limit, text, sizeof text) || !number_parse(text, &limit))
		return UINT64_MAX;
	if (!group_text(root, group, v->usage, text, sizeof text) || !number_parse(text, &usage))
		return UINT64_MAX;
	group_text(root, group, "memory.stat", text, sizeof text);
	cache = cache_of(v, text);
	usage = usage > cache ? usage - cache : 0;
	return limit > usage ? limit - usage : 0;
}

/* The least that the group and those above it leave. In a container the path may be that of the
 * host, of which only the last part, the container's own root, can be seen. */
static uint64_t groups_left(const struct version *v, char *group)
{
	uint64_t least = UINT64_MAX;

	for (unsigned level = 0; level < LEVELS_MAX; level++) {
		char *slash = strrchr(group, '/');

		for (unsigned i = 0; v->roots[i]; i++) {
			uint64_t left = group_left(v, v->roots[i], group);

			least = left < least ? left : least;
		}
		if (!slash)
			break;
		*slash = 0;
	}
	return least;
}

uint64_t cgroup_memory_left(void)
{
	uint64_t least = UINT64_MAX;
	char text[16384], *rest = text, *line;

	if (!file_text("/proc/self/cgroup", text, sizeof text))
		return UINT64_MAX;
	while ((line = strsep(&rest, "\n"))) {
		line += strspn(line, "0123456789");
		for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
			const struct version *v = &versions[i];
			char group[PATH_MAX_LEN];

			if (strncmp(line, v->line, strlen(v->line)) != 0)
				continue;
			snprintf(group, sizeof group, "%s", line + strlen(v->line));
			if (strcmp(group, "/") == 0)
				group[0] = 0;
			uint64_t left = groups_left(v, group);
			least = left < least ? left : least;
		}
	}
	return least;
}

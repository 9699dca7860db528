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
#include "base/text.h"
#include "base/descriptor.h"

#define OWN_GROUPS "/proc/self/cgroup"
#define UNIT_SUFFIX ".service"
#define PATH_MAX_LEN 1024
#define LEVELS_MAX 32

/* The two versions of the memory controller. */
struct version {
	const char *line; /* how its line of the list goes on after the number */
	const char *mounts[3];
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

/* Of `group` in the hierarchy that is mounted there. */
struct place {
	const char *root, *mount, *group;
};

static bool group_text(const struct place *p, const char *file, char *buf, size_t size)
{
	char path[2 * PATH_MAX_LEN + 128];
	int n = snprintf(path, sizeof path, "%s%s%s/%s", p->root, p->mount, p->group, file);

	return n > 0 && (size_t)n < sizeof path && file_text(path, buf, size);
}

/* The groups of this process, a line each; "" where they cannot be read. */
static void own_groups(const char *root, char *buf, size_t size)
{
	char path[PATH_MAX_LEN + sizeof OWN_GROUPS];
	int n = snprintf(path, sizeof path, "%s" OWN_GROUPS, root);

	buf[0] = 0;
	if (n > 0 && (size_t)n < sizeof path)
		file_text(path, buf, size);
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
static uint64_t group_left(const struct version *v, const struct place *p)
{
	char text[8192];
	uint64_t limit, usage, cache;

	if (!group_text(p, v->limit, text, sizeof text) || !number_parse(text, &limit))
		return UINT64_MAX;
	if (!group_text(p, v->usage, text, sizeof text) || !number_parse(text, &usage))
		return UINT64_MAX;
	group_text(p, "memory.stat", text, sizeof text);
	cache = cache_of(v, text);
	usage = usage > cache ? usage - cache : 0;
	return limit > usage ? limit - usage : 0;
}

/* The least that the group and those above it leave. In a container the path may be that of the
 * host, of which only the last part, the container's own root, can be seen. */
static uint64_t groups_left(const struct version *v, const char *root, char *group)
{
	uint64_t least = UINT64_MAX;

	for (unsigned level = 0; level < LEVELS_MAX; level++) {
		char *slash = strrchr(group, '/');

		for (unsigned i = 0; v->mounts[i]; i++) {
			const struct place p = { root, v->mounts[i], group };
			uint64_t left = group_left(v, &p);

			least = left < least ? left : least;
		}
		if (!slash)
			break;
		*slash = 0;
	}
	return least;
}

/* What follows the number, so of which hierarchy it is. */
static const char *line_hierarchy(const char *line)
{
	return line + strspn(line, "0123456789");
}

uint64_t cgroup_memory_left(const char *root)
{
	uint64_t least = UINT64_MAX;
	char text[16384], *rest = text, *line;

	own_groups(root, text, sizeof text);
	while ((line = strsep(&rest, "\n"))) {
		const char *hierarchy = line_hierarchy(line);

		for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
			const struct version *v = &versions[i];
			char group[PATH_MAX_LEN];

			if (strncmp(hierarchy, v->line, strlen(v->line)) != 0)
				continue;
			snprintf(group, sizeof group, "%s", hierarchy + strlen(v->line));
			if (strcmp(group, "/") == 0)
				group[0] = 0;
			uint64_t left = groups_left(v, root, group);
			least = left < least ? left : least;
		}
	}
	return least;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && strncmp(text + len - n, end, n) == 0;
}

/* The unit in a group's path, "/system.slice/live-1.service": what comes after the slices. */
static char *unit_of(const char *path)
{
	size_t len;

	do {
		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (!ends_with(path, len, ".slice"))
			break;
		path += len;
	} while (*path == '/');
	/* systemd writes an underscore before what could be taken for a file of the kernel's. */
	if (*path == '_' && len > 0) {
		path++;
		len--;
	}
	if (!ends_with(path, len, UNIT_SUFFIX) || strncmp(path, "user@", strlen("user@")) == 0)
		return NULL;
	return str_dup((tocsin_str){ path, len - strlen(UNIT_SUFFIX) });
}

char *cgroup_unit(const char *root)
{
	static const char *const hierarchies[] = { "::", ":name=systemd:" };
	char text[16384], *rest = text, *line, *unit = NULL;

	own_groups(root, text, sizeof text);
	while (!unit && (line = strsep(&rest, "\n"))) {
		const char *hierarchy = line_hierarchy(line);

		for (size_t i = 0; i < sizeof hierarchies / sizeof *hierarchies && !unit; i++)
			if (strncmp(hierarchy, hierarchies[i], strlen(hierarchies[i])) == 0)
				unit = unit_of(hierarchy + strlen(hierarchies[i]));
	}
	return unit;
}

/* SPDX-License-Identifier: MIT */
/* What tests of the plugin as a guest in a process look at: its threads, descriptors, mappings. */
#ifndef TOCSIN_TESTS_ABI_PROCESS_H
#define TOCSIN_TESTS_ABI_PROCESS_H

#include "host.h"

#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZED 1
#endif
#endif
#ifndef THREAD_SANITIZED
#define THREAD_SANITIZED 0
#endif

#if THREAD_SANITIZED || defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define ENDED_MAX 30000 /* looks, a millisecond apart */

static bool is_under_valgrind(void)
{
	return getenv("UNDER_VALGRIND") != NULL;
}

/* Does something go with the program that makes system calls, or has an allocator, of its own? */
_unused_ static bool is_watched(void)
{
	return SANITIZED || is_under_valgrind();
}

/* A thread that was joined may still be on its way out of the kernel. */
_unused_ static void tasks_await(const char *prefix, size_t n)
{
	for (unsigned look = 0; look < ENDED_MAX; look++) {
		if (tasks_count(prefix) == n)
			return;
		usleep(1000);
	}
	fail_msg("%zu threads named %s* instead of %zu", tasks_count(prefix), prefix, n);
}

_unused_ static size_t descriptors_count(void)
{
	_cleanup_(cleanup_dir) DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	return n - 1; /* the folder's own */
}

_unused_ static bool is_mapped(const char *name)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/maps", "re");
	char line[4096];

	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		if (strstr(line, name))
			return true;
	return false;
}

/* Unloads the plugin: nothing of it may be left. The world's end then finds nothing to close. */
_unused_ static void unload(struct world *w)
{
	assert_int_equal(dlclose(w->so), 0);
	assert_null(dlopen(getenv("TOCSIN_PLUGIN"), RTLD_NOW | RTLD_NOLOAD));
	assert_false(is_mapped("/tocsin.so"));
	w->so = dlopen(NULL, RTLD_NOW);
	w->plugin = NULL;
}

#endif

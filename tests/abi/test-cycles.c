/* SPDX-License-Identifier: MIT */
/*
 * Loaded, used and unloaded a thousand times in one process, with pages flowing: nothing grows.
 * TOCSIN_TEST_CYCLES asks for another number, not below 100.
 */
#include "config.h"
#include "process.h"
#include "receiver.h"

#include <malloc.h>

#define CYCLES 1000
#define CYCLES_WATCHED 200 /* where each takes many times as long */
#define SETTLED 50         /* cycles after which libraries that stay have all they keep */
#define BYTES_MORE 65536   /* of the heap, over all other cycles: below a hundred bytes a cycle */
#define MAPPINGS_MORE 16   /* nameless ones: stacks and arenas that the C library keeps at hand */

struct footprint {
	size_t threads, descriptors, files, nameless, bytes;
};

/* Mappings of files, and the others. */
static void mappings_count(struct footprint *f)
{
	_cleanup_fclose_ FILE *maps = fopen("/proc/self/maps", "re");
	char line[4096];

	assert_non_null(maps);
	while (fgets(line, sizeof line, maps))
		if (strchr(line, '/'))
			f->files++;
		else
			f->nameless++;
}

static struct footprint footprint_take(void)
{
	struct footprint f = {
		.threads = tasks_count(""),
		.descriptors = descriptors_count(),
		.bytes = mallinfo2().uordblks,
	};

	mappings_count(&f);
	return f;
}

/* Sanitizers and valgrind keep memory of their own for what was, and look for leaks themselves. */
static bool memory_is_watched(void)
{
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
	return true;
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return true;
#endif
	const char *preloaded = getenv("LD_PRELOAD");

	return preloaded && strstr(preloaded, "vgpreload");
}

static unsigned cycles_wanted(void)
{
	const char *wanted = getenv("TOCSIN_TEST_CYCLES");
	unsigned long usual = memory_is_watched() ? CYCLES_WATCHED : CYCLES;
	unsigned long n = wanted ? strtoul(wanted, NULL, 10) : usual;

	return n < 2 * SETTLED ? 2 * SETTLED : (unsigned)n;
}

static void load(struct world *w)
{
	tocsin_negotiation n = { sizeof n, 0, TOCSIN_ABI_MINOR, 0, NULL };

	dlclose(w->so);
	w->so = dlopen(getenv("TOCSIN_PLUGIN"), RTLD_NOW | RTLD_LOCAL);
	assert_non_null(w->so);
	assert_int_equal(entry_of(w->so)(&n), TOCSIN_OK);
	w->plugin = n.plugin;
}

/* What the receiver keeps of requests would grow. */
static void forget_bodies(struct receiver *r)
{
	pthread_mutex_lock(&r->mutex);
	for (unsigned n = 0; n < RECEIVER_SEEN_MAX; n++) {
		free(r->seen[n].body);
		r->seen[n].body = NULL;
	}
	pthread_mutex_unlock(&r->mutex);
}

/* The plugin's folders, in memory where that is to be had: the disk is slow and proves nothing. */
struct folders {
	char path[64], runtime[96], state[96];
};

static void folders_in_memory(struct world *w, struct folders *f)
{
	snprintf(f->path, sizeof f->path, "/dev/shm/tocsin-test-XXXXXX");
	if (!mkdtemp(f->path)) {
		f->path[0] = 0;
		return;
	}
	snprintf(f->runtime, sizeof f->runtime, "%s/run", f->path);
	snprintf(f->state, sizeof f->state, "%s/state", f->path);
	option(w, "paths.runtime_dir", f->runtime);
	option(w, "paths.state_dir", f->state);
}

/*
 * Every other time the stop comes while the pages are on their way. An incident stays open over a
 * stop, so each cycle raises one of its own, which is paged, and clears it.
 */
static void a_cycle(struct world *w, struct receiver *r, unsigned n)
{
	tocsin_instance *i = start(w);
	tocsin_alert_event a = alert_event(TOCSIN_ALERT_RAISE, "DATA_FEED_DOWN");
	char session[24];

	snprintf(session, sizeof session, "session-%u", n);
	a.session_id = str(session);
	a.priority = 1;
	assert_int_equal(w->plugin->on_alert(i, &a, NULL), TOCSIN_OK);
	if (n % 2 == 0)
		receiver_wait(r, 2 * n + 1);
	a.head.kind = TOCSIN_ALERT_CLEAR;
	assert_int_equal(w->plugin->on_alert(i, &a, NULL), TOCSIN_OK);
	assert_int_equal(w->plugin->stop(i, UINT64_MAX), TOCSIN_OK);
	w->plugin->destroy(i);
	w->logged = 0;
}

static void a_thousand_times_loaded_and_unloaded_nothing_grows(void **state)
{
	static const char *const take[] = { STEP_TAKE };
	struct world *w = *state;
	struct receiver *r = receiver_start(take, 1);
	unsigned cycles = cycles_wanted();
	struct folders folders;
	struct footprint settled = { 0 }, end;

	folders_in_memory(w, &folders);
	option(w, "webhook.url", r->url);
	option(w, "pages.max_pages_per_minute", "0");
	for (unsigned n = 0; n < cycles; n++) {
		if (n > 0)
			load(w);
		a_cycle(w, r, n);
		unload(w);
		tasks_await("tocsin-", 0);
		forget_bodies(r);
		if (n + 1 == SETTLED)
			settled = footprint_take();
	}
	end = footprint_take();
	assert_int_equal(receiver_seen(r), 2 * cycles);
	assert_int_equal(end.threads, settled.threads);
	assert_int_equal(end.descriptors, settled.descriptors);
	assert_int_equal(end.files, settled.files);
	if (!memory_is_watched()) {
		assert_in_range(end.nameless, 0, settled.nameless + MAPPINGS_MORE);
		assert_in_range(end.bytes, 0, settled.bytes + BYTES_MORE);
	}
	print_message("# %u cycles; bytes %zu, then %zu; mappings %zu, then %zu\n", cycles,
		      settled.bytes, end.bytes, settled.files + settled.nameless,
		      end.files + end.nameless);
	receiver_stop(r);
	if (folders.path[0])
		assert_int_equal(nftw(folders.path, test_folder_unlink, 8, FTW_DEPTH | FTW_PHYS),
				 0);
	assert_null(dlopen(getenv("TOCSIN_PLUGIN"), RTLD_NOW | RTLD_NOLOAD));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_world(a_thousand_times_loaded_and_unloaded_nothing_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

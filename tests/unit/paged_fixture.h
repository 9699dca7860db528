/* SPDX-License-Identifier: MIT */
/* What tests of the dispatcher's pages share: an engine, and what its receiver was sent. */
#ifndef TOCSIN_TESTS_UNIT_PAGED_FIXTURE_H
#define TOCSIN_TESTS_UNIT_PAGED_FIXTURE_H

#include "dispatcher_fixture.h"
#include "http_fixture.h"

#define TRIES 3000 /* a hundredth of a second apart */

struct world {
	const struct test_folder *folder;
	struct http_server *server;
	struct engine engine;
	const char *pages; /* further lines of [pages], or NULL */
};

__attribute__((unused)) static void world_engine_begin(struct world *w,
						       const char *feed_stale_after)
{
	char url[64], path[128];

	snprintf(url, sizeof url, "http://127.0.0.1:%u/", w->server->port);
	snprintf(path, sizeof path, "%s/conf", w->folder->path);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f,
		"[engine]\nname = test\n[log]\ntarget = stderr\n[paths]\nruntime_dir = %s/run\n"
		"state_dir = %s/state\n[webhook]\nurl = %s\n[rules]\nfeed_stale_after = %s\n"
		"[pages]\npage_after = 0\n%s",
		w->folder->path, w->folder->path, url, feed_stale_after, w->pages ? w->pages : "");
	fclose(f);
	engine_start(&w->engine, w->folder, "config", path, 0);
}

__attribute__((unused)) static void world_end(struct world *w)
{
	engine_end(&w->engine);
	http_stop(w->server);
}

/* The place, from 1, of the first page whose id ends so and whose body has that text; 0: none. */
__attribute__((unused)) static unsigned page_place(struct world *w, const char *id_end,
						   const char *text)
{
	struct http_server *s = w->server;
	unsigned place = 0;

	pthread_mutex_lock(&s->mutex);
	for (unsigned i = 0; i < s->n_seen && place == 0; i++) {
		size_t len = strlen(s->seen[i].id), end_len = strlen(id_end);

		if (len >= end_len && strcmp(s->seen[i].id + len - end_len, id_end) == 0 &&
		    memmem(s->seen[i].body, s->seen[i].len, text, strlen(text)))
			place = i + 1;
	}
	pthread_mutex_unlock(&s->mutex);
	return place;
}

__attribute__((unused)) static unsigned await_page(struct world *w, const char *id_end,
						   const char *text)
{
	unsigned place = 0;

	for (unsigned n = 0; (place = page_place(w, id_end, text)) == 0; n++) {
		if (n == TRIES)
			fail_msg("no page %s with: %s", id_end, text);
		usleep(10000);
	}
	return place;
}

__attribute__((unused)) static void expect_none(struct world *w, const char *id_end,
						const char *text)
{
	if (page_place(w, id_end, text))
		fail_msg("a page %s with: %s", id_end, text);
}

/* With a receiver that takes everything. */
__attribute__((unused)) static void world_begin(struct world *w, void **state)
{
	static const long steps[] = { 200 };

	*w = (struct world){ .folder = *state, .server = http_start(steps, 1) };
	world_engine_begin(w, "5s");
}

__attribute__((unused)) static int world_flush(struct world *w, uint64_t timeout_ns)
{
	return dispatcher_flush(w->engine.dispatcher, TOCSIN_FLUSH_DELIVERED, timeout_ns);
}

#endif

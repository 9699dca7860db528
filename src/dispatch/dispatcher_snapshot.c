/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "dispatch/dispatcher_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/text.h"
#include "picture/snapshot.h"
#include "codes/runbooks.h"
#include "engine/snapshot_file.h"

/* What a link depends on. */
struct linker {
	const struct settings *settings;
	const struct runbooks *runbooks;
};

static char *link_runbook(void *userdata, tocsin_str code)
{
	const struct linker *l = userdata;

	return runbooks_link(l->runbooks, l->settings->runbooks_base_url, code);
}

static json_t *picture_json(struct picture *p, const struct settings *s,
			    const struct runbooks *runbooks, struct moment now)
{
	struct linker linker = { s, runbooks };

	return picture_snapshot(p, s->engine_name, now, link_runbook, &linker);
}

/* Of an engine that has told nothing. */
static json_t *empty_json(const struct settings *s)
{
	struct picture_settings settings = { .alerts = { .lookup = runbooks_facts } };
	struct moment now = { clock_monotonic_ns(), clock_realtime_ns() };
	struct picture *p;

	if (picture_new(&settings, now, NULL, NULL, &p) < 0)
		return NULL;
	json_t *json = picture_json(p, s, NULL, now);
	picture_free(p);
	return json;
}

/* Takes the JSON. */
static int render(json_t *json, char **ret, size_t *ret_len)
{
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;

	json_decref(json);
	if (!text)
		return -ENOMEM;
	*ret = text;
	*ret_len = strlen(text);
	return 0;
}

int dispatcher_snapshot_empty(const struct settings *s, char **ret, size_t *ret_len)
{
	return render(empty_json(s), ret, ret_len);
}

static json_t *dispatcher_json(struct dispatcher *d)
{
	return d->picture ? picture_json(d->picture, d->settings, d->runbooks, dispatcher_now(d))
			  : empty_json(d->settings);
}

int dispatcher_render(struct dispatcher *d, char **ret, size_t *ret_len)
{
	return render(dispatcher_json(d), ret, ret_len);
}

/* --- snapshot.json --- */

#define SHARE_EVERY_NS NS_PER_S
/* Even when nothing has changed: a reader takes one that is much older for stale. */
#define SHARE_ANYWAY_NS (60 * NS_PER_S)

/* On the disk thread: making text of it takes longer than building it. */
static void share_write(void *userdata)
{
	struct dispatcher *d = userdata;
	json_t *json = atomic_exchange(&d->to_share, NULL);
	struct text_buffer b = { 0 };

	if (!json)
		return;
	int r = snapshot_file_write(folders_state(&d->folders), d->folders.operators, json);
	json_decref(json);
	if (r == 0 || atomic_exchange(&d->unshared_told, true))
		return;
	text_buffer_printf(&b,
			   "%s/" SNAPSHOT_FILE
			   " cannot be written: %s; operators do not see this engine's "
			   "picture: free the disk or repair the folder",
			   d->folders.state_path, strerror(-r));
	if (!b.failed)
		journal_submit(d->journal, entry_of_note(&d->entry_context, ENTRY_KIND_TROUBLE,
							 LOG_WARNING, clock_realtime_ns(), b.ptr));
	text_buffer_done(&b);
}

static void share(struct dispatcher *d, uint64_t now_ns, uint64_t stopped_ns)
{
	json_t *json = dispatcher_json(d);

	d->shared_at_ns = now_ns;
	/* Whether it lives is then told by its process: the lock is gone with the recorder. */
	const char *recorder = d->lost ? NULL : recorder_name(d->recorder);

	if (!json || snapshot_file_sign(json, d->folders.runtime_path, recorder, stopped_ns) < 0 ||
	    /* A rescue's word is no sign of the engine's life. */
	    (d->rescue && json_object_set_new(json, "engine_signed_at", json_null()) < 0)) {
		json_decref(json);
		return;
	}
	uint64_t before = d->changes_shared;

	d->changes_shared = d->changes;
	json_decref(atomic_exchange(&d->to_share, json));
	if (disk_thread_run(d->disk_thread, share_write, d) < 0) {
		json_decref(atomic_exchange(&d->to_share, NULL));
		d->changes_shared = before;
	}
}

void dispatcher_share(struct dispatcher *d, uint64_t now_ns)
{
	/* Also once when nothing has happened yet: it tells that the engine lives. */
	bool first = d->shared_at_ns == 0;
	uint64_t age_ns = now_ns - d->shared_at_ns;

	if (d->folders.state < 0 || atomic_load(&d->to_share) ||
	    (!first && age_ns < SHARE_EVERY_NS) ||
	    (!first && d->changes == d->changes_shared && age_ns < SHARE_ANYWAY_NS))
		return;
	share(d, now_ns, 0);
}

void dispatcher_share_last(struct dispatcher *d)
{
	if (d->folders.state >= 0)
		share(d, clock_monotonic_ns(), clock_realtime_ns());
}

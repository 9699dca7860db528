/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/run_picture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>
#include "base/cleanup.h"
#include "base/text.h"
#include "deliver/entry.h"
#include "tool/tool.h"

void run_picture_free(struct run_picture *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n_waiting; i++) {
		free(p->waiting[i].id);
		free(p->waiting[i].endpoint);
	}
	for (size_t i = 0; i < p->n_notes; i++)
		free(p->notes[i].text);
	history_free(p->history);
	session_list_free(p->sessions);
	json_decref(p->snapshot);
	free(p->waiting);
	free(p->engine);
	free(p);
}

const char *run_state_name(enum run_state state)
{
	static const char *const names[] = {
		[RUN_RUNNING] = "running",
		[RUN_STOPPED] = "stopped",
		[RUN_ENDED] = "dead",
		[RUN_UNKNOWN] = "unknown",
	};

	return names[state];
}

DEFINE_CLEANUP(struct run_picture *, run_picture_free, cleanup_picture)
DEFINE_CLEANUP(struct journal_query *, journal_query_free, cleanup_query)

static uint64_t number_field(struct journal_query *q, const char *name)
{
	tocsin_str text = journal_query_get(q, name);
	uint64_t number = 0;

	if (text.ptr)
		(void)tool_parse_number(text.ptr, 0, UINT64_MAX, &number);
	return number;
}

static struct run_page *find_waiting(struct run_picture *p, tocsin_str id, tocsin_str endpoint)
{
	for (size_t i = 0; i < p->n_waiting; i++)
		if (str_is(id, p->waiting[i].id) && str_is(endpoint, p->waiting[i].endpoint))
			return &p->waiting[i];
	return NULL;
}

static int fold_page(struct run_picture *p, struct journal_query *q)
{
	tocsin_str id = journal_query_get(q, "TOCSIN_PAGE_ID");
	tocsin_str endpoint = journal_query_get(q, "TOCSIN_ENDPOINT");
	struct run_page *page = find_waiting(p, id, endpoint);
	bool delivered = str_is(journal_query_get(q, "TOCSIN_RESULT"), "delivered");

	if (delivered)
		p->delivered++;
	if (delivered && page) {
		free(page->id);
		free(page->endpoint);
		*page = p->waiting[--p->n_waiting];
	}
	if (delivered)
		return 0;
	if (!page && p->n_waiting == RUN_PICTURE_WAITING_MAX) {
		p->waiting_left_out++;
		return 0;
	}
	if (!page) {
		page = &p->waiting[p->n_waiting];
		*page = (struct run_page){ .id = str_dup(id), .endpoint = str_dup(endpoint) };
		p->n_waiting++;
	}
	page->attempts = number_field(q, "TOCSIN_ATTEMPT");
	return page->id && page->endpoint ? 0 : -ENOMEM;
}

static int add_note(struct run_picture *p, struct journal_query *q, uint64_t time_ns)
{
	char *text = str_dup(journal_query_get(q, "MESSAGE"));

	if (!text)
		return -ENOMEM;
	if (p->n_notes == RUN_PICTURE_NOTES_MAX) {
		free(p->notes[0].text);
		memmove(p->notes, p->notes + 1, --p->n_notes * sizeof(p->notes[0]));
	}
	p->notes[p->n_notes++] = (struct run_note){ text, time_ns };
	return 0;
}

static int fold_own(struct run_picture *p, struct journal_query *q, uint64_t time_ns)
{
	tocsin_str id = journal_query_get(q, "MESSAGE_ID");

	if (str_is(id, entry_kind_message_id(ENTRY_KIND_STOPPED))) {
		p->state = RUN_STOPPED;
		p->stopped_ns = time_ns;
		return 0;
	}
	if (str_is(id, entry_kind_message_id(ENTRY_KIND_STARTED)))
		return 0;
	return number_field(q, "PRIORITY") <= 4 ? add_note(p, q, time_ns) : 0;
}

static int fold(struct run_picture *p, struct journal_query *q)
{
	tocsin_str event = journal_query_get(q, "TOCSIN_EVENT");
	uint64_t time_ns = journal_query_time(q);

	if ((str_is(event, "session") || str_is(event, "alert")) && time_ns > p->last_event_ns)
		p->last_event_ns = time_ns;
	if (str_is(event, "session"))
		return session_list_add(p->sessions, journal_query_field, q, time_ns);
	if (str_is(event, "alert"))
		return history_add(p->history, journal_query_field, q, time_ns);
	if (str_is(event, "page"))
		return fold_page(p, q);
	return fold_own(p, q, time_ns);
}

/* Does the process that wrote the start entry live? Only its own machine and boot can tell. */
static enum run_state living_state(struct run_picture *p, struct journal_query *q,
				   const char *directory)
{
	char machine[SD_ID128_STRING_MAX] = "", boot[SD_ID128_STRING_MAX] = "";
	sd_id128_t id;

	if (sd_id128_get_machine(&id) >= 0)
		sd_id128_to_string(id, machine);
	if (sd_id128_get_boot(&id) >= 0)
		sd_id128_to_string(id, boot);
	if (directory || !str_is(journal_query_get(q, "_MACHINE_ID"), machine) || p->pid == 0)
		return RUN_UNKNOWN;
	if (!str_is(journal_query_get(q, "_BOOT_ID"), boot))
		return RUN_ENDED;
	if (kill((pid_t)p->pid, 0) < 0 && errno == ESRCH)
		return RUN_ENDED;
	return RUN_RUNNING;
}

/* From the start entry, where the query stands, to the end. */
static int read_run(struct run_picture *p, struct journal_query *q)
{
	static const char *const events[] = { "session", "alert", "page", "tocsin" };
	int r = journal_query_rematch(q);

	if (r >= 0)
		r = journal_query_match(q, "TOCSIN_ENGINE", p->engine);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]) && r >= 0; i++)
		r = journal_query_match(q, "TOCSIN_EVENT", events[i]);
	while (r >= 0 && (r = journal_query_next(q)) > 0)
		r = fold(p, q);
	return r;
}

struct run_picture *run_picture_new(const char *engine)
{
	_cleanup_(cleanup_picture) struct run_picture *p = calloc(1, sizeof(*p));

	if (!p || !(p->engine = strdup(engine)) || !(p->history = history_new()) ||
	    !(p->sessions = session_list_new()) ||
	    !(p->waiting = calloc(RUN_PICTURE_WAITING_MAX, sizeof(*p->waiting))))
		return NULL;
	return TAKE(p);
}

static int read_newest(const char *directory, const char *engine, bool recordings,
		       struct run_picture **ret)
{
	_cleanup_(cleanup_picture) struct run_picture *p = NULL;
	_cleanup_(cleanup_query) struct journal_query *q = NULL;
	_cleanup_free_ char *name = NULL;
	int r = journal_query_open(directory, &q);

	if (r < 0)
		return r;
	journal_query_hide_recordings(q, !recordings);
	r = journal_query_match(q, "MESSAGE_ID", entry_kind_message_id(ENTRY_KIND_STARTED));
	if (r >= 0 && engine)
		r = journal_query_match(q, "TOCSIN_ENGINE", engine);
	if (r >= 0)
		r = journal_query_last(q);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	name = str_dup(journal_query_get(q, "TOCSIN_ENGINE"));
	p = name ? run_picture_new(name) : NULL;
	if (!p)
		return -ENOMEM;
	p->started_ns = journal_query_time(q);
	p->pid = number_field(q, "_PID");
	p->replay = journal_query_get(q, "TOCSIN_REPLAY").len > 0;
	p->state = living_state(p, q, directory);
	r = read_run(p, q);
	if (r < 0)
		return r;
	*ret = TAKE(p);
	return 0;
}

int run_picture_read(const char *directory, const char *engine, struct run_picture **ret)
{
	int r = read_newest(directory, engine, false, ret);

	/* A recording that was played under the engine's name tells nothing of the engine. */
	return r == -ENOENT ? read_newest(directory, engine, true, ret) : r;
}

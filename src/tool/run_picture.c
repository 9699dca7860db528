/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/run_picture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "journal/entry.h"
#include "picture/sessions.h"
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
	free(p->host);
	free(p->state_path);
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
	tocsin_str result = journal_query_get(q, "TOCSIN_RESULT");
	bool delivered = str_is(result, "delivered");

	if (delivered)
		p->delivered++;
	if (delivered || str_is(result, "discarded")) {
		if (page) {
			free(page->id);
			free(page->endpoint);
			*page = p->waiting[--p->n_waiting];
		}
		return 0;
	}
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
	page->dead = str_is(result, "dead");
	return page->id && page->endpoint ? 0 : -ENOMEM;
}

char *run_picture_name(const struct run_picture *p)
{
	struct text_buffer b = { 0 };

	text_buffer_printf(&b, "%s", p->engine);
	if (p->host[0])
		text_buffer_printf(&b, " on %s", p->host);
	if (b.failed)
		text_buffer_done(&b);
	return b.ptr;
}

uint64_t run_picture_open(const struct run_picture *p, unsigned priority)
{
	return history_open(p->history, priority) + p->missing.open[priority];
}

uint64_t run_picture_sessions(const struct run_picture *p)
{
	return session_list_running(p->sessions) + p->missing.sessions;
}

size_t run_picture_pages(const struct run_picture *p, bool dead)
{
	size_t n = dead ? 0 : p->waiting_left_out;

	for (size_t i = 0; i < p->n_waiting; i++)
		n += p->waiting[i].dead == dead;
	return n;
}

static int add_note(struct run_picture *p, struct journal_query *q, uint64_t time_ns)
{
	char *text = str_dup(journal_query_get(q, "MESSAGE"));

	if (!text)
		return -ENOMEM;
	if (p->n_notes == RUN_PICTURE_NOTES_MAX) {
		free(p->notes[0].text);
		p->notes_left_out++;
		memmove(p->notes, p->notes + 1, --p->n_notes * sizeof(p->notes[0]));
	}
	p->notes[p->n_notes++] = (struct run_note){ text, time_ns };
	return 0;
}

static bool is_kind(struct journal_query *q, enum entry_kind kind)
{
	return str_is(journal_query_get(q, "MESSAGE_ID"), entry_kind_message_id(kind));
}

/* By the engine's own process, not by a later run, a rescue or a person for it. */
static bool is_own(struct journal_query *q)
{
	tocsin_str event = journal_query_get(q, "TOCSIN_EVENT");

	return journal_query_get(q, "TOCSIN_RECOVERED").len == 0 &&
	       (str_is(event, "session") || str_is(event, "alert") || str_is(event, "health"));
}

/* --- Which run --- */

static int copy_text(char **text, tocsin_str value)
{
	char *copy = str_dup(value);

	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

static void copy_id(char id[static SD_ID128_STRING_MAX], tocsin_str value)
{
	snprintf(id, SD_ID128_STRING_MAX, "%.*s", (int)(value.len < 32 ? value.len : 32),
		 value.ptr ? value.ptr : "");
}

static void forget_waiting(struct run_picture *p)
{
	while (p->n_waiting > 0) {
		free(p->waiting[--p->n_waiting].id);
		free(p->waiting[p->n_waiting].endpoint);
	}
	p->waiting_left_out = 0;
	p->delivered = 0;
}

static void forget_notes(struct run_picture *p)
{
	while (p->n_notes > 0)
		free(p->notes[--p->n_notes].text);
	p->notes_left_out = 0;
}

/* What does not outlive a run goes. */
static int forget_run(struct run_picture *p, bool incidents_too)
{
	struct session_list *sessions = session_list_new();
	struct history *history = incidents_too ? history_new() : NULL;

	if (!sessions || (incidents_too && !history)) {
		session_list_free(sessions);
		history_free(history);
		return -ENOMEM;
	}
	session_list_free(p->sessions);
	p->sessions = sessions;
	if (history) {
		history_free(p->history);
		p->history = history;
	}
	forget_waiting(p);
	forget_notes(p);
	p->missing = (struct run_missing){ 0 };
	p->stopped_ns = p->last_event_ns = p->last_sign_ns = p->last_told_ns = 0;
	return 0;
}

static int begin_run(struct run_picture *p, struct journal_query *q, uint64_t started_ns)
{
	bool replay = journal_query_get(q, "TOCSIN_REPLAY").len > 0;
	bool by_events = str_is(journal_query_get(q, "TOCSIN_CLOCK"), "event");
	bool ends = p->replay || p->by_events || replay || by_events;

	/* The first of which the journal tells has what was told before, if there is any. */
	if (p->pid > 0 && forget_run(p, ends) < 0)
		return -ENOMEM;
	p->pid = number_field(q, "_PID");
	p->replay = replay;
	p->by_events = by_events;
	p->started_ns = started_ns;
	p->state = RUN_RUNNING;
	copy_id(p->machine, journal_query_get(q, "_MACHINE_ID"));
	copy_id(p->boot, journal_query_get(q, "_BOOT_ID"));
	if (copy_text(&p->state_path, (tocsin_str){ 0 }) < 0)
		return -ENOMEM;
	return copy_text(&p->host, journal_query_get(q, "_HOSTNAME"));
}

static int note_run(struct run_picture *p, struct journal_query *q, uint64_t time_ns)
{
	bool life = is_kind(q, ENTRY_KIND_ALIVE);
	uint64_t started_ns = 0;

	if (is_kind(q, ENTRY_KIND_STARTED))
		return begin_run(p, q, time_ns);
	if (p->pid > 0 && p->pid == number_field(q, "_PID") &&
	    str_is(journal_query_get(q, "_BOOT_ID"), p->boot))
		return 0;
	if (!life && (p->pid > 0 || !is_own(q)))
		return 0;
	(void)time_from_rfc3339(journal_query_get(q, "TOCSIN_STARTED"), &started_ns);
	return begin_run(p, q, life ? started_ns : 0);
}

/* --- What it told --- */

/* What the run counted and what was read so far are compared at the same place of the log. */
static void note_counts(struct run_picture *p, struct journal_query *q)
{
	tocsin_str text = journal_query_get(q, "TOCSIN_OPEN");
	uint64_t told, running = session_list_running(p->sessions);
	const char *at = text.ptr;
	char *end;

	if (!at)
		return;
	for (unsigned priority = 1; priority <= 3; priority++, at = end) {
		uint64_t known = history_open(p->history, priority);

		told = strtoull(at, &end, 10);
		p->missing.open[priority] = told > known ? told - known : 0;
	}
	told = number_field(q, "TOCSIN_SESSIONS");
	p->missing.sessions = told > running ? told - running : 0;
}

static int fold_own(struct run_picture *p, struct journal_query *q, uint64_t time_ns)
{
	tocsin_str state_path = journal_query_get(q, "TOCSIN_STATE_DIR");

	if (state_path.len > 0 && copy_text(&p->state_path, state_path) < 0)
		return -ENOMEM;
	if (is_kind(q, ENTRY_KIND_STOPPED)) {
		p->state = RUN_STOPPED;
		p->stopped_ns = time_ns;
	}
	if (is_kind(q, ENTRY_KIND_STOPPED) || is_kind(q, ENTRY_KIND_ALIVE))
		note_counts(p, q);
	if (is_kind(q, ENTRY_KIND_STOPPED) || is_kind(q, ENTRY_KIND_ALIVE) ||
	    is_kind(q, ENTRY_KIND_STARTED))
		return 0;
	return number_field(q, "PRIORITY") <= 4 ? add_note(p, q, time_ns) : 0;
}

/* What a rescue or the next run tells of the death itself, its sessions' end too, is no sign of
 * life. */
static void note_time(struct run_picture *p, struct journal_query *q, uint64_t time_ns)
{
	tocsin_str event = journal_query_get(q, "TOCSIN_EVENT");
	bool own = p->pid > 0 && p->pid == number_field(q, "_PID");
	bool lost = !own && str_is(journal_query_get(q, "TOCSIN_STATUS"), SESSION_LOST);
	bool told = (str_is(event, "session") && !lost) || (own && str_is(event, "alert"));
	uint64_t written_ns = journal_query_written(q);

	if (told && time_ns > p->last_event_ns)
		p->last_event_ns = time_ns;
	if (own && written_ns > p->last_sign_ns)
		p->last_sign_ns = written_ns;
	if (own && told)
		p->last_told_ns = written_ns;
}

static int fold(struct run_picture *p, struct journal_query *q)
{
	tocsin_str event = journal_query_get(q, "TOCSIN_EVENT");
	uint64_t time_ns = journal_query_time(q);
	int r = note_run(p, q, time_ns);

	if (r < 0)
		return r;
	note_time(p, q, time_ns);
	if (str_is(event, "session"))
		return session_list_add(p->sessions, journal_query_field, q, time_ns);
	if (str_is(event, "alert"))
		return history_add(p->history, journal_query_field, q, time_ns);
	if (str_is(event, "page"))
		return fold_page(p, q);
	return str_is(event, "tocsin") ? fold_own(p, q, time_ns) : 0;
}

/* Does its process live? Only its own machine and boot can tell. */
static enum run_state living_state(const struct run_picture *p, bool elsewhere)
{
	char machine[SD_ID128_STRING_MAX] = "", boot[SD_ID128_STRING_MAX] = "";
	sd_id128_t id;

	if (sd_id128_get_machine(&id) >= 0)
		sd_id128_to_string(id, machine);
	if (sd_id128_get_boot(&id) >= 0)
		sd_id128_to_string(id, boot);
	if (elsewhere || strcmp(p->machine, machine) != 0 || p->pid == 0)
		return RUN_UNKNOWN;
	if (strcmp(p->boot, boot) != 0 || (kill((pid_t)p->pid, 0) < 0 && errno == ESRCH))
		return RUN_ENDED;
	return RUN_RUNNING;
}

/* Only where it is sure: a path that cannot be looked at may be there. */
static bool is_removed(const struct run_picture *p)
{
	return p->state == RUN_ENDED && p->state_path[0] == '/' &&
	       access(p->state_path, F_OK) < 0 && errno == ENOENT;
}

static int match_all(struct journal_query *q, const char *engine, const char *machine)
{
	static const char *const events[] = { "session", "alert", "page", "health", "tocsin" };
	int r = journal_query_match(q, "TOCSIN_ENGINE", engine);

	if (r >= 0 && machine)
		r = journal_query_match(q, "_MACHINE_ID", machine);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]) && r >= 0; i++)
		r = journal_query_match(q, "TOCSIN_EVENT", events[i]);
	return r;
}

/* The engine that has written last, if that was not said: *ret_name is for the caller to free. */
static int find_engine(struct journal_query *q, const char *engine, char **ret_name)
{
	static const enum entry_kind kinds[] = { ENTRY_KIND_STARTED, ENTRY_KIND_ALIVE };
	int r = 0;

	for (size_t i = 0; !engine && i < sizeof(kinds) / sizeof(kinds[0]) && r >= 0; i++)
		r = journal_query_match(q, "MESSAGE_ID", entry_kind_message_id(kinds[i]));
	if (r >= 0 && !engine)
		r = journal_query_last(q);
	if (r < 0 || (r == 0 && !engine))
		return r < 0 ? r : -ENOENT;
	*ret_name = str_dup(engine ? str(engine) : journal_query_get(q, "TOCSIN_ENGINE"));
	return *ret_name ? journal_query_restart(q) : -ENOMEM;
}

struct run_picture *run_picture_new(const char *engine)
{
	_cleanup_(cleanup_picture) struct run_picture *p = calloc(1, sizeof(*p));

	if (!p || !(p->engine = strdup(engine)) || !(p->host = strdup("")) ||
	    !(p->state_path = strdup("")) || !(p->history = history_new()) ||
	    !(p->sessions = session_list_new()) ||
	    !(p->waiting = calloc(RUN_PICTURE_WAITING_MAX, sizeof(*p->waiting))))
		return NULL;
	return TAKE(p);
}

static int read_newest(const struct journal_source *source, const char *engine, const char *machine,
		       bool recordings, struct run_picture **ret)
{
	_cleanup_(cleanup_picture) struct run_picture *p = NULL;
	_cleanup_(cleanup_query) struct journal_query *q = NULL;
	_cleanup_free_ char *name = NULL;
	size_t entries = 0;
	int r = journal_query_open(source, &q);

	if (r < 0)
		return r;
	journal_query_hide_recordings(q, !recordings);
	r = find_engine(q, engine, &name);
	if (r < 0)
		return r;
	p = run_picture_new(name);
	if (!p)
		return -ENOMEM;
	p->state = RUN_UNKNOWN;
	r = match_all(q, name, machine);
	for (; r >= 0 && (r = journal_query_next(q)) > 0; entries++)
		r = fold(p, q);
	if (r < 0)
		return r;
	if (entries == 0)
		return -ENOENT;
	if (p->state == RUN_RUNNING)
		p->state = living_state(p, source->directory != NULL);
	p->removed = is_removed(p);
	*ret = TAKE(p);
	return 0;
}

int run_picture_read(const struct journal_source *source, const char *engine, const char *machine,
		     struct run_picture **ret)
{
	int r = read_newest(source, engine, machine, false, ret);

	/* A recording that was played under the engine's name tells nothing of the engine. */
	return r == -ENOENT ? read_newest(source, engine, machine, true, ret) : r;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/pages_change.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "journal/entry.h"
#include "post/attempt_entry.h"
#include "journal/journal.h"
#include "spool/outbox.h"
#include "spool/delivery.h"
#include "settings/settings.h"
#include "tool/rescue_engine.h"
#include "tool/tool.h"

/* A living engine looks about once a second. */
#define TAKEN_NS (4 * NS_PER_S)
#define TAKEN_LOOK_NS (20 * NS_PER_MS)
#define JOURNAL_NS (5 * NS_PER_S)

DEFINE_CLEANUP(struct outbox *, outbox_free, cleanup_outbox)
DEFINE_CLEANUP(struct page *, page_unref, cleanup_page)
DEFINE_CLEANUP(struct delivery *, delivery_unref, cleanup_delivery)
DEFINE_CLEANUP(struct settings *, settings_free, cleanup_settings)

bool pages_wanted(const struct control_request *want, const struct page_row *row)
{
	return (!want->page_id || strcmp(want->page_id, row->id) == 0) &&
	       (!want->endpoint || strcmp(want->endpoint, row->endpoint) == 0);
}

/* --- An engine that lives --- */

static bool wait_taken(const char *state_dir, const char *name)
{
	static const struct timespec pause = { .tv_nsec = TAKEN_LOOK_NS };
	uint64_t until_ns = clock_monotonic_ns() + TAKEN_NS;
	int r;

	while ((r = control_taken(state_dir, name)) == 0 && clock_monotonic_ns() < until_ns)
		nanosleep(&pause, NULL);
	return r != 0;
}

/* Has the engine listed its pages without that one? Where we may not look, nothing is known. */
static bool is_unlisted(const char *state_dir, const struct control_request *want)
{
	struct pages_list list;
	bool listed = false;

	if (pages_file_read(state_dir, &list) < 0)
		return true;
	for (size_t i = 0; i < list.n && !listed; i++)
		listed = pages_wanted(want, &list.rows[i]);
	pages_list_done(&list);
	return !listed;
}

/* What was discarded is not to be found by whoever looks next. */
static bool wait_unlisted(const char *state_dir, const struct control_request *want)
{
	static const struct timespec pause = { .tv_nsec = TAKEN_LOOK_NS };
	uint64_t until_ns = clock_monotonic_ns() + TAKEN_NS;
	bool unlisted;

	while (!(unlisted = is_unlisted(state_dir, want)) && clock_monotonic_ns() < until_ns)
		nanosleep(&pause, NULL);
	return unlisted;
}

static int refused(const struct pages_engine *e, int error)
{
	_cleanup_(text_buffer_done) struct text_buffer path = { 0 };
	_cleanup_free_ char *readers = NULL;

	text_buffer_printf(&path, "%s/" CONTROL_FOLDER, e->state_dir);
	readers = error == -EACCES && !path.failed ? pages_readers(path.ptr) : NULL;
	if (readers)
		return tool_failed("pages", "engine %s may be asked by %s alone", e->name, readers);
	if (error == -ENOENT)
		return tool_failed("pages", "engine %s takes no requests: there is no %s/%s",
				   e->name, e->state_dir, CONTROL_FOLDER);
	return tool_failed("pages", "engine %s cannot be asked: %s", e->name, strerror(-error));
}

static int ask(const struct pages_engine *e, const struct control_request *want)
{
	char name[CONTROL_NAME_SIZE];
	int r = control_put(e->state_dir, want, name);

	if (r < 0)
		return refused(e, r);
	if (!wait_taken(e->state_dir, name))
		return tool_failed("pages",
				   "engine %s was asked, and has not looked yet; it will, "
				   "unless it hangs or has died",
				   e->name);
	if (want->verb == CONTROL_DISCARD && !wait_unlisted(e->state_dir, want))
		return tool_failed("pages",
				   "engine %s has taken the request, and still lists page %s: see "
				   "the journal, and look again in a moment",
				   e->name, want->page_id);
	printf("engine %s: asked to %s ", e->name, control_verb_name(want->verb));
	tool_print_text(stdout, want->page_id ? str(want->page_id) : STR("all its pages"));
	puts("; the journal will have the result");
	return TOOL_FINE;
}

/* --- An engine that does not --- */

static struct entry *audit_entry(const struct settings *s, struct page *page, const char *endpoint,
				 const char *reason)
{
	_cleanup_(cleanup_delivery) struct delivery *p = delivery_new(page, 0, 0);
	struct entry_context c = { .engine = s->engine_name, .replay = s->engine_replay };

	return p ? entry_of_discard(&c, p, endpoint, reason, clock_realtime_ns()) : NULL;
}

/* To where the engine logs, as it was told. */
static int audit(const struct rescue_engine *engine, struct page *page, const char *endpoint,
		 const char *reason)
{
	_cleanup_(cleanup_settings) struct settings *s = NULL;
	struct tool_options none = { 0 };
	struct journal_options options = { .state = -1 };
	struct entry_context context = { 0 };
	struct journal *j;
	char err[1024] = "";
	const char *why;
	int r = rescue_engine_settings(engine, &none, err, sizeof(err), &why, &s);

	if (r < 0)
		return r;
	context.engine = s->engine_name;
	options.target = s->log_target;
	options.context = &context;
	struct entry *e = audit_entry(s, page, endpoint, reason);
	if (!e)
		return -ENOMEM;
	r = journal_new(&options, &j);
	if (r < 0) {
		entry_free(e);
		return r;
	}
	journal_submit(j, e);
	r = journal_stop(j, JOURNAL_NS);
	if (r == 0 && journal_lost(j) > 0)
		r = -ETIMEDOUT;
	/* One that hangs in a send ends with this process. */
	if (r == 0)
		journal_free(j);
	return r;
}

static char *reason_with_name(const char *reason, uid_t uid)
{
	const struct passwd *user = getpwuid(uid);
	struct text_buffer b = { 0 };

	if (user)
		text_buffer_printf(&b, "%s (%s, by hand)", reason, user->pw_name);
	else
		text_buffer_printf(&b, "%s (user %u, by hand)", reason, (unsigned)uid);
	if (b.failed)
		text_buffer_done(&b);
	return b.ptr;
}

static void print_row(const struct page_row *row)
{
	printf("page %s to ", row->id);
	tool_print_text(stdout, str(row->endpoint));
}

static int discard(struct outbox *o, const struct rescue_engine *engine, const struct page_row *row,
		   const char *reason)
{
	_cleanup_(cleanup_page) struct page *page = NULL;
	int r = outbox_find(o, row->id, row->endpoint, &page);

	if (r == 0)
		r = outbox_discard(o, row->id, row->endpoint);
	if (r < 0)
		return tool_failed("pages", "page %s cannot be discarded: %s", row->id,
				   strerror(-r));
	r = audit(engine, page, row->endpoint, reason);
	print_row(row);
	puts(": discarded");
	if (r < 0)
		return tool_failed("pages", "that page %s was discarded could not be logged: %s",
				   row->id, strerror(-r));
	return TOOL_FINE;
}

static int resend(struct outbox *o, const struct rescue_engine *engine, const struct page_row *row)
{
	_cleanup_(cleanup_page) struct page *page = NULL;
	int r = 0;

	if (strcmp(row->state, PAGE_STATE_DEAD) == 0)
		r = outbox_revive(o, row->id, row->endpoint, &page);
	if (r < 0)
		return tool_failed("pages", "page %s cannot be sent again: %s", row->id,
				   strerror(-r));
	print_row(row);
	printf(": waits; it goes out when the engine starts, or with tocsin rescue %s\n",
	       engine->name);
	return TOOL_FINE;
}

static int change_rows(const struct pages_engine *e, const struct rescue_engine *engine,
		       const struct control_request *want, const char *reason)
{
	_cleanup_(cleanup_outbox) struct outbox *o = NULL;
	int r = outbox_open_existing(e->state_dir, &o), status = TOOL_FINE;

	if (r == 0)
		r = outbox_claim(o);
	if (r == -EBUSY)
		return tool_failed("pages",
				   "engine %s: another process posts its pages, its next start or "
				   "a rescue; look again in a moment",
				   e->name);
	if (r < 0)
		return tool_failed("pages", "%s/outbox cannot be claimed: %s", e->state_dir,
				   strerror(-r));
	for (size_t i = 0; i < e->pages.n; i++) {
		const struct page_row *row = &e->pages.rows[i];

		if (!pages_wanted(want, row))
			continue;
		r = want->verb == CONTROL_RESEND ? resend(o, engine, row)
						 : discard(o, engine, row, reason);
		if (r != TOOL_FINE)
			status = r;
	}
	return status;
}

/* In a child: root becomes the engine's user, so that it leaves no file of its own. */
static int change_as_owner(const struct pages_engine *e, const struct control_request *want,
			   pid_t parent)
{
	struct rescue_engine engine = { .name = e->name, .state_path = e->state_dir };
	_cleanup_free_ char *reason =
		want->reason ? reason_with_name(want->reason, getuid()) : NULL;
	int r = rescue_engine_become_owner(&engine, parent);

	if (r == -EPERM) {
		_cleanup_free_ char *readers = pages_readers(e->state_dir);

		return tool_failed("pages",
				   "engine %s does not live, and its outbox is its user's: ask "
				   "%s, or root",
				   e->name, readers ? readers : "its user");
	}
	if (r < 0 || (want->reason && !reason))
		return tool_failed("pages", "cannot become the user of engine %s: %s", e->name,
				   strerror(r < 0 ? -r : ENOMEM));
	return change_rows(e, &engine, want, reason);
}

static int change(const struct pages_engine *e, const struct control_request *want)
{
	pid_t parent = getpid(), pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return tool_failed("pages", "%s", strerror(errno));
	if (pid == 0) {
		status = change_as_owner(e, want, parent);
		fflush(stdout);
		_exit(status);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return TOOL_FAILED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : TOOL_FAILED;
}

int pages_change(const struct pages_engine *e, const struct control_request *want)
{
	return e->lives ? ask(e, want) : change(e, want);
}

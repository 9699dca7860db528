/* SPDX-License-Identifier: MIT */
/*
 * A session's entries as lines that play takes. What comes back is what was logged:
 *
 * - the session as it was created, with its first status and metadata, and each change of it;
 * - each raise and each resolution of its alerts, as calls, at their times to the microsecond. A
 *   rule's alert becomes a call too, its source the instance, unless what the rule judged is among
 *   the lines: the session's failure is, and health events are where log.health was on;
 * - health events of that session that were logged.
 *
 * What cannot come back: events that were not logged, alerts of the engine's that name no session
 * (a feed's), the lower priority of a raise that followed a higher one, and bytes that JSON cannot
 * hold, which become U+FFFD.
 */
#include "config.h"
#include "tool/verbs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "tool/export_line.h"
#include "tool/query.h"
#include "tool/session_list.h"
#include "tool/tool.h"

static const struct query_verb verb = {
	.name = "export",
	.usage = "export --session ID [OPTION]... [FILE]",
	.about = "Writes a session as lines that tocsin play takes, to FILE or the standard "
		 "output:\n"
		 "its changes, its alerts as calls, and the health events that were logged. "
		 "Playing\n"
		 "them gives the same session and the same alerts.\n",
	.options = QUERY_SINCE | QUERY_UNTIL | QUERY_SESSION | QUERY_ENGINE | QUERY_DIRECTORY |
		   QUERY_NAMESPACE,
	.arguments_max = 1,
};

DEFINE_CLEANUP(struct journal_query *, journal_query_free, cleanup_query)
DEFINE_CLEANUP(struct session_list *, session_list_free, cleanup_list)
DEFINE_CLEANUP(struct export_line *, export_line_free, cleanup_line)

struct export
{
	const struct query *query;
	struct journal_query *journal;
	const struct session_row *row;
	struct export_line *line;
	FILE *file;
	size_t lines;
};

static int match_session(const struct export *e)
{
	static const char *const events[] = { "session", "alert", "health" };
	int r = journal_query_restart(e->journal);

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]) && r >= 0; i++)
		r = journal_query_match(e->journal, "TOCSIN_EVENT", events[i]);
	if (r >= 0)
		r = journal_query_match(e->journal, "TOCSIN_ENGINE", e->row->engine);
	return r < 0 ? r : journal_query_match(e->journal, "TOCSIN_SESSION", e->row->id);
}

static int write_line(struct export *e)
{
	json_t *line;
	int r = export_line_make(e->line, journal_query_field, e->journal, &line);

	if (r <= 0)
		return r;
	r = json_dumpf(line, e->file, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(line);
	if (r < 0 || fputc('\n', e->file) == EOF)
		return -EIO;
	e->lines++;
	return 0;
}

/* Twice: what a rule will do by itself is known only when all its health events are. */
static int write_lines(struct export *e, bool learn)
{
	int r = match_session(e);

	while (r >= 0 && (r = journal_query_next(e->journal)) > 0) {
		uint64_t time_ns = journal_query_time(e->journal);

		if (!query_covers(e->query, time_ns) ||
		    !session_row_has(e->row, journal_query_field, e->journal, time_ns))
			continue;
		r = learn ? export_line_learn(e->line, journal_query_field, e->journal)
			  : write_line(e);
	}
	return r;
}

static int find_session(const struct query *q, struct journal_query *j, struct session_list *l,
			const struct session_row **ret)
{
	size_t others = 0;
	int r = session_list_read(l, j, q->engine, q->session), status;

	if (r < 0)
		return tool_failed("export", "cannot read the journal: %s", journal_query_error(r));
	*ret = session_list_choose(l, q->until_ns, &others);
	if (!*ret) {
		status = query_explain_nothing(q, j);
		return status != TOOL_FINE
			       ? status
			       : tool_failed("export", "the journal has no session %s in that time",
					     q->session);
	}
	if (others > 0)
		fprintf(stderr,
			"tocsin export: of this id there are %zu more sessions; --until chooses an "
			"earlier one, --engine another engine's\n",
			others);
	return TOOL_FINE;
}

/* A file of another user's, a link or a pipe, is not written: it stands there for us to fall into.
 */
static int output_open(const char *path)
{
	struct stat st;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0 || errno != EEXIST)
		return fd;
	if (lstat(path, &st) < 0)
		return -1;
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		errno = EPERM;
		return -1;
	}
	return open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
}

static FILE *open_output(const struct query *q)
{
	const char *path = q->n_arguments > 0 ? q->arguments[0] : "-";
	int fd;

	if (strcmp(path, "-") == 0)
		return stdout;
	fd = output_open(path);
	return fd < 0 ? NULL : fdopen(fd, "we");
}

static int write_session(struct export *e)
{
	int r = write_lines(e, true);

	if (r >= 0)
		r = write_lines(e, false);
	if (fflush(e->file) != 0 && r >= 0)
		r = -errno;
	if (e->file != stdout && fclose(e->file) != 0 && r >= 0)
		r = -errno;
	if (r < 0)
		return tool_failed("export", "%s", journal_query_error(r));
	fprintf(stderr, "tocsin export: %zu lines of session ", e->lines);
	tool_print_text(stderr, str(e->row->id));
	fputs(" of engine ", stderr);
	tool_print_text(stderr, str(e->row->engine));
	if (export_line_converted(e->line) > 0)
		fprintf(stderr, "; %zu of a rule's alerts became calls",
			export_line_converted(e->line));
	fputc('\n', stderr);
	return TOOL_FINE;
}

int export_main(int argc, char **argv)
{
	struct query q;
	_cleanup_(cleanup_query) struct journal_query *journal = NULL;
	_cleanup_(cleanup_list) struct session_list *list = NULL;
	_cleanup_(cleanup_line) struct export_line *line = NULL;
	struct export e = { .query = &q };
	int status = query_parse(&q, &verb, argc, argv);

	if (status >= 0)
		return status;
	if (!q.session)
		return tool_wrong_use("export", "--session ID is missing");
	status = query_open(&q, &journal);
	if (status != TOOL_FINE)
		return status;
	list = session_list_new();
	line = export_line_new();
	if (!list || !line)
		return tool_failed("export", "no memory");
	status = find_session(&q, journal, list, &e.row);
	query_tell_foreign(&q, journal);
	if (status != TOOL_FINE)
		return status;
	assert(e.row);
	e.journal = journal;
	e.line = line;
	e.file = open_output(&q);
	if (!e.file)
		return tool_failed("export", "%s: %s", q.arguments[0], strerror(errno));
	return write_session(&e);
}

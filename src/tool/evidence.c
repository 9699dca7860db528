/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/evidence.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/files.h"
#include "base/moment.h"
#include "base/text.h"
#include "codes/runbooks.h"
#include "post/endpoint_files.h"
#include "settings/settings.h"
#include "tool/history.h"
#include "tool/incident_view.h"
#include "tool/session_list.h"
#include "tool/tool.h"

/* What the files are made from. */
struct evidence {
	const struct query *query;
	const char *engine, *source;
	const json_t *snapshot;
	int folder;
	int journal_error;                /* why the lists are empty, or 0 */
	char gap[JOURNAL_QUERY_GAP_SIZE]; /* what of the journal was not read; "" */
	struct history *history;
	struct session_list *sessions;
};

DEFINE_CLEANUP(struct journal_query *, journal_query_free, cleanup_query)
DEFINE_CLEANUP(DIR *, closedir, cleanup_dir)

static void evidence_done(struct evidence *e)
{
	if (e->folder >= 0)
		close(e->folder);
	history_free(e->history);
	session_list_free(e->sessions);
}

static int write_snapshot(const struct evidence *e, FILE *f)
{
	int r = json_dumpf(e->snapshot, f, JSON_INDENT(2) | JSON_ENSURE_ASCII);

	fputc('\n', f);
	return r < 0 ? -EIO : 0;
}

static int write_alerts_table(const struct evidence *e, FILE *f)
{
	struct history_incident *const *list;
	size_t n = history_sorted(e->history, &list);

	return incident_view_table(f, (const struct history_incident *const *)list, n,
				   e->query->utc);
}

static int write_alerts_json(const struct evidence *e, FILE *f)
{
	struct history_incident *const *list;
	size_t n = history_sorted(e->history, &list);

	return incident_view_json(f, (const struct history_incident *const *)list, n);
}

static int write_sessions_table(const struct evidence *e, FILE *f)
{
	struct session_row *const *list;
	size_t n = session_list_sorted(e->sessions, &list);

	return session_view_table(f, (const struct session_row *const *)list, n, e->query->utc);
}

static int write_sessions_json(const struct evidence *e, FILE *f)
{
	struct session_row *const *list;
	size_t n = session_list_sorted(e->sessions, &list);

	return session_view_json(f, (const struct session_row *const *)list, n);
}

/* By priority, as somebody looks for them. */
static int list_runbooks(const struct runbooks *set, const char *base_url, FILE *f)
{
	const struct runbook *list;
	unsigned n = runbooks_list(set, &list);

	fputs("CODE PRIORITY ACKNOWLEDGE-WITHIN ESCALATE-TO TITLE RUNBOOK\n", f);
	for (uint32_t priority = 1; priority <= 3; priority++)
		for (unsigned i = 0; i < n; i++) {
			const struct runbook *b = &list[i];
			_cleanup_free_ char *link = NULL;

			if (b->priority != priority)
				continue;
			link = runbooks_link(set, base_url, str(b->code));
			if (!link)
				return -ENOMEM;
			fprintf(f, "%s P%u %s \"%s\" \"%s\" %s\n", b->code, (unsigned)b->priority,
				b->ack_within, b->escalate_to, b->title, link);
		}
	return 0;
}

static void ignore_bad(void *userdata _unused_, const char *file _unused_, unsigned line _unused_,
		       const char *what _unused_)
{
}

/* The installed settings know the site's own ones; where they are wrong the built-in ones do. */
static int write_runbooks(const struct evidence *e _unused_, FILE *f)
{
	struct settings *s = NULL;
	struct runbooks *set = NULL;
	char err[256];
	int r;

	if (settings_load(endpoint_files_check, NULL, 0, err, sizeof(err), &s) < 0)
		s = NULL;
	r = runbooks_load(s ? s->runbooks_dir : NULL, ignore_bad, NULL, &set);
	if (r >= 0)
		r = list_runbooks(set, s ? s->runbooks_base_url : RUNBOOKS_BASE_URL_DEFAULT, f);
	runbooks_free(set);
	settings_free(s);
	return r;
}

static int write_readme(const struct evidence *e, FILE *f);

static const struct file {
	const char *name;
	const char *what;
	int (*write)(const struct evidence *e, FILE *f);
} files[] = {
	{ "snapshot.json", "the picture: sessions, status and alerts of the last day",
	  write_snapshot },
	{ "alerts.txt", "every incident of the engine in the journal, the oldest first",
	  write_alerts_table },
	{ "alerts.json", "the same, one JSON object a line", write_alerts_json },
	{ "sessions.txt", "every session of the engine in the journal, the newest first",
	  write_sessions_table },
	{ "sessions.json", "the same, one JSON object a line", write_sessions_json },
	{ "runbooks.txt", "each alert code with its priority, times and runbook", write_runbooks },
	{ "README", "this text", write_readme },
};
#define FILES (sizeof(files) / sizeof(files[0]))

static int write_readme(const struct evidence *e, FILE *f)
{
	char now[TIME_TEXT_SIZE];

	fprintf(f, "Evidence of engine ");
	tool_print_text(f, str(e->engine));
	fprintf(f, ", written by tocsin %s at %s.\n\n", PACKAGE_VERSION,
		time_to_rfc3339(clock_realtime_ns(), now));
	for (size_t i = 0; i < FILES; i++)
		fprintf(f, "%-14s %s\n", files[i].name, files[i].what);
	fprintf(f, "\nsnapshot.json is from: %s.\n", e->source);
	if (e->journal_error)
		fprintf(f,
			"The journal could not be read (%s): the alerts and sessions are empty.\n",
			journal_query_error(e->journal_error));
	if (e->gap[0])
		fprintf(f, "Not all of the journal was read: %s.\n", e->gap);
	if (history_left_out(e->history) || session_list_left_out(e->sessions))
		fputs("There was more than fits: the oldest alerts or sessions that are over are "
		      "left out.\n",
		      f);
	fputs("Times are the events' own. The journal has each entry with all its fields:\n"
	      "journalctl -t tocsin -o verbose\n",
	      f);
	return 0;
}

static int write_file(const struct evidence *e, const struct file *file)
{
	int fd = openat(e->folder, file->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "we");
	int r;

	if (!f) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	r = file->write(e, f);
	if (r == 0)
		r = fflush(f) != 0 ? -errno : file_sync(fileno(f));
	if (fclose(f) != 0 && r == 0)
		r = -errno;
	return r;
}

static int match_and_read(struct evidence *e)
{
	_cleanup_(cleanup_query) struct journal_query *j = NULL;
	int r = journal_query_open(&e->query->journal, &j);

	if (r >= 0)
		r = session_list_read(e->sessions, j, e->engine, NULL);
	if (r >= 0)
		r = journal_query_restart(j);
	if (r >= 0)
		r = journal_query_match(j, "TOCSIN_EVENT", "alert");
	if (r >= 0)
		r = journal_query_match(j, "TOCSIN_ENGINE", e->engine);
	while (r >= 0 && (r = journal_query_next(j)) > 0)
		r = history_add(e->history, journal_query_field, j, journal_query_time(j));
	if (j)
		(void)journal_query_gap(j, e->gap, sizeof(e->gap));
	return r;
}

/* -ENOTEMPTY when there is anything in it. */
static int open_folder(const char *path, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	_cleanup_(cleanup_dir) DIR *dir = NULL;
	const struct dirent *entry;
	struct stat st;
	int r = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;

	/* Evidence in a folder that another user owns or has put there is no evidence. */
	if (r == 0)
		r = folder_open_trusted(path, FOLDER_SAFE, false, &fd);
	if (r == 0 && (fstat(fd, &st) < 0 || st.st_uid != geteuid()))
		r = -EPERM;
	if (r < 0)
		return r;
	dir = fdopendir(dup(fd));
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return -ENOTEMPTY;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int evidence_write(const struct query *q, const char *engine, const json_t *snapshot,
		   const char *source)
{
	_cleanup_(evidence_done) struct evidence e = {
		.query = q,
		.engine = engine,
		.source = source,
		.snapshot = snapshot,
		.folder = -1,
		.history = history_new(),
		.sessions = session_list_new(),
	};
	int r = open_folder(q->evidence, &e.folder);

	if (r < 0)
		return tool_failed("snapshot", "%s: %s", q->evidence, strerror(-r));
	if (!e.history || !e.sessions)
		return tool_failed("snapshot", "no memory");
	r = match_and_read(&e);
	e.journal_error = r < 0 ? r : 0;
	for (size_t i = 0; i < FILES; i++) {
		r = write_file(&e, &files[i]);
		if (r < 0)
			return tool_failed("snapshot", "%s/%s: %s", q->evidence, files[i].name,
					   strerror(-r));
		printf("%s/%s\n", q->evidence, files[i].name);
	}
	if (e.journal_error)
		return tool_failed("snapshot", "alerts and sessions are missing: %s",
				   journal_query_error(e.journal_error));
	if (e.gap[0])
		return tool_failed("snapshot", "%s; the evidence is not all", e.gap);
	return TOOL_FINE;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "journal/journal_parts.h"

struct entry *journal_trouble(struct journal *j, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	struct entry *e;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0) {
		text = NULL;
		return NULL;
	}
	e = entry_of_note(j->context, ENTRY_KIND_TROUBLE, LOG_ERR, clock_realtime_ns(), text);
	if (e)
		e->class = ENTRY_CLASS_FIRST;
	return e;
}

static void say(struct journal *j, struct entry *e)
{
	if (e)
		journal_send(j, e);
	entry_free(e);
}

/* What becomes of a file, while others may write theirs. */
static int file_end(struct journal *j, const struct owed_name *n,
		    int (*end)(struct owed *o, const struct owed_name *n))
{
	int r;

	pthread_mutex_lock(&j->owed_mutex);
	r = end(j->owed, n);
	pthread_mutex_unlock(&j->owed_mutex);
	return r;
}

static void file_bad(struct journal *j, const struct owed_name *n, int error)
{
	char name[OWED_NAME_SIZE];
	bool aside = error == -EBADMSG && file_end(j, n, owed_set_aside) == 0;

	owed_name_text(n, name);
	if (error == -EPROTONOSUPPORT)
		say(j, journal_trouble(j,
				       OWED_FOLDER "/%s in the state folder holds P1 entries of a "
						   "later version, which will log them: it stays",
				       name));
	else
		say(j, journal_trouble(j,
				       OWED_FOLDER "/%s in the state folder, P1 entries of an "
						   "earlier run, cannot be read whole: %s; the "
						   "entries that could be read were logged, %s",
				       name, strerror(-error),
				       aside ? "the rest is kept there as NAME.corrupt"
					     : "the file stays"));
}

static void file_shorten(struct journal *j, const struct owed_name *n,
			 const struct owed_reader *reader, size_t at)
{
	pthread_mutex_lock(&j->owed_mutex);
	owed_shorten(j->owed, n, reader, at); /* else some are told twice */
	pthread_mutex_unlock(&j->owed_mutex);
}

/* Tells a file's entries. False: the time is up, and what was not told is left. */
static bool file_tell(struct journal *j, const struct owed_name *n, struct owed_reader *reader)
{
	size_t at = reader->at;
	struct entry *e;
	int r;

	while ((r = owed_reader_next(reader, &e)) > 0) {
		int sent = journal_send(j, e);

		entry_free(e);
		if (sent == -ETIMEDOUT) {
			if (!reader->damaged)
				file_shorten(j, n, reader, at);
			return false;
		}
		at = reader->at;
	}
	if (r < 0)
		return true; /* no memory: the next run may have some */
	if (reader->damaged)
		file_bad(j, n, -EBADMSG);
	else
		file_end(j, n, owed_forget);
	return true;
}

/* 1: there was one; 0: no more; -errno. */
static int adopt_one(struct journal *j)
{
	struct owed_reader reader = { 0 };
	struct owed_name name;
	int r, error = 0;

	pthread_mutex_lock(&j->owed_mutex);
	r = owed_next(j->owed, &name);
	if (r > 0)
		error = owed_read(j->owed, &name, &reader);
	pthread_mutex_unlock(&j->owed_mutex);
	if (r <= 0)
		return r;
	if (error < 0)
		file_bad(j, &name, error);
	else if (!file_tell(j, &name, &reader))
		r = -ETIMEDOUT;
	owed_reader_done(&reader);
	return r;
}

void journal_adopt(struct journal *j)
{
	int r;

	pthread_mutex_lock(&j->owed_mutex);
	r = owed_claim(j->owed);
	pthread_mutex_unlock(&j->owed_mutex);
	if (r == -EBUSY)
		return;
	j->adopting = false;
	j->claimed = r >= 0;
	while (r >= 0 && (r = adopt_one(j)) > 0)
		;
	if (r < 0 && r != -ETIMEDOUT)
		say(j,
		    journal_trouble(j,
				    "the entries that earlier runs left in the folder " OWED_FOLDER
				    " of the state folder cannot be logged: %s",
				    strerror(-r)));
}

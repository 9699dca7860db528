/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/journal_query.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "tool/journal_files.h"
#include "tool/trust.h"

/* A field of the current entry: where its name and value are in `bytes`, each with a NUL. */
struct field {
	size_t name, value, len;
};

struct journal_query {
	sd_journal *journal;
	struct journal_files files; /* those that are not read, when it was opened */
	struct trust *trust;
	bool with_foreign;  /* entries of users that are not trusted are given too */
	bool no_recordings; /* entries of recordings that are played are not given */
	bool is_foreign;    /* the current one is such a user's */
	uint64_t n_foreign; /* that were met */
	bool loaded;        /* the current entry's fields are below */
	char *bytes;
	size_t used, size;
	struct field fields[JOURNAL_QUERY_FIELDS_MAX];
	size_t n_fields;
};

struct journal_query *journal_query_free(struct journal_query *q)
{
	if (!q)
		return NULL;
	free(q->bytes);
	trust_free(q->trust);
	sd_journal_close(q->journal);
	free(q);
	return NULL;
}

DEFINE_CLEANUP(struct journal_query *, journal_query_free, cleanup_query)

static void forget(struct journal_query *q)
{
	q->loaded = false;
	q->n_fields = 0;
	q->used = 0;
}

int journal_query_match(struct journal_query *q, const char *name, const char *value)
{
	struct text_buffer b = { 0 };
	int r;

	text_buffer_printf(&b, "%s=%s", name, value);
	r = b.failed ? -ENOMEM : sd_journal_add_match(q->journal, b.ptr, b.len);
	text_buffer_done(&b);
	return r;
}

/* A journal that has no file we could open would look empty. */
static int check_readable(struct journal_query *q, const struct journal_source *source)
{
	uint64_t bytes = 0;
	int r = sd_journal_get_usage(q->journal, &bytes);

	if (r < 0)
		return r;
	if (bytes > 0)
		return 0;
	if (journal_query_is_forbidden(source))
		return -EACCES;
	return source->name_space && source->name_space[0] ? -ENXIO : -ENODATA;
}

static int open_files(struct journal_query *q, const struct journal_source *source)
{
	const char *name = source->name_space;
	int flags = SD_JOURNAL_LOCAL_ONLY, r;

	if (!name || strcmp(name, "*") == 0) {
		flags |= SD_JOURNAL_ALL_NAMESPACES;
		name = NULL;
	} else if (name[0] == '+') {
		flags |= SD_JOURNAL_INCLUDE_DEFAULT_NAMESPACE;
		name++;
	} else if (!name[0]) {
		name = NULL;
	}
	if (source->directory)
		r = sd_journal_open_directory(&q->journal, source->directory, 0);
	else
		r = sd_journal_open_namespace(&q->journal, name, flags);
	if (r >= 0)
		journal_files_look(source, &q->files);
	return r;
}

int journal_query_open(const struct journal_source *source, struct journal_query **ret)
{
	_cleanup_(cleanup_query) struct journal_query *q = calloc(1, sizeof(*q));
	int r;

	if (!q || !(q->trust = trust_new()))
		return -ENOMEM;
	journal_files_survive();
	r = open_files(q, source);
	/* One that journald has begun or renamed meanwhile is found by looking again. */
	if (r >= 0 && q->files.skipped > 0) {
		sd_journal_close(q->journal);
		q->journal = NULL;
		r = open_files(q, source);
	}
	if (r >= 0)
		r = check_readable(q, source);
	if (r >= 0)
		r = sd_journal_set_data_threshold(q->journal, JOURNAL_QUERY_FIELD_MAX);
	if (r >= 0)
		r = journal_query_match(q, "SYSLOG_IDENTIFIER", "tocsin");
	if (r < 0)
		return r;
	*ret = TAKE(q);
	return 0;
}

int journal_query_restart(struct journal_query *q)
{
	int r;

	forget(q);
	sd_journal_flush_matches(q->journal);
	r = sd_journal_seek_head(q->journal);
	return r < 0 ? r : journal_query_match(q, "SYSLOG_IDENTIFIER", "tocsin");
}

void journal_query_show_foreign(struct journal_query *q, bool show)
{
	q->with_foreign = show;
}

void journal_query_hide_recordings(struct journal_query *q, bool hide)
{
	q->no_recordings = hide;
}

bool journal_query_is_foreign(const struct journal_query *q)
{
	return q->is_foreign;
}

uint64_t journal_query_foreign(const struct journal_query *q)
{
	return q->n_foreign;
}

static bool is_given(struct journal_query *q)
{
	q->is_foreign = !trust_allows(q->trust, journal_query_get(q, "TOCSIN_ENGINE"),
				      journal_query_get(q, "_UID"));
	q->n_foreign += q->is_foreign;
	return (q->with_foreign || !q->is_foreign) &&
	       !(q->no_recordings && journal_query_get(q, "TOCSIN_REPLAY").len > 0);
}

/* To the next entry in that direction which is given. */
static int go(struct journal_query *q, int (*step)(sd_journal *journal))
{
	int r;

	do {
		forget(q);
		r = step(q->journal);
	} while (r > 0 && !is_given(q));
	return r;
}

int journal_query_next(struct journal_query *q)
{
	return go(q, sd_journal_next);
}

int journal_query_last(struct journal_query *q)
{
	int r = sd_journal_seek_tail(q->journal);

	return r < 0 ? r : go(q, sd_journal_previous);
}

/* NULL without memory. Pointers into the bytes change, so views are made once all is there. */
static char *reserve(struct journal_query *q, size_t len)
{
	size_t size = q->size ? q->size : 4096;
	char *bytes;

	while (size - q->used < len)
		size *= 2;
	if (size != q->size) {
		bytes = realloc(q->bytes, size);
		if (!bytes)
			return NULL;
		q->bytes = bytes;
		q->size = size;
	}
	bytes = q->bytes + q->used;
	q->used += len;
	return bytes;
}

/* Of what journald itself adds, all of which begins with '_', these are asked for. */
static bool is_wanted(const char *data, size_t len)
{
	static const char *const trusted[] = { "_PID=", "_UID=", "_BOOT_ID=", "_MACHINE_ID=",
					       "_HOSTNAME=" };

	if (len > 0 && data[0] != '_')
		return true;
	for (size_t i = 0; i < sizeof(trusted) / sizeof(trusted[0]); i++)
		if (len > strlen(trusted[i]) && memcmp(data, trusted[i], strlen(trusted[i])) == 0)
			return true;
	return false;
}

static void load_field(struct journal_query *q, const char *data, size_t len)
{
	const char *equals = memchr(data, '=', len);
	struct field *f = &q->fields[q->n_fields];
	char *to;

	if (!equals || !is_wanted(data, len) || q->n_fields == JOURNAL_QUERY_FIELDS_MAX)
		return;
	to = reserve(q, len + 1);
	if (!to)
		return;
	memcpy(to, data, len);
	to[equals - data] = '\0';
	to[len] = '\0';
	f->name = (size_t)(to - q->bytes);
	f->value = f->name + (size_t)(equals - data) + 1;
	f->len = len - (size_t)(equals - data) - 1;
	q->n_fields++;
}

/* All at once: each sd_journal_get_data goes through the whole entry again. */
static void load(struct journal_query *q)
{
	const void *data;
	size_t len;

	q->loaded = true;
	sd_journal_restart_data(q->journal);
	while (sd_journal_enumerate_available_data(q->journal, &data, &len) > 0)
		load_field(q, data, len);
}

static tocsin_str find_loaded(const struct journal_query *q, const char *name)
{
	for (size_t i = 0; i < q->n_fields; i++)
		if (strcmp(q->bytes + q->fields[i].name, name) == 0)
			return (tocsin_str){ q->bytes + q->fields[i].value, q->fields[i].len };
	return (tocsin_str){ 0 };
}

tocsin_str journal_query_get(struct journal_query *q, const char *name)
{
	if (!q->loaded)
		load(q);
	return find_loaded(q, name);
}

tocsin_str journal_query_field(void *entry, const char *name)
{
	return journal_query_get(entry, name);
}

uint64_t journal_query_time(struct journal_query *q)
{
	uint64_t ns, us;

	if (time_from_rfc3339(journal_query_get(q, "TOCSIN_TIME"), &ns) == 0)
		return ns;
	return sd_journal_get_realtime_usec(q->journal, &us) < 0 ? 0 : us * 1000;
}

uint64_t journal_query_written(struct journal_query *q)
{
	uint64_t us;

	return sd_journal_get_realtime_usec(q->journal, &us) < 0 ? 0 : us * 1000;
}

int journal_query_values(struct journal_query *q, const char *name,
			 int (*each)(void *userdata, tocsin_str value), void *userdata)
{
	size_t skip = strlen(name) + 1, len;
	const void *data;
	int r = sd_journal_query_unique(q->journal, name);

	while (r >= 0 && (r = sd_journal_enumerate_available_unique(q->journal, &data, &len)) > 0)
		if (len >= skip)
			r = each(userdata, (tocsin_str){ (const char *)data + skip, len - skip });
	return r;
}

static bool has_forbidden(const char *folder, const char *files)
{
	struct text_buffer b = { 0 };
	bool forbidden = false;
	glob_t found;

	text_buffer_printf(&b, "%s%s", folder, files);
	if (!b.failed && glob(b.ptr, GLOB_NOSORT | GLOB_NOESCAPE, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc && !forbidden; i++)
			forbidden = access(found.gl_pathv[i], R_OK) < 0 && errno == EACCES;
		globfree(&found);
	}
	text_buffer_done(&b);
	return forbidden;
}

const char *journal_query_gap(struct journal_query *q, char *buf, size_t size)
{
	size_t forbidden = q->files.forbidden, skipped = q->files.skipped;

	q->files = (struct journal_files){ 0 };
	if (journal_files_were_cut())
		snprintf(buf, size, JOURNAL_FILE_CUT);
	else if (skipped > 0)
		snprintf(buf, size,
			 "%zu journal file%s passed over: damaged, or too few file descriptors; "
			 "journalctl --verify shows which",
			 skipped, skipped > 1 ? "s were" : " was");
	else if (forbidden > 0)
		snprintf(buf, size,
			 "you may not read %zu journal file%s: become a member of the group "
			 "systemd-journal or adm, or use sudo",
			 forbidden, forbidden > 1 ? "s" : "");
	else
		return NULL;
	return buf;
}

bool journal_query_is_forbidden(const struct journal_source *source)
{
	struct journal_folders folders;

	journal_files_folders(source, &folders);
	for (size_t i = 0; i < folders.n; i++) {
		const char *folder = folders.patterns[i];

		/* Other users' own journals are nobody's business here: the system's matter. */
		if (has_forbidden(folder, "") ||
		    has_forbidden(folder, source->directory ? "/*.journal" : "/system*.journal"))
			return true;
	}
	if (source->directory)
		return has_forbidden(source->directory, "/*") ||
		       has_forbidden(source->directory, "/*/*.journal");
	return has_forbidden("/var/log/journal", "") || has_forbidden("/run/log/journal", "");
}

const char *journal_query_error(int error)
{
	if (error == -EACCES || error == -EPERM)
		return "you may not read this journal: become a member of the group "
		       "systemd-journal or adm, or use sudo";
	if (error == -ENODATA)
		return "there is no journal here";
	if (error == -ENXIO)
		return "there is no journal of this namespace here";
	return strerror(-error);
}

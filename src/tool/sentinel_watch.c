/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/sentinel_watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "base/cleanup.h"
#include "base/files.h"
#include "base/lockfile.h"
#include "base/moment.h"
#include "base/text.h"
#include "dispatch/rescue.h"
#include "settings/settings_kept.h"
#include "tool/rescue_engine.h"
#include "tool/tool.h"

#define DRAIN_NS (15 * NS_PER_S)
#define AGAIN_NS NS_PER_S /* the first pause between two rescues; doubling up to */
#define AGAIN_MAX_NS (60 * NS_PER_S)

DEFINE_CLEANUP(struct lockfile *, lockfile_free, cleanup_lockfile)
DEFINE_CLEANUP(DIR *, closedir, cleanup_dir)

struct watch {
	struct rescue_engine engine;
	const char *recorder;
	char lock[RESCUE_LOCK_SIZE];
	int folder;
	struct settings *settings; /* NULL: not loaded yet, or in vain */
	struct stat kept;          /* of what they were loaded from */
};

/* Loads what the engine was told, when that has changed since. */
static int watch_load(struct watch *w, char *err, size_t err_size)
{
	static const struct tool_options none;
	struct settings *s;
	struct stat st = { 0 };
	const char *why;

	if (fstatat(w->folder, SETTINGS_KEPT_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0)
		st = (struct stat){ 0 };
	if (w->settings && st.st_ino == w->kept.st_ino && st.st_size == w->kept.st_size &&
	    st.st_mtim.tv_sec == w->kept.st_mtim.tv_sec &&
	    st.st_mtim.tv_nsec == w->kept.st_mtim.tv_nsec)
		return 0;
	int r = rescue_engine_settings(&w->engine, &none, err, err_size, &why, &s);
	if (r < 0)
		return r;
	settings_free(w->settings);
	w->settings = s;
	w->kept = st;
	return 0;
}

/* Returns when nobody alive has the run's lock. It is not kept: rescuing takes it anew. */
static void watch_wait(const struct watch *w)
{
	_cleanup_(cleanup_lockfile) struct lockfile *lock = NULL;

	/* A lock that is gone, or from before the boot, is nobody's. */
	if (lockfile_open(w->folder, w->lock, false, &lock) < 0)
		return;
	if (lockfile_wait(lock) >= 0)
		lockfile_release(lock);
}

static bool recorder_is_left(const struct watch *w)
{
	return faccessat(w->folder, w->recorder, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool engine_lives(const struct watch *w)
{
	return lockfile_is_held(w->folder, "lock-engine") == 1;
}

static bool pages_are_left(const struct watch *w)
{
	_cleanup_(cleanup_dir) DIR *dir = NULL;
	struct text_buffer path = { 0 };
	struct dirent *entry;

	if (!w->settings || !w->settings->state_dir)
		return false;
	text_buffer_printf(&path, "%s/outbox", w->settings->state_dir);
	dir = path.failed ? NULL : opendir(path.ptr);
	text_buffer_done(&path);
	while (dir && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name), suffix = sizeof(".corrupt") - 1;

		/* ID@ENDPOINT; set aside it has a suffix. */
		if (entry->d_name[0] != '.' && strchr(entry->d_name, '@') &&
		    !(len > suffix && strcmp(entry->d_name + len - suffix, ".corrupt") == 0))
			return true;
	}
	return false;
}

static void host_log(const tocsin_host *host, uint32_t level, const char *text, size_t len)
{
	_cleanup_free_ char *line = text_to_line((tocsin_str){ text, len });

	(void)level;
	fprintf(stderr, "tocsin sentinel: %s: %s\n", (const char *)host->data, line ? line : "?");
}

static int watch_rescue(struct watch *w, struct rescue_report *report)
{
	char err[1024] = "";
	int r = watch_load(w, err, sizeof(err));

	if (r < 0) {
		tool_failed("sentinel", "%s: %s", w->engine.name, err[0] ? err : strerror(-r));
		return r;
	}
	tocsin_host host = { .size = sizeof(host),
			     .data = w->engine.name,
			     .name = "tocsin sentinel",
			     .version = PACKAGE_VERSION,
			     .log = host_log };
	struct rescue_options options = { .drain_ns = DRAIN_NS, .host = &host };

	r = rescue_run(w->settings, &options, report);
	if (r < 0 && r != -EBUSY)
		tool_failed("sentinel", "%s: %s", w->engine.name, strerror(-r));
	if (r == 0 && (report->runs > 0 || report->delivered > 0))
		fprintf(stderr,
			"tocsin sentinel: %s: dead runs: %u, events recovered: %" PRIu64
			", torn: %" PRIu64 ", pages delivered: %" PRIu64 ", waiting: %" PRIu64 "\n",
			w->engine.name, report->runs, report->events, report->torn,
			report->delivered, report->waiting);
	return r;
}

static void pause_ns(uint64_t ns)
{
	struct timespec t = { .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };

	nanosleep(&t, NULL);
}

/* After the run's end, until nothing of it is left to us. */
static int watch_settle(struct watch *w)
{
	for (uint64_t again = AGAIN_NS;;
	     again = again < AGAIN_MAX_NS / 2 ? 2 * again : AGAIN_MAX_NS) {
		struct rescue_report report = { 0 };
		bool left = recorder_is_left(w);

		if (!left && (engine_lives(w) || !pages_are_left(w)))
			return TOOL_FINE;
		int r = watch_rescue(w, &report);
		if (r < 0 && r != -EBUSY)
			return TOOL_FAILED;
		/* What is left after a rescue is not to be rescued: another version's. */
		if (r == 0 && report.waiting == 0)
			return TOOL_FINE;
		pause_ns(again);
		if (left)
			watch_wait(w);
	}
}

static int watch_begin(struct watch *w, const char *runtime_path, pid_t parent)
{
	const char *slash = strrchr(runtime_path, '/');
	char err[1024];

	w->engine.runtime_path = strdup(runtime_path);
	w->engine.name = strdup(slash ? slash + 1 : runtime_path);
	if (!w->engine.runtime_path || !w->engine.name)
		return -ENOMEM;
	int r = rescue_engine_become_owner(&w->engine, parent);
	if (r == 0)
		r = folder_open(runtime_path, false, &w->folder);
	/* In vain is no matter yet: after the run's end it is tried again, and told. */
	if (r == 0)
		(void)watch_load(w, err, sizeof(err));
	return r;
}

int sentinel_watch(const char *runtime_path, const char *recorder, pid_t parent)
{
	struct watch w = { .recorder = recorder, .folder = -1 };
	int status = TOOL_FAILED;

	if (!rescue_lock_name(recorder, w.lock))
		return TOOL_FAILED;
	int r = watch_begin(&w, runtime_path, parent);
	if (r == 0) {
		watch_wait(&w);
		status = watch_settle(&w);
	} else if (r == -ENOENT) {
		status = TOOL_FINE;
	} else if (r != -ESRCH) {
		tool_failed("sentinel", "%s: %s", runtime_path, strerror(-r));
	}
	settings_free(w.settings);
	rescue_engine_done(&w.engine);
	if (w.folder >= 0)
		close(w.folder);
	return status;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "engine/snapshot_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/files.h"
#include "base/lockfile.h"
#include "base/moment.h"
#include "base/owner.h"
#include "base/text.h"
#include "picture/metadata.h"

#define RING_PREFIX "ring-"
#define LOCK_PREFIX "lock-"
#define EPOCH_DIGITS 32
#define STAT_MAX 4096

DEFINE_CLEANUP(json_t *, json_decref, cleanup_json)

/* --- Writing --- */

/* When the process started, in clock ticks after the boot; 0: not known. */
static uint64_t start_ticks(pid_t pid)
{
	char path[32], text[STAT_MAX];
	unsigned long long ticks = 0;

	snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	_cleanup_close_ int fd = descriptor_open(path, O_RDONLY);
	if (fd < 0)
		return 0;
	ssize_t len = read(fd, text, sizeof text - 1);
	if (len <= 0)
		return 0;
	text[len] = 0;
	/* The name may hold anything: its bracket is the last one. */
	const char *rest = strrchr(text, ')');
	/* NOLINTNEXTLINE(cert-err34-c): the kernel's own words, which fit. */
	if (!rest || sscanf(rest + 1,
			    " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
			    " %*s %*s %llu",
			    &ticks) != 1)
		return 0;
	return ticks;
}

static json_t *text_or_null(const char *s)
{
	return s && *s ? text_to_json(str(s)) : json_null();
}

int snapshot_file_sign(json_t *json, const char *runtime_dir, const char *recorder,
		       uint64_t stopped_ns)
{
	char text[TIME_TEXT_SIZE];
	json_t *stopped =
		stopped_ns > 0 ? json_string(time_to_rfc3339(stopped_ns, text)) : json_null();
	int r = json_object_set_new(json, "engine_pid", json_integer(getpid()));

	r |= json_object_set_new(json, "engine_start_ticks",
				 json_integer(json_number(start_ticks(getpid()))));
	r |= json_object_set_new(json, "runtime_dir", text_or_null(runtime_dir));
	r |= json_object_set_new(json, "recorder", text_or_null(recorder));
	r |= json_object_set_new(json, "stopped_at", stopped);
	r |= json_object_set_new(json, "engine_signed_at",
				 json_string(time_to_rfc3339(clock_realtime_ns(), text)));
	return r == 0 ? 0 : -ENOMEM;
}

int snapshot_file_write(int state, gid_t group, const json_t *json)
{
	_cleanup_free_ char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));

	if (!text)
		return -ENOMEM;
	if (group == (gid_t)-1)
		return file_replace(state, SNAPSHOT_FILE, text, strlen(text), false);
	return file_replace_shared(state, SNAPSHOT_FILE, text, strlen(text), group);
}

/* --- Reading --- */

/* The lock beside the recorder; its name comes from a file that others may have written. */
static bool lock_name(const char *recorder, char name[static sizeof LOCK_PREFIX + EPOCH_DIGITS])
{
	const char *epoch = recorder + sizeof RING_PREFIX - 1;

	if (strncmp(recorder, RING_PREFIX, sizeof RING_PREFIX - 1) != 0 ||
	    strspn(epoch, "0123456789abcdef") != EPOCH_DIGITS || epoch[EPOCH_DIGITS])
		return false;
	snprintf(name, sizeof LOCK_PREFIX + EPOCH_DIGITS, LOCK_PREFIX "%s", epoch);
	return true;
}

/* Does somebody alive hold the recorder's lock? 1, 0, or -errno: that may not be asked. The folder
 * must belong to whose snapshot names it, or to root. */
static int lock_ask(const char *runtime_dir, const char *recorder, uid_t uid)
{
	char name[sizeof LOCK_PREFIX + EPOCH_DIGITS];
	_cleanup_close_ int folder = -1;
	struct stat st;

	if (!runtime_dir || !recorder || !lock_name(recorder, name))
		return -EINVAL;
	int r = folder_open(runtime_dir, false, &folder);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (fstat(folder, &st) < 0)
		return -errno;
	if (st.st_uid != uid && st.st_uid != 0)
		return -EPERM;
	r = lockfile_is_held(folder, name);
	/* A clean stop has removed it; from before the boot it is worth nothing. */
	return r == -ENOENT || r == -EBADMSG ? 0 : r;
}

/* Is there such a process, and is it still the same one? */
static bool process_lives(const json_t *json)
{
	json_int_t pid = json_integer_value(json_object_get(json, "engine_pid"));
	json_int_t ticks = json_integer_value(json_object_get(json, "engine_start_ticks"));

	if (pid <= 0 || pid > INT32_MAX || (kill((pid_t)pid, 0) < 0 && errno != EPERM))
		return false;
	uint64_t now = start_ticks((pid_t)pid);
	/* Where /proc hides others' processes, that there is one must do. */
	return now == 0 || ticks == 0 || now == (uint64_t)ticks;
}

static bool engine_lives(const json_t *json, uid_t uid)
{
	if (json_is_string(json_object_get(json, "stopped_at")))
		return false;
	int held = lock_ask(json_string_value(json_object_get(json, "runtime_dir")),
			    json_string_value(json_object_get(json, "recorder")), uid);
	return held < 0 ? process_lives(json) : held > 0;
}

/* With the rights of the state folder's owner. */
static int snapshot_read(int folder, uid_t uid, json_t **ret, bool *ret_alive)
{
	_cleanup_(cleanup_json) json_t *json = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = file_read(folder, SNAPSHOT_FILE, SNAPSHOT_FILE_MAX, &text, &len);

	if (r < 0)
		return r;
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(json))
		return -EBADMSG;
	*ret_alive = engine_lives(json, uid);
	*ret = TAKE(json);
	return 0;
}

int snapshot_file_read(const char *state_dir, json_t **ret, bool *ret_alive)
{
	struct owner_rights rights = { 0 };
	_cleanup_close_ int folder = -1;
	struct stat st;
	int r = folder_open(state_dir, false, &folder);

	if (r < 0)
		return r;
	if (fstat(folder, &st) < 0)
		return -errno;
	r = owner_enter(folder, &rights);
	if (r < 0)
		return r;
	r = snapshot_read(folder, st.st_uid, ret, ret_alive);
	owner_leave(&rights);
	return r;
}

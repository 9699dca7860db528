/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "engine/running_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/files.h"
#include "base/json_bytes.h"
#include "base/text.h"
#include "picture/metadata.h"

#define RUNNING_FILE_FORMAT 1
/* Each byte of an id may need six in JSON. */
#define RUNNING_FILE_MAX (1024 * 1024)
#define RUNNING_FILE_NESTING_MAX 4
#define EPOCH_DIGITS ((size_t)2 * RECORDER_EPOCH_SIZE)

DEFINE_CLEANUP(json_t *, json_decref, cleanup_json)

int running_file_write(int folder, const struct running_file *m)
{
	_cleanup_(cleanup_json) json_t *root = NULL;
	_cleanup_free_ char *bytes = NULL;
	json_t *ids = json_array(), *starts = json_array();
	char epoch[EPOCH_DIGITS + 1], boot_id[BOOT_ID_SIZE];

	for (size_t i = 0; i < RECORDER_EPOCH_SIZE; i++)
		snprintf(epoch + 2 * i, 3, "%02x", m->epoch[i]);
	boot_id_read(boot_id);
	for (size_t i = 0; i < m->sessions && i < RUNNING_FILE_SESSIONS_MAX; i++) {
		json_array_append_new(ids, text_to_json(str(m->session_ids[i])));
		json_array_append_new(starts, json_integer(json_number(m->session_starts_ns[i])));
	}
	root = json_pack("{s:i,s:i,s:s,s:s,s:I,s:I,s:I,s:I,s:o,s:o}", "format", RUNNING_FILE_FORMAT,
			 "clean", 0, "epoch", epoch, "boot_id", boot_id, "pid", (json_int_t)m->pid,
			 "started_wall_ns", json_number(m->started_wall_ns), "last_event_wall_ns",
			 json_number(m->last_event_wall_ns), "sessions", json_number(m->sessions),
			 "session_ids", ids, "session_starts_ns", starts);
	bytes = root ? json_dumps(root, JSON_COMPACT) : NULL;
	if (!bytes)
		return -ENOMEM;
	return file_replace(folder, RUNNING_FILE, bytes, strlen(bytes), true);
}

static int epoch_parse(const char *hex, uint8_t ret[static RECORDER_EPOCH_SIZE])
{
	if (strspn(hex, "0123456789abcdef") != EPOCH_DIGITS || hex[EPOCH_DIGITS] != 0)
		return -EBADMSG;
	for (size_t i = 0; i < RECORDER_EPOCH_SIZE; i++) {
		unsigned byte;

		/* NOLINTNEXTLINE(cert-err34-c): they are hexadecimal digits. */
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return -EBADMSG;
		ret[i] = (uint8_t)byte;
	}
	return 0;
}

static int running_file_unpack(const json_t *root, struct running_file *ret)
{
	json_int_t format = 0, pid, started, last, sessions, clean = 0;
	const char *epoch, *boot_id;
	_cleanup_free_ struct running_file *m = calloc(1, sizeof *m);
	const json_t *starts = json_object_get(root, "session_starts_ns");
	json_t *ids;

	if (!m)
		return -ENOMEM;

	if (json_unpack((json_t *)(uintptr_t)root, "{s:I}", "format", &format) < 0 || format < 1)
		return -EBADMSG;
	if (format > RUNNING_FILE_FORMAT)
		return -EPROTONOSUPPORT;
	if (json_unpack((json_t *)(uintptr_t)root, "{s:s,s:s,s:I,s:I,s:I,s:I,s:o}", "epoch", &epoch,
			"boot_id", &boot_id, "pid", &pid, "started_wall_ns", &started,
			"last_event_wall_ns", &last, "sessions", &sessions, "session_ids",
			&ids) < 0 ||
	    sessions < 0 || epoch_parse(epoch, m->epoch) < 0)
		return -EBADMSG;
	snprintf(m->boot_id, sizeof m->boot_id, "%s", boot_id);
	/* Absent in what earlier versions wrote. */
	json_unpack((json_t *)(uintptr_t)root, "{s:I}", "clean", &clean);
	m->clean = clean == 1;
	m->pid = (uint32_t)pid;
	/* Earlier versions wrote a time past 2262 as a negative number: that is not known then. */
	m->started_wall_ns = started > 0 ? (uint64_t)started : 0;
	m->last_event_wall_ns = last > 0 ? (uint64_t)last : 0;
	m->sessions = (uint64_t)sessions;
	for (size_t i = 0; i < RUNNING_FILE_SESSIONS_MAX; i++) {
		const char *id = json_string_value(json_array_get(ids, i));

		/* Earlier versions have not written when they began. */
		json_int_t start = json_integer_value(json_array_get(starts, i));

		snprintf(m->session_ids[i], sizeof m->session_ids[i], "%s", id ? id : "");
		m->session_starts_ns[i] = start > 0 ? (uint64_t)start : 0;
	}
	*ret = *m;
	return 0;
}

int running_file_read(int folder, struct running_file *ret)
{
	_cleanup_(cleanup_json) json_t *root = NULL;
	_cleanup_free_ char *bytes = NULL;
	size_t len;
	int r = file_read(folder, RUNNING_FILE, RUNNING_FILE_MAX, &bytes, &len);

	if (r < 0)
		return r == -EFBIG || r == -EINVAL ? -EBADMSG : r;
	r = json_from_bytes(bytes, len, RUNNING_FILE_NESTING_MAX, &root);
	if (r < 0)
		return r;
	return json_is_object(root) ? running_file_unpack(root, ret) : -EBADMSG;
}

void running_file_copy_done(struct running_file_copy *f)
{
	if (descriptor_is(f->fd, f->identity))
		close(f->fd);
	f->fd = -1;
}

int running_file_keep(int folder, struct running_file_copy *f)
{
	static const char sign[] = "\"clean\":0";
	_cleanup_free_ char *bytes = NULL;
	const char *at;
	size_t len;

	running_file_copy_done(f);
	_cleanup_close_ int fd =
		descriptor_openat(folder, RUNNING_FILE, O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int r = file_read(folder, RUNNING_FILE, RUNNING_FILE_MAX, &bytes, &len);
	if (r < 0)
		return r;
	/* No text in it can look so: its quotation marks would be escaped. */
	at = strstr(bytes, sign);
	if (!at)
		return -EBADMSG;
	f->clean_at = at - bytes + (off_t)strlen(sign) - 1;
	f->identity = descriptor_identify(fd);
	f->fd = fd;
	fd = -1;
	return 0;
}

int running_file_end(const struct running_file_copy *f)
{
	if (!descriptor_is(f->fd, f->identity))
		return -EBADF;
	return pwrite(f->fd, "1", 1, f->clean_at) != 1 ? -errno : file_sync(f->fd);
}

int running_file_remove(int folder)
{
	return unlinkat(folder, RUNNING_FILE, 0) < 0 && errno != ENOENT ? -errno : 0;
}

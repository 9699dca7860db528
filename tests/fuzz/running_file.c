/* SPDX-License-Identifier: MIT */
/* The running file of a run: what is read is written again and read as the same. */
#include "config.h"
#include "fuzz.h"

#include <errno.h>

#include "engine/running_file.h"

static void same_again(const struct running_file *m)
{
	struct running_file again;

	MUST(running_file_write(fuzz_folder(), m) == 0);
	MUST(running_file_read(fuzz_folder(), &again) == 0);
	MUST(memcmp(again.epoch, m->epoch, sizeof m->epoch) == 0 && again.pid == m->pid &&
	     again.started_wall_ns == m->started_wall_ns &&
	     again.last_event_wall_ns == m->last_event_wall_ns && again.sessions == m->sessions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct running_file m;

	fuzz_file(RUNNING_FILE, data, size);
	int r = running_file_read(fuzz_folder(), &m);
	MUST(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
	if (r < 0)
		return 0;
	MUST(memchr(m.boot_id, 0, sizeof m.boot_id));
	for (size_t i = 0; i < RUNNING_FILE_SESSIONS_MAX; i++)
		MUST(memchr(m.session_ids[i], 0, RUNNING_FILE_ID_SIZE));
	same_again(&m);
	return 0;
}

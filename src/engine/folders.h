/* SPDX-License-Identifier: MIT */
/*
 * The folders of an engine's files. Recorders need memory that outlives the process (tmpfs); pages
 * that wait need a disk.
 */
#ifndef TOCSIN_ENGINE_FOLDERS_H
#define TOCSIN_ENGINE_FOLDERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/descriptor.h"
#include "settings/settings.h"

struct folders {
	/* Folder of the recorders, -1: none, the recorder is in memory alone. To use one of the
	 * two, ask folders_runtime and folders_state for it. */
	_Atomic int runtime;
	char *runtime_path;
	bool runtime_is_tmpfs;
	_Atomic int state; /* folder of outbox and numbers, -1: none, pages are in memory alone */
	char *state_path;
	gid_t operators; /* the group that may read what is shared, (gid_t)-1: none */
	/* Why a folder is missing or not as it should be, each a line for a person; NULL: it is. */
	char *runtime_trouble, *state_trouble, *operators_trouble;
	struct descriptor_identity runtime_identity, state_identity;
	atomic_bool reopened; /* somebody had closed one of the two */
};

/*
 * Finds and makes both: the settings' own when given, else
 *
 *	runtime  /run/tocsin/NAME, $XDG_RUNTIME_DIR/tocsin/NAME, /dev/shm/tocsin-UID/NAME: the
 *	         first that can be written, is a tmpfs and is cleared by nobody (clearing.h),
 *	         else the first tmpfs, else the first that can be written
 *	state    /var/lib/tocsin/NAME, $XDG_STATE_HOME/tocsin/NAME, ~/.local/state/tocsin/NAME
 *
 * /run/tocsin and /var/lib/tocsin only where the installation has made them; what the environment
 * names (as the settings have it) only where it is ours or root's; in /dev/shm only where both
 * folders are ours and nobody else may write them. A folder that its group or everybody may write
 *is not used. Only -ENOMEM is an error: a folder that cannot be had is told in its trouble.
 */
int folders_find(const struct settings *s, struct folders *ret);
/*
 * Lets the group, where /etc/group has one of that name, into the state folder (0750), unless
 * somebody has given that folder other rights than the ones it is made with.
 */
void folders_share(struct folders *p, const char *group);
/* Said of a state folder for which folder_can_sync is false. */
#define FOLDER_CANNOT_SYNC                                                                         \
	"is on a file system that cannot sync (fsync): pages survive a crash of the engine, but "  \
	"a power cut may lose the newest; set paths.state_dir to a local disk if that matters"
/*
 * The folder's descriptor, for one use. Where somebody in this process has closed it, and its
 * number may be another file's, it is opened again. -1: none, or not possible, or another folder is
 * there now. Any thread.
 */
int folders_runtime(struct folders *p);
int folders_state(struct folders *p);
void folders_done(struct folders *p);

#endif

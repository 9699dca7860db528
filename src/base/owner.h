/* SPDX-License-Identifier: MIT */
/*
 * Root reads what another user has laid out with that user's rights: what that user may not read,
 * root does not read for that user either, whatever links and hard links lie there. For the tool,
 * which has one thread. An engine never calls this.
 */
#ifndef TOCSIN_BASE_OWNER_H
#define TOCSIN_BASE_OWNER_H

#include <stdbool.h>
#include <sys/types.h>

/* What owner_leave goes back to. Zero-initialise. */
struct owner_rights {
	bool changed;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	int n_groups;
};

/*
 * When the process is root's and the file or folder is another user's, takes that user's effective
 * ids: its group is the file's, it has no others. The real and the saved user stay root's, so that
 * the user can neither signal the process nor hold it with a FUSE file system. Else does nothing.
 * -EPERM where root may not become others; -ENOMEM.
 */
int owner_enter(int fd, struct owner_rights *saved);
/* Goes back. */
void owner_leave(struct owner_rights *saved);

/* May a file in a folder of `folder_uid` be believed as that user's? It is that user's, root's or
 * our own. */
bool owner_is_trusted(uid_t uid, uid_t folder_uid);

#endif

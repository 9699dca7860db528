/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/owner.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int groups_save(struct owner_rights *saved)
{
	int n = getgroups(0, NULL);

	if (n < 0)
		return -errno;
	saved->groups = calloc(n > 0 ? (size_t)n : 1, sizeof *saved->groups);
	if (!saved->groups)
		return -ENOMEM;
	saved->n_groups = getgroups(n, saved->groups);
	return saved->n_groups < 0 ? -errno : 0;
}

int owner_enter(int fd, struct owner_rights *saved)
{
	struct stat st;

	*saved = (struct owner_rights){ .uid = geteuid(), .gid = getegid() };
	if (fstat(fd, &st) < 0)
		return -errno;
	if (saved->uid != 0 || st.st_uid == 0)
		return 0;
	int r = groups_save(saved);
	saved->changed = r == 0;
	/* The user last: without root's rights the others cannot be changed. */
	if (r == 0 && (setgroups(0, NULL) < 0 || setegid(st.st_gid) < 0 || seteuid(st.st_uid) < 0))
		r = -EPERM;
	if (r < 0)
		owner_leave(saved);
	return r;
}

void owner_leave(struct owner_rights *saved)
{
	/* Going on with half of somebody else's rights would be worse than to end. */
	if (saved->changed && (seteuid(saved->uid) < 0 || setegid(saved->gid) < 0 ||
			       (getgroups(0, NULL) != saved->n_groups &&
				setgroups((size_t)saved->n_groups, saved->groups) < 0)))
		abort();
	free(saved->groups);
	*saved = (struct owner_rights){ 0 };
}

bool owner_is_trusted(uid_t uid, uid_t folder_uid)
{
	return uid == folder_uid || uid == 0 || uid == geteuid();
}

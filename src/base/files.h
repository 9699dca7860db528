/* SPDX-License-Identifier: MIT */
/*
 * Files made with care: never followed through a symbolic link, closed on exec, and either whole or
 * absent after a crash. All return 0 or -errno.
 */
#ifndef TOCSIN_BASE_FILES_H
#define TOCSIN_BASE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Opens the folder `path`, with `create` after making it and its missing parents (0700 each).
 * Parents may be symbolic links of root's or of our own. -ELOOP for another's link, -ENOTDIR when
 * the last component is one.
 */
int folder_open(const char *path, bool create, int *ret_fd);

/* What a path's folders must be for us to keep files of ours in the last one. */
enum folder_trust {
	FOLDER_ANY,
	/* In a folder that everybody may write, such as /tmp, the next one must be ours or root's,
	 * and nobody but an owner may rename there (the sticky bit). */
	FOLDER_SAFE,
	/* Below such a folder each one must be ours, and nobody else may write it. */
	FOLDER_OURS,
};
/* As folder_open; -EPERM: somebody else could have made one of the folders, or put it there. */
int folder_open_trusted(const char *path, enum folder_trust trust, bool create, int *ret_fd);

/* Is there such a folder, and it is neither ours nor root's? What the environment names (HOME) may
 * be another user's when root has that user's environment. */
bool folder_is_foreign(const char *path);

/* Is the folder on memory only (tmpfs or ramfs)? */
bool folder_is_tmpfs(int fd);

/*
 * fsync of a file, so that its content is on disk, and of a folder, so that names in it are. 0 also
 * where the file system cannot do that (EINVAL, EOPNOTSUPP: some network and FUSE file systems):
 * trying again would not help, and refusing the file would lose it. folder_can_sync says whether
 * it can do both, for whoever reports that; it makes a temporary file for as long as it looks.
 */
int file_sync(int fd);
int folder_sync(int folder);
bool folder_can_sync(int folder);

/* How the names of temporary files begin; one that a crash left behind may be removed. */
#define FILE_TEMPORARY_PREFIX ".tmp-"

/*
 * Writes `name` in the folder: a temporary file beside it, fsync, rename, fsync of the folder. Mode
 * 0600. With `durable` false the two fsyncs are left out (readers still never see half a file).
 */
int file_replace(int folder, const char *name, const void *bytes, size_t len, bool durable);

/* The same without the two fsyncs, and readable by the group: mode 0640. -EPERM for a foreign one.
 */
int file_replace_shared(int folder, const char *name, const void *bytes, size_t len, gid_t group);

/* The same, readable by whoever may enter the folder: mode 0644. */
int file_replace_readable(int folder, const char *name, const void *bytes, size_t len);

/* Gives the file its size, all of it backed by memory or disk. -ENOSPC; -EFBIG, without the signal
 * that comes with it, past RLIMIT_FSIZE. */
int file_allocate(int fd, size_t size);

/* Reads a whole regular file of at most `max` bytes; *ret has a NUL after it. The file must belong
 * to the folder's owner, to root or to us: -EPERM. -EFBIG, -EINVAL. */
int file_read(int folder, const char *name, size_t max, char **ret, size_t *ret_len);
/* The same, whoever the file belongs to: *ret_uid, of the very file that was read. */
int file_read_of(int folder, const char *name, size_t max, char **ret, size_t *ret_len,
		 uid_t *ret_uid);
/* The same through symbolic links: for what an administrator has laid out. */
int file_read_followed(int folder, const char *name, size_t max, char **ret, size_t *ret_len);

/* Removes the temporary files that writers who died have left; nobody else may write there now. */
void folder_tidy(int folder);

#endif

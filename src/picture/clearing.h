/* SPDX-License-Identifier: MIT */
/*
 * Who removes an engine's files from a folder, unasked: systemd-logind, when a login user's last
 * session has ended, and systemd-tmpfiles, when they have become old.
 */
#ifndef TOCSIN_PICTURE_CLEARING_H
#define TOCSIN_PICTURE_CLEARING_H

#include <sys/types.h>

/*
 * A clause for a person that says who and when, heap; NULL: nobody that is known (or no memory).
 * `root`: what the paths of the system's own files begin with, "" for the system itself. Reads
 * files alone: no name service is asked.
 *
 * logind, where it is installed, removes what a user (not a system one, and not one that lingers)
 * owns in /dev/shm unless RemoveIPC=no, and of any that does not linger /run/user/UID as a whole.
 * tmpfiles removes old files under a folder whose line has an age, unless a line for a folder
 * further down says otherwise. Lines with specifiers (%) and users' own configuration are passed
 * over.
 */
char *clearing_find(const char *root, const char *folder, uid_t uid);

#endif

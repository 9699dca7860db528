/* SPDX-License-Identifier: MIT */
/*
 * Users and groups as /etc/passwd and /etc/group have them. Not through the C library's name
 * service: that may ask a server, for which the engine would have to wait, and aborts the process
 * when it is short of memory. Engines' users and the operators' group are local ones.
 */
#ifndef TOCSIN_BASE_ACCOUNTS_H
#define TOCSIN_BASE_ACCOUNTS_H

#include <sys/types.h>

/* The user's home, on the heap. -ENOENT: no such user; -EFBIG: a file over 1 MiB; -errno. */
int account_home(uid_t user, char **ret);
/* The group's number; errors as above. */
int account_group(const char *name, gid_t *ret);

#endif

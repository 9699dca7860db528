/* SPDX-License-Identifier: MIT */
/*
 * Inside the journal writer: one entry in journald's native protocol. Not through libsystemd, whose
 * socket nobody outside can look at: when a host closes it with its own descriptors and opens a
 * connection of its own, that connection may have the number, and entries would be written into it.
 */
#ifndef TOCSIN_JOURNAL_JOURNAL_DATAGRAM_H
#define TOCSIN_JOURNAL_JOURNAL_DATAGRAM_H

#include <sys/uio.h>

#define JOURNAL_DATAGRAM_FIELDS_MAX 160

/*
 * Sends fields "NAME=value" over the connected datagram socket, as a sealed memory file where a
 * datagram is too small. Never blocks: -EAGAIN. -E2BIG: more than JOURNAL_DATAGRAM_FIELDS_MAX
 * fields; -EINVAL: one without "=".
 */
int journal_datagram_send(int fd, const struct iovec *fields, int n);

#endif

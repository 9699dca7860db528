/* SPDX-License-Identifier: MIT */
/*
 * Inside the journal writer: the socket of the local syslog, /dev/log.
 *
 * Not through syslog(3): what openlog sets (name, facility, mask, the socket itself) is one for the
 * whole process, and the process is the engine's, which may well use it. syslog(3) also blocks for
 * as long as the listener is stopped, holds the lock that the engine's own calls want meanwhile,
 * and does not say whether anything was sent.
 *
 * The socket takes datagrams, or a stream in which a NUL ends each message, whichever the listener
 * has made. A success means that it is in the listener's queue.
 */
#ifndef TOCSIN_JOURNAL_SYSLOG_TARGET_H
#define TOCSIN_JOURNAL_SYSLOG_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>
#include "base/descriptor.h"

struct syslog_socket {
	struct sockaddr_un address;
	int fd;                              /* -1: not connected */
	struct descriptor_identity identity; /* of fd */
	bool is_stream;
	size_t done; /* bytes of the message that went into the stream so far */
};

/* path: NULL for /dev/log. -ENAMETOOLONG. */
int syslog_socket_init(struct syslog_socket *s, const char *path);
void syslog_socket_done(struct syslog_socket *s);
/* 0, or why nobody listens: -ENOENT, -ECONNREFUSED and others; -EBUSY: too many want to.
 * After a shortage of descriptors or memory, and -EBUSY, the socket's file is there. */
int syslog_socket_connect(struct syslog_socket *s);
/*
 * Sends a message, which has a NUL behind its `len` bytes; connects when need be. 0: it is sent;
 * -EAGAIN: no room came within timeout_ms, to be called again with the same message;
 * -EMSGSIZE: it will never fit; -ENOTCONN: nobody listens now, or the listener has gone.
 */
int syslog_socket_send(struct syslog_socket *s, const char *message, size_t len, int timeout_ms);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Inside the journal writer: where entries go.
 *
 * The socket is connected to journald's. Polling it tells whether journald listens and has room, so
 * that a send never blocks. A connection made to a journald that has gone since proves nothing, so
 * it is made anew every 100 ms, and also when somebody has closed it under us.
 *
 * The socket's file is looked at after each send: as long as it is the one that we have connected
 * to, it was journald's. Where it is not, the entry is sent again, and comes twice if it was taken
 * in the very moment before.
 */
#ifndef TOCSIN_JOURNAL_JOURNAL_TARGET_H
#define TOCSIN_JOURNAL_JOURNAL_TARGET_H

#include <sys/stat.h>
#include <sys/un.h>
#include "base/descriptor.h"
#include "journal/entry.h"

struct journal_socket {
	struct sockaddr_un address;
	int fd; /* -1: not connected */
	struct descriptor_identity identity;
	uint64_t made_ns; /* when it was, CLOCK_MONOTONIC */
	struct stat file; /* the socket's, then */
};

/* path: NULL for journald's own. -ENAMETOOLONG. */
int journal_socket_init(struct journal_socket *p, const char *path);
void journal_socket_done(struct journal_socket *p);
/* Was it for want of descriptors or memory? That says nothing about who listens. */
bool journal_is_shortage(int error);
/* 0, or why nobody listens: -ENOENT, -ECONNREFUSED and others; after a shortage the socket's file
 * is there. */
int journal_socket_connect(struct journal_socket *p);
/* 0: there is room for an entry; -EAGAIN: none came within timeout_ms; else as connect. */
int journal_socket_wait(struct journal_socket *p, int timeout_ms);
/* Sends an entry once there is room. -EAGAIN: none came within timeout_ms; -ENOTCONN: journald is
 * not there or takes nothing now; else this entry will never go. */
int journal_socket_send(struct journal_socket *p, const struct entry *e, int timeout_ms);

/* Writes the entry as a line, in one piece where the file takes it so. -errno. */
int entry_write(const struct entry *e, int fd);

#endif

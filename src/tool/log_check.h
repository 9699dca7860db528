/* SPDX-License-Identifier: MIT */
/* Does what an engine logs get into a log, and stay there? */
#ifndef TOCSIN_TOOL_LOG_CHECK_H
#define TOCSIN_TOOL_LOG_CHECK_H

#include "settings/settings.h"
#include "tool/findings.h"

/*
 * Who listens, whether it reads what is sent to it, and what it would lose by its configuration.
 * Sends one empty datagram, which is no entry, and waits at most some seconds until it is read.
 * name: of the journal namespace in which the engine's unit logs; NULL: the default one.
 */
void log_check(struct findings *f, const struct settings *s, const char *name);

/* The same of journald's socket at this path and its unit. must: an engine's log goes nowhere else.
 */
void log_check_socket(struct findings *f, const char *path, const char *unit, bool must);

/*
 * What of an engine's entries journald would lose by its configuration. root: "" or a folder
 * instead of /. Without a name those of the default journal and, as warnings, of the namespaces
 * that have a configuration. health: log.health is on.
 */
void log_check_losses(struct findings *f, const char *root, const char *name, bool health);

#endif

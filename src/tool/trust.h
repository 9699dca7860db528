/* SPDX-License-Identifier: MIT */
/*
 * Whose entries in the journal count. Any local user can write entries that name any engine; which
 * user wrote one, journald says in _UID, and nobody else can. An entry counts for an engine when
 * its writer is root, whoever asks, the owner of a folder that this engine has where engines have
 * theirs (see tool/rescue_engine.h), or one of the setting log.trusted_uids.
 */
#ifndef TOCSIN_TOOL_TRUST_H
#define TOCSIN_TOOL_TRUST_H

#include <stdbool.h>
#include "tocsin_plugin.h"

struct trust;

/* Reads the installed settings; where they are wrong their log.trusted_uids counts for nothing.
 * NULL without memory. */
struct trust *trust_new(void);
/* Takes NULL. */
void trust_free(struct trust *t);

/* Counts an entry of that _UID (its digits; absent: nobody knows) for the engine? */
bool trust_allows(struct trust *t, tocsin_str engine, tocsin_str uid);

#endif

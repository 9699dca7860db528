/* SPDX-License-Identifier: MIT */
/* All that is known of an engine as files in one folder, for an audit. */
#ifndef TOCSIN_TOOL_EVIDENCE_H
#define TOCSIN_TOOL_EVIDENCE_H

#include <jansson.h>
#include "tool/query.h"

/*
 * Writes snapshot.json, alerts and sessions as tables (.txt) and as JSON, the runbooks' index and a
 * README into the query's folder, which is made 0700; one with anything in it is refused. Alerts
 * and sessions are all those of the engine that the journal knows. `source` says where the
 * snapshot is from. TOOL_FINE or TOOL_FAILED, told already.
 */
int evidence_write(const struct query *q, const char *engine, const json_t *snapshot,
		   const char *source);

#endif

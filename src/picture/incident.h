/* SPDX-License-Identifier: MIT */
/*
 * One incident as alerts keeps it: its key, its texts and its positions in the lists.
 */
#ifndef TOCSIN_PICTURE_INCIDENT_H
#define TOCSIN_PICTURE_INCIDENT_H

#include "picture/alerts.h"

/* A code, four percent-encoded parts with their names, and a NUL. */
#define INCIDENT_KEY_SIZE 3328

/* The incident comes first, so that one is the other's address. */
struct incident_node {
	struct incident incident;
	/* Of the identifiers. */
	size_t session_len, source_len, instance_len;
	uint32_t hash;               /* of the key */
	struct incident_node *chain; /* open: the next of the same bucket */
	struct incident_node *prev;  /* incident.next the other way */
	struct incident_node *later; /* resolved: the one resolved after it */
};

/* What an incident is known by. */
struct incident_identity {
	tocsin_str code, session_id, source, instance; /* as given */
};

/* The code that stands for it: itself, or GENERAL for one that is not usable. */
tocsin_str incident_code(tocsin_str code);

/*
 * An identifier as incidents hold it: at most TOCSIN_ID_MAX bytes, U+FFFD for each NUL. Done again
 * to its result, as restoring a checkpoint does, it changes nothing. `buf` may hold the result.
 */
#define INCIDENT_ID_SIZE (3 * TOCSIN_ID_MAX)
tocsin_str incident_id(tocsin_str id, char buf[static INCIDENT_ID_SIZE]);

/*
 * CODE raw=R session=S source=S instance=I with those parts that are not empty; a rule's without
 * any part is the engine's own: "CODE engine". Space, '=', '%', control characters and bytes that
 * are not UTF-8 are percent-encoded; a NUL becomes U+FFFD. Identifiers are cut at TOCSIN_ID_MAX.
 * Returns the length.
 */
size_t incident_key(char buf[static INCIDENT_KEY_SIZE], bool by_rule,
		    const struct incident_identity *identity);

/* With key and identity; the rest is zero. -ENOMEM. */
int incident_new(bool by_rule, const struct incident_identity *identity,
		 struct incident_node **ret);
void incident_free(struct incident_node *n);

/* Takes a raise's message, metadata, raw code (may be absent) and figures. -ENOMEM: unchanged. */
int incident_set(struct incident *i, const struct raise *raise, tocsin_str raw_code);
/* What is said at its end: a message and metadata, where it has any. -ENOMEM: unchanged. */
int incident_set_resolution(struct incident *i, const struct raise *said);
/* The session's id with its own length. */
tocsin_str incident_session(const struct incident_node *n);

#endif

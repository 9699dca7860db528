/* SPDX-License-Identifier: MIT */
/*
 * The sessions that the engine reported. At most SESSIONS_MAX are kept. When one more comes, the
 * least recently updated one that no longer runs is dropped, else the least recently updated of
 * all. Ids and statuses are cut at TOCSIN_ID_MAX bytes.
 *
 * A session belongs to the run that reported it. A session of a former run does not run any more,
 * whatever its status says, until the engine reports it again.
 */
#ifndef TOCSIN_PICTURE_SESSIONS_H
#define TOCSIN_PICTURE_SESSIONS_H

#include <stdbool.h>
#include "base/moment.h"
#include "picture/metadata.h"

#define SESSIONS_MAX 256

struct session {
	char *id; /* the bytes given, NUL-terminated; id_len tells of a NUL inside */
	size_t id_len;
	char *status;
	size_t status_len;
	struct moment started, updated;
	struct metadata metadata;
	bool former;           /* it belongs to a run before this one */
	struct session *older; /* the one created before it, or NULL */
};

struct sessions;

struct sessions *sessions_new(void);
void sessions_free(struct sessions *s);

/* An empty status is `started`. -EEXIST leaves the session as it was; one of a former run makes
 * room for the new one. *ret may be NULL. */
int sessions_create(struct sessions *s, tocsin_str id, tocsin_str status, const tocsin_kv *kv,
		    size_t n_kv, struct moment at, const struct session **ret);
/* An empty status keeps the one there is. One of a former run belongs to this one then. -ENOENT for
 * an unknown id. -ENOMEM: the same once more makes it whole. */
int sessions_update(struct sessions *s, tocsin_str id, tocsin_str status, const tocsin_kv *kv,
		    size_t n_kv, struct moment at, const struct session **ret);
const struct session *sessions_get(const struct sessions *s, tocsin_str id);
/* The one created last; follow ->older for the rest. NULL when there is none. */
const struct session *sessions_newest(const struct sessions *s);
/* The first of `from` and those older whose status is `status`; NULL when there is none. */
const struct session *sessions_with_status(const struct session *from, tocsin_str status);
size_t sessions_count(const struct sessions *s);

/* A later run begins: all there are belong to a former one. */
void sessions_end_run(struct sessions *s);
/* The status of a session that ran when its run ended without a clean stop. */
#define SESSION_LOST "lost"
/* Makes the newest one that runs `lost` and returns it; NULL: none runs. */
const struct session *sessions_lose_one(struct sessions *s, struct moment at);

/* How many of this run made room for another one: all, and those that ran. */
uint64_t sessions_forgotten(const struct sessions *s, uint64_t *ret_running);
/* How many events had metadata that did not all fit into their session's. */
uint64_t sessions_metadata_cut(const struct sessions *s);

/* Is it this run's, and its status `started` or `running`? */
bool session_runs(const struct session *session);
/* Since when at least one session has run without a break; false when none runs. */
bool sessions_running_since(const struct sessions *s, struct moment *ret);

/*
 * For the checkpoint: puts a session back as it was, the newest first, and since when they run.
 * -EBADMSG for what cannot have been there.
 */
int sessions_restore(struct sessions *s, const struct session *session);
void sessions_restore_running(struct sessions *s, struct moment since);

#endif

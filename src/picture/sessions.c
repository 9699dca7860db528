/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/sessions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/hash.h"

/* A session as the list holds it; `session` comes first, so that one is the other's address. */
struct node {
	struct session session;
	uint32_t hash; /* of the id */
};

struct sessions {
	struct session *newest;
	size_t n, n_running;
	uint64_t forgotten, forgotten_running, metadata_cut;
	struct moment running_since; /* while n_running > 0 */
};

static tocsin_str session_id_of(const struct session *s)
{
	return (tocsin_str){ s->id, s->id_len };
}

static tocsin_str session_status_of(const struct session *s)
{
	return (tocsin_str){ s->status, s->status_len };
}

static void session_free(struct session *s)
{
	if (!s)
		return;
	free(s->id);
	free(s->status);
	metadata_done(&s->metadata);
	free(s);
}

DEFINE_CLEANUP(struct session *, session_free, cleanup_session)

static int session_new(tocsin_str id, tocsin_str status, struct session **ret)
{
	struct node *node = calloc(1, sizeof *node);
	_cleanup_(cleanup_session) struct session *s = node ? &node->session : NULL;

	if (!s)
		return -ENOMEM;
	s->id = str_dup(id);
	s->status = str_dup(status);
	if (!s->id || !s->status)
		return -ENOMEM;
	s->id_len = id.len;
	s->status_len = status.len;
	node->hash = hash_text(id);
	*ret = TAKE(s);
	return 0;
}

struct sessions *sessions_new(void)
{
	return calloc(1, sizeof(struct sessions));
}

void sessions_free(struct sessions *s)
{
	if (!s)
		return;
	for (struct session *i = s->newest, *older; i; i = older) {
		older = i->older;
		session_free(i);
	}
	free(s);
}

static struct session *sessions_find(const struct sessions *s, tocsin_str id)
{
	uint32_t hash = hash_text(id);

	for (struct session *i = s->newest; i; i = i->older)
		if (((struct node *)i)->hash == hash && str_equal(session_id_of(i), id))
			return i;
	return NULL;
}

static bool status_runs(tocsin_str status)
{
	return str_equal(status, STR("started")) || str_equal(status, STR("running"));
}

bool session_runs(const struct session *session)
{
	return !session->former && status_runs(session_status_of(session));
}

/* Keeps the count of those that run, when one changes from `before` to `after`. */
static void sessions_note_running(struct sessions *s, bool before, bool after, struct moment at)
{
	if (before == after)
		return;
	if (after && s->n_running++ == 0)
		s->running_since = at;
	if (before)
		s->n_running--;
}

/* Is `a` the better one to forget? Both have the same right to stay when their runs agree. */
static bool goes_before(const struct session *a, const struct session *b)
{
	bool a_runs = session_runs(a), b_runs = session_runs(b);

	if (a_runs != b_runs)
		return b_runs;
	return a->updated.clock_ns <= b->updated.clock_ns;
}

static void sessions_remove(struct sessions *s, struct session *gone, struct moment at)
{
	struct session **i = &s->newest;

	while (*i != gone)
		i = &(*i)->older;
	*i = gone->older;
	sessions_note_running(s, session_runs(gone), false, at);
	s->n--;
	session_free(gone);
}

static void sessions_forget_one(struct sessions *s, struct moment at)
{
	struct session *victim = s->newest;

	/* Later ones in the list are older: of two updated at once, the older goes. */
	for (struct session *i = s->newest; i; i = i->older)
		if (goes_before(i, victim))
			victim = i;
	if (!victim)
		return;
	s->forgotten += !victim->former;
	s->forgotten_running += session_runs(victim);
	sessions_remove(s, victim, at);
}

uint64_t sessions_forgotten(const struct sessions *s, uint64_t *ret_running)
{
	*ret_running = s->forgotten_running;
	return s->forgotten;
}

uint64_t sessions_metadata_cut(const struct sessions *s)
{
	return s->metadata_cut;
}

int sessions_create(struct sessions *s, tocsin_str id, tocsin_str status, const tocsin_kv *kv,
		    size_t n_kv, struct moment at, const struct session **ret)
{
	_cleanup_(cleanup_session) struct session *new = NULL;
	tocsin_str word = status.len > 0 ? text_cut(status, TOCSIN_ID_MAX) : STR("started");
	struct session *known;
	int r;

	id = text_cut(id, TOCSIN_ID_MAX);
	known = sessions_find(s, id);
	if (known && !known->former) {
		if (ret)
			*ret = known;
		return -EEXIST;
	}
	r = session_new(id, word, &new);
	if (r < 0)
		return r;
	r = metadata_merge(&new->metadata, kv, n_kv);
	if (r == -ENOMEM)
		return -ENOMEM;
	s->metadata_cut += r == -E2BIG;
	new->started = new->updated = at;

	if (known)
		sessions_remove(s, known, at);
	if (s->n == SESSIONS_MAX)
		sessions_forget_one(s, at);
	new->older = s->newest;
	s->newest = new;
	s->n++;
	sessions_note_running(s, false, session_runs(new), at);
	if (ret)
		*ret = new;
	new = NULL;
	return 0;
}

int sessions_update(struct sessions *s, tocsin_str id, tocsin_str status, const tocsin_kv *kv,
		    size_t n_kv, struct moment at, const struct session **ret)
{
	struct session *known = sessions_find(s, text_cut(id, TOCSIN_ID_MAX));
	bool ran;
	int r;

	if (!known)
		return -ENOENT;
	ran = session_runs(known);
	status = text_cut(status, TOCSIN_ID_MAX);
	if (status.len > 0 && !str_equal(status, session_status_of(known))) {
		char *copy = str_dup(status);

		if (!copy)
			return -ENOMEM;
		free(known->status);
		known->status = copy;
		known->status_len = status.len;
	}
	known->former = false;
	sessions_note_running(s, ran, session_runs(known), at);
	known->updated = at;
	r = metadata_merge(&known->metadata, kv, n_kv);
	if (r == -ENOMEM)
		return -ENOMEM;
	s->metadata_cut += r == -E2BIG;
	if (ret)
		*ret = known;
	return 0;
}

void sessions_end_run(struct sessions *s)
{
	for (struct session *i = s->newest; i; i = i->older)
		i->former = true;
	s->n_running = 0;
}

const struct session *sessions_lose_one(struct sessions *s, struct moment at)
{
	struct session *i = s->newest;

	while (i && !session_runs(i))
		i = i->older;
	if (!i)
		return NULL;
	/* Whatever it says now, the word is one of these two. */
	_Static_assert(sizeof SESSION_LOST <= sizeof "started", "it fits");
	_Static_assert(sizeof SESSION_LOST <= sizeof "running", "it fits");
	memcpy(i->status, SESSION_LOST, sizeof SESSION_LOST);
	i->status_len = strlen(SESSION_LOST);
	i->updated = at;
	sessions_note_running(s, true, false, at);
	return i;
}

const struct session *sessions_get(const struct sessions *s, tocsin_str id)
{
	return sessions_find(s, text_cut(id, TOCSIN_ID_MAX));
}

const struct session *sessions_newest(const struct sessions *s)
{
	return s->newest;
}

const struct session *sessions_with_status(const struct session *from, tocsin_str status)
{
	while (from && !str_equal(session_status_of(from), status))
		from = from->older;
	return from;
}

size_t sessions_count(const struct sessions *s)
{
	return s->n;
}

bool sessions_running_since(const struct sessions *s, struct moment *ret)
{
	if (s->n_running == 0)
		return false;
	*ret = s->running_since;
	return true;
}

int sessions_restore(struct sessions *s, const struct session *session)
{
	_cleanup_(cleanup_session) struct session *new = NULL;
	struct session **end = &s->newest;
	tocsin_str id = session_id_of(session), status = session_status_of(session);
	int r;

	if (s->n == SESSIONS_MAX || id.len > TOCSIN_ID_MAX || status.len == 0 ||
	    status.len > TOCSIN_ID_MAX || sessions_find(s, id))
		return -EBADMSG;
	r = session_new(id, status, &new);
	if (r < 0)
		return r;
	r = metadata_merge(&new->metadata, session->metadata.kv, session->metadata.n);
	if (r < 0)
		return r == -E2BIG ? -EBADMSG : r;
	new->started = session->started;
	new->updated = session->updated;
	new->former = session->former;

	while (*end)
		end = &(*end)->older;
	*end = new;
	s->n++;
	sessions_note_running(s, false, session_runs(new), new->updated);
	new = NULL;
	return 0;
}

void sessions_restore_running(struct sessions *s, struct moment since)
{
	s->running_since = since;
}

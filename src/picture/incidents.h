/* SPDX-License-Identifier: MIT */
/*
 * All incidents that are remembered: in order of their last raise, the open ones by key and by when
 * their first page is due, the resolved ones in order of their end. It keeps order and nothing
 * else; the maxima and what is told are up to alerts. Zero-initialise it.
 */
#ifndef TOCSIN_PICTURE_INCIDENTS_H
#define TOCSIN_PICTURE_INCIDENTS_H

#include "picture/incident.h"

#define INCIDENTS_BUCKETS 256

struct incidents {
	struct incident_node *newest, *oldest; /* by `raised`, open and resolved ones */
	struct incident_node *buckets[INCIDENTS_BUCKETS];
	struct incident_node *first_resolved, *last_resolved;
	struct incident_node *due; /* the open one whose deadline is next, or NULL */
	size_t n_open, n_resolved;
	size_t n_reserved; /* open ones that need no place: see incident_is_reserved */
};

/* Frees them all. */
void incidents_done(struct incidents *all);

/* The next deadline of its own, that of its page or its end; UINT64_MAX: it has none. */
uint64_t incident_due_ns(const struct incident *i);

/* Takes a new one as open, its deadlines set, as the newest or the oldest. */
void incidents_open_newest(struct incidents *all, struct incident_node *n);
void incidents_open_oldest(struct incidents *all, struct incident_node *n);
/* It was raised again. */
void incidents_move_newest(struct incidents *all, struct incident_node *n);
/* A deadline of it was changed. */
void incidents_note_due(struct incidents *all, struct incident_node *n);
/* It is open no more but stays remembered. */
void incidents_resolve(struct incidents *all, struct incident_node *n);

/* Frees an open one, or the one resolved longest ago (there must be one). */
void incidents_forget_open(struct incidents *all, struct incident_node *n);
void incidents_forget_resolved(struct incidents *all);

/* The open one of that identity, or NULL. */
struct incident_node *incidents_find(const struct incidents *all, bool by_rule,
				     const struct incident_identity *identity);
/* Does it stand in a reserved place? */
bool incident_is_reserved(const struct incident *i);
/* Of the other open ones of the least priority the one raised longest ago; NULL when none is open.
 */
struct incident_node *incidents_least_open(const struct incidents *all);

#endif

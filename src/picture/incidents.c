/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture/incidents.h"

#include <string.h>

#include "base/hash.h"

static struct incident_node *next_of(const struct incident_node *n)
{
	return (struct incident_node *)n->incident.next;
}

static void list_remove(struct incidents *all, struct incident_node *n)
{
	struct incident_node *next = next_of(n);

	if (n->prev)
		n->prev->incident.next = n->incident.next;
	else
		all->newest = next;
	if (next)
		next->prev = n->prev;
	else
		all->oldest = n->prev;
	n->prev = NULL;
	n->incident.next = NULL;
}

static void list_add_newest(struct incidents *all, struct incident_node *n)
{
	n->incident.next = all->newest ? &all->newest->incident : NULL;
	if (all->newest)
		all->newest->prev = n;
	else
		all->oldest = n;
	all->newest = n;
}

static void list_add_oldest(struct incidents *all, struct incident_node *n)
{
	n->prev = all->oldest;
	if (all->oldest)
		all->oldest->incident.next = &n->incident;
	else
		all->newest = n;
	all->oldest = n;
}

bool incident_is_reserved(const struct incident *i)
{
	return i->by_rule && strcmp(i->code, ALERTS_CAPACITY) == 0;
}

static void open_add(struct incidents *all, struct incident_node *n)
{
	struct incident_node **bucket = &all->buckets[n->hash % INCIDENTS_BUCKETS];

	n->chain = *bucket;
	*bucket = n;
	n->incident.open = true;
	all->n_open++;
	all->n_reserved += incident_is_reserved(&n->incident);
}

uint64_t incident_due_ns(const struct incident *i)
{
	uint64_t page_ns = i->page_at_ns > 0 ? i->page_at_ns : UINT64_MAX;
	uint64_t end_ns = i->expires_at_ns > 0 ? i->expires_at_ns : UINT64_MAX;

	return page_ns < end_ns ? page_ns : end_ns;
}

static bool due_before(const struct incident *a, const struct incident *b)
{
	uint64_t a_ns = incident_due_ns(a), b_ns = incident_due_ns(b);

	return a_ns != b_ns ? a_ns < b_ns : strcmp(a->key, b->key) < 0;
}

/* Keeps `due` when a deadline of n was set. */
static void due_note(struct incidents *all, struct incident_node *n)
{
	if ((n->incident.page_at_ns > 0 || n->incident.expires_at_ns > 0) &&
	    (!all->due || due_before(&n->incident, &all->due->incident)))
		all->due = n;
}

void incidents_note_due(struct incidents *all, struct incident_node *n)
{
	if (all->due != n) {
		if (n->incident.open)
			due_note(all, n);
		return;
	}
	all->due = NULL;
	for (struct incident_node *i = all->newest; i; i = next_of(i))
		if (i->incident.open)
			due_note(all, i);
}

static void open_remove(struct incidents *all, struct incident_node *n)
{
	struct incident_node **i = &all->buckets[n->hash % INCIDENTS_BUCKETS];

	while (*i != n)
		i = &(*i)->chain;
	*i = n->chain;
	n->chain = NULL;
	n->incident.open = false;
	all->n_open--;
	all->n_reserved -= incident_is_reserved(&n->incident);
	n->incident.page_at_ns = n->incident.expires_at_ns = 0;
	incidents_note_due(all, n);
}

struct incident_node *incidents_find(const struct incidents *all, bool by_rule,
				     const struct incident_identity *identity)
{
	char key[INCIDENT_KEY_SIZE];
	size_t len = incident_key(key, by_rule, identity);
	uint32_t hash = hash_text((tocsin_str){ key, len });

	for (struct incident_node *i = all->buckets[hash % INCIDENTS_BUCKETS]; i; i = i->chain)
		if (i->hash == hash && i->incident.by_rule == by_rule &&
		    strcmp(i->incident.key, key) == 0)
			return i;
	return NULL;
}

void incidents_forget_resolved(struct incidents *all)
{
	struct incident_node *n = all->first_resolved;

	all->first_resolved = n->later;
	if (!n->later)
		all->last_resolved = NULL;
	all->n_resolved--;
	list_remove(all, n);
	incident_free(n);
}

struct incident_node *incidents_least_open(const struct incidents *all)
{
	struct incident_node *least = NULL;

	for (struct incident_node *i = all->oldest; i; i = i->prev)
		if (i->incident.open && !incident_is_reserved(&i->incident) &&
		    (!least || i->incident.priority > least->incident.priority))
			least = i;
	return least;
}

void incidents_open_newest(struct incidents *all, struct incident_node *n)
{
	open_add(all, n);
	list_add_newest(all, n);
	due_note(all, n);
}

void incidents_open_oldest(struct incidents *all, struct incident_node *n)
{
	open_add(all, n);
	list_add_oldest(all, n);
	due_note(all, n);
}

void incidents_move_newest(struct incidents *all, struct incident_node *n)
{
	list_remove(all, n);
	list_add_newest(all, n);
}

void incidents_resolve(struct incidents *all, struct incident_node *n)
{
	open_remove(all, n);
	if (all->last_resolved)
		all->last_resolved->later = n;
	else
		all->first_resolved = n;
	all->last_resolved = n;
	all->n_resolved++;
}

void incidents_forget_open(struct incidents *all, struct incident_node *n)
{
	open_remove(all, n);
	list_remove(all, n);
	incident_free(n);
}

void incidents_done(struct incidents *all)
{
	for (struct incident_node *i = all->newest, *next; i; i = next) {
		next = next_of(i);
		incident_free(i);
	}
	*all = (struct incidents){ 0 };
}

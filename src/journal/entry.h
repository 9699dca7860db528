/* SPDX-License-Identifier: MIT */
/*
 * One entry of the log: a set of fields. MESSAGE is clean for a terminal; the other fields keep the
 * bytes they were given. Fields and message ids are documented in tocsin(7).
 */
#ifndef TOCSIN_JOURNAL_ENTRY_H
#define TOCSIN_JOURNAL_ENTRY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include "picture/picture.h"

/* What goes first when the log does not take entries: the last of these; FIRST is never shed. */
enum entry_class {
	/* P1: opened, resolved; pages that are dead or discarded; what tocsin says of lost ones */
	ENTRY_CLASS_FIRST,
	ENTRY_CLASS_P2, /* and pages that are parked */
	ENTRY_CLASS_P3,
	ENTRY_CLASS_SESSION,
	ENTRY_CLASS_LEAST, /* health, audit lines of attempts that failed */
};
#define ENTRY_CLASSES 5

#define ENTRY_FIELDS_MAX 128
/* What fits into the entry itself; most entries need no other memory. */
#define ENTRY_FIELDS_OWN 28
#define ENTRY_BYTES_OWN 832

struct entry {
	enum entry_class class;
	int priority;      /* syslog's number, as in the PRIORITY field */
	uint64_t sequence; /* given by journal_submit */
	size_t bytes;      /* of all its memory */
	size_t n_fields;
	struct iovec *fields; /* "NAME=value", ENTRY_FIELDS_MAX at most */
	struct entry *next;
	bool failed; /* something of it found no memory */
	size_t used; /* of own_bytes */
	struct iovec own_fields[ENTRY_FIELDS_OWN];
	char own_bytes[ENTRY_BYTES_OWN];
};

/*
 * The TOCSIN_META_ field names that a run has given the log. journald indexes each name for good,
 * so an engine that invents keys would fill it: the first names keep their fields, the metadata
 * under any other key is in TOCSIN_METADATA alone. It belongs to the run, and only the one thread
 * that makes entries of changes may use it.
 */
#define ENTRY_META_NAMES_MAX 64
#define ENTRY_NAME_MAX 64 /* journald takes none longer */
struct entry_meta_names {
	size_t n;
	bool left_out; /* a name found no room; whoever has told it resets it */
	char list[ENTRY_META_NAMES_MAX][ENTRY_NAME_MAX + 1];
};

/* What every entry says and needs. */
struct entry_context {
	const char *engine;
	bool replay, recovered;
	struct entry_meta_names *meta_names; /* NULL: no limit */
	const char *runbooks_base_url;
	const struct runbooks *runbooks; /* NULL: the built-in ones */
};

/* Kinds of entries that are not alerts, each with a fixed MESSAGE_ID and a page in the catalog. */
enum entry_kind {
	ENTRY_KIND_SESSION,
	ENTRY_KIND_HEALTH,
	ENTRY_KIND_PAGE,
	ENTRY_KIND_STARTED, /* the plugin has started */
	ENTRY_KIND_ALIVE,   /* a sign of life of a run */
	ENTRY_KIND_STOPPED,
	ENTRY_KIND_HELD,    /* the limit held pages back: one summary tells them */
	ENTRY_KIND_TROUBLE, /* something of tocsin's own or of the engine's calls is wrong */
};

/* 32 hex digits. */
const char *entry_kind_message_id(enum entry_kind kind);

struct entry *entry_new(enum entry_class class, int priority);
void entry_free(struct entry *e);
/* Adds NAME=value; fields past the maximum and without memory are left out. */
void entry_add(struct entry *e, const char *name, tocsin_str value);
void entry_addf(struct entry *e, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The entry for a change; NULL when there is nothing to log, or no memory for all of it. */
struct entry *entry_of_change(const struct entry_context *c, const struct change *n);
/* What tocsin says of a run: what it is known by, and how it stands. */
struct run_facts {
	uint64_t started_wall_ns;
	bool by_events;           /* its clock is the events' */
	const char *state_path;   /* its state folder; NULL: it has none */
	bool counted;             /* the numbers below are known */
	size_t sessions, open[3]; /* sessions that run, open incidents by priority */
};
struct entry *entry_of_run(const struct entry_context *c, enum entry_kind kind, int level,
			   uint64_t wall_ns, const struct run_facts *facts, const char *text);
/* What tocsin says of itself: level is syslog's number, `text` one line. */
struct entry *entry_of_note(const struct entry_context *c, enum entry_kind kind, int level,
			    uint64_t wall_ns, const char *text);

#endif

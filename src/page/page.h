/* SPDX-License-Identifier: MIT */
/*
 * A page: one message to people about one incident, the same at every attempt. Immutable once made,
 * so threads share it by counting references. The body is rendered for each attempt, because it
 * says by how much it comes late.
 */
#ifndef TOCSIN_PAGE_PAGE_H
#define TOCSIN_PAGE_PAGE_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdint.h>
#include "picture/alerts.h"
#include "picture/rate_limit.h"

#define PAGE_ID_SIZE (ALERT_ID_SIZE + 24)
/* Bytes of a rendered body at most; metadata and then the message are cut to fit. */
#define PAGE_BODY_MAX 20000
/* Bytes of its data as JSON: the rest of the body is the envelope and delayed_by_s. */
#define PAGE_DATA_MAX (PAGE_BODY_MAX - 256)

enum page_type { PAGE_TYPE_RAISED, PAGE_TYPE_RESOLVED, PAGE_TYPE_SUMMARY, PAGE_TYPE_TEST };

struct page {
	atomic_uint references;
	char id[PAGE_ID_SIZE]; /* webhook-id: alert_id + .raised, .repeat-N, .resolved, .summary */
	char alert_id[ALERT_ID_SIZE];
	char code[TOCSIN_CODE_MAX + 1];
	enum page_type type;
	uint32_t priority;      /* 1..3 */
	uint64_t event_wall_ns; /* its timestamp: the event's own time */
	uint64_t due_wall_ns;   /* when it fell due by the real clock: what lateness counts from */
	uint64_t due_mono_ns;   /* the same on CLOCK_MONOTONIC; 0: it is another run's page */
	atomic_bool taken;      /* some endpoint has it */
	bool failed_over;       /* the backups were given it; the dispatcher's own */
	json_t *data;           /* the generic format's data, but for delayed_by_s */
};

/* What a page says beside its incident. */
struct page_context {
	const char *engine, *host;
	const char *runbooks_base_url;
	bool replay;
	const struct runbooks *runbooks; /* NULL: the built-in ones */
	const struct contacts *contacts; /* NULL: there are none */
	uint64_t due_wall_ns; /* of the page to be made, by the real clock; 0: the event's time */
	uint64_t due_mono_ns; /* and by the monotonic one; 0: not known */
};

/* kind is not PAGE_NONE; of a repeat, incident->repeats is its own number already. -ENOMEM. */
int page_new(const struct page_context *c, const struct incident *incident, enum page_kind kind,
	     struct moment at, struct page **ret);
/*
 * A summary's data has, beside what an alert's has, raised, resolved, unlisted,
 * by_priority{P1,P2,P3} and alerts[{alert_id,code,state,priority}]; its code and runbook are those
 * of the gravest. -ENOMEM.
 */
int page_new_summary(const struct page_context *c, const struct rate_limit_summary *s,
		     struct moment at, struct page **ret);
struct page *page_ref(struct page *p);
/* Returns NULL; takes NULL. */
struct page *page_unref(struct page *p);

/* By how much the page is late at these times. The wall clock may have been set since it fell due,
 * so the monotonic one counts where it can. */
uint64_t page_late_ns(const struct page *p, uint64_t now_wall_ns, uint64_t now_mono_ns);

const char *page_type_name(enum page_type type); /* "alert.raised", ... */
/* Its place among the pages of its incident: 0 raised, N the Nth repeat, UINT64_MAX resolved. */
uint64_t page_step(const struct page *p);

/* The page as the outbox keeps it: a JSON object with "format": 1. Heap. -ENOMEM. */
int page_to_file(const struct page *p, const char *endpoint, char **ret, size_t *ret_len);
/* *ret_endpoint is heap. -EBADMSG: damaged; -EPROTONOSUPPORT: a later version's. */
int page_from_file(const char *bytes, size_t len, struct page **ret, char **ret_endpoint);

/* How a receiver wants pages: one row a format. */
struct page_format {
	const char *name;
	const char *content_type;
	/* late_ns: by how much it comes late. minimal: id, code, priority, message, runbook and
	 * what the format cannot do without. Heap, at most PAGE_BODY_MAX bytes. -ENOMEM. */
	int (*render)(const struct page *p, bool minimal, uint64_t late_ns, char **ret,
		      size_t *ret_len);
	/* Does this answer mean that the receiver has taken the page? */
	bool (*taken)(long http_status, const char *body, size_t len);
};

/* NULL when there is none of that name. */
const struct page_format *page_format_find(const char *name);

#endif

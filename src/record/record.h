/* SPDX-License-Identifier: MIT */
/*
 * One event as bytes: what a hot call writes into the recorder and what the dispatcher reads back.
 * Encoding copies, cuts and marks but never allocates or fails; decoding trusts nothing, since the
 * bytes may come from a file that a crash or a disk has damaged. Byte order is the machine's; the
 * recorder's header tells which.
 */
#ifndef TOCSIN_RECORD_RECORD_H
#define TOCSIN_RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tocsin_plugin.h"

/* Key-values kept of one event; more are cut and marked. */
#define RECORD_KV_MAX 64
/* Bytes of the largest encoded event. */
#define RECORD_SIZE_MAX 4608

enum record_type { RECORD_SESSION = 1, RECORD_HEALTH = 2, RECORD_ALERT = 3 };

/* A decoded event. Its views point into the encoded bytes. */
struct record {
	enum record_type type;
	uint32_t kind;       /* TOCSIN_SESSION_*, TOCSIN_HEALTH_* or TOCSIN_ALERT_* */
	uint32_t priority;   /* alerts: 0..3 as given, 0 = the code's own */
	bool truncated;      /* something was cut */
	uint64_t mono_ns;    /* CLOCK_MONOTONIC in the call */
	uint64_t wall_ns;    /* as the host gave it, 0 = none, or 2^63 and more (past 2262) */
	double value, limit; /* drift and risk */
	bool has_value;      /* a risk, or a drift report with a value (its limit is not NaN) */
	tocsin_str session_id, status, source, instance, code, message;
	size_t n_kv;
	tocsin_kv kv[RECORD_KV_MAX];
};

struct layout_record; /* record/recorder_layout.h */

/* Each returns the bytes that the record has, at most RECORD_SIZE_MAX. [hot] */
size_t record_encode_session(const tocsin_session_event *e, uint64_t mono_ns,
			     struct layout_record *ret);
size_t record_encode_health(const tocsin_health_event *e, uint64_t mono_ns,
			    struct layout_record *ret);
size_t record_encode_alert(const tocsin_alert_event *e, uint64_t mono_ns,
			   struct layout_record *ret);

/* 0, or -EBADMSG for bytes that no encoder wrote. */
int record_decode(const uint8_t *bytes, size_t len, struct record *ret);

#endif

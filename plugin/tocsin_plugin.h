/* SPDX-License-Identifier: MIT */
/*
 * The contract between an engine and the tocsin notifier plugin, major version 1.
 *
 * An engine loads tocsin.so with dlopen(RTLD_NOW | RTLD_LOCAL), looks up TOCSIN_PLUGIN_ENTRY,
 * agrees on a minor version, creates an instance and reports sessions, health and alerts to it. The
 * plugin never pauses, stops or configures the engine.
 *
 *	tocsin_negotiation n = { sizeof n, 0, TOCSIN_ABI_MINOR, 0, NULL };
 *	void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
 *	tocsin_plugin_entry *entry = (tocsin_plugin_entry *)dlsym(so, TOCSIN_PLUGIN_ENTRY);
 *	if (entry && entry(&n) == TOCSIN_OK) ... n.plugin->create(...) ...
 *
 * States: created -> start -> active -> stop -> stopped -> destroy. The on_ calls and flush need
 * the active state; snapshot, stats and extension work at any time before destroy. A call in the
 * wrong state returns TOCSIN_E_STATE. In a forked child every call except destroy returns
 * TOCSIN_E_STATE, and destroy does nothing. At the first such call of a process the plugin calls
 * the child's copy of host.log with one line that says so.
 *
 * Threads: the comment above each slot says which threads may call it.
 *
 *	[hot]     any number of threads at once; never blocks, allocates, locks or enters the
 *	          kernel; uses at most 8 kB of the thread's stack
 *	[control] the host makes one of these calls at a time; they may block, allocate and enter
 *	          the kernel; a thread is not cancelled inside one
 *	[any]     any thread at any time; does not block
 *
 * All hot calls must have returned before stop begins. The plugin's own threads block every signal
 * except SIGSEGV, SIGBUS, SIGFPE and SIGILL, so that the host's handlers of faults run there too.
 *
 * The library: from start to destroy the plugin holds a reference on itself. destroy releases it as
 * its last act. A host that calls dlclose early does not crash.
 *
 * Exit: a process may exit at any time without stop. While its exit handlers run, the plugin sends
 * no page and calls no function of the host. exit waits at most 100 ms for a thread of the plugin
 * that is sending a page or calling the host. The next start sends the pages of alerts raised in
 * that time. stop and destroy work in an exit handler; flush(TOCSIN_FLUSH_DELIVERED) returns
 * TOCSIN_E_TIMEOUT there.
 *
 * Ownership: everything that the host passes needs to live only for that call; the plugin copies
 * what it keeps. Neither side frees the other's memory. The host struct must outlive destroy.
 *
 * Growth: structs and tables grow at the end only, and both sides state the size they know. A
 * reader checks size against the end of the member it wants. tocsin_str, tocsin_kv, tocsin_event
 * and the elements of arrays never change. The number of an enumerator is never used again.
 */
#ifndef TOCSIN_PLUGIN_H
#define TOCSIN_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define TOCSIN_EXPORT __attribute__((visibility("default")))
#else
#define TOCSIN_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The symbol to look up. The major version is part of the name. */
#define TOCSIN_PLUGIN_ENTRY "tocsin_plugin_v1"
/* The newest minor version this header describes. */
#define TOCSIN_ABI_MINOR 0u

/* Bytes that are kept of session_id, source, instance and status each; the rest is cut, marked. */
#define TOCSIN_ID_MAX 255u
/* Most bytes of an alert code: [A-Z][A-Z0-9_]*. Any other becomes GENERAL; the raw code is kept. */
#define TOCSIN_CODE_MAX 64u
/* Bytes that are kept of message and key-values together; the rest is cut and marked. */
#define TOCSIN_TEXT_MAX 3072u

/* What a call returns: TOCSIN_OK or one of the negative numbers. */
typedef int32_t tocsin_rc;

enum {
	TOCSIN_OK = 0,
	TOCSIN_E_ARG = -1,         /* the arguments cannot be read; counted in stats.refused */
	TOCSIN_E_ABI = -2,         /* no minor version in common */
	TOCSIN_E_STATE = -3,       /* not allowed in this state, or in a forked child */
	TOCSIN_E_FULL = -4,        /* the recorder is full for this class of event; counted */
	TOCSIN_E_UNSUPPORTED = -5, /* this plugin does not support the call */
	TOCSIN_E_TIMEOUT = -6,     /* the time given was not enough; the call may be repeated */
	TOCSIN_E_NOMEM = -7,       /* not enough memory */
	TOCSIN_E_CONFIG = -8,      /* a setting is wrong; create's err says which and where */
	TOCSIN_E_IO = -9           /* the system refused an operation; the log says which */
};

/*
 * The handshake. The host fills size, abi_min and abi_max. The plugin fills abi with the minor
 * version that both use, and plugin with its table, valid until dlclose.
 */
typedef struct tocsin_negotiation {
	uint32_t size;                      /* host: sizeof(tocsin_negotiation) */
	uint32_t abi_min;                   /* host: oldest minor it can drive */
	uint32_t abi_max;                   /* host: newest minor it knows */
	uint32_t abi;                       /* plugin: min(abi_max, its own) */
	const struct tocsin_plugin *plugin; /* plugin: its table, or NULL on failure */
} tocsin_negotiation;

/*
 * [control] TOCSIN_OK, or TOCSIN_E_ARG (NULL, size too small, abi_min > abi_max), or TOCSIN_E_ABI
 * (no minor in common: abi is then the plugin's own minor and plugin is NULL).
 */
typedef tocsin_rc tocsin_plugin_entry(tocsin_negotiation *);
TOCSIN_EXPORT tocsin_rc tocsin_plugin_v1(tocsin_negotiation *);

/* Text: len bytes at ptr, preferably UTF-8, with or without a NUL. {NULL, 0} means absent. */
typedef struct tocsin_str {
	const char *ptr;
	size_t len; /* bytes */
} tocsin_str;

/* One item of metadata, or one option. */
typedef struct tocsin_kv {
	tocsin_str key, value;
} tocsin_kv;

/* The head of every event. */
typedef struct tocsin_event {
	uint32_t size;    /* sizeof the whole event struct, head included */
	uint32_t kind;    /* one of the enumerators below the event's struct */
	uint64_t wall_ns; /* CLOCK_REALTIME in ns, a label; 0, and 2^63 and more, mean now */
} tocsin_event;

typedef struct tocsin_session_event {
	tocsin_event head;
	tocsin_str session_id; /* not empty */
	tocsin_str status;     /* any word; rules know started, running, completed and failed */
	const tocsin_kv *kv;   /* n_kv items of metadata */
	size_t n_kv;
} tocsin_session_event;

enum {
	TOCSIN_SESSION_CREATED = 1, /* a session begins, with the status given, else started */
	TOCSIN_SESSION_STATUS = 2   /* its status changes */
};

typedef struct tocsin_health_event {
	tocsin_event head;
	tocsin_str source;     /* the feed or the check that reports, such as okx:ETH-USD */
	tocsin_str session_id; /* may be absent */
	double value; /* drift: a fraction, 0.12 = 12 %, either sign; risk: larger is worse */
	double limit; /* risk: breached when not value <= limit; drift: NaN = no value was given */
	const tocsin_kv *kv;
	size_t n_kv;
} tocsin_health_event;

enum {
	TOCSIN_HEALTH_START = 1,           /* system uptime counts from here */
	TOCSIN_HEALTH_HEARTBEAT = 2,       /* the engine's main loop runs */
	TOCSIN_HEALTH_FEED_UP = 3,         /* the feed named by source is connected */
	TOCSIN_HEALTH_FEED_DOWN = 4,       /* the feed is not connected */
	TOCSIN_HEALTH_FEED_RECONNECT = 5,  /* the feed is connected again; its uptime restarts */
	TOCSIN_HEALTH_FEED_PULSE = 6,      /* data came from the feed */
	TOCSIN_HEALTH_DRIFT = 7,           /* value: drift against expectation */
	TOCSIN_HEALTH_RISK = 8,            /* value and limit of a risk figure */
	TOCSIN_HEALTH_EXECUTION_ERROR = 9, /* an order was refused or went wrong */
	TOCSIN_HEALTH_METADATA = 10        /* only the key-values, kept in the status */
};

typedef struct tocsin_alert_event {
	tocsin_event head;
	uint32_t priority;     /* 1, 2, 3; 0 = the code's own; above 3 counts as 3 */
	uint32_t reserved0;    /* 0 */
	tocsin_str code;       /* such as DATA_FEED_DOWN */
	tocsin_str message;    /* one line for a person */
	tocsin_str session_id; /* may be absent */
	tocsin_str instance;   /* distinguishes incidents of one code in one session */
	const tocsin_kv *kv;
	size_t n_kv;
} tocsin_alert_event;

enum {
	TOCSIN_ALERT_RAISE =
		1, /* opens the incident (code, session_id, instance), or adds to its count */
	TOCSIN_ALERT_CLEAR = 2 /* resolves the incident */
};

/* Counters since start. The caller zeroes the struct and sets size. */
typedef struct tocsin_stats {
	uint32_t size;
	uint32_t reserved0;
	uint64_t accepted;   /* events applied so far */
	uint64_t refused;    /* calls refused as malformed */
	uint64_t dropped_p1; /* TOCSIN_E_FULL; and skipped for lack of memory, never a P1 */
	uint64_t dropped_p2;
	uint64_t dropped_p3;
	uint64_t dropped_other;
	uint64_t journaled;     /* entries written to the log */
	uint64_t journal_lost;  /* entries dropped because the log did not take them */
	uint64_t pages_pending; /* waiting for their receiver, parked ones included */
	uint64_t pages_delivered;
	uint64_t pages_parked; /* kept; a person has to repair the endpoint */
	uint64_t pages_dead;   /* in outbox/dead: the receiver refused them twice as malformed */
	uint64_t post_attempts;
	uint64_t post_failures;
} tocsin_stats;

/* What the host says about itself. The struct must outlive destroy. */
typedef struct tocsin_host {
	uint32_t size;
	uint32_t abi;     /* the agreed minor */
	void *data;       /* the host's own; the plugin never uses it */
	const char *name; /* the engine's name and version, NUL-terminated; may be NULL */
	const char *version;
	/*
	 * [any], may be NULL. Receives the plugin's own troubles, one line without a line end.
	 * level: syslog's numbers, 0 emerg .. 7 debug. The plugin calls it from one of its threads
	 * or inside a control call; never inside a hot call (except for the one line in a forked
	 * child), after destroy or while the process exits. It must not call the plugin.
	 */
	void (*log)(const struct tocsin_host *, uint32_t level, const char *text, size_t len);
	/* [control], may be NULL. Returns an optional interface of the host by name, or NULL. */
	const void *(*extension)(const struct tocsin_host *, const char *id);
} tocsin_host;

typedef struct tocsin_instance tocsin_instance;

/* The plugin's table. Every slot of the agreed minor is set. */
typedef struct tocsin_plugin {
	uint32_t size;
	uint32_t abi;            /* the plugin's own minor */
	const char *name;        /* "tocsin" */
	const char *version;     /* of the plugin, such as "1.0.0" */
	const char *config_help; /* every setting with its default and bounds, for people */

	/*
	 * [control] Reads the settings and makes an instance; nothing runs and no file is made yet.
	 * options are settings by name: "config" names a file to read first, the others are
	 * "section.key"; the later one applies. Without options tocsin writes the log and sends no
	 * pages. When err_size > 0, err gets a NUL-terminated line that says what is wrong, where,
	 * and what to do. TOCSIN_E_ARG, TOCSIN_E_CONFIG, TOCSIN_E_NOMEM; on failure ret does not
	 * change.
	 */
	tocsin_rc (*create)(const tocsin_host *, const tocsin_kv *options, size_t n_options,
			    char *err, size_t err_size, tocsin_instance **ret);

	/*
	 * [control] Makes the recorder and starts the threads. TOCSIN_E_STATE when not in the
	 * created state, TOCSIN_E_NOMEM, TOCSIN_E_IO. When a folder cannot be written, the log says
	 * so and the start succeeds.
	 */
	tocsin_rc (*start)(tocsin_instance *);

	/* [hot] Reports a new or changed session. TOCSIN_E_ARG, TOCSIN_E_STATE, TOCSIN_E_FULL. */
	tocsin_rc (*on_session)(tocsin_instance *, const tocsin_session_event *);

	/* [hot] Reports a sign of life or a figure. TOCSIN_E_ARG, TOCSIN_E_STATE, TOCSIN_E_FULL. */
	tocsin_rc (*on_health)(tocsin_instance *, const tocsin_health_event *);

	/*
	 * [hot] Raises or clears an alert. ret_number, unless NULL, gets the raise's number
	 * (increasing, never given twice under this engine name) or 0 for a clear; a refused call
	 * does not write to it. Once the call has returned TOCSIN_OK, the alert survives a SIGKILL
	 * of the process. TOCSIN_E_ARG, TOCSIN_E_STATE, TOCSIN_E_FULL.
	 */
	tocsin_rc (*on_alert)(tocsin_instance *, const tocsin_alert_event *, uint64_t *ret_number);

	/*
	 * [control] TOCSIN_FLUSH_DURABLE: waits until all events accepted before the call are
	 * applied, their log entries are written or counted as lost, and each page due is on disk.
	 * TOCSIN_FLUSH_DELIVERED: waits also until those pages are delivered or dead. timeout in
	 * ns: 0 polls, UINT64_MAX waits for ever. TOCSIN_E_TIMEOUT, TOCSIN_E_ARG for an unknown
	 * level, TOCSIN_E_STATE.
	 */
	tocsin_rc (*flush)(tocsin_instance *, uint32_t level, uint64_t timeout_ns);

	/*
	 * [control] Writes the operators' picture as JSON, without a NUL. It includes all events
	 * accepted before the call. *ret_len gets its length. TOCSIN_E_ARG with *ret_len > size:
	 * the buffer is too small, nothing was written, and *ret_len bytes are enough.
	 * TOCSIN_E_TIMEOUT after a second.
	 */
	tocsin_rc (*snapshot)(tocsin_instance *, char *buf, size_t size, size_t *ret_len);

	/* [any] Fills the counters that fit into size. TOCSIN_E_ARG when size is below 8. */
	tocsin_rc (*stats)(tocsin_instance *, tocsin_stats *);

	/*
	 * [control] Takes no more events, delivers the pages that it can within timeout_ns, keeps
	 * the rest on disk for the next start and ends the threads. TOCSIN_E_TIMEOUT: threads still
	 * live; call again, and do not dlclose. TOCSIN_E_IO: the instance has stopped, but
	 * something that was accepted is not safe: events could not be read because a thread is
	 * still inside a hot call, or pages were in memory alone and no receiver took them in time.
	 * The log and host.log say how many. TOCSIN_OK when already stopped.
	 */
	tocsin_rc (*stop)(tocsin_instance *, uint64_t timeout_ns);

	/*
	 * [control] Frees the instance. It stops an active one first, with five seconds. If the
	 * stop fails, the plugin stays loaded and the instance's memory stays allocated, because
	 * its threads still use them, and the plugin calls no function of the host any more. A call
	 * of host.log that is not finished gets another second to return. NULL is allowed.
	 */
	void (*destroy)(tocsin_instance *);

	/* [control] Returns an optional interface of the plugin, "tocsin.<name>/<n>", or NULL. */
	const void *(*extension)(tocsin_instance *, const char *id);
} tocsin_plugin;

enum { TOCSIN_FLUSH_DURABLE = 1, TOCSIN_FLUSH_DELIVERED = 2 };

#ifdef __cplusplus
}
#endif

#endif

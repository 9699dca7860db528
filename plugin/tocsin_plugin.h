/* SPDX-License-Identifier: MIT */
/*
 * The contract between an engine and the tocsin notifier plugin, major version 1.
 *
 * An engine loads tocsin.so with dlopen(RTLD_NOW | RTLD_LOCAL), looks up TOCSIN_PLUGIN_ENTRY,
 * agrees on a minor version, creates an instance and tells it of sessions, health and alerts. The
 * plugin never pauses, stops or configures the engine.
 *
 *	tocsin_negotiation n = { sizeof n, 0, TOCSIN_ABI_MINOR, 0, NULL };
 *	void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
 *	tocsin_plugin_entry *entry = (tocsin_plugin_entry *)dlsym(so, TOCSIN_PLUGIN_ENTRY);
 *	if (entry && entry(&n) == TOCSIN_OK) ... n.plugin->create(...) ...
 *
 * States: created -> start -> active -> stop -> stopped -> destroy. The on_ calls and flush need
 * the active state; snapshot, stats and extension work at any time before destroy. A call in the
 * wrong state returns TOCSIN_E_STATE. In a forked child every call but destroy returns
 * TOCSIN_E_STATE, and destroy does nothing. At the first such call of a process the child's copy of
 * host.log is called with one line that says so.
 *
 * Threads: above each slot stands who may call it.
 *
 *	[hot]     any number of threads at once; never blocks, allocates, locks or enters the
 *	          kernel; takes at most 8 kB of the thread's stack
 *	[control] the host serialises these; they may block, allocate and enter the kernel; a
 *	          thread is not cancelled inside one
 *	[any]     any thread at any time; does not block
 *
 * All hot calls must have returned before stop begins. The plugin's own threads block every signal
 * but SIGSEGV, SIGBUS, SIGFPE and SIGILL, so that the host's handlers of faults run there too.
 *
 * The library: from start to destroy the plugin holds a reference on itself, and gives it back as
 * destroy's last act. A host that calls dlclose early does not crash.
 *
 * Exit: a process may exit at any time without stop. While its exit handlers run, the plugin sends
 * no page and calls no function of the host's; exit waits 100 ms at most for a thread of the
 * plugin's that is doing so. What is raised then is sent at the next start. stop and destroy work
 * in an exit handler; flush(TOCSIN_FLUSH_DELIVERED) returns TOCSIN_E_TIMEOUT there.
 *
 * Ownership: everything the host passes lives for that call alone, and the plugin copies what it
 * keeps; neither side frees the other's memory. The host struct must outlive destroy.
 *
 * Growth: structs and tables grow at the end only, and both sides state the size they know. A
 * reader checks size against the end of the member it wants. tocsin_str, tocsin_kv, tocsin_event
 * and the elements of arrays never change. Numbers of enumerators are never given again.
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

/* Bytes kept of session_id, source, instance and status each; more is cut and marked. */
#define TOCSIN_ID_MAX 255u
/* Bytes of an alert code: [A-Z][A-Z0-9_]*. Any other code becomes GENERAL, the raw one is kept. */
#define TOCSIN_CODE_MAX 64u
/* Bytes kept of message and key-values together; the rest is cut and marked. */
#define TOCSIN_TEXT_MAX 3072u

/* What a call returns: TOCSIN_OK or one of the negative numbers. */
typedef int32_t tocsin_rc;

enum {
	TOCSIN_OK = 0,
	TOCSIN_E_ARG = -1,         /* the arguments cannot be read; counted in stats.refused */
	TOCSIN_E_ABI = -2,         /* no minor version in common */
	TOCSIN_E_STATE = -3,       /* not in this state, or in a forked child */
	TOCSIN_E_FULL = -4,        /* the recorder is full for this class of event; counted */
	TOCSIN_E_UNSUPPORTED = -5, /* this plugin does not do that */
	TOCSIN_E_TIMEOUT = -6,     /* not done within the time given; may be called again */
	TOCSIN_E_NOMEM = -7,       /* no memory */
	TOCSIN_E_CONFIG = -8,      /* a setting is wrong; create's err tells which and where */
	TOCSIN_E_IO = -9           /* the system refused; the log tells what */
};

/*
 * The handshake. The host fills size, abi_min and abi_max; the plugin fills abi with the minor
 * version both will speak and plugin with its table, valid until dlclose.
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

/* Text: len bytes at ptr, no NUL needed, UTF-8 by preference. {NULL, 0} is absent. */
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
	uint64_t wall_ns; /* CLOCK_REALTIME in ns, a label; 0 = now, as is 2^63 and more */
} tocsin_event;

typedef struct tocsin_session_event {
	tocsin_event head;
	tocsin_str session_id; /* not empty */
	tocsin_str status;     /* any word; started, running, completed, failed have meanings */
	const tocsin_kv *kv;   /* n_kv items of metadata */
	size_t n_kv;
} tocsin_session_event;

enum {
	TOCSIN_SESSION_CREATED = 1, /* a session begins, with the status given, else started */
	TOCSIN_SESSION_STATUS = 2   /* its status changes */
};

typedef struct tocsin_health_event {
	tocsin_event head;
	tocsin_str source;     /* the feed or the check it is about, such as okx:ETH-USD */
	tocsin_str session_id; /* may be absent */
	double value; /* drift: a fraction, 0.12 = 12 %, either sign; risk: larger is worse */
	double limit; /* risk: breached when not value <= limit; drift: NaN = no value was given */
	const tocsin_kv *kv;
	size_t n_kv;
} tocsin_health_event;

enum {
	TOCSIN_HEALTH_START = 1,           /* system uptime counts from here */
	TOCSIN_HEALTH_HEARTBEAT = 2,       /* the engine's main loop turns */
	TOCSIN_HEALTH_FEED_UP = 3,         /* the feed named by source is connected */
	TOCSIN_HEALTH_FEED_DOWN = 4,       /* it is not */
	TOCSIN_HEALTH_FEED_RECONNECT = 5,  /* it is again; its uptime starts anew */
	TOCSIN_HEALTH_FEED_PULSE = 6,      /* data came */
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
	tocsin_str instance;   /* tells two incidents of one code in one session apart */
	const tocsin_kv *kv;
	size_t n_kv;
} tocsin_alert_event;

enum {
	TOCSIN_ALERT_RAISE =
		1, /* opens the incident (code, session_id, instance), or counts it up */
	TOCSIN_ALERT_CLEAR = 2 /* resolves it */
};

/* Counters since start. The caller zeroes the struct and sets size. */
typedef struct tocsin_stats {
	uint32_t size;
	uint32_t reserved0;
	uint64_t accepted;   /* events applied so far */
	uint64_t refused;    /* calls refused as malformed */
	uint64_t dropped_p1; /* TOCSIN_E_FULL, by class; and what found no memory: never a P1 */
	uint64_t dropped_p2;
	uint64_t dropped_p3;
	uint64_t dropped_other;
	uint64_t journaled;     /* entries written to the log */
	uint64_t journal_lost;  /* entries shed because the log did not take them */
	uint64_t pages_pending; /* waiting for their receiver, parked ones included */
	uint64_t pages_delivered;
	uint64_t pages_parked; /* kept, refused for a reason only a person can mend */
	uint64_t pages_dead;   /* set aside: the receiver called them malformed twice */
	uint64_t post_attempts;
	uint64_t post_failures;
} tocsin_stats;

/* What the host tells of itself. It must outlive destroy. */
typedef struct tocsin_host {
	uint32_t size;
	uint32_t abi;     /* the agreed minor */
	void *data;       /* the host's own, never looked at */
	const char *name; /* the engine's name and version, NUL-terminated; may be NULL */
	const char *version;
	/*
	 * [any], may be NULL. The plugin's own troubles, one line without a line end. level:
	 * syslog's numbers, 0 emerg .. 7 debug. Called from a thread of the plugin's or inside a
	 * control call, never inside a hot one (but for the one line in a forked child), never
	 * after destroy and never once the process exits. It must not call the plugin.
	 */
	void (*log)(const struct tocsin_host *, uint32_t level, const char *text, size_t len);
	/* [control], may be NULL. An optional interface of the host's by name, or NULL. */
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
	 * options are settings by name ("config" = a file to read first, then "section.key"), the
	 * later one winning; none at all works: log only, no pages. err, when err_size > 0, gets a
	 * NUL-terminated line that tells what is wrong, where, and what to do. TOCSIN_E_ARG,
	 * TOCSIN_E_CONFIG, TOCSIN_E_NOMEM; on failure ret is untouched.
	 */
	tocsin_rc (*create)(const tocsin_host *, const tocsin_kv *options, size_t n_options,
			    char *err, size_t err_size, tocsin_instance **ret);

	/*
	 * [control] Makes the recorder, starts the threads. TOCSIN_E_STATE when not in the created
	 * state, TOCSIN_E_NOMEM, TOCSIN_E_IO. A folder that cannot be written is told in the log
	 * and does not fail the start.
	 */
	tocsin_rc (*start)(tocsin_instance *);

	/* [hot] A session begins or changes. TOCSIN_E_ARG, TOCSIN_E_STATE, TOCSIN_E_FULL. */
	tocsin_rc (*on_session)(tocsin_instance *, const tocsin_session_event *);

	/* [hot] A sign of life or a figure. TOCSIN_E_ARG, TOCSIN_E_STATE, TOCSIN_E_FULL. */
	tocsin_rc (*on_health)(tocsin_instance *, const tocsin_health_event *);

	/*
	 * [hot] An alert is raised or cleared. ret_number, unless NULL, gets the raise's number
	 * (increasing, never given twice under this engine name) or 0 for a clear; a refused call
	 * leaves it alone. Once it has returned TOCSIN_OK the alert survives a SIGKILL of the
	 * process. TOCSIN_E_ARG, TOCSIN_E_STATE, TOCSIN_E_FULL.
	 */
	tocsin_rc (*on_alert)(tocsin_instance *, const tocsin_alert_event *, uint64_t *ret_number);

	/*
	 * [control] Waits until everything accepted before the call is applied, written to the log
	 * or counted as lost, and each page due is on disk (TOCSIN_FLUSH_DURABLE), and then also
	 * delivered or dead (TOCSIN_FLUSH_DELIVERED). timeout in ns: 0 polls, UINT64_MAX waits for
	 * ever. TOCSIN_E_TIMEOUT, TOCSIN_E_ARG for an unknown level, TOCSIN_E_STATE.
	 */
	tocsin_rc (*flush)(tocsin_instance *, uint32_t level, uint64_t timeout_ns);

	/*
	 * [control] Writes the operators' picture as JSON, without a NUL, showing everything
	 * accepted before the call; *ret_len gets its length. TOCSIN_E_ARG with *ret_len > size:
	 * too small, nothing was written, and *ret_len bytes will do. TOCSIN_E_TIMEOUT after a
	 * second.
	 */
	tocsin_rc (*snapshot)(tocsin_instance *, char *buf, size_t size, size_t *ret_len);

	/* [any] Fills what fits of the counters. TOCSIN_E_ARG when size is below 8. */
	tocsin_rc (*stats)(tocsin_instance *, tocsin_stats *);

	/*
	 * [control] Takes no more events, delivers what it can within timeout_ns, keeps the rest on
	 * disk for the next start and ends the threads. TOCSIN_E_TIMEOUT: threads still live, call
	 * again, do not dlclose. TOCSIN_E_IO: it has stopped, but not everything that was accepted
	 * is safe: events could not be read because a thread is still inside a hot call, or pages
	 * were in memory alone and no receiver took them in time; the log and host.log say how
	 * many. TOCSIN_OK when already stopped.
	 */
	tocsin_rc (*stop)(tocsin_instance *, uint64_t timeout_ns);

	/*
	 * [control] Frees the instance. While active it stops first, with five seconds. If that
	 * fails it keeps the plugin loaded and the instance's memory, which its threads still use,
	 * and calls no function of the host's any more. A call of host.log that is under way gets
	 * another second to return. NULL is fine.
	 */
	void (*destroy)(tocsin_instance *);

	/* [control] An optional interface of the plugin's, "tocsin.<name>/<n>", or NULL. */
	const void *(*extension)(tocsin_instance *, const char *id);
} tocsin_plugin;

enum { TOCSIN_FLUSH_DURABLE = 1, TOCSIN_FLUSH_DELIVERED = 2 };

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What minor version 1.0 promised for ever: where each member stands, how wide it is, what each
 * number means. Included after a tocsin_plugin.h of this minor or a later one, in any C since C99
 * and any C++ since C++98; it does not compile where a promise is broken. Lengths are given as
 * bytes and pointers: all of it stands without padding, so bytes + pointers * sizeof(void *) holds
 * with 32 bits as with 64.
 */
#ifndef TOCSIN_LAYOUT_1_0_H
#define TOCSIN_LAYOUT_1_0_H

#define LAYOUT_PASTE_(a, b) a##b
#define LAYOUT_PASTE(a, b) LAYOUT_PASTE_(a, b)
#define HOLDS(what) typedef char LAYOUT_PASTE(holds_1_0_line_, __LINE__)[(what) ? 1 : -1]
#define LENGTH(bytes, pointers) ((bytes) + (pointers) * sizeof(void *))
#define WIDTH(type, member) sizeof(((type *)0)->member)

/* Type, member, where it begins, how wide it is. */
#define MEMBER(type, member, bytes, pointers, wide, wide_pointers)                                 \
	HOLDS(offsetof(type, member) == LENGTH(bytes, pointers) &&                                 \
	      WIDTH(type, member) == LENGTH(wide, wide_pointers))
/* A type that never grows; one that grows at its end, and did not before the next minor. */
#define FROZEN(type, bytes, pointers) HOLDS(sizeof(type) == LENGTH(bytes, pointers))
#define GROWING(type, bytes, pointers)                                                             \
	HOLDS(TOCSIN_ABI_MINOR == 0u ? sizeof(type) == LENGTH(bytes, pointers)                     \
				     : sizeof(type) >= LENGTH(bytes, pointers))
#define VALUE(name, value) HOLDS((name) == (value))

/* tocsin_negotiation */
MEMBER(tocsin_negotiation, size, 0, 0, 4, 0);
MEMBER(tocsin_negotiation, abi_min, 4, 0, 4, 0);
MEMBER(tocsin_negotiation, abi_max, 8, 0, 4, 0);
MEMBER(tocsin_negotiation, abi, 12, 0, 4, 0);
MEMBER(tocsin_negotiation, plugin, 16, 0, 0, 1);
GROWING(tocsin_negotiation, 16, 1);

/* tocsin_str */
MEMBER(tocsin_str, ptr, 0, 0, 0, 1);
MEMBER(tocsin_str, len, 0, 1, 0, 1);
FROZEN(tocsin_str, 0, 2);

/* tocsin_kv */
MEMBER(tocsin_kv, key, 0, 0, 0, 2);
MEMBER(tocsin_kv, value, 0, 2, 0, 2);
FROZEN(tocsin_kv, 0, 4);

/* tocsin_event */
MEMBER(tocsin_event, size, 0, 0, 4, 0);
MEMBER(tocsin_event, kind, 4, 0, 4, 0);
MEMBER(tocsin_event, wall_ns, 8, 0, 8, 0);
FROZEN(tocsin_event, 16, 0);

/* tocsin_session_event */
MEMBER(tocsin_session_event, head, 0, 0, 16, 0);
MEMBER(tocsin_session_event, session_id, 16, 0, 0, 2);
MEMBER(tocsin_session_event, status, 16, 2, 0, 2);
MEMBER(tocsin_session_event, kv, 16, 4, 0, 1);
MEMBER(tocsin_session_event, n_kv, 16, 5, 0, 1);
GROWING(tocsin_session_event, 16, 6);

/* tocsin_health_event */
MEMBER(tocsin_health_event, head, 0, 0, 16, 0);
MEMBER(tocsin_health_event, source, 16, 0, 0, 2);
MEMBER(tocsin_health_event, session_id, 16, 2, 0, 2);
MEMBER(tocsin_health_event, value, 16, 4, 8, 0);
MEMBER(tocsin_health_event, limit, 24, 4, 8, 0);
MEMBER(tocsin_health_event, kv, 32, 4, 0, 1);
MEMBER(tocsin_health_event, n_kv, 32, 5, 0, 1);
GROWING(tocsin_health_event, 32, 6);

/* tocsin_alert_event */
MEMBER(tocsin_alert_event, head, 0, 0, 16, 0);
MEMBER(tocsin_alert_event, priority, 16, 0, 4, 0);
MEMBER(tocsin_alert_event, reserved0, 20, 0, 4, 0);
MEMBER(tocsin_alert_event, code, 24, 0, 0, 2);
MEMBER(tocsin_alert_event, message, 24, 2, 0, 2);
MEMBER(tocsin_alert_event, session_id, 24, 4, 0, 2);
MEMBER(tocsin_alert_event, instance, 24, 6, 0, 2);
MEMBER(tocsin_alert_event, kv, 24, 8, 0, 1);
MEMBER(tocsin_alert_event, n_kv, 24, 9, 0, 1);
GROWING(tocsin_alert_event, 24, 10);

/* tocsin_stats */
MEMBER(tocsin_stats, size, 0, 0, 4, 0);
MEMBER(tocsin_stats, reserved0, 4, 0, 4, 0);
MEMBER(tocsin_stats, accepted, 8, 0, 8, 0);
MEMBER(tocsin_stats, refused, 16, 0, 8, 0);
MEMBER(tocsin_stats, dropped_p1, 24, 0, 8, 0);
MEMBER(tocsin_stats, dropped_p2, 32, 0, 8, 0);
MEMBER(tocsin_stats, dropped_p3, 40, 0, 8, 0);
MEMBER(tocsin_stats, dropped_other, 48, 0, 8, 0);
MEMBER(tocsin_stats, journaled, 56, 0, 8, 0);
MEMBER(tocsin_stats, journal_lost, 64, 0, 8, 0);
MEMBER(tocsin_stats, pages_pending, 72, 0, 8, 0);
MEMBER(tocsin_stats, pages_delivered, 80, 0, 8, 0);
MEMBER(tocsin_stats, pages_parked, 88, 0, 8, 0);
MEMBER(tocsin_stats, pages_dead, 96, 0, 8, 0);
MEMBER(tocsin_stats, post_attempts, 104, 0, 8, 0);
MEMBER(tocsin_stats, post_failures, 112, 0, 8, 0);
GROWING(tocsin_stats, 120, 0);

/* tocsin_host */
MEMBER(tocsin_host, size, 0, 0, 4, 0);
MEMBER(tocsin_host, abi, 4, 0, 4, 0);
MEMBER(tocsin_host, data, 8, 0, 0, 1);
MEMBER(tocsin_host, name, 8, 1, 0, 1);
MEMBER(tocsin_host, version, 8, 2, 0, 1);
MEMBER(tocsin_host, log, 8, 3, 0, 1);
MEMBER(tocsin_host, extension, 8, 4, 0, 1);
GROWING(tocsin_host, 8, 5);

/* tocsin_plugin */
MEMBER(tocsin_plugin, size, 0, 0, 4, 0);
MEMBER(tocsin_plugin, abi, 4, 0, 4, 0);
MEMBER(tocsin_plugin, name, 8, 0, 0, 1);
MEMBER(tocsin_plugin, version, 8, 1, 0, 1);
MEMBER(tocsin_plugin, config_help, 8, 2, 0, 1);
MEMBER(tocsin_plugin, create, 8, 3, 0, 1);
MEMBER(tocsin_plugin, start, 8, 4, 0, 1);
MEMBER(tocsin_plugin, on_session, 8, 5, 0, 1);
MEMBER(tocsin_plugin, on_health, 8, 6, 0, 1);
MEMBER(tocsin_plugin, on_alert, 8, 7, 0, 1);
MEMBER(tocsin_plugin, flush, 8, 8, 0, 1);
MEMBER(tocsin_plugin, snapshot, 8, 9, 0, 1);
MEMBER(tocsin_plugin, stats, 8, 10, 0, 1);
MEMBER(tocsin_plugin, stop, 8, 11, 0, 1);
MEMBER(tocsin_plugin, destroy, 8, 12, 0, 1);
MEMBER(tocsin_plugin, extension, 8, 13, 0, 1);
GROWING(tocsin_plugin, 8, 14);

VALUE(TOCSIN_OK, 0);
VALUE(TOCSIN_E_ARG, -1);
VALUE(TOCSIN_E_ABI, -2);
VALUE(TOCSIN_E_STATE, -3);
VALUE(TOCSIN_E_FULL, -4);
VALUE(TOCSIN_E_UNSUPPORTED, -5);
VALUE(TOCSIN_E_TIMEOUT, -6);
VALUE(TOCSIN_E_NOMEM, -7);
VALUE(TOCSIN_E_CONFIG, -8);
VALUE(TOCSIN_E_IO, -9);

VALUE(TOCSIN_SESSION_CREATED, 1);
VALUE(TOCSIN_SESSION_STATUS, 2);

VALUE(TOCSIN_HEALTH_START, 1);
VALUE(TOCSIN_HEALTH_HEARTBEAT, 2);
VALUE(TOCSIN_HEALTH_FEED_UP, 3);
VALUE(TOCSIN_HEALTH_FEED_DOWN, 4);
VALUE(TOCSIN_HEALTH_FEED_RECONNECT, 5);
VALUE(TOCSIN_HEALTH_FEED_PULSE, 6);
VALUE(TOCSIN_HEALTH_DRIFT, 7);
VALUE(TOCSIN_HEALTH_RISK, 8);
VALUE(TOCSIN_HEALTH_EXECUTION_ERROR, 9);
VALUE(TOCSIN_HEALTH_METADATA, 10);

VALUE(TOCSIN_ALERT_RAISE, 1);
VALUE(TOCSIN_ALERT_CLEAR, 2);

VALUE(TOCSIN_FLUSH_DURABLE, 1);
VALUE(TOCSIN_FLUSH_DELIVERED, 2);

VALUE(sizeof(tocsin_rc), 4u);
VALUE((tocsin_rc)-1 < 0, 1);
VALUE(sizeof(TOCSIN_PLUGIN_ENTRY), sizeof("tocsin_plugin_v1"));
VALUE(TOCSIN_ID_MAX, 255u);
VALUE(TOCSIN_CODE_MAX, 64u);
VALUE(TOCSIN_TEXT_MAX, 3072u);

#undef LAYOUT_PASTE_
#undef LAYOUT_PASTE
#undef HOLDS
#undef LENGTH
#undef WIDTH
#undef MEMBER
#undef FROZEN
#undef GROWING
#undef VALUE

#endif

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "bench_subjects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/text.h"
#include "bench-call-others.h"

static const tocsin_plugin *plugin;
static tocsin_instance *instance;
#ifdef HAVE_LTTNG_UST
static bool lttng_there;
#endif

struct payload {
	char text[LARGE];
	char small_text[SMALL];
};

static struct payload payload;

/* --- Ours: each event stands ready, so that the call alone is timed, and not how a compiler fills
 * a struct. --- */

static int call_pulse(void)
{
	static const tocsin_health_event e = { .head = { sizeof e, TOCSIN_HEALTH_FEED_PULSE, 0 },
					       .source = STR("okx:ETH-USD") };

	return plugin->on_health(instance, &e);
}

static const tocsin_kv meta_small = { STR("meta"), { payload.small_text, SMALL } };
static const tocsin_kv meta_large = { STR("meta"), { payload.text, LARGE } };

#define DRIFT(meta)                                                                                \
	{                                                                                          \
		.head = { sizeof(tocsin_health_event), TOCSIN_HEALTH_DRIFT, 0 },                   \
		.source = STR("ma_cross"), .session_id = STR("shadow_001"), .value = 0.01,         \
		.limit = 0.1, .kv = &(meta), .n_kv = 1                                             \
	}

static int call_drift_small(void)
{
	static const tocsin_health_event e = DRIFT(meta_small);

	return plugin->on_health(instance, &e);
}

static int call_drift_large(void)
{
	static const tocsin_health_event e = DRIFT(meta_large);

	return plugin->on_health(instance, &e);
}

#define SESSION(meta)                                                                              \
	{                                                                                          \
		.head = { sizeof(tocsin_session_event), TOCSIN_SESSION_STATUS, 0 },                \
		.session_id = STR("shadow_001"), .status = STR("running"), .kv = &(meta),          \
		.n_kv = 1                                                                          \
	}

static int call_session_small(void)
{
	static const tocsin_session_event e = SESSION(meta_small);

	return plugin->on_session(instance, &e);
}

static int call_session_large(void)
{
	static const tocsin_session_event e = SESSION(meta_large);

	return plugin->on_session(instance, &e);
}

#define ALERT(text, len)                                                                           \
	{                                                                                          \
		.head = { sizeof(tocsin_alert_event), TOCSIN_ALERT_RAISE, 0 }, .priority = 1,      \
		.code = STR("DATA_FEED_DOWN"), .session_id = STR("shadow_001"), .message = {       \
			text,                                                                      \
			len                                                                        \
		}                                                                                  \
	}

static int call_alert_small(void)
{
	static const tocsin_alert_event e = ALERT(payload.small_text, SMALL);
	uint64_t number;

	return plugin->on_alert(instance, &e, &number);
}

static int call_alert_large(void)
{
	static const tocsin_alert_event e = ALERT(payload.text, LARGE);
	uint64_t number;

	return plugin->on_alert(instance, &e, &number);
}

/* --- What an engine could call instead --- */

static int call_journal(void)
{
	struct iovec fields[] = {
		{ payload.small_text, SMALL },
		{ (char *)(uintptr_t) "PRIORITY=2", 10 },
		{ (char *)(uintptr_t) "SYSLOG_IDENTIFIER=bench", 23 },
	};

	return sd_journal_sendv(fields, 3);
}

static int call_syslog(void)
{
	syslog(LOG_CRIT, "%.*s", SMALL, payload.small_text);
	return 0;
}

#ifdef HAVE_SPDLOG
static int call_spdlog(void)
{
	spdlog_call(payload.small_text, SMALL);
	return 0;
}
#endif

#ifdef HAVE_LTTNG_UST
static int call_lttng(void)
{
	lttng_call(payload.small_text, SMALL);
	return 0;
}
#endif

static bool is_there(const char *socket)
{
	struct stat st;

	return !socket || (stat(socket, &st) == 0 && S_ISSOCK(st.st_mode));
}

#define HEAD 48
static const struct subject subjects[] = {
	{ "on_health, a pulse", call_pulse, HEAD + 11, NULL, 1.5, false, false },
	{ "on_health, drift, 120 bytes", call_drift_small, HEAD + 18 + 8 + SMALL, NULL, 1.5, false,
	  false },
	{ "on_session, 120 bytes", call_session_small, HEAD + 17 + 8 + SMALL, NULL, 1.5, false,
	  false },
	{ "on_alert, 120 bytes", call_alert_small, HEAD + 24 + SMALL, NULL, 1.5, false, true },
	{ "on_health, drift, 3 kB", call_drift_large, HEAD + 18 + 8 + LARGE, NULL, 2.5, false,
	  false },
	{ "on_session, 3 kB", call_session_large, HEAD + 17 + 8 + LARGE, NULL, 2.5, false, false },
	{ "on_alert, 3 kB", call_alert_large, HEAD + 24 + LARGE, NULL, 2.5, false, false },
	{ "sd_journal_sendv, 120 bytes", call_journal, 0, "/run/systemd/journal/socket", 0, true,
	  false },
	{ "syslog(3), 120 bytes", call_syslog, 0, "/dev/log", 0, true, false },
#ifdef HAVE_SPDLOG
	{ "spdlog, asynchronous, 120 bytes", call_spdlog, 0, NULL, 0, true, false },
#endif
#ifdef HAVE_LTTNG_UST
	{ "LTTng-UST, --shm-path, 120 bytes", call_lttng, 0, NULL, 0, false, false },
#endif
};

static bool can_be_measured(const struct subject *s)
{
#ifdef HAVE_LTTNG_UST
	if (s->call == call_lttng && !lttng_there)
		return false;
#endif
	return is_there(s->unless);
}

const struct subject *subjects_next(size_t *at)
{
	while (*at < sizeof subjects / sizeof *subjects) {
		const struct subject *s = &subjects[(*at)++];

		if (can_be_measured(s))
			return s;
	}
	return NULL;
}

static void others_open(const char *folder)
{
	(void)folder;
#ifdef HAVE_SPDLOG
	if (!spdlog_open(folder))
		exit(1);
#else
	printf("spdlog: no row, it was not there when this was built (Debian's libspdlog-dev)\n");
#endif
#ifdef HAVE_LTTNG_UST
	const char *reason = getenv("BENCH_LTTNG_REASON");

	if (reason && !*reason)
		lttng_there = lttng_is_enabled();
	if (!lttng_there)
		printf("LTTng-UST: no row, %s\n",
		       !reason   ? "run it by bench-lttng"
		       : *reason ? reason
				 : "no session has enabled the tracepoint");
#else
	printf("LTTng-UST: no row, it was not there when this was built "
	       "(Debian's liblttng-ust-dev)\n");
#endif
}

void subjects_close(void)
{
#ifdef HAVE_SPDLOG
	spdlog_close();
#endif
}

void subjects_open(const tocsin_plugin *p, tocsin_instance *i, const char *folder)
{
	tocsin_session_event created = { .head = { sizeof created, TOCSIN_SESSION_CREATED, 0 },
					 .session_id = STR("shadow_001") };

	plugin = p;
	instance = i;
	memset(&payload, 'x', sizeof payload);
	memcpy(payload.small_text, "MESSAGE=", 8);
	plugin->on_session(instance, &created);
	others_open(folder);
}

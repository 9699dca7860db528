/* SPDX-License-Identifier: MIT */
/*
 * The settings: one table of section, key, type, default, bounds and help parses, checks and
 * documents them all. They come from INI files and from options "section.key"; a later one wins.
 * What is wrong is refused with its place and the nearest right name.
 */
#ifndef TOCSIN_SETTINGS_SETTINGS_H
#define TOCSIN_SETTINGS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "codes/contacts.h"
#include "settings/thresholds.h"
#include "tocsin_plugin.h"

#define SETTINGS_ENDPOINTS_MAX 32 /* those with a url; each has a bit in the picture */
#define SETTINGS_TRUSTED_MAX 64
#define SETTINGS_FILE_DEFAULT "tocsin.conf" /* in ${sysconfdir}/tocsin, then tocsin.conf.d */

enum log_target { LOG_TARGET_AUTO, LOG_TARGET_JOURNAL, LOG_TARGET_SYSLOG, LOG_TARGET_STDERR };
enum clock_source { CLOCK_SOURCE_SYSTEM, CLOCK_SOURCE_EVENT };

/* One receiver of pages: [webhook] or [webhook.NAME]. Strings are owned; NULL = not given. */
struct settings_endpoint {
	char *name; /* "webhook", or NAME */
	char *url;
	char *format;                /* "generic" */
	char *secret_file;           /* this and the next: absolute, once checked */
	char *token_file;            /* sent as "Authorization: Bearer TOKEN" */
	char *ca_file;               /* instead of the system's authorities */
	char *cert_file, *key_file;  /* our own certificate; the key may be in cert_file */
	bool backup;                 /* gets what no other has taken for failover_after */
	uint64_t connect_timeout_ns; /* default 5 s */
	uint64_t timeout_ns;         /* of the whole request, default 15 s */
	bool allow_insecure;         /* http:// to other hosts than loopback */
	uint32_t priorities;         /* bit 1 << (p - 1); default P1 */
	char *proxy, *no_proxy;      /* the environment's, as libcurl reads them */
};

/* What is taken from the environment, once, in settings_load: other threads of ours must not look
 * while the host may change it. Strings are owned; NULL = not set. */
struct settings_environment {
	char *home, *runtime_dir, *state_home;
};

struct settings {
	char *engine_name; /* NULL: settings_load has found one: see below; never NULL then */
	char *engine_cpus;
	bool engine_replay; /* what is logged carries TOCSIN_REPLAY=1 */
	char *runtime_dir;  /* NULL = default search */
	char *state_dir;
	uint64_t recorder_size; /* bytes */
	enum log_target log_target;
	bool log_health;
	uid_t trusted_uids[SETTINGS_TRUSTED_MAX]; /* for the tool: see tool/trust.h */
	unsigned n_trusted_uids;
	uint64_t log_alive_every_ns; /* 0: never */
	/* While they are read, [webhook] has a place too, though it may get no url. */
	struct settings_endpoint endpoints[SETTINGS_ENDPOINTS_MAX + 1];
	unsigned n_endpoints; /* those with a url */
	bool has_page_after;
	uint64_t page_after_ns;
	uint64_t repeat_interval_ns;
	uint64_t rise_again_after_ns;
	uint64_t event_expires_ns;
	uint64_t max_pages_per_minute; /* 0: no limit */
	uint64_t failover_after_ns;
	uint64_t park_retry_ns; /* also how long an endpoint may fail before PAGER_DEGRADED */
	uint64_t heartbeat_timeout_ns;
	struct thresholds thresholds;
	/* [source.NAME]: whole, what was not given for it is everybody's. Names are owned. */
	struct source_thresholds sources[SOURCE_THRESHOLDS_MAX];
	unsigned n_sources;
	char *runbooks_base_url; /* never NULL: file:// of the installed ones */
	char *runbooks_dir;      /* the site's own; NULL = none */
	struct contacts contacts;
	enum clock_source clock_source;
	struct settings_environment environment;
	/* The options as they were given, copied, for settings_kept.h. */
	tocsin_kv *given;
	size_t n_given;
};

struct text_buffer;
/*
 * Looks into the files that an endpoint names: can they be used? Who loads the settings brings it,
 * since the settings know nothing of how pages are sent; NULL looks at none. -errno: *ret_key names
 * the setting, and `why` gets the reason, without the content; -ENOMEM.
 */
typedef int settings_files_check(const struct settings_endpoint *e, const char **ret_key,
				 struct text_buffer *why);

/*
 * Reads the option `config` first (a file; absent, the default file and folder when they exist),
 * then the other options in order, then checks the whole: URLs and their schemes, secrets that must
 * be readable. On failure err gets one line with file, line and setting: -EINVAL, -ENOMEM or the
 * error of reading a file. The engine's name defaults to the systemd unit's, else the program's.
 */
int settings_load(settings_files_check *check_files, const tocsin_kv *options, size_t n_options,
		  char *err, size_t err_size, struct settings **ret);
/* The same without a look at the endpoints, whose secrets not everybody may read: for what is no
 * business of theirs. n_endpoints is 0. */
int settings_read(const tocsin_kv *options, size_t n_options, char *err, size_t err_size,
		  struct settings **ret);
/*
 * Likewise for whoever wants to know all: tells each file that was read, all that is wrong, and
 * each credential of a unit that can be known only inside that unit (which is then left out), one
 * line each. Any of the three may be NULL.
 */
struct settings_listener {
	void (*file)(void *userdata, const char *path);
	void (*wrong)(void *userdata, const char *line);
	void (*unknown)(void *userdata, const char *line);
	void *userdata;
};
int settings_load_told(settings_files_check *check_files, const tocsin_kv *options,
		       size_t n_options, const struct settings_listener *listener,
		       struct settings **ret);
void settings_free(struct settings *s);

/* Every setting with default, bounds and help, as text for people. */
extern const char settings_help[];

/* The table's rows, for tests and documents: "section.key", its default and its help. */
struct settings_row {
	const char *name, *fallback, *help;
};
size_t settings_rows(const struct settings_row **ret);

#endif

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/log_check.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "journal/journal_target.h"
#include "journal/syslog_target.h"
#include "tool/journal_files.h"
#include "tool/journald_conf.h"
#include "tool/tool.h"

#define DEV_LOG "/dev/log"
#define READ_WAIT_NS (2 * NS_PER_S)
#define READ_STEP_NS (10 * (long)NS_PER_MS)
/* What journald takes of one service in 30 s when it is configured by nobody. */
#define RATE_USUAL_US (30 * UINT64_C(1000000))
#define RATE_USUAL_BURST 10000u

/* --- Who listens, and reads --- */

/*
 * Whoever holds the socket, systemd for a journald that it has stopped, accepts what is sent. So an
 * empty datagram is sent, which is no entry, and the kernel asked whether the reader has it. 0: it
 * has; -ETIMEDOUT: it has not; another error: it is not known.
 */
static int await_reader(int fd)
{
	const struct timespec pause = { .tv_nsec = READ_STEP_NS };
	uint64_t end_ns = clock_monotonic_ns() + READ_WAIT_NS;
	bool sent = false;
	int unread = 0;

	do {
		if (!sent && send(fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL) == 0)
			sent = true;
		else if (!sent && errno != EAGAIN && errno != ENOBUFS)
			return -errno;
		if (sent && ioctl(fd, SIOCOUTQ, &unread) < 0)
			return -errno;
		if (sent && unread == 0)
			return 0;
		nanosleep(&pause, NULL);
	} while (clock_monotonic_ns() < end_ns);
	return -ETIMEDOUT;
}

/* What is known of a socket: errors as -errno. */
struct listener {
	int connected; /* 0: somebody holds it */
	int read;      /* 0: what is sent is read; as await_reader */
};

static struct listener try_journal(const char *path)
{
	struct journal_socket s;
	struct listener l = { .read = -ENOTCONN };

	l.connected = journal_socket_init(&s, path);
	if (l.connected == 0)
		l.connected = journal_socket_connect(&s);
	if (l.connected == 0)
		l.read = await_reader(s.fd);
	journal_socket_done(&s);
	return l;
}

static struct listener try_syslog(void)
{
	struct syslog_socket s;
	struct listener l = { .read = -ENOTCONN };

	l.connected = syslog_socket_init(&s, NULL);
	if (l.connected == 0)
		l.connected = syslog_socket_connect(&s);
	/* A stream's connections that nobody accepts fill its backlog; before that nothing tells.
	 */
	if (l.connected == -EBUSY)
		l = (struct listener){ 0, -ETIMEDOUT };
	if (l.connected == 0 && s.fd >= 0 && !s.is_stream)
		l.read = await_reader(s.fd);
	syslog_socket_done(&s);
	return l;
}

/* Does the error say that nobody listens there? */
static bool is_absence(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ECONNREFUSED;
}

/* Any other error says nothing about who listens, least of all our own want of something. */
static bool tell_unknown(struct findings *f, int error, const char *path)
{
	struct rlimit limit = { 0 };
	char why[128] = "";

	if (error == 0 || is_absence(error))
		return false;
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	if (error == -EMFILE)
		snprintf(why, sizeof(why),
			 ": this process may open %llu files, and has; raise RLIMIT_NOFILE (ulimit "
			 "-n), for the engine too",
			 (unsigned long long)limit.rlim_cur);
	else if (error == -ENFILE)
		snprintf(why, sizeof(why), ": the machine is at its limit of open files");
	findings_tell(f, VERDICT_FAILED, "log", "whether anybody listens on %s is not known (%s)%s",
		      path, strerror(-error), why);
	return true;
}

static bool tell_unread(struct findings *f, int read, const char *who, const char *path,
			const char *unit)
{
	if (read != -ETIMEDOUT)
		return false;
	findings_tell(f, VERDICT_FAILED, "log",
		      "nobody reads what is sent to %s: the socket is held, but %s is stopped or "
		      "hangs; entries wait, pages are sent all the same: systemctl restart %s",
		      path, who, unit);
	return true;
}

static void check_syslog(struct findings *f)
{
	struct listener l = try_syslog();

	if (tell_unknown(f, l.connected, DEV_LOG) ||
	    tell_unread(f, l.read, "the syslog daemon", DEV_LOG, "rsyslog"))
		return;
	if (l.connected == 0)
		findings_tell(f, VERDICT_OK, "log", "to syslog, which listens on " DEV_LOG);
	else
		findings_tell(f, VERDICT_FAILED, "log",
			      "no syslog on " DEV_LOG " (%s): start one, or set log.target to auto "
			      "or stderr",
			      strerror(-l.connected));
}

static void check_without_journal(struct findings *f, bool must, const char *path, const char *unit,
				  int error)
{
	struct listener syslog = { 0 };

	if (must) {
		findings_tell(
			f, VERDICT_FAILED, "log",
			"no journald on %s (%s): start %s, or set log.target to auto or stderr",
			path, strerror(-error), unit);
		return;
	}
	syslog = try_syslog();
	if (tell_unknown(f, syslog.connected, DEV_LOG) ||
	    tell_unread(f, syslog.read, "the syslog daemon", DEV_LOG, "rsyslog"))
		return;
	if (syslog.connected == 0)
		findings_tell(f, VERDICT_WARNING, "log",
			      "no journald on %s (%s): entries go to syslog, where tocsin's own "
			      "verbs do not find them",
			      path, strerror(-error));
	else
		findings_tell(f, VERDICT_WARNING, "log",
			      "no journald on %s (%s) and no syslog on " DEV_LOG
			      " (%s): entries go "
			      "to stderr; start systemd-journald to keep them",
			      path, strerror(-error), strerror(-syslog.connected));
}

void log_check_socket(struct findings *f, const char *path, const char *unit, bool must)
{
	struct listener l = try_journal(path);

	if (tell_unknown(f, l.connected, path))
		return;
	if (l.connected < 0)
		check_without_journal(f, must, path, unit, l.connected);
	else if (l.read == 0)
		findings_tell(f, VERDICT_OK, "log", "journald listens on %s, and reads", path);
	else if (!tell_unread(f, l.read, "journald", path, unit))
		findings_tell(f, VERDICT_WARNING, "log",
			      "somebody listens on %s; whether journald reads there is not known "
			      "(%s)",
			      path, strerror(-l.read));
}

static void check_journal(struct findings *f, const struct settings *s, const char *name)
{
	struct text_buffer path = { 0 }, unit = { 0 };

	text_buffer_printf(&path, "/run/systemd/journal%s%s/socket", name ? "." : "",
			   name ? name : "");
	text_buffer_printf(&unit, "systemd-journald%s%s", name ? "@" : "", name ? name : "");
	if (path.failed || unit.failed) {
		findings_tell(f, VERDICT_FAILED, "log", "no memory");
	} else {
		log_check_socket(f, path.ptr, unit.ptr, s->log_target != LOG_TARGET_AUTO || name);
		if (name || access(path.ptr, F_OK) == 0)
			log_check_losses(f, "", name, s->log_health);
	}
	text_buffer_done(&path);
	text_buffer_done(&unit);
}

void log_check(struct findings *f, const struct settings *s, const char *name)
{
	if (s->log_target == LOG_TARGET_STDERR)
		findings_tell(f, VERDICT_OK, "log", "to stderr, as log.target says");
	else if (s->log_target == LOG_TARGET_SYSLOG)
		check_syslog(f);
	else
		check_journal(f, s, name);
}

/* --- What is lost --- */

struct judge {
	struct findings *findings;
	const char *root;
	bool health;
	bool sure; /* the engine is known to log here */
	char what[80];
};

/* What only may concern the engine is a warning. */
static enum verdict verdict_of(const struct judge *j, bool all_is_lost)
{
	return all_is_lost && j->sure ? VERDICT_FAILED : VERDICT_WARNING;
}

static bool judge_storage(const struct judge *j, const struct journald_conf *c)
{
	const char *place = c->place[JOURNALD_STORAGE];
	struct text_buffer folder = { 0 };
	bool kept, fine = false;

	text_buffer_printf(&folder, "%s/var/log/journal", j->root);
	kept = c->storage == JOURNALD_STORAGE_PERSISTENT ||
	       (c->storage == JOURNALD_STORAGE_AUTO && folder.ptr && access(folder.ptr, F_OK) == 0);
	text_buffer_done(&folder);
	if (c->storage == JOURNALD_STORAGE_NONE && c->forward_to_syslog)
		findings_tell(
			j->findings, VERDICT_WARNING, j->what,
			"Storage=none (%s) keeps no entry, but ForwardToSyslog=yes: entries go "
			"to syslog, where tocsin's own verbs do not find them",
			place);
	else if (c->storage == JOURNALD_STORAGE_NONE)
		findings_tell(j->findings, verdict_of(j, true), j->what,
			      "Storage=none (%s) keeps no entry: alerts are in no log; set "
			      "Storage=persistent",
			      place);
	else if (!kept && place[0])
		findings_tell(j->findings, VERDICT_WARNING, j->what,
			      "Storage=%s (%s) keeps entries until the next boot only: set "
			      "Storage=persistent",
			      c->storage == JOURNALD_STORAGE_VOLATILE ? "volatile" : "auto", place);
	else if (!kept)
		findings_tell(j->findings, VERDICT_WARNING, j->what,
			      "entries are kept until the next boot only, for there is no "
			      "/var/log/journal: make it, or set Storage=persistent");
	else
		fine = true;
	return fine;
}

static bool judge_level(const struct judge *j, const struct journald_conf *c)
{
	/* By the level of syslog(3) at which the engine writes it. */
	static const struct {
		unsigned level;
		const char *what;
	} entries[] = {
		{ 2, "P1 alerts" },
		{ 3, "P2 alerts" },
		{ 4, "P3 alerts and pages that are parked or tried again" },
		{ 5, "resolutions, starts and stops" },
		{ 6, "sessions, delivered pages and signs of life" },
		{ 7, "pulses and heartbeats (log.health)" },
	};
	struct text_buffer lost = { 0 };
	bool fine;

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		if (entries[i].level > c->max_level_store && (entries[i].level < 7 || j->health))
			text_buffer_printf(&lost, "%s%s", lost.len > 0 ? "; " : "",
					   entries[i].what);
	fine = lost.len == 0;
	if (!fine)
		findings_tell(j->findings, verdict_of(j, c->max_level_store < 2), j->what,
			      "MaxLevelStore (%s) drops %s: set MaxLevelStore=debug",
			      c->place[JOURNALD_MAX_LEVEL_STORE], lost.ptr);
	text_buffer_done(&lost);
	return fine;
}

/* "N entries in T" of one service and level; "" without a limit. */
static const char *rate_text(const struct journald_conf *c, char buf[static 80])
{
	char interval[TIME_TEXT_SIZE];

	buf[0] = 0;
	if (c->rate_interval_us > 0 && c->rate_burst > 0)
		snprintf(buf, 80, "%" PRIu64 " entries in %s", c->rate_burst,
			 c->rate_interval_us > UINT64_MAX / 1000
				 ? "all its life"
				 : duration_to_text(c->rate_interval_us * 1000, interval));
	return buf;
}

static bool judge_rate(const struct judge *j, const struct journald_conf *c)
{
	const char *place = c->place[JOURNALD_RATE_BURST];
	char rate[80];

	if (!rate_text(c, rate)[0] || (double)c->rate_burst / (double)c->rate_interval_us >=
					      (double)RATE_USUAL_BURST / (double)RATE_USUAL_US)
		return true;
	findings_tell(
		j->findings, VERDICT_WARNING, j->what,
		"RateLimitBurst and RateLimitIntervalSec (%s) drop what a service writes over "
		"%s, alerts too: raise them, or set LogRateLimitIntervalSec=0 in the engine's "
		"unit, as tocsin's drop-in does",
		place[0] ? place : c->place[JOURNALD_RATE_INTERVAL], rate);
	return false;
}

static void judge_one(const struct judge *j, const char *name)
{
	struct journald_conf c;
	bool fine;
	char rate[80];

	if (journald_conf_read(j->root, name, &c) < 0) {
		findings_tell(j->findings, VERDICT_FAILED, j->what, "no memory");
		return;
	}
	fine = judge_storage(j, &c);
	fine = judge_level(j, &c) && fine;
	fine = judge_rate(j, &c) && fine;
	rate_text(&c, rate);
	if (c.unread[0])
		findings_tell(j->findings, VERDICT_WARNING, j->what,
			      "what it loses is not all known: cannot read %s", c.unread);
	else if (fine)
		findings_tell(j->findings, VERDICT_OK, j->what,
			      "its configuration keeps every entry%s%s%s",
			      rate[0] ? ", of one service and level up to " : "", rate,
			      rate[0] ? ", unless the unit says otherwise" : "");
}

static void judge_namespace(void *userdata, const char *name)
{
	struct judge *j = userdata;

	if (!journal_namespace_is_valid(name))
		return;
	snprintf(j->what, sizeof(j->what), "journald, for units with LogNamespace=%.40s", name);
	judge_one(j, name);
}

void log_check_losses(struct findings *f, const char *root, const char *name, bool health)
{
	struct judge j = { f, root, health, true, "journald" };

	if (name)
		snprintf(j.what, sizeof(j.what), "journald@%.60s", name);
	judge_one(&j, name);
	if (name)
		return;
	j.sure = false;
	if (journald_conf_namespaces(root, judge_namespace, &j) < 0)
		findings_tell(f, VERDICT_FAILED, "journald", "no memory");
}

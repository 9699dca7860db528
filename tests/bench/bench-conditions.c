/* SPDX-License-Identifier: MIT */
/*
 * Whether a hot call costs the same when what lies behind it is in trouble. For each trouble two
 * engines live side by side, one quiet, one in it, and take turns in blocks of calls; so both meet
 * the same machine, and the ratio of their middles is what tells. The first "trouble" is none: its
 * ratio is how far two equal engines differ in this run.
 *
 *	private-journald bench-conditions PLUGIN [BLOCKS]
 *
 * The troubles are made here: journald ($JOURNALD_PID) is stopped or its socket moved away; a
 * receiver of our own answers, another takes connections and never says a word, a third is no more;
 * the state folder is a full disk of 512 kB; the reader is held in the host's log call until the
 * ring is full. What cannot be made is told instead of a row.
 */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "bench_engine.h"
#include "bench_receivers.h"
#include "bench_timer.h"

/* After its start an engine takes some looks at the clock to know the counter. */
#define CLOCK_KNOWN_NS (100 * NS_PER_MS)
#define GAP_NS 2000
#define BLOCK 1000 /* calls of a block that count */
#define WARM 64    /* calls before them that do not */
#define STIR 24    /* incidents raised before a block, so that there is something to do */
#define SETTLE_NS (10 * NS_PER_MS) /* and the time it has for it */
#define CATCH_UP_NS (200 * NS_PER_MS)
#define SOCKET "/run/systemd/journal/socket"

static const tocsin_plugin *plugin;
static char folder[] = "/dev/shm/tocsin-bench-XXXXXX";
static char full_disk[64], good_url[RECEIVER_URL_SIZE], silent_url[RECEIVER_URL_SIZE],
	away_url[RECEIVER_URL_SIZE];
static pid_t journald;
static const char *disk_reason;
static const struct receiver_manners takes_all;

/* --- The calls --- */

static tocsin_rc call_pulse(tocsin_instance *i)
{
	static const tocsin_health_event e = { .head = { sizeof e, TOCSIN_HEALTH_FEED_PULSE, 0 },
					       .source = STR("okx:ETH-USD") };

	return plugin->on_health(i, &e);
}

static tocsin_rc raise_alert(tocsin_instance *i, tocsin_str instance)
{
	static char message[120];
	uint64_t number;
	tocsin_alert_event e = { .head = { sizeof e, TOCSIN_ALERT_RAISE, 0 },
				 .priority = 1,
				 .code = STR("DATA_FEED_DOWN"),
				 .message = { message, sizeof message },
				 .instance = instance };

	if (!*message)
		memset(message, 'x', sizeof message);
	return plugin->on_alert(i, &e, &number);
}

static tocsin_rc call_alert(tocsin_instance *i)
{
	return raise_alert(i, (tocsin_str){ NULL, 0 });
}

static const struct call {
	const char *name;
	tocsin_rc (*call)(tocsin_instance *);
} calls[] = { { "on_health, a pulse", call_pulse }, { "on_alert, 120 bytes", call_alert } };

/* --- The ring that nobody reads: its reader waits in the host's log call --- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool reader_waits;

/* The trouble as the plugin tells it: the latest. */
static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static char told[256];

static void log_note(const tocsin_host *host, uint32_t level, const char *text, size_t len)
{
	(void)host, (void)level;
	if (memmem(text, len, "was refused", strlen("was refused"))) {
		atomic_store(&reader_waits, true);
		pthread_mutex_lock(&gate);
		pthread_mutex_unlock(&gate);
		return;
	}
	pthread_mutex_lock(&told_lock);
	snprintf(told, sizeof told, "%.*s", (int)len, text);
	pthread_mutex_unlock(&told_lock);
}

static void ring_fill(tocsin_instance *i)
{
	tocsin_health_event unknown = { .head = { sizeof unknown, 99, 0 } };

	atomic_store(&reader_waits, false);
	pthread_mutex_lock(&gate);
	plugin->on_health(i, &unknown);
	while (!atomic_load(&reader_waits))
		wait_ns(NS_PER_MS);
	while (call_alert(i) != TOCSIN_E_FULL)
		;
}

static void ring_let_go(void)
{
	pthread_mutex_unlock(&gate);
}

/* --- The other troubles --- */

/* Stopped, and its socket full: the next one to send hangs. */
static void journald_stop(void)
{
	static const char entry[] = "MESSAGE=bench\n";
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	kill(journald, SIGSTOP);
	while (fd >= 0 &&
	       sendto(fd, entry, sizeof entry - 1, 0, (struct sockaddr *)&at, sizeof at) > 0)
		;
	if (fd >= 0)
		close(fd);
}

static void journald_continue(void)
{
	kill(journald, SIGCONT);
}

static void socket_take_away(void)
{
	rename(SOCKET, SOCKET ".away");
}

static void socket_put_back(void)
{
	rename(SOCKET ".away", SOCKET);
}

static void disk_fill(tocsin_instance *i)
{
	static const char zeros[4096];
	char path[96];

	(void)i;
	snprintf(path, sizeof path, "%s/filler", full_disk);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (fd >= 0 && write(fd, zeros, sizeof zeros) > 0)
		;
	if (fd >= 0)
		close(fd);
}

struct trouble {
	const char *name;
	const char *url;
	const char *state;
	void (*begin)(tocsin_instance *); /* once, when the engine runs */
	void (*end)(void);
	void (*enter)(void); /* around each block: it would be the quiet one's trouble too */
	void (*leave)(void);
};

static const struct trouble troubles[] = {
	{ "nothing: the quiet one's twin", good_url, NULL, NULL, NULL, NULL, NULL },
	{ "journald stopped", good_url, NULL, NULL, NULL, journald_stop, journald_continue },
	{ "journald absent", good_url, NULL, NULL, NULL, socket_take_away, socket_put_back },
	{ "receiver hangs", silent_url, NULL, NULL, NULL, NULL, NULL },
	{ "receiver away", away_url, NULL, NULL, NULL, NULL, NULL },
	{ "outbox disk full", good_url, full_disk, disk_fill, NULL, NULL, NULL },
	{ "ring full", good_url, NULL, ring_fill, ring_let_go, NULL, NULL },
};

/* NULL when it can be made. */
static const char *reason_against(const struct trouble *t)
{
	if (t->enter && journald == 0)
		return "no journald of our own (private-journald tells why)";
	return t->state ? disk_reason : NULL;
}

/* --- Measuring --- */

struct side {
	tocsin_instance *instance;
	const struct trouble *trouble; /* NULL: the quiet one */
	uint64_t *took;
	size_t n;
	size_t refused;
	unsigned stirred;
	tocsin_stats stats; /* still in the trouble, as `logged`: in the last block */
	uint64_t logged;
};

static void block(struct side *s, const struct call *c)
{
	const struct trouble *t = s->trouble;
	char name[16];

	s->stats.size = sizeof s->stats;
	plugin->stats(s->instance, &s->stats);
	uint64_t logged = s->stats.journaled;
	if (t && t->enter)
		t->enter();
	for (unsigned k = 0; k < STIR; k++) {
		snprintf(name, sizeof name, "%u", s->stirred++);
		raise_alert(s->instance, str(name));
	}
	wait_ns(SETTLE_NS);
	for (unsigned k = 0; k < WARM + BLOCK; k++) {
		wait_ns(GAP_NS);
		uint64_t from = ticks_begin();
		tocsin_rc rc = c->call(s->instance);
		uint64_t took = ticks_end() - from;
		if (k < WARM)
			continue;
		s->took[s->n++] = took;
		s->refused += rc != TOCSIN_OK;
	}
	plugin->stats(s->instance, &s->stats);
	s->logged = s->stats.journaled - logged;
	if (t && t->leave)
		t->leave();
	if (!t || !t->end)
		plugin->flush(s->instance, TOCSIN_FLUSH_DURABLE, CATCH_UP_NS);
}

static void row(const char *name, const struct distribution *d, double quiet)
{
	printf("  %-36s %8.1f %8.0f %8.0f %9.0f", name, d->p50, d->p99, d->p999, d->worst);
	if (quiet > 0)
		printf("   %6.2f x the quiet one (aim 1.1)", d->p50 / quiet);
	printf("\n");
}

static void compare(struct side sides[static 2], const struct call *c, unsigned blocks)
{
	char name[96];

	for (unsigned s = 0; s < 2; s++)
		sides[s].n = sides[s].refused = 0;
	/* Neither side is always the first of a pair. */
	for (unsigned b = 0; b < blocks; b++)
		for (unsigned s = 0; s < 2; s++)
			block(&sides[(b + s) % 2], c);
	struct distribution quiet = distribution_of(sides[0].took, sides[0].n);
	struct distribution here = distribution_of(sides[1].took, sides[1].n);
	snprintf(name, sizeof name, "%s, quiet", c->name);
	row(name, &quiet, 0);
	row(c->name, &here, quiet.p50);
	for (unsigned s = 0; s < 2; s++)
		if (sides[s].refused > 0)
			printf("  (%s: %zu of %zu were refused)\n", s ? "here" : "quiet",
			       sides[s].refused, sides[s].n);
}

/* Each has folders of its own: nothing waits in them from the trouble before. */
static tocsin_instance *start(const char *side, const struct trouble *t)
{
	static unsigned n;
	char name[32];

	snprintf(name, sizeof name, "%s-%u", side, n++);
	tocsin_instance *i = engine_start(
		plugin, &(struct engine_options){ .name = name,
						  .folder = folder,
						  .state = t ? t->state : NULL,
						  .log_target = journald > 0 ? "journal" : "stderr",
						  .url = t ? t->url : good_url,
						  .log = t ? log_note : NULL });

	wait_ns(CLOCK_KNOWN_NS);
	if (t && t->begin)
		t->begin(i);
	return i;
}

static void stop(tocsin_instance *i)
{
	plugin->stop(i, NS_PER_S);
	plugin->destroy(i);
}

/* That the trouble was one is seen in the counters, and in what the plugin tells. */
static void stats_print(const struct side *side)
{
	const tocsin_stats *s = &side->stats;

	printf("  (here: %llu pages delivered, %llu wait, %llu posts failed; %llu entries logged "
	       "in "
	       "the last block)\n",
	       (unsigned long long)s->pages_delivered, (unsigned long long)s->pages_pending,
	       (unsigned long long)s->post_failures, (unsigned long long)side->logged);
	pthread_mutex_lock(&told_lock);
	if (*told)
		printf("  (it tells: %s)\n", told);
	*told = '\0';
	pthread_mutex_unlock(&told_lock);
}

static void measure(const struct trouble *t, unsigned blocks)
{
	const char *reason = reason_against(t);
	size_t most = (size_t)blocks * BLOCK * sizeof(uint64_t);

	if (reason) {
		printf("%s: no row, %s\n", t->name, reason);
		return;
	}
	struct side sides[2] = {
		{ .instance = start("quiet", NULL), .took = malloc(most) },
		{ .instance = start("trouble", t), .trouble = t, .took = malloc(most) },
	};
	if (!sides[0].took || !sides[1].took)
		exit(1);
	printf("%-38s %8s %8s %8s %9s   (ns)\n", t->name, "p50", "p99", "p99.9", "worst");
	for (size_t c = 0; c < sizeof calls / sizeof *calls; c++)
		compare(sides, &calls[c], blocks);
	if (t->end)
		t->end();
	stats_print(&sides[1]);
	fflush(stdout);
	for (unsigned s = 0; s < 2; s++) {
		stop(sides[s].instance);
		free(sides[s].took);
	}
}

/* --- What the troubles need --- */

/* Before there are threads: they are to live in the same mount namespace. */
static void disk_make(void)
{
	snprintf(full_disk, sizeof full_disk, "%s/disk", folder);
	mkdir(full_disk, 0700);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		disk_reason = "a mount namespace is not permitted here";
	else if (mount("tmpfs", full_disk, "tmpfs", 0, "size=512k") < 0)
		disk_reason = "a tmpfs may not be mounted here";
}

int main(int argc, char **argv)
{
	unsigned blocks = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 20;
	const char *pid = getenv("JOURNALD_PID");

	if (argc < 2 || blocks == 0) {
		fprintf(stderr, "usage: bench-conditions PLUGIN [BLOCKS] 2>/dev/null\n");
		return 2;
	}
	journald = pid ? (pid_t)strtol(pid, NULL, 10) : 0;
	if (!mkdtemp(folder) || !(plugin = engine_load(argv[1])))
		return 1;
	disk_make();
	if (receiver_answers(&takes_all, good_url) < 0 || receiver_hangs(silent_url) < 0 ||
	    receiver_is_away(away_url) < 0)
		return 1;

	pin(0);
	printf("the timer's own cost, taken off: %.1f ns\n", timer_measure());
	for (size_t t = 0; t < sizeof troubles / sizeof *troubles; t++)
		measure(&troubles[t], blocks);
	umount2(full_disk, MNT_DETACH);
	engine_folder_remove(folder);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * An engine to be killed: it loads the plugin as any engine does and tells, through a descriptor
 * that somebody else reads, what it has been promised.
 *
 *	kill-engine [-o SECTION.KEY=VALUE]... [--plan random|pair|left|burst|full|quiet] [--calls N]
 *	            [--seed N] [--name WORD] [--clear FILE] [--flush MS] [--stop MS] [--noise 1]
 *	            [--tell FD]
 *
 * What it raises is each known by a token of its own, "WORD-THREAD-N": an alert's instance, a
 * feed's or a risk's source, and in every raise's metadata. An alert's message says its promise
 * once, or 70 times where the token ends with 0, 3, 6 or 9. FILE has a line "KIND TOKEN" for each
 * incident that is open from before and that this run shall clear.
 *
 *	random  two threads make N calls each: alerts, clears, feeds, risks, sessions, pulses; with
 *	        noise a third one fills the recorder with pulses meanwhile
 *	pair    one alert is raised and cleared, and both pages are waited for
 *	left    one alert is raised and its page is waited for
 *	burst   N alerts are raised; then it waits to be killed
 *	full    events until the recorder takes no more; then it kills itself
 *	quiet   clears what FILE names and nothing else
 *
 * Lines told, each by one write before anything else is done; a P1's or a clear's "ok" is written
 * only after the call that made the promise has returned:
 *
 *	starting, started, start-failed RC, flushed RC, stopping, stopped RC, full
 *	try raise|clear KIND TOKEN             the call is about to be made
 *	ok raise|clear KIND TOKEN [NUMBER]     it returned OK
 *	no raise|clear KIND TOKEN RC           it was refused
 */
#include "config.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "tool/plugin_file.h"

#define THREADS 2
#define OPTIONS_MAX 64
#define TOKEN_SIZE 64
#define SESSION "killed"
/* Open incidents a thread lets stand; the plugin remembers 256. */
#define OPEN_MAX 24
/* Incidents from before. */
#define INHERITED_MAX 512

/* A rule's or a call's P1 and how it ends. */
enum kind { KIND_CALL, KIND_FEED, KIND_RISK, N_KINDS };
static const char *const kind_names[N_KINDS] = { "call", "feed", "risk" };

struct incident {
	enum kind kind;
	char token[TOKEN_SIZE];
};

struct engine {
	struct plugin_file file;
	tocsin_instance *instance;
	tocsin_kv options[OPTIONS_MAX];
	size_t n_options;
	const char *plan, *name;
	uint64_t tell, calls, seed, noise, flush_ms, stop_ms;
	atomic_bool over;
	struct incident inherited[INHERITED_MAX];
	size_t n_inherited;
};

struct caller {
	struct engine *engine;
	unsigned thread, told;
	uint64_t random;
	struct incident open[OPEN_MAX + INHERITED_MAX];
	size_t n_open;
	pthread_t id;
};

static void tell(const struct engine *e, const char *format, ...) _printf_(2, 3);

static void tell(const struct engine *e, const char *format, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, format);
	int len = vsnprintf(line, sizeof line - 1, format, ap);
	va_end(ap);
	line[len++] = '\n';
	/* Nobody reads any more: then nothing that follows can be shown either. */
	if (write((int)e->tell, line, (size_t)len) != len)
		_exit(1);
}

static uint64_t draw(struct caller *c, uint64_t below)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return c->random % below;
}

static void sleep_ns(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };

	nanosleep(&t, NULL);
}

/* --- P1s --- */

#define PROMISE "A promise was made. "
#define PROMISE_LEN (sizeof PROMISE - 1)
#define PROMISES 70

/* One, or so many that the record takes several slots, as the token has it. */
static tocsin_str promises(const char *token, char text[static PROMISES * PROMISE_LEN])
{
	size_t n = (token[strlen(token) - 1] - '0') % 3 == 0 ? PROMISES : 1;

	for (size_t i = 0; i < n; i++)
		memcpy(text + i * PROMISE_LEN, PROMISE, PROMISE_LEN);
	return (tocsin_str){ text, n * PROMISE_LEN };
}

static tocsin_rc call_alert(struct engine *e, const char *token, bool raise, uint64_t *ret_number)
{
	char text[PROMISES * PROMISE_LEN];
	tocsin_kv token_kv = { STR("token"), str(token) };
	tocsin_alert_event a = {
		.head = { sizeof a, raise ? TOCSIN_ALERT_RAISE : TOCSIN_ALERT_CLEAR, 0 },
		.priority = 1,
		.code = STR("KILL_TEST"),
		.message = promises(token, text),
		.session_id = STR(SESSION),
		.instance = str(token),
		.kv = &token_kv,
		.n_kv = 1,
	};

	return e->file.plugin->on_alert(e->instance, &a, ret_number);
}

static tocsin_rc call_health(struct engine *e, enum kind kind, const char *token, bool raise)
{
	tocsin_kv token_kv = { STR("token"), str(token) };
	uint32_t feed = raise ? TOCSIN_HEALTH_FEED_DOWN : TOCSIN_HEALTH_FEED_UP;
	tocsin_health_event h = {
		.head = { sizeof h, kind == KIND_RISK ? TOCSIN_HEALTH_RISK : feed, 0 },
		.source = str(token),
		.session_id = STR(SESSION),
		.value = raise ? 2 : 0,
		.limit = 1,
		.kv = &token_kv,
		.n_kv = 1,
	};

	return e->file.plugin->on_health(e->instance, &h);
}

static bool act(struct engine *e, const struct incident *i, bool raise)
{
	const char *what = raise ? "raise" : "clear", *kind = kind_names[i->kind];
	uint64_t number = 0;
	tocsin_rc rc;

	tell(e, "try %s %s %s", what, kind, i->token);
	if (i->kind == KIND_CALL)
		rc = call_alert(e, i->token, raise, &number);
	else
		rc = call_health(e, i->kind, i->token, raise);
	if (rc != TOCSIN_OK)
		tell(e, "no %s %s %s %d", what, kind, i->token, (int)rc);
	else if (i->kind == KIND_CALL && raise)
		tell(e, "ok %s %s %s %" PRIu64, what, kind, i->token, number);
	else
		tell(e, "ok %s %s %s", what, kind, i->token);
	return rc == TOCSIN_OK;
}

static bool raise_next(struct caller *c, enum kind kind)
{
	struct incident *i = &c->open[c->n_open];

	i->kind = kind;
	snprintf(i->token, sizeof i->token, "%s-%u-%u", c->engine->name, c->thread, c->told++);
	/* Open until the plugin says no: a refusal leaves nothing to clear. */
	if (!act(c->engine, i, true))
		return false;
	c->n_open++;
	return true;
}

static bool clear_one(struct caller *c)
{
	size_t n = (size_t)draw(c, c->n_open);

	if (!act(c->engine, &c->open[n], false))
		return false;
	c->open[n] = c->open[--c->n_open];
	return true;
}

/* --- what else an engine says --- */

static tocsin_rc say_health(struct engine *e, uint32_t kind, const char *source)
{
	tocsin_health_event h = { .head = { sizeof h, kind, 0 }, .source = str(source) };

	return e->file.plugin->on_health(e->instance, &h);
}

static tocsin_rc say_session(struct engine *e, uint32_t kind, const char *id, const char *status)
{
	tocsin_session_event s = { .head = { sizeof s, kind, 0 },
				   .session_id = str(id),
				   .status = str(status) };

	return e->file.plugin->on_session(e->instance, &s);
}

static void say_much(struct caller *c)
{
	char source[TOKEN_SIZE], session[TOKEN_SIZE];
	unsigned n = (unsigned)draw(c, 64);

	snprintf(source, sizeof source, "pulse-%u", c->thread);
	snprintf(session, sizeof session, "%s-%u", c->engine->name, c->thread);
	while (n-- > 0)
		say_health(c->engine, TOCSIN_HEALTH_FEED_PULSE, source);
	say_health(c->engine, TOCSIN_HEALTH_HEARTBEAT, "");
	say_session(c->engine, TOCSIN_SESSION_CREATED, session, NULL);
	say_session(c->engine, TOCSIN_SESSION_STATUS, session, draw(c, 2) ? "running" : "waiting");
}

static void *call_at_random(void *arg)
{
	struct caller *c = arg;

	for (uint64_t i = 0; i < c->engine->calls; i++) {
		uint64_t what = draw(c, 100);

		if (c->n_open > 0 && (what < 35 || c->n_open >= OPEN_MAX))
			clear_one(c);
		else if (what < 60)
			raise_next(c, KIND_CALL);
		else if (what < 70)
			raise_next(c, KIND_FEED);
		else if (what < 80)
			raise_next(c, KIND_RISK);
		else
			say_much(c);
		if (draw(c, 3) == 0)
			sleep_ns(draw(c, 2 * NS_PER_MS));
	}
	return NULL;
}

/* As many long records as go in: a kill then finds slots reserved and not yet written. */
static void *make_noise(void *arg)
{
	static char text[2000];
	struct engine *e = arg;
	tocsin_kv kv = { STR("noise"), { text, sizeof text } };
	tocsin_health_event h = { .head = { sizeof h, TOCSIN_HEALTH_FEED_PULSE, 0 },
				  .source = STR("noise"),
				  .kv = &kv,
				  .n_kv = 1 };

	memset(text, 'n', sizeof text);
	while (!atomic_load(&e->over))
		if (e->file.plugin->on_health(e->instance, &h) != TOCSIN_OK)
			sleep_ns(NS_PER_MS / 10);
	return NULL;
}

/* --- plans --- */

static struct caller *callers_new(struct engine *e)
{
	struct caller *callers = calloc(THREADS, sizeof *callers);

	for (unsigned i = 0; callers && i < THREADS; i++) {
		callers[i].engine = e;
		callers[i].thread = i;
		callers[i].random = (e->seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + i;
		for (size_t n = i; n < e->n_inherited; n += THREADS)
			callers[i].open[callers[i].n_open++] = e->inherited[n];
	}
	if (!callers)
		exit(1);
	return callers;
}

static void plan_random(struct engine *e)
{
	_cleanup_free_ struct caller *callers = callers_new(e);
	pthread_t noise;

	say_health(e, TOCSIN_HEALTH_START, "");
	if (e->noise > 0 && pthread_create(&noise, NULL, make_noise, e) != 0)
		exit(1);
	for (unsigned i = 0; i < THREADS; i++)
		if (pthread_create(&callers[i].id, NULL, call_at_random, &callers[i]) != 0)
			exit(1);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(callers[i].id, NULL);
	atomic_store(&e->over, true);
	if (e->noise > 0)
		pthread_join(noise, NULL);
}

static void plan_quiet(struct engine *e)
{
	for (size_t i = 0; i < e->n_inherited; i++)
		while (!act(e, &e->inherited[i], false))
			sleep_ns(NS_PER_MS);
}

static void plan_pair(struct engine *e)
{
	_cleanup_free_ struct caller *callers = callers_new(e);

	say_session(e, TOCSIN_SESSION_CREATED, SESSION, NULL);
	if (raise_next(callers, KIND_CALL))
		clear_one(callers);
}

static void plan_left(struct engine *e)
{
	_cleanup_free_ struct caller *callers = callers_new(e);

	raise_next(callers, KIND_CALL);
}

static void plan_burst(struct engine *e)
{
	_cleanup_free_ struct caller *callers = callers_new(e);

	for (uint64_t i = 0; i < e->calls && callers->n_open < INHERITED_MAX; i++)
		raise_next(callers, KIND_CALL);
	tell(e, "full");
	for (;;)
		pause();
}

/* Two classes of events have different shares of the ring; the second one's is all of it. */
static void plan_full(struct engine *e)
{
	while (say_health(e, TOCSIN_HEALTH_FEED_PULSE, "pulse") == TOCSIN_OK)
		;
	while (say_health(e, TOCSIN_HEALTH_FEED_UP, "pulse") == TOCSIN_OK)
		;
	tell(e, "full");
	kill(getpid(), SIGKILL);
}

static const struct plan {
	const char *name;
	void (*run)(struct engine *e);
} plans[] = {
	{ "random", plan_random }, { "pair", plan_pair }, { "left", plan_left },
	{ "burst", plan_burst },   { "full", plan_full }, { "quiet", plan_quiet },
};

/* --- the engine --- */

static void host_log(const tocsin_host *host, uint32_t level, const char *text, size_t len)
{
	(void)host, (void)level, (void)text, (void)len;
}

/* All that waits, what former runs have left included; a flush waits for this run's alone. */
static int flush(struct engine *e)
{
	uint64_t until_ns = clock_monotonic_ns() + e->flush_ms * NS_PER_MS;
	tocsin_stats stats = { .size = sizeof stats };
	tocsin_rc rc =
		e->file.plugin->flush(e->instance, TOCSIN_FLUSH_DELIVERED, e->flush_ms * NS_PER_MS);

	while (rc == TOCSIN_OK) {
		rc = e->file.plugin->stats(e->instance, &stats);
		if (rc != TOCSIN_OK || stats.pages_pending == 0)
			return rc;
		if (clock_monotonic_ns() > until_ns)
			rc = TOCSIN_E_TIMEOUT;
		sleep_ns(NS_PER_MS);
	}
	return rc;
}

static int engine_run(struct engine *e, const struct plan *plan)
{
	static const tocsin_host host = { .size = sizeof host,
					  .abi = TOCSIN_ABI_MINOR,
					  .name = "kill-engine",
					  .version = "1",
					  .log = host_log };
	const char *path = getenv("TOCSIN_PLUGIN");
	char err[512] = "";

	if (plugin_file_load(path ? path : "", err, sizeof err, &e->file) < 0 ||
	    e->file.plugin->create(&host, e->options, e->n_options, err, sizeof err,
				   &e->instance) != TOCSIN_OK) {
		fprintf(stderr, "kill-engine: %s\n", err);
		return 1;
	}
	tell(e, "starting");
	tocsin_rc rc = e->file.plugin->start(e->instance);
	if (rc != TOCSIN_OK) {
		tell(e, "start-failed %d", (int)rc);
		return 1;
	}
	tell(e, "started");
	plan->run(e);
	if (e->flush_ms > 0)
		tell(e, "flushed %d", (int)flush(e));
	tell(e, "stopping");
	rc = e->file.plugin->stop(e->instance, e->stop_ms * NS_PER_MS);
	tell(e, "stopped %d", (int)rc);
	e->file.plugin->destroy(e->instance);
	return rc == TOCSIN_OK ? 0 : 1;
}

static int option_add(struct engine *e, char *text)
{
	char *value = strchr(text, '=');

	if (!value || e->n_options == OPTIONS_MAX)
		return -1;
	*value++ = 0;
	e->options[e->n_options++] = (tocsin_kv){ str(text), str(value) };
	return 0;
}

static int inherited_read(struct engine *e, const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char kind[16], token[TOKEN_SIZE];

	if (!file)
		return -1;
	while (e->n_inherited < INHERITED_MAX && fscanf(file, "%15s %63s", kind, token) == 2) {
		struct incident *i = &e->inherited[e->n_inherited++];

		for (i->kind = 0; strcmp(kind_names[i->kind], kind) != 0;)
			if (++i->kind == N_KINDS)
				return -1;
		memcpy(i->token, token, sizeof token);
	}
	return 0;
}

/* A name of its own, then where its value goes: a number, or a text. */
static int option_take(struct engine *e, const char *name, const char *value)
{
	const struct {
		const char *name;
		uint64_t *number;
		const char **text;
	} options[] = {
		{ "--plan", NULL, &e->plan },    { "--name", NULL, &e->name },
		{ "--tell", &e->tell, NULL },    { "--calls", &e->calls, NULL },
		{ "--seed", &e->seed, NULL },    { "--flush", &e->flush_ms, NULL },
		{ "--stop", &e->stop_ms, NULL }, { "--noise", &e->noise, NULL },
	};

	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		if (strcmp(options[i].name, name) != 0)
			continue;
		if (options[i].text)
			*options[i].text = value;
		else
			*options[i].number = strtoull(value, NULL, 10);
		return 0;
	}
	return -1;
}

int main(int argc, char **argv)
{
	static struct engine e = {
		.tell = STDOUT_FILENO, .plan = "random", .name = "run", .calls = 100, .stop_ms = 200
	};
	int r = 0;

	for (int i = 1; r == 0 && i < argc; i += 2) {
		if (!argv[i + 1])
			r = -1;
		else if (strcmp(argv[i], "-o") == 0)
			r = option_add(&e, argv[i + 1]);
		else if (strcmp(argv[i], "--clear") == 0)
			r = inherited_read(&e, argv[i + 1]);
		else
			r = option_take(&e, argv[i], argv[i + 1]);
	}
	for (size_t i = 0; r == 0 && i < sizeof plans / sizeof *plans; i++)
		if (strcmp(plans[i].name, e.plan) == 0)
			return engine_run(&e, &plans[i]);
	fprintf(stderr, "kill-engine: wrong use\n");
	return 2;
}

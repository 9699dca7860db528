/* SPDX-License-Identifier: MIT */
/*
 * A thread that is held, or lost, between taking its place in the recorder and writing there: what
 * others report behind it is announced, and applied in order as soon as it can be.
 */
#include "config.h"
#include "paged_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "../record_bytes.h"

/* --- A clock that stands while a test says so --- */

static _Atomic uint64_t stands_at;
static atomic_ulong asked;

uint64_t __real_clock_monotonic_ns(void);
uint64_t __wrap_clock_monotonic_ns(void);

uint64_t __wrap_clock_monotonic_ns(void)
{
	uint64_t at = atomic_load(&stands_at);

	atomic_fetch_add(&asked, 1);
	return at > 0 ? at : __real_clock_monotonic_ns();
}

/* --- A thread that is held in its push --- */

/* What becomes of it there: it goes on when it may, or it never comes back. */
enum fate { FATE_GOES_ON, FATE_JUMPS_OUT, FATE_ENDS };

static struct {
	const struct recorder_producer *producer;
	enum fate fate;
	uint8_t *pages; /* two: the event ends in the second, which cannot be read */
	size_t page_size;
	sem_t arrived, go;
	sigjmp_buf out;
	pthread_t thread;
	struct sigaction before;
} held;

static void held_there(int signal _unused_)
{
	sem_post(&held.arrived);
	if (held.fate == FATE_JUMPS_OUT)
		siglongjmp(held.out, 1);
	if (held.fate == FATE_ENDS)
		pthread_exit(NULL);
	while (sem_wait(&held.go) < 0)
		;
	mprotect(held.pages + held.page_size, held.page_size, PROT_READ | PROT_WRITE);
}

static void *held_push(void *arg)
{
	const tocsin_alert_event event = {
		.head = { sizeof event, TOCSIN_ALERT_RAISE, 0 },
		.code = STR("GENERAL"),
		.priority = 1,
		.message = STR("of the held thread"),
		.instance = STR("held"),
	};
	struct layout_record record;
	size_t size = record_encode_alert(&event, clock_monotonic_ns(), &record);
	uint8_t *at = held.pages + held.page_size - LAYOUT_SLOT_HEAD - size / 2;
	struct layout_slot *slot = (struct layout_slot *)(void *)(at - (uintptr_t)at % 8);

	memcpy(slot, record.slots, LAYOUT_SLOT_HEAD + size);
	mprotect(held.pages + held.page_size, held.page_size, PROT_NONE);
	if (sigsetjmp(held.out, 1) == 0)
		recorder_push(held.producer, RECORDER_CLASS_FIRST, RECORDER_LOSS_P1, 1, slot, size,
			      NULL);
	return arg;
}

static void hold(struct engine *e, enum fate fate)
{
	const struct sigaction action = { .sa_handler = held_there };

	held.producer = recorder_producer(dispatcher_recorder(e->dispatcher));
	held.fate = fate;
	held.page_size = (size_t)sysconf(_SC_PAGESIZE);
	held.pages = mmap(NULL, 2 * held.page_size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(held.pages != MAP_FAILED);
	sem_init(&held.arrived, 0, 0);
	sem_init(&held.go, 0, 0);
	assert_int_equal(sigaction(SIGSEGV, &action, &held.before), 0);
	assert_int_equal(pthread_create(&held.thread, NULL, held_push, NULL), 0);
	while (sem_wait(&held.arrived) < 0)
		;
}

static void let_go(void)
{
	sem_post(&held.go);
	pthread_join(held.thread, NULL);
	assert_int_equal(sigaction(SIGSEGV, &held.before, NULL), 0);
	munmap(held.pages, 2 * held.page_size);
}

/* --- What it is told --- */

static int health(struct engine *e, uint32_t kind, const char *source, double value, double limit)
{
	const tocsin_health_event event = {
		.head = { sizeof event, kind, 0 },
		.source = str(source),
		.value = value,
		.limit = limit,
	};
	struct layout_record record;
	uint64_t now_ns = clock_monotonic_ns();
	size_t size = record_encode_health(&event, now_ns, &record);

	return recorder_push(recorder_producer(dispatcher_recorder(e->dispatcher)),
			     RECORDER_CLASS_FIRST, RECORDER_LOSS_OTHER, now_ns, record.slots, size,
			     NULL);
}

static int alert(struct engine *e, uint32_t kind, uint32_t priority, const char *code,
		 const char *message)
{
	const tocsin_alert_event event = {
		.head = { sizeof event, kind, 0 },
		.code = str(code),
		.priority = priority,
		.message = str(message),
		.instance = str(message),
	};
	struct layout_record record;
	size_t size = record_encode_alert(&event, clock_monotonic_ns(), &record);

	return recorder_push(recorder_producer(dispatcher_recorder(e->dispatcher)),
			     RECORDER_CLASS_FIRST, RECORDER_LOSS_P1, 1, record.slots, size, NULL);
}

#define RAISED "-blocked.raised"
#define RESOLVED "-blocked.resolved"

/* --- The tests --- */

static void what_waits_behind_a_held_thread_is_announced_and_then_applied(void **state)
{
	struct world w;

	atomic_store(&stands_at, 0);
	world_begin(&w, state);
	hold(&w.engine, FATE_GOES_ON);
	assert_int_equal(engine_say(&w.engine, TOCSIN_ALERT_RAISE, "first"), 0);
	unsigned first = await_page(&w, RAISED, "GENERAL (first): m");
	assert_int_equal(world_flush(&w, 20 * NS_PER_MS), -ETIMEDOUT);
	assert_int_equal(engine_say(&w.engine, TOCSIN_ALERT_RAISE, "second"), 0);
	unsigned second = await_page(&w, "-blocked.repeat-1", "GENERAL (second): m");
	assert_true(first < second);
	expect_none(&w, "-blocked.repeat-1", "(first)");
	assert_int_equal(alert(&w.engine, TOCSIN_ALERT_RAISE, 1, "GENERAL", "third"), 0);
	await_page(&w, "-blocked.repeat-2", "(third): third");
	expect_none(&w, "-call.raised", "");
	let_go();
	assert_int_equal(world_flush(&w, FIXTURE_LIMIT_NS), 0);
	unsigned of_held = await_page(&w, "-call.raised", "of the held thread");
	unsigned of_first = await_page(&w, "-call.raised", "\"first\"");
	unsigned of_third = await_page(&w, "-call.raised", "\"third\"");
	assert_true(of_held < of_first && of_first < of_third);
	await_page(&w, RESOLVED, "EVENTS_BLOCKED");
	world_end(&w);
}

/* Each event behind the hole, and what the announcement quotes of it; NULL: it is no P1. */
static int say_1(struct engine *e)
{
	return alert(e, TOCSIN_ALERT_RAISE, 1, "OWN_CODE", "of its own priority");
}
static int say_default(struct engine *e)
{
	return alert(e, TOCSIN_ALERT_RAISE, 0, "RISK_LIMIT_BREACH", "of its code's priority");
}
static int say_unusable(struct engine *e)
{
	return alert(e, TOCSIN_ALERT_RAISE, 1, "my code", "two\nlines");
}
static int say_2(struct engine *e)
{
	return alert(e, TOCSIN_ALERT_RAISE, 2, "ENGINE_DOWN", "of a lesser priority");
}
static int say_clear(struct engine *e)
{
	return alert(e, TOCSIN_ALERT_CLEAR, 1, "ENGINE_DOWN", "over");
}
static int say_risk(struct engine *e)
{
	return health(e, TOCSIN_HEALTH_RISK, "drawdown", 0.5, 0.25);
}
static int say_no_risk(struct engine *e)
{
	return health(e, TOCSIN_HEALTH_RISK, "calm", 0.1, 0.25);
}
static int say_drift(struct engine *e)
{
	return health(e, TOCSIN_HEALTH_DRIFT, "pnl", 0.9, 0);
}
static int say_high_drift(struct engine *e)
{
	return health(e, TOCSIN_HEALTH_DRIFT, "slow", 0.2, 0);
}
static int say_feed_down(struct engine *e)
{
	return health(e, TOCSIN_HEALTH_FEED_DOWN, "kraken", 0, 0);
}
static int say_pulse(struct engine *e)
{
	return health(e, TOCSIN_HEALTH_FEED_PULSE, "okx", 0, 0);
}

static void each_p1_is_quoted_and_nothing_else(void **state)
{
	static const struct {
		int (*say)(struct engine *e);
		const char *quote;
		const char *never;
	} rows[] = {
		{ say_1, "OWN_CODE (of its own priority): of its own priority", NULL },
		{ say_default, "RISK_LIMIT_BREACH (of its code's priority)", NULL },
		{ say_unusable, "my code (two\\\\nlines): two\\\\nlines", NULL },
		{ say_2, NULL, "of a lesser priority" },
		{ say_clear, NULL, "over" },
		{ say_risk, "RISK_LIMIT_BREACH (drawdown): risk 0.5", NULL },
		{ say_no_risk, NULL, "calm" },
		{ say_drift, "DRIFT_CRITICAL (pnl): drift 0.9", NULL },
		{ say_high_drift, NULL, "slow" },
		{ say_feed_down, "DATA_FEED_DOWN (kraken): feed kraken reported down", NULL },
		{ say_pulse, NULL, "okx" },
	};
	const size_t n = sizeof rows / sizeof *rows;
	struct world w;

	atomic_store(&stands_at, 0);
	world_begin(&w, state);
	hold(&w.engine, FATE_GOES_ON);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(rows[i].say(&w.engine), 0);
	await_page(&w, RAISED, "behind it wait 11 events");
	for (size_t i = 0; i < n; i++)
		if (rows[i].quote)
			await_page(&w, "", rows[i].quote);
	for (size_t i = 0; i < n; i++)
		if (rows[i].never)
			expect_none(&w, "", rows[i].never);
	let_go();
	world_end(&w);
}

static void however_many_wait_each_is_quoted_once(void **state)
{
	char instance[32], quote[48], message[TOCSIN_TEXT_MAX / 2];
	struct world w;

	atomic_store(&stands_at, 0);
	world_begin(&w, state);
	memset(message, 'x', sizeof message);
	message[sizeof message - 1] = 0;
	hold(&w.engine, FATE_GOES_ON);
	for (unsigned i = 0; i < 40; i++) {
		/* Each fourth is long: several slots, and cut in the quote. */
		snprintf(instance, sizeof instance, "p1-%u-", i);
		memcpy(message, instance, strlen(instance));
		assert_int_equal(alert(&w.engine, TOCSIN_ALERT_RAISE, 1, "GENERAL",
				       i % 4 == 0 ? message : instance),
				 0);
	}
	for (unsigned i = 0; i < 40; i++) {
		snprintf(quote, sizeof quote, "GENERAL (p1-%u-", i);
		await_page(&w, "", quote);
	}
	let_go();
	assert_int_equal(world_flush(&w, FIXTURE_LIMIT_NS), 0);
	world_end(&w);
}

/* A summary has no room for quotes: however many pages went within the minute, and however many
 * announcements there are, each is a page of its own. */
static void no_limit_of_pages_folds_an_announcement(void **state)
{
	static const long steps[] = { 200 };
	char instance[32], quote[48];
	struct world w = { .folder = *state,
			   .server = http_start(steps, 1),
			   .pages = "max_pages_per_minute = 1\n" };

	atomic_store(&stands_at, 0);
	world_engine_begin(&w, "5s");
	assert_int_equal(engine_say(&w.engine, TOCSIN_ALERT_RAISE, "before"), 0);
	await_page(&w, "-call.raised", "\"before\"");
	hold(&w.engine, FATE_GOES_ON);
	/* More than fit into one page. */
	for (unsigned i = 0; i < 40; i++) {
		snprintf(instance, sizeof instance, "p1-%u-", i);
		assert_int_equal(alert(&w.engine, TOCSIN_ALERT_RAISE, 1, "GENERAL", instance), 0);
	}
	for (unsigned i = 0; i < 40; i++) {
		snprintf(quote, sizeof quote, "GENERAL (p1-%u-", i);
		await_page(&w, "", quote);
	}
	expect_none(&w, "", "\"summary\"");
	let_go();
	await_page(&w, RESOLVED, "EVENTS_BLOCKED");
	world_end(&w);
}

/* One page a look would be ten a second, for as long as the thread is held. */
static void announcements_are_not_many_for_as_long_as_it_lasts(void **state)
{
	char instance[32], quote[48];
	struct world w;
	unsigned said = 0;

	atomic_store(&stands_at, 0);
	world_begin(&w, state);
	hold(&w.engine, FATE_GOES_ON);
	for (; !page_place(&w, "-blocked.repeat-16", ""); said++) {
		/* One for each page, and what came between two later ones is in one of them. */
		assert_true(said < TRIES);
		snprintf(instance, sizeof instance, "p1-%u-", said);
		assert_int_equal(alert(&w.engine, TOCSIN_ALERT_RAISE, 1, "GENERAL", instance), 0);
		snprintf(quote, sizeof quote, "(%s)", instance);
		for (unsigned i = 0; i < 100 && !page_place(&w, "", quote); i++)
			usleep(10000);
	}
	unsigned last = page_place(&w, "-blocked.repeat-16", "");
	assert_true(said > 17);
	for (unsigned i = 0; i < said; i++) {
		snprintf(quote, sizeof quote, "GENERAL (p1-%u-", i);
		assert_true(await_page(&w, "", quote) <= last);
	}
	let_go();
	world_end(&w);
}

static void no_deadline_fires_for_what_may_lie_behind_it(void **state)
{
	struct world w;

	atomic_store(&stands_at, 0);
	world_begin(&w, state);
	engine_end(&w.engine);
	world_engine_begin(&w, "300ms");
	assert_int_equal(health(&w.engine, TOCSIN_HEALTH_FEED_PULSE, "okx", 0, 0), 0);
	assert_int_equal(world_flush(&w, FIXTURE_LIMIT_NS), 0);
	hold(&w.engine, FATE_GOES_ON);
	/* Pulses come in time, and nobody can read them. */
	for (unsigned i = 0; !page_place(&w, RAISED, "") || i < 50; i++) {
		assert_true(i < TRIES);
		assert_int_equal(health(&w.engine, TOCSIN_HEALTH_FEED_PULSE, "okx", 0, 0), 0);
		usleep(10000);
	}
	expect_none(&w, "", "DATA_FEED_DOWN");
	let_go();
	/* From here on it is silent, and that is told: once. */
	await_page(&w, "-feed.raised", "no data from okx");
	world_end(&w);
}

static void a_thread_that_writes_at_once_is_not_announced(void **state)
{
	struct world w;

	atomic_store(&stands_at, 0);
	world_begin(&w, state);
	assert_int_equal(world_flush(&w, FIXTURE_LIMIT_NS), 0);
	atomic_store(&stands_at, __real_clock_monotonic_ns());
	hold(&w.engine, FATE_GOES_ON);
	assert_int_equal(engine_say(&w.engine, TOCSIN_ALERT_RAISE, "first"), 0);
	/* It looks again and again, in no time. */
	unsigned long from = atomic_load(&asked);
	for (unsigned n = 0; atomic_load(&asked) < from + 1000; n++) {
		assert_true(n < TRIES);
		usleep(10000);
	}
	let_go();
	atomic_store(&stands_at, 0);
	assert_int_equal(world_flush(&w, FIXTURE_LIMIT_NS), 0);
	await_page(&w, "-call.raised", "\"first\"");
	expect_none(&w, "", "EVENTS_BLOCKED");
	world_end(&w);
}

/* Whatever time the stop is given, and whatever has become of the thread. */
static void a_stop_announces_says_what_it_leaves_and_the_next_run_has_it(void **state)
{
	static const struct {
		enum fate fate;
		uint64_t timeout_ns;
	} rows[] = {
		{ FATE_JUMPS_OUT, UINT64_MAX },
		{ FATE_ENDS, 4 * NS_PER_S },
		{ FATE_JUMPS_OUT, 0 },
		{ FATE_ENDS, NS_PER_MS },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char instance[16], quote[32], of_p1[32];
		struct world w;
		int r;

		atomic_store(&stands_at, 0);
		world_begin(&w, state);
		snprintf(instance, sizeof instance, "p1-%zu", i);
		snprintf(quote, sizeof quote, "GENERAL (%s): m", instance);
		snprintf(of_p1, sizeof of_p1, "\"%s\"", instance);
		/* A stop that comes before the first look has no time to see what is held. */
		assert_int_equal(
			dispatcher_flush(w.engine.dispatcher, TOCSIN_FLUSH_DURABLE, UINT64_MAX), 0);
		hold(&w.engine, rows[i].fate);
		assert_int_equal(engine_say(&w.engine, TOCSIN_ALERT_RAISE, instance), 0);
		r = dispatcher_stop(w.engine.dispatcher, rows[i].timeout_ns);
		while (r == -ETIMEDOUT)
			r = dispatcher_stop(w.engine.dispatcher, NS_PER_S);
		assert_int_equal(r, -EIO);
		assert_true(dispatcher_has_stopped(w.engine.dispatcher));
		dispatcher_free(w.engine.dispatcher);
		settings_free(w.engine.settings);
		let_go();
		expect_none(&w, "-call.raised", "");
		world_engine_begin(&w, "5s");
		/* A stop without time may end before its page is safe; then the next run makes it,
		 * and quotes nothing. */
		await_page(&w, RAISED, rows[i].timeout_ns > NS_PER_S ? quote : "EVENTS_BLOCKED");
		await_page(&w, "-call.raised", of_p1);
		await_page(&w, RESOLVED, "EVENTS_BLOCKED");
		expect_none(&w, "", "ENGINE_DOWN");
		world_end(&w);
	}
}

/* A run that dies at a hole: before anything was announced, after it was noted, or after a
 * checkpoint has it. The first ring position is 1, the hole's 2. */
static void die(const struct test_folder *f, bool noted)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct recorder_options o = { .size = 64 * RECORDER_SLOT_SIZE,
					      .first_position = 1,
					      .engine = "test" };
		struct engine e = { 0 };
		struct recorder *r;

		mkdirat(f->fd, "run", 0700);
		o.folder = openat(f->fd, "run", O_RDONLY | O_DIRECTORY);
		if (o.folder < 0 || recorder_create(&o, &r) < 0 || recorder_hold(r) < 0)
			_exit(1);
		struct layout_counters *c = recorder_producer(r)->counters;
		if (record_push(r, RECORDER_CLASS_FIRST, RECORDER_LOSS_P1, 1, "x", 1, NULL) < 0)
			_exit(1);
		atomic_fetch_add(&c->head, 1);
		const tocsin_alert_event event = {
			.head = { sizeof event, TOCSIN_ALERT_RAISE, 0 },
			.code = STR("GENERAL"),
			.priority = 1,
			.instance = STR("behind"),
		};
		struct layout_record record;
		size_t size = record_encode_alert(&event, clock_monotonic_ns(), &record);
		(void)e;
		if (recorder_push(recorder_producer(r), RECORDER_CLASS_FIRST, RECORDER_LOSS_P1, 1,
				  record.slots, size, NULL) < 0)
			_exit(1);
		if (noted)
			recorder_note_blocked(r, 2);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void what_was_announced_before_a_death_ends_after_it(void **state)
{
	for (unsigned noted = 0; noted < 2; noted++) {
		static const long steps[] = { 200 };
		struct world w = { .folder = *state, .server = http_start(steps, 1) };

		die(w.folder, noted);
		world_engine_begin(&w, "5s");
		await_page(&w, "-call.raised", "\"behind\"");
		assert_int_equal(world_flush(&w, FIXTURE_LIMIT_NS), 0);
		if (noted) {
			assert_true(await_page(&w, "-2" RAISED, "EVENTS_BLOCKED") <
				    await_page(&w, "-2" RESOLVED, "EVENTS_BLOCKED"));
		} else {
			expect_none(&w, "", "EVENTS_BLOCKED");
		}
		world_end(&w);
	}
}

static void one_that_a_checkpoint_has_ends_under_its_own_id(void **state)
{
	static const long steps[] = { 200 };
	struct world w = { .folder = *state, .server = http_start(steps, 1) };
	int ready[2], status;
	char byte;

	atomic_store(&stands_at, 0);
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		world_engine_begin(&w, "5s");
		if (health(&w.engine, TOCSIN_HEALTH_HEARTBEAT, "", 0, 0) < 0 ||
		    world_flush(&w, FIXTURE_LIMIT_NS) < 0)
			_exit(1);
		hold(&w.engine, FATE_JUMPS_OUT);
		if (engine_say(&w.engine, TOCSIN_ALERT_RAISE, "behind") < 0 ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	await_page(&w, RAISED, "GENERAL (behind): m");
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	world_engine_begin(&w, "5s");
	await_page(&w, "-call.raised", "\"behind\"");
	unsigned resolved = await_page(&w, RESOLVED, "EVENTS_BLOCKED");
	unsigned raised = await_page(&w, RAISED, "EVENTS_BLOCKED");
	const char *ids[] = { w.server->seen[raised - 1].id, w.server->seen[resolved - 1].id };
	assert_int_equal(strcspn(ids[0], "."), strcspn(ids[1], "."));
	assert_memory_equal(ids[0], ids[1], strcspn(ids[0], "."));
	await_page(&w, "-down.raised", "ENGINE_DOWN");
	world_end(&w);
}

#if defined(__SANITIZE_THREAD__)
static void threads_are_held_by_a_signal_that_this_sanitizer_delays(void **state)
{
	(void)state;
	skip();
}
#endif

int main(void)
{
#if defined(__SANITIZE_THREAD__)
	const struct CMUnitTest delayed[] = {
		cmocka_unit_test(threads_are_held_by_a_signal_that_this_sanitizer_delays),
	};

	return cmocka_run_group_tests(delayed, NULL, NULL);
#endif
	const struct CMUnitTest tests[] = {
		test_in_folder(what_waits_behind_a_held_thread_is_announced_and_then_applied),
		test_in_folder(each_p1_is_quoted_and_nothing_else),
		test_in_folder(however_many_wait_each_is_quoted_once),
		test_in_folder(no_limit_of_pages_folds_an_announcement),
		test_in_folder(announcements_are_not_many_for_as_long_as_it_lasts),
		test_in_folder(no_deadline_fires_for_what_may_lie_behind_it),
		test_in_folder(a_thread_that_writes_at_once_is_not_announced),
		test_in_folder(a_stop_announces_says_what_it_leaves_and_the_next_run_has_it),
		test_in_folder(what_was_announced_before_a_death_ends_after_it),
		test_in_folder(one_that_a_checkpoint_has_ends_under_its_own_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

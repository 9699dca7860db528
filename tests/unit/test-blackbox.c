/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "record/recorder.h"
#include "record/recorder_layout.h"
#include "tool/blackbox.h"
#include "tool/event_line.h"

#define SLOTS 64

static struct recorder *make(const struct test_folder *f, uint64_t slots)
{
	struct recorder_options o = {
		.folder = f->fd,
		.size = slots * RECORDER_SLOT_SIZE,
		.first_position = 1,
		.engine = "shadow",
	};
	struct recorder *r = NULL;

	assert_int_equal(recorder_create(&o, &r), 0);
	assert_int_equal(recorder_hold(r), 0);
	return r;
}

static void drop(struct recorder *r)
{
	recorder_release_hold(r, true);
	recorder_free(r, true);
}

static int push(struct recorder *r, struct layout_record *record, size_t len)
{
	return recorder_push(recorder_producer(r), RECORDER_CLASS_FIRST, 0, 1, record->slots, len,
			     NULL);
}

static int push_alert(struct recorder *r, uint64_t mono_ns, uint64_t wall_ns, const char *message)
{
	struct layout_record record;
	tocsin_alert_event e = {
		.head = { sizeof e, TOCSIN_ALERT_RAISE, wall_ns },
		.code = STR("DATA_FEED_DOWN"),
		.message = str(message),
	};

	return push(r, &record, record_encode_alert(&e, mono_ns, &record));
}

static int push_health(struct recorder *r, uint32_t kind, double value, double limit)
{
	static const tocsin_kv kv[] = { { STR("mode"), STR("shadow") }, { STR("n"), STR("1") } };
	struct layout_record record;
	tocsin_health_event e = {
		.head = { sizeof e, kind, UINT64_C(1785750996584631001) },
		.source = STR("okx:ETH-USD"),
		.session_id = STR("s"),
		.value = value,
		.limit = limit,
		.kv = kv,
		.n_kv = 2,
	};

	return push(r, &record, record_encode_health(&e, 1, &record));
}

/* What blackbox prints, as lines. */
struct printed {
	char *out, *facts;
	size_t n, out_len, facts_len;
	char *at; /* the next line */
};

static int print(const struct test_folder *f, const char *name, const struct blackbox_options *o,
		 struct printed *ret)
{
	struct printed p = { 0 };
	FILE *out = open_memstream(&p.out, &p.out_len);
	FILE *facts = open_memstream(&p.facts, &p.facts_len);
	int r = blackbox_print(f->fd, name, o, out, facts);

	fclose(out);
	fclose(facts);
	p.at = p.out;
	for (const char *c = p.out; (c = strchr(c, '\n')); c++)
		p.n++;
	*ret = p;
	return r;
}

static void printed_done(struct printed *p)
{
	free(p->out);
	free(p->facts);
}

/* The next line as play reads it. */
static int next(struct printed *p, struct event_line *e)
{
	char *end = strchr(p->at, '\n'), *line = p->at;

	if (!end)
		return 0;
	p->at = end + 1;
	return event_line_read(e, line, (size_t)(end - line));
}

static const struct blackbox_options all;

static void events_come_back_as_play_reads_them(void **state)
{
	const struct test_folder *f = *state;
	struct recorder *r = make(f, SLOTS);
	struct layout_record record;
	tocsin_session_event session = {
		.head = { sizeof session, TOCSIN_SESSION_STATUS, UINT64_C(1785750996584631001) },
		.session_id = STR("shadow_001"),
		.status = STR("run\"ning"),
	};
	struct event_line e;
	struct printed p;

	push(r, &record, record_encode_session(&session, 1, &record));
	push_health(r, TOCSIN_HEALTH_RISK, 0.31, 0.25);
	push_health(r, TOCSIN_HEALTH_RISK, (double)NAN, (double)INFINITY);
	push_health(r, TOCSIN_HEALTH_DRIFT, 0.12, 0);
	push_health(r, TOCSIN_HEALTH_DRIFT, 0, (double)NAN);
	push_health(r, TOCSIN_HEALTH_FEED_PULSE, 0, 0);
	push_alert(r, 1, 5 * NS_PER_S, "caf\xff\xc3\xa9\n");
	assert_int_equal(print(f, recorder_name(r), &all, &p), 0);
	assert_int_equal(p.n, 7);

	assert_int_equal(next(&p, &e), 1);
	assert_int_equal(e.family, EVENT_LINE_SESSION);
	assert_true(e.wall_ns == UINT64_C(1785750996584631001));
	assert_int_equal(e.session.head.kind, TOCSIN_SESSION_STATUS);
	assert_true(str_is(e.session.status, "run\"ning"));
	assert_int_equal(next(&p, &e), 1);
	assert_true(e.health.value == 0.31 && e.health.limit == 0.25);
	assert_true(str_is(e.health.source, "okx:ETH-USD"));
	assert_int_equal(e.health.n_kv, 2);
	assert_true(str_is(e.health.kv[0].key, "mode"));
	assert_int_equal(next(&p, &e), 1);
	assert_true(isnan(e.health.value) && isnan(e.health.limit));
	assert_int_equal(next(&p, &e), 1);
	assert_true(e.health.value == 0.12 && !isnan(e.health.limit));
	assert_int_equal(next(&p, &e), 1);
	assert_int_equal(e.health.head.kind, TOCSIN_HEALTH_DRIFT);
	assert_true(isnan(e.health.limit));
	assert_int_equal(next(&p, &e), 1);
	assert_int_equal(e.health.head.kind, TOCSIN_HEALTH_FEED_PULSE);
	assert_int_equal(next(&p, &e), 1);
	assert_true(str_is(e.alert.message, "caf\xef\xbf\xbd\xc3\xa9\n"));
	assert_int_equal(e.alert.priority, 0);
	assert_int_equal(next(&p, &e), 0);
	printed_done(&p);
	drop(r);
}

static void the_last_ones_are_the_newest(void **state)
{
	const struct test_folder *f = *state;
	struct recorder *r = make(f, SLOTS);
	struct blackbox_options last = { .last = 3 };
	struct event_line e;
	struct printed p;
	char text[8];

	for (unsigned n = 0; n < 200; n++) {
		snprintf(text, sizeof text, "m%u", n);
		push_alert(r, 1, NS_PER_S, text);
		recorder_checkpoint(r, recorder_head(r), 0, "", 0);
	}
	assert_int_equal(print(f, recorder_name(r), &last, &p), 0);
	assert_int_equal(p.n, 3);
	for (unsigned n = 197; n < 200; n++) {
		snprintf(text, sizeof text, "m%u", n);
		assert_int_equal(next(&p, &e), 1);
		assert_true(str_is(e.alert.message, text));
	}
	printed_done(&p);
	last.last = 1000;
	assert_int_equal(print(f, recorder_name(r), &last, &p), 0);
	assert_int_equal(p.n, SLOTS);
	assert_null(strstr(p.facts, "slots"));
	printed_done(&p);
	drop(r);
}

static void what_has_no_date_gets_one_from_the_clocks_offset(void **state)
{
	const struct test_folder *f = *state;
	struct recorder *r = make(f, SLOTS);
	struct event_line e;
	struct printed p;

	push_alert(r, 7 * NS_PER_S + 5, 0, "m");
	recorder_checkpoint(r, 2, (int64_t)(1000 * NS_PER_S), "", 0);
	assert_int_equal(print(f, recorder_name(r), &all, &p), 0);
	assert_int_equal(next(&p, &e), 1);
	assert_true(e.wall_ns == 1007 * NS_PER_S + 5);
	printed_done(&p);
	drop(r);
}

static void the_facts_tell_of_the_run(void **state)
{
	const struct test_folder *f = *state;
	struct recorder *r = make(f, SLOTS);
	struct blackbox_options json = { .json = true };
	struct layout_slot torn = { 0 };
	struct printed p;

	push_alert(r, 1, NS_PER_S, "m");
	recorder_checkpoint(r, 2, 1, "", 0);
	push_alert(r, 1, NS_PER_S, "m");
	/* One that was reserved and never written. */
	_cleanup_close_ int fd = openat(f->fd, recorder_name(r), O_RDWR | O_CLOEXEC);
	off_t slots = 2 * LAYOUT_PAGE + 2 * (off_t)LAYOUT_CHECKPOINT_AREA;
	assert_int_equal(pwrite(fd, &torn, sizeof torn, slots + 2 * (off_t)sizeof torn), 512);

	assert_int_equal(print(f, recorder_name(r), &all, &p), 0);
	assert_int_equal(p.n, 1);
	assert_non_null(strstr(p.facts, "engine shadow, "));
	assert_non_null(strstr(p.facts, "running"));
	assert_non_null(strstr(p.facts, "checkpoint at 2, next position 3"));
	assert_non_null(strstr(p.facts, "1 events, 1 slots being written"));
	printed_done(&p);
	recorder_release_hold(r, false);
	assert_int_equal(print(f, recorder_name(r), &json, &p), 0);
	assert_int_equal(p.facts_len, 0);
	assert_int_equal(p.n, 2);
	assert_non_null(strstr(p.out, "\"engine\":\"shadow\""));
	assert_non_null(strstr(p.out, "\"state\":\"stopped\""));
	assert_non_null(strstr(p.out, "\"torn\":1"));
	printed_done(&p);
	recorder_free(r, true);
}

/* --- Alive --- */

struct writer {
	struct recorder *recorder;
	atomic_bool over;
};

/* Records of all lengths, each full of one letter, as fast as it goes. */
static void *write_on(void *arg)
{
	struct writer *w = arg;
	char message[3000];
	const uint8_t *bytes;
	uint64_t position, next_position;
	size_t len;

	for (unsigned n = 0; !atomic_load(&w->over); n++) {
		size_t length = 1 + n * 37 % (sizeof message - 1);

		memset(message, 'a' + (int)(n % 26), length);
		message[length] = 0;
		push_alert(w->recorder, 1, NS_PER_S + n, message);
		while (recorder_next(w->recorder, &bytes, &len, &position, &next_position) == 1)
			recorder_checkpoint(w->recorder, next_position, 0, "", 0);
	}
	return NULL;
}

static void of_a_living_one_no_event_is_a_mixture(void **state)
{
	const struct test_folder *f = *state;
	struct writer w = { .recorder = make(f, SLOTS) };
	struct event_line e;
	struct printed p;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, write_on, &w), 0);
	for (unsigned round = 0; round < 2000; round++) {
		uint64_t last = 0;

		assert_int_equal(print(f, recorder_name(w.recorder), &all, &p), 0);
		assert_null(strstr(p.facts, "cannot be read"));
		while (next(&p, &e) > 0) {
			const char *m = e.alert.message.ptr;

			for (size_t i = 1; i < e.alert.message.len; i++)
				assert_int_equal(m[i], m[0]);
			uint64_t n = e.wall_ns - NS_PER_S;
			assert_int_equal(m[0], 'a' + (int)(n % 26));
			assert_int_equal(e.alert.message.len, 1 + (size_t)n * 37 % 2999);
			assert_true(last == 0 || e.wall_ns > last);
			last = e.wall_ns;
		}
		assert_true(p.at == p.out + p.out_len);
		printed_done(&p);
	}
	atomic_store(&w.over, true);
	pthread_join(thread, NULL);
	drop(w.recorder);
}

/* --- Damaged --- */

static uint64_t draw(uint64_t *random, uint64_t below)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random % below;
}

/* Whatever is printed, play can read it. */
static void print_damaged(const struct test_folder *f, const char *name, struct event_line *e)
{
	struct printed p;
	int r = print(f, name, &all, &p);

	assert_true(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
	while (*p.at) {
		const char *before = p.at;

		if (next(&p, e) != 1)
			fail_msg("%s in: %s", e->error, before);
	}
	printed_done(&p);
}

static void a_flipped_or_cut_file_is_survived(void **state)
{
	const struct test_folder *f = *state;
	struct recorder *r = make(f, SLOTS);
	const off_t slots = 2 * LAYOUT_PAGE + 2 * (off_t)LAYOUT_CHECKPOINT_AREA;
	uint64_t random = 88172645463325252u;
	struct event_line e;

	for (unsigned n = 0; n < 12; n++) {
		push_alert(r, 1, NS_PER_S, "a message");
		push_health(r, TOCSIN_HEALTH_RISK, 1, 2);
	}
	recorder_checkpoint(r, 3, 1, "state", 5);
	_cleanup_close_ int fd = openat(f->fd, recorder_name(r), O_RDWR | O_CLOEXEC);
	for (unsigned round = 0; round < 4000; round++) {
		static const off_t size[] = { sizeof(struct layout_header), 256,
					      sizeof(struct layout_checkpoint) + 5,
					      24 * RECORDER_SLOT_SIZE };
		const off_t begin[] = { 0, LAYOUT_PAGE,
					2 * LAYOUT_PAGE + (off_t)LAYOUT_CHECKPOINT_AREA, slots };
		uint64_t part = draw(&random, 4);
		off_t at = begin[part] + (off_t)draw(&random, (uint64_t)size[part]);
		uint8_t was, now;

		assert_int_equal(pread(fd, &was, 1, at), 1);
		now = was ^ (uint8_t)(1u << draw(&random, 8));
		assert_int_equal(pwrite(fd, &now, 1, at), 1);
		print_damaged(f, recorder_name(r), &e);
		/* Some stay, so that it gets worse. */
		if (draw(&random, 32) != 0)
			assert_int_equal(pwrite(fd, &was, 1, at), 1);
	}
	char name[64];
	snprintf(name, sizeof name, "%s", recorder_name(r));
	/* Nobody has it mapped any more. */
	recorder_release_hold(r, false);
	recorder_free(r, false);
	for (off_t size = slots + SLOTS * RECORDER_SLOT_SIZE; size > 0; size -= 77777) {
		assert_int_equal(ftruncate(fd, size), 0);
		print_damaged(f, name, &e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(events_come_back_as_play_reads_them),
		test_in_folder(the_last_ones_are_the_newest),
		test_in_folder(what_has_no_date_gets_one_from_the_clocks_offset),
		test_in_folder(the_facts_tell_of_the_run),
		test_in_folder(of_a_living_one_no_event_is_a_mixture),
		test_in_folder(a_flipped_or_cut_file_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

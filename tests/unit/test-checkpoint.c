/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "picture_fixture.h"

#include <errno.h>

#include "picture/checkpoint.h"
#include "picture/checkpoint_format.h"
#include "picture/state.h"
#include "record/recorder.h"

static void encode(const struct fixture *f, struct checkpoint_buffer *buf)
{
	assert_int_equal(checkpoint_encode(f->picture, buf), 0);
}

/* A second picture as the checkpoint has the first; what was told before is not repeated. */
static void decode(const struct fixture *from, const struct checkpoint_buffer *buf,
		   const struct picture_settings *settings, struct fixture *ret)
{
	*ret = (struct fixture){ .position = from->position, .endpoints = from->endpoints };
	fixture_start(ret, settings);
	assert_int_equal(checkpoint_decode(ret->picture, buf->ptr, buf->len, 0), 0);
}

static void assert_same_bytes(const struct checkpoint_buffer *a, const struct checkpoint_buffer *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->ptr, b->ptr, a->len);
}

static void forget_told(struct fixture *f)
{
	text_buffer_done(&f->told);
	f->told = (struct text_buffer){ 0 };
}

struct chance {
	uint64_t dice;
	double s;
};

static void apply_random(struct fixture *f, struct chance *c)
{
	struct record r = random_record(&c->dice);

	c->s += random_next(&c->dice, 1000) / 300.0;
	if (random_next(&c->dice, 40) == 0)
		picture_note_loss(f->picture, SECONDS(c->s), SECONDS(c->s));
	apply_at(f, c->s, &r);
}

static void a_picture_decoded_goes_on_like_the_one_encoded(void **state)
{
	struct picture_settings settings = fixture_settings();

	(void)state;
	for (uint64_t seed = 1; seed <= 25; seed++) {
		struct fixture first = { .endpoints = 5 }, second;
		struct chance c = { seed, 0 }, same;
		struct checkpoint_buffer buf = { 0 }, again = { 0 };

		fixture_start(&first, &settings);
		for (unsigned i = 0; i < 40 * seed; i++)
			apply_random(&first, &c);
		encode(&first, &buf);
		decode(&first, &buf, &settings, &second);
		assert_null(second.told.ptr);
		encode(&second, &again);
		assert_same_bytes(&buf, &again);

		forget_told(&first);
		same = c;
		for (unsigned i = 0; i < 500; i++) {
			apply_random(&first, &c);
			apply_random(&second, &same);
		}
		advance_to(&first, 1e6);
		advance_to(&second, 1e6);
		assert_string_equal(first.told.ptr, second.told.ptr);
		encode(&first, &buf);
		encode(&second, &again);
		assert_same_bytes(&buf, &again);
		free(buf.ptr);
		free(again.ptr);
		fixture_done(&first);
		fixture_done(&second);
	}
}

static void all_that_was_known_is_known_again(void **state)
{
	struct picture_settings settings = fixture_settings();
	struct fixture first = { .endpoints = 5 }, second;
	struct checkpoint_buffer buf = { 0 };
	struct record r = session_of(TOCSIN_SESSION_CREATED, NULL, "odd\xff");

	(void)state;
	fixture_start(&first, &settings);
	r.session_id = STR("s\0t");
	r.kv[0] = (tocsin_kv){ STR("k"), STR("v\0w") };
	r.n_kv = 1;
	apply_at(&first, 1, &r);
	r = alert_of(TOCSIN_ALERT_RAISE, 2, "bad code", "s", "i", "message");
	r.kv[0] = (tocsin_kv){ STR("m"), STR("n") };
	r.n_kv = 1;
	apply_at(&first, 2, &r);
	r.priority = 1;
	apply_at(&first, 3, &r);
	encode(&first, &buf);
	decode(&first, &buf, &settings, &second);

	const struct session *s = sessions_get(picture_sessions(second.picture), STR("s\0t"));
	assert_string_equal(s->status, "odd\xff");
	assert_true(str_equal(s->metadata.kv[0].value, STR("v\0w")));
	const struct incident *i = alerts_recent(picture_alerts(second.picture), at_s(3));
	assert_string_equal(i->id, "abcd0000000000000000000000000000-2-call");
	assert_string_equal(i->key, "GENERAL raw=bad%20code session=s instance=i");
	assert_string_equal(i->raw_code, "bad code");
	assert_string_equal(i->message, "message");
	assert_string_equal(i->session_id, "s");
	assert_string_equal(i->instance, "i");
	assert_null(i->source);
	assert_true(str_equal(i->metadata.kv[0].key, STR("m")));
	assert_int_equal(i->number, 3);
	assert_int_equal(i->count, 2);
	assert_int_equal(i->repeats, 1);
	assert_int_equal(i->paged_priority, 1);
	assert_int_equal(i->endpoints, 5);
	assert_int_equal(alerts_raised(picture_alerts(second.picture), 1), 1);
	assert_int_equal(alerts_raised(picture_alerts(second.picture), 2), 1);
	free(buf.ptr);
	fixture_done(&first);
	fixture_done(&second);
}

static void every_time_and_nul_comes_back(void **state)
{
	static const uint64_t times[] = {
		0,
		1,
		(UINT64_C(1) << 53) + 1,
		UINT64_C(1785750996584631000),
		INT64_MAX,
		INT64_MAX + UINT64_C(1),
		UINT64_MAX - 1,
		UINT64_MAX,
	};

	(void)state;
	for (size_t n = 0; n < sizeof times / sizeof *times; n++) {
		struct picture_settings settings = fixture_settings();
		struct fixture first = { .endpoints = 5 }, second;
		struct checkpoint_buffer buf = { 0 };
		struct record r = alert_of(TOCSIN_ALERT_RAISE, 1, "A", NULL, NULL, NULL);

		r.session_id = STR("s\0t");
		r.instance = STR("\0");
		r.message = STR("one\0two");
		fixture_start(&first, &settings);
		picture_apply(first.picture, &r, 1, (struct moment){ times[n], times[n] });
		encode(&first, &buf);
		decode(&first, &buf, &settings, &second);
		const struct incident *i = alerts_find(picture_alerts(second.picture), false,
						       STR("A"), r.session_id, STR(""), r.instance);
		assert_non_null(i);
		assert_true(i->raised.wall_ns == times[n]);
		assert_string_equal(i->message, "one\xef\xbf\xbdtwo");
		assert_string_equal(i->session_id, "s\xef\xbf\xbdt");
		free(buf.ptr);
		fixture_done(&first);
		fixture_done(&second);
	}
}

static void an_empty_picture_is_small_and_comes_back(void **state)
{
	struct picture_settings settings = fixture_settings();
	struct fixture first = { 0 }, second;
	struct checkpoint_buffer buf = { 0 };

	(void)state;
	fixture_start(&first, &settings);
	encode(&first, &buf);
	assert_true(buf.len < 512);
	decode(&first, &buf, &settings, &second);
	assert_int_equal(picture_next_deadline(second.picture), UINT64_MAX);
	free(buf.ptr);
	fixture_done(&first);
	fixture_done(&second);
}

static char bytes[TOCSIN_TEXT_MAX];
static char endpoint_name[256];

/* As many key-values as there may be, `n` bytes of them in all, behind a message of `skip`. */
static void fill_kv(struct record *r, size_t n)
{
	static char keys[RECORD_KV_MAX][4];

	for (size_t i = 0; i < RECORD_KV_MAX; i++) {
		snprintf(keys[i], sizeof keys[i], "k%02zu", i);
		size_t len = n / RECORD_KV_MAX - 3;

		r->kv[i] = (tocsin_kv){ { keys[i], 3 }, { bytes, len } };
	}
	r->kv[RECORD_KV_MAX - 1].value.len += n % RECORD_KV_MAX;
	r->n_kv = RECORD_KV_MAX;
}

static tocsin_str long_id(char id[static TOCSIN_ID_MAX + 1], unsigned n)
{
	memset(id, 0xff, TOCSIN_ID_MAX);
	snprintf(id, 16, "%u", n);
	return (tocsin_str){ id, TOCSIN_ID_MAX };
}

/* As many pages as are remembered within the minute; what comes then is held. */
static void fill_minute(struct fixture *f)
{
	struct rate_limit *s = &f->picture->rate_limit;

	for (unsigned i = 0; i < RATE_LIMIT_GROUPS_MAX; i++) {
		rate_limit_note(s, false, at_s(2));
		s->all.went[i].n = s->limit;
		s->all.n_went = (i + 1) * s->limit;
	}
	assert_int_equal(s->all.n_groups, RATE_LIMIT_GROUPS_MAX);
}

/* Everything there can be, and every text as long as can be. */
static void fill_picture(struct fixture *f)
{
	char id[TOCSIN_ID_MAX + 1], code[TOCSIN_CODE_MAX + 1] = "";
	struct record r;

	memset(bytes, 0xfe, sizeof bytes);
	memset(code, 'C', TOCSIN_CODE_MAX);
	for (unsigned i = 0; i < SESSIONS_MAX + 5; i++) {
		r = session_of(TOCSIN_SESSION_CREATED, NULL, NULL);
		r.session_id = r.status = long_id(id, i);
		fill_kv(&r, TOCSIN_TEXT_MAX);
		apply_at(f, 1, &r);
	}
	for (unsigned i = 0; i < STATUS_FEEDS_MAX + 5; i++) {
		r = health_of(TOCSIN_HEALTH_FEED_PULSE, NULL);
		r.source = long_id(id, i);
		apply_at(f, 2, &r);
	}
	r = health_of(TOCSIN_HEALTH_METADATA, NULL);
	fill_kv(&r, TOCSIN_TEXT_MAX);
	apply_at(f, 2, &r);
	fill_minute(f);
	for (unsigned i = 0; i < ALERTS_OPEN_MAX + 5; i++) {
		r = alert_of(TOCSIN_ALERT_RAISE, 1, i % 2 ? code : NULL, NULL, NULL, NULL);
		if (i % 2 == 0)
			r.code = (tocsin_str){ bytes, TOCSIN_ID_MAX };
		r.session_id = r.instance = long_id(id, i);
		r.message = (tocsin_str){ bytes, 1000 };
		fill_kv(&r, TOCSIN_TEXT_MAX - 1000);
		apply_at(f, 3, &r);
	}
}

static struct picture_settings full_settings(void)
{
	static const char *const names[] = { endpoint_name, endpoint_name, endpoint_name,
					     endpoint_name, endpoint_name, endpoint_name,
					     endpoint_name, endpoint_name };
	struct picture_settings settings = fixture_settings();

	memset(endpoint_name, 'e', sizeof endpoint_name - 1);
	settings.endpoints = names;
	settings.n_endpoints = sizeof names / sizeof *names;
	settings.alerts.max_pages_per_minute = 1;
	return settings;
}

static void a_picture_full_of_the_longest_fits_and_comes_back(void **state)
{
	struct picture_settings settings = full_settings();
	struct fixture first = { 0 }, second;
	struct checkpoint_buffer buf = { 0 }, again = { 0 };

	(void)state;
	fixture_start(&first, &settings);
	fill_picture(&first);
	assert_int_equal(sessions_count(picture_sessions(first.picture)), SESSIONS_MAX);
	assert_int_equal(picture_status(first.picture)->n_feeds, STATUS_FEEDS_MAX);
	assert_int_equal(alerts_open(picture_alerts(first.picture)),
			 ALERTS_OPEN_MAX +
				 3); /* and CAPACITY_REACHED of feeds, sessions, incidents */
	assert_int_equal(first.picture->rate_limit.held.n_ids, RATE_LIMIT_IDS_MAX);
	encode(&first, &buf);
	/* A third identifier, which no event has, and a longer alert_id could still come on top. */
	assert_true(buf.len + ALERTS_OPEN_MAX * (TOCSIN_ID_MAX + 6 + ALERT_ID_SIZE) <=
		    RECORDER_CHECKPOINT_MAX);
	decode(&first, &buf, &settings, &second);
	encode(&second, &again);
	assert_same_bytes(&buf, &again);
	free(buf.ptr);
	free(again.ptr);
	fixture_done(&first);
	fixture_done(&second);
}

static void the_buffers_room_is_used_again(void **state)
{
	struct picture_settings settings = full_settings();
	struct fixture f = { 0 };
	struct checkpoint_buffer buf = { 0 };

	(void)state;
	fixture_start(&f, &settings);
	fill_picture(&f);
	encode(&f, &buf);
	const uint8_t *room = buf.ptr;
	size_t len = buf.len, size = buf.size;
	encode(&f, &buf);
	assert_ptr_equal(buf.ptr, room);
	assert_int_equal(buf.len, len);
	assert_int_equal(buf.size, size);
	free(buf.ptr);
	fixture_done(&f);
}

static int decode_bytes(const uint8_t *from, size_t len)
{
	struct picture_settings settings = fixture_settings();
	struct fixture f = { 0 };
	/* A copy of exactly that size, so that reading past it is seen. */
	_cleanup_free_ uint8_t *copy = malloc(len ? len : 1);

	if (len > 0)
		memcpy(copy, from, len);
	fixture_start(&f, &settings);
	int r = checkpoint_decode(f.picture, copy, len, 0);
	if (r == 0) {
		struct checkpoint_buffer buf = { 0 };
		struct record pulse = health_of(TOCSIN_HEALTH_FEED_PULSE, "a");

		apply_at(&f, 1e6, &pulse);
		encode(&f, &buf);
		assert_true(buf.len <= RECORDER_CHECKPOINT_MAX);
		free(buf.ptr);
	}
	fixture_done(&f);
	return r;
}

static void make_some(struct checkpoint_buffer *buf)
{
	static const char *const endpoints[] = { "webhook", "desk" };
	struct picture_settings settings = fixture_settings();
	struct fixture f = { 0 };
	struct chance c = { 7, 0 };

	settings.alerts.max_pages_per_minute = 1;
	settings.endpoints = endpoints;
	settings.n_endpoints = 2;
	fixture_start(&f, &settings);
	for (unsigned i = 0; i < 300; i++)
		apply_random(&f, &c);
	assert_true(rate_limit_waits(&f.picture->rate_limit));
	encode(&f, buf);
	fixture_done(&f);
}

static void cut_short_anywhere_it_is_refused_or_whole_items_are_missing(void **state)
{
	struct checkpoint_buffer buf = { 0 };
	unsigned refused = 0;

	(void)state;
	make_some(&buf);
	for (size_t len = 0; len < buf.len; len++) {
		int r = decode_bytes(buf.ptr, len);

		assert_true(r == 0 || r == -EBADMSG);
		refused += r != 0;
	}
	assert_true(refused > buf.len * 9 / 10);
	free(buf.ptr);
}

static void damaged_anywhere_it_does_no_harm(void **state)
{
	struct checkpoint_buffer buf = { 0 };
	uint64_t dice = 1;

	(void)state;
	make_some(&buf);
	assert_int_equal(decode_bytes(buf.ptr, buf.len), 0);
	for (unsigned i = 0; i < 3000; i++) {
		size_t at = random_next(&dice, (uint32_t)buf.len);
		uint8_t was = buf.ptr[at];

		buf.ptr[at] = (uint8_t)(random_next(&dice, 4) ? random_next(&dice, 256) : 0xff);
		int r = decode_bytes(buf.ptr, buf.len);
		assert_true(r == 0 || r == -EBADMSG);
		/* Damage piles up over a few rounds, then starts afresh. */
		if (i % 8 == 7) {
			make_some(&buf);
		} else if (i % 2) {
			buf.ptr[at] = was;
		}
	}
	free(buf.ptr);
}

/* A checkpoint with one item put in after its head. */
static int decode_with(uint16_t tag, const void *content, uint32_t len)
{
	struct checkpoint_buffer buf = { 0 };
	uint8_t *with;

	make_some(&buf);
	with = malloc(buf.len + 6 + len);
	memcpy(with, buf.ptr, 8);
	memcpy(with + 8, &tag, 2);
	memcpy(with + 10, &len, 4);
	if (len > 0)
		memcpy(with + 14, content, len);
	memcpy(with + 14 + len, buf.ptr + 8, buf.len - 8);
	int r = decode_bytes(with, buf.len + 6 + len);
	free(with);
	free(buf.ptr);
	return r;
}

/* Cuts what later versions have added to the end of an item's fixed part; returns what is left. */
static size_t item_shorten(uint8_t *item, uint16_t tag, size_t size)
{
	uint32_t len;

	memcpy(&len, item + 2, sizeof len);
	uint8_t *end = item + 6 + len;
	if (tag == TAG_SESSION || tag == TAG_INCIDENT) {
		uint32_t fixed;

		/* The fixed part comes first. */
		memcpy(&fixed, item + 6 + 2, sizeof fixed);
		uint32_t less = fixed - (uint32_t)size;
		memmove(item + 12 + size, item + 12 + fixed, (size_t)(end - (item + 12 + fixed)));
		fixed = (uint32_t)size;
		memcpy(item + 6 + 2, &fixed, sizeof fixed);
		len -= less;
	} else {
		len = (uint32_t)size;
	}
	memcpy(item + 2, &len, sizeof len);
	return 6 + len;
}

/* As version 1.0 wrote it. */
static void make_earlier(struct checkpoint_buffer *buf)
{
	static const size_t sizes[] = {
		[TAG_PICTURE] = 184,
		[TAG_SESSION] = 32,
		[TAG_INCIDENT] = 112,
	};
	size_t at = sizeof(struct checkpoint_head);

	while (at < buf->len) {
		uint8_t *item = buf->ptr + at;
		uint16_t tag;
		uint32_t len;

		memcpy(&tag, item, sizeof tag);
		memcpy(&len, item + 2, sizeof len);
		size_t before = 6 + len, now = before;
		if (tag < sizeof sizes / sizeof *sizes && sizes[tag] > 0)
			now = item_shorten(item, tag, sizes[tag]);
		memmove(item + now, item + before, buf->len - at - before);
		buf->len -= before - now;
		at += now;
	}
}

static void what_an_earlier_version_wrote_is_read(void **state)
{
	struct picture_settings settings = fixture_settings();
	struct fixture first = { .endpoints = 5 }, second;
	struct checkpoint_buffer buf = { 0 };
	struct record r = session_of(TOCSIN_SESSION_CREATED, "s", "running");
	struct moment since;

	(void)state;
	fixture_start(&first, &settings);
	apply_at(&first, 1, &r);
	r = alert_of(TOCSIN_ALERT_RAISE, 2, "CODE", "s", "i", "message");
	apply_at(&first, 2, &r);
	encode(&first, &buf);
	size_t len = buf.len;
	make_earlier(&buf);
	assert_true(buf.len < len);
	decode(&first, &buf, &settings, &second);
	assert_true(sessions_running_since(picture_sessions(second.picture), &since));
	const struct incident *i = alerts_newest(picture_alerts(second.picture));
	assert_string_equal(i->message, "message");
	assert_int_equal(i->priority, 2);
	r = alert_of(TOCSIN_ALERT_CLEAR, 0, "CODE", "s", "i", NULL);
	apply_at(&second, 3, &r);
	assert_int_equal(alerts_open(picture_alerts(second.picture)), 0);
	free(buf.ptr);
	fixture_done(&first);
	fixture_done(&second);
}

static void a_later_versions_items_are_stepped_over(void **state)
{
	(void)state;
	assert_int_equal(decode_with(999, "whatever", 8), 0);
	assert_int_equal(decode_with(UINT16_MAX, NULL, 0), 0);
}

static void items_without_their_parts_are_refused(void **state)
{
	(void)state;
	for (uint16_t tag = 1; tag <= 5; tag++)
		assert_int_equal(decode_with(tag, NULL, 0), tag == 2 ? 0 : -EBADMSG);
	for (uint16_t tag = 6; tag <= 7; tag++)
		assert_int_equal(decode_with(tag, "\xff\xff\xff\xff", 4), -EBADMSG);
	assert_int_equal(decode_with(2, "\xff\xff\xff\xff", 4), -EBADMSG);
	assert_int_equal(decode_bytes(NULL, 0), -EBADMSG);
	assert_int_equal(decode_bytes((const uint8_t *)"not one of ours", 15), -EBADMSG);
}

static void a_rule_turned_off_since_stays_off(void **state)
{
	struct picture_settings settings = fixture_settings();
	struct fixture first = { 0 }, second;
	struct checkpoint_buffer buf = { 0 };
	struct record pulse = health_of(TOCSIN_HEALTH_FEED_PULSE, "x");

	(void)state;
	fixture_start(&first, &settings);
	apply_at(&first, 1, &pulse);
	encode(&first, &buf);
	settings.thresholds.feed_stale_after_ns = 0;
	decode(&first, &buf, &settings, &second);
	advance_to(&second, 100);
	assert_told(&second, "");
	free(buf.ptr);
	fixture_done(&first);
	fixture_done(&second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_picture_decoded_goes_on_like_the_one_encoded),
		cmocka_unit_test(all_that_was_known_is_known_again),
		cmocka_unit_test(every_time_and_nul_comes_back),
		cmocka_unit_test(an_empty_picture_is_small_and_comes_back),
		cmocka_unit_test(a_picture_full_of_the_longest_fits_and_comes_back),
		cmocka_unit_test(the_buffers_room_is_used_again),
		cmocka_unit_test(cut_short_anywhere_it_is_refused_or_whole_items_are_missing),
		cmocka_unit_test(damaged_anywhere_it_does_no_harm),
		cmocka_unit_test(what_an_earlier_version_wrote_is_read),
		cmocka_unit_test(a_later_versions_items_are_stepped_over),
		cmocka_unit_test(items_without_their_parts_are_refused),
		cmocka_unit_test(a_rule_turned_off_since_stays_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

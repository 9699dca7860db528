/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "deliver_fixture.h"

#include <errno.h>

#define ALERT_ID "00112233445566778899aabbccddeeff-42-feed"

static void a_file_gives_the_same_page_again(void **state)
{
	struct page *p = fixture_page_at(ALERT_ID, 2, PAGE_REPEAT, FIXTURE_WALL_NS), *again = NULL;
	char *bytes, *endpoint;
	size_t len;

	(void)state;
	assert_int_equal(page_to_file(p, "webhook.second", &bytes, &len), 0);
	assert_int_equal(page_from_file(bytes, len, &again, &endpoint), 0);
	assert_string_equal(endpoint, "webhook.second");
	assert_string_equal(again->id, p->id);
	assert_string_equal(again->alert_id, p->alert_id);
	assert_string_equal(again->code, p->code);
	assert_int_equal(again->type, p->type);
	assert_int_equal(again->priority, 2);
	assert_true(again->event_wall_ns == p->event_wall_ns);
	assert_true(again->due_wall_ns == p->due_wall_ns);
	assert_true(json_equal(again->data, p->data));
	free(bytes);
	free(endpoint);
	page_unref(p);
	page_unref(again);
}

/* Whatever the engine's clock says: a page that is refused when it is read is lost. */
static void every_time_comes_back(void **state)
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
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		struct page *p = fixture_page(ALERT_ID), *again = NULL;
		uint64_t expected = times[i] > INT64_MAX ? INT64_MAX : times[i];
		char *bytes, *endpoint;
		size_t len;

		p->event_wall_ns = p->due_wall_ns = times[i];
		assert_int_equal(page_to_file(p, "webhook", &bytes, &len), 0);
		assert_int_equal(page_from_file(bytes, len, &again, &endpoint), 0);
		assert_true(again->event_wall_ns == expected);
		assert_true(again->due_wall_ns == expected);
		free(bytes);
		free(endpoint);
		page_unref(p);
		page_unref(again);
	}
}

/* As version 1.0 wrote times past 2262. */
static void a_negative_time_of_an_older_version_is_read(void **state)
{
	static const struct {
		const char *event, *due;
		uint64_t event_ns, due_ns;
	} rows[] = {
		{ "-1", "5", 5, 5 },
		{ "-9223372036854775808", "5", 5, 5 },
		{ "5", "-1", 5, INT64_MAX },
		{ "-1", "-2", INT64_MAX, INT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct page *p = NULL;
		char text[512], *endpoint;

		snprintf(text, sizeof text,
			 "{\"format\":1,\"endpoint\":\"w\",\"id\":\"x\",\"priority\":1,"
			 "\"alert_id\":\"a\",\"code\":\"GENERAL\",\"type\":\"test\","
			 "\"event_wall_ns\":%s,\"due_wall_ns\":%s,\"data\":{}}",
			 rows[i].event, rows[i].due);
		assert_int_equal(page_from_file(text, strlen(text), &p, &endpoint), 0);
		assert_true(p->event_wall_ns == rows[i].event_ns);
		assert_true(p->due_wall_ns == rows[i].due_ns);
		free(endpoint);
		page_unref(p);
	}
}

#define FILE_REST                                                                                  \
	"\"alert_id\":\"a\",\"code\":\"GENERAL\",\"type\":\"test\",\"event_wall_ns\":1,\"due_"     \
	"wall_ns\":1,\"data\":{}"

static void a_damaged_file_is_refused(void **state)
{
	static const struct {
		const char *text;
		int error;
	} bad[] = {
		{ "", -EBADMSG },
		{ "[]", -EBADMSG },
		{ "null", -EBADMSG },
		{ "{\"format\":1}", -EBADMSG },
		{ "{\"format\":0}", -EBADMSG },
		{ "{\"format\":\"1\"}", -EBADMSG },
		{ "{\"format\":2}", -EPROTONOSUPPORT },
		{ "{\"format\":1,\"endpoint\":\"w\",\"id\":\"x\",\"priority\":0," FILE_REST "}",
		  -EBADMSG },
		{ "{\"format\":1,\"endpoint\":\"w\",\"id\":\"x\",\"priority\":4," FILE_REST "}",
		  -EBADMSG },
		{ "{\"format\":1,\"endpoint\":\"\",\"id\":\"x\",\"priority\":1," FILE_REST "}",
		  -EBADMSG },
		{ "{\"format\":1,\"endpoint\":\"w\",\"id\":\"\",\"priority\":1," FILE_REST "}",
		  -EBADMSG },
		{ "{\"format\":1,\"endpoint\":\"w\",\"id\":\"../x\",\"priority\":1," FILE_REST "}",
		  -EBADMSG },
		{ "{\"format\":1,\"endpoint\":\"w\",\"id\":\"x\\r\\nA: "
		  "b\",\"priority\":1," FILE_REST "}",
		  -EBADMSG },
		{ "{\"format\":1,\"endpoint\":\"w\",\"id\":\"x\",\"id\":\"y\",\"priority\":"
		  "1," FILE_REST "}",
		  -EBADMSG },
		{ "{\"format\":1,\"endpoint\":\"w\",\"id\":\"x\",\"priority\":1," FILE_REST,
		  -EBADMSG },
	};
	static const char good[] = "{\"format\":1,\"endpoint\":\"w\",\"id\":\"x\",\"priority\":1,"
				   "\"of_later\":[]," FILE_REST "}";
	struct page *p = NULL;
	char *endpoint;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(page_from_file(bad[i].text, strlen(bad[i].text), &p, &endpoint),
				 bad[i].error);
		assert_null(p);
	}
	assert_int_equal(page_from_file(good, strlen(good), &p, &endpoint), 0);
	free(endpoint);
	page_unref(p);
}

static void every_cut_of_a_file_is_refused(void **state)
{
	struct page *p = fixture_page(ALERT_ID), *again = NULL;
	char *bytes, *endpoint;
	size_t len;

	(void)state;
	assert_int_equal(page_to_file(p, "webhook", &bytes, &len), 0);
	for (size_t n = 0; n < len; n++)
		assert_int_equal(page_from_file(bytes, n, &again, &endpoint), -EBADMSG);
	free(bytes);
	page_unref(p);
}

static void deep_nesting_and_large_data_are_refused(void **state)
{
	static char text[65536];
	struct page *p = NULL;
	char *endpoint;

	(void)state;
	memset(text, '[', sizeof text);
	assert_int_equal(page_from_file(text, sizeof text, &p, &endpoint), -EBADMSG);
	int n = snprintf(text, sizeof text,
			 "{\"format\":1,\"endpoint\":\"w\",\"id\":\"x\",\"priority\":1,"
			 "\"alert_id\":\"a\",\"code\":\"GENERAL\",\"type\":\"test\","
			 "\"event_wall_ns\":1,\"due_wall_ns\":1,\"data\":{\"message\":\"");
	memset(text + n, 'x', PAGE_BODY_MAX);
	int end = snprintf(text + n + PAGE_BODY_MAX, 8, "\"}}");
	size_t len = (size_t)n + PAGE_BODY_MAX + (size_t)end;
	assert_int_equal(page_from_file(text, len, &p, &endpoint), -EBADMSG);
}

/* Read, or refused; and what is read can be posted in any format. */
static void a_flipped_byte_crashes_nobody(void **state)
{
	static const char *const formats[] = { "generic", "alertmanager", "pagerduty", "slack" };
	static const unsigned char flips[] = { 0x01, 0x02, 0x10, 0x20, 0x80, 0xff };
	struct page *p = fixture_page(ALERT_ID);
	unsigned read = 0, refused = 0;
	char *bytes, *endpoint;
	size_t len;

	(void)state;
	assert_int_equal(page_to_file(p, "webhook", &bytes, &len), 0);
	page_unref(p);
	for (size_t at = 0; at < len; at++)
		for (size_t i = 0; i < sizeof flips; i++) {
			struct page *again = NULL;

			bytes[at] = (char)((unsigned char)bytes[at] ^ flips[i]);
			int r = page_from_file(bytes, len, &again, &endpoint);
			bytes[at] = (char)((unsigned char)bytes[at] ^ flips[i]);
			read += r == 0;
			refused += r < 0;
			if (r < 0) {
				assert_true(r == -EBADMSG || r == -EPROTONOSUPPORT);
				continue;
			}
			for (size_t f = 0; f < 2 * sizeof formats / sizeof *formats; f++) {
				const struct page_format *format = page_format_find(formats[f / 2]);
				char *body;
				size_t body_len;

				if (format && format->render(again, f % 2, FIXTURE_WALL_NS, &body,
							     &body_len) == 0)
					free(body);
			}
			free(endpoint);
			page_unref(again);
		}
	assert_true(read > 0);
	assert_true(refused > 0);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_gives_the_same_page_again),
		cmocka_unit_test(every_time_comes_back),
		cmocka_unit_test(a_negative_time_of_an_older_version_is_read),
		cmocka_unit_test(a_damaged_file_is_refused),
		cmocka_unit_test(every_cut_of_a_file_is_refused),
		cmocka_unit_test(a_flipped_byte_crashes_nobody),
		cmocka_unit_test(deep_nesting_and_large_data_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "test.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/moment.h"
#include "base/text.h"
#include "journal/entry.h"
#include "page/page.h"
#include "picture/alerts.h"
#include "codes/runbook_file.h"
#include "codes/runbooks.h"
#include "settings/settings.h"

#define ID "0123456789abcdef0123456789abcdef"
#define HEAD(code, priority, id)                                                                   \
	"---\ncode: " code "\npriority: " priority "\nmessage-id: " id                             \
	"\ntitle: The gateway is gone\nack-within: 5m\nescalate-to: trading-desk\n"                \
	"page-after: 2s\n---\n"
#define PAGE "# The page\n\nCall {{broker-desk}}, then {{trading-desk}}.\n"

DEFINE_CLEANUP(struct runbooks *, runbooks_free, cleanup_runbooks)

/* What was told to be wrong: "file:line: what\n" for each. */
static char told[4096];

static void told_forget(void)
{
	told[0] = 0;
}

static void complain(void *userdata, unsigned line, const char *what)
{
	size_t len = strlen(told);

	(void)userdata;
	snprintf(told + len, sizeof told - len, "%u: %s\n", line, what);
}

static void bad(void *userdata, const char *file, unsigned line, const char *what)
{
	const char *name = strrchr(file, '/');
	size_t len = strlen(told);

	(void)userdata;
	snprintf(told + len, sizeof told - len, "%s:%u: %s\n", name ? name + 1 : file, line, what);
}

static void expect_told(const char *part)
{
	if (!strstr(told, part))
		fail_msg("\"%s\" does not say \"%s\"", told, part);
}

/* --- The built-in ones --- */

static void the_table_is_in_order_and_whole(void **state)
{
	(void)state;
	assert_int_equal(runbook_table_size, 14);
	for (unsigned i = 0; i < runbook_table_size; i++) {
		const struct runbook *r = &runbook_table[i];

		if (i > 0)
			assert_true(strcmp(runbook_table[i - 1].code, r->code) < 0);
		assert_in_range(r->priority, 1, 3);
		assert_int_equal(strlen(r->message_id), 32);
		assert_int_equal(strspn(r->message_id, "0123456789abcdef"), 32);
		assert_true(strlen(r->title) > 0);
		assert_int_equal(strncmp(r->roles, r->escalate_to, strlen(r->escalate_to)), 0);
		assert_false(r->of_site);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(runbook_table[j].message_id, r->message_id);
	}
}

static void every_code_finds_its_own_runbook(void **state)
{
	(void)state;
	for (unsigned i = 0; i < runbook_table_size; i++) {
		tocsin_str code = str(runbook_table[i].code);

		assert_ptr_equal(runbooks_find(NULL, code), &runbook_table[i]);
		assert_ptr_equal(runbooks_own(NULL, code), &runbook_table[i]);
	}
}

static void an_unknown_code_gets_the_general_one(void **state)
{
	static const char *const unknown[] = { "UNKNOWN",    "",          "general", "GENERAL ",
					       "../GENERAL", "DATA_FEED", "\xff" };

	(void)state;
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
		assert_string_equal(runbooks_find(NULL, str(unknown[i]))->code, "GENERAL");
		assert_null(runbooks_own(NULL, str(unknown[i])));
	}
	assert_string_equal(runbooks_find(NULL, (tocsin_str){ NULL, 0 })->code, "GENERAL");
	assert_null(runbooks_own(NULL, (tocsin_str){ "GENERAL\0x", 9 }));
}

static void a_view_needs_no_end(void **state)
{
	(void)state;
	assert_string_equal(runbooks_find(NULL, (tocsin_str){ "DATA_FEED_DOWNX", 14 })->code,
			    "DATA_FEED_DOWN");
}

static void links_are_in_lower_case(void **state)
{
	_cleanup_free_ char *known =
		runbooks_link(NULL, "https://x.example/r", STR("DATA_FEED_DOWN"));
	_cleanup_free_ char *unknown = runbooks_link(NULL, "file:///A", STR("../../ETC"));

	(void)state;
	assert_string_equal(known, "https://x.example/r/data_feed_down.md");
	assert_string_equal(unknown, "file:///A/general.md");
}

/* --- One file --- */

static int parse(const char *name, const char *text, struct runbook_file *ret)
{
	told_forget();
	return runbook_file_parse(name, str(text), complain, NULL, ret);
}

static void a_head_is_read(void **state)
{
	struct runbook_file f;

	(void)state;
	assert_int_equal(parse("gateway_2.md", HEAD("GATEWAY_2", "P1", ID) PAGE, &f), 0);
	assert_string_equal(f.runbook.code, "GATEWAY_2");
	assert_int_equal(f.runbook.priority, 1);
	assert_string_equal(f.runbook.message_id, ID);
	assert_string_equal(f.runbook.title, "The gateway is gone");
	assert_string_equal(f.runbook.ack_within, "5m");
	assert_string_equal(f.runbook.escalate_to, "trading-desk");
	assert_string_equal(f.runbook.roles, "trading-desk broker-desk");
	assert_int_equal(f.runbook.page_after_ns, 2 * NS_PER_S);
	assert_true(f.runbook.of_site);
	assert_true(str_is(f.body, PAGE));
	assert_int_equal(f.body_line, 10);
	assert_string_equal(told, "");
	runbook_file_done(&f);
}

static void what_is_wrong_in_a_head_is_told_by_line(void **state)
{
	static const struct {
		const char *text, *told;
	} cases[] = {
		{ "", "1: the runbook is empty" },
		{ "# GATEWAY\n", "1: expected ---" },
		{ "---\n", "1: the head has no closing ---" },
		{ "---\n---\n", "2: the head lacks code" },
		{ HEAD("gateway", "P1", ID), "2: code: expected capitals" },
		{ HEAD("", "P1", ID), "2: code: has no value" },
		{ HEAD("GATE", "P1", ID), "2: the file of GATE must be named gate.md" },
		{ HEAD("GATEWAY", "P4", ID), "3: priority: expected P1, P2 or P3, found P4" },
		{ HEAD("GATEWAY", "P10", ID), "3: priority: expected" },
		{ HEAD("GATEWAY", "P1", "0123"), "4: message-id: expected 32 hex digits" },
		{ HEAD("GATEWAY", "P1", "00000000000000000000000000000000"), "4: message-id" },
		{ HEAD("GATEWAY", "P1", ID "\ntitle: x"), "6: title: given twice" },
		{ HEAD("GATEWAY", "P1\nprioritie: P1", ID), "4: expected one of: code" },
		{ HEAD("GATEWAY", "P1\nno colon", ID), "found no colon" },
		{ HEAD("GATEWAY", "P1\n", ID), "4: expected one of" },
		{ HEAD("GATEWAY", "P1\r", ID), "3: the line ends in CR LF" },
		{ HEAD("GATEWAY", "P1\x1b[2J", ID), "3: there is a control character" },
		{ HEAD("GATEWAY", "P1\xff", ID), "3: there is a control character" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct runbook_file f;

		assert_int_equal(parse("gateway.md", cases[i].text, &f), -EBADMSG);
		expect_told(cases[i].told);
	}
}

static void values_out_of_bounds_are_told(void **state)
{
	static const struct {
		const char *line, *told;
	} cases[] = {
		{ "title: a | b", "title: expected" },
		{ "title: \"x\"", "title: expected" },
		{ "ack-within: 5 minutes", "ack-within: expected a duration" },
		{ "ack-within: 00000000000000000000000000000005s", "ack-within: expected" },
		{ "escalate-to: Trading Desk", "escalate-to: expected a role" },
		{ "page-after: -1s", "page-after: expected" },
		{ "page-after: 25h", "at most a day" },
		{ "page-after: 99999999999999999999h", "page-after: expected" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct text_buffer b = { 0 };
		struct runbook_file f;

		text_buffer_printf(&b, "---\n%s\n---\n", cases[i].line);
		assert_int_equal(parse("x.md", b.ptr, &f), -EBADMSG);
		expect_told(cases[i].told);
		text_buffer_done(&b);
	}
}

/* A head cut off anywhere, and with any byte in any place, is read or refused, nothing else. */
static void no_bytes_hurt_the_reader(void **state)
{
	static const char whole[] = HEAD("GATEWAY", "P1", ID) PAGE;
	static const char bytes[] = { 0, '\n', '\r', ':', '-', '{', '}', ' ', '\x7f', '\xff' };
	char text[sizeof whole];
	struct runbook_file f;
	unsigned refused = 0;

	(void)state;
	for (size_t len = 0; len < sizeof whole; len++) {
		/* On the heap and without a NUL, so that a sanitizer sees one byte too many. */
		_cleanup_free_ char *copy = malloc(len + !len);

		assert_non_null(copy);
		memcpy(copy, whole, len);
		told_forget();
		if (runbook_file_parse("gateway.md", (tocsin_str){ copy, len }, complain, NULL,
				       &f) == 0)
			runbook_file_done(&f);
		else
			refused++;
	}
	assert_int_equal(refused, sizeof HEAD("GATEWAY", "P1", ID) - 2);
	for (size_t i = 0; i + 1 < sizeof whole; i++)
		for (size_t b = 0; b < sizeof bytes; b++) {
			memcpy(text, whole, sizeof whole);
			text[i] = bytes[b];
			told_forget();
			if (runbook_file_parse("gateway.md", (tocsin_str){ text, sizeof whole - 1 },
					       complain, NULL, &f) == 0)
				runbook_file_done(&f);
			else
				assert_true(*told);
		}
}

static void few_of_many_complaints_are_told(void **state)
{
	struct text_buffer b = { 0 };
	struct runbook_file f;
	unsigned lines = 0;

	(void)state;
	text_buffer_add(&b, STR("---\n"));
	for (unsigned i = 0; i < 1000; i++)
		text_buffer_add(&b, STR("x\n"));
	assert_int_equal(parse("x.md", b.ptr, &f), -EBADMSG);
	for (const char *p = told; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, RUNBOOK_COMPLAINTS_MAX);
	text_buffer_done(&b);
}

/* --- A site's folder --- */

static void put(struct test_folder *f, const char *name, const char *text)
{
	assert_int_equal(file_replace(f->fd, name, text, strlen(text), false), 0);
}

static struct runbooks *load(const char *dir)
{
	struct runbooks *set = NULL;

	told_forget();
	assert_int_equal(runbooks_load(dir, bad, NULL, &set), 0);
	return set;
}

static void a_site_adds_codes_of_its_own(void **state)
{
	struct test_folder *f = *state;

	put(f, "aaa.md", HEAD("AAA", "P2", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
	put(f, "gateway.md", HEAD("GATEWAY", "P1", ID) PAGE);
	put(f, "zzz.md", HEAD("ZZZ", "P3", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"));
	put(f, "README.md", "# An index\n");
	put(f, "notes.txt", "no runbook\n");
	_cleanup_(cleanup_runbooks) struct runbooks *set = load(f->path);
	const struct runbook *all;
	struct code_facts facts;

	assert_string_equal(told, "");
	assert_int_equal(runbooks_list(set, &all), runbook_table_size + 3);
	assert_string_equal(all[0].code, "AAA");
	assert_string_equal(runbooks_find(set, STR("ZZZ"))->code, "ZZZ");
	for (unsigned i = 0; i < runbook_table_size; i++)
		assert_string_equal(runbooks_find(set, str(runbook_table[i].code))->message_id,
				    runbook_table[i].message_id);
	assert_string_equal(runbooks_find(set, STR("NOWHERE"))->code, "GENERAL");
	runbooks_facts(set, STR("GATEWAY"), &facts);
	assert_int_equal(facts.priority, 1);
	assert_int_equal(facts.page_after_ns, 2 * NS_PER_S);
}

static void a_site_may_replace_a_built_in_code(void **state)
{
	struct test_folder *f = *state;

	put(f, "general.md", HEAD("GENERAL", "P2", "25a921e8f355bf11842be768b80009c4"));
	_cleanup_(cleanup_runbooks) struct runbooks *set = load(f->path);
	const struct runbook *all;

	assert_string_equal(told, "");
	assert_int_equal(runbooks_list(set, &all), runbook_table_size);
	assert_int_equal(runbooks_find(set, STR("UNHEARD_OF"))->priority, 2);
	assert_true(runbooks_find(set, STR("UNHEARD_OF"))->of_site);
	assert_int_equal(runbooks_find(NULL, STR("UNHEARD_OF"))->priority, 3);
}

static void a_broken_one_is_told_and_the_rest_goes_on(void **state)
{
	struct test_folder *f = *state;

	put(f, "broken.md", HEAD("BROKEN", "P9", "cccccccccccccccccccccccccccccccc"));
	put(f, "gateway.md", HEAD("GATEWAY", "P1", ID));
	put(f, "twin.md", HEAD("TWIN", "P1", ID));
	put(f, "thief.md", HEAD("THIEF", "P1", "25a921e8f355bf11842be768b80009c4"));
	assert_int_equal(mkdirat(f->fd, "folder.md", 0700), 0);
	assert_int_equal(symlinkat("nowhere", f->fd, "link.md"), 0);
	assert_int_equal(mkfifoat(f->fd, "pipe.md", 0600), 0);
	_cleanup_(cleanup_runbooks) struct runbooks *set = load(f->path);

	expect_told("broken.md:3: priority: expected P1, P2 or P3, found P9");
	expect_told("twin.md:4: message-id: is GATEWAY's already");
	expect_told("thief.md:4: message-id: is GENERAL's already");
	expect_told("folder.md:0: is no regular file");
	expect_told("pipe.md:0: is no regular file");
	expect_told("link.md:0: cannot be read: No such file");
	assert_string_equal(runbooks_find(set, STR("GATEWAY"))->code, "GATEWAY");
	assert_string_equal(runbooks_find(set, STR("BROKEN"))->code, "GENERAL");
	assert_string_equal(runbooks_find(set, STR("TWIN"))->code, "GENERAL");
}

static void a_link_to_a_file_is_followed(void **state)
{
	struct test_folder *f = *state;

	put(f, "elsewhere", HEAD("GATEWAY", "P1", ID));
	assert_int_equal(symlinkat("elsewhere", f->fd, "gateway.md"), 0);
	_cleanup_(cleanup_runbooks) struct runbooks *set = load(f->path);

	assert_string_equal(told, "");
	assert_non_null(runbooks_own(set, STR("GATEWAY")));
}

static void a_large_file_is_refused(void **state)
{
	struct test_folder *f = *state;
	_cleanup_close_ int fd = -1;

	put(f, "gateway.md", HEAD("GATEWAY", "P1", ID));
	fd = openat(f->fd, "gateway.md", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)RUNBOOK_FILE_MAX), 0);
	runbooks_free(load(f->path));
	assert_string_equal(told, "");
	assert_int_equal(ftruncate(fd, (off_t)RUNBOOK_FILE_MAX + 1), 0);
	runbooks_free(load(f->path));
	expect_told("gateway.md:0: is larger than 256 kB");
}

static void a_folder_that_is_not_there_is_told(void **state)
{
	struct test_folder *f = *state;
	char path[128];
	const struct runbook *all;

	snprintf(path, sizeof path, "%s/absent", f->path);
	_cleanup_(cleanup_runbooks) struct runbooks *set = load(path);
	expect_told("absent:0: cannot be read: No such file");
	assert_int_equal(runbooks_list(set, &all), runbook_table_size);
	_cleanup_(cleanup_runbooks) struct runbooks *none = load(NULL);
	assert_string_equal(told, "");
	assert_string_equal(runbooks_find(none, STR("X"))->code, "GENERAL");
}

static void more_than_the_maximum_are_left_out(void **state)
{
	struct test_folder *f = *state;
	const struct runbook *all;

	for (unsigned i = 0; i < RUNBOOKS_MAX + 1; i++) {
		char name[32], text[512];

		snprintf(name, sizeof name, "site_%04u.md", i);
		snprintf(text, sizeof text,
			 "---\ncode: SITE_%04u\npriority: P2\nmessage-id: "
			 "%032x\ntitle: t\nack-within: 5m\nescalate-to: a\npage-after: 0\n---\n",
			 i, i + 1);
		put(f, name, text);
	}
	_cleanup_(cleanup_runbooks) struct runbooks *set = load(f->path);
	assert_int_equal(runbooks_list(set, &all), runbook_table_size + RUNBOOKS_MAX);
	expect_told("more than 1024 runbooks");
	assert_non_null(runbooks_own(set, STR("SITE_0000")));
	assert_non_null(runbooks_own(set, STR("SITE_1023")));
	assert_null(runbooks_own(set, STR("SITE_1024")));
}

static void a_sites_page_is_linked_where_it_is(void **state)
{
	struct test_folder *f = *state;
	char path[128], expected[160];

	assert_int_equal(mkdirat(f->fd, "our runbooks", 0700), 0);
	snprintf(path, sizeof path, "%s/our runbooks/", f->path);
	struct test_folder inner = { .fd = openat(f->fd, "our runbooks", O_DIRECTORY | O_CLOEXEC) };
	put(&inner, "gateway.md", HEAD("GATEWAY", "P1", ID));
	close(inner.fd);
	_cleanup_(cleanup_runbooks) struct runbooks *set = load(path);

	_cleanup_free_ char *own = runbooks_link(set, RUNBOOKS_BASE_URL_DEFAULT, STR("GATEWAY"));
	snprintf(expected, sizeof expected, "file://%s/our%%20runbooks/gateway.md", f->path);
	assert_string_equal(own, expected);
	_cleanup_free_ char *built_in =
		runbooks_link(set, RUNBOOKS_BASE_URL_DEFAULT, STR("GENERAL"));
	assert_string_equal(built_in, RUNBOOKS_BASE_URL_DEFAULT "/general.md");
	_cleanup_free_ char *given = runbooks_link(set, "https://r.example", STR("GATEWAY"));
	assert_string_equal(given, "https://r.example/gateway.md");
}

/* --- Where it shows --- */

static struct incident gateway(void)
{
	static char key[] = "GATEWAY", code[] = "GATEWAY", message[] = "no answer";

	return (struct incident){ .id = "0123-7-call",
				  .key = key,
				  .code = code,
				  .message = message,
				  .open = true,
				  .priority = 1,
				  .count = 1,
				  .opened = { 1, NS_PER_S },
				  .raised = { 1, NS_PER_S } };
}

static bool has_field(const struct entry *e, const char *field)
{
	for (size_t i = 0; i < e->n_fields; i++)
		if (str_is((tocsin_str){ e->fields[i].iov_base, e->fields[i].iov_len }, field))
			return true;
	return false;
}

static void an_entry_has_the_sites_message_id_and_link(void **state)
{
	struct test_folder *f = *state;

	put(f, "gateway.md", HEAD("GATEWAY", "P1", ID));
	_cleanup_(cleanup_runbooks) struct runbooks *set = load(f->path);
	struct entry_context c = { .engine = "e",
				   .runbooks_base_url = "https://r.example",
				   .runbooks = set };
	struct incident i = gateway();
	struct change n = { .kind = CHANGE_ALERT, .at = { 1, NS_PER_S }, .incident = &i };
	struct entry *e = entry_of_change(&c, &n);

	assert_true(has_field(e, "MESSAGE_ID=" ID));
	assert_true(has_field(e, "DOCUMENTATION=https://r.example/gateway.md"));
	entry_free(e);
}

static const char *member(const struct page *p, const char *name)
{
	return json_string_value(json_object_get(p->data, name));
}

static void a_page_has_the_sites_head_and_contact(void **state)
{
	struct test_folder *f = *state;

	put(f, "gateway.md", HEAD("GATEWAY", "P1", ID));
	_cleanup_(cleanup_runbooks) struct runbooks *set = load(f->path);
	struct contacts contacts = { .n = 1,
				     .list = { { (char[]){ "trading-desk" },
						 (char[]){ "+1 555 0100 (desk phone)" } } } };
	struct page_context c = { .engine = "e",
				  .host = "h",
				  .runbooks_base_url = "https://r.example",
				  .runbooks = set };
	struct incident i = gateway();
	struct page *without = NULL, *with = NULL;

	assert_int_equal(page_new(&c, &i, PAGE_RAISED, (struct moment){ 1, 1 }, &without), 0);
	c.contacts = &contacts;
	assert_int_equal(page_new(&c, &i, PAGE_RAISED, (struct moment){ 1, 1 }, &with), 0);
	assert_string_equal(member(with, "title"), "The gateway is gone");
	assert_string_equal(member(with, "ack_within"), "5m");
	assert_string_equal(member(with, "runbook_url"), "https://r.example/gateway.md");
	assert_string_equal(member(without, "escalate_to"), "trading-desk");
	assert_string_equal(member(with, "escalate_to"), "trading-desk: +1 555 0100 (desk phone)");
	page_unref(without);
	page_unref(with);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_in_order_and_whole),
		cmocka_unit_test(every_code_finds_its_own_runbook),
		cmocka_unit_test(an_unknown_code_gets_the_general_one),
		cmocka_unit_test(a_view_needs_no_end),
		cmocka_unit_test(links_are_in_lower_case),
		cmocka_unit_test(a_head_is_read),
		cmocka_unit_test(what_is_wrong_in_a_head_is_told_by_line),
		cmocka_unit_test(values_out_of_bounds_are_told),
		cmocka_unit_test(no_bytes_hurt_the_reader),
		cmocka_unit_test(few_of_many_complaints_are_told),
		test_in_folder(a_site_adds_codes_of_its_own),
		test_in_folder(a_site_may_replace_a_built_in_code),
		test_in_folder(a_broken_one_is_told_and_the_rest_goes_on),
		test_in_folder(a_link_to_a_file_is_followed),
		test_in_folder(a_large_file_is_refused),
		test_in_folder(a_folder_that_is_not_there_is_told),
		test_in_folder(more_than_the_maximum_are_left_out),
		test_in_folder(a_sites_page_is_linked_where_it_is),
		test_in_folder(an_entry_has_the_sites_message_id_and_link),
		test_in_folder(a_page_has_the_sites_head_and_contact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

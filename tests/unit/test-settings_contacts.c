/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "test.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"
#include "post/endpoint_files.h"
#include "settings/settings_table.h"

DEFINE_CLEANUP(struct settings *, settings_free, cleanup_settings)

static char error[512];

/* Loads the text as the settings' file, and then an option. */
static int load(struct test_folder *f, const char *text, const char *key, const char *value,
		struct settings **ret)
{
	tocsin_kv option = { str(key), str(value) };

	assert_int_equal(file_replace(f->fd, "tocsin.conf", text, strlen(text), false), 0);
	error[0] = 0;
	return settings_load_from(endpoint_files_check, f->path, &option, key ? 1 : 0, error,
				  sizeof error, ret);
}

static void expect_refused(struct test_folder *f, const char *text, const char *told)
{
	struct settings *s = NULL;

	assert_int_equal(load(f, text, NULL, NULL, &s), -EINVAL);
	if (!strstr(error, told))
		fail_msg("\"%s\" does not say \"%s\"", error, told);
}

static void any_role_has_its_contact(void **state)
{
	_cleanup_(cleanup_settings) struct settings *s = NULL;

	assert_int_equal(load(*state,
			      "[contacts]\n"
			      "trading-desk = +1 555 0100 (desk phone)\n"
			      "stop-switch = https://desk.example/stop?all=1 # then call\n"
			      "b2 = B\xc3\xbcro\n"
			      "nobody =\n",
			      NULL, NULL, &s),
			 0);
	assert_string_equal(contacts_who(&s->contacts, STR("trading-desk")),
			    "+1 555 0100 (desk phone)");
	assert_string_equal(contacts_who(&s->contacts, STR("stop-switch")),
			    "https://desk.example/stop?all=1 # then call");
	assert_string_equal(contacts_who(&s->contacts, STR("b2")), "B\xc3\xbcro");
	assert_null(contacts_who(&s->contacts, STR("nobody")));
	assert_null(contacts_who(&s->contacts, STR("trading")));
	assert_null(contacts_who(&s->contacts, STR("")));
	assert_null(contacts_who(NULL, STR("trading-desk")));
}

static void an_option_wins_over_the_file(void **state)
{
	_cleanup_(cleanup_settings) struct settings *s = NULL;

	assert_int_equal(
		load(*state, "[contacts]\na = file\nb = file\n", "contacts.a", "option", &s), 0);
	assert_string_equal(contacts_who(&s->contacts, STR("a")), "option");
	assert_string_equal(contacts_who(&s->contacts, STR("b")), "file");
}

static void what_is_no_contact_is_refused_with_its_place(void **state)
{
	struct settings *s = NULL;

	expect_refused(*state, "[contacts]\na = x\nTrading Desk = x\n", "tocsin.conf:3: ");
	expect_refused(*state, "[contacts]\nTrading Desk = x\n",
		       "contacts.Trading Desk: a role is named in lower case");
	expect_refused(*state, "[contacts]\n1a = x\n", "a role is named in lower case");
	expect_refused(*state, "[contacts]\na = x\x1b[2J\n", "control character");
	expect_refused(*state, "[contacts]\na = \xff\n", "not UTF-8");
	expect_refused(*state, "[contacts]\na = x\nb = y\na = z\n", "set twice, here and at ");
	expect_refused(*state, "[contact]\na = x\n", "the nearest is [contacts]");
	assert_int_equal(load(*state, "", "contacts.A", "x", &s), -EINVAL);
	assert_non_null(strstr(error, "contacts.A"));
}

static void there_is_room_for_a_stated_number(void **state)
{
	_cleanup_(cleanup_settings) struct settings *s = NULL;
	struct text_buffer b = { 0 };

	text_buffer_add(&b, STR("[contacts]\n"));
	for (unsigned i = 0; i < CONTACTS_MAX; i++)
		text_buffer_printf(&b, "role-%u = x\n", i);
	assert_int_equal(load(*state, b.ptr, "contacts.role-0", "y", &s), 0);
	assert_int_equal(s->contacts.n, CONTACTS_MAX);
	text_buffer_add(&b, STR("one-more = x\n"));
	expect_refused(*state, b.ptr, "more than 64 contacts");
	text_buffer_done(&b);
}

static void help_tells_of_them(void **state)
{
	(void)state;
	assert_non_null(strstr(settings_help, "contacts.ROLE"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(any_role_has_its_contact),
		test_in_folder(an_option_wins_over_the_file),
		test_in_folder(what_is_no_contact_is_refused_with_its_place),
		test_in_folder(there_is_room_for_a_stated_number),
		cmocka_unit_test(help_tells_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

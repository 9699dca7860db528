/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "test.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "codes/runbook_text.h"

static const struct contacts desk = {
	.n = 3,
	.list = { { (char[]){ "trading-desk" }, (char[]){ "+1 555 0100 (desk phone)" } },
		  { (char[]){ "nobody" }, (char[]){ "" } },
		  { (char[]){ "echo" }, (char[]){ "{{trading-desk}}" } } },
};

static void expect_filled(const char *text, const char *expected, unsigned empty)
{
	unsigned n = 99;
	_cleanup_free_ char *filled = runbook_fill(str(text), &desk, &n);

	assert_string_equal(filled, expected);
	assert_int_equal(n, empty);
}

static void a_contact_stands_in_for_its_role(void **state)
{
	(void)state;
	expect_filled("", "", 0);
	expect_filled("no role", "no role", 0);
	expect_filled("Call {{trading-desk}}.\n", "Call +1 555 0100 (desk phone).\n", 0);
	expect_filled("{{trading-desk}}{{trading-desk}}",
		      "+1 555 0100 (desk phone)+1 555 0100 (desk phone)", 0);
}

static void a_role_that_nobody_has_says_so(void **state)
{
	(void)state;
	expect_filled("to {{risk-desk}}, {{nobody}}",
		      "to (risk-desk: not set, see [contacts]), (nobody: not set, see [contacts])",
		      2);
	_cleanup_free_ char *none = runbook_fill(STR("{{trading-desk}}"), NULL, NULL);
	assert_string_equal(none, "(trading-desk: not set, see [contacts])");
}

static void a_contact_is_not_filled_in_again(void **state)
{
	(void)state;
	expect_filled("{{echo}}", "{{trading-desk}}", 0);
}

static void what_is_no_role_stays(void **state)
{
	static const char *const texts[] = { "{{",     "{{}}",    "{{Desk}}", "{{a b}}", "{{1a}}",
					     "{{a}",   "{{-a}}",  "{a}}",     "}}{{",    "{{a",
					     "{{ a}}", "{{a\n}}", "{{a}\xff}" };
	char long_role[2 * ROLE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		expect_filled(texts[i], texts[i], 0);
	memset(long_role, 'a', sizeof long_role);
	memcpy(long_role, "{{", 2);
	memcpy(long_role + ROLE_MAX + 3, "}}", 3);
	expect_filled(long_role, long_role, 0);
	memcpy(long_role + ROLE_MAX + 2, "}}", 3);
	_cleanup_free_ char *filled = runbook_fill(str(long_role), &desk, NULL);
	assert_non_null(strstr(filled, "not set"));
}

static void braces_before_a_role_are_kept(void **state)
{
	(void)state;
	expect_filled("{{{trading-desk}}}", "{+1 555 0100 (desk phone)}", 0);
	expect_filled("{{x {{trading-desk}}", "{{x +1 555 0100 (desk phone)", 0);
}

static void a_nul_does_not_end_the_text(void **state)
{
	static const char text[] = "{{nobody\0}} {{nobody}}";
	tocsin_str rest = { text, sizeof text - 1 }, before, role;

	(void)state;
	assert_true(runbook_next_role(&rest, &before, &role));
	assert_int_equal(before.len, 12);
	assert_true(str_is(role, "nobody"));
	assert_int_equal(rest.len, 0);
}

static void roles_are_listed_once_and_up_to_a_maximum(void **state)
{
	_cleanup_free_ char *few =
		runbook_roles(STR("{{b}} {{a}} {{ab}} {{a}} {{first}}"), STR("first"));
	struct text_buffer many = { 0 };
	unsigned blanks = 0;

	(void)state;
	assert_string_equal(few, "first b a ab");
	for (unsigned i = 0; i < 10000; i++)
		text_buffer_printf(&many, "{{role-%u}}", i);
	_cleanup_free_ char *list = runbook_roles((tocsin_str){ many.ptr, many.len }, STR("x"));
	for (const char *p = list; *p; p++)
		blanks += *p == ' ';
	assert_int_equal(blanks + 1, RUNBOOK_ROLES_MAX);
	text_buffer_done(&many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_contact_stands_in_for_its_role),
		cmocka_unit_test(a_role_that_nobody_has_says_so),
		cmocka_unit_test(a_contact_is_not_filled_in_again),
		cmocka_unit_test(what_is_no_role_stays),
		cmocka_unit_test(braces_before_a_role_are_kept),
		cmocka_unit_test(a_nul_does_not_end_the_text),
		cmocka_unit_test(roles_are_listed_once_and_up_to_a_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

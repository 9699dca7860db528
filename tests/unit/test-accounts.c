/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include "base/accounts.h"
#include "test.h"

static void local_accounts_are_what_the_system_says(void **state)
{
	const struct passwd *root = getpwuid(0);
	const struct group *group = getgrgid(0);
	char *home = NULL;
	gid_t gid = 1;

	(void)state;
	if (!root || !group)
		skip();
	assert_int_equal(account_home(0, &home), 0);
	assert_string_equal(home, root->pw_dir);
	free(home);
	assert_int_equal(account_group(group->gr_name, &gid), 0);
	assert_int_equal(gid, 0);
}

static void who_is_not_there_is_not_found(void **state)
{
	gid_t gid = 17;
	char *home = NULL;

	(void)state;
	assert_int_equal(account_group("no-group-of-that-name", &gid), -ENOENT);
	assert_int_equal(account_group("", &gid), -ENOENT);
	assert_int_equal(gid, 17);
	assert_int_equal(account_home((uid_t)-2 - 4711, &home), -ENOENT);
	assert_null(home);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_accounts_are_what_the_system_says),
		cmocka_unit_test(who_is_not_there_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <stdbool.h>

#include "picture/clearing.h"

static void expect(const struct test_folder *f, const char *folder, uid_t uid, const char *who)
{
	char *found = clearing_find(f->path, folder, uid);

	if (!who != !found || (who && !strstr(found, who)))
		fail_msg("%s for user %u: %s", folder, (unsigned)uid, found ? found : "nobody");
	free(found);
}

static void a_system_without_systemd_clears_nothing(void **state)
{
	expect(*state, "/dev/shm/tocsin-1000/e", 1000, NULL);
	expect(*state, "/run/user/1000/tocsin/e", 1000, NULL);
	expect(*state, "/tmp/e", 1000, NULL);
}

static void logind_clears_what_a_login_user_has(void **state)
{
	const struct test_folder *f = *state;

	test_folder_put(f, "/lib/systemd/systemd-logind", "");
	test_folder_put(f, "/etc/passwd",
			"root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/:/bin/sh\n"
			"bob:x:1001:1001::/:/bin/sh\n");
	expect(f, "/dev/shm/tocsin-1000/e", 1000, "RemoveIPC");
	expect(f, "/dev/shm", 1000, "RemoveIPC");
	expect(f, "/dev/shmall", 1000, NULL);
	expect(f, "/dev/shm/tocsin-7/e", 7, NULL);
	expect(f, "/dev/shm/tocsin-0/e", 0, NULL);
	expect(f, "/dev/shm/e", 4242, "user 4242");
	expect(f, "/run/user/1000/tocsin/e", 1000, "/run/user/1000");
	expect(f, "/run/user/1000/tocsin/e", 1001, NULL);
	expect(f, "/run/tocsin/e", 1000, NULL);
	/* One that lingers is spared. */
	test_folder_put(f, "/var/lib/systemd/linger/ann", "");
	expect(f, "/dev/shm/tocsin-1000/e", 1000, NULL);
	expect(f, "/run/user/1000/tocsin/e", 1000, NULL);
	expect(f, "/dev/shm/tocsin-1001/e", 1001, "RemoveIPC");
}

static void logind_s_configuration_counts(void **state)
{
	static const struct {
		const char *path, *text;
		bool clears;
	} rows[] = {
		{ "/etc/systemd/logind.conf", "[Login]\n#RemoveIPC=no\n", true },
		{ "/etc/systemd/logind.conf", "[Login]\nRemoveIPC=no\n", false },
		{ "/run/systemd/logind.conf.d/a.conf", "RemoveIPC = yes\n", true },
		{ "/etc/systemd/logind.conf.d/z.txt", "RemoveIPC=off\n", true },
		{ "/etc/systemd/logind.conf.d/z.conf", "[Login]\nRemoveIPC = Off\n", false },
	};
	const struct test_folder *f = *state;

	test_folder_put(f, "/usr/lib/systemd/systemd-logind", "");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		test_folder_put(f, rows[i].path, rows[i].text);
		expect(f, "/dev/shm/e", 1000, rows[i].clears ? "RemoveIPC" : NULL);
	}
}

static void tmpfiles_clears_what_its_last_line_on_the_way_says(void **state)
{
	const struct test_folder *f = *state;

	test_folder_put(f, "/usr/lib/tmpfiles.d/tmp.conf",
			"# d /srv 0755 - - 1d\nq /tmp 1777 root root 10d\nD /var/run/x 0755 - - -\n"
			"d /run/old 0755 - - 2h\nx /tmp/keep\nd /tmp/kept 0700 - - -\n"
			"e /home/*/cache - - - 5d\nd %t/y - - - 1d\nf /var/z 0644 - - 1d\n");
	expect(f, "/tmp/e", 1000, "older than 10d");
	expect(f, "/tmp", 0, "older than 10d");
	expect(f, "/tmp/keep/e", 1000, NULL);
	expect(f, "/tmp/kept/e", 1000, NULL);
	expect(f, "/tmpfoo/e", 1000, NULL);
	expect(f, "/srv/e", 1000, NULL);
	expect(f, "/var/run/x", 1000, NULL);
	expect(f, "/run/old/e", 1000, "/run/old");
	expect(f, "/home/ann/cache/e", 1000, "older than 5d");
	expect(f, "/home/ann/e", 1000, NULL);
	expect(f, "/var/z/e", 1000, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(a_system_without_systemd_clears_nothing),
		test_in_folder(logind_clears_what_a_login_user_has),
		test_in_folder(logind_s_configuration_counts),
		test_in_folder(tmpfiles_clears_what_its_last_line_on_the_way_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "test.h"

#include <errno.h>

#include "engine/control.h"

#define SEEN_MAX 80

struct seen {
	unsigned n, n_bad;
	enum control_verb verb[SEEN_MAX];
	char page[SEEN_MAX][300], endpoint[SEEN_MAX][300], reason[SEEN_MAX][CONTROL_REASON_MAX + 1];
	bool all[SEEN_MAX];
	uid_t uid[SEEN_MAX];
	int error[SEEN_MAX];
};

static void seen_request(void *userdata, const struct control_request *r)
{
	struct seen *s = userdata;

	assert_true(s->n < SEEN_MAX);
	s->verb[s->n] = r->verb;
	s->all[s->n] = !r->page_id;
	s->uid[s->n] = r->uid;
	snprintf(s->page[s->n], sizeof s->page[0], "%s", r->page_id ? r->page_id : "");
	snprintf(s->endpoint[s->n], sizeof s->endpoint[0], "%s", r->endpoint ? r->endpoint : "");
	snprintf(s->reason[s->n], sizeof s->reason[0], "%s", r->reason ? r->reason : "");
	s->n++;
}

static void seen_bad(void *userdata, const char *name, int error)
{
	struct seen *s = userdata;

	assert_true(name && s->n_bad < SEEN_MAX);
	s->error[s->n_bad++] = error;
}

static int take(struct control *c, struct seen *ret)
{
	memset(ret, 0, sizeof *ret);
	return control_take(c, seen_request, seen_bad, ret);
}

static struct control *opened(const struct test_folder *f)
{
	struct control *c = NULL;

	assert_int_equal(control_open(f->fd, (gid_t)-1, &c), 0);
	return c;
}

static void put(const struct test_folder *f, const struct control_request *r)
{
	char name[CONTROL_NAME_SIZE];

	assert_int_equal(control_put(f->path, r, name), 0);
	assert_int_equal(control_taken(f->path, name), 0);
}

static void write_raw(const struct test_folder *f, const char *name, const char *text)
{
	char path[300];

	snprintf(path, sizeof path, CONTROL_FOLDER "/%s", name);
	int fd = openat(f->fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void what_is_put_is_taken_once(void **state)
{
	struct control *c = opened(*state);
	struct seen s;

	put(*state, &(struct control_request){ CONTROL_DISCARD, "a-1-feed.raised", "webhook",
					       "told by phone, \"all\" \xc3\xa4\n", 0 });
	assert_int_equal(take(c, &s), 1);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.n_bad, 0);
	assert_int_equal(s.verb[0], CONTROL_DISCARD);
	assert_string_equal(s.page[0], "a-1-feed.raised");
	assert_string_equal(s.endpoint[0], "webhook");
	assert_string_equal(s.reason[0], "told by phone, \"all\" \xc3\xa4\n");
	assert_int_equal(s.uid[0], geteuid());
	assert_int_equal(take(c, &s), 0);
	control_free(c);
}

static void a_page_at_every_endpoint_and_all_pages_can_be_asked_for(void **state)
{
	struct control *c = opened(*state);
	struct seen s;

	put(*state, &(struct control_request){ .verb = CONTROL_RESEND, .page_id = "a.raised" });
	assert_int_equal(take(c, &s), 1);
	assert_false(s.all[0]);
	assert_string_equal(s.endpoint[0], "");
	put(*state, &(struct control_request){ .verb = CONTROL_RESEND });
	assert_int_equal(take(c, &s), 1);
	assert_true(s.all[0]);
	control_free(c);
}

static void one_is_seen_though_the_folder_was_empty_just_now(void **state)
{
	struct control *c = opened(*state);
	struct seen s;

	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(take(c, &s), 0);
		put(*state, &(struct control_request){ .verb = CONTROL_RESEND });
		assert_int_equal(take(c, &s), 1);
	}
	control_free(c);
}

/* As the folder stands when nobody was there for long: its time is old, and is relied on. */
static void one_is_seen_though_the_folder_was_empty_for_long(void **state)
{
	const struct test_folder *f = *state;
	static const struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	struct control *c = opened(f);
	struct seen s;

	assert_int_equal(utimensat(f->fd, CONTROL_FOLDER, old, 0), 0);
	assert_int_equal(take(c, &s), 0);
	/* Put there without a trace: what it is told by is the folder's time alone. */
	write_raw(f, "x.json", "{\"format\":1,\"verb\":\"resend\",\"all\":true}");
	assert_int_equal(utimensat(f->fd, CONTROL_FOLDER, old, 0), 0);
	assert_int_equal(take(c, &s), 0);
	put(f, &(struct control_request){ .verb = CONTROL_RESEND });
	assert_int_equal(take(c, &s), 2);
	control_free(c);
}

static void what_makes_no_sense_is_not_put(void **state)
{
	static char id[300], reason[CONTROL_REASON_MAX + 2], endpoint[300];
	struct control *c = opened(*state);
	char name[CONTROL_NAME_SIZE];

	memset(id, 'i', sizeof id - 1);
	memset(endpoint, 'e', sizeof endpoint - 1);
	memset(reason, 'r', sizeof reason - 1);
	const struct control_request bad[] = {
		{ .verb = CONTROL_DISCARD, .reason = "all of them" },
		{ .verb = CONTROL_DISCARD, .page_id = "a.raised" },
		{ .verb = CONTROL_DISCARD, .page_id = "a.raised", .reason = "" },
		{ .verb = CONTROL_DISCARD, .page_id = "a.raised", .reason = reason },
		{ .verb = CONTROL_RESEND, .page_id = "" },
		{ .verb = CONTROL_RESEND, .page_id = id },
		{ .verb = CONTROL_RESEND, .page_id = "a.raised", .endpoint = endpoint },
		{ .verb = CONTROL_RESEND, .endpoint = "webhook" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(
			control_put(((const struct test_folder *)*state)->path, &bad[i], name),
			-EINVAL);
	control_free(c);
}

static void what_is_no_request_is_told_and_removed(void **state)
{
	static const struct {
		const char *text;
		int error;
	} bad[] = {
		{ "", -EBADMSG },
		{ "null", -EBADMSG },
		{ "[[[[[[[[", -EBADMSG },
		{ "{\"format\":0,\"verb\":\"resend\",\"all\":true}", -EBADMSG },
		{ "{\"format\":2,\"verb\":\"resend\",\"all\":true}", -EPROTONOSUPPORT },
		{ "{\"format\":1,\"verb\":\"remove\",\"all\":true}", -EBADMSG },
		{ "{\"format\":1,\"verb\":\"resend\"}", -EBADMSG },
		{ "{\"format\":1,\"verb\":\"resend\",\"all\":true,\"page\":\"a\"}", -EBADMSG },
		{ "{\"format\":1,\"verb\":\"resend\",\"all\":true,\"endpoint\":\"a\"}", -EBADMSG },
		{ "{\"format\":1,\"verb\":\"discard\",\"all\":true,\"reason\":\"r\"}", -EBADMSG },
		{ "{\"format\":1,\"verb\":\"discard\",\"page\":\"a\"}", -EBADMSG },
		{ "{\"format\":1,\"verb\":\"resend\",\"page\":7}", -EBADMSG },
		{ "{\"format\":1,\"verb\":\"resend\",\"page\":\"a\",\"page\":\"b\"}", -EBADMSG },
		{ "{\"format\":1,\"verb\":\"resend\",\"page\":\"a\\u0000b\"}", -EBADMSG },
	};
	struct control *c = opened(*state);
	struct seen s;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		write_raw(*state, "x.json", bad[i].text);
		assert_int_equal(take(c, &s), 1);
		assert_int_equal(s.n, 0);
		assert_int_equal(s.n_bad, 1);
		assert_int_equal(s.error[0], bad[i].error);
	}
	assert_int_equal(take(c, &s), 0);
	control_free(c);
}

static void what_is_no_file_is_not_read(void **state)
{
	const struct test_folder *f = *state;
	struct control *c = opened(f);
	static char big[CONTROL_FILE_MAX + 2];
	struct stat st;
	struct seen s;

	memset(big, ' ', sizeof big - 1);
	write_raw(f, "big.json", big);
	write_raw(f, ".tmp-0123", "{");
	write_raw(f, "notes", "not ours");
	assert_int_equal(symlinkat("/etc/passwd", f->fd, CONTROL_FOLDER "/link.json"), 0);
	assert_int_equal(mkfifoat(f->fd, CONTROL_FOLDER "/pipe.json", 0600), 0);
	assert_int_equal(mkdirat(f->fd, CONTROL_FOLDER "/folder.json", 0700), 0);
	assert_int_equal(take(c, &s), 4);
	assert_int_equal(s.n, 0);
	assert_int_equal(s.n_bad, 4);
	assert_int_equal(take(c, &s), 0);
	assert_int_equal(fstatat(f->fd, CONTROL_FOLDER "/notes", &st, 0), 0);
	assert_int_equal(stat("/etc/passwd", &st), 0);
	control_free(c);
}

static void a_folder_full_of_folders_keeps_nobody_waiting(void **state)
{
	const struct test_folder *f = *state;
	struct control *c = opened(f);
	char path[64];
	struct seen s;

	for (unsigned i = 0; i < CONTROL_TAKE_MAX; i++) {
		snprintf(path, sizeof path, CONTROL_FOLDER "/%02u.json", i);
		assert_int_equal(mkdirat(f->fd, path, 0700), 0);
		snprintf(path, sizeof path, CONTROL_FOLDER "/%02u.json/within", i);
		assert_int_equal(mkdirat(f->fd, path, 0700), 0);
	}
	assert_int_equal(take(c, &s), CONTROL_TAKE_MAX);
	assert_int_equal(s.n_bad, CONTROL_TAKE_MAX);
	assert_int_equal(take(c, &s), 0);
	control_free(c);
}

static void so_many_are_taken_at_a_time(void **state)
{
	struct control *c = opened(*state);
	struct seen s;
	char name[32];

	for (unsigned i = 0; i < CONTROL_TAKE_MAX + 3; i++) {
		snprintf(name, sizeof name, "%u.json", i);
		write_raw(*state, name, "{\"format\":1,\"verb\":\"resend\",\"all\":true}");
	}
	assert_int_equal(take(c, &s), CONTROL_TAKE_MAX);
	assert_int_equal(s.n, CONTROL_TAKE_MAX);
	assert_int_equal(take(c, &s), 3);
	assert_int_equal(take(c, &s), 0);
	control_free(c);
}

static void the_folder_is_for_those_it_is_meant_for(void **state)
{
	const struct test_folder *f = *state;
	struct control *c;
	struct stat st;

	assert_int_equal(control_open(f->fd, getegid(), &c), 0);
	assert_int_equal(fstatat(f->fd, CONTROL_FOLDER, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0770);
	assert_int_equal(st.st_gid, getegid());
	control_free(c);
	c = opened(f);
	assert_int_equal(fstatat(f->fd, CONTROL_FOLDER, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	control_free(c);
	control_free(NULL);
}

static void a_folder_that_was_removed_is_made_again(void **state)
{
	const struct test_folder *f = *state;
	struct control *c = opened(f);
	char name[CONTROL_NAME_SIZE];
	struct seen s;

	assert_int_equal(unlinkat(f->fd, CONTROL_FOLDER, AT_REMOVEDIR), 0);
	assert_int_equal(
		control_put(f->path, &(struct control_request){ .verb = CONTROL_RESEND }, name),
		-ENOENT);
	assert_int_equal(take(c, &s), 0);
	put(f, &(struct control_request){ .verb = CONTROL_RESEND });
	assert_int_equal(take(c, &s), 1);
	control_free(c);
}

static void a_folder_whose_number_is_another_is_opened_again(void **state)
{
	const struct test_folder *f = *state;
	struct test_folder state_of_ours = *f;
	struct control *c;
	struct seen s;

	/* A descriptor of the engine's own, or the test's would be closed. */
	state_of_ours.fd = openat(f->fd, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	c = opened(&state_of_ours);
	int control = test_descriptor_reuse(f, CONTROL_FOLDER);
	int strange = openat(control, "x.json", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(strange >= 0);
	close(strange);
	assert_int_equal(take(c, &s), 0);
	put(f, &(struct control_request){ .verb = CONTROL_RESEND });
	assert_int_equal(take(c, &s), 1);
	/* And the folder above it, so that no way leads back. */
	int again = test_descriptor_reuse(f, CONTROL_FOLDER);
	int host = openat(f->fd, "host", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	assert_int_equal(dup3(host, state_of_ours.fd, O_CLOEXEC), state_of_ours.fd);
	close(host);
	assert_int_equal(take(c, &s), -ESTALE);
	assert_int_equal(s.n + s.n_bad, 0);
	control_free(c);
	test_descriptor_is_untouched(control, 1);
	test_descriptor_is_untouched(again, 1);
	test_descriptor_is_untouched(state_of_ours.fd, 1);
}

/* Between the first and the second look at x.json, while it is read, y.json has its name. */
static unsigned looks = 2;

static void swap(int folder, const char *from, const char *to, const char *away)
{
	assert_int_equal(renameat(folder, to, folder, away), 0);
	assert_int_equal(renameat(folder, from, folder, to), 0);
}

int __real_fstatat(int folder, const char *name, struct stat *st, int flags);
int __wrap_fstatat(int folder, const char *name, struct stat *st, int flags);
int __wrap_fstatat(int folder, const char *name, struct stat *st, int flags)
{
	bool watched = looks < 2 && strcmp(name, "x.json") == 0;

	if (watched && looks == 1)
		swap(folder, ".x", "x.json", "y.json");
	int r = __real_fstatat(folder, name, st, flags);
	if (watched && looks++ == 0)
		swap(folder, "y.json", "x.json", ".x");
	return r;
}

static void a_request_is_whose_file_was_read_whatever_its_name(void **state)
{
	static const char text[] = "{\"format\":1,\"verb\":\"resend\",\"all\":true}";
	const struct test_folder *f = *state;
	struct control *c = opened(f);
	struct seen s;

	if (geteuid() != 0)
		skip();
	write_raw(f, "x.json", text);
	write_raw(f, "y.json", text);
	assert_int_equal(fchownat(f->fd, CONTROL_FOLDER "/y.json", 12345, 12345, 0), 0);
	looks = 0;
	take(c, &s);
	assert_int_equal(looks, 2);
	assert_true(s.n > 0);
	assert_int_equal(s.uid[0], 12345);
	control_free(c);
}

static void a_link_is_not_taken_for_the_folder(void **state)
{
	const struct test_folder *f = *state;
	struct control *c = NULL;

	assert_int_equal(mkdirat(f->fd, "elsewhere", 0700), 0);
	assert_int_equal(symlinkat("elsewhere", f->fd, CONTROL_FOLDER), 0);
	assert_int_equal(control_open(f->fd, (gid_t)-1, &c), -ENOTDIR);
	assert_null(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(what_is_put_is_taken_once),
		test_in_folder(a_page_at_every_endpoint_and_all_pages_can_be_asked_for),
		test_in_folder(one_is_seen_though_the_folder_was_empty_just_now),
		test_in_folder(one_is_seen_though_the_folder_was_empty_for_long),
		test_in_folder(what_makes_no_sense_is_not_put),
		test_in_folder(what_is_no_request_is_told_and_removed),
		test_in_folder(what_is_no_file_is_not_read),
		test_in_folder(a_folder_full_of_folders_keeps_nobody_waiting),
		test_in_folder(so_many_are_taken_at_a_time),
		test_in_folder(the_folder_is_for_those_it_is_meant_for),
		test_in_folder(a_folder_that_was_removed_is_made_again),
		test_in_folder(a_folder_whose_number_is_another_is_opened_again),
		test_in_folder(a_request_is_whose_file_was_read_whatever_its_name),
		test_in_folder(a_link_is_not_taken_for_the_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "deliver_fixture.h"

#include <dirent.h>
#include <errno.h>

#include "base/files.h"
#include "deliver/outbox.h"

#define SEEN_MAX 64

struct seen {
	unsigned n, n_bad;
	char id[SEEN_MAX][PAGE_ID_SIZE];
	char endpoint[SEEN_MAX][64];
	char bad[SEEN_MAX][256];
	int error[SEEN_MAX];
};

static void seen_found(void *userdata, struct page *p, const char *endpoint)
{
	struct seen *s = userdata;

	assert_true(s->n < SEEN_MAX);
	snprintf(s->id[s->n], sizeof s->id[0], "%s", p->id);
	snprintf(s->endpoint[s->n], sizeof s->endpoint[0], "%s", endpoint);
	s->n++;
	page_unref(p);
}

static void seen_bad(void *userdata, const char *name, int error)
{
	struct seen *s = userdata;

	assert_true(s->n_bad < SEEN_MAX);
	snprintf(s->bad[s->n_bad], sizeof s->bad[0], "%s", name);
	s->error[s->n_bad++] = error;
}

static struct outbox *opened(const struct test_folder *f)
{
	struct outbox *o = NULL;

	assert_int_equal(outbox_open(f->path, &o), 0);
	return o;
}

static void scan(struct outbox *o, struct seen *ret)
{
	memset(ret, 0, sizeof *ret);
	int n = outbox_scan(o, seen_found, seen_bad, ret);
	assert_int_equal(n, ret->n);
}

static void put(struct outbox *o, const char *alert_id, enum page_kind kind, uint64_t wall_ns,
		const char *endpoint)
{
	struct page *p = fixture_page_at(alert_id, 1, kind, wall_ns);

	assert_int_equal(outbox_put(o, p, endpoint), 0);
	page_unref(p);
}

static void write_raw(const struct test_folder *f, const char *name, const char *text)
{
	char path[512];

	snprintf(path, sizeof path, "outbox/%s", name);
	int fd = openat(f->fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void a_page_put_is_found_by_the_next_run(void **state)
{
	struct outbox *o = opened(*state);
	struct seen s;
	struct stat st;

	put(o, "a-1-feed", PAGE_RAISED, FIXTURE_WALL_NS, "webhook");
	outbox_free(o);
	o = opened(*state);
	scan(o, &s);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.n_bad, 0);
	assert_string_equal(s.id[0], "a-1-feed.raised");
	assert_string_equal(s.endpoint[0], "webhook");
	const struct test_folder *f = *state;
	assert_int_equal(fstatat(f->fd, "outbox", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fstatat(f->fd, "outbox/a-1-feed.raised@webhook", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	outbox_free(o);
}

static void a_page_removed_is_gone_and_may_be_removed_again(void **state)
{
	struct outbox *o = opened(*state);
	struct page *p = fixture_page("a-1-feed");
	struct seen s;

	assert_int_equal(outbox_remove(o, p, "webhook"), 0);
	assert_int_equal(outbox_put(o, p, "webhook"), 0);
	assert_int_equal(outbox_put(o, p, "other"), 0);
	assert_int_equal(outbox_remove(o, p, "webhook"), 0);
	assert_int_equal(outbox_remove(o, p, "webhook"), 0);
	scan(o, &s);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.endpoint[0], "other");
	page_unref(p);
	outbox_free(o);
}

static void a_page_that_is_there_is_left_alone(void **state)
{
	struct outbox *o = opened(*state);
	const struct test_folder *f = *state;
	char *bytes;
	size_t len;

	write_raw(f, "a-1-feed.raised@webhook", "as it was");
	put(o, "a-1-feed", PAGE_RAISED, FIXTURE_WALL_NS, "webhook");
	assert_int_equal(file_read(f->fd, "outbox/a-1-feed.raised@webhook", 100, &bytes, &len), 0);
	assert_string_equal(bytes, "as it was");
	free(bytes);
	outbox_free(o);
}

static void the_oldest_is_found_first(void **state)
{
	struct outbox *o = opened(*state);
	struct seen s;

	put(o, "a-3-feed", PAGE_RAISED, FIXTURE_WALL_NS + 3, "webhook");
	put(o, "z-1-feed", PAGE_RAISED, FIXTURE_WALL_NS + 1, "webhook");
	put(o, "m-2-feed", PAGE_RAISED, FIXTURE_WALL_NS + 2, "webhook");
	scan(o, &s);
	assert_int_equal(s.n, 3);
	assert_string_equal(s.id[0], "z-1-feed.raised");
	assert_string_equal(s.id[1], "m-2-feed.raised");
	assert_string_equal(s.id[2], "a-3-feed.raised");
	outbox_free(o);
}

static void an_incident_keeps_its_order_though_the_clock_was_set_back(void **state)
{
	struct outbox *o = opened(*state);
	struct seen s;

	put(o, "b-1-feed", PAGE_RESOLVED, FIXTURE_WALL_NS - 90, "webhook");
	put(o, "c-1-feed", PAGE_RAISED, FIXTURE_WALL_NS - 50, "webhook");
	put(o, "b-1-feed", PAGE_REPEAT, FIXTURE_WALL_NS - 80, "webhook");
	put(o, "b-1-feed", PAGE_RAISED, FIXTURE_WALL_NS, "webhook");
	scan(o, &s);
	assert_int_equal(s.n, 4);
	assert_string_equal(s.id[0], "c-1-feed.raised");
	assert_string_equal(s.id[1], "b-1-feed.raised");
	assert_string_equal(s.id[2], "b-1-feed.repeat-1");
	assert_string_equal(s.id[3], "b-1-feed.resolved");
	outbox_free(o);
}

static void what_a_crash_left_half_written_is_removed(void **state)
{
	struct outbox *o = opened(*state);
	const struct test_folder *f = *state;
	struct seen s;
	struct stat st;

	write_raw(f, FILE_TEMPORARY_PREFIX "0123", "{\"for");
	scan(o, &s);
	assert_int_equal(s.n + s.n_bad, 0);
	assert_int_equal(fstatat(f->fd, "outbox/" FILE_TEMPORARY_PREFIX "0123", &st, 0), -1);
	assert_int_equal(errno, ENOENT);
	outbox_free(o);
}

static void what_cannot_be_read_is_told_and_left(void **state)
{
	struct outbox *o = opened(*state);
	const struct test_folder *f = *state;
	static char big[OUTBOX_FILE_MAX + 2];
	struct seen s, again;

	memset(big, ' ', sizeof big - 1);
	write_raw(f, "big@webhook", big);
	write_raw(f, "cut@webhook", "{\"format\":1,");
	write_raw(f, "later@webhook", "{\"format\":2}");
	assert_int_equal(mkdirat(f->fd, "outbox/folder", 0700), 0);
	assert_int_equal(symlinkat("/etc/passwd", f->fd, "outbox/link@webhook"), 0);
	assert_int_equal(mkfifoat(f->fd, "outbox/pipe@webhook", 0600), 0);
	put(o, "a-1-feed", PAGE_RAISED, FIXTURE_WALL_NS, "webhook");
	/* A page under another's name could never be removed. */
	assert_int_equal(linkat(f->fd, "outbox/a-1-feed.raised@webhook", f->fd,
				"outbox/b-1-feed.raised@webhook", 0),
			 0);
	scan(o, &s);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.n_bad, 7);
	for (unsigned i = 0; i < s.n_bad; i++) {
		int expected = strncmp(s.bad[i], "later", 5) == 0    ? -EPROTONOSUPPORT
			       : strncmp(s.bad[i], "link", 4) == 0   ? -ELOOP
			       : strncmp(s.bad[i], "pipe", 4) == 0   ? -EINVAL
			       : strncmp(s.bad[i], "folder", 6) == 0 ? -EINVAL
								     : -EBADMSG;

		assert_int_equal(s.error[i], expected);
	}
	scan(o, &again);
	assert_int_equal(again.n_bad, 7);
	outbox_free(o);
}

static void an_endpoint_of_any_name_has_a_file(void **state)
{
	static const char *const names[] = { "..", "a/b", "a b", "a%2Fb", "\xc3\xa4\n", "@", "" };
	struct outbox *o = opened(*state);
	struct page *p = fixture_page("a-1-feed");
	char longest[256];
	struct seen s;

	for (size_t i = 0; i + 1 < sizeof names / sizeof *names; i++)
		assert_int_equal(outbox_put(o, p, names[i]), 0);
	scan(o, &s);
	assert_int_equal(s.n, 6);
	assert_int_equal(s.n_bad, 0);
	for (size_t i = 0; i + 1 < sizeof names / sizeof *names; i++)
		assert_int_equal(outbox_remove(o, p, names[i]), 0);
	scan(o, &s);
	assert_int_equal(s.n, 0);
	memset(longest, 'e', sizeof longest - 1);
	longest[sizeof longest - 1] = 0;
	assert_int_equal(outbox_put(o, p, longest), -ENAMETOOLONG);
	page_unref(p);
	outbox_free(o);
}

static void a_folder_that_cannot_be_made_is_told(void **state)
{
	const struct test_folder *f = *state;
	struct outbox *o = NULL;
	char path[128];

	int fd = openat(f->fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	snprintf(path, sizeof path, "%s/file", f->path);
	assert_int_equal(outbox_open(path, &o), -ENOTDIR);
	assert_null(o);
	outbox_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(a_page_put_is_found_by_the_next_run),
		test_in_folder(a_page_removed_is_gone_and_may_be_removed_again),
		test_in_folder(a_page_that_is_there_is_left_alone),
		test_in_folder(the_oldest_is_found_first),
		test_in_folder(an_incident_keeps_its_order_though_the_clock_was_set_back),
		test_in_folder(what_a_crash_left_half_written_is_removed),
		test_in_folder(what_cannot_be_read_is_told_and_left),
		test_in_folder(an_endpoint_of_any_name_has_a_file),
		test_in_folder(a_folder_that_cannot_be_made_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

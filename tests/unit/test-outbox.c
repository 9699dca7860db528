/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "deliver_fixture.h"

#include <dirent.h>
#include <errno.h>

#include "base/files.h"
#include "spool/outbox.h"

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
	struct outbox_cursor cursor = { 0 };
	int n = outbox_scan(o, &cursor, seen_found, seen_bad, ret);
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

static bool is_there(const struct test_folder *f, const char *name)
{
	struct stat st;
	char path[512];

	snprintf(path, sizeof path, "outbox/%s", name);
	return fstatat(f->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void what_is_damaged_is_told_once_and_set_aside(void **state)
{
	struct outbox *o = opened(*state);
	const struct test_folder *f = *state;
	static const char *const damaged[] = { "big@webhook", "cut@webhook",
					       "b-1-feed.raised@webhook" };
	static char big[OUTBOX_FILE_MAX + 2];
	struct seen s;
	char name[300];

	memset(big, ' ', sizeof big - 1);
	write_raw(f, "big@webhook", big);
	write_raw(f, "cut@webhook", "{\"format\":1,");
	write_raw(f, "cut@webhook.corrupt", "an earlier one");
	put(o, "a-1-feed", PAGE_RAISED, FIXTURE_WALL_NS, "webhook");
	/* A page under another's name could never be removed. */
	assert_int_equal(linkat(f->fd, "outbox/a-1-feed.raised@webhook", f->fd,
				"outbox/b-1-feed.raised@webhook", 0),
			 0);
	scan(o, &s);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.n_bad, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(s.error[i], -EBADMSG);
		snprintf(name, sizeof name, "%s%s.corrupt", damaged[i], i == 1 ? ".2" : "");
		assert_true(is_there(f, name));
		assert_false(is_there(f, damaged[i]));
	}
	assert_true(is_there(f, "cut@webhook.corrupt"));
	scan(o, &s);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.n_bad, 0);
	outbox_free(o);
}

#define PLAIN "outbox/a-1-feed.raised@webhook"

/* Puts these bytes where the page's file was: it is found whole, or told and set aside, or a later
 * version's and left. Is it found? */
static bool damage_is_survived(const struct test_folder *f, struct outbox *o, const char *bytes,
			       size_t len)
{
	struct seen s;
	int fd = openat(f->fd, PLAIN, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
	scan(o, &s);
	assert_int_equal(s.n + s.n_bad, 1);
	if (s.n_bad > 0 && s.error[0] == -EBADMSG) {
		assert_int_equal(unlinkat(f->fd, PLAIN ".corrupt", 0), 0);
		assert_false(is_there(f, "a-1-feed.raised@webhook"));
		return false;
	}
	assert_true(is_there(f, "a-1-feed.raised@webhook"));
	if (s.n_bad > 0)
		assert_int_equal(s.error[0], -EPROTONOSUPPORT);
	return s.n > 0;
}

static void any_flipped_byte_and_any_cut_is_read_or_told_and_set_aside(void **state)
{
	static const unsigned char flips[] = { 0x01, 0x02, 0x80, 0xff };
	const struct test_folder *f = *state;
	struct outbox *o = opened(f);
	unsigned found = 0, refused = 0;
	char *bytes;
	size_t len;

	put(o, "a-1-feed", PAGE_RAISED, FIXTURE_WALL_NS, "webhook");
	assert_int_equal(file_read(f->fd, PLAIN, OUTBOX_FILE_MAX, &bytes, &len), 0);
	for (size_t at = 0; at < len; at++)
		for (size_t i = 0; i < sizeof flips; i++) {
			bytes[at] = (char)(bytes[at] ^ flips[i]);
			if (damage_is_survived(f, o, bytes, len))
				found++;
			else
				refused++;
			bytes[at] = (char)(bytes[at] ^ flips[i]);
		}
	assert_true(found > 0);
	assert_true(refused > 0);
	for (size_t cut = 0; cut < len; cut++)
		assert_false(damage_is_survived(f, o, bytes, cut));
	assert_true(damage_is_survived(f, o, bytes, len));
	free(bytes);
	outbox_free(o);
}

static void a_name_as_long_as_can_be_is_set_aside_too(void **state)
{
	struct outbox *o = opened(*state);
	char name[256];
	struct seen s;

	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = 0;
	write_raw(*state, name, "{");
	scan(o, &s);
	assert_int_equal(s.n_bad, 1);
	assert_false(is_there(*state, name));
	memcpy(name + sizeof name - sizeof ".corrupt", ".corrupt", sizeof ".corrupt");
	assert_true(is_there(*state, name));
	outbox_free(o);
}

static void what_is_no_page_of_ours_to_move_is_told_and_left(void **state)
{
	struct outbox *o = opened(*state);
	const struct test_folder *f = *state;
	struct seen s;

	write_raw(f, "later@webhook", "{\"format\":2}");
	assert_int_equal(mkdirat(f->fd, "outbox/folder", 0700), 0);
	assert_int_equal(symlinkat("/etc/passwd", f->fd, "outbox/link@webhook"), 0);
	assert_int_equal(mkfifoat(f->fd, "outbox/pipe@webhook", 0600), 0);
	for (unsigned times = 0; times < 2; times++) {
		scan(o, &s);
		assert_int_equal(s.n, 0);
		assert_int_equal(s.n_bad, 4);
		for (unsigned i = 0; i < s.n_bad; i++) {
			int expected = strncmp(s.bad[i], "later", 5) == 0  ? -EPROTONOSUPPORT
				       : strncmp(s.bad[i], "link", 4) == 0 ? -ELOOP
									   : -EINVAL;

			assert_int_equal(s.error[i], expected);
		}
	}
	outbox_free(o);
}

static void who_only_looks_changes_nothing(void **state)
{
	struct outbox *o = opened(*state);
	const struct test_folder *f = *state;
	struct seen s = { 0 };

	write_raw(f, FILE_TEMPORARY_PREFIX "0123", "{\"for");
	write_raw(f, "cut@webhook", "{\"format\":1,");
	put(o, "a-1-feed", PAGE_RAISED, FIXTURE_WALL_NS, "webhook");
	assert_int_equal(outbox_look(o, &(struct outbox_cursor){ 0 }, seen_found, seen_bad, &s), 1);
	assert_int_equal(s.n_bad, 1);
	assert_true(is_there(f, FILE_TEMPORARY_PREFIX "0123"));
	assert_true(is_there(f, "cut@webhook"));
	outbox_free(o);
}

struct bad_count {
	unsigned n;
	int last_error;
	char last[64];
};

static void count_bad(void *userdata, const char *name, int error)
{
	struct bad_count *c = userdata;

	c->n++;
	c->last_error = error;
	snprintf(c->last, sizeof c->last, "%s", name);
}

static void ever_so_many_damaged_ones_are_told_in_few_lines(void **state)
{
	struct outbox *o = opened(*state);
	struct bad_count c = { 0 };

	for (unsigned i = 0; i < OUTBOX_BAD_MAX + 17; i++) {
		char name[32];

		snprintf(name, sizeof name, "x-%u@webhook", i);
		write_raw(*state, name, "");
	}
	assert_int_equal(outbox_scan(o, &(struct outbox_cursor){ 0 }, NULL, count_bad, &c), 0);
	assert_int_equal(c.n, OUTBOX_BAD_MAX + 1);
	assert_int_equal(c.last_error, -ENOBUFS);
	assert_string_equal(c.last, "(17 more)");
	outbox_free(o);
}

/* --- More than one scan takes --- */

static void put_incident(struct outbox *o, const char *alert_id)
{
	put(o, alert_id, PAGE_RESOLVED, FIXTURE_WALL_NS, "webhook");
	put(o, alert_id, PAGE_RAISED, FIXTURE_WALL_NS, "webhook");
	put(o, alert_id, PAGE_REPEAT, FIXTURE_WALL_NS, "webhook");
}

/* Scans until nothing is left, `max` at a time; adds what it finds. Returns how many scans. */
static unsigned scan_in_parts(struct outbox *o, unsigned max, struct seen *ret)
{
	struct outbox_cursor cursor = { .max = max };
	unsigned scans = 0;

	do {
		unsigned before = ret->n;
		int n = outbox_scan(o, &cursor, seen_found, seen_bad, ret);

		assert_int_equal(n, ret->n - before);
		assert_true(ret->n - before <= max);
		scans++;
	} while (cursor.left > 0);
	return scans;
}

static unsigned place_of(const struct seen *s, const char *alert_id, const char *kind)
{
	char id[PAGE_ID_SIZE];
	unsigned n = 0, place = 0;

	snprintf(id, sizeof id, "%s.%s", alert_id, kind);
	for (unsigned i = 0; i < s->n; i++)
		if (strcmp(s->id[i], id) == 0) {
			place = i;
			n++;
		}
	if (n != 1)
		fail_msg("%s was found %u times", id, n);
	return place;
}

static void no_part_leaves_out_a_page_before_a_later_one_of_its_incident(void **state)
{
	/* One is the beginning of others, and one has a kind's look. */
	static const char *const ids[] = { "a-1-x", "a-1-x.y", "a-10-x", "a-1-x.raised", "b-1-x" };
	struct outbox *o = opened(*state);

	for (unsigned i = 0; i < 5; i++)
		put_incident(o, ids[i]);
	for (unsigned max = 1; max <= 16; max++) {
		struct seen s = { 0 };

		assert_int_equal(scan_in_parts(o, max, &s), (15 + max - 1) / max);
		assert_int_equal(s.n, 15);
		for (unsigned i = 0; i < 5; i++) {
			assert_true(place_of(&s, ids[i], "raised") <
				    place_of(&s, ids[i], "repeat-1"));
			assert_true(place_of(&s, ids[i], "repeat-1") <
				    place_of(&s, ids[i], "resolved"));
		}
	}
	outbox_free(o);
}

static void repeats_are_parted_by_their_number(void **state)
{
	struct outbox *o = opened(*state);
	struct incident incident = fixture_incident("a-1-feed", 1);
	struct seen s = { 0 };

	for (incident.repeats = 12; incident.repeats > 0; incident.repeats--) {
		struct page *p = NULL;

		assert_int_equal(page_new(&fixture_context, &incident, PAGE_REPEAT,
					  (struct moment){ 3, FIXTURE_WALL_NS }, &p),
				 0);
		assert_int_equal(outbox_put(o, p, "webhook"), 0);
		page_unref(p);
	}
	assert_int_equal(scan_in_parts(o, 1, &s), 12);
	for (unsigned i = 0; i < 12; i++) {
		char id[PAGE_ID_SIZE];

		snprintf(id, sizeof id, "a-1-feed.repeat-%u", i + 1);
		assert_string_equal(s.id[i], id);
	}
	outbox_free(o);
}

static void pages_that_come_and_go_between_parts_change_no_other_s_turn(void **state)
{
	struct outbox *o = opened(*state);
	struct outbox_cursor cursor = { .max = 2 };
	struct page *first = fixture_page("b-1-feed"), *last = fixture_page("e-1-feed");
	struct seen s = { 0 };

	for (const char *id = "bcde"; *id; id++)
		put(o, (char[]){ *id, '-', '1', '-', 'f', 'e', 'e', 'd', 0 }, PAGE_RAISED,
		    FIXTURE_WALL_NS, "webhook");
	assert_int_equal(outbox_scan(o, &cursor, seen_found, seen_bad, &s), 2);
	assert_int_equal(cursor.left, 2);
	assert_int_equal(outbox_remove(o, first, "webhook"), 0);
	assert_int_equal(outbox_remove(o, last, "webhook"), 0);
	put(o, "a-1-feed", PAGE_RAISED, FIXTURE_WALL_NS, "webhook");
	assert_int_equal(outbox_scan(o, &cursor, seen_found, seen_bad, &s), 1);
	assert_int_equal(cursor.left, 0);
	assert_string_equal(s.id[2], "d-1-feed.raised");
	assert_int_equal(outbox_scan(o, &cursor, seen_found, seen_bad, &s), 0);
	page_unref(first);
	page_unref(last);
	outbox_free(o);
}

static void unreadable_ones_of_all_parts_are_counted_together(void **state)
{
	struct outbox *o = opened(*state);
	struct outbox_cursor cursor = { .max = 10 };
	struct bad_count c = { 0 };

	for (unsigned i = 0; i < OUTBOX_BAD_MAX + 17; i++) {
		char name[32];

		snprintf(name, sizeof name, "x-%u@webhook", i);
		write_raw(*state, name, "");
	}
	do
		assert_int_equal(outbox_scan(o, &cursor, NULL, count_bad, &c), 0);
	while (cursor.left > 0);
	assert_int_equal(c.n, OUTBOX_BAD_MAX + 1);
	assert_string_equal(c.last, "(17 more)");
	outbox_free(o);
}

/* --- The dead --- */

static void scan_dead(struct outbox *o, struct seen *ret)
{
	memset(ret, 0, sizeof *ret);
	struct outbox_cursor cursor = { 0 };
	int n = outbox_scan_dead(o, &cursor, seen_found, seen_bad, ret);
	assert_int_equal(n, ret->n);
}

static void a_buried_page_waits_no_more_and_can_be_revived(void **state)
{
	struct outbox *o = opened(*state);
	struct page *p = fixture_page("a-1-feed"), *again = NULL;
	struct seen s;

	scan_dead(o, &s);
	assert_int_equal(s.n, 0);
	assert_int_equal(outbox_revive(o, p->id, "webhook", &again), -ENOENT);
	assert_int_equal(outbox_put(o, p, "webhook"), 0);
	assert_int_equal(outbox_bury(o, p, "webhook"), 0);
	assert_int_equal(outbox_bury(o, p, "webhook"), 0);
	scan(o, &s);
	assert_int_equal(s.n + s.n_bad, 0);
	scan_dead(o, &s);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.id[0], "a-1-feed.raised");
	assert_int_equal(outbox_revive(o, p->id, "other", &again), -ENOENT);
	assert_int_equal(outbox_revive(o, p->id, "webhook", &again), 0);
	assert_string_equal(again->id, p->id);
	scan_dead(o, &s);
	assert_int_equal(s.n, 0);
	scan(o, &s);
	assert_int_equal(s.n, 1);
	page_unref(again);
	page_unref(p);
	outbox_free(o);
}

static void a_page_that_was_never_written_can_be_buried(void **state)
{
	struct outbox *o = opened(*state);
	struct page *p = fixture_page("a-1-feed");
	struct seen s;

	assert_int_equal(outbox_bury(o, p, "webhook"), 0);
	scan(o, &s);
	assert_int_equal(s.n, 0);
	scan_dead(o, &s);
	assert_int_equal(s.n, 1);
	page_unref(p);
	outbox_free(o);
}

static void a_damaged_dead_page_stays_dead(void **state)
{
	struct outbox *o = opened(*state);
	const struct test_folder *f = *state;
	struct page *again = NULL;
	struct seen s;

	assert_int_equal(mkdirat(f->fd, "outbox/dead", 0700), 0);
	write_raw(f, "dead/a.raised@webhook", "{\"format\":1");
	write_raw(f, "dead/b.raised@webhook", "{\"format\":2}");
	assert_int_equal(outbox_revive(o, "a.raised", "webhook", &again), -EBADMSG);
	assert_int_equal(outbox_revive(o, "b.raised", "webhook", &again), -EPROTONOSUPPORT);
	assert_null(again);
	scan_dead(o, &s);
	assert_int_equal(s.n, 0);
	assert_int_equal(s.n_bad, 2);
	assert_true(is_there(f, "dead/a.raised@webhook"));
	outbox_free(o);
}

static void a_page_given_up_is_gone_wherever_it_lay(void **state)
{
	struct outbox *o = opened(*state);
	struct page *waiting = fixture_page("a-1-feed"), *dead = fixture_page("b-2-feed");
	struct seen s;

	assert_int_equal(outbox_put(o, waiting, "webhook"), 0);
	assert_int_equal(outbox_discard(o, dead->id, "webhook"), -ENOENT);
	assert_int_equal(outbox_bury(o, dead, "webhook"), 0);
	assert_int_equal(outbox_discard(o, waiting->id, "other"), -ENOENT);
	for (unsigned i = 0; i < 2; i++) {
		const char *id = i == 0 ? waiting->id : dead->id;
		struct page *again = NULL;

		assert_int_equal(outbox_find(o, id, "other", &again), -ENOENT);
		assert_null(again);
		assert_int_equal(outbox_find(o, id, "webhook", &again), 0);
		assert_string_equal(again->id, id);
		page_unref(again);
	}
	assert_int_equal(outbox_discard(o, waiting->id, "webhook"), 0);
	assert_int_equal(outbox_discard(o, dead->id, "webhook"), 0);
	assert_int_equal(outbox_discard(o, dead->id, "webhook"), -ENOENT);
	scan(o, &s);
	assert_int_equal(s.n, 0);
	scan_dead(o, &s);
	assert_int_equal(s.n, 0);
	page_unref(waiting);
	page_unref(dead);
	outbox_free(o);
}

static void a_name_made_by_somebody_leads_nowhere_else(void **state)
{
	static const char *const ids[] = { "",      ".",   "..",  "../a", "a/b", "/etc/passwd",
					   ".lock", "a@b", "a\nb" };
	struct outbox *o = opened(*state);
	struct page *p = NULL;

	write_raw(*state, ".lock", "");
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		assert_int_equal(outbox_discard(o, ids[i], "webhook"), -ENOENT);
		assert_int_equal(outbox_revive(o, ids[i], "webhook", &p), -ENOENT);
	}
	assert_null(p);
	assert_true(is_there(*state, ".lock"));
	outbox_free(o);
}

/* --- Whose turn it is --- */

static void one_at_a_time_posts_from_it(void **state)
{
	struct outbox *first = opened(*state), *second = opened(*state);
	struct seen s;

	assert_int_equal(outbox_claim(first), 0);
	assert_int_equal(outbox_claim(first), 0);
	assert_int_equal(outbox_claim(second), -EBUSY);
	outbox_release(first);
	outbox_release(first);
	assert_int_equal(outbox_claim(second), 0);
	scan(second, &s);
	assert_int_equal(s.n + s.n_bad, 0);
	outbox_free(second);
	assert_int_equal(outbox_claim(first), 0);
	outbox_free(first);
}

/* --- A folder that goes --- */

static void remove_outbox(const struct test_folder *f)
{
	unlinkat(f->fd, "outbox/.lock", 0);
	unlinkat(f->fd, "outbox/a-1-feed.raised@webhook", 0);
	assert_int_equal(unlinkat(f->fd, "outbox", AT_REMOVEDIR), 0);
}

static void a_folder_removed_under_us_is_made_again_and_claimed(void **state)
{
	struct outbox *o = opened(*state), *other;
	struct page *p = fixture_page("a-1-feed");
	struct seen s;

	assert_int_equal(outbox_claim(o), 0);
	assert_int_equal(outbox_put(o, p, "webhook"), 0);
	remove_outbox(*state);
	scan(o, &s);
	assert_int_equal(s.n + s.n_bad, 0);
	assert_int_equal(outbox_remove(o, p, "webhook"), 0);
	assert_int_equal(outbox_put(o, p, "webhook"), -ENOENT);
	assert_int_equal(outbox_put(o, p, "webhook"), 0);
	scan(o, &s);
	assert_int_equal(s.n, 1);
	other = opened(*state);
	assert_int_equal(outbox_claim(other), -EBUSY);
	remove_outbox(*state);
	assert_int_equal(outbox_bury(o, p, "webhook"), -ENOENT);
	assert_int_equal(outbox_bury(o, p, "webhook"), 0);
	scan_dead(o, &s);
	assert_int_equal(s.n, 1);
	outbox_free(other);
	page_unref(p);
	outbox_free(o);
}

static void a_folder_whose_number_is_another_is_opened_again(void **state)
{
	const struct test_folder *f = *state;
	struct outbox *o = opened(f), *other = opened(f);
	struct page *p = fixture_page("a-1-feed"), *q = fixture_page("b-2-feed");
	struct seen s;

	outbox_free(other);
	assert_int_equal(outbox_claim(o), 0);
	assert_int_equal(outbox_put(o, p, "webhook"), 0);
	int put = test_descriptor_reuse(f, "outbox");
	/* The host's folder may have anything in it. */
	int strange = openat(put, "a-1-feed.raised@webhook", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(strange >= 0);
	close(strange);
	memset(&s, 0, sizeof s);
	assert_int_equal(outbox_scan(o, &(struct outbox_cursor){ 0 }, seen_found, seen_bad, &s),
			 -ESTALE);
	assert_int_equal(s.n + s.n_bad, 0);
	assert_int_equal(outbox_put(o, q, "webhook"), 0);
	scan(o, &s);
	assert_int_equal(s.n, 2);
	/* The claim is what it was. */
	other = opened(f);
	assert_int_equal(outbox_claim(other), -EBUSY);
	outbox_free(other);
	int removed = test_descriptor_reuse(f, "outbox");
	assert_int_equal(outbox_remove(o, p, "webhook"), 0);
	scan(o, &s);
	assert_int_equal(s.n, 1);
	int freed = test_descriptor_reuse(f, "outbox");
	page_unref(p);
	page_unref(q);
	outbox_free(o);
	test_descriptor_is_untouched(put, 1);
	test_descriptor_is_untouched(removed, 1);
	test_descriptor_is_untouched(freed, 1);
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

static void a_folder_that_cannot_be_made_is_made_once_it_can(void **state)
{
	const struct test_folder *f = *state;
	struct page *p = fixture_page("a-1-feed");
	struct outbox *o = NULL;
	struct seen s = { 0 };

	int fd = openat(f->fd, "outbox", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(outbox_open_existing(f->path, &o), -ENOTDIR);
	assert_null(o);
	assert_int_equal(outbox_open(f->path, &o), 0);
	assert_int_equal(outbox_claim(o), -ENOTDIR);
	assert_int_equal(outbox_scan(o, &(struct outbox_cursor){ 0 }, seen_found, seen_bad, &s),
			 -ENOTDIR);
	assert_int_equal(
		outbox_scan_dead(o, &(struct outbox_cursor){ 0 }, seen_found, seen_bad, &s),
		-ENOTDIR);
	assert_int_equal(outbox_put(o, p, "webhook"), -ENOTDIR);
	assert_int_equal(outbox_remove(o, p, "webhook"), -ENOTDIR);
	assert_int_equal(unlinkat(f->fd, "outbox", 0), 0);
	assert_int_equal(outbox_put(o, p, "webhook"), 0);
	scan(o, &s);
	assert_int_equal(s.n, 1);
	page_unref(p);
	outbox_free(o);
	outbox_free(NULL);
}

static void who_only_looks_makes_no_folder(void **state)
{
	const struct test_folder *f = *state;
	struct outbox *o = NULL;
	struct stat st;

	assert_int_equal(outbox_open_existing(f->path, &o), -ENOENT);
	assert_null(o);
	assert_int_equal(fstatat(f->fd, "outbox", &st, 0), -1);
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
		test_in_folder(what_is_damaged_is_told_once_and_set_aside),
		test_in_folder(any_flipped_byte_and_any_cut_is_read_or_told_and_set_aside),
		test_in_folder(a_name_as_long_as_can_be_is_set_aside_too),
		test_in_folder(what_is_no_page_of_ours_to_move_is_told_and_left),
		test_in_folder(who_only_looks_changes_nothing),
		test_in_folder(ever_so_many_damaged_ones_are_told_in_few_lines),
		test_in_folder(no_part_leaves_out_a_page_before_a_later_one_of_its_incident),
		test_in_folder(repeats_are_parted_by_their_number),
		test_in_folder(pages_that_come_and_go_between_parts_change_no_other_s_turn),
		test_in_folder(unreadable_ones_of_all_parts_are_counted_together),
		test_in_folder(a_buried_page_waits_no_more_and_can_be_revived),
		test_in_folder(a_page_that_was_never_written_can_be_buried),
		test_in_folder(a_damaged_dead_page_stays_dead),
		test_in_folder(a_page_given_up_is_gone_wherever_it_lay),
		test_in_folder(a_name_made_by_somebody_leads_nowhere_else),
		test_in_folder(one_at_a_time_posts_from_it),
		test_in_folder(a_folder_removed_under_us_is_made_again_and_claimed),
		test_in_folder(a_folder_whose_number_is_another_is_opened_again),
		test_in_folder(an_endpoint_of_any_name_has_a_file),
		test_in_folder(a_folder_that_cannot_be_made_is_made_once_it_can),
		test_in_folder(who_only_looks_makes_no_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* The files of owed entries: what is read back, and what of hostile ones. */
#include "config.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "journal/entry_fields.h"
#include "journal/owed.h"
#include "test.h"

static struct owed *open_owed(const struct test_folder *f)
{
	struct owed *o = NULL;

	assert_int_equal(owed_open(f->fd, &o), 0);
	return o;
}

static int folder_of(const struct test_folder *f)
{
	int fd = openat(f->fd, OWED_FOLDER, O_DIRECTORY | O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static struct entry *make(const char *message, tocsin_str more)
{
	struct entry *e = entry_new(ENTRY_CLASS_FIRST, 2);

	assert_non_null(e);
	entry_add(e, "PRIORITY", STR("2"));
	entry_add(e, "MESSAGE", str(message));
	entry_add(e, "TOCSIN_META_X", more);
	return e;
}

/* A file with n entries "0", "1", ... by a run of its own; its bytes are the caller's. */
static struct owed_name write_file(const struct test_folder *f, unsigned n, tocsin_str more,
				   char **ret, size_t *ret_len)
{
	struct owed *o = open_owed(f), *reader = open_owed(f);
	_cleanup_(text_buffer_done) struct text_buffer text = { 0 };
	_cleanup_close_ int folder = folder_of(f);
	char name[OWED_NAME_SIZE];
	struct owed_name found = { 0 };
	uint64_t number;

	for (unsigned i = 0; i < n; i++) {
		struct entry *e;

		snprintf(name, sizeof name, "%u", i);
		e = make(name, more);
		assert_int_equal(owed_text_add(o, &text, e), 0);
		entry_free(e);
	}
	assert_int_equal(owed_write(o, &text, &number), 0);
	while (owed_next(reader, &found) > 0 && found.number < number)
		continue;
	assert_int_equal(found.number, number);
	if (ret)
		assert_int_equal(file_read(folder, owed_name_text(&found, name), OWED_FILE_MAX, ret,
					   ret_len),
				 0);
	owed_free(o);
	owed_free(reader);
	return found;
}

static tocsin_str value_of(const struct entry *e, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < e->n_fields; i++) {
		const char *bytes = e->fields[i].iov_base;

		if (e->fields[i].iov_len > len && memcmp(bytes, name, len) == 0 &&
		    bytes[len] == '=')
			return (tocsin_str){ bytes + len + 1, e->fields[i].iov_len - len - 1 };
	}
	return (tocsin_str){ 0 };
}

/* Reads the file; each entry must be one of those that write_file made, in their order. */
static int read_file(struct owed *o, const struct owed_name *n, unsigned *ret_entries,
		     bool *ret_damaged)
{
	struct owed_reader reader;
	struct entry *e;
	unsigned long last = 0;
	int r = owed_read(o, n, &reader);

	if (r < 0)
		return r;
	*ret_entries = 0;
	while ((r = owed_reader_next(&reader, &e)) > 0) {
		tocsin_str message = value_of(e, "MESSAGE");
		char text[16] = "";

		assert_in_range(message.len, 1, sizeof text - 1);
		memcpy(text, message.ptr, message.len);
		assert_true(*ret_entries == 0 || strtoul(text, NULL, 10) > last);
		last = strtoul(text, NULL, 10);
		(*ret_entries)++;
		entry_free(e);
	}
	*ret_damaged = reader.damaged;
	owed_reader_done(&reader);
	return r;
}

static void put(const struct test_folder *f, const struct owed_name *n, const void *bytes,
		size_t len)
{
	_cleanup_close_ int folder = folder_of(f);
	char name[OWED_NAME_SIZE];

	assert_int_equal(file_replace(folder, owed_name_text(n, name), bytes, len, false), 0);
}

static void every_byte_of_an_entry_comes_back(void **state)
{
	struct test_folder *f = *state;
	char all[256];
	struct owed_reader reader;
	struct owed_name name;
	struct entry *e;

	for (unsigned i = 0; i < 256; i++)
		all[i] = (char)i;
	name = write_file(f, 1, (tocsin_str){ all, sizeof all }, NULL, NULL);
	struct owed *o = open_owed(f);
	assert_int_equal(owed_read(o, &name, &reader), 0);
	assert_int_equal(owed_reader_next(&reader, &e), 1);
	assert_int_equal(e->class, ENTRY_CLASS_FIRST);
	assert_int_equal(e->priority, 2);
	assert_int_equal(e->n_fields, 4);
	assert_true(str_is(value_of(e, "MESSAGE"), "0"));
	assert_true(str_is(value_of(e, "TOCSIN_RECOVERED"), "1"));
	assert_true(str_equal(value_of(e, "TOCSIN_META_X"), (tocsin_str){ all, sizeof all }));
	entry_free(e);
	assert_int_equal(owed_reader_next(&reader, &e), 0);
	assert_int_equal(owed_reader_next(&reader, &e), 0);
	assert_false(reader.damaged);
	owed_reader_done(&reader);
	owed_free(o);
}

static void an_entry_that_was_recovered_already_is_marked_once(void **state)
{
	struct test_folder *f = *state;
	_cleanup_(text_buffer_done) struct text_buffer text = { 0 };
	struct owed *o = open_owed(f), *next = open_owed(f);
	struct entry *e = make("x", STR("y"));
	struct owed_reader reader;
	struct owed_name name;
	uint64_t number;

	entry_add(e, "TOCSIN_RECOVERED", STR("1"));
	assert_int_equal(owed_text_add(o, &text, e), 0);
	entry_free(e);
	assert_int_equal(owed_write(o, &text, &number), 0);
	assert_int_equal(owed_next(o, &name), 0); /* its own */
	assert_int_equal(owed_next(next, &name), 1);
	assert_int_equal(owed_read(next, &name, &reader), 0);
	assert_int_equal(owed_reader_next(&reader, &e), 1);
	assert_int_equal(e->n_fields, 4);
	entry_free(e);
	owed_reader_done(&reader);
	owed_free(o);
	owed_free(next);
}

static void any_flipped_bit_costs_one_entry_at_most_and_is_noticed(void **state)
{
	struct test_folder *f = *state;
	_cleanup_free_ char *bytes = NULL;
	size_t len;
	struct owed_name name = write_file(f, 4, STR("a\nb"), &bytes, &len);
	struct owed *o = open_owed(f);

	for (size_t i = 0; i < 8 * len; i++) {
		unsigned n = 0;
		bool damaged = false;
		int r;

		bytes[i / 8] = (char)(bytes[i / 8] ^ (1 << i % 8));
		put(f, &name, bytes, len);
		r = read_file(o, &name, &n, &damaged);
		bytes[i / 8] = (char)(bytes[i / 8] ^ (1 << i % 8));
		if (r == -EPROTONOSUPPORT) /* the version's own digit */
			continue;
		assert_int_equal(r, 0);
		assert_in_range(n, 3, 4);
		assert_true(damaged);
	}
	owed_free(o);
}

static void a_file_cut_anywhere_is_read_up_to_there(void **state)
{
	struct test_folder *f = *state;
	_cleanup_free_ char *bytes = NULL;
	size_t len;
	struct owed_name name = write_file(f, 4, STR("a\nb"), &bytes, &len);
	struct owed *o = open_owed(f);
	unsigned last = 0;

	for (size_t cut = 0; cut < len; cut++) {
		unsigned n = 0;
		bool damaged = false;

		put(f, &name, bytes, cut);
		assert_int_equal(read_file(o, &name, &n, &damaged), 0);
		assert_in_range(n, last, 4);
		last = n;
		assert_true(damaged);
	}
	assert_int_equal(last, 4);
	owed_free(o);
}

static void an_entry_that_looks_like_a_file_is_one_entry(void **state)
{
	struct test_folder *f = *state;
	_cleanup_free_ char *bytes = NULL;
	size_t len;
	struct owed_name first = write_file(f, 3, STR("x"), &bytes, &len);
	struct owed_name second = write_file(f, 2, (tocsin_str){ bytes, len }, NULL, NULL);
	struct owed *o = open_owed(f);
	unsigned n;
	bool damaged;

	assert_true(second.number > first.number);
	assert_int_equal(read_file(o, &second, &n, &damaged), 0);
	assert_int_equal(n, 2);
	assert_false(damaged);
	owed_free(o);
}

static void a_later_versions_file_is_left_alone(void **state)
{
	struct test_folder *f = *state;
	struct owed_name name = write_file(f, 1, STR("x"), NULL, NULL);
	static const char later[] = "tocsin owed 2\nwhatever";
	struct owed *o = open_owed(f);
	unsigned n;
	bool damaged;

	put(f, &name, later, sizeof later - 1);
	assert_int_equal(read_file(o, &name, &n, &damaged), -EPROTONOSUPPORT);
	owed_free(o);
}

static void hostile_files_are_refused_without_effort(void **state)
{
	struct test_folder *f = *state;
	_cleanup_close_ int folder = -1;
	struct owed_name name = { 7, 0xabc };
	char text[OWED_NAME_SIZE];
	struct owed *o = open_owed(f);
	struct owed_reader reader;
	unsigned n;
	bool damaged;

	folder = folder_of(f);
	owed_name_text(&name, text);
	assert_int_equal(symlinkat("/etc/passwd", folder, text), 0);
	assert_int_equal(owed_read(o, &name, &reader), -EBADMSG);
	assert_int_equal(owed_set_aside(o, &name), 0);
	assert_int_equal(mkdirat(folder, text, 0700), 0);
	assert_int_equal(owed_read(o, &name, &reader), -EBADMSG);
	assert_int_equal(unlinkat(folder, text, AT_REMOVEDIR), 0);
	assert_int_equal(mkfifoat(folder, text, 0600), 0);
	assert_int_equal(owed_read(o, &name, &reader), -EBADMSG);
	assert_int_equal(owed_forget(o, &name), 0);

	/* Sparse, and of any size. */
	int fd = openat(folder, text, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, OWED_FILE_MAX), 0);
	assert_int_equal(read_file(o, &name, &n, &damaged), 0);
	assert_int_equal(n, 0);
	assert_true(damaged);
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
	assert_int_equal(owed_read(o, &name, &reader), -EBADMSG);
	close(fd);
	owed_free(o);
}

/* Each line claims a whole file behind it: what is summed up is bounded all the same. */
static void a_file_of_nothing_but_lines_is_read_in_bounded_time(void **state)
{
	struct test_folder *f = *state;
	_cleanup_(text_buffer_done) struct text_buffer text = { 0 };
	struct owed_name name = { 7, 0xabc };
	struct owed *o = open_owed(f);
	unsigned n;
	bool damaged;

	while (text.len < OWED_FILE_MAX - 100)
		text_buffer_printf(&text, "entry %016llx %016llx %016llx\n", 0xabcULL,
				   (unsigned long long)OWED_ENTRY_MAX / 2, 1ULL);
	put(f, &name, text.ptr, text.len);
	assert_int_equal(read_file(o, &name, &n, &damaged), 0);
	assert_int_equal(n, 0);
	assert_true(damaged);
	owed_free(o);
}

static void names_come_in_order_and_strangers_not_at_all(void **state)
{
	static const char *const strangers[] = { "x", "7-abc",
						 "000000000000000007_0000000000000abc",
						 "000000000000000007-0000000000000ABC",
						 "000000000000000007-0000000000000abc.corrupt" };
	struct test_folder *f = *state;
	struct owed *o = open_owed(f);
	_cleanup_close_ int folder = folder_of(f);
	struct owed_name name, last = { 0 };
	uint64_t number;
	unsigned n = 0;

	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
		assert_int_equal(file_replace(folder, strangers[i], "x", 1, false), 0);
	/* More than are held at a time, made in no order. */
	for (unsigned i = 0; i < 3000; i++) {
		name = (struct owed_name){ (i * 7919) % 3000 + 1, 5 };
		put(f, &name, "x", 1);
	}
	put(f, &(struct owed_name){ UINT64_C(999999999999999999), 5 }, "x", 1);
	while (owed_next(o, &name) > 0) {
		assert_true(name.number > last.number);
		last = name;
		n++;
	}
	assert_int_equal(n, 3001);
	assert_int_equal(last.number, UINT64_C(999999999999999999));
	/* There are too many to add one. */
	_cleanup_(text_buffer_done) struct text_buffer text = { 0 };
	struct entry *e = make("x", STR("y"));
	assert_int_equal(owed_text_add(o, &text, e), 0);
	assert_int_equal(owed_write(o, &text, &number), -ENOSPC);
	for (uint64_t i = 1; i <= 2500; i++)
		assert_int_equal(owed_forget(o, &(struct owed_name){ i, 5 }), 0);
	/* Behind all others, but for a number that nobody could go on from. */
	assert_int_equal(owed_write(o, &text, &number), 0);
	assert_int_equal(number, 3001);
	entry_free(e);
	owed_free(o);
}

static void an_entry_too_large_is_not_kept(void **state)
{
	struct owed *o = open_owed(*state);
	_cleanup_(text_buffer_done) struct text_buffer text = { 0 };
	_cleanup_free_ char *big = calloc(1, OWED_ENTRY_MAX);
	struct entry *e = make("x", (tocsin_str){ big, OWED_ENTRY_MAX });

	assert_non_null(big);
	assert_int_equal(owed_text_add(o, &text, e), -EFBIG);
	assert_int_equal(text.len, 0);
	entry_free(e);
	owed_free(o);
	owed_free(NULL);
}

static void a_folder_whose_number_is_another_is_opened_again(void **state)
{
	const struct test_folder *f = *state;
	struct owed *o = open_owed(f);
	_cleanup_(text_buffer_done) struct text_buffer text = { 0 };
	struct entry *e = make("x", STR("y"));
	uint64_t number;

	assert_int_equal(owed_text_add(o, &text, e), 0);
	entry_free(e);
	int written = test_descriptor_reuse(f, OWED_FOLDER);
	assert_int_equal(owed_write(o, &text, &number), 0);
	_cleanup_close_ int folder = folder_of(f);
	assert_int_equal(test_folder_count(folder), 1);
	close(folder);
	int removed = test_descriptor_reuse(f, OWED_FOLDER);
	assert_int_equal(owed_remove(o, number), 0);
	folder = folder_of(f);
	assert_int_equal(test_folder_count(folder), 0);
	owed_free(o);
	test_descriptor_is_untouched(written, 0);
	test_descriptor_is_untouched(removed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_in_folder(every_byte_of_an_entry_comes_back),
		test_in_folder(an_entry_that_was_recovered_already_is_marked_once),
		test_in_folder(any_flipped_bit_costs_one_entry_at_most_and_is_noticed),
		test_in_folder(a_file_cut_anywhere_is_read_up_to_there),
		test_in_folder(an_entry_that_looks_like_a_file_is_one_entry),
		test_in_folder(a_later_versions_file_is_left_alone),
		test_in_folder(hostile_files_are_refused_without_effort),
		test_in_folder(a_file_of_nothing_but_lines_is_read_in_bounded_time),
		test_in_folder(names_come_in_order_and_strangers_not_at_all),
		test_in_folder(an_entry_too_large_is_not_kept),
		test_in_folder(a_folder_whose_number_is_another_is_opened_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

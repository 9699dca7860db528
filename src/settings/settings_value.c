/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "settings/settings_table.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "base/thread.h"

#define SHOWN_MAX 40 /* bytes of a wrong value that are shown */
#define FRACTION_DIGITS_MAX 15

static int refuse(struct text_buffer *why, tocsin_str value, const char *what)
{
	_cleanup_free_ char *shown = text_to_line(text_cut(value, SHOWN_MAX));

	text_buffer_printf(why, "\"%s\" %s", shown ? shown : "", what);
	return -EINVAL;
}

/* Takes the next word off a list separated by blanks and commas; empty at its end. */
static tocsin_str next_word(tocsin_str *list)
{
	tocsin_str word;

	while (list->len > 0 && strchr(" ,", *list->ptr)) {
		list->ptr++;
		list->len--;
	}
	word = (tocsin_str){ list->ptr, 0 };
	while (list->len > 0 && !strchr(" ,", *list->ptr)) {
		list->ptr++;
		list->len--;
		word.len++;
	}
	return word;
}

/* Nothing given is nothing held. The text that was there goes. */
int setting_parse_STRING(const struct setting *row, tocsin_str value, struct settings *s,
			 void *field, struct text_buffer *why)
{
	char **text = field;
	char *copy = NULL;

	(void)row;
	(void)s;
	(void)why;
	if (value.len > 0) {
		copy = str_dup(value);
		if (!copy)
			return -ENOMEM;
	}
	free(*text);
	*text = copy;
	return 0;
}

int setting_parse_PATH(const struct setting *row, tocsin_str value, struct settings *s, void *field,
		       struct text_buffer *why)
{
	if (value.len > 0 && *value.ptr != '/')
		return refuse(why, value, "does not begin with /");
	return setting_parse_STRING(row, value, s, field, why);
}

int setting_parse_CPUS(const struct setting *row, tocsin_str value, struct settings *s, void *field,
		       struct text_buffer *why)
{
	_cleanup_free_ char *list = str_dup(value);

	if (!list)
		return -ENOMEM;
	if (value.len > 0 && thread_check_cpus(list) < 0)
		return refuse(why, value,
			      "names no processor of this machine; a list looks like 0,2-3");
	return setting_parse_STRING(row, value, s, field, why);
}

/* The value's place among the words of the bounds, or -EINVAL. */
static int choose(const struct setting *row, tocsin_str value, struct text_buffer *why)
{
	tocsin_str list = str(row->bounds), word;
	int i = 0;

	for (word = next_word(&list); word.len > 0; word = next_word(&list), i++)
		if (str_equal(word, value))
			return i;
	refuse(why, value, "is none of: ");
	text_buffer_add(why, str(row->bounds));
	return -EINVAL;
}

int setting_parse_WORD(const struct setting *row, tocsin_str value, struct settings *s, void *field,
		       struct text_buffer *why)
{
	int i = choose(row, value, why);

	return i < 0 ? i : setting_parse_STRING(row, value, s, field, why);
}

int setting_parse_CHOICE(const struct setting *row, tocsin_str value, struct settings *s,
			 void *field, struct text_buffer *why)
{
	int i = choose(row, value, why);

	(void)s;
	_Static_assert(sizeof(enum log_target) == sizeof i, "an enum is as wide as an int");
	_Static_assert(sizeof(enum clock_source) == sizeof i, "an enum is as wide as an int");
	if (i < 0)
		return i;
	memcpy(field, &i, sizeof i);
	return 0;
}

int setting_parse_BOOL(const struct setting *row, tocsin_str value, struct settings *s, void *field,
		       struct text_buffer *why)
{
	static const struct {
		const char *word;
		bool means;
	} words[] = {
		{ "yes", true }, { "true", true },   { "on", true },   { "1", true },
		{ "no", false }, { "false", false }, { "off", false }, { "0", false },
	};

	(void)row;
	(void)s;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (!str_is(value, words[i].word))
			continue;
		*(bool *)field = words[i].means;
		return 0;
	}
	return refuse(why, value, "is neither yes nor no");
}

static int size_from_text(tocsin_str s, uint64_t *ret)
{
	static const char units[] = "KMG";
	uint64_t value = 0;
	unsigned shift = 0;
	const char *unit;

	if (s.len == 0)
		return -EINVAL;
	unit = s.ptr[s.len - 1] ? strchr(units, s.ptr[s.len - 1]) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		s.len--;
	}
	if (s.len == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return -EINVAL;
		if (value > (UINT64_MAX >> 30) / 10 - 1)
			return -ERANGE;
		value = value * 10 + (uint64_t)(s.ptr[i] - '0');
	}
	*ret = value << shift;
	return 0;
}

/* A quantity within the row's bounds, "least..most". */
static int quantity(const struct setting *row, tocsin_str value,
		    int (*from_text)(tocsin_str, uint64_t *), const char *what, uint64_t *ret,
		    struct text_buffer *why)
{
	const char *dots = strstr(row->bounds, "..");
	uint64_t given = 0, least = 0, most = 0;
	int r;

	assert(dots);
	r = from_text((tocsin_str){ row->bounds, (size_t)(dots - row->bounds) }, &least);
	if (r == 0)
		r = from_text(str(dots + 2), &most);
	assert(r == 0);
	r = from_text(value, &given);
	if (r == -EINVAL)
		return refuse(why, value, what);
	if (r < 0 || given < least || given > most) {
		refuse(why, value, "is out of bounds, which are ");
		text_buffer_add(why, str(row->bounds));
		return -EINVAL;
	}
	*ret = given;
	return 0;
}

static int count_from_text(tocsin_str s, uint64_t *ret)
{
	uint64_t value = 0;

	if (s.len == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return -EINVAL;
		if (value > UINT64_MAX / 10 - 1)
			return -ERANGE;
		value = value * 10 + (uint64_t)(s.ptr[i] - '0');
	}
	*ret = value;
	return 0;
}

int setting_parse_COUNT(const struct setting *row, tocsin_str value, struct settings *s,
			void *field, struct text_buffer *why)
{
	(void)s;
	return quantity(row, value, count_from_text, "is no whole number", field, why);
}

int setting_parse_UIDS(const struct setting *row, tocsin_str value, struct settings *s, void *field,
		       struct text_buffer *why)
{
	uid_t *uids = field;
	unsigned n = 0;

	for (tocsin_str word = next_word(&value); word.len > 0; word = next_word(&value)) {
		uint64_t number = 0;
		int r = quantity(row, word, count_from_text, "is no user's number", &number, why);

		if (r < 0)
			return r;
		if (n == SETTINGS_TRUSTED_MAX) {
			text_buffer_printf(why, "more than %d users", SETTINGS_TRUSTED_MAX);
			return -EINVAL;
		}
		uids[n++] = (uid_t)number;
	}
	s->n_trusted_uids = n;
	return 0;
}

int setting_parse_SIZE(const struct setting *row, tocsin_str value, struct settings *s, void *field,
		       struct text_buffer *why)
{
	(void)s;
	return quantity(row, value, size_from_text, "is no size such as 512K, 4M or 1G", field,
			why);
}

int setting_parse_DURATION(const struct setting *row, tocsin_str value, struct settings *s,
			   void *field, struct text_buffer *why)
{
	(void)s;
	return quantity(row, value, duration_from_text,
			"is no duration such as 500ms, 5s, 10m, 1h or 2d", field, why);
}

/* pages.page_after: nothing given lets each code's own stand. */
int setting_parse_DURATION_GIVEN(const struct setting *row, tocsin_str value, struct settings *s,
				 void *field, struct text_buffer *why)
{
	int r = 0;

	if (value.len > 0)
		r = setting_parse_DURATION(row, value, s, field, why);
	if (r == 0)
		s->has_page_after = value.len > 0;
	return r;
}

/* source.NAME: nothing given lets everybody's stand. */
int setting_parse_DURATION_OWN(const struct setting *row, tocsin_str value, struct settings *s,
			       void *field, struct text_buffer *why)
{
	if (value.len > 0)
		return setting_parse_DURATION(row, value, s, field, why);
	*(uint64_t *)field = UINT64_MAX;
	return 0;
}

/* Digits, with a point among them or not: the same in every locale. */
static int fraction_from_text(tocsin_str s, double *ret)
{
	uint64_t digits = 0;
	double scale = 1;
	bool point = false;
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return -EINVAL;
		/* So many are exact in a double, and so is their scale: the quotient is right. */
		if (++n > FRACTION_DIGITS_MAX)
			return -EINVAL;
		digits = digits * 10 + (uint64_t)(s.ptr[i] - '0');
		scale = point ? scale * 10 : scale;
	}
	if (n == 0)
		return -EINVAL;
	*ret = (double)digits / scale;
	return 0;
}

int setting_parse_FRACTION(const struct setting *row, tocsin_str value, struct settings *s,
			   void *field, struct text_buffer *why)
{
	const char *dots = strstr(row->bounds, "..");
	double given = 0, least = 0, most = 0;
	int r;

	(void)s;
	assert(dots);
	r = fraction_from_text((tocsin_str){ row->bounds, (size_t)(dots - row->bounds) }, &least);
	if (r == 0)
		r = fraction_from_text(str(dots + 2), &most);
	assert(r == 0);
	r = fraction_from_text(value, &given);
	if (r < 0)
		return refuse(why, value, "is no fraction such as 0.25");
	if (given < least || given > most) {
		refuse(why, value, "is out of bounds, which are ");
		text_buffer_add(why, str(row->bounds));
		return -EINVAL;
	}
	*(double *)field = given;
	return 0;
}

int setting_parse_FRACTION_OWN(const struct setting *row, tocsin_str value, struct settings *s,
			       void *field, struct text_buffer *why)
{
	if (value.len > 0)
		return setting_parse_FRACTION(row, value, s, field, why);
	*(double *)field = (double)NAN;
	return 0;
}

int setting_parse_PRIORITIES(const struct setting *row, tocsin_str value, struct settings *s,
			     void *field, struct text_buffer *why)
{
	tocsin_str list = value, word;
	uint32_t set = 0;

	(void)row;
	(void)s;
	for (word = next_word(&list); word.len > 0; word = next_word(&list)) {
		if (word.len != 2 || word.ptr[0] != 'P' || word.ptr[1] < '1' || word.ptr[1] > '3')
			return refuse(why, value, "is no list of priorities such as P1,P2");
		set |= 1u << (word.ptr[1] - '1');
	}
	if (set == 0)
		return refuse(why, value, "is no list of priorities such as P1,P2");
	*(uint32_t *)field = set;
	return 0;
}

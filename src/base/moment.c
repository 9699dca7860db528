/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/moment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

_hot_ uint64_t clock_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t clock_realtime_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

struct moment moment_at(struct moment now, uint64_t clock_ns)
{
	return (struct moment){ clock_ns, now.wall_ns + (clock_ns - now.clock_ns) };
}

char *time_to_rfc3339(uint64_t wall_ns, char buf[static TIME_TEXT_SIZE])
{
	time_t seconds = (time_t)(wall_ns / NS_PER_S);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(buf, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, TIME_TEXT_SIZE - n, ".%06uZ", (unsigned)(wall_ns % NS_PER_S / 1000));
	return buf;
}

char *time_to_local(uint64_t wall_ns, bool utc, char buf[static TIME_TEXT_SIZE])
{
	time_t seconds = (time_t)(wall_ns / NS_PER_S);
	unsigned ms = (unsigned)(wall_ns % NS_PER_S / NS_PER_MS);
	struct tm tm;
	long offset;
	size_t n;

	if (utc)
		gmtime_r(&seconds, &tm);
	else
		localtime_r(&seconds, &tm);
	n = strftime(buf, TIME_TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &tm);
	offset = labs(tm.tm_gmtoff) / 60;
	if (utc)
		snprintf(buf + n, TIME_TEXT_SIZE - n, ".%03uZ", ms);
	else
		snprintf(buf + n, TIME_TEXT_SIZE - n, ".%03u %c%02ld:%02ld", ms,
			 tm.tm_gmtoff < 0 ? '-' : '+', offset / 60, offset % 60);
	return buf;
}

/* A reader that moves along a view; every take_ either moves or marks it bad. */
struct cursor {
	const char *p, *end;
	bool bad;
};

static bool take_one_of(struct cursor *c, const char *set, char *ret)
{
	if (c->bad || c->p == c->end || *c->p == 0 || !strchr(set, *c->p)) {
		c->bad = true;
		return false;
	}
	*ret = *c->p++;
	return true;
}

static unsigned take_number(struct cursor *c, unsigned digits, unsigned least, unsigned most)
{
	unsigned value = 0;
	char digit;

	while (digits-- > 0 && take_one_of(c, "0123456789", &digit))
		value = value * 10 + (unsigned)(digit - '0');
	if (value < least || value > most)
		c->bad = true;
	return value;
}

static uint64_t take_fraction(struct cursor *c)
{
	uint64_t ns = 0, unit = NS_PER_S / 10;
	char digit;

	if (c->bad || c->p == c->end || *c->p != '.')
		return 0;
	c->p++;
	do {
		if (!take_one_of(c, "0123456789", &digit))
			return 0;
		ns += (uint64_t)(digit - '0') * unit;
		unit /= 10;
	} while (c->p < c->end && *c->p >= '0' && *c->p <= '9');
	return ns;
}

static int64_t take_offset(struct cursor *c)
{
	unsigned hours, minutes;
	char sign, colon;

	if (!take_one_of(c, "Zz+-", &sign) || sign == 'Z' || sign == 'z')
		return 0;
	hours = take_number(c, 2, 0, 23);
	take_one_of(c, ":", &colon);
	minutes = take_number(c, 2, 0, 59);
	return (sign == '-' ? -60 : 60) * (int64_t)(hours * 60 + minutes);
}

static unsigned days_in(unsigned year, unsigned month)
{
	static const unsigned days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

int time_from_rfc3339(tocsin_str s, uint64_t *ret_wall_ns)
{
	struct cursor c = { s.ptr, s.len ? s.ptr + s.len : s.ptr, s.len == 0 };
	struct tm tm = { 0 };
	unsigned year, month, day;
	int64_t seconds;
	uint64_t fraction, wall_ns;
	char mark;

	/* 1969 may still be 1970 elsewhere; in 2554 64 bits of nanoseconds end. */
	year = take_number(&c, 4, 1969, 2554);
	take_one_of(&c, "-", &mark);
	month = take_number(&c, 2, 1, 12);
	take_one_of(&c, "-", &mark);
	day = take_number(&c, 2, 1, 31);
	take_one_of(&c, "Tt ", &mark);
	tm.tm_hour = (int)take_number(&c, 2, 0, 23);
	take_one_of(&c, ":", &mark);
	tm.tm_min = (int)take_number(&c, 2, 0, 59);
	take_one_of(&c, ":", &mark);
	tm.tm_sec = (int)take_number(&c, 2, 0, 60);
	fraction = take_fraction(&c);
	seconds = -take_offset(&c);
	if (c.bad || c.p != c.end || day > days_in(year, month))
		return -EINVAL;
	tm.tm_year = (int)year - 1900;
	tm.tm_mon = (int)month - 1;
	tm.tm_mday = (int)day;
	seconds += timegm(&tm);
	if (seconds < 0 || __builtin_mul_overflow((uint64_t)seconds, NS_PER_S, &wall_ns) ||
	    __builtin_add_overflow(wall_ns, fraction, &wall_ns))
		return -EINVAL;
	*ret_wall_ns = wall_ns;
	return 0;
}

char *duration_to_text(uint64_t ns, char buf[static TIME_TEXT_SIZE])
{
	static const struct {
		uint64_t seconds;
		const char *name;
		uint64_t part; /* what is shown of the rest */
		const char *part_name;
	} units[] = {
		{ 86400, "d", 3600, "h" },
		{ 3600, "h", 60, "min" },
		{ 60, "min", 1, "s" },
	};
	uint64_t tenths = ns / (NS_PER_S / 10) + (ns % (NS_PER_S / 10) >= NS_PER_S / 20);
	uint64_t seconds = tenths / 10;

	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		uint64_t rest = seconds % units[i].seconds / units[i].part;

		if (seconds < units[i].seconds)
			continue;
		/* Seconds beside ten minutes and more tell nobody anything. */
		if (rest == 0 || (units[i].part == 1 && seconds >= 600))
			snprintf(buf, TIME_TEXT_SIZE, "%llu %s",
				 (unsigned long long)(seconds / units[i].seconds), units[i].name);
		else
			snprintf(buf, TIME_TEXT_SIZE, "%llu %s %llu %s",
				 (unsigned long long)(seconds / units[i].seconds), units[i].name,
				 (unsigned long long)rest, units[i].part_name);
		return buf;
	}
	snprintf(buf, TIME_TEXT_SIZE, "%llu.%llu s", (unsigned long long)seconds,
		 (unsigned long long)(tenths % 10));
	return buf;
}

int duration_from_text(tocsin_str s, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "ms", NS_PER_MS },      { "s", NS_PER_S },         { "m", 60 * NS_PER_S },
		{ "h", 3600 * NS_PER_S }, { "d", 86400 * NS_PER_S },
	};
	uint64_t value = 0;
	bool too_large = false;
	size_t digits = 0;

	for (; digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9'; digits++) {
		too_large = too_large || value > (UINT64_MAX - 9) / 10;
		if (!too_large)
			value = value * 10 + (uint64_t)(s.ptr[digits] - '0');
	}
	if (digits == 0)
		return -EINVAL;
	if (digits == s.len && value == 0 && !too_large) {
		*ret_ns = 0;
		return 0;
	}
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (!str_is((tocsin_str){ s.ptr + digits, s.len - digits }, units[i].name))
			continue;
		if (too_large || value > UINT64_MAX / units[i].ns)
			return -ERANGE;
		*ret_ns = value * units[i].ns;
		return 0;
	}
	return -EINVAL;
}

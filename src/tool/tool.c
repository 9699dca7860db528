/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/tool.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"

#define DAY_S (24 * 3600)

_printf_(2, 0) static void complain(const char *verb, const char *format, va_list ap)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *line = NULL;

	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	line = text ? text_to_line(str(text)) : NULL;
	fprintf(stderr, "tocsin %s: %s\n", verb, line ? line : "no memory");
}

int tool_failed(const char *verb, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	complain(verb, format, ap);
	va_end(ap);
	return TOOL_FAILED;
}

int tool_wrong_use(const char *verb, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	complain(verb, format, ap);
	va_end(ap);
	fprintf(stderr, "tocsin %s --help shows how to use it\n", verb);
	return TOOL_WRONG_USE;
}

int tool_options_add(struct tool_options *o, const char *name, const char *value)
{
	if (o->n == TOOL_OPTIONS_MAX)
		return -E2BIG;
	o->kv[o->n++] = (tocsin_kv){ str(name), str(value) };
	return 0;
}

int tool_options_parse(struct tool_options *o, const char *argument)
{
	const char *equals = strchr(argument, '=');

	if (!equals || equals == argument)
		return -EINVAL;
	if (o->n == TOOL_OPTIONS_MAX)
		return -E2BIG;
	o->kv[o->n++] = (tocsin_kv){ { argument, (size_t)(equals - argument) }, str(equals + 1) };
	return 0;
}

bool tool_options_has(const struct tool_options *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++)
		if (str_is(o->kv[i].key, name))
			return true;
	return false;
}

/*
 * The second at which clocks show the fields of tm. A local time may come twice, when clocks are
 * set back, or never, when they are set forward: of both meanings, by the offset of the day before
 * and of the day after, the side chooses.
 */
static int from_calendar(const struct tm *tm, bool utc, enum time_side side, uint64_t *ret)
{
	static const time_t around[] = { -DAY_S, DAY_S };
	struct tm copy = *tm;
	time_t shown = timegm(&copy), chosen = -1;
	bool exact = false;

	if (utc)
		chosen = shown;
	for (size_t i = 0; !utc && i < sizeof(around) / sizeof(around[0]); i++) {
		time_t day = shown + around[i], seconds;
		struct tm there, back;

		if (!localtime_r(&day, &there))
			return -EINVAL;
		seconds = shown - there.tm_gmtoff;
		if (!localtime_r(&seconds, &back))
			return -EINVAL;
		bool same = seconds + back.tm_gmtoff == shown;
		bool better = side == TIME_EARLIER ? seconds < chosen : seconds > chosen;
		if (chosen < 0 || (same && !exact) || (same == exact && better))
			chosen = seconds;
		exact = exact || same;
	}
	if (chosen < 0)
		return -EINVAL;
	*ret = (uint64_t)chosen * NS_PER_S;
	return 0;
}

/* The calendar day of `now`, moved by `days`, at its beginning. */
static int day_begin(uint64_t now_wall_ns, int days, bool utc, enum time_side side, uint64_t *ret)
{
	time_t seconds = (time_t)(now_wall_ns / NS_PER_S);
	struct tm tm;

	if (!(utc ? gmtime_r(&seconds, &tm) : localtime_r(&seconds, &tm)))
		return -EINVAL;
	tm.tm_mday += days;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	return from_calendar(&tm, utc, side, ret);
}

static int parse_calendar(const char *text, bool utc, enum time_side side, uint64_t *ret)
{
	static const char *const formats[] = { "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d" };

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(text, formats[i], &tm);

		if (end && !*end)
			return from_calendar(&tm, utc, side, ret);
	}
	return -EINVAL;
}

int tool_parse_time(const char *text, uint64_t now_wall_ns, bool utc, enum time_side side,
		    uint64_t *ret_wall_ns)
{
	uint64_t distance;

	if (strcmp(text, "now") == 0) {
		*ret_wall_ns = now_wall_ns;
		return 0;
	}
	if (strcmp(text, "today") == 0)
		return day_begin(now_wall_ns, 0, utc, side, ret_wall_ns);
	if (strcmp(text, "yesterday") == 0)
		return day_begin(now_wall_ns, -1, utc, side, ret_wall_ns);
	if (text[0] == '-' || text[0] == '+') {
		if (duration_from_text(str(text + 1), &distance) < 0)
			return -EINVAL;
		if (text[0] == '-')
			*ret_wall_ns =
				now_wall_ns - (distance < now_wall_ns ? distance : now_wall_ns);
		else
			*ret_wall_ns = now_wall_ns + distance;
		return 0;
	}
	if (parse_calendar(text, utc, side, ret_wall_ns) == 0)
		return 0;
	return time_from_rfc3339(str(text), ret_wall_ns);
}

int tool_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	unsigned long long value;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || *end || value < min || value > max)
		return -EINVAL;
	*ret = value;
	return 0;
}

/* The cleaner in front of these has no descriptor of its own. */
static int descriptor_of(FILE *f)
{
	return f == stdout ? STDOUT_FILENO : f == stderr ? STDERR_FILENO : fileno(f);
}

unsigned tool_columns(FILE *f)
{
	struct winsize size;

	if (!isatty(descriptor_of(f)))
		return 0;
	if (ioctl(descriptor_of(f), TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

bool tool_colours(FILE *f)
{
	const char *no = secure_getenv("NO_COLOR");

	return isatty(descriptor_of(f)) && !(no && no[0]);
}

void tool_print_text(FILE *f, tocsin_str text)
{
	_cleanup_free_ char *line = text_to_line(text);

	fputs(line ? line : "?", f);
}

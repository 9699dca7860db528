/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "tool/player.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "base/moment.h"
#include "tool/line_reader.h"
#include "tool/plugin_file.h"
#include "tool/tool.h"

/* How long to wait for a full recorder: its reader works in steps of a millisecond. */
#define FULL_WAIT_NS (NS_PER_MS / 2)
/* Events between two looks at the clock and at the interrupt. */
#define LOOK_EVERY 4096

uint64_t player_events(const struct player *p)
{
	return p->events[EVENT_LINE_SESSION] + p->events[EVENT_LINE_HEALTH] +
	       p->events[EVENT_LINE_ALERT];
}

/* Sleeps; -EINTR when interrupted meanwhile. */
static int wait_ns(const struct player *p, uint64_t ns)
{
	struct timespec time = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };
	struct pollfd fd = { .fd = p->interrupt, .events = POLLIN };

	return ppoll(&fd, 1, &time, NULL) > 0 ? -EINTR : 0;
}

/* Waits until the event's time has come, seen from the first event's. */
static int pace(const struct player *p, uint64_t wall_ns, uint64_t started_ns)
{
	double ahead;
	uint64_t due, now;

	if (p->speed <= 0 || wall_ns <= p->first_ns)
		return 0;
	ahead = (double)(wall_ns - p->first_ns) / p->speed;
	/* A hundred years are for ever, and fit. */
	due = started_ns + (ahead < 3e18 ? (uint64_t)ahead : UINT64_C(3000000000000000000));
	now = clock_monotonic_ns();
	return due > now ? wait_ns(p, due - now) : 0;
}

static tocsin_rc call(const struct player *p, const struct event_line *e)
{
	switch (e->family) {
	case EVENT_LINE_SESSION:
		return p->plugin->on_session(p->instance, &e->session);
	case EVENT_LINE_HEALTH:
		return p->plugin->on_health(p->instance, &e->health);
	case EVENT_LINE_ALERT:
		return p->plugin->on_alert(p->instance, &e->alert, NULL);
	}
	return TOCSIN_E_ARG;
}

static int give(struct player *p, const struct event_line *e, uint64_t line)
{
	tocsin_rc rc;

	while ((rc = call(p, e)) == TOCSIN_E_FULL) {
		p->waits++;
		if (wait_ns(p, FULL_WAIT_NS) < 0)
			return -EINTR;
	}
	if (rc == TOCSIN_OK) {
		p->events[e->family]++;
		return 0;
	}
	tool_failed("play", "%s:%" PRIu64 ": the plugin refused this event: %s", p->name, line,
		    plugin_rc_name(rc));
	if (rc != TOCSIN_E_ARG)
		return -EINVAL;
	p->refused++;
	return 0;
}

static int tell_error(const struct player *p, const struct line_reader *reader,
		      const struct event_line *e, int error)
{
	if (error == -EINVAL)
		tool_failed("play", "%s:%" PRIu64 ":%zu: %s", p->name, reader->line,
			    e->error_column, e->error);
	else if (error == -EFBIG)
		tool_failed("play", "%s:%" PRIu64 ":1: expected a line of at most %u bytes",
			    p->name, reader->line, EVENT_LINE_MAX);
	else if (error != -EINTR)
		tool_failed("play", "cannot read %s: %s", p->name, strerror(-error));
	return error;
}

static void note_time(struct player *p, uint64_t wall_ns)
{
	if (p->first_ns == 0 || wall_ns < p->first_ns)
		p->first_ns = wall_ns;
	if (wall_ns > p->last_ns)
		p->last_ns = wall_ns;
}

static void show_progress(const struct player *p, uint64_t *shown_ns)
{
	uint64_t now = clock_monotonic_ns();
	char time[TIME_TEXT_SIZE];

	if (!p->progress || now - *shown_ns < NS_PER_S)
		return;
	*shown_ns = now;
	dprintf(STDERR_FILENO, "\r%" PRIu64 " events, now at %s \033[K", player_events(p),
		time_to_local(p->last_ns, false, time));
}

static int play_lines(struct player *p, struct line_reader *reader, struct event_line *e,
		      uint64_t started_ns, uint64_t *shown_ns)
{
	unsigned since_look = 0;
	char *line;
	size_t len;
	int r;

	while ((r = line_reader_next(reader, &line, &len)) > 0) {
		r = event_line_read(e, line, len);
		if (r < 0)
			return tell_error(p, reader, e, r);
		if (r == 0)
			continue;
		note_time(p, e->wall_ns);
		r = pace(p, e->wall_ns, started_ns);
		if (r == 0)
			r = give(p, e, reader->line);
		if (r == 0 && (p->speed > 0 || ++since_look == LOOK_EVERY)) {
			since_look = 0;
			show_progress(p, shown_ns);
			r = wait_ns(p, 0);
		}
		if (r < 0)
			return r;
	}
	return r < 0 ? tell_error(p, reader, e, r) : 0;
}

int player_play(struct player *p, int fd)
{
	_cleanup_free_ struct event_line *e = calloc(1, sizeof(*e));
	uint64_t started_ns = clock_monotonic_ns(), shown_ns = started_ns;
	struct line_reader reader;
	int r;

	if (!e || line_reader_init(&reader, fd, p->interrupt, EVENT_LINE_MAX) < 0) {
		tool_failed("play", "no memory");
		return -ENOMEM;
	}
	r = play_lines(p, &reader, e, started_ns, &shown_ns);
	line_reader_done(&reader);
	p->took_ns = clock_monotonic_ns() - started_ns;
	if (shown_ns != started_ns)
		dprintf(STDERR_FILENO, "\r\033[K");
	return r;
}

/* SPDX-License-Identifier: MIT */
/* Lines of JSON that become events, all read by one reader, as a stream is. */
#include "config.h"
#include "fuzz.h"

#include <errno.h>

#include "../record_bytes.h"
#include "tool/event_line.h"

static void inside(tocsin_str s, const char *line, size_t len)
{
	MUST(s.len == 0 || (s.ptr >= line && s.len <= len && s.ptr + s.len <= line + len));
}

static void event_must(const struct event_line *e, const char *line, size_t len)
{
	uint8_t bytes[RECORD_SIZE_MAX];
	struct record r;
	const char *member;
	uint32_t kind;
	size_t n_kv, size;

	switch (e->family) {
	case EVENT_LINE_SESSION:
		inside(e->session.session_id, line, len);
		inside(e->session.status, line, len);
		kind = e->session.head.kind;
		n_kv = e->session.n_kv;
		size = record_of_session(&e->session, 1, bytes);
		break;
	case EVENT_LINE_HEALTH:
		inside(e->health.source, line, len);
		inside(e->health.session_id, line, len);
		kind = e->health.head.kind;
		n_kv = e->health.n_kv;
		size = record_of_health(&e->health, 1, bytes);
		break;
	default:
		MUST(e->family == EVENT_LINE_ALERT);
		inside(e->alert.code, line, len);
		inside(e->alert.message, line, len);
		inside(e->alert.session_id, line, len);
		inside(e->alert.instance, line, len);
		kind = e->alert.head.kind;
		n_kv = e->alert.n_kv;
		size = record_of_alert(&e->alert, 1, bytes);
	}
	MUST(event_line_kind(e->family, kind, &member));
	MUST(n_kv <= EVENT_LINE_KV_MAX);
	for (size_t i = 0; i < n_kv; i++) {
		inside(e->kv[i].key, line, len);
		inside(e->kv[i].value, line, len);
	}
	MUST(record_decode(bytes, size, &r) == 0);
	MUST(r.kind == kind && r.wall_ns == e->wall_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_line e;
	const char *from = (const char *)data;

	while (size > 0) {
		const char *end = memchr(from, '\n', size);
		size_t len = end ? (size_t)(end - from) : size;
		char *line = malloc(len + 1);

		MUST(line);
		memcpy(line, from, len);
		line[len] = end ? '\n' : 0;
		int r = event_line_read(&e, line, len);
		MUST(r == 1 || r == 0 || r == -EINVAL);
		if (r == 1)
			event_must(&e, line, len);
		if (r < 0)
			MUST(e.error[0] && is_one_line(e.error) && e.error_column >= 1 &&
			     e.error_column <= len + 1);
		free(line);
		from += len + (end != NULL);
		size -= len + (end != NULL);
	}
	return 0;
}
